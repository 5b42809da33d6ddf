//! Produce, Metadata and InitProducerId.

use crate::oracle::{Peer, peers};
use crate::sample::{Gen, id, optional_text, text};
use kafka_protocol::messages::{self as theirs, BrokerId, ProducerId, TopicName, TransactionalId};
use kprod::protocol::Uuid;
use kprod::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use kprod::protocol::metadata::*;
use kprod::protocol::produce::*;

peers! {
    produce_request: ProduceRequest;
    produce_response: ProduceResponse;
    metadata_request: MetadataRequest;
    metadata_response: MetadataResponse;
    init_producer_id_request: InitProducerIdRequest;
    init_producer_id_response: InitProducerIdResponse;
}

/// A topic as a version of Produce names it.
fn topic(g: &mut Gen, version: i16) -> (String, Uuid) {
    match version >= 13 {
        true => (String::new(), g.uuid()),
        false => (g.string(), Uuid::ZERO),
    }
}

impl Peer for ProduceRequest {
    type Theirs = theirs::ProduceRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        ProduceRequest {
            transactional_id: g.option(Gen::string),
            acks: g.i16(),
            timeout_ms: g.i32(),
            topics: g.vec(|g| {
                let (name, topic_id) = topic(g, version);
                let partitions = g.vec(|g| PartitionProduceData {
                    index: g.i32(),
                    records: g.option(|g| g.bytes().into()),
                });
                TopicProduceData {
                    name,
                    topic_id,
                    partitions,
                }
            }),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::produce_request as t;
        let partition = |p: &PartitionProduceData| {
            t::PartitionProduceData::default()
                .with_index(p.index)
                .with_records(p.records.clone())
        };
        let topic = |topic: &TopicProduceData| {
            t::TopicProduceData::default()
                .with_name(TopicName(text(&topic.name)))
                .with_topic_id(id(topic.topic_id))
                .with_partition_data(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_transactional_id(optional_text(&self.transactional_id).map(TransactionalId))
            .with_acks(self.acks)
            .with_timeout_ms(self.timeout_ms)
            .with_topic_data(self.topics.iter().map(topic).collect())
    }
}

impl Peer for ProduceResponse {
    type Theirs = theirs::ProduceResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| {
            let (name, topic_id) = topic(g, version);
            let partitions = g.vec(|g| sample_partition_response(g, version));
            TopicProduceResponse {
                name,
                topic_id,
                partitions,
            }
        });
        let mut response = ProduceResponse {
            topics,
            throttle_time_ms: g.i32(),
            ..Default::default()
        };
        if version >= 10 {
            response.node_endpoints = g.vec(|g| NodeEndpoint {
                node_id: g.i32(),
                host: g.string(),
                port: g.i32(),
                rack: g.option(Gen::string),
            });
        }
        response
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::produce_response as t;
        let topic = |topic: &TopicProduceResponse| {
            let partitions = topic
                .partitions
                .iter()
                .map(their_partition_response)
                .collect();
            t::TopicProduceResponse::default()
                .with_name(TopicName(text(&topic.name)))
                .with_topic_id(id(topic.topic_id))
                .with_partition_responses(partitions)
        };
        let node = |node: &NodeEndpoint| {
            t::NodeEndpoint::default()
                .with_node_id(BrokerId(node.node_id))
                .with_host(text(&node.host))
                .with_port(node.port)
                .with_rack(optional_text(&node.rack))
        };
        Self::Theirs::default()
            .with_responses(self.topics.iter().map(topic).collect())
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_node_endpoints(self.node_endpoints.iter().map(node).collect())
    }
}

fn sample_partition_response(g: &mut Gen, version: i16) -> PartitionProduceResponse {
    let mut partition = PartitionProduceResponse {
        index: g.i32(),
        error_code: g.i16(),
        base_offset: g.i64(),
        log_append_time_ms: g.i64(),
        ..Default::default()
    };
    if version >= 5 {
        partition.log_start_offset = g.i64();
    }
    if version >= 8 {
        partition.record_errors = g.vec(|g| BatchIndexAndErrorMessage {
            batch_index: g.i32(),
            message: g.option(Gen::string),
        });
        partition.error_message = g.option(Gen::string);
    }
    if version >= 10 {
        partition.current_leader = g.option(|g| LeaderIdAndEpoch {
            leader_id: g.i32(),
            leader_epoch: g.i32(),
        });
    }
    partition
}

fn their_partition_response(
    p: &PartitionProduceResponse,
) -> theirs::produce_response::PartitionProduceResponse {
    use theirs::produce_response as t;
    let error = |e: &BatchIndexAndErrorMessage| {
        t::BatchIndexAndErrorMessage::default()
            .with_batch_index(e.batch_index)
            .with_batch_index_error_message(optional_text(&e.message))
    };
    let leader = |leader: LeaderIdAndEpoch| {
        t::LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(leader.leader_id))
            .with_leader_epoch(leader.leader_epoch)
    };
    t::PartitionProduceResponse::default()
        .with_index(p.index)
        .with_error_code(p.error_code)
        .with_base_offset(p.base_offset)
        .with_log_append_time_ms(p.log_append_time_ms)
        .with_log_start_offset(p.log_start_offset)
        .with_record_errors(p.record_errors.iter().map(error).collect())
        .with_error_message(optional_text(&p.error_message))
        .with_current_leader(p.current_leader.map(leader).unwrap_or_default())
}

