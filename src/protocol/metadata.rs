//! Metadata: the cluster's brokers, topics, partitions and leaders.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, ErrorKind, Message, Result, Uuid};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest {
    /// `None`: all topics. An empty list: only the brokers.
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// Versions before 4 always create.
    pub allow_auto_topic_creation: bool,
    pub include_cluster_authorized_operations: bool,
    pub include_topic_authorized_operations: bool,
}

/// A topic asked for by name, or (version 12 and newer) by id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataRequestTopic {
    pub topic_id: Uuid,
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponse {
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataBroker>,
    pub cluster_id: Option<String>,
    /// −1: no controller known.
    pub controller_id: i32,
    pub topics: Vec<MetadataTopic>,
    pub cluster_authorized_operations: i32,
    /// Version 13 and newer; 129 (REBOOTSTRAP_REQUIRED) is KIP-1102's.
    pub error_code: i16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataBroker {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataTopic {
    pub error_code: i16,
    /// `None` (version 12 and newer): asked for by an id that is not known.
    pub name: Option<String>,
    /// Zero before version 10.
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<MetadataPartition>,
    pub topic_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPartition {
    pub error_code: i16,
    pub partition_index: i32,
    /// −1: no leader.
    pub leader_id: i32,
    /// −1 before version 7.
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        MetadataRequest {
            topics: None,
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

impl Default for MetadataResponse {
    fn default() -> Self {
        MetadataResponse {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: i32::MIN,
            error_code: 0,
        }
    }
}

impl Default for MetadataTopic {
    fn default() -> Self {
        MetadataTopic {
            error_code: 0,
            name: None,
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: i32::MIN,
        }
    }
}

impl Default for MetadataPartition {
    fn default() -> Self {
        MetadataPartition {
            error_code: 0,
            partition_index: 0,
            leader_id: -1,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
        }
    }
}

impl Message for MetadataRequest {
    const API: ApiKey = ApiKey::Metadata;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        w.nullable_array(self.topics.as_deref(), |w, topic| {
            if version >= 10 {
                w.uuid(topic.topic_id);
            } else if topic.name.is_none() {
                w.fail(ErrorKind::NotExpressible(
                    "a topic without a name before version 10",
                ));
            }
            w.nullable_string(topic.name.as_deref());
            w.no_tags();
        });
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        }
        if (8..=10).contains(&version) {
            w.bool(self.include_cluster_authorized_operations);
        }
        if version >= 8 {
            w.bool(self.include_topic_authorized_operations);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = MetadataRequest {
            topics: r.nullable_array(2, |r| read_request_topic(version, r))?,
            ..Self::default()
        };
        if version >= 4 {
            request.allow_auto_topic_creation = r.bool()?;
        }
        if (8..=10).contains(&version) {
            request.include_cluster_authorized_operations = r.bool()?;
        }
        if version >= 8 {
            request.include_topic_authorized_operations = r.bool()?;
        }
        r.skip_tags()?;
        Ok(request)
    }
}

fn read_request_topic(version: i16, r: &mut Reader<'_>) -> Result<MetadataRequestTopic> {
    let mut topic = MetadataRequestTopic::default();
    if version >= 10 {
        topic.topic_id = r.uuid()?;
        topic.name = r.nullable_string()?;
    } else {
        topic.name = Some(r.string()?);
    }
    r.skip_tags()?;
    Ok(topic)
}

impl Message for MetadataResponse {
    const API: ApiKey = ApiKey::Metadata;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        if version >= 3 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.brokers, |w, broker| {
            w.i32(broker.node_id);
            w.string(&broker.host);
            w.i32(broker.port);
            w.nullable_string(broker.rack.as_deref());
            w.no_tags();
        });
        if version >= 2 {
            w.nullable_string(self.cluster_id.as_deref());
        }
        w.i32(self.controller_id);
        w.array(&self.topics, |w, topic| topic.write(version, w));
        if (8..=10).contains(&version) {
            w.i32(self.cluster_authorized_operations);
        }
        if version >= 13 {
            w.i16(self.error_code);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = MetadataResponse::default();
        if version >= 3 {
            response.throttle_time_ms = r.i32()?;
        }
        response.brokers = r.array(11, read_broker)?;
        if version >= 2 {
            response.cluster_id = r.nullable_string()?;
        }
        response.controller_id = r.i32()?;
        response.topics = r.array(9, |r| MetadataTopic::read(version, r))?;
        if (8..=10).contains(&version) {
            response.cluster_authorized_operations = r.i32()?;
        }
        if version >= 13 {
            response.error_code = r.i16()?;
        }
        r.skip_tags()?;
        Ok(response)
    }
}

fn read_broker(r: &mut Reader<'_>) -> Result<MetadataBroker> {
    let broker = MetadataBroker {
        node_id: r.i32()?,
        host: r.string()?,
        port: r.i32()?,
        rack: r.nullable_string()?,
    };
    r.skip_tags()?;
    Ok(broker)
}

impl MetadataTopic {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i16(self.error_code);
        if version < 12 && self.name.is_none() {
            w.fail(ErrorKind::NotExpressible(
                "a topic without a name before version 12",
            ));
        }
        w.nullable_string(self.name.as_deref());
        if version >= 10 {
            w.uuid(self.topic_id);
        }
        w.bool(self.is_internal);
        w.array(&self.partitions, |w, partition| partition.write(version, w));
        if version >= 8 {
            w.i32(self.topic_authorized_operations);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut topic = MetadataTopic {
            error_code: r.i16()?,
            ..Self::default()
        };
        topic.name = match version >= 12 {
            true => r.nullable_string()?,
            false => Some(r.string()?),
        };
        if version >= 10 {
            topic.topic_id = r.uuid()?;
        }
        topic.is_internal = r.bool()?;
        topic.partitions = r.array(18, |r| MetadataPartition::read(version, r))?;
        if version >= 8 {
            topic.topic_authorized_operations = r.i32()?;
        }
        r.skip_tags()?;
        Ok(topic)
    }
}

impl MetadataPartition {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i16(self.error_code);
        w.i32(self.partition_index);
        w.i32(self.leader_id);
        if version >= 7 {
            w.i32(self.leader_epoch);
        }
        w.i32_array(&self.replica_nodes);
        w.i32_array(&self.isr_nodes);
        if version >= 5 {
            w.i32_array(&self.offline_replicas);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut partition = MetadataPartition {
            error_code: r.i16()?,
            partition_index: r.index()?,
            leader_id: r.i32()?,
            ..Self::default()
        };
        if version >= 7 {
            partition.leader_epoch = r.i32()?;
        }
        partition.replica_nodes = r.i32_array()?;
        partition.isr_nodes = r.i32_array()?;
        if version >= 5 {
            partition.offline_replicas = r.i32_array()?;
        }
        r.skip_tags()?;
        Ok(partition)
    }
}
