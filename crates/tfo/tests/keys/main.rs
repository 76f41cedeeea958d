//! `tfo keys` as it is run, on hosts of a lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

use std::process::ExitCode;

use fastopen_lab::testing::{self, test};

mod alerts;
mod by_hand;
mod clock;
mod daemon_set;
mod farm;
mod listeners;
mod redeploy;
mod rotate;
mod secrecy;
mod stopped;
mod store;
mod support;
mod verify;

fn main() -> ExitCode {
    testing::main([
        test(
            "generated_keys_and_secrets_are_taken",
            by_hand::generated_keys_and_secrets_are_taken,
        ),
        test(
            "what_is_set_is_what_the_kernel_has",
            by_hand::what_is_set_is_what_the_kernel_has,
        ),
        test(
            "what_is_no_key_changes_nothing",
            by_hand::what_is_no_key_changes_nothing,
        ),
        test(
            "keys_are_derived_as_tofurkey_does",
            by_hand::keys_are_derived_as_tofurkey_does,
        ),
        test(
            "a_pipe_is_read_if_it_has_a_writer",
            by_hand::a_pipe_is_read_if_it_has_a_writer,
        ),
        test(
            "fingerprints_tell_keys_apart",
            by_hand::fingerprints_tell_keys_apart,
        ),
        test(
            "without_privilege_it_says_what_it_takes",
            by_hand::without_privilege_it_says_what_it_takes,
        ),
        test(
            "once_sets_the_keys_of_this_time",
            rotate::once_sets_the_keys_of_this_time,
        ),
        test(
            "keys_change_on_the_schedule_and_are_kept",
            rotate::keys_change_on_the_schedule_and_are_kept,
        ),
        test(
            "a_secret_that_is_gone_or_wrong_leaves_the_keys",
            rotate::a_secret_that_is_gone_or_wrong_leaves_the_keys,
        ),
        test(
            "namespaces_that_come_get_the_keys",
            rotate::namespaces_that_come_get_the_keys,
        ),
        test("the_service_manager_is_told", rotate::the_service_manager_is_told),
        test(
            "a_farm_that_rotates_refuses_no_cookie",
            farm::a_farm_that_rotates_refuses_no_cookie,
        ),
        test(
            "servers_are_told_by_their_cookies",
            verify::servers_are_told_by_their_cookies,
        ),
        test(
            "members_that_disagree_are_found_without_the_secret",
            verify::members_that_disagree_are_found_without_the_secret,
        ),
        test(
            "verdicts_are_written_for_prometheus",
            verify::verdicts_are_written_for_prometheus,
        ),
        test(
            "a_farm_whose_clocks_differ_refuses_no_cookie",
            farm::a_farm_whose_clocks_differ_refuses_no_cookie,
        ),
        test(
            "a_member_that_stopped_is_found",
            stopped::a_member_that_stopped_is_found,
        ),
        test(
            "a_cookie_outlives_the_container",
            redeploy::a_cookie_outlives_the_container,
        ),
        test(
            "a_listener_s_own_keys_are_set_and_shown",
            listeners::a_listener_s_own_keys_are_set_and_shown,
        ),
        test(
            "own_keys_follow_the_schedule_when_they_are_to",
            listeners::own_keys_follow_the_schedule_when_they_are_to,
        ),
        test(
            "keys_follow_a_clock_that_jumps_once_it_is_set",
            clock::keys_follow_a_clock_that_jumps_once_it_is_set,
        ),
        test("a_secret_in_etcd", store::a_secret_in_etcd),
        test(
            "a_command_that_hangs_holds_nothing_up",
            store::a_command_that_hangs_holds_nothing_up,
        ),
        test(
            "a_mounted_secret_that_is_swapped_is_noticed",
            store::a_mounted_secret_that_is_swapped_is_noticed,
        ),
        test(
            "a_secret_that_is_half_written_changes_nothing",
            store::a_secret_that_is_half_written_changes_nothing,
        ),
        test(
            "the_secret_is_replaced_without_losing_a_cookie",
            store::the_secret_is_replaced_without_losing_a_cookie,
        ),
        test("no_core_file_is_written", secrecy::no_core_file_is_written),
        test(
            "nothing_is_printed_logged_or_in_the_arguments",
            secrecy::nothing_is_printed_logged_or_in_the_arguments,
        ),
        test(
            "addresses_are_not_compared_without_the_secret",
            verify::addresses_are_not_compared_without_the_secret,
        ),
        test(
            "addresses_that_rotate_together_are_told_from_others",
            verify::addresses_that_rotate_together_are_told_from_others,
        ),
        test(
            "rules_are_sound_and_pass_their_tests",
            alerts::rules_are_sound_and_pass_their_tests,
        ),
        test(
            "every_alert_is_tested_and_its_runbook_names_a_command",
            alerts::every_alert_is_tested_and_its_runbook_names_a_command,
        ),
        test(
            "a_pod_s_capabilities_are_enough",
            daemon_set::a_pod_s_capabilities_are_enough,
        ),
        test(
            "the_secret_is_wiped_from_memory",
            secrecy::the_secret_is_wiped_from_memory,
        ),
    ])
}
