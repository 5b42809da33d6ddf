//! `buffer.memory`: who is refused, who waits, and that all of it comes back.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use kprod::completion::ReportKind;
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault};
use kprod::producer::{Record, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, ok, record, until};

const SMALL: u64 = 64 << 10;
const HOUR: Duration = Duration::from_secs(3600);

/// A producer with little memory whose broker keeps its answers to itself until told otherwise.
fn bed(settings: &[(&str, &str)]) -> Bed {
    let mut all = vec![("buffer.memory", "65536"), ("batch.size", "4096")];
    all.extend_from_slice(settings);
    let bed = Bed::new(1, &all);
    bed.mock().create_topic("t", 1);
    bed.producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG))
        .unwrap();
    bed
}

fn hold_answers(bed: &Bed) {
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).delay(HOUR).forever());
}

/// Cuts the connection that the held answers are on, and answers from now on.
fn answer(bed: &Bed) {
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
}

/// Sends until there is no room; says how many were accepted.
fn fill(bed: &Bed, size: usize) -> u64 {
    let value = vec![7; size];
    for tag in 0.. {
        match bed.producer.try_send(&record("t", &value, tag)) {
            Ok(()) => {}
            Err(ErrorCode::QUEUE_FULL) => return tag,
            Err(other) => panic!("{other:?}"),
        }
        assert!(tag < SMALL, "more accepted than there is memory");
    }
    unreachable!()
}

fn settle(bed: &Bed) {
    until("memory comes back", || {
        bed.producer.metrics().buffer_available == SMALL
    });
}

#[test]
fn try_send_refuses_at_once_and_one_writable_follows_at_a_quarter_free() {
    let bed = bed(&[]);
    hold_answers(&bed);
    let accepted = fill(&bed, 500);
    assert!(accepted > 80, "only {accepted} records of 500 bytes fit");
    for _ in 0..10 {
        let again = bed.producer.try_send(&record("t", &[7; 500], 0));
        assert_eq!(again, Err(ErrorCode::QUEUE_FULL));
    }
    answer(&bed);
    let reports = bed.reports(accepted as usize + 1);
    let writable = |report: &&kprod::completion::Report| report.kind == ReportKind::Writable;
    assert_eq!(reports.iter().filter(writable).count(), 1);
    settle(&bed);
    let more = bed.producer.poll(10, Timeout::Now, |_| {});
    assert_eq!(more, Ok(0), "a second WRITABLE");
}

#[test]
fn every_refusal_after_a_writable_gets_another() {
    let bed = bed(&[]);
    for _ in 0..3 {
        hold_answers(&bed);
        let accepted = fill(&bed, 500);
        answer(&bed);
        let reports = bed.reports(accepted as usize + 1);
        let kinds = reports.iter().filter(|r| r.kind == ReportKind::Writable);
        assert_eq!(kinds.count(), 1);
        settle(&bed);
    }
}

fn send_value(bed: &Bed, size: usize, tag: u64) -> Result<(), ErrorCode> {
    bed.producer.try_send(&record("t", &vec![7; size], tag))
}

/// Else who waits for it would try for nothing, again and again.
#[test]
fn writable_waits_until_there_is_room_for_what_was_refused() {
    let bed = bed(&[]);
    hold_answers(&bed);
    send_value(&bed, 29_000, 1).unwrap();
    for _ in 0..3 {
        assert_eq!(send_value(&bed, 40_000, 2), Err(ErrorCode::QUEUE_FULL));
        assert!(bed.producer.metrics().buffer_available > SMALL / 4);
        let none = bed.producer.poll(10, Timeout::Now, |_| {});
        assert_eq!(none, Ok(0), "a WRITABLE without room");
    }
    answer(&bed);
    let kinds: Vec<_> = bed.reports(2).iter().map(|report| report.kind).collect();
    assert!(kinds.contains(&ReportKind::Writable), "{kinds:?}");
    assert_eq!(send_value(&bed, 40_000, 2), Ok(()));
    ok(&bed.report());
}

#[test]
fn what_lingers_does_not_keep_a_writable_back() {
    let bed = bed(&[("linger.ms", "600000"), ("batch.size", "65536")]);
    hold_answers(&bed);
    send_value(&bed, 29_000, 1).unwrap();
    assert_eq!(send_value(&bed, 45_000, 2), Err(ErrorCode::QUEUE_FULL));
    until("the first is on its way", || {
        bed.producer.metrics().requests_in_flight == 1
    });
    // There is room for it, and no company for ten minutes.
    send_value(&bed, 25_000, 3).unwrap();
    answer(&bed);
    let reports = bed.reports(3);
    let writable = reports.iter().filter(|r| r.kind == ReportKind::Writable);
    assert_eq!(writable.count(), 1);
    assert_eq!(send_value(&bed, 45_000, 2), Ok(()));
}

