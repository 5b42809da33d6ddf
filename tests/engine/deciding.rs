//! Records that are parked while a user's partitioner is asked about them, and what is done to them meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use kprod::completion::{Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, MockServer, TopicConfig, When};
use kprod::producer::{Callbacks, Producer, Purge, Record, Timeout};
use kprod::protocol::ApiKey;

use crate::partitioners::{know, own};
use crate::support::{LONG, cluster, ok, producer, record, reports, until};

/// A partitioner that waits until it is let go, and hears of each time that it is asked.
fn held() -> (Callbacks, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, inside) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (entered, gate) = (Mutex::new(entered), Mutex::new(gate));
    let callbacks = own(move |_| {
        let _ = entered.lock().unwrap().send(());
        let _ = gate.lock().unwrap().recv();
        0
    });
    (callbacks, inside, open)
}

/// Three records are parked, and the partitioner is asked about the first.
fn deciding(server: &MockServer) -> (Producer, mpsc::Sender<()>) {
    let (callbacks, inside, open) = held();
    let producer = producer(server, &[("max.block.ms", "100")], callbacks);
    for tag in 0..3 {
        producer.try_send(&record("new", b"v", tag)).unwrap();
    }
    inside.recv_timeout(LONG).unwrap();
    (producer, open)
}

#[test]
fn a_partitioner_that_outlives_a_close_leaves_no_record_without_its_report() {
    let server = cluster(1);
    let (producer, open) = deciding(&server);
    let late = producer.close(Timeout::After(Duration::from_millis(100)));
    assert_eq!(late.unwrap_err().code, ErrorCode::TIMED_OUT);
    let mut seen = reports(&producer, 3);
    seen.sort_by_key(|report| report.tag);
    assert_eq!(seen.iter().map(|r| r.tag).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(
        seen.iter().all(|report| report.error == ErrorCode::CLOSED),
        "{seen:?}"
    );
    drop(open);
    producer.close(Timeout::After(LONG)).unwrap();
    let end = producer.poll(10, Timeout::After(LONG), |_| {});
    assert_eq!(end, Err(ErrorCode::CLOSED));
    assert_eq!(producer.metrics().buffer_available, crate::support::MEMORY);
}

#[test]
fn the_entry_of_a_close_comes_before_polls_answer_closed() {
    let server = cluster(1);
    let (producer, open) = deciding(&server);
    producer.close_async(9).unwrap();
    assert!(
        reports(&producer, 3)
            .iter()
            .all(|r| r.error == ErrorCode::CLOSED)
    );
    let nothing = producer.poll(10, Timeout::After(Duration::from_millis(200)), |_| {});
    assert_eq!(nothing, Ok(0));
    drop(open);
    let entry = reports(&producer, 1)[0];
    assert_eq!((entry.kind, entry.tag), (ReportKind::Operation, 9));
    let end = producer.poll(10, Timeout::After(LONG), |_| {});
    assert_eq!(end, Err(ErrorCode::CLOSED));
}

#[test]
fn a_purge_drops_what_a_partitioner_is_asked_about() {
    let server = cluster(1);
    let (producer, open) = deciding(&server);
    let purge = Purge {
        queued: true,
        in_flight: false,
    };
    std::thread::scope(|scope| {
        let purging = scope.spawn(|| producer.purge(purge));
        for report in reports(&producer, 3) {
            assert_eq!(report.error, ErrorCode::PURGED_QUEUED);
        }
        drop(open);
        assert_eq!(purging.join().unwrap(), Ok(()));
    });
    producer.flush(Timeout::After(LONG)).unwrap();
    assert_eq!(
        server.handle().with(|cluster| cluster.end_offset("new", 0)),
        0
    );
}

/// However fast others park records: what is sent while a partitioner is asked is decided by its sender.
#[test]
fn a_partitioner_that_is_slower_than_senders_holds_nothing_up() {
    let server = cluster(1);
    let callbacks = own(|_| {
        let began = std::time::Instant::now();
        while began.elapsed() < Duration::from_micros(50) {
            std::hint::spin_loop();
        }
        0
    });
    // What is parked before the flush is to be decided in its time on a busy machine too.
    let settings = [("max.block.ms", "5000"), ("buffer.memory", "1048576")];
    let producer = producer(&server, &settings, callbacks);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = producer.try_send(&record("new", b"many", 1));
                }
            });
        }
        let sent = producer.send(&record("new", b"one", 7));
        let flushed = producer.flush(Timeout::After(Duration::from_secs(5)));
        stop.store(true, Ordering::Relaxed);
        assert_eq!((sent, flushed), (Ok(()), Ok(())));
    });
    producer.close(Timeout::After(LONG)).unwrap();
}

