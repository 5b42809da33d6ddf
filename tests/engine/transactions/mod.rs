//! Transactions: all of it or nothing, under both protocols, whatever the coordinator says or forgets.

mod batches;
mod brokers;
mod calls;
mod coordinator;
mod late;
mod lost;
mod resumed;
mod steps;

use kprod::completion::Report;
use kprod::error::ErrorCode;
use kprod::mock::{MockHandle, MockServer, TransactionState};
use kprod::producer::{Callbacks, GroupMetadata, GroupOffset, Offsets, Producer, Record, Timeout};
use kprod::protocol::ApiKey;

use crate::support::{LONG, cluster, producer, record, reports};

pub(super) const WAIT: Timeout = Timeout::After(LONG);

/// `transaction.version`: the first protocol and that of KIP-890.
pub(super) const BOTH: [i16; 2] = [1, 2];

pub(super) struct Stage {
    pub(super) server: MockServer,
    pub(super) producer: Producer,
}
/// A producer with the transactional id "me" under the protocol with that number.
pub(super) fn stage(version: i16, settings: &[(&str, &str)]) -> Stage {
    let server = cluster(3);
    server.handle().create_topic("t", 3);
    server
        .handle()
        .with(|cluster| cluster.set_feature("transaction.version", version));
    let producer = another(&server, settings);
    Stage { server, producer }
}
pub(super) fn another(server: &MockServer, settings: &[(&str, &str)]) -> Producer {
    let mut all = vec![
        ("transactional.id", "me"),
        ("retry.backoff.ms", "1"),
        ("reconnect.backoff.ms", "1"),
    ];
    all.extend_from_slice(settings);
    producer(server, &all, Callbacks::default())
}
pub(super) fn send_to(producer: &Producer, partition: i32, tag: u64) -> Result<(), ErrorCode> {
    let value = tag.to_be_bytes();
    producer.send(&Record {
        partition: Some(partition),
        ..record("t", &value, tag)
    })
}
impl Stage {
    pub(super) fn mock(&self) -> &MockHandle {
        self.server.handle()
    }

    pub(super) fn begin(&self) {
        self.producer.begin_transaction(WAIT).unwrap();
    }

    /// Begins a transaction whose first record has its outcome.
    pub(super) fn begin_with(&self, tag: u64) {
        self.begin();
        self.send(tag);
        self.producer.flush(WAIT).unwrap();
    }

    /// A transaction of one record.
    pub(super) fn transact(&self, tag: u64) {
        self.begin();
        self.send(tag);
        self.commit();
    }

    pub(super) fn commit(&self) {
        self.producer.commit_transaction(WAIT).unwrap();
    }

    pub(super) fn abort(&self) {
        self.producer.abort_transaction(WAIT).unwrap();
    }

    pub(super) fn send(&self, tag: u64) {
        send_to(&self.producer, (tag % 3) as i32, tag).unwrap();
    }

    pub(super) fn reports(&self, count: usize) -> Vec<Report> {
        reports(&self.producer, count)
    }

    /// What a consumer that reads committed records sees.
    pub(super) fn committed(&self) -> Vec<u64> {
        let mut tags = Vec::new();
        for partition in 0..3 {
            let records = self.mock().with(|c| c.committed_records("t", partition));
            tags.extend(records.iter().map(|record| {
                u64::from_be_bytes(*record.value.as_deref().unwrap().first_chunk().unwrap())
            }));
        }
        tags.sort_unstable();
        tags
    }

    pub(super) fn state(&self) -> TransactionState {
        self.mock().with(|c| c.transaction("me").unwrap().state)
    }

    pub(super) fn epoch(&self) -> i16 {
        self.mock()
            .with(|c| c.transaction("me").unwrap().producer_epoch)
    }

    pub(super) fn count(&self, api: ApiKey) -> usize {
        self.mock().requests(api).len()
    }
}
pub(super) fn offsets(group: &str, generation: i32, member: &str) -> Offsets {
    Offsets {
        group: GroupMetadata {
            group_id: group.into(),
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: None,
        },
        offsets: vec![GroupOffset {
            topic: "t".into(),
            partition: 0,
            offset: 7,
            leader_epoch: -1,
            metadata: None,
        }],
    }
}