#[test]
fn records_of_unknown_topics_count_too() {
    let bed = Bed::new(1, &[("buffer.memory", "65536")]);
    bed.mock().set_broker_state(1, BrokerState::Crashed);
    let value = vec![7; 1000];
    let mut accepted = 0;
    while bed.producer.try_send(&record("new", &value, accepted)) == Ok(()) {
        accepted += 1;
        assert!(accepted < 70, "more than 64 KiB parked");
    }
    assert!(accepted > 30, "only {accepted} parked");
    assert!(bed.producer.metrics().buffer_available < 2000);
    bed.mock().set_broker_state(1, BrokerState::Up);
    let reports = bed.reports(accepted as usize + 1);
    let records = reports.iter().filter(|r| r.kind == ReportKind::Record);
    assert_eq!(records.count() as u64, accepted);
    settle(&bed);
}

#[test]
fn a_blocked_send_waits_max_block_and_is_then_never_sent() {
    let bed = bed(&[("max.block.ms", "300"), ("linger.ms", "0")]);
    hold_answers(&bed);
    let accepted = fill(&bed, 500);
    let began = Instant::now();
    let late = Record {
        ..record("t", &[9; 2000], 9999)
    };
    assert_eq!(bed.producer.send(&late), Err(ErrorCode::TIMED_OUT));
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(10));
    answer(&bed);
    let reports = bed.reports(accepted as usize + 1);
    assert!(reports.iter().all(|report| report.tag != 9999));
    bed.flush();
    let stored = bed.mock().records("t", 0);
    let sizes = stored.iter().map(|r| r.value.as_deref().unwrap().len());
    assert_eq!(sizes.max(), Some(500), "the refused record was sent");
    settle(&bed);
}

#[test]
fn blocked_sends_go_on_when_there_is_room() {
    let bed = bed(&[("batch.size", "0")]);
    hold_answers(&bed);
    let accepted = fill(&bed, 6000);
    let (told, order) = mpsc::channel();
    std::thread::scope(|scope| {
        for name in 0..4u64 {
            let told = told.clone();
            let producer = &bed.producer;
            scope.spawn(move || {
                // There is room for one of them at a time.
                let value = vec![1; 40_000];
                let sent = producer.send(&record("t", &value, 100 + name));
                told.send((name, sent)).unwrap();
            });
        }
        answer(&bed);
        for _ in 0..4 {
            let (name, sent) = order.recv_timeout(LONG).unwrap();
            assert_eq!(sent, Ok(()), "{name}");
        }
    });
    let reports = bed.reports(accepted as usize + 5);
    let mut late: Vec<u64> = reports
        .iter()
        .filter(|report| report.tag >= 100)
        .map(|report| report.tag)
        .collect();
    late.sort_unstable();
    assert_eq!(late, [100, 101, 102, 103]);
    settle(&bed);
}

#[test]
fn a_blocked_send_makes_lingering_records_go() {
    let bed = bed(&[("linger.ms", "600000")]);
    let value = vec![7; 500];
    for tag in 0..500 {
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    bed.flush();
    bed.reports(500).iter().for_each(ok);
    settle(&bed);
}

#[test]
fn a_refused_try_send_makes_lingering_records_go() {
    let bed = bed(&[("linger.ms", "600000"), ("batch.size", "65536")]);
    let accepted = fill(&bed, 500);
    let reports = bed.reports(accepted as usize + 1);
    assert!(reports.iter().any(|r| r.kind == ReportKind::Writable));
    settle(&bed);
}

#[test]
fn a_blocked_send_ends_with_the_producer() {
    let bed = bed(&[("max.block.ms", "600000")]);
    hold_answers(&bed);
    fill(&bed, 500);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| bed.producer.send(&record("t", &[1; 5000], 777)));
        // Whether it waits already or comes too late, the answer is the same.
        let closed = bed
            .producer
            .close(Timeout::After(Duration::from_millis(100)));
        assert_eq!(closed, Ok(()));
        assert_eq!(blocked.join().unwrap(), Err(ErrorCode::CLOSED));
    });
}

#[test]
fn a_record_larger_than_memory_or_request_is_refused_and_leaves_nothing_behind() {
    let bed = bed(&[("max.request.size", "10000")]);
    for size in [10_000, 70_000] {
        let value = vec![0; size];
        let sent = record("t", &value, 1);
        assert_eq!(bed.producer.send(&sent), Err(ErrorCode::RECORD_TOO_LARGE));
        assert_eq!(
            bed.producer.try_send(&sent),
            Err(ErrorCode::RECORD_TOO_LARGE)
        );
    }
    assert_eq!(bed.producer.metrics().buffer_available, SMALL);
    bed.send("t", 1);
    ok(&bed.report());
    let alone = Bed::new(1, &[("buffer.memory", "20000")]);
    let value = vec![0; 20_000];
    let sent = alone.producer.send(&record("t", &value, 1));
    assert_eq!(sent, Err(ErrorCode::RECORD_TOO_LARGE));
}

