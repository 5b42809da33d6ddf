//! Scenarios 42 to 54: transactions. Each kind of cluster runs those that it can; see `one_node`, `older` and
//! `first_protocol`.

mod calls;
mod epochs;
mod group;
pub mod run;
mod versions;

use std::time::Duration;

use kprod::error::{Class, ErrorCode};
use kprod::producer::{GroupMetadata, GroupOffset, Offsets, Producer, Timeout};

use crate::bed::{Bed, LONG, all_ok, record_at};
use crate::detour::Detour;
use crate::pool::{Kind, Lease, shared};
use crate::support::consumer::Isolation;
use crate::support::wait_for;

pub use calls::*;
pub use epochs::*;
pub use group::*;
pub use versions::*;

pub const WAIT: Timeout = Timeout::After(LONG);

/// A topic and the transactional ids of one test on one cluster.
struct Stage {
    cluster: Lease,
    topic: String,
    id: String,
}

impl Stage {
    fn new(kind: Kind, name: &str) -> Stage {
        let cluster = shared(kind);
        let topic = format!("transactions-{name}");
        cluster.create_topic(&topic, 2, &[]);
        Stage {
            cluster,
            id: topic.clone(),
            topic,
        }
    }

    fn bed(&self) -> Bed {
        let settings = [("transactional.id", &*self.id), ("linger.ms", "5")];
        Bed::new(&self.cluster.bootstrap(), &settings)
    }

    fn send(&self, bed: &Bed, tags: std::ops::Range<u64>) {
        self.try_send(bed, tags).expect("sends are accepted");
    }

    fn try_send(&self, bed: &Bed, tags: std::ops::Range<u64>) -> Result<(), ErrorCode> {
        for tag in tags {
            let (partition, value) = ((tag % 2) as i32, tag.to_string());
            let record = record_at(&self.topic, partition, value.as_bytes(), tag);
            bed.producer.send(&record)?;
        }
        Ok(())
    }

    fn read(&self, isolation: Isolation) -> Vec<u64> {
        let read = self.cluster.consumer(isolation).read_all(&self.topic);
        let tag = |value: Option<&[u8]>| {
            let text = std::str::from_utf8(value.expect("a value")).expect("digits");
            text.parse().expect("a number")
        };
        let mut tags: Vec<u64> = read.iter().map(|r| tag(r.value.as_deref())).collect();
        tags.sort_unstable();
        tags
    }

    /// What read-committed consumers see, once markers are written everywhere.
    #[track_caller]
    fn expect_committed(&self, expected: &[u64]) {
        let mut last = Vec::new();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("the committed records", Duration::from_secs(20), || {
                last = self.read(Isolation::ReadCommitted);
                (last == expected).then_some(())
            })
        }));
        assert!(seen.is_ok(), "{last:?} instead of {expected:?}");
    }
}

pub fn begin(producer: &Producer) {
    producer.begin_transaction(WAIT).expect("begun");
}

pub fn commit(producer: &Producer) {
    producer.commit_transaction(WAIT).expect("committed");
}

pub fn abort(producer: &Producer) {
    producer.abort_transaction(WAIT).expect("aborted");
}

fn range(tags: std::ops::Range<u64>) -> Vec<u64> {
    tags.collect()
}

/// Scenarios 42, 43 and 44.
pub fn commit_abort_and_nothing(kind: Kind) {
    let stage = Stage::new(kind, "42");
    let bed = stage.bed();
    begin(&bed.producer);
    stage.send(&bed, 0..100);
    bed.flush();
    all_ok(&bed.reports(100));
    assert_eq!(stage.read(Isolation::ReadCommitted), range(0..0));
    assert_eq!(stage.read(Isolation::ReadUncommitted), range(0..100));
    commit(&bed.producer);
    stage.expect_committed(&range(0..100));
    begin(&bed.producer);
    stage.send(&bed, 100..200);
    bed.flush();
    abort(&bed.producer);
    for _ in 0..50 {
        begin(&bed.producer);
        commit(&bed.producer);
    }
    begin(&bed.producer);
    stage.send(&bed, 200..300);
    commit(&bed.producer);
    let expected = [range(0..100), range(200..300)].concat();
    stage.expect_committed(&expected);
    assert!(bed.producer.fatal_error().is_none());
}

/// Many transactions one behind the other: the next meets the markers of the last.
pub fn one_behind_the_other(kind: Kind) {
    let stage = Stage::new(kind, "rows");
    let bed = stage.bed();
    let mut expected = Vec::new();
    for round in 0..40u64 {
        begin(&bed.producer);
        let tags = round * 10..round * 10 + 10;
        stage.send(&bed, tags.clone());
        match round % 4 {
            3 => abort(&bed.producer),
            _ => {
                commit(&bed.producer);
                expected.extend(tags);
            }
        }
    }
    stage.expect_committed(&expected);
}

/// Scenarios 45 and 46.
pub fn a_newer_instance_fences(kind: Kind) {
    let stage = Stage::new(kind, "45");
    let old = stage.bed();
    begin(&old.producer);
    stage.send(&old, 0..10);
    old.flush();
    let new = stage.bed();
    begin(&new.producer);
    stage.send(&new, 10..20);
    commit(&new.producer);
    let error = old.producer.commit_transaction(WAIT).expect_err("fenced");
    assert_eq!(error.class, Class::Fatal, "{error:?}");
    let again = old.producer.abort_transaction(WAIT).expect_err("fenced");
    assert_eq!(again.class, Class::Fatal, "{again:?}");
    old.producer.close(WAIT).expect("closed");
    stage.expect_committed(&range(10..20));
}

