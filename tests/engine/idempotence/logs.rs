//! Logs that are not what they were: records lost or deleted, topics made anew.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, TopicConfig, When};
use kprod::producer::{Callbacks, Timeout, TopicRef};
use kprod::protocol::{ApiKey, VersionRange};

use crate::support::{Bed, LONG, cluster, ok, producer, until};

use super::{bed, deliver, epochs, sequences};

fn only(reports: &[Report], kind: ReportKind) -> &Report {
    let found = reports.iter().find(|report| report.kind == kind);
    found.unwrap()
}

/// Produce by topic names, so that an answer does not tell whether the topic is still the same.
fn name_topics(bed: &Bed) {
    let by_name = VersionRange { min: 3, max: 12 };
    bed.mock()
        .with(|cluster| cluster.set_api_versions(1, ApiKey::Produce, Some(by_name)));
}

/// Data that is gone: told, counted, and by choice the end.
#[test]
fn data_loss_is_reported_and_the_producer_goes_on_under_a_new_epoch() {
    goes_on_after_a_loss(&bed(1, &[("kprod.events", "true")]));
}

#[test]
fn data_loss_is_reported_too_where_topics_are_named() {
    let bed = bed(1, &[("kprod.events", "true")]);
    name_topics(&bed);
    goes_on_after_a_loss(&bed);
}

fn goes_on_after_a_loss(bed: &Bed) {
    deliver(bed, 0..5);
    bed.mock().with(|cluster| cluster.lose_records("t", 0, 2));
    bed.send("t", 5);
    let reports = bed.reports(2);
    let event = only(&reports, ReportKind::Event);
    assert_eq!(event.error, ErrorCode::DATA_LOSS);
    let said = bed.detail(event);
    assert!(
        said.contains("topic t partition 0") && said.contains("offset 4"),
        "{said}"
    );
    let record = only(&reports, ReportKind::Record);
    ok(record);
    assert_eq!((record.tag, record.offset), (5, 2));
    assert_eq!(bed.producer.metrics().data_losses, 1);
    deliver(bed, 6..9);
    assert_eq!(bed.log("t"), [0, 1, 5, 6, 7, 8]);
    assert_eq!(epochs(bed.mock(), 0), [0, 1]);
}

/// A broker that has lost the producer's state too takes what follows: at an offset that was acknowledged already.
#[test]
fn data_loss_shows_in_offsets_that_go_back() {
    let bed = bed(1, &[("kprod.events", "true")]);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.lose_records("t", 0, 2);
        cluster.forget_producers("t", 0);
    });
    bed.send("t", 5);
    let reports = bed.reports(2);
    let event = only(&reports, ReportKind::Event);
    assert_eq!(event.error, ErrorCode::DATA_LOSS);
    assert!(bed.detail(event).contains("offset 4"));
    deliver(&bed, 6..9);
    assert_eq!(bed.log("t"), [0, 1, 5, 6, 7, 8]);
    assert_eq!(bed.producer.metrics().data_losses, 1);
}

/// After a broker's failure the first batch is one that was sent before.
#[test]
fn data_loss_shows_also_where_what_comes_next_had_to_be_sent_again() {
    let settings = [("kprod.events", "true"), ("reconnect.backoff.ms", "1")];
    let bed = bed(1, &settings);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.lose_records("t", 0, 2);
        cluster.forget_producers("t", 0);
        cluster.inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(When::BeforeWork)));
    });
    bed.send("t", 5);
    let reports = bed.reports(2);
    let event = only(&reports, ReportKind::Event);
    assert_eq!(event.error, ErrorCode::DATA_LOSS);
    assert!(bed.detail(event).contains("offset 4"));
    ok(only(&reports, ReportKind::Record));
    deliver(&bed, 6..9);
    assert_eq!(bed.producer.metrics().data_losses, 1);
}

/// What a broker says that has not heard of the new topic is no proof that there is none.
#[test]
fn a_topic_made_anew_is_no_loss_though_a_broker_has_not_heard_of_it() {
    no_loss_in_a_new_topic(Duration::ZERO);
}

/// Nor because who would know better cannot be asked for a while.
#[test]
fn a_topic_made_anew_is_no_loss_though_its_leader_is_not_to_be_asked() {
    no_loss_in_a_new_topic(Duration::from_millis(2500));
}

/// `silence`: for that long the leader wants to hear nothing.
fn no_loss_in_a_new_topic(silence: Duration) {
    let bed = bed(2, &[("kprod.data.loss", "stop")]);
    let by_name = VersionRange { min: 3, max: 12 };
    bed.mock().with(|cluster| {
        cluster.create_topic("u", &TopicConfig::new(1));
        cluster.set_leader("u", 0, 1);
        cluster.set_leader("t", 0, 2);
        cluster.set_api_versions(2, ApiKey::Produce, Some(by_name));
    });
    // So that the other one is connected to, and may be asked.
    bed.send("u", 0);
    ok(&bed.report());
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.set_stale_metadata(1, true);
        cluster.delete_topic("t");
        cluster.create_topic("t", &TopicConfig::new(3));
        cluster.set_leader("t", 0, 2);
        cluster.inject(Fault::on(ApiKey::Produce).throttle(silence));
    });
    deliver(&bed, 5..6);
    until("the new topic is known", || {
        let count = bed
            .producer
            .partitions_for(TopicRef::Name("t"), Timeout::Now);
        count.is_ok_and(|count| count == 3)
    });
    deliver(&bed, 6..9);
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// Where a producer ends before its leader could be asked, that is said.
#[test]
fn a_suspicion_that_a_close_cuts_short_is_logged() {
    let (bed, log) = logging(&[]);
    name_topics(&bed);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.lose_records("t", 0, 0);
        cluster.forget_producers("t", 0);
    });
    deliver(&bed, 5..6);
    bed.close();
    assert!(said_of_offsets(&log).contains("the producer was closed before"));
}

