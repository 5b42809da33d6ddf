//! Administration of a cluster, through Kafka's own Admin in the Java helper. What fails, fails the test.

use super::helper::{Answer, Helper, to_hex};

pub struct Admin {
    bootstrap: String,
}

/// A partition as the cluster describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    pub partition: i32,
    pub leader: Option<i32>,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
}

/// The offsets of a partition: of its first record, and the one its next record will get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets {
    pub partition: i32,
    pub start: i64,
    pub end: i64,
}

impl Admin {
    pub fn new(bootstrap: impl Into<String>) -> Admin {
        Admin {
            bootstrap: bootstrap.into(),
        }
    }

    /// `configs` are the topic's own: `[("max.message.bytes", "100000")]`.
    #[track_caller]
    pub fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
        configs: &[(&str, &str)],
    ) {
        let (partitions, replication) = (partitions.to_string(), replication.to_string());
        self.ask(
            "create-topic",
            &[topic, &partitions, &replication, &pairs(configs)],
        );
    }

    /// With the replicas of each partition named, the preferred leader first.
    #[track_caller]
    pub fn create_topic_at(&self, topic: &str, replicas: &[&[i32]], configs: &[(&str, &str)]) {
        let layout: Vec<String> = replicas.iter().map(|nodes| numbers(nodes)).collect();
        self.ask(
            "create-topic",
            &[topic, &layout.join(";"), "-", &pairs(configs)],
        );
    }

    #[track_caller]
    pub fn delete_topic(&self, topic: &str) {
        self.ask("delete-topic", &[topic]);
    }

    /// Grows the topic to `total` partitions.
    #[track_caller]
    pub fn create_partitions(&self, topic: &str, total: i32) {
        self.ask("create-partitions", &[topic, &total.to_string()]);
    }

    /// An empty value takes the topic's own setting away.
    #[track_caller]
    pub fn alter_topic(&self, topic: &str, configs: &[(&str, &str)]) {
        self.ask("alter-config", &["TOPIC", topic, &pairs(configs)]);
    }

    /// Of one broker, or of all where `broker` is `None`.
    #[track_caller]
    pub fn alter_broker(&self, broker: Option<i32>, configs: &[(&str, &str)]) {
        let name = broker.map(|id| id.to_string()).unwrap_or_default();
        self.ask("alter-config", &["BROKER", &name, &pairs(configs)]);
    }

    /// The bytes a client id (or every one, where `None`) may send per second; `None` takes the quota away.
    #[track_caller]
    pub fn producer_quota(&self, client_id: Option<&str>, bytes_per_second: Option<u64>) {
        let limit = bytes_per_second.map(|n| n.to_string()).unwrap_or_default();
        let client = client_id.unwrap_or_default();
        self.ask("alter-quota", &[client, "producer_byte_rate", &limit]);
    }

    #[track_caller]
    pub fn describe(&self, topic: &str) -> Vec<PartitionInfo> {
        let answer = self.ask("describe-topic", &[topic]);
        let mut partitions: Vec<_> = answer.rows.iter().map(|row| partition_info(row)).collect();
        partitions.sort_by_key(|info| info.partition);
        partitions
    }

    #[track_caller]
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let partitions = self.describe(topic);
        let found = partitions
            .iter()
            .find(|info| info.partition == partition)
            .unwrap_or_else(|| panic!("{topic} has no partition {partition}"));
        found.leader
    }

    /// Elects the first of the partition's replicas.
    #[track_caller]
    pub fn elect_preferred_leader(&self, topic: &str, partition: i32) {
        self.ask("elect-leader", &[topic, &partition.to_string()]);
    }

    /// Makes `node` the preferred leader and has it elected; returns when it leads.
    #[track_caller]
    pub fn move_leader(&self, topic: &str, partition: i32, node: i32) {
        self.ask(
            "move-leader",
            &[topic, &partition.to_string(), &node.to_string()],
        );
    }

    #[track_caller]
    pub fn reassign(&self, topic: &str, partition: i32, replicas: &[i32]) {
        self.ask(
            "reassign",
            &[topic, &partition.to_string(), &numbers(replicas)],
        );
    }

    #[track_caller]
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        self.ask(
            "delete-records",
            &[topic, &partition.to_string(), &before.to_string()],
        );
    }

    #[track_caller]
    pub fn offsets(&self, topic: &str) -> Vec<Offsets> {
        let answer = self.ask("offsets", &[topic]);
        let mut offsets: Vec<Offsets> = answer
            .rows
            .iter()
            .map(|row| Offsets {
                partition: number(&row[0]) as i32,
                start: number(&row[1]),
                end: number(&row[2]),
            })
            .collect();
        offsets.sort_by_key(|offsets| offsets.partition);
        offsets
    }

    /// Up or down, while the cluster runs; returns when its brokers know.
    #[track_caller]
    pub fn set_feature(&self, name: &str, level: i16) {
        self.ask("set-feature", &[name, &level.to_string()]);
    }

    /// Forbids everybody one operation on what has this name and kind ("TOPIC", "GROUP", "TRANSACTIONAL_ID"); all
    /// else stays allowed.
    #[track_caller]
    pub fn forbid(&self, kind: &str, name: &str, operation: &str) {
        self.ask("forbid", &[kind, name, operation]);
    }

    /// Takes all of that back.
    #[track_caller]
    pub fn allow(&self, kind: &str, name: &str) {
        self.ask("allow", &[kind, name]);
    }

    /// How many producers the partition's leader has in mind.
    #[track_caller]
    pub fn producers(&self, topic: &str, partition: i32) -> usize {
        let answer = self.ask("producers", &[topic, &partition.to_string()]);
        answer.rows.len()
    }

    /// What a group has committed of a topic: partition and offset.
    #[track_caller]
    pub fn group_offsets(&self, group: &str, topic: &str) -> Vec<(i32, i64)> {
        let answer = self.ask("group-offsets", &[group]);
        let rows = answer.rows.iter().filter(|row| row[0] == topic);
        let mut offsets: Vec<_> = rows
            .map(|row| (number(&row[1]) as i32, number(&row[2])))
            .collect();
        offsets.sort_unstable();
        offsets
    }

    /// The active controller of a KRaft cluster.
    #[track_caller]
    pub fn quorum_leader(&self) -> i32 {
        number(&self.ask("quorum-leader", &[]).result[0]) as i32
    }

    #[track_caller]
    fn ask(&self, command: &str, arguments: &[&str]) -> Answer {
        let mut all = vec![self.bootstrap.as_str()];
        all.extend(arguments);
        Helper::get()
            .ask(command, &all)
            .unwrap_or_else(|error| panic!("{command} {arguments:?}: {error}"))
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // Its connections would go on trying to reach brokers that are gone.
        let _ = Helper::get().ask("forget", &[&self.bootstrap]);
    }
}