#[test]
fn a_topic_that_grows_while_a_partitioner_is_asked_has_all_its_partitions_then() {
    let server = cluster(1);
    let (callbacks, inside, open) = held();
    let producer = producer(&server, &[("metadata.max.age.ms", "20")], callbacks);
    producer.try_send(&record("new", b"v", 0)).unwrap();
    inside.recv_timeout(LONG).unwrap();
    let mock = server.handle();
    mock.with(|cluster| cluster.grow_topic("new", 6));
    let before = mock.requests(ApiKey::Metadata).len();
    until("the producer knows", || {
        mock.requests(ApiKey::Metadata).len() >= before + 2
    });
    drop(open);
    ok(&reports(&producer, 1)[0]);
    let last = Record {
        partition: Some(5),
        ..record("new", b"v", 1)
    };
    producer.send(&last).unwrap();
    ok(&reports(&producer, 1)[0]);
}

/// Without a partition while the partitioner is asked, the first record; others for partition 0, of which one is in
/// flight and the rest are parked.
fn one_in_flight(settings: &[(&str, &str)]) -> (MockServer, Producer, mpsc::Sender<()>) {
    let server = cluster(1);
    server.handle().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Swallow(When::AfterWork))
            .forever(),
    );
    let (callbacks, inside, open) = held();
    let producer = producer(&server, settings, callbacks);
    let to_first = |tag| Record {
        partition: Some(0),
        ..record("new", b"v", tag)
    };
    producer.try_send(&to_first(0)).unwrap();
    producer.try_send(&record("new", b"v", 1)).unwrap();
    producer.try_send(&to_first(2)).unwrap();
    inside.recv_timeout(LONG).unwrap();
    producer.try_send(&to_first(3)).unwrap();
    server
        .handle()
        .wait_for(LONG, |cluster| {
            let sent = cluster.requests().any(|r| r.api == ApiKey::Produce);
            sent.then_some(())
        })
        .unwrap();
    (server, producer, open)
}

fn of_first(reports: &[Report]) -> Vec<u64> {
    let tags = reports.iter().map(|report| report.tag);
    tags.filter(|tag| *tag != 1).collect()
}

#[test]
fn a_purge_reports_what_is_parked_behind_what_was_in_flight() {
    let (_server, producer, open) = one_in_flight(&[]);
    let purge = Purge {
        queued: true,
        in_flight: true,
    };
    std::thread::scope(|scope| {
        let purging = scope.spawn(|| producer.purge(purge));
        let seen = reports(&producer, 4);
        assert_eq!(of_first(&seen), [0, 2, 3]);
        assert_eq!(seen[0].error, ErrorCode::PURGED_IN_FLIGHT);
        let told = producer.error_detail(seen[3].detail).unwrap();
        assert!(told.message.contains("the partitioner"), "{}", told.message);
        drop(open);
        assert_eq!(purging.join().unwrap(), Ok(()));
    });
}

/// By the specification's rule what is in flight may be answered later than that: what is parked behind it waits.
#[test]
fn what_is_parked_does_not_expire_before_what_is_in_flight() {
    let settings = [("request.timeout.ms", "700"), ("linger.ms", "0")];
    let (_server, producer, open) = one_in_flight(&settings);
    let seen = reports(&producer, 4);
    assert_eq!(of_first(&seen), [0, 2, 3]);
    let undecided = seen.iter().find(|report| report.tag == 1).unwrap();
    assert_eq!(undecided.error, ErrorCode::DELIVERY_TIMED_OUT);
    let told = producer.error_detail(undecided.detail).unwrap().message;
    assert!(told.contains("the partitioner has not answered"), "{told}");
    drop(open);
}

