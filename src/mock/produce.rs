//! Produce.

use super::cluster::{Broker, MockCluster};
use super::fault::{InjectedError, When};
use super::log::{AppendRules, Appended, Refusal, Stage};
use super::producers::ProducerRules;
use super::serve::{Answer, Call};
use super::transactions::Subject;
use super::versions::KafkaVersion;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use crate::protocol::{self, Message};
use crate::record::reader::RawBatch;
use crate::record::{BatchHeader, Codec};

/// The first version of Produce that may carry zstd.
const ZSTD_FROM: i16 = 7;
/// The first version of Produce whose clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 11;
/// The first version of Produce that adds partitions to the transaction.
const ADDS_PARTITIONS_FROM: i16 = 12;
/// The first version of Produce that names topics by id alone.
const TOPIC_IDS_FROM: i16 = 13;

impl MockCluster {
    pub(super) fn produce(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest,
    ) -> protocol::Result<Answer> {
        let topics: Vec<TopicProduceResponse> = request
            .topics
            .iter()
            .map(|data| self.produce_topic(call, request, data))
            .collect();
        if request.acks == 0 {
            let mut partitions = topics.iter().flat_map(|topic| &topic.partitions);
            return Ok(match partitions.all(|p| p.error_code == 0) {
                true => Answer::Nothing,
                false => Answer::Close,
            });
        }
        let response = ProduceResponse {
            node_endpoints: self.hinted_endpoints(&topics),
            topics,
            throttle_time_ms: call.throttle_ms,
        };
        response.encode(call.version).map(Answer::Body)
    }

    fn produce_topic(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest,
        data: &TopicProduceData,
    ) -> TopicProduceResponse {
        let name = self.topic_name(&data.name, data.topic_id);
        let partitions = data.partitions.iter();
        TopicProduceResponse {
            partitions: partitions
                .map(|partition| self.produce_partition(call, request, &name, partition))
                .collect(),
            name: data.name.clone(),
            topic_id: data.topic_id,
        }
    }

    fn produce_partition(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest,
        topic: &str,
        data: &PartitionProduceData,
    ) -> PartitionProduceResponse {
        let injected = call.errors.of_partition(topic, data.index);
        let outcome = match injected {
            Some(error) if error.when == When::BeforeWork => Err(refusal(error)),
            _ => self.append(call, request, topic, data),
        };
        let outcome = match injected {
            Some(error) if error.when == When::AfterWork => Err(refusal(error)),
            _ => outcome,
        };
        let mut response = PartitionProduceResponse {
            index: data.index,
            log_start_offset: self.start_offset(topic, data.index),
            ..PartitionProduceResponse::default()
        };
        match outcome {
            Ok(appended) => {
                response.base_offset = appended.base_offset;
                response.log_append_time_ms = appended.log_append_time;
            }
            Err(refusal) => self.state_refusal(&mut response, call, topic, refusal),
        }
        response
    }

