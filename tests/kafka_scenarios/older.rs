//! The send path and the codecs on older brokers: 3.9.1 (KRaft) and 2.8.2 (ZooKeeper).

use crate::bed::{Bed, ok, record};
use crate::one_node::codecs::every_codec_is_read;
use crate::one_node::sending::{
    a_record_arrives_as_it_was_sent, records_of_many_threads_arrive_once_and_in_order,
};
use crate::one_node::timestamps::log_append_time_is_the_brokers;
use crate::pool::{Kind, shared};
use crate::support::consumer::Isolation;
use crate::support::kafka::KafkaCluster;

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
