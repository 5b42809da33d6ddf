//! Topics that are made anew between batches that are in flight. Where Produce names topics, the new log takes whichever
//! comes first, and none that was before it.

use std::time::Duration;

use kprod::completion::{Persistence, Report};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, TopicConfig, When};
use kprod::producer::{Record, Timeout, TopicRef};
use kprod::protocol::{ApiKey, VersionRange};

use crate::support::{Bed, ok, record, until};

use super::{bed, deliver};

const QUICK: [(&str, &str); 3] = [
    ("retry.backoff.ms", "20"),
    ("metadata.max.age.ms", "20"),
    ("reconnect.backoff.ms", "1"),
];

/// Two brokers, the first of which leads, and five records.
fn led(settings: &[(&str, &str)], by_name: bool) -> Bed {
    let bed = empty(settings, by_name);
    deliver(&bed, 0..5);
    bed
}

fn empty(settings: &[(&str, &str)], by_name: bool) -> Bed {
    let bed = bed(2, settings);
    bed.mock().with(|cluster| {
        cluster.set_leader("t", 0, 1);
        if by_name {
            let by_name = VersionRange { min: 3, max: 12 };
            (1..=2).for_each(|broker| {
                cluster.set_api_versions(broker, ApiKey::Produce, Some(by_name));
            });
        }
    });
    bed
}

fn hide(bed: &Bed, hidden: bool) {
    bed.mock().with(|cluster| {
        (1..=2).for_each(|broker| cluster.set_stale_metadata(broker, hidden));
    });
}

/// Another topic of the name, of which metadata does not tell yet.
fn make_anew(bed: &Bed, config: &TopicConfig) {
    hide(bed, true);
    bed.mock().with(|cluster| {
        cluster.delete_topic("t");
        cluster.create_topic("t", config);
        cluster.set_leader("t", 0, 1);
    });
}

/// Lets metadata tell of it.
fn show(bed: &Bed) {
    hide(bed, false);
    until("the new topic is known", || {
        let count = bed
            .producer
            .partitions_for(TopicRef::Name("t"), Timeout::Now);
        count.is_ok_and(|count| count == 3)
    });
}

fn asked(bed: &Bed) -> usize {
    bed.mock().requests(ApiKey::Produce).len()
}

fn refuse(code: ErrorCode) -> Fault {
    Fault::on(ApiKey::Produce).error(code)
}

fn told(reports: &[Report]) -> Vec<(u64, ErrorCode)> {
    let told = reports.iter().map(|report| (report.tag, report.error));
    told.collect()
}

/// What follows where the topic is made anew between two that are in flight: the old log, or nobody, has refused the
/// first, and the new one takes the second.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Second {
    /// Its answer comes with the first one's.
    Answered,
    /// Its answer comes when the topic is known to be another.
    AnsweredLate,
    /// It is asked for again.
    AnswerLost,
}

#[test]
fn a_batch_that_a_new_topic_has_overtaken_is_neither_told_as_delivered_nor_written_behind() {
    let refusals = [
        (ErrorCode::NOT_ENOUGH_REPLICAS, Persistence::Not),
        (ErrorCode::CORRUPT_MESSAGE, Persistence::Not),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Persistence::Possibly),
    ];
    let seconds = [Second::Answered, Second::AnsweredLate, Second::AnswerLost];
    for (refusal, second) in refusals
        .into_iter()
        .flat_map(|refusal| seconds.map(|second| (refusal, second)))
    {
        overtaken_in_a_new_topic(refusal.0, refusal.1, second);
    }
}

