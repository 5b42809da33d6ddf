//! Answers that cannot be believed, and connections that break: the connection is replaced, nothing is lost.

use bytes::{Bytes, BytesMut};
use kprod::completion::TimestampType;
use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, When};
use kprod::producer::{Timeout, TopicRef};
use kprod::protocol::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use kprod::protocol::{ApiKey, Message, encode_response_header};

use crate::support::{Bed, LONG, ok, record};

const QUICK: [(&str, &str); 5] = [
    ("socket.connection.setup.timeout.ms", "300"),
    ("retry.backoff.ms", "5"),
    ("retry.backoff.max.ms", "20"),
    ("reconnect.backoff.ms", "5"),
    ("reconnect.backoff.max.ms", "20"),
];

fn nonsense() -> Vec<FaultKind> {
    vec![
        FaultKind::Garbage(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        FaultKind::Garbage(Bytes::from_static(b"\0\0\0\x04\0\0")),
        FaultKind::Truncate(0),
        FaultKind::Truncate(3),
        FaultKind::Truncate(9),
        FaultKind::CutFrame(0),
        FaultKind::CutFrame(3),
        FaultKind::CutFrame(11),
        FaultKind::WrongCorrelationId,
        FaultKind::HostileLength(i32::MAX),
        FaultKind::HostileLength(-1),
        FaultKind::HostileLength(0),
        FaultKind::HostileLength(3),
        FaultKind::Disconnect(When::BeforeWork),
        FaultKind::Disconnect(When::AfterWork),
    ]
}

/// What stands in the log for the first time, in the order in which it stands there.
fn firsts(log: &[u64]) -> Vec<u64> {
    let mut seen = std::collections::HashSet::new();
    log.iter()
        .copied()
        .filter(|tag| seen.insert(*tag))
        .collect()
}

#[test]
fn a_produce_answer_that_makes_no_sense_costs_the_connection_and_nothing_else() {
    for kind in nonsense() {
        let bed = Bed::new(1, &QUICK);
        bed.mock().create_topic("t", 1);
        bed.send("t", 0);
        ok(&bed.report());
        let connected = bed.producer.metrics().connections_opened;
        bed.mock()
            .inject(Fault::on(ApiKey::Produce).kind(kind.clone()).times(2));
        for tag in 1..6 {
            bed.send("t", tag);
        }
        let reports = bed.reports(5);
        reports.iter().for_each(ok);
        assert!(reports.windows(2).all(|pair| pair[0].tag < pair[1].tag));
        let log = bed.log("t");
        assert_eq!(firsts(&log), [0, 1, 2, 3, 4, 5], "{kind:?}");
        let again = bed.producer.metrics().connections_opened - connected;
        // While the only broker is spared, the bootstrap server may be asked about others.
        assert!((2..=3).contains(&again), "{kind:?}: {again}");
        bed.settle();
        bed.close();
    }
}

#[test]
fn a_record_that_met_only_nonsense_is_reported_with_what_was_wrong_and_where() {
    let timeouts = [
        ("request.timeout.ms", "300"),
        ("delivery.timeout.ms", "500"),
    ];
    let bed = Bed::new(1, &[&QUICK[..], &timeouts].concat());
    bed.mock().create_topic("t", 1);
    let broken = Fault::on(ApiKey::Produce).kind(FaultKind::Truncate(9));
    bed.mock().inject(broken.forever());
    bed.send("t", 1);
    let report = bed.report();
    let said = bed.detail(&report);
    for part in ["127.0.0.1:", "Produce response", "truncated", "at byte"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_metadata_answer_that_makes_no_sense_is_asked_for_again() {
    for kind in nonsense() {
        let bed = Bed::new(2, &QUICK);
        bed.mock().create_topic("t", 3);
        bed.mock()
            .inject(Fault::on(ApiKey::Metadata).kind(kind.clone()).times(3));
        let count = bed
            .producer
            .partitions_for(TopicRef::Name("t"), Timeout::After(LONG));
        assert_eq!(count, Ok(3), "{kind:?}");
        bed.send("t", 1);
        ok(&bed.report());
    }
}

#[test]
fn a_handshake_answer_that_makes_no_sense_is_tried_again() {
    for kind in nonsense() {
        let bed = Bed::new(1, &QUICK);
        bed.mock()
            .inject(Fault::on(ApiKey::ApiVersions).kind(kind.clone()).times(2));
        bed.producer.start(Timeout::After(LONG)).unwrap();
        bed.producer.send(&record("t", b"v", 1)).unwrap();
        ok(&bed.report());
    }
}

#[test]
fn other_requests_on_the_broken_connection_are_sent_again() {
    let bed = Bed::new(1, &QUICK);
    bed.mock().create_topic("t", 4);
    bed.producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG))
        .unwrap();
    for round in 0..20 {
        bed.mock()
            .inject(Fault::on(ApiKey::Produce).kind(FaultKind::WrongCorrelationId));
        for partition in 0..4 {
            let tag: u64 = round * 10 + partition as u64;
            let value = tag.to_be_bytes();
            let sent = kprod::producer::Record {
                partition: Some(partition),
                ..record("t", &value, tag)
            };
            bed.producer.send(&sent).unwrap();
        }
    }
    bed.reports(80).iter().for_each(ok);
    for partition in 0..4 {
        let log = crate::support::log(bed.mock(), "t", partition);
        let expected: Vec<u64> = (0..20).map(|round| round * 10 + partition as u64).collect();
        assert_eq!(firsts(&log), expected);
    }
    bed.settle();
}

#[test]
fn a_cut_before_the_work_is_made_good_without_a_trace() {
    let bed = Bed::new(1, &QUICK);
    bed.mock().create_topic("t", 1);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Disconnect(When::BeforeWork))
            .times(3),
    );
    for tag in 0..5 {
        bed.send("t", tag);
    }
    bed.reports(5).iter().for_each(ok);
    assert_eq!(bed.log("t"), [0, 1, 2, 3, 4]);
}