fn offsets(stage: &Stage, group: &str, generation: i32, member: &str) -> Offsets {
    Offsets {
        group: GroupMetadata {
            group_id: group.into(),
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: None,
        },
        offsets: vec![GroupOffset {
            topic: stage.topic.clone(),
            partition: 0,
            offset: 5,
            leader_epoch: -1,
            metadata: Some("by a test".into()),
        }],
    }
}

/// Scenarios 47 and 48 as far as one producer shows them: offsets go with the transaction, a member that the group
/// does not have is refused, and the producer goes on.
pub fn offsets_go_with_the_transaction(kind: Kind) {
    let stage = Stage::new(kind, "48");
    let bed = stage.bed();
    begin(&bed.producer);
    stage.send(&bed, 0..10);
    let sent = bed
        .producer
        .send_offsets_to_transaction(offsets(&stage, "group-48", -1, ""), WAIT);
    sent.expect("accepted");
    commit(&bed.producer);
    begin(&bed.producer);
    stage.send(&bed, 10..20);
    let stale = bed
        .producer
        .send_offsets_to_transaction(offsets(&stage, "group-48", 7, "nobody"), WAIT);
    let error = stale.expect_err("no such member");
    assert_eq!(error.class, Class::Abortable, "{error:?}");
    let refused = bed.producer.commit_transaction(WAIT).expect_err("doomed");
    assert_eq!(refused.class, Class::Abortable, "{refused:?}");
    abort(&bed.producer);
    begin(&bed.producer);
    stage.send(&bed, 20..30);
    commit(&bed.producer);
    stage.expect_committed(&[range(0..10), range(20..30)].concat());
}

/// Scenarios 51 and 33: answers to everything are lost, those to EndTxn among them.
pub fn answers_are_lost(kind: Kind) {
    let stage = Stage::new(kind, "51");
    let detour = Detour::before(&stage.cluster, &[1]);
    let settings = [
        ("transactional.id", &*stage.id),
        ("request.timeout.ms", "1000"),
        ("linger.ms", "5"),
    ];
    let bed = Bed::through(detour.clone(), &stage.cluster.bootstrap(), &settings);
    let proxy = detour.proxy(stage.cluster.address(1));
    let mut expected = Vec::new();
    for round in 0..6u64 {
        let tags = round * 20..round * 20 + 20;
        begin(&bed.producer);
        stage.send(&bed, tags.clone());
        if round % 2 == 0 {
            bed.flush();
        }
        let before = proxy.request_bytes();
        proxy.drop_answers();
        std::thread::scope(|scope| {
            let commits = scope.spawn(|| commit(&bed.producer));
            wait_for("a request that is not answered", LONG, || {
                (proxy.request_bytes() > before).then_some(())
            });
            proxy.cut();
            proxy.heal();
            commits.join().expect("committed");
        });
        expected.extend(tags);
    }
    stage.expect_committed(&expected);
    let all = stage.read(Isolation::ReadUncommitted);
    assert_eq!(all, expected, "nothing is there twice");
}

/// Scenario 49, and a limit of the broker's.
pub fn a_transaction_beyond_its_time_is_over(kind: Kind) {
    let stage = Stage::new(kind, "49");
    let settings = [
        ("transactional.id", &*stage.id),
        ("transaction.timeout.ms", "1000"),
    ];
    let bed = Bed::new(&stage.cluster.bootstrap(), &settings);
    begin(&bed.producer);
    stage.send(&bed, 0..10);
    bed.flush();
    // The coordinator looks every ten seconds; a second instance sees the end of it.
    wait_for("the coordinator to abort", LONG, || {
        let read = stage.cluster.admin().offsets(&stage.topic);
        let end: i64 = read.iter().map(|of| of.end).sum();
        (end > 10).then_some(())
    });
    let error = bed.producer.commit_transaction(WAIT).expect_err("too late");
    assert_ne!(error.class, Class::Retriable, "{error:?}");
    let next = stage.bed();
    begin(&next.producer);
    stage.send(&next, 10..20);
    commit(&next.producer);
    stage.expect_committed(&range(10..20));

    let greedy = [
        ("transactional.id", "greedy"),
        ("transaction.timeout.ms", "2000000000"),
    ];
    let greedy = Bed::new(&stage.cluster.bootstrap(), &greedy);
    let error = greedy.producer.start(WAIT).expect_err("beyond the limit");
    assert_eq!(error.code, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
}

/// Scenario 54.
pub fn a_failed_record_dooms_the_transaction(kind: Kind) {
    let stage = Stage::new(kind, "54");
    let limited = format!("{}-small", stage.topic);
    let limit = [("max.message.bytes", "1000")];
    stage.cluster.create_topic(&limited, 1, &limit);
    let bed = stage.bed();
    begin(&bed.producer);
    stage.send(&bed, 0..10);
    bed.flush();
    all_ok(&bed.reports(10));
    bed.send(&record_at(&limited, 0, &[7; 5000], 99));
    let report = bed.reports(1)[0];
    assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
    let error = bed.producer.commit_transaction(WAIT).expect_err("doomed");
    assert_eq!(
        (error.code, error.class),
        (ErrorCode::MESSAGE_TOO_LARGE, Class::Abortable)
    );
    abort(&bed.producer);
    begin(&bed.producer);
    stage.send(&bed, 10..20);
    commit(&bed.producer);
    stage.expect_committed(&range(10..20));
}