fn overtaken_in_a_new_topic(refusal: ErrorCode, persistence: Persistence, second: Second) {
    let case = format!("{refusal}, {second:?}");
    let settings = [
        ("retry.backoff.ms", "400"),
        ("metadata.max.age.ms", "20"),
        ("reconnect.backoff.ms", "1"),
    ];
    let bed = led(&settings, true);
    let sent = asked(&bed);
    make_anew(&bed, &TopicConfig::new(3));
    let mock = bed.mock();
    mock.inject(refuse(refusal).delay(Duration::from_millis(50)));
    let on = || Fault::on(ApiKey::Produce);
    match second {
        Second::Answered => {}
        Second::AnsweredLate => mock.inject(on().delay(Duration::from_millis(300))),
        Second::AnswerLost => mock.inject(on().kind(FaultKind::Swallow(When::AfterWork))),
    }
    (5..7).for_each(|tag| bed.send("t", tag));
    until("both are on their way", || asked(&bed) >= sent + 2);
    show(&bed);
    if second == Second::AnswerLost {
        until("the first is refused", || {
            bed.producer.metrics().batch_retries > 0
        });
        mock.disconnect(1);
    }
    let reports = bed.reports(2);
    let refused = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    assert_eq!(told(&reports), [(5, refused), (6, ErrorCode::OK)], "{case}");
    let certain = reports[0].persistence() == Persistence::Not;
    assert!(certain || reports[0].persistence() == persistence, "{case}");
    deliver(&bed, 7..9);
    assert_eq!(bed.log("t"), [6, 7, 8], "{case}");
    assert_eq!(bed.producer.metrics().data_losses, 0, "{case}");
}

