//! Topics that are unknown, invalid, forbidden, or not there yet, as blocking callers see them.

use std::time::{Duration, Instant};

use kprod::completion::Persistence;
use kprod::error::ErrorCode;
use kprod::mock::{ClusterConfig, Fault, MockServer, TopicConfig};
use kprod::producer::{Callbacks, Record, Timeout, TopicRef};
use kprod::protocol::{ApiKey, VersionRange};

use crate::support::{Bed, LONG, ok, producer, record, reports, until};

const NO_CREATION: (&str, &str) = ("allow.auto.create.topics", "false");

#[test]
fn a_send_to_a_missing_topic_fails_within_max_block_with_the_clusters_word() {
    let bed = Bed::new(1, &[NO_CREATION, ("max.block.ms", "300")]);
    let began = Instant::now();
    let sent = bed.producer.send(&record("missing", b"v", 1));
    assert_eq!(sent, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(10));
    let counted = bed
        .producer
        .partitions_for(TopicRef::Name("missing"), Timeout::Configured)
        .unwrap_err();
    assert_eq!(counted.code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert!(counted.message.contains("missing"), "{}", counted.message);
    bed.settle();
    assert!(
        !bed.mock()
            .with(|cluster| cluster.topic_id("missing").is_some())
    );
}

#[test]
fn a_broker_that_does_not_create_topics_is_no_different() {
    let server = MockServer::start(ClusterConfig {
        auto_create_topics: false,
        ..ClusterConfig::default()
    })
    .unwrap();
    let producer = producer(&server, &[("max.block.ms", "300")], Callbacks::default());
    let sent = producer.send(&record("missing", b"v", 1));
    assert_eq!(sent, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn a_missing_topic_that_appears_in_time_is_sent_to() {
    let bed = Bed::new(1, &[NO_CREATION, ("retry.backoff.ms", "10")]);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| bed.producer.send(&record("late", b"12345678", 1)));
        bed.producer
            .try_send(&record("late", b"12345678", 2))
            .unwrap();
        bed.mock()
            .wait_for(LONG, |cluster| {
                let asked = cluster.requests().filter(|r| r.api == ApiKey::Metadata);
                (asked.count() >= 3).then_some(())
            })
            .unwrap();
        bed.mock().create_topic("late", 1);
        assert_eq!(blocked.join().unwrap(), Ok(()));
    });
    bed.reports(2).iter().for_each(ok);
}

#[test]
fn an_invalid_name_is_refused_at_once() {
    let bed = Bed::new(1, &[]);
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", &long] {
        let sent = bed.producer.send(&record(name, b"v", 1));
        assert_eq!(sent, Err(ErrorCode::INVALID_TOPIC_EXCEPTION), "{name:?}");
        let named = bed.producer.topic(name);
        assert_eq!(named, Err(ErrorCode::INVALID_TOPIC_EXCEPTION), "{name:?}");
    }
    let unknown = kprod::producer::Record {
        topic: TopicRef::Handle(77),
        ..record("", b"v", 1)
    };
    let sent = bed.producer.send(&unknown);
    assert_eq!(sent, Err(ErrorCode::UNKNOWN_TOPIC_HANDLE));
    assert!(bed.mock().requests(ApiKey::Metadata).is_empty());
}

#[test]
fn a_forbidden_topic_is_told_at_once_and_works_once_it_is_granted() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("secret", 1);
    let forbidden = Fault::on(ApiKey::Metadata)
        .topic("secret")
        .error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    bed.mock().inject(forbidden.forever());
    let began = Instant::now();
    for _ in 0..3 {
        let sent = bed.producer.send(&record("secret", b"v", 1));
        assert_eq!(sent, Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    }
    bed.producer.try_send(&record("secret", b"v", 2)).unwrap();
    let report = bed.report();
    assert_eq!(report.error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert_eq!(report.persistence(), Persistence::Not);
    let said = bed.detail(&report);
    assert!(said.contains("topic secret"), "{said}");
    let counted = bed
        .producer
        .partitions_for(TopicRef::Name("secret"), Timeout::Configured)
        .unwrap_err();
    assert_eq!(counted.code, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    assert!(counted.message.contains("secret"), "{}", counted.message);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "none of it waits"
    );
    bed.mock().clear_faults();
    bed.send("secret", 3);
    ok(&bed.report());
    bed.settle();
}

#[test]
fn a_topic_forbidden_while_in_use_fails_its_records_and_recovers() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 1);
    ok(&bed.report());
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .topic("t")
            .error(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
    );
    bed.send("t", 2);
    assert_eq!(bed.report().error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    bed.send("t", 3);
    ok(&bed.report());
}

#[test]
fn partitions_for_counts_and_its_twin_tells_the_same() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 5);
    let name = TopicRef::Name("t");
    bed.producer.partitions_for_async(name, 8).unwrap();
    let report = bed.report();
    assert_eq!((report.tag, report.count), (8, 5));
    ok(&report);
    let count = bed.producer.partitions_for(name, Timeout::Now);
    assert_eq!(count, Ok(5), "what is known needs no wait");
    let unheard = bed
        .producer
        .partitions_for(TopicRef::Name("unheard"), Timeout::Now);
    assert_eq!(unheard.unwrap_err().code, ErrorCode::TIMED_OUT);
}

#[test]
fn one_missing_topic_does_not_hold_up_others() {
    let bed = Bed::new(1, &[NO_CREATION]);
    bed.mock().create_topic("t", 1);
    bed.producer.try_send(&record("missing", b"v", 1)).unwrap();
    for tag in 10..20 {
        bed.send("t", tag);
    }
    let tags: Vec<u64> = bed.reports(10).iter().map(|report| report.tag).collect();
    assert_eq!(tags, (10..20).collect::<Vec<_>>());
    bed.producer.close(Timeout::Now).unwrap();
    assert_eq!(reports(&bed.producer, 1)[0].tag, 1);
}

