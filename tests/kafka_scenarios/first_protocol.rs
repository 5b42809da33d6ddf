//! Transactions on Kafka 4.3.1 where the feature `transaction.version` is 0: new brokers, the protocol of old ones.

use crate::pool::Kind::FirstProtocol;
use crate::transactions::*;

on! { FirstProtocol =>
    scenario_42_commit_abort_and_nothing: commit_abort_and_nothing,
    scenario_45_a_newer_instance_fences: a_newer_instance_fences,
    scenario_47_members_come_go_and_die: members_come_go_and_die,
    scenario_48_offsets_go_with_the_transaction: offsets_go_with_the_transaction,
    scenario_51_answers_are_lost: answers_are_lost,
    scenario_52_calls_out_of_time_go_on: calls_out_of_time_go_on,
    scenario_53_the_protocol_changes: the_protocol_changes_while_transactions_are_made,
    scenario_54_a_failed_record_dooms_the_transaction: a_failed_record_dooms_the_transaction,
    scenario_55_a_forbidden_id_is_fatal: a_forbidden_id_is_fatal,
    scenario_55_what_is_forbidden_dooms_the_transaction: what_is_forbidden_dooms_the_transaction,
    transactions_one_behind_the_other: one_behind_the_other,
}
