//! What goes wrong in a schedule, and how it is made good again.

use std::time::Duration;

use bytes::Bytes;
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, InjectedError, MockHandle, When};
use kprod::protocol::ApiKey;
use kprod::sys::Rng;

use super::plan::{Plan, Topic, Weather, millis, one_in, pick};

/// Nothing was written, and trying again is right.
const REFUSALS: [ErrorCode; 9] = [
    ErrorCode::CORRUPT_MESSAGE,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::THROTTLING_QUOTA_EXCEEDED,
    ErrorCode::MESSAGE_TOO_LARGE,
];
/// Nothing was written, nor ever will be.
const FINAL: [ErrorCode; 5] = [
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::INVALID_RECORD,
    ErrorCode::INVALID_TIMESTAMP,
    ErrorCode::INVALID_REQUIRED_ACKS,
    ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
];
/// Written or not.
const AMBIGUOUS: [ErrorCode; 4] = [
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::NETWORK_EXCEPTION,
    ErrorCode::UNKNOWN_SERVER_ERROR,
];

/// Makes something happen to the cluster; says what.
pub fn strike(rng: &Rng, mock: &MockHandle, plan: &Plan) -> String {
    match plan.weather {
        Weather::Calm => "nothing".into(),
        Weather::Refusals => match rng.below(6) {
            0 | 1 => inject(mock, refusal(rng, &plan.topics)),
            2 | 3 => move_leader(rng, mock, plan),
            // Slower than this, a superseded leader is not waited for, and a record may be written twice.
            4 => slow(rng, mock, plan, &[0, 20, 400, 900]),
            _ => inject(
                mock,
                Fault::on(ApiKey::Produce).throttle(millis(rng, 1, 800)),
            ),
        },
        Weather::Storm if plan.fatal && one_in(rng, 10) => inject(
            mock,
            Fault::on(ApiKey::Produce).error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
        ),
        Weather::Storm if plan.deletes && one_in(rng, 5) => delete(rng, mock, plan),
        Weather::Storm => match rng.below(14) {
            0..=5 => inject(mock, storm(rng, &plan.topics)),
            6 | 7 => move_leader(rng, mock, plan),
            8 => {
                let broker = any_broker(rng, plan);
                let state = pick(rng, &[BrokerState::Crashed, BrokerState::Down]);
                mock.set_broker_state(broker, state);
                format!("broker {broker} {state:?}")
            }
            9 => {
                let broker = any_broker(rng, plan);
                mock.set_broker_state(broker, BrokerState::Up);
                format!("broker {broker} up")
            }
            10 => {
                let broker = any_broker(rng, plan);
                mock.disconnect(broker);
                format!("broker {broker} cuts its connections")
            }
            11 => slow(rng, mock, plan, &[0, 20, 400, 1500]),
            12 => doubts(rng, mock, plan.acks == "all"),
            _ => {
                let topic = &plan.topics[rng.below(plan.topics.len() as u64) as usize];
                let partition = rng.below(topic.partitions as u64) as i32;
                mock.with(|cluster| cluster.restore_producers(&topic.name, partition));
                format!(
                    "{}/{partition} remembers a batch of each producer",
                    topic.name
                )
            }
        },
    }
}

/// What a leader says with acks=all of a batch that it has written, when its followers do not come or it is the leader
/// no more.
const AFTER_APPENDS: [ErrorCode; 4] = [
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::KAFKA_STORAGE_ERROR,
];

/// Some of the next Produce requests are in doubt although written, others answered well.
pub fn doubts(rng: &Rng, mock: &MockHandle, replicated: bool) -> String {
    let pattern: Vec<bool> = (0..2 + rng.below(10)).map(|_| one_in(rng, 3)).collect();
    for in_doubt in &pattern {
        let fault = Fault::on(ApiKey::Produce);
        mock.inject(match in_doubt {
            true if replicated => fault.error_after_work(pick(rng, &AFTER_APPENDS)),
            true => fault.error_after_work(ErrorCode::REQUEST_TIMED_OUT),
            false => fault,
        });
    }
    format!("in doubt: {pattern:?}")
}

fn inject(mock: &MockHandle, fault: Fault) -> String {
    let said = format!("{fault:?}");
    mock.inject(fault);
    said
}

fn any_broker(rng: &Rng, plan: &Plan) -> i32 {
    1 + rng.below(plan.brokers as u64) as i32
}

fn move_leader(rng: &Rng, mock: &MockHandle, plan: &Plan) -> String {
    let topic = &plan.topics[rng.below(plan.topics.len() as u64) as usize];
    let partition = rng.below(topic.partitions as u64) as i32;
    if plan.weather == Weather::Storm && one_in(rng, 6) {
        mock.with(|cluster| cluster.remove_leader(&topic.name, partition));
        return format!("{}/{partition} without a leader", topic.name);
    }
    let broker = any_broker(rng, plan);
    mock.set_leader(&topic.name, partition, broker);
    format!("{}/{partition} to broker {broker}", topic.name)
}