/// The partitions that Java's producer gives to records with these keys.
#[track_caller]
pub fn java_partitions(keys: &[&[u8]], partitions: i32) -> Vec<i32> {
    let count = partitions.to_string();
    let keys: Vec<String> = keys.iter().map(|key| to_hex(key)).collect();
    let mut arguments = vec![count.as_str()];
    arguments.extend(keys.iter().map(String::as_str));
    let answer = Helper::get()
        .ask("partitions-for-keys", &arguments)
        .unwrap_or_else(|error| panic!("{error}"));
    answer
        .rows
        .iter()
        .map(|row| number(&row[0]) as i32)
        .collect()
}

fn partition_info(row: &[String]) -> PartitionInfo {
    PartitionInfo {
        partition: number(&row[0]) as i32,
        leader: Some(number(&row[1]) as i32).filter(|&id| id >= 0),
        replicas: list(&row[2]),
        isr: list(&row[3]),
    }
}

fn pairs(configs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = configs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(";")
}

fn numbers(ids: &[i32]) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    ids.join(",")
}

fn list(text: &str) -> Vec<i32> {
    let ids = text.split(',').filter(|id| !id.is_empty());
    ids.map(|id| number(id) as i32).collect()
}

#[track_caller]
pub(super) fn number(text: &str) -> i64 {
    text.parse()
        .unwrap_or_else(|_| panic!("not a number: {text}"))
}