    fn append(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest,
        topic: &str,
        data: &PartitionProduceData,
    ) -> Result<Appended, Refusal> {
        let wall_millis = self.wall_millis(call.now);
        let producers = ProducerRules {
            refuses_unknown: self.release(call.broker) < KafkaVersion::V2_8,
        };
        let retention = self.config.retention_bytes;
        let by_id = call.version >= TOPIC_IDS_FROM;
        let unknown = if by_id && !self.topics.contains_key(topic) {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let unknown = || Refusal::new(unknown, "no such topic or partition");
        let acks = request.acks;
        if !(-1..=1).contains(&acks) {
            let message = format!("acks {acks}");
            return Err(Refusal::new(ErrorCode::INVALID_REQUIRED_ACKS, message));
        }
        let found = self.topics.get(topic);
        let ready = found.filter(|t| t.ready_at <= call.now);
        let ready = ready.ok_or_else(unknown)?;
        let rules = ready.rules(wall_millis, producers);
        let partition = ready.partition(data.index).ok_or_else(unknown)?;
        if partition.leader != call.broker {
            let message = format!("broker {} does not lead it", call.broker);
            return Err(Refusal::new(ErrorCode::NOT_LEADER_OR_FOLLOWER, message));
        }
        let records = data.records.clone().unwrap_or_default();
        refuse_codec(call.version, &records)?;
        let rules = AppendRules {
            leader_epoch: partition.leader_epoch,
            ..rules
        };
        if let Ok(batch) = RawBatch::take(&mut &records[..]) {
            self.verify_batch(call, request, topic, data.index, &batch.header)
                .map_err(Refusal::in_verification)?;
        }
        let partition = self.topics.get_mut(topic);
        let partition = partition.and_then(|topic| topic.partition_mut(data.index));
        let partition = partition.ok_or_else(unknown)?;
        let appended = partition.log.append(&records, &rules)?;
        partition.log.retain_bytes(retention);
        Ok(appended)
    }

    /// Lets the coordinator confirm that the partition is in the batch's transaction, or add it from the first version
    /// of Produce on that does so, unless the partition knows.
    fn verify_batch(
        &mut self,
        call: &Call<'_>,
        request: &ProduceRequest,
        topic: &str,
        index: i32,
        header: &BatchHeader,
    ) -> Result<(), Refusal> {
        if !header.attributes.is_transactional() || header.producer_id < 0 {
            return Ok(());
        }
        let Some(id) = &request.transactional_id else {
            let message = "a transactional batch without a transactional id";
            let code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            return Err(Refusal::new(code, message));
        };
        if self.release(call.broker) < KafkaVersion::V3_9 {
            return Ok(());
        }
        let adds = call.version >= ADDS_PARTITIONS_FROM;
        let identity = (header.producer_id, header.producer_epoch);
        let log = self.topics.get_mut(topic);
        let log = log.and_then(|topic| topic.partition_mut(index));
        if let Some(partition) = log {
            let producers = partition.log.producers();
            producers.judge_epoch(identity.0, identity.1)?;
            if producers.is_ongoing(identity.0, identity.1) {
                return Ok(());
            }
            producers.begin_verification(identity.0, identity.1, header.base_sequence, adds);
        }
        let confirmed = self.confirm(call, id, identity, Subject::Partition(topic, index), adds);
        confirmed.map_err(|code| unconfirmed(call.version, code))
    }

    /// Writes a refusal into the response, with the leader if another broker is it (KIP-951).
    fn state_refusal(
        &self,
        response: &mut PartitionProduceResponse,
        call: &Call<'_>,
        topic: &str,
        refusal: Refusal,
    ) {
        response.error_code = wire(refusal.code);
        if refusal.stage == Stage::Verification || !tells_log_start(refusal.code) {
            response.log_start_offset = -1;
        }
        response.error_message = Some(refusal.message).filter(|message| !message.is_empty());
        response.record_errors = refusal
            .records
            .into_iter()
            .map(|(batch_index, message)| BatchIndexAndErrorMessage {
                batch_index,
                message: Some(message).filter(|message| !message.is_empty()),
            })
            .collect();
        if refusal.code == ErrorCode::NOT_LEADER_OR_FOLLOWER {
            let leader = self.leader(topic, response.index);
            response.current_leader =
                leader
                    .filter(|&(id, _)| id != call.broker)
                    .map(|(leader_id, leader_epoch)| LeaderIdAndEpoch {
                        leader_id,
                        leader_epoch,
                    });
        }
    }

    /// Where the leaders are that the response names.
    fn hinted_endpoints(&self, topics: &[TopicProduceResponse]) -> Vec<NodeEndpoint> {
        let hints = topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .filter_map(|partition| partition.current_leader);
        let mut leaders: Vec<i32> = hints.map(|hint| hint.leader_id).collect();
        leaders.sort_unstable();
        leaders.dedup();
        let endpoint = |id: i32, broker: &Broker| NodeEndpoint {
            node_id: id,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: None,
        };
        leaders
            .into_iter()
            .filter_map(|id| self.brokers.get(&id).map(|broker| endpoint(id, broker)))
            .collect()
    }

    /// The brokers' wall clock.
    pub(super) fn wall_millis(&self, now: std::time::Duration) -> i64 {
        self.config.epoch_millis + now.as_millis() as i64
    }
}

/// A coordinator's answer as the producer hears of it.
fn unconfirmed(version: i16, code: ErrorCode) -> Refusal {
    let told = match code {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::TRANSACTION_ABORTABLE if version < ABORTABLE_FROM => {
            ErrorCode::INVALID_TXN_STATE
        }
        ErrorCode::NETWORK_EXCEPTION
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR => ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::CONCURRENT_TRANSACTIONS if version < ADDS_PARTITIONS_FROM => {
            ErrorCode::NOT_ENOUGH_REPLICAS
        }
        code => code,
    };
    let message = format!("the transaction's coordinator answered {}", code.0);
    Refusal::new(told, message)
}

/// Whether a broker says with the error where the log starts: after those that come before the append it does not.
fn tells_log_start(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_TXN_STATE
            | ErrorCode::INVALID_RECORD
            | ErrorCode::INVALID_TIMESTAMP
    )
}

fn refusal(error: &InjectedError) -> Refusal {
    let records = error.records.iter();
    Refusal {
        records: records
            .map(|(index, message)| (*index, message.clone().unwrap_or_default()))
            .collect(),
        ..Refusal::new(error.code, error.message.clone().unwrap_or_default())
    }
}

/// zstd in a version whose brokers did not know it.
fn refuse_codec(version: i16, records: &[u8]) -> Result<(), Refusal> {
    let codec = RawBatch::take(&mut &records[..]).and_then(|batch| batch.codec());
    if codec == Ok(Codec::Zstd) && version < ZSTD_FROM {
        let message = format!("zstd in a Produce request of version {version}");
        return Err(Refusal::new(
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            message,
        ));
    }
    Ok(())
}