/// Deletes a topic, and mostly makes it anew.
fn delete(rng: &Rng, mock: &MockHandle, plan: &Plan) -> String {
    let topic = &plan.topics[rng.below(plan.topics.len() as u64) as usize];
    mock.with(|cluster| cluster.delete_topic(&topic.name));
    if one_in(rng, 3) {
        return format!("{} deleted", topic.name);
    }
    mock.create_topic(&topic.name, topic.partitions);
    format!("{} made anew", topic.name)
}

fn slow(rng: &Rng, mock: &MockHandle, plan: &Plan, times: &[u64]) -> String {
    let broker = any_broker(rng, plan);
    if one_in(rng, 3) {
        let stale = one_in(rng, 2);
        mock.with(|cluster| cluster.set_stale_metadata(broker, stale));
        return format!("broker {broker} stale: {stale}");
    }
    let time = pick(rng, times);
    mock.with(|cluster| cluster.set_round_trip(broker, Duration::from_millis(time)));
    format!("broker {broker} answers after {time} ms")
}

fn scoped(rng: &Rng, fault: Fault, topics: &[Topic]) -> Fault {
    let topic = &topics[rng.below(topics.len() as u64) as usize];
    match rng.below(3) {
        0 => fault,
        1 => fault.topic(&topic.name),
        _ => {
            let partition = rng.below(topic.partitions as u64) as i32;
            fault.partition(&topic.name, partition)
        }
    }
}

fn refusal(rng: &Rng, topics: &[Topic]) -> Fault {
    let times = 1 + rng.below(3) as u32;
    if one_in(rng, 5) {
        let code = pick(rng, &[ErrorCode::LEADER_NOT_AVAILABLE, ErrorCode(3)]);
        let topic = &topics[rng.below(topics.len() as u64) as usize];
        let fault = Fault::on(ApiKey::Metadata).topic(&topic.name);
        return fault.error(code).times(times);
    }
    let fault = Fault::on(ApiKey::Produce).error(pick(rng, &REFUSALS));
    scoped(rng, fault, topics).times(times)
}

fn storm(rng: &Rng, topics: &[Topic]) -> Fault {
    let api = match rng.below(8) {
        0 => ApiKey::ApiVersions,
        1 | 2 => ApiKey::Metadata,
        _ => ApiKey::Produce,
    };
    let side = pick(rng, &[When::BeforeWork, When::AfterWork]);
    let kind = match rng.below(10) {
        0..=2 if api == ApiKey::Produce => produce_error(rng),
        0..=2 => FaultKind::None,
        3 | 4 => FaultKind::Swallow(side),
        5 | 6 => FaultKind::Disconnect(side),
        7 => garbage(rng),
        _ => FaultKind::None,
    };
    let fault = Fault::on(api).kind(kind).times(1 + rng.below(3) as u32);
    let fault = match rng.below(4) {
        0 => fault.delay(millis(rng, 1, 2500)),
        1 => fault.throttle(millis(rng, 1, 900)),
        _ => fault,
    };
    match api {
        ApiKey::Produce => scoped(rng, fault, topics),
        _ => fault,
    }
}

fn produce_error(rng: &Rng) -> FaultKind {
    let (code, when) = match rng.below(3) {
        0 => (pick(rng, &REFUSALS), When::BeforeWork),
        1 => (pick(rng, &FINAL), When::BeforeWork),
        _ => {
            let when = pick(rng, &[When::BeforeWork, When::AfterWork]);
            (pick(rng, &AMBIGUOUS), when)
        }
    };
    let culprit = code == ErrorCode::INVALID_RECORD && one_in(rng, 2);
    FaultKind::Error(InjectedError {
        code,
        when,
        message: None,
        records: culprit.then_some((0, None)).into_iter().collect(),
    })
}

fn garbage(rng: &Rng) -> FaultKind {
    match rng.below(5) {
        0 => FaultKind::Garbage(Bytes::from_static(b"\0\0\0\x08hello, w")),
        1 => FaultKind::Truncate(rng.below(20) as usize),
        2 => FaultKind::CutFrame(rng.below(20) as usize),
        3 => FaultKind::WrongCorrelationId,
        _ => FaultKind::HostileLength(pick(rng, &[-1, 0, i32::MAX, 99_000_000])),
    }
}

/// Everything works again, and every partition has a leader.
pub fn heal(mock: &MockHandle, plan: &Plan) {
    mock.with(|cluster| {
        cluster.clear_faults();
        for broker in 1..=plan.brokers {
            cluster.set_stale_metadata(broker, false);
            cluster.set_round_trip(broker, Duration::ZERO);
            cluster.set_broker_state(broker, BrokerState::Up);
        }
        for topic in &plan.topics {
            for partition in 0..cluster.partition_count(&topic.name) {
                if let Some((-1, _)) = cluster.leader(&topic.name, partition) {
                    cluster.set_leader(&topic.name, partition, 1);
                }
            }
        }
    });
}

/// No broker answers any more.
pub fn kill_all(mock: &MockHandle, plan: &Plan) {
    for broker in 1..=plan.brokers {
        mock.set_broker_state(broker, BrokerState::Crashed);
    }
}
