//! `tfo watch` as it is run, on hosts of a lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

use std::process::ExitCode;

use fastopen_lab::testing::{self, test};

mod namespaces;
mod output;
mod prometheus;
mod screen;
mod support;
#[path = "../common/terminal.rs"]
mod terminal;

fn main() -> ExitCode {
    testing::main([
        test(
            "each_connection_is_told_as_what_it_is",
            output::each_connection_is_told_as_what_it_is,
        ),
        test(
            "a_dual_stack_listener_has_its_ipv4_connections",
            output::a_dual_stack_listener_has_its_ipv4_connections,
        ),
        test("what_rose_is_told", output::what_rose_is_told),
        test(
            "a_pipe_gets_lines_and_a_summary",
            output::a_pipe_gets_lines_and_a_summary,
        ),
        test(
            "a_closed_pipe_ends_it_quietly",
            output::a_closed_pipe_ends_it_quietly,
        ),
        test(
            "another_namespace_can_be_looked_into",
            namespaces::another_namespace_can_be_looked_into,
        ),
        test(
            "without_privilege_it_says_what_to_do",
            namespaces::without_privilege_it_says_what_to_do,
        ),
        test(
            "counters_are_those_of_the_kernel",
            prometheus::counters_are_those_of_the_kernel,
        ),
        test(
            "connections_are_told_by_listener_only",
            prometheus::connections_are_told_by_listener_only,
        ),
        test(
            "a_namespace_is_served_to_another",
            prometheus::a_namespace_is_served_to_another,
        ),
        test("what_is_not_there_is_said", prometheus::what_is_not_there_is_said),
        test(
            "a_request_that_is_too_long_is_answered",
            prometheus::a_request_that_is_too_long_is_answered,
        ),
        test(
            "whoever_asks_for_nothing_keeps_nobody_out",
            prometheus::whoever_asks_for_nothing_keeps_nobody_out,
        ),
        test(
            "without_descriptors_it_goes_on",
            prometheus::without_descriptors_it_goes_on,
        ),
        test(
            "a_connection_is_kept_for_the_next_scrape",
            prometheus::a_connection_is_kept_for_the_next_scrape,
        ),
        test(
            "an_address_that_is_taken_is_told",
            prometheus::an_address_that_is_taken_is_told,
        ),
        test(
            "it_fills_the_screen_and_leaves_it_as_it_was",
            screen::it_fills_the_screen_and_leaves_it_as_it_was,
        ),
        test(
            "it_is_drawn_anew_when_the_size_changes",
            screen::it_is_drawn_anew_when_the_size_changes,
        ),
        test("keys_do_what_they_say", screen::keys_do_what_they_say),
        test(
            "nothing_is_coloured_where_nothing_should_be",
            screen::nothing_is_coloured_where_nothing_should_be,
        ),
    ])
}
