//! Idempotent producers on one node of the newest Kafka.

use crate::idempotence::*;
use crate::pool::Kind::OneNode;

on! { OneNode =>
    scenario_29_a_long_cut_costs_nothing: a_long_cut_costs_nothing,
    scenario_29_what_is_late_fails_and_what_follows_is_delivered: what_is_late_fails_and_what_follows_is_delivered,
    scenario_38_a_forgotten_producer_goes_on: a_forgotten_producer_goes_on,
    scenario_39_sequences_go_on_at_0_behind_the_largest: sequences_go_on_at_0_behind_the_largest,
    scenario_56_a_topic_is_made_again_under_load: a_topic_is_made_again_under_load,
}
