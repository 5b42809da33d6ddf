//! What each answer to a Produce request means for its records.

use kprod::completion::{Persistence, flags};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, InjectedError, When};
use kprod::producer::{Timeout, TopicRef};
use kprod::protocol::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use kprod::protocol::{ApiKey, Message};

use crate::support::{Bed, LONG, ok};

const QUICK: [(&str, &str); 2] = [("retry.backoff.ms", "5"), ("retry.backoff.max.ms", "10")];

/// Refused, and to be tried again.
const RETRIABLE: [i32; 16] = [2, 3, 5, 6, 8, 9, 13, 14, 19, 41, 56, 74, 75, 89, 100, 103];
/// Maybe written, and to be tried again.
const AMBIGUOUS: [i32; 3] = [7, 13, 20];
/// Refused for good.
const PERMANENT: [i32; 15] = [17, 18, 21, 29, 32, 33, 35, 42, 43, 48, 53, 76, 87, 10, 9999];

fn struck(topic: &str, code: i32) -> Fault {
    Fault::on(ApiKey::Produce)
        .topic(topic)
        .error(ErrorCode(code))
}

/// No log has records there, whatever a broker says: they are reported without an offset.
#[test]
fn offsets_beyond_the_last_one_are_none() {
    for idempotent in ["false", "true"] {
        let settings = [("linger.ms", "60000"), ("enable.idempotence", idempotent)];
        let bed = Bed::new(1, &settings);
        bed.mock().create_topic("t", 1);
        let partition = PartitionProduceResponse {
            base_offset: i64::MAX - 1,
            ..PartitionProduceResponse::default()
        };
        let answer = ProduceResponse {
            topics: vec![TopicProduceResponse {
                topic_id: bed.mock().with(|cluster| cluster.topic_id("t")).unwrap(),
                partitions: vec![partition],
                ..TopicProduceResponse::default()
            }],
            ..ProduceResponse::default()
        };
        let no_tags = &[0];
        let body = [&no_tags[..], &answer.encode(13).unwrap()].concat();
        bed.mock()
            .inject(Fault::on(ApiKey::Produce).kind(FaultKind::Instead(body.into())));
        for tag in 0..5 {
            bed.send("t", tag);
        }
        bed.producer.flush(Timeout::After(LONG)).unwrap();
        for report in bed.reports(5) {
            ok(&report);
            assert_eq!(report.offset, -1);
        }
        bed.send("t", 5);
        bed.producer.flush(Timeout::After(LONG)).unwrap();
        assert_eq!(bed.report().offset, 5);
        bed.settle();
    }
}

#[test]
fn a_retriable_answer_is_followed_by_delivery_in_order() {
    let bed = Bed::new(2, &QUICK);
    for code in RETRIABLE {
        let topic = format!("t{code}");
        bed.mock().create_topic(&topic, 1);
        bed.mock().inject(struck(&topic, code).times(2));
        let before = bed.producer.metrics().batch_retries;
        for tag in 0..5 {
            bed.send(&topic, tag);
        }
        let reports = bed.reports(5);
        reports.iter().for_each(ok);
        let tags: Vec<u64> = reports.iter().map(|report| report.tag).collect();
        assert_eq!(tags, [0, 1, 2, 3, 4], "code {code}");
        assert_eq!(bed.log(&topic), tags, "code {code}");
        let retries = bed.producer.metrics().batch_retries - before;
        assert_eq!(retries, 2, "code {code}");
    }
    bed.settle();
    bed.close();
}

#[test]
fn an_ambiguous_answer_is_retried_and_what_was_written_may_be_there_twice() {
    let bed = Bed::new(1, &QUICK);
    for code in AMBIGUOUS {
        let topic = format!("t{code}");
        bed.mock().create_topic(&topic, 1);
        let written = Fault::on(ApiKey::Produce).topic(&topic);
        bed.mock().inject(written.error_after_work(ErrorCode(code)));
        bed.send(&topic, 1);
        let report = bed.report();
        ok(&report);
        assert_eq!(report.offset, 1, "code {code}");
        assert_eq!(bed.log(&topic), [1, 1], "code {code}");
    }
}