/// The second's offset is the one behind the last that was acknowledged: there is no room for the first, unless the log
/// is another one, or has lost that last.
#[test]
fn one_that_the_log_may_have_is_not_told_as_missing() {
    for by_name in [true, false] {
        let bed = empty(&[("retry.backoff.ms", "20")], by_name);
        deliver(&bed, 0..1);
        match by_name {
            true => make_anew(&bed, &TopicConfig::new(3)),
            false => bed.mock().with(|cluster| cluster.lose_records("t", 0, 0)),
        }
        let mock = bed.mock();
        let lost = Fault::on(ApiKey::Produce).error_after_work(ErrorCode::REQUEST_TIMED_OUT);
        mock.inject(lost.delay(Duration::from_millis(50)));
        mock.inject(Fault::on(ApiKey::Produce));
        mock.inject(refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        (1..3).for_each(|tag| bed.send("t", tag));
        let reports = bed.reports(2);
        let refused = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        assert_eq!(told(&reports), [(1, refused), (2, ErrorCode::OK)]);
        assert_eq!(bed.log("t"), [1, 2]);
        assert_eq!(reports[0].persistence(), Persistence::Possibly);
        assert!(bed.detail(&reports[0]).ends_with("is not known"));
    }
}

/// The first was refused for good by the old log, and what followed it therefore; what is sent then comes to the new one.
#[test]
fn no_batch_is_given_a_place_anew_while_one_behind_it_may_be_in_the_log() {
    for answered in [true, false] {
        let settings = [("retry.backoff.ms", "20"), ("reconnect.backoff.ms", "1")];
        let bed = led(&settings, true);
        let sent = asked(&bed);
        bed.mock()
            .inject(refuse(ErrorCode::INVALID_RECORD).delay(Duration::from_millis(300)));
        (5..8).for_each(|tag| bed.send("t", tag));
        until("three are on their way", || asked(&bed) >= sent + 3);
        make_anew(&bed, &TopicConfig::new(3));
        if !answered {
            let lost = Fault::on(ApiKey::Produce).kind(FaultKind::Swallow(When::AfterWork));
            bed.mock().inject(lost);
        }
        bed.send("t", 8);
        until("the last is in the log", || bed.log("t") == [8]);
        let mut reports = vec![bed.report()];
        if !answered {
            bed.mock().disconnect(1);
        }
        reports.extend(bed.reports(3));
        let refused = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        let expected = [
            (5, ErrorCode::INVALID_RECORD),
            (6, refused),
            (7, refused),
            (8, ErrorCode::OK),
        ];
        assert_eq!(told(&reports), expected, "answered: {answered}");
        assert_eq!(bed.log("t"), [8], "answered: {answered}");
    }
}

/// The first is not in the log and waits for what the second shows, whose answer comes when the topic is another.
#[test]
fn reports_keep_their_order_where_one_fails_that_was_to_show_what_became_of_another() {
    let bed = led(&QUICK, true);
    let to_second = Record {
        partition: Some(1),
        ..record("t", b"v", 99)
    };
    // So that the other broker is connected to, and can be asked.
    bed.mock().with(|cluster| cluster.set_leader("t", 1, 2));
    bed.producer.send(&to_second).unwrap();
    ok(&bed.report());
    let sent = asked(&bed);
    make_anew(&bed, &TopicConfig::new(3));
    let on = || Fault::on(ApiKey::Produce);
    let mock = bed.mock();
    mock.inject(refuse(ErrorCode::NOT_ENOUGH_REPLICAS));
    mock.inject(on().kind(FaultKind::Swallow(When::BeforeWork)));
    mock.inject(on().kind(FaultKind::Swallow(When::AfterWork)));
    mock.inject(on().delay(Duration::from_millis(800)).times(2));
    (5..8).for_each(|tag| bed.send("t", tag));
    until("all are on their way", || asked(&bed) >= sent + 3);
    until("the first is refused", || {
        bed.producer.metrics().batch_retries > 0
    });
    mock.disconnect(1);
    until("the second is asked for", || asked(&bed) >= sent + 5);
    show(&bed);
    let refused = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
    let expected = [(5, refused), (6, refused), (7, ErrorCode::OK)];
    assert_eq!(told(&bed.reports(3)), expected);
    assert_eq!(bed.log("t"), [7]);
}

/// Once the new log has taken one it knows the producer, and what it refuses then can be given a place anew.
#[test]
fn one_that_is_refused_for_good_by_the_new_topic_takes_no_others_along() {
    // Nothing is tried again before the new topic is known.
    let settings = [("retry.backoff.ms", "1000"), ("metadata.max.age.ms", "20")];
    for by_name in [true, false] {
        let bed = led(&settings, by_name);
        make_anew(&bed, &TopicConfig::new(3).max_message_bytes(500));
        let by_old_name = refuse(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        if by_name {
            // What is in flight finds neither topic.
            bed.mock().inject(by_old_name.times(4));
        }
        let sent = asked(&bed);
        for tag in 5..9u64 {
            let mut value = vec![7; if tag == 6 { 1000 } else { 8 }];
            value[..8].copy_from_slice(&tag.to_be_bytes());
            let sized = Record {
                partition: Some(0),
                ..record("t", &value, tag)
            };
            bed.producer.send(&sized).unwrap();
        }
        until("all are on their way", || asked(&bed) >= sent + 4);
        show(&bed);
        let expected = [
            (5, ErrorCode::OK),
            (6, ErrorCode::MESSAGE_TOO_LARGE),
            (7, ErrorCode::OK),
            (8, ErrorCode::OK),
        ];
        assert_eq!(told(&bed.reports(4)), expected, "by name: {by_name}");
        assert_eq!(bed.log("t"), [5, 7, 8], "by name: {by_name}");
    }
}

/// Its epochs are another count, beside which the new topic's would be old for ever.
#[test]
fn what_a_broker_says_late_of_the_old_topics_leader_is_not_believed() {
    let bed = led(&QUICK, true);
    let sent = asked(&bed);
    hide(&bed, true);
    bed.mock().with(|cluster| {
        // The old topic's leader has moved often.
        (0..3).for_each(|_| cluster.set_leader("t", 0, 1));
        cluster.set_leader("t", 0, 2);
        cluster.inject(Fault::on(ApiKey::Produce).delay(Duration::from_millis(500)));
    });
    bed.send("t", 5);
    until("it is on its way", || asked(&bed) > sent);
    make_anew(&bed, &TopicConfig::new(3));
    show(&bed);
    ok(&bed.report());
    deliver(&bed, 6..8);
}
