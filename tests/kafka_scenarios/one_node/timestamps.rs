//! Scenario 24: whose time a record has, and which times the broker refuses.

use kprod::completion::{Persistence, TimestampType};
use kprod::error::ErrorCode;
use kprod::producer::Record;

use crate::bed::{Bed, ok, record, wall_clock};
use crate::pool::{Kind, shared};
use crate::support::consumer::{self, Isolation};
use crate::support::kafka::KafkaCluster;

#[test]
fn scenario_24_log_append_time_is_the_brokers() {
    log_append_time_is_the_brokers(&shared(Kind::OneNode));
}

pub fn log_append_time_is_the_brokers(cluster: &KafkaCluster) {
    let topic = "scenario-24";
    cluster.create_topic(topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    let before = wall_clock();
    bed.send(&Record {
        timestamp: Some(1_000),
        ..record(topic, b"v", 1)
    });
    let report = bed.reports(1)[0];
    ok(&report);
    assert_eq!(report.timestamp_type, TimestampType::LogAppendTime);
    assert!(
        (before..=wall_clock()).contains(&report.timestamp),
        "{report:?}"
    );
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(
        read[0].timestamp_type,
        consumer::TimestampType::LogAppendTime
    );
    assert_eq!(read[0].timestamp, report.timestamp);
}

#[test]
fn scenario_24_a_time_in_the_future_is_refused_for_its_record() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-24-future";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(
        &cluster.bootstrap(),
        &[("linger.ms", "3600000"), ("request.timeout.ms", "3600000")],
    );
    let future = wall_clock() + 2 * 3_600_000;
    for tag in 0..3 {
        bed.send(&Record {
            timestamp: (tag == 1).then_some(future),
            ..record(topic, b"v", tag)
        });
    }
    bed.flush();
    let reports = bed.reports_now();
    let errors: Vec<ErrorCode> = reports.iter().map(|report| report.error).collect();
    let neighbour = ErrorCode::RECORD_NEIGHBOUR;
    assert_eq!(errors, [neighbour, ErrorCode::INVALID_TIMESTAMP, neighbour]);
    assert!(reports.iter().all(|r| r.persistence() == Persistence::Not));
    assert!(bed.message(&reports[1]).contains(topic));
    // The neighbours may be sent again, as their error says.
    assert!(neighbour.is_retriable());
    bed.send(&record(topic, b"v", 3));
    bed.flush();
    ok(&bed.reports(1)[0]);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
    assert!(read[0].timestamp <= wall_clock());
    bed.assert_at_rest();
}