#[test]
fn the_largest_record_that_memory_may_hold_goes_through() {
    let bed = bed(&[("compression.type", "none")]);
    for _ in 0..3 {
        let mut size = SMALL as usize;
        let sent = loop {
            let value = vec![1; size];
            match bed.producer.send(&record("t", &value, 1)) {
                Err(ErrorCode::RECORD_TOO_LARGE) => size -= 64,
                other => break other,
            }
        };
        assert_eq!(sent, Ok(()));
        ok(&bed.report());
        settle(&bed);
    }
}

#[test]
fn the_least_memory_that_is_allowed_holds_an_empty_record() {
    let bed = Bed::new(1, &[("buffer.memory", "2048")]);
    let empty = Record {
        value: None,
        ..record("new", b"", 1)
    };
    // Parked first, then in a batch.
    assert_eq!(bed.producer.try_send(&empty), Ok(()));
    ok(&bed.report());
    assert_eq!(bed.producer.send(&empty), Ok(()));
    ok(&bed.report());
    let batch = bed.producer.create_batch().unwrap();
    batch.append(&empty).unwrap();
    let topic = bed.producer.topic("new").unwrap();
    let sent = bed
        .producer
        .send_batch(&batch, topic, 0, 1, Timeout::After(LONG));
    assert_eq!(sent, Ok(()));
    ok(&bed.report());
}

#[test]
fn unread_reports_are_bounded() {
    let bed = bed(&[("kprod.delivery.queue.max", "10")]);
    let mut accepted = 0;
    let refused = loop {
        let sent = bed.producer.send(&record("t", b"12345678", accepted));
        if let Err(code) = sent {
            break code;
        }
        accepted += 1;
        bed.flush();
    };
    assert_eq!(refused, ErrorCode::REPORT_QUEUE_FULL);
    assert_eq!(accepted, 10);
    let refused = bed.producer.try_send(&record("t", b"v", 1));
    assert_eq!(refused, Err(ErrorCode::REPORT_QUEUE_FULL));
    // A flush or a commit must be possible all the same.
    bed.producer.flush_async(11).unwrap();
    bed.producer.start_async(12).unwrap();
    let topic = TopicRef::Name("t");
    bed.producer.partitions_for_async(topic, 13).unwrap();
    bed.reports(13).iter().for_each(ok);
    bed.send("t", 10);
    ok(&bed.report());
}

#[test]
fn try_send_accepts_until_memory_is_full() {
    let bed = bed(&[]);
    hold_answers(&bed);
    let value = vec![7; 500];
    let mut sends = (0..1000).map(|tag| bed.producer.try_send(&record("t", &value, tag)));
    let accepted = sends.by_ref().take_while(Result::is_ok).count();
    assert!((80..131).contains(&accepted), "{accepted}");
    answer(&bed);
    let reports = bed.reports(accepted + 1);
    let tags: Vec<u64> = reports
        .iter()
        .filter(|report| report.kind == ReportKind::Record)
        .map(|report| report.tag)
        .collect();
    assert_eq!(tags, (0..accepted as u64).collect::<Vec<_>>());
}

/// Who waits in vain, for room or for the end of a flush, is told what keeps the records that are accepted.
#[test]
fn what_keeps_the_records_is_known_to_who_waits_for_their_end() {
    let cases = [
        ("silence", "has not answered"),
        ("no leader", "topic t partition 0"),
        ("refusals", "NOT_ENOUGH_REPLICAS"),
    ];
    for (held, said) in cases {
        let bed = bed(&[("max.block.ms", "700"), ("request.timeout.ms", "60000")]);
        match held {
            "silence" => hold_answers(&bed),
            "no leader" => bed.mock().with(|cluster| cluster.remove_leader("t", 0)),
            _ => bed.mock().inject(
                Fault::on(ApiKey::Produce)
                    .error(ErrorCode::NOT_ENOUGH_REPLICAS)
                    .forever(),
            ),
        }
        fill(&bed, 1000);
        let late = bed.producer.send(&record("t", &[7; 3000], 1));
        assert_eq!(late, Err(ErrorCode::TIMED_OUT));
        let cause = bed.producer.cluster_error().unwrap();
        assert!(cause.message.contains(said), "{cause:?}");

        let limit = Timeout::After(Duration::from_millis(700));
        let late = bed.producer.flush(limit).unwrap_err();
        assert_eq!(late.code, ErrorCode::TIMED_OUT);
        assert!(late.message.contains(said), "{late:?}");
    }
}
