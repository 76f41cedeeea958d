//! What this crate reads, held against a running kernel and against what `ss`, `nstat` and `ip` say of it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod cookies;
mod counters;
mod listeners;
mod net;
mod sockets;
mod sysctl;

use std::process::ExitCode;

use fastopen_lab::testing::{self, test};

fn main() -> ExitCode {
    testing::main([
        test("sysctl::what_is_written_is_read", sysctl::what_is_written_is_read),
        test("sysctl::keys_are_counted", sysctl::keys_are_counted),
        test(
            "sysctl::what_the_kernel_refuses_says_why",
            sysctl::what_the_kernel_refuses_says_why,
        ),
        test(
            "counters::they_count_connections",
            counters::they_count_connections,
        ),
        test("counters::they_agree_with_nstat", counters::they_agree_with_nstat),
        test(
            "counters::each_thread_reads_its_own_namespace",
            counters::each_thread_reads_its_own_namespace,
        ),
        test(
            "listeners::queues_are_those_that_were_set",
            listeners::queues_are_those_that_were_set,
        ),
        test("listeners::they_agree_with_ss", listeners::they_agree_with_ss),
        test("listeners::owners_are_found", listeners::owners_are_found),
        test("sockets::they_agree_with_ss", sockets::they_agree_with_ss),
        test("sockets::filters_filter", sockets::filters_filter),
        test(
            "sockets::connections_before_the_last_ack_have_a_tcp_info",
            sockets::connections_before_the_last_ack_have_a_tcp_info,
        ),
        test(
            "sockets::a_long_list_comes_one_by_one",
            sockets::a_long_list_comes_one_by_one,
        ),
        test("cookies::they_agree_with_ip", cookies::they_agree_with_ip),
        test("cookies::one_is_found", cookies::one_is_found),
        test("cookies::lost_syns_are_told", cookies::lost_syns_are_told),
        test(
            "cookies::deleting_takes_a_real_root",
            cookies::deleting_takes_a_real_root,
        ),
    ])
}