impl Peer for MetadataRequest {
    type Theirs = theirs::MetadataRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.option(|g| g.vec(|g| sample_request_topic(g, version)));
        let mut request = MetadataRequest {
            topics,
            ..Default::default()
        };
        if version >= 4 {
            request.allow_auto_topic_creation = g.bool();
        }
        if (8..=10).contains(&version) {
            request.include_cluster_authorized_operations = g.bool();
        }
        if version >= 8 {
            request.include_topic_authorized_operations = g.bool();
        }
        request
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        let topic = |topic: &MetadataRequestTopic| {
            theirs::metadata_request::MetadataRequestTopic::default()
                .with_topic_id(id(topic.topic_id))
                .with_name(optional_text(&topic.name).map(TopicName))
        };
        Self::Theirs::default()
            .with_topics(self.topics.as_ref().map(|t| t.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(self.allow_auto_topic_creation)
            .with_include_cluster_authorized_operations(self.include_cluster_authorized_operations)
            .with_include_topic_authorized_operations(self.include_topic_authorized_operations)
    }
}

fn sample_request_topic(g: &mut Gen, version: i16) -> MetadataRequestTopic {
    match version >= 10 {
        true => MetadataRequestTopic {
            topic_id: g.uuid(),
            name: g.option(Gen::string),
        },
        false => MetadataRequestTopic {
            topic_id: Uuid::ZERO,
            name: Some(g.string()),
        },
    }
}

impl Peer for MetadataResponse {
    type Theirs = theirs::MetadataResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let mut response = MetadataResponse {
            brokers: g.vec(|g| MetadataBroker {
                node_id: g.i32(),
                host: g.string(),
                port: g.i32(),
                rack: g.option(Gen::string),
            }),
            controller_id: g.i32(),
            topics: g.vec(|g| sample_topic(g, version)),
            ..Default::default()
        };
        if version >= 2 {
            response.cluster_id = g.option(Gen::string);
        }
        if version >= 3 {
            response.throttle_time_ms = g.i32();
        }
        if (8..=10).contains(&version) {
            response.cluster_authorized_operations = g.i32();
        }
        if version >= 13 {
            response.error_code = g.i16();
        }
        response
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        let broker = |broker: &MetadataBroker| {
            theirs::metadata_response::MetadataResponseBroker::default()
                .with_node_id(BrokerId(broker.node_id))
                .with_host(text(&broker.host))
                .with_port(broker.port)
                .with_rack(optional_text(&broker.rack))
        };
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_brokers(self.brokers.iter().map(broker).collect())
            .with_cluster_id(optional_text(&self.cluster_id))
            .with_controller_id(BrokerId(self.controller_id))
            .with_topics(self.topics.iter().map(their_topic).collect())
            .with_cluster_authorized_operations(self.cluster_authorized_operations)
            .with_error_code(self.error_code)
    }
}

fn sample_topic(g: &mut Gen, version: i16) -> MetadataTopic {
    let mut topic = MetadataTopic {
        error_code: g.i16(),
        name: Some(g.string()),
        is_internal: g.bool(),
        partitions: g.vec(|g| sample_partition(g, version)),
        ..Default::default()
    };
    if version >= 8 {
        topic.topic_authorized_operations = g.i32();
    }
    if version >= 10 {
        topic.topic_id = g.uuid();
    }
    if version >= 12 && g.bool() {
        topic.name = None;
    }
    topic
}

fn sample_partition(g: &mut Gen, version: i16) -> MetadataPartition {
    let mut partition = MetadataPartition {
        error_code: g.i16(),
        partition_index: g.i32() & i32::MAX,
        leader_id: g.i32(),
        replica_nodes: g.vec(Gen::i32),
        isr_nodes: g.vec(Gen::i32),
        ..Default::default()
    };
    if version >= 5 {
        partition.offline_replicas = g.vec(Gen::i32);
    }
    if version >= 7 {
        partition.leader_epoch = g.i32();
    }
    partition
}

fn their_topic(topic: &MetadataTopic) -> theirs::metadata_response::MetadataResponseTopic {
    use theirs::metadata_response as t;
    let nodes = |nodes: &[i32]| nodes.iter().map(|&node| BrokerId(node)).collect::<Vec<_>>();
    let partition = |p: &MetadataPartition| {
        t::MetadataResponsePartition::default()
            .with_error_code(p.error_code)
            .with_partition_index(p.partition_index)
            .with_leader_id(BrokerId(p.leader_id))
            .with_leader_epoch(p.leader_epoch)
            .with_replica_nodes(nodes(&p.replica_nodes))
            .with_isr_nodes(nodes(&p.isr_nodes))
            .with_offline_replicas(nodes(&p.offline_replicas))
    };
    t::MetadataResponseTopic::default()
        .with_error_code(topic.error_code)
        .with_name(optional_text(&topic.name).map(TopicName))
        .with_topic_id(id(topic.topic_id))
        .with_is_internal(topic.is_internal)
        .with_partitions(topic.partitions.iter().map(partition).collect())
        .with_topic_authorized_operations(topic.topic_authorized_operations)
}

impl Peer for InitProducerIdRequest {
    type Theirs = theirs::InitProducerIdRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let mut request = InitProducerIdRequest {
            transactional_id: g.option(Gen::string),
            transaction_timeout_ms: g.i32(),
            ..Default::default()
        };
        if version >= 3 {
            request.producer_id = g.i64();
            request.producer_epoch = g.i16();
        }
        request
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_transactional_id(optional_text(&self.transactional_id).map(TransactionalId))
            .with_transaction_timeout_ms(self.transaction_timeout_ms)
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
    }
}

impl Peer for InitProducerIdResponse {
    type Theirs = theirs::InitProducerIdResponse;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        InitProducerIdResponse {
            throttle_time_ms: g.i32(),
            error_code: g.i16(),
            producer_id: g.i64(),
            producer_epoch: g.i16(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_error_code(self.error_code)
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
    }
}
