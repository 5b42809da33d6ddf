//! Logs that lose what transactions wrote, and topics made anew under them.

use kprod::error::{Class, ErrorCode};
use kprod::mock::{Fault, FaultKind, TopicConfig, When};
use kprod::producer::{Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{ok, until};

use super::{BOTH, WAIT, send_to, stage};

/// A broker that has lost committed records refuses what follows them: once, and not in every transaction from then on.
#[test]
fn after_lost_records_the_next_transaction_begins_anew() {
    for version in BOTH {
        let stage = stage(version, &[("batch.size", "0")]);
        stage.begin();
        for tag in [0, 3, 6] {
            stage.send(tag);
        }
        stage.commit();
        stage.reports(3).iter().for_each(ok);
        stage.mock().with(|c| c.lose_records("t", 0, 1));
        let mut failed = 0u64;
        for round in 0..4u64 {
            stage.begin();
            stage.send(9 + round * 3);
            match stage.producer.commit_transaction(WAIT) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.class, Class::Abortable, "{error:?}");
                    failed += 1;
                    stage.abort();
                }
            }
        }
        assert!(
            failed <= 1,
            "{failed} transactions of 4 failed under {version}"
        );
        // Under the first protocol the topic is named, so that its leader is asked first whether it is the same.
        until("the loss is told", || {
            stage.producer.metrics().data_losses == failed
        });
    }
}

/// What a transaction wrote before its topic was made anew, or its log began anew, is not committed without.
#[test]
fn what_is_gone_takes_its_transaction_along() {
    for (version, made_anew) in BOTH.into_iter().flat_map(|v| [(v, true), (v, false)]) {
        let stage = stage(version, &[("metadata.max.age.ms", "50")]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage.mock().with(|cluster| {
            if made_anew {
                cluster.delete_topic("t");
                cluster.create_topic("t", &TopicConfig::new(3));
            } else {
                cluster.lose_records("t", 0, 0);
                cluster.forget_producers("t", 0);
            }
        });
        until("the transaction has failed", || {
            send_to(&stage.producer, 0, 3).is_err()
        });
        let error = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(error.class, Class::Abortable, "{error:?}");
        assert!(error.message.contains("topic t"), "{error:?}");
        stage.abort();
        stage.begin();
        stage.send(6);
        stage.commit();
        assert_eq!(stage.committed(), [6]);
    }
}

/// A commit that may have been done is asked for until its outcome is known, whatever becomes of the topics.
#[test]
fn a_commit_that_was_done_is_told_so_though_a_topic_is_made_anew_before_its_answer() {
    let unanswered = Fault::on(ApiKey::EndTxn).kind(FaultKind::Swallow(When::AfterWork));
    // So a coordinator answers that does not know whether it has noted the end.
    let unclear = Fault::on(ApiKey::EndTxn).error_after_work(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    for (version, fault) in BOTH
        .into_iter()
        .flat_map(|version| [(version, unanswered.clone()), (version, unclear.clone())])
    {
        let settings = [("metadata.max.age.ms", "20"), ("retry.backoff.ms", "500")];
        let stage = stage(version, &settings);
        stage.begin_with(0);
        stage.mock().inject(fault);
        std::thread::scope(|scope| {
            let commit = scope.spawn(|| stage.producer.commit_transaction(WAIT));
            until("it is committed", || stage.committed() == [0]);
            stage.mock().with(|cluster| {
                cluster.delete_topic("t");
                cluster.create_topic("t", &TopicConfig::new(5));
            });
            until("the new topic is known", || {
                let count = stage
                    .producer
                    .partitions_for(TopicRef::Name("t"), Timeout::Now);
                count.is_ok_and(|count| count == 5)
            });
            (1..=3).for_each(|broker| stage.mock().disconnect(broker));
            assert_eq!(commit.join().unwrap(), Ok(()));
        });
        stage.transact(3);
        assert_eq!(stage.committed(), [3]);
    }
}

/// What a loss ends is reported in its order: what shows it goes before what waits behind.
#[test]
fn reports_keep_their_order_where_a_loss_ends_the_transaction() {
    for (version, forgotten) in BOTH.into_iter().flat_map(|v| [(v, true), (v, false)]) {
        let settings = [
            ("batch.size", "0"),
            ("max.in.flight.requests.per.connection", "1"),
        ];
        let stage = stage(version, &settings);
        stage.begin();
        [0, 3, 6].into_iter().for_each(|tag| stage.send(tag));
        stage.commit();
        stage.reports(3).iter().for_each(ok);
        stage.mock().with(|cluster| {
            cluster.lose_records("t", 0, 1);
            if forgotten {
                cluster.forget_producers("t", 0);
            }
        });
        stage.begin();
        let sent = [9, 12, 15];
        sent.into_iter().for_each(|tag| stage.send(tag));
        let _ = stage.producer.commit_transaction(WAIT);
        let reports = stage.reports(3);
        let tags: Vec<_> = reports.iter().map(|report| report.tag).collect();
        assert_eq!(tags, sent, "{version}, forgotten: {forgotten}");
    }
}