/// Its partitions that are no more are no choice, neither for a partitioner nor for a caller.
#[test]
fn a_topic_made_anew_with_fewer_partitions_has_no_others() {
    for partitioner in ["default", "murmur2_random", "round_robin"] {
        let settings = [
            ("metadata.max.age.ms", "20"),
            ("partitioner", partitioner),
            ("linger.ms", "0"),
        ];
        let bed = Bed::new(2, &settings);
        bed.mock().create_topic("t", 4);
        let send = |tag: u64, key: Option<&'static [u8]>| {
            let sent = Record {
                key,
                ..record("t", b"v", tag)
            };
            bed.producer.send(&sent).unwrap();
            bed.report()
        };
        for tag in 0..8 {
            ok(&send(tag, None));
        }
        bed.mock().with(|cluster| {
            cluster.delete_topic("t");
            cluster.create_topic("t", &TopicConfig::new(1))
        });
        let count = || {
            bed.producer
                .partitions_for(TopicRef::Name("t"), Timeout::Configured)
        };
        until("the new topic is known", || count().unwrap() == 1);
        let keys: [&[u8]; 8] = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"];
        for (tag, key) in (8..).zip(keys) {
            ok(&send(tag, Some(key)));
            ok(&send(tag, None));
        }
        let beyond = Record {
            partition: Some(3),
            ..record("t", b"v", 0)
        };
        let refused = bed.producer.send(&beyond);
        assert_eq!(refused, Err(ErrorCode::UNKNOWN_PARTITION));
        // It may grow again, and all of it is used.
        bed.mock().with(|cluster| cluster.grow_topic("t", 6));
        until("the new partitions are known", || count().unwrap() == 6);
        ok(&{
            bed.producer.send(&beyond).unwrap();
            bed.report()
        });
    }
}

/// One that was asked for before the topic was made anew, and is as old.
#[test]
fn a_late_answer_does_not_bring_a_former_topic_back() {
    let bed = Bed::new(2, &[("retry.backoff.ms", "10")]);
    let mock = bed.mock();
    mock.create_topic("t", 1);
    mock.create_topic("u", 1);
    mock.with(|cluster| {
        cluster.set_leader("t", 0, 2);
        cluster.set_leader("u", 0, 1);
    });
    bed.send("t", 0);
    bed.send("u", 1);
    bed.reports(2).iter().for_each(ok);
    mock.with(|cluster| {
        cluster.set_stale_metadata(1, true);
        let late = Fault::on(ApiKey::Metadata).broker(1);
        cluster.inject(late.delay(Duration::from_millis(1600)));
        cluster.delete_topic("t");
        cluster.create_topic("t", &TopicConfig::new(2));
        (0..2).for_each(|index| cluster.set_leader("t", index, 2));
    });
    let to_last = |tag| Record {
        partition: Some(1),
        ..record("t", b"v", tag)
    };
    // Refused for its topic's id, so that both are asked, one after the other.
    bed.send("t", 2);
    until("the new topic is known", || {
        let count = bed
            .producer
            .partitions_for(TopicRef::Name("t"), Timeout::Now);
        count == Ok(2)
    });
    ok(&bed.report());
    mock.wait_for(LONG, |cluster| {
        let mut asked = cluster.requests().filter(|r| r.api == ApiKey::Metadata);
        asked.any(|request| request.broker == 1).then_some(())
    })
    .unwrap();
    // A broker answers in turn: behind what it was asked before.
    bed.send("u", 3);
    ok(&bed.report());
    assert_eq!(bed.producer.send(&to_last(4)), Ok(()));
    ok(&bed.report());
}

/// Who lags may be the one that is asked first.
#[test]
fn another_broker_is_asked_where_one_is_behind_the_times() {
    let bed = Bed::new(2, &[("retry.backoff.ms", "10")]);
    let mock = bed.mock();
    mock.create_topic("t", 2);
    mock.with(|cluster| {
        (0..2).for_each(|index| cluster.set_leader("t", index, index + 1));
        // Without hints who leads.
        let old = VersionRange { min: 3, max: 9 };
        (1..3).for_each(|id| cluster.set_api_versions(id, ApiKey::Produce, Some(old)));
    });
    let send = |index, tag| {
        let sent = Record {
            partition: Some(index),
            ..record("t", b"v", tag)
        };
        bed.producer.send(&sent).unwrap();
        ok(&bed.report());
    };
    (0..2).for_each(|index| send(index, index as u64));
    for (stale, partition) in [(1, 0), (2, 1)] {
        mock.with(|cluster| {
            cluster.set_stale_metadata(stale, true);
            cluster.set_leader("t", partition, 3 - stale);
        });
        send(partition, 2);
        mock.with(|cluster| cluster.set_stale_metadata(stale, false));
    }
}

/// The backoff of retries is not theirs.
#[test]
fn each_parked_record_expires_at_its_own_time() {
    let settings = [
        NO_CREATION,
        ("request.timeout.ms", "300"),
        ("retry.backoff.ms", "20000"),
        ("retry.backoff.max.ms", "20000"),
        ("max.block.ms", "100"),
    ];
    let bed = Bed::new(1, &settings);
    let began = Instant::now();
    bed.producer.try_send(&record("missing", b"v", 0)).unwrap();
    let _ = bed.producer.send(&record("missing", b"v", 9));
    bed.producer.try_send(&record("missing", b"v", 1)).unwrap();
    let tags: Vec<u64> = bed.reports(2).iter().map(|report| report.tag).collect();
    assert_eq!(tags, [0, 1]);
    assert!(began.elapsed() < Duration::from_secs(10));
}