#[test]
fn without_retries_the_answer_is_the_outcome() {
    let settings = [("retries", "0")];
    let bed = Bed::new(1, &settings);
    for code in RETRIABLE.into_iter().chain(AMBIGUOUS) {
        let topic = format!("t{code}");
        bed.mock().create_topic(&topic, 1);
        bed.mock().inject(struck(&topic, code));
        bed.send(&topic, 1);
        let report = bed.report();
        assert_eq!(report.error, ErrorCode(code));
        assert_ne!(report.flags & flags::RETRIABLE, 0, "{report:?}");
        let expected = match AMBIGUOUS.contains(&code) {
            true => Persistence::Possibly,
            false => Persistence::Not,
        };
        assert_eq!(report.persistence(), expected, "{report:?}");
        bed.mock().clear_faults();
    }
    bed.settle();
}

#[test]
fn a_permanent_answer_fails_the_record_with_its_code_and_a_message_that_names_the_place() {
    let bed = Bed::new(1, &[]);
    for code in PERMANENT {
        let topic = format!("t{code}");
        bed.mock().create_topic(&topic, 1);
        bed.mock().inject(struck(&topic, code));
        bed.send(&topic, 1);
        let report = bed.report();
        assert_eq!(report.error, ErrorCode(code));
        assert_eq!(report.persistence(), Persistence::Not, "{report:?}");
        assert_eq!((report.tag, report.offset, report.timestamp), (1, -1, -1));
        assert_eq!(report.flags & (flags::RETRIABLE | flags::FATAL), 0);
        let said = bed.detail(&report);
        let place = format!("topic {topic} partition 0 at broker 1 (127.0.0.1:");
        assert!(said.starts_with(&place), "{said}");
        assert!(said.contains(ErrorCode(code).name()), "{said}");
        // Nothing else suffers.
        bed.send(&topic, 2);
        ok(&bed.report());
        assert_eq!(bed.log(&topic), [2]);
    }
    bed.settle();
    let metrics = bed.producer.metrics();
    let each = PERMANENT.len() as u64;
    assert_eq!(
        (metrics.records_failed, metrics.records_delivered),
        (each, each)
    );
}

/// The library's own codes are among them, and say things that are not so.
#[test]
fn a_code_that_kafka_does_not_have_is_not_taken_for_the_librarys_own() {
    let bed = Bed::new(1, &[]);
    for code in [-2, -99, -100, -105, -112, -124, -32768] {
        let topic = format!("t{}", -code);
        bed.mock().create_topic(&topic, 1);
        bed.mock().inject(struck(&topic, code));
        bed.send(&topic, 1);
        let report = bed.report();
        assert_eq!(report.error, ErrorCode::UNKNOWN_SERVER_ERROR, "code {code}");
        assert_eq!(report.flags & (flags::RETRIABLE | flags::FATAL), 0);
        assert_eq!(report.persistence(), Persistence::Possibly);
        let said = bed.detail(&report);
        assert!(said.contains(&format!("code {code},")), "{said}");
    }
    let metadata = Fault::on(ApiKey::Metadata).topic("new");
    bed.mock()
        .inject(metadata.error(ErrorCode::CLOSED).forever());
    let refused = bed
        .producer
        .partitions_for(TopicRef::Name("new"), Timeout::After(LONG));
    assert_eq!(
        refused.unwrap_err().code,
        ErrorCode::UNKNOWN_SERVER_ERROR,
        "the topic's error"
    );
}

#[test]
fn the_brokers_own_words_are_in_the_message() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    let refused = InjectedError {
        code: ErrorCode::INVALID_RECORD,
        when: When::BeforeWork,
        message: Some("this record lacks its hat".into()),
        records: Vec::new(),
    };
    let fault = Fault::on(ApiKey::Produce).kind(FaultKind::Error(refused));
    bed.mock().inject(fault);
    bed.send("t", 1);
    let said = bed.detail(&bed.report());
    assert!(said.contains("lacks its hat"), "{said}");
}

#[test]
fn an_unknown_server_error_fails_as_possibly_written() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    let written = Fault::on(ApiKey::Produce);
    bed.mock()
        .inject(written.error_after_work(ErrorCode::UNKNOWN_SERVER_ERROR));
    bed.send("t", 1);
    let report = bed.report();
    assert_eq!(report.error, ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!(report.persistence(), Persistence::Possibly);
    assert_eq!(bed.log("t"), [1]);
}

#[test]
fn a_duplicate_is_a_success_without_an_offset() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.mock().inject(struck("t", 46));
    bed.send("t", 1);
    let report = bed.report();
    ok(&report);
    assert_eq!(report.offset, -1);
    assert_eq!(report.persistence(), Persistence::Persisted);
}