/// There a topic made anew looks the same.
#[test]
fn brokers_without_topic_ids_leave_open_what_offsets_that_go_back_mean() {
    let (bed, log) = logging(&[("kprod.data.loss", "stop")]);
    let without_ids = VersionRange { min: 0, max: 9 };
    bed.mock()
        .with(|cluster| cluster.set_api_versions(1, ApiKey::Metadata, Some(without_ids)));
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.lose_records("t", 0, 0);
        cluster.forget_producers("t", 0);
    });
    deliver(&bed, 5..6);
    assert!(said_of_offsets(&log).contains("brokers that give no topic ids"));
    deliver(&bed, 6..9);
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// A bed that tells its log.
fn logging(settings: &[(&str, &str)]) -> (Bed, mpsc::Receiver<String>) {
    let server = cluster(1);
    server.handle().create_topic("t", 1);
    let (said, log) = mpsc::channel();
    let said = Mutex::new(said);
    let callbacks = Callbacks {
        log: Some(Arc::new(move |_, message| {
            let _ = said.lock().unwrap().send(message.to_owned());
        })),
        ..Callbacks::default()
    };
    let settings: Vec<_> = [super::IDEMPOTENT]
        .iter()
        .chain(settings)
        .copied()
        .collect();
    let producer = producer(&server, &settings, callbacks);
    (Bed { server, producer }, log)
}

fn said_of_offsets(log: &mpsc::Receiver<String>) -> String {
    let mut lines = std::iter::from_fn(|| log.recv_timeout(LONG).ok());
    lines
        .find(|line| {
            line.contains(
                "topic t partition 0: offset 4, which was acknowledged, is not where it was",
            )
        })
        .unwrap()
}

#[test]
fn data_loss_stops_a_producer_that_is_told_to() {
    let bed = bed(1, &[("kprod.data.loss", "stop")]);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| cluster.lose_records("t", 0, 2));
    bed.send("t", 5);
    let report = bed.report();
    assert_eq!(
        (report.error, report.persistence()),
        (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, Persistence::Not)
    );
    until("the producer has failed", || {
        bed.producer.fatal_error().is_some()
    });
    assert_eq!(
        bed.producer.fatal_error().unwrap().code,
        ErrorCode::DATA_LOSS
    );
    bed.close();
}

/// Nothing is written behind the loss while it is looked into.
#[test]
fn data_loss_stops_a_producer_too_where_topics_are_named() {
    let bed = bed(1, &[("kprod.data.loss", "stop")]);
    name_topics(&bed);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| cluster.lose_records("t", 0, 2));
    bed.send("t", 5);
    let report = bed.report();
    assert_ne!(report.error, ErrorCode::OK);
    assert_eq!(report.persistence(), Persistence::Not);
    let fatal = bed.producer.fatal_error().unwrap();
    assert_eq!(fatal.code, ErrorCode::DATA_LOSS);
    assert_eq!(bed.log("t"), [0, 1]);
    bed.close();
}

/// Scenario 38: records deleted and the producer id forgotten is no loss.
#[test]
fn a_producer_id_that_expired_with_its_records_is_no_loss() {
    let bed = bed(1, &[]);
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.delete_records("t", 0);
        cluster.forget_producers("t", 0);
    });
    deliver(&bed, 5..10);
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// T7, scenario 56.
#[test]
fn in_a_topic_made_anew_sequences_begin_anew() {
    let bed = bed(
        1,
        &[("retry.backoff.ms", "1"), ("metadata.max.age.ms", "50")],
    );
    deliver(&bed, 0..5);
    bed.mock().with(|cluster| {
        cluster.delete_topic("t");
        cluster.create_topic("t", &TopicConfig::new(2))
    });
    deliver(&bed, 5..10);
    assert_eq!(bed.log("t"), (5..10).collect::<Vec<_>>());
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// What is in doubt keeps its place, whatever the cluster says of the topic meanwhile: metadata may be old.
#[test]
fn what_was_in_doubt_in_a_topic_that_is_gone_keeps_its_place_in_the_new_one() {
    for by_id in [true, false] {
        let settings = [("retry.backoff.ms", "1"), ("reconnect.backoff.ms", "1")];
        let bed = bed(1, &settings);
        if !by_id {
            let by_name = VersionRange { min: 3, max: 12 };
            bed.mock()
                .with(|cluster| cluster.set_api_versions(1, ApiKey::Produce, Some(by_name)));
            bed.mock().disconnect(1);
        }
        deliver(&bed, 0..5);
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .kind(FaultKind::Swallow(When::AfterWork))
                .forever(),
        );
        (5..8).for_each(|tag| bed.send("t", tag));
        until("three are in doubt", || {
            bed.mock().with(|cluster| cluster.end_offset("t", 0)) == 8
        });
        bed.mock().with(|cluster| {
            cluster.delete_topic("t");
            cluster.create_topic("t", &TopicConfig::new(2));
            cluster.clear_faults();
        });
        bed.mock().disconnect(1);
        bed.reports(3).iter().for_each(ok);
        deliver(&bed, 8..10);
        assert_eq!(bed.log("t"), (5..10).collect::<Vec<_>>());
        assert_eq!(sequences(bed.mock(), 0)[0], 5);
    }
}
