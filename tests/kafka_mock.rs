//! The mock cluster judges producers with the codes of real Apache Kafka: the same requests are sent to both.

mod support;

use std::time::Duration;

use kprod::mock::{ClusterConfig, KafkaVersion, MockServer};
use kprod::protocol::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use kprod::protocol::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use kprod::protocol::end_txn::{EndTxnRequest, EndTxnResponse};
use kprod::protocol::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use kprod::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use kprod::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use kprod::protocol::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use kprod::protocol::txn_offset_commit::{
    TxnOffsetCommitPartition, TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitTopic,
};
use kprod::protocol::{Message, Uuid};
use support::kafka::{KafkaCluster, Options, Version};
use support::peer::{Peer, batch, produce};
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(60);
const TOPIC: &str = "judged";
/// Codes that mean "later", and so tell nothing of what is compared.
const LATER: [i16; 5] = [6, 14, 15, 16, 51];

/// A connection to the only broker of a cluster, and what it answered.
struct Judge {
    peer: Peer,
    transcript: Vec<String>,
}

/// A producer with a transactional id.
#[derive(Clone)]
struct Producer {
    name: String,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Judge {
    fn new(bootstrap: &str) -> Judge {
        Judge {
            peer: Peer::connect(bootstrap),
            transcript: Vec::new(),
        }
    }

    fn ask<Q: Message, A: Message>(&mut self, version: i16, request: &Q) -> A {
        self.peer.ask(version, request)
    }

    /// Asks until the answer is not "later".
    fn settle<A>(&mut self, code: fn(&A) -> i16, mut ask: impl FnMut(&mut Judge) -> A) -> A {
        wait_for("an answer", LIMIT, || {
            Some(ask(self)).filter(|answer| !LATER.contains(&code(answer)))
        })
    }

    fn note(&mut self, what: &str, answer: impl std::fmt::Display) {
        self.transcript.push(format!("{what}: {answer}"));
    }

    fn find(&mut self, key: &str, kind: i8) {
        let request = FindCoordinatorRequest {
            key_type: kind,
            keys: vec![key.into()],
        };
        let code = |answer: &FindCoordinatorResponse| answer.coordinators[0].error_code;
        let found = self.settle(code, |judge| judge.ask(2, &request));
        assert_eq!(code(&found), 0);
    }

    fn init(&mut self, version: i16, name: &str, expected: (i64, i16)) -> InitProducerIdResponse {
        let request = InitProducerIdRequest {
            transactional_id: Some(name.into()),
            transaction_timeout_ms: 60_000,
            producer_id: expected.0,
            producer_epoch: expected.1,
        };
        self.settle(
            |a: &InitProducerIdResponse| a.error_code,
            |judge| judge.ask(version, &request),
        )
    }

    fn begin(&mut self, name: &str) -> Producer {
        self.find(name, 1);
        let begun = self.init(1, name, (-1, -1));
        self.note("begin", begun.error_code);
        Producer {
            name: name.into(),
            id: begun.producer_id,
            epoch: begun.producer_epoch,
            sequence: 0,
        }
    }

    fn add(&mut self, version: i16, of: &Producer, partitions: &[i32]) {
        let request = AddPartitionsToTxnRequest {
            transactional_id: of.name.clone(),
            producer_id: of.id,
            producer_epoch: of.epoch,
            topics: vec![AddPartitionsToTxnTopic {
                name: TOPIC.into(),
                partitions: partitions.to_vec(),
            }],
        };
        let code = |a: &AddPartitionsToTxnResponse| a.topics[0].partitions[0].error_code;
        let answer = self.settle(code, |judge| judge.ask(version, &request));
        let mut codes: Vec<(i32, i16)> = answer.topics[0]
            .partitions
            .iter()
            .map(|p| (p.partition_index, p.error_code))
            .collect();
        codes.sort_unstable();
        self.note(
            &format!("AddPartitionsToTxn v{version}"),
            format!("{codes:?}"),
        );
    }

    fn add_group(&mut self, version: i16, of: &Producer, group: &str) {
        let request = AddOffsetsToTxnRequest {
            transactional_id: of.name.clone(),
            producer_id: of.id,
            producer_epoch: of.epoch,
            group_id: group.into(),
        };
        let code = |a: &AddOffsetsToTxnResponse| a.error_code;
        let answer = self.settle(code, |judge| judge.ask(version, &request));
        self.note(&format!("AddOffsetsToTxn v{version}"), code(&answer));
    }

    /// Sends a record in the producer's next sequence, in a transaction or not; the sequence moves on with success.
    fn produce(&mut self, version: i16, of: &mut Producer, partition: i32, transactional: bool) {
        let records = batch(of.id, of.epoch, of.sequence, 1, transactional);
        let name = transactional.then(|| of.name.clone());
        let request = produce(TOPIC, partition, records, name);
        let code = |a: &ProduceResponse| a.topics[0].partitions[0].error_code;
        let answer: ProduceResponse = self.settle(code, |judge| judge.ask(version, &request));
        let answer = &answer.topics[0].partitions[0];
        // After the largest comes 0.
        let moved = i32::from(answer.error_code == 0);
        of.sequence = of.sequence.wrapping_add(moved) & i32::MAX;
        let said = (
            answer.error_code,
            answer.base_offset,
            answer.log_append_time_ms,
            answer.log_start_offset,
        );
        self.note(&format!("Produce v{version}"), format!("{said:?}"));
    }

    fn commit_offset(
        &mut self,
        version: i16,
        of: &Producer,
        group: &str,
        generation: i32,
        member: &str,
    ) {
        let request = TxnOffsetCommitRequest {
            transactional_id: of.name.clone(),
            group_id: group.into(),
            producer_id: of.id,
            producer_epoch: of.epoch,
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: None,
            topics: vec![TxnOffsetCommitTopic {
                name: TOPIC.into(),
                partitions: vec![TxnOffsetCommitPartition {
                    committed_offset: 1,
                    ..TxnOffsetCommitPartition::default()
                }],
            }],
        };
        let code = |a: &TxnOffsetCommitResponse| a.topics[0].partitions[0].error_code;
        let answer = self.settle(code, |judge| judge.ask(version, &request));
        self.note(&format!("TxnOffsetCommit v{version}"), code(&answer));
    }

    /// Ends the transaction and notes what the answer makes of id and epoch.
    fn end(&mut self, version: i16, of: &Producer, committed: bool) -> EndTxnResponse {
        let request = EndTxnRequest {
            transactional_id: of.name.clone(),
            producer_id: of.id,
            producer_epoch: of.epoch,
            committed,
        };
        let code = |a: &EndTxnResponse| a.error_code;
        let answer = self.settle(code, |judge| judge.ask(version, &request));
        let epoch = answer.producer_epoch;
        let id = if answer.producer_id == of.id {
            "same"
        } else {
            "other"
        };
        self.note(
            &format!("EndTxn v{version}"),
            format!("{} {id} id, epoch {epoch}", code(&answer)),
        );
        answer
    }

    /// The end of a partition for those that read uncommitted and committed records.
    fn ends(&mut self, partition: i32) -> [i64; 2] {
        [0, 1].map(|isolation_level| {
            let request = ListOffsetsRequest {
                isolation_level,
                topics: vec![ListOffsetsTopic {
                    name: TOPIC.into(),
                    partitions: vec![ListOffsetsPartition {
                        partition_index: partition,
                        ..ListOffsetsPartition::default()
                    }],
                }],
                ..ListOffsetsRequest::default()
            };
            let answer: ListOffsetsResponse = self.ask(5, &request);
            answer.topics[0].partitions[0].offset
        })
    }

    /// Waits for the marker that comes after the answer of EndTxn, when the partition ended at `before`.
    fn await_marker(&mut self, partition: i32, before: i64) {
        let end = wait_for("the markers", LIMIT, || {
            let [end, stable] = self.ends(partition);
            (end == stable && end > before).then_some(end)
        });
        self.note("decided up to", end);
    }
}

/// Sequences of a producer without transactions.
fn sequences(judge: &mut Judge, version: i16) {
    let request = InitProducerIdRequest::default();
    let code = |a: &InitProducerIdResponse| a.error_code;
    let given = judge.settle(code, |judge| judge.ask(1, &request));
    judge.note("id", code(&given));
    let mut p = Producer {
        name: String::new(),
        id: given.producer_id,
        epoch: given.producer_epoch,
        sequence: i32::MAX - 1,
    };
    judge.produce(version, &mut p, 0, false);
    judge.produce(version, &mut p, 0, false);
    assert_eq!(p.sequence, 0);
    for _ in 0..6 {
        judge.produce(version, &mut p, 0, false);
    }
    for sequence in [i32::MAX, 0, 1, 5, 6, 9] {
        let mut again = Producer {
            sequence,
            ..p.clone()
        };
        judge.produce(version, &mut again, 0, false);
    }
    p.epoch = 1;
    p.sequence = 4;
    judge.produce(version, &mut p, 0, false);
    p.sequence = 0;
    judge.produce(version, &mut p, 0, false);
    p.epoch = 0;
    p.sequence = 7;
    judge.produce(version, &mut p, 0, false);
}

/// Transactions whose partitions are added before.
fn version_one(judge: &mut Judge, produce: i16, offsets: i16, end: i16) {
    let group = &format!("group-{produce}-{end}");
    judge.find(group, 0);
    let mut p = judge.begin(&format!("one-{produce}-{end}"));
    judge.end(end, &p, true);
    judge.end(end, &p, false);
    judge.produce(produce, &mut p, 1, true);
    judge.commit_offset(offsets, &p, group, -1, "");
    judge.add(end.min(3), &p, &[1, 77]);
    judge.add(end.min(3), &p, &[1]);
    judge.produce(produce, &mut p, 1, true);
    judge.produce(produce, &mut p, 1, false);
    judge.produce(produce, &mut p, 1, true);
    judge.add_group(end.min(3), &p, group);
    judge.commit_offset(offsets, &p, group, -1, "");
    if offsets >= 3 {
        judge.commit_offset(offsets, &p, group, 4, "m");
    }
    let [from, _] = judge.ends(1);
    judge.end(end, &p, true);
    judge.await_marker(1, from);
    judge.end(end, &p, true);
    judge.end(end, &p, false);
    judge.produce(produce, &mut p, 1, true);

    judge.add(end.min(3), &p, &[1]);
    judge.produce(produce, &mut p, 1, true);
    let [from, _] = judge.ends(1);
    let again = judge.init(1, &p.name, (-1, -1));
    judge.note("after a fence", again.producer_epoch - p.epoch);
    judge.await_marker(1, from);
    judge.end(end, &p, true);
    judge.add(end.min(3), &p, &[1]);
    judge.add_group(end.min(3), &p, group);
    judge.produce(produce, &mut p, 1, true);
    judge.commit_offset(offsets, &p, group, -1, "");
    p.id += 1_000_000;
    judge.end(end, &p, true);
    judge.add(end.min(3), &p, &[1]);
    judge.produce(produce, &mut p, 1, true);
    judge.commit_offset(offsets, &p, group, -1, "");
}

/// Transactions in which brokers add what is written to.
fn version_two(judge: &mut Judge) {
    judge.find("two", 0);
    let mut p = judge.begin("two");
    judge.end(5, &p, true);
    judge.produce(12, &mut p, 2, true);
    judge.commit_offset(5, &p, "two", -1, "");
    judge.commit_offset(5, &p, "two", 4, "m");
    let [from, _] = judge.ends(2);
    let ended = judge.end(5, &p, true);
    judge.await_marker(2, from);
    judge.end(5, &p, true);
    judge.end(5, &p, false);
    judge.produce(12, &mut p, 2, true);
    (p.epoch, p.sequence) = (ended.producer_epoch, 3);
    judge.produce(12, &mut p, 2, true);
    p.sequence = 0;
    judge.produce(12, &mut p, 2, true);
    let [from, _] = judge.ends(2);
    let ended = judge.end(5, &p, false);
    judge.await_marker(2, from);
    judge.end(5, &p, false);
    judge.end(5, &p, true);
    (p.epoch, p.sequence) = (ended.producer_epoch, 0);
    judge.end(5, &p, true);
    let ended = judge.end(5, &p, false);
    judge.end(5, &p, false);
    p.epoch = ended.producer_epoch;
    let bumped = judge.init(4, "two", (p.id, p.epoch));
    judge.note("bumped", bumped.error_code);
    let again = judge.init(4, "two", (p.id, p.epoch));
    judge.note("bumped again", again.producer_epoch - bumped.producer_epoch);
    let next = judge.init(4, "two", (-1, -1));
    judge.note("next", next.producer_epoch - bumped.producer_epoch);
    for version in [3, 4] {
        let fenced = judge.init(version, "two", (p.id, p.epoch));
        judge.note("fenced", fenced.error_code);
    }
    judge.produce(12, &mut p, 2, true);
    judge.commit_offset(5, &p, "two", -1, "");
    judge.end(5, &p, true);
    judge.produce(12, &mut p, 2, false);
}

/// Requests that no state makes right.
fn refusals(judge: &mut Judge, produce: i16) {
    let mut p = judge.begin("refused");
    for (name, timeout, id, epoch) in [
        ("refused", 900_001, -1, -1),
        ("refused", 0, -1, -1),
        ("refused", -1, -1, -1),
        ("", 1000, -1, -1),
        ("refused", 1000, p.id, -1),
        ("refused", 1000, -1, 0),
        ("refused", 1000, p.id + 500, 0),
    ] {
        let request = InitProducerIdRequest {
            transactional_id: Some(name.into()),
            transaction_timeout_ms: timeout,
            producer_id: id,
            producer_epoch: epoch,
        };
        let code = |a: &InitProducerIdResponse| a.error_code;
        let answer = judge.settle(code, |judge| judge.ask(4, &request));
        judge.note("InitProducerId", code(&answer));
    }
    for name in ["", "unknown"] {
        let other = Producer {
            name: name.into(),
            ..p.clone()
        };
        judge.add(3, &other, &[3]);
        judge.end(3, &other, true);
        judge.add_group(3, &other, "refused");
    }
    judge.find("refused", 0);
    judge.add(3, &p, &[3]);
    judge.add_group(3, &p, "refused");
    judge.commit_offset(3, &p, "", -1, "");
    judge.commit_offset(3, &p, "refused", -1, "m");
    judge.commit_offset(3, &p, "refused", 0, "m");
    judge.produce(produce, &mut p, 99, true);
    p.epoch += 1;
    judge.produce(produce, &mut p, 3, true);
    p.epoch -= 1;
    judge.produce(produce, &mut p, 3, true);
    // What was fenced is a matter of the log from now on.
    let again = judge.init(4, "refused", (-1, -1));
    judge.note("again", again.producer_epoch - p.epoch);
    judge.produce(produce, &mut p, 3, true);
    judge.produce(produce, &mut p, 3, false);
    judge.commit_offset(3, &p, "refused", -1, "");
    judge.end(3, &p, false);
    let by_nobody = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 1000,
        topics: vec![TopicProduceData {
            name: TOPIC.into(),
            topic_id: Uuid::ZERO,
            partitions: vec![PartitionProduceData {
                index: 3,
                records: Some(batch(p.id, p.epoch, p.sequence, 1, true)),
            }],
        }],
    };
    let answer: ProduceResponse = judge.ask(produce, &by_nobody);
    judge.note("no id", answer.topics[0].partitions[0].error_code);
}