#[test]
fn when_the_cluster_refuses_the_producer_everything_is_reported_and_it_is_of_no_more_use() {
    let bed = Bed::new(1, &[("linger.ms", "50"), ("kprod.events", "true")]);
    bed.mock().create_topic("t", 2);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 0)
            .error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED)
            .delay(std::time::Duration::from_millis(100)),
    );
    for tag in 0..4 {
        bed.send("t", tag);
    }
    let reports = bed.reports(5);
    let records: Vec<_> = reports
        .iter()
        .filter(|report| report.kind == kprod::completion::ReportKind::Record)
        .collect();
    assert_eq!(records.len(), 4, "and one event: {reports:?}");
    for report in records {
        assert_eq!(report.error, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        assert_ne!(report.flags & flags::FATAL, 0);
    }
    let fatal = bed.producer.fatal_error().unwrap();
    assert_eq!(fatal.code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let sent = bed.producer.send(&crate::support::record("t", b"v", 9));
    assert_eq!(sent, Err(ErrorCode::FATAL));
    let flushed = bed.producer.flush(Timeout::After(LONG)).unwrap_err();
    assert_eq!(flushed.code, ErrorCode::FATAL);
    bed.close();
    bed.settle();
}

#[test]
fn one_partitions_trouble_is_not_anothers() {
    let bed = Bed::new(1, &[("linger.ms", "20"), QUICK[0], QUICK[1]]);
    bed.mock().create_topic("t", 3);
    let at = |partition, code| {
        let fault = Fault::on(ApiKey::Produce).partition("t", partition);
        fault.error(ErrorCode(code))
    };
    bed.mock().inject(at(0, 87));
    bed.mock().inject(at(1, 19).times(3));
    for partition in 0..3 {
        let value = 5u64.to_be_bytes();
        let sent = kprod::producer::Record {
            partition: Some(partition),
            ..crate::support::record("t", &value, partition as u64)
        };
        bed.producer.send(&sent).unwrap();
    }
    for report in bed.reports(3) {
        let expected = match report.tag {
            0 => ErrorCode::INVALID_RECORD,
            _ => ErrorCode::OK,
        };
        assert_eq!(report.error, expected, "{report:?}");
    }
}

fn culprits(records: Vec<(i32, Option<String>)>) -> Fault {
    Fault::on(ApiKey::Produce).kind(FaultKind::Error(InjectedError {
        code: ErrorCode::INVALID_RECORD,
        when: When::BeforeWork,
        message: Some("some records are bad".into()),
        records,
    }))
}

#[test]
fn a_refused_record_is_told_from_its_neighbours() {
    let bed = Bed::new(1, &[("linger.ms", "10000")]);
    bed.mock().create_topic("t", 1);
    bed.mock()
        .inject(culprits(vec![(1, Some("no hat".into())), (3, None)]));
    for tag in 0..5 {
        bed.send("t", tag);
    }
    bed.flush();
    for report in bed.reports(5) {
        let said = bed.detail(&report);
        assert!(said.contains("topic t partition 0"), "{said}");
        assert_eq!(report.persistence(), Persistence::Not);
        let retriable = report.flags & flags::RETRIABLE != 0;
        match report.tag {
            1 | 3 => assert_eq!(report.error, ErrorCode::INVALID_RECORD),
            _ => assert_eq!(report.error, ErrorCode::RECORD_NEIGHBOUR),
        }
        assert_eq!(retriable, report.error == ErrorCode::RECORD_NEIGHBOUR);
        assert_eq!(said.contains("no hat"), report.tag == 1, "{said}");
    }
    bed.settle();
}

#[test]
fn record_errors_that_make_no_sense_are_those_of_the_batch() {
    let bed = Bed::new(1, &[("linger.ms", "10000")]);
    bed.mock().create_topic("t", 1);
    let nonsense = vec![(-1, None), (7, None), (i32::MAX, None)];
    bed.mock().inject(culprits(nonsense));
    for tag in 0..3 {
        bed.send("t", tag);
    }
    bed.flush();
    for report in bed.reports(3) {
        assert_eq!(report.error, ErrorCode::INVALID_RECORD);
    }
    // The same record named many times is one culprit.
    bed.mock()
        .inject(culprits(vec![(0, None), (0, None), (0, Some("x".into()))]));
    for tag in 0..2 {
        bed.send("t", tag);
    }
    bed.flush();
    let reports = bed.reports(2);
    assert_eq!(reports[0].error, ErrorCode::INVALID_RECORD);
    assert_eq!(reports[1].error, ErrorCode::RECORD_NEIGHBOUR);
}
