//! Transactions with the protocol of Kafka 4.

use crate::pool::Kind::OneNode;
use crate::transactions::*;

on! { OneNode =>
    scenario_40_epochs_that_are_used_up: epochs_that_are_used_up_bring_another_id,
    scenario_42_commit_abort_and_nothing: commit_abort_and_nothing,
    scenario_45_a_newer_instance_fences: a_newer_instance_fences,
    scenario_47_members_come_go_and_die: members_come_go_and_die,
    scenario_47_members_of_the_new_protocol_come_go_and_die: members_of_the_new_protocol,
    scenario_48_offsets_go_with_the_transaction: offsets_go_with_the_transaction,
    scenario_49_a_transaction_beyond_its_time_is_over: a_transaction_beyond_its_time_is_over,
    scenario_51_answers_are_lost: answers_are_lost,
    scenario_52_calls_out_of_time_go_on: calls_out_of_time_go_on,
    scenario_54_a_failed_record_dooms_the_transaction: a_failed_record_dooms_the_transaction,
    scenario_55_a_forbidden_id_is_fatal: a_forbidden_id_is_fatal,
    scenario_55_what_is_forbidden_dooms_the_transaction: what_is_forbidden_dooms_the_transaction,
    transactions_one_behind_the_other: one_behind_the_other,
}
