//! Metadata.

use super::cluster::{BrokerState, MockCluster};
use super::serve::Call;
use super::topic::{NO_LEADER, Partition, Topic, TopicConfig, is_valid_name};
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    MetadataTopic,
};

/// The first version of Metadata in which a client may ask not to create topics.
const CREATION_CHOICE_FROM: i16 = 4;
/// The first version of Metadata with an error of the whole request.
const REQUEST_ERROR_FROM: i16 = 13;

impl MockCluster {
    pub(super) fn metadata(
        &mut self,
        call: &Call<'_>,
        request: &MetadataRequest,
    ) -> MetadataResponse {
        let create = self.config.auto_create_topics
            && (call.version < CREATION_CHOICE_FROM || request.allow_auto_topic_creation);
        let topics = match &request.topics {
            None => {
                let names: Vec<String> = self.topics.keys().cloned().collect();
                names
                    .iter()
                    .map(|name| self.topic(call, name, false))
                    .collect()
            }
            Some(asked) => asked
                .iter()
                .map(|topic| self.asked_topic(call, topic, create))
                .collect(),
        };
        let code = call.errors.code();
        let whole =
            call.version >= REQUEST_ERROR_FROM && code == wire(ErrorCode::REBOOTSTRAP_REQUIRED);
        MetadataResponse {
            throttle_time_ms: call.throttle_ms,
            brokers: self.metadata_brokers(),
            cluster_id: Some(self.config.cluster_id.clone()),
            controller_id: self.listed_brokers().next().map_or(-1, |(id, _)| id),
            topics,
            error_code: if whole { code } else { 0 },
            ..MetadataResponse::default()
        }
    }

    fn metadata_brokers(&self) -> Vec<MetadataBroker> {
        self.listed_brokers()
            .map(|(node_id, broker)| MetadataBroker {
                node_id,
                host: broker.host.clone(),
                port: i32::from(broker.port),
                rack: None,
            })
            .collect()
    }

    fn asked_topic(
        &mut self,
        call: &Call<'_>,
        asked: &MetadataRequestTopic,
        create: bool,
    ) -> MetadataTopic {
        if let Some(name) = &asked.name {
            return self.topic(call, name, create);
        }
        let known = self
            .topics
            .iter()
            .find(|(_, topic)| topic.id == asked.topic_id);
        match known.map(|(name, _)| name.clone()) {
            Some(name) => self.topic(call, &name, false),
            None => MetadataTopic {
                topic_id: asked.topic_id,
                ..failed_topic(None, wire(ErrorCode::UNKNOWN_TOPIC_ID))
            },
        }
    }

    fn topic(&mut self, call: &Call<'_>, name: &str, create: bool) -> MetadataTopic {
        let failed = |code| failed_topic(Some(name), wire(code));
        if let Some(error) = call.errors.of_topic(name) {
            return failed(error.code);
        }
        if !is_valid_name(name) {
            return failed(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        if let Some(stale) = self.stale_topic(call.broker, name) {
            return stale;
        }
        if create {
            let config = TopicConfig::new(self.config.default_partitions);
            let ready_at = call.now + self.config.auto_create_delay;
            self.create_topic_at(name, &config, ready_at);
        }
        match self.topics.get(name) {
            None => failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Some(topic) if topic.ready_at > call.now => failed(ErrorCode::LEADER_NOT_AVAILABLE),
            Some(topic) => self.metadata_topic(name, topic),
        }
    }

    /// A topic as it is.
    pub(super) fn metadata_topic(&self, name: &str, topic: &Topic) -> MetadataTopic {
        MetadataTopic {
            name: Some(name.to_owned()),
            topic_id: topic.id,
            partitions: (0..)
                .zip(&topic.partitions)
                .map(|(index, partition)| self.metadata_partition(index, partition))
                .collect(),
            ..MetadataTopic::default()
        }
    }

    fn stale_topic(&self, broker: i32, name: &str) -> Option<MetadataTopic> {
        let stale = self.brokers.get(&broker)?.stale_topics.as_ref()?;
        stale.get(name).cloned()
    }

    fn metadata_partition(&self, partition_index: i32, partition: &Partition) -> MetadataPartition {
        let listed = matches!(
            self.broker_state(partition.leader),
            Some(BrokerState::Up | BrokerState::Crashed)
        );
        let leader_id = if listed { partition.leader } else { NO_LEADER };
        let error_code = match listed {
            true => 0,
            false => wire(ErrorCode::LEADER_NOT_AVAILABLE),
        };
        MetadataPartition {
            error_code,
            partition_index,
            leader_id,
            leader_epoch: partition.leader_epoch,
            replica_nodes: vec![partition.leader],
            isr_nodes: vec![partition.leader],
            offline_replicas: Vec::new(),
        }
    }
}

fn failed_topic(name: Option<&str>, error_code: i16) -> MetadataTopic {
    MetadataTopic {
        error_code,
        name: name.map(str::to_owned),
        topic_id: Uuid::ZERO,
        ..MetadataTopic::default()
    }
}