#[test]
fn random_bytes_for_answers_never_end_the_producer() {
    let bed = Bed::new(1, &QUICK);
    bed.mock().create_topic("t", 1);
    let rng = kprod::sys::Rng::from_seed(99);
    for round in 0..150u64 {
        let mut bytes = vec![0; rng.below(200) as usize];
        bytes.fill_with(|| rng.next_u64() as u8);
        if bytes.len() >= 4 && round % 2 == 0 {
            // A whole frame, so that it is looked into.
            let length = bytes.len() as u32 - 4;
            bytes[..4].copy_from_slice(&length.to_be_bytes());
        }
        let api = [ApiKey::Produce, ApiKey::Metadata][round as usize % 2];
        let kind = FaultKind::Garbage(bytes.into());
        bed.mock().inject(Fault::on(api).kind(kind));
        // A garbled frame that promises more than it brings would be waited for: the cut ends that.
        let topic = format!("t{round}");
        bed.producer
            .try_send(&record(&topic, b"12345678", round))
            .unwrap();
        bed.mock()
            .wait_for(LONG, |cluster| {
                (cluster.waiting_faults() == 0).then_some(())
            })
            .unwrap();
        bed.mock().disconnect(1);
        let report = bed.report();
        assert_eq!((report.tag, report.error), (round, ErrorCode::OK));
    }
    assert_eq!(bed.producer.fatal_error(), None);
    bed.settle();
}

/// Has the broker say this of the next record to partition 0 of "t", for which nothing else is sent before.
fn answer_next(bed: &Bed, partition: PartitionProduceResponse) {
    let requests = bed.mock().requests(ApiKey::Produce);
    let last = requests.last().unwrap();
    let response = ProduceResponse {
        topics: vec![TopicProduceResponse {
            name: "t".into(),
            topic_id: bed.mock().with(|cluster| cluster.topic_id("t")).unwrap(),
            partitions: vec![partition],
        }],
        ..ProduceResponse::default()
    };
    let mut answer = BytesMut::new();
    encode_response_header(
        &mut answer,
        ApiKey::Produce,
        last.version,
        last.correlation_id + 1,
    );
    answer.extend_from_slice(&response.encode(last.version).unwrap());
    let mut frame = BytesMut::from(&(answer.len() as u32).to_be_bytes()[..]);
    frame.extend_from_slice(&answer);
    let kind = FaultKind::Garbage(frame.freeze());
    bed.mock().inject(Fault::on(ApiKey::Produce).kind(kind));
}

#[test]
fn numbers_below_those_that_mean_unknown_do_not_get_into_a_report() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 0);
    ok(&bed.report());
    let times_and_start = PartitionProduceResponse {
        base_offset: 5,
        log_append_time_ms: -9,
        log_start_offset: -7,
        ..PartitionProduceResponse::default()
    };
    let all = PartitionProduceResponse {
        base_offset: i64::MIN,
        log_append_time_ms: i64::MIN,
        log_start_offset: i64::MIN,
        ..PartitionProduceResponse::default()
    };
    for (tag, said, offset, kept) in [
        (1, times_and_start, 5, TimestampType::CreateTime),
        (2, all, -1, TimestampType::None),
    ] {
        answer_next(&bed, said);
        bed.send("t", tag);
        let report = bed.report();
        ok(&report);
        assert_eq!((report.tag, report.offset), (tag, offset));
        assert_eq!(report.timestamp_type, kept, "{report:?}");
        assert_eq!(report.log_start_offset, -1);
    }
}