#[test]
fn who_waits_for_a_partitioner_in_vain_is_told_so() {
    let server = cluster(1);
    let (callbacks, inside, open) = held();
    let settings = [
        ("buffer.memory", "40000"),
        ("batch.size", "4096"),
        ("max.request.size", "20000"),
        ("max.block.ms", "300"),
    ];
    let producer = producer(&server, &settings, callbacks);
    // Dropped first, should this fail.
    let open = open;
    let value = [7; 3000];
    let parked = (0..)
        .map(|tag| producer.try_send(&record("new", &value, tag)))
        .take_while(Result::is_ok)
        .count();
    assert!(parked > 5);
    inside.recv_timeout(LONG).unwrap();
    let chosen = Record {
        partition: Some(0),
        ..record("new", &value, 99)
    };
    assert_eq!(producer.send(&chosen), Err(ErrorCode::TIMED_OUT));
    let why = producer.cluster_error().unwrap();
    assert!(
        why.message
            .contains("topic new: the partitioner is waited for"),
        "{}",
        why.message
    );
    drop(open);
}

/// Also for those that were parked before.
#[test]
fn a_partitioner_hears_of_the_partitions_that_a_topic_made_anew_has() {
    let server = cluster(1);
    let mock = server.handle();
    mock.create_topic("t", 4);
    let (entered, inside) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (entered, gate) = (Mutex::new(entered), Mutex::new(gate));
    let callbacks = own(move |request| {
        let _ = entered.lock().unwrap().send(request.partition_count);
        let _ = gate.lock().unwrap().recv();
        0
    });
    let producer = producer(&server, &[("metadata.max.age.ms", "20")], callbacks);
    producer.try_send(&record("t", b"v", 0)).unwrap();
    producer.try_send(&record("t", b"v", 1)).unwrap();
    assert_eq!(inside.recv_timeout(LONG), Ok(4));
    mock.with(|cluster| {
        cluster.delete_topic("t");
        cluster.create_topic("t", &TopicConfig::new(1))
    });
    let before = mock.requests(ApiKey::Metadata).len();
    until("the producer knows", || {
        mock.requests(ApiKey::Metadata).len() >= before + 2
    });
    drop(open);
    assert_eq!(inside.recv_timeout(LONG), Ok(1));
    reports(&producer, 2).iter().for_each(ok);
    know(&producer, "t");
}

/// From a broker that has not heard of the topic's growth.
#[test]
fn an_answer_that_leaves_partitions_out_takes_none_from_what_is_parked() {
    let server = cluster(2);
    let mock = server.handle();
    mock.create_topic("t", 2);
    mock.create_topic("u", 1);
    mock.with(|cluster| {
        cluster.set_stale_metadata(1, true);
        cluster.grow_topic("t", 4);
        cluster.set_broker_state(1, BrokerState::Down);
        (0..4).for_each(|index| cluster.set_leader("t", index, 2));
    });
    let (callbacks, inside, open) = held();
    let settings = [("metadata.max.age.ms", "20"), ("reconnect.backoff.ms", "1")];
    let producer = producer(&server, &settings, callbacks);
    // Dropped first, should this fail.
    let open = open;
    let to = |topic, index, tag| Record {
        partition: Some(index),
        ..record(topic, b"v", tag)
    };
    producer.try_send(&record("t", b"v", 0)).unwrap();
    inside.recv_timeout(LONG).unwrap();
    producer.try_send(&to("t", 3, 1)).unwrap();
    mock.with(|cluster| {
        cluster.set_broker_state(1, BrokerState::Up);
        cluster.set_leader("u", 0, 1);
        cluster.clear_requests();
    });
    // A leader is connected to, and then it is asked like any other.
    producer.send(&to("u", 0, 2)).unwrap();
    ok(&reports(&producer, 1)[0]);
    until("it was asked and answered", || {
        let requests = mock.requests(ApiKey::Metadata);
        requests
            .iter()
            .filter(|request| request.broker == 1)
            .count()
            >= 2
    });
    drop(open);
    reports(&producer, 2).iter().for_each(ok);
}