/// Plays a script with a real cluster and with the mock, and holds their answers against each other.
fn compare(version: Version, mock: KafkaVersion, script: fn(&mut Judge)) {
    let cluster = KafkaCluster::start(version, 1, Options::default());
    cluster.create_topic(TOPIC, 4, &[]);
    let mut real = Judge::new(&cluster.bootstrap());
    script(&mut real);
    let server = MockServer::start(ClusterConfig {
        version: mock,
        ..ClusterConfig::default()
    })
    .expect("it starts");
    server.handle().create_topic(TOPIC, 4);
    let mut imitated = Judge::new(&server.bootstrap());
    script(&mut imitated);
    let both = real.transcript.iter().zip(&imitated.transcript).enumerate();
    let differ: Vec<_> = both.filter(|(_, (real, mock))| real != mock).collect();
    assert!(differ.is_empty(), "step, Kafka, mock: {differ:#?}");
    assert_eq!(real.transcript.len(), imitated.transcript.len());
}

#[test]
fn kafka_4_3() {
    compare(Version::V4_3_1, KafkaVersion::V4_3, |judge| {
        sequences(judge, 11);
        version_one(judge, 9, 3, 1);
        version_one(judge, 11, 4, 4);
        version_two(judge);
        refusals(judge, 11);
    });
}

#[test]
fn kafka_3_9() {
    compare(Version::V3_9_1, KafkaVersion::V3_9, |judge| {
        sequences(judge, 11);
        version_one(judge, 10, 3, 1);
        version_one(judge, 11, 4, 4);
        refusals(judge, 11);
    });
}

#[test]
fn kafka_2_8() {
    compare(Version::V2_8_2, KafkaVersion::V2_8, |judge| {
        sequences(judge, 9);
        version_one(judge, 9, 3, 3);
        refusals(judge, 9);
    });
}
