//! The send path, the codecs and transactions on older brokers: 3.9.1 (KRaft) and 2.8.2 (ZooKeeper).

use crate::bed::{Bed, ok, record};
use crate::idempotence::*;
use crate::one_node::codecs::every_codec_is_read;
use crate::one_node::sending::{
    a_record_arrives_as_it_was_sent, records_of_many_threads_arrive_once_and_in_order,
};
use crate::one_node::timestamps::log_append_time_is_the_brokers;
use crate::pool::{Kind, shared};
use crate::support::consumer::Isolation;
use crate::support::kafka::KafkaCluster;
use crate::transactions::*;

fn the_first_send_creates_the_topic(cluster: &KafkaCluster) {
    let topic = "scenario-03";
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    bed.send(&record(topic, b"first", 1));
    ok(&bed.reports(1)[0]);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
}

fn send_path(cluster: &KafkaCluster) {
    a_record_arrives_as_it_was_sent(cluster);
    records_of_many_threads_arrive_once_and_in_order(cluster, 2_500);
    the_first_send_creates_the_topic(cluster);
    log_append_time_is_the_brokers(cluster);
}

#[test]
fn kafka_2_8_codecs() {
    every_codec_is_read(&shared(Kind::Kafka2));
}

#[test]
fn kafka_2_8_send_path() {
    send_path(&shared(Kind::Kafka2));
}

#[test]
fn kafka_3_9_codecs() {
    every_codec_is_read(&shared(Kind::Kafka3));
}

#[test]
fn kafka_3_9_send_path() {
    send_path(&shared(Kind::Kafka3));
}

on! { Kind::Kafka2 =>
    kafka_2_8_scenario_29: a_long_cut_costs_nothing,
    kafka_2_8_scenario_39: sequences_go_on_at_0_behind_the_largest,
    kafka_2_8_scenario_42: commit_abort_and_nothing,
    kafka_2_8_scenario_52: calls_out_of_time_go_on,
}

on! { Kind::Kafka3 =>
    kafka_3_9_scenario_29: what_is_late_fails_and_what_follows_is_delivered,
    kafka_3_9_scenario_38: a_forgotten_producer_goes_on,
    kafka_3_9_scenario_39: sequences_go_on_at_0_behind_the_largest,
    kafka_3_9_scenario_56: a_topic_is_made_again_under_load,
    kafka_3_9_scenario_42: commit_abort_and_nothing,
    kafka_3_9_scenario_45: a_newer_instance_fences,
    kafka_3_9_scenario_48: offsets_go_with_the_transaction,
    kafka_3_9_scenario_51: answers_are_lost,
    kafka_3_9_scenario_52: calls_out_of_time_go_on,
    kafka_3_9_scenario_54: a_failed_record_dooms_the_transaction,
    kafka_3_9_transactions_one_behind_the_other: one_behind_the_other,
}
