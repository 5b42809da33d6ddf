//! The handle by which tests and the C API steer a mock cluster while it is being served.

use super::cluster::{BrokerState, ClusterConfig, MockCluster};
use super::fault::Fault;
use super::log::StoredRecord;
use super::requests::RequestEntry;
use super::serve::Action;
use super::topic::TopicConfig;
use crate::protocol::ApiKey;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// A cluster under its lock, and how those who wait for it hear of changes.
struct Shared {
    cluster: Mutex<MockCluster>,
    began: Instant,
    changed: Condvar,
    changed_async: Notify,
    /// Tells acceptors and connections to look at their broker's state.
    control: watch::Sender<()>,
    connections: std::sync::atomic::AtomicU64,
}

/// Steers a mock cluster from any thread. Handles are cheap to clone and mean the same cluster.
#[derive(Clone)]
pub struct MockHandle {
    shared: Arc<Shared>,
}

/// A connection that was accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub broker: i32,
    pub connection: u64,
    cuts: u64,
}

impl MockHandle {
    /// A cluster whose time begins now.
    pub fn new(config: ClusterConfig) -> Self {
        MockHandle {
            shared: Arc::new(Shared {
                cluster: Mutex::new(MockCluster::new(config)),
                began: Instant::now(),
                changed: Condvar::new(),
                changed_async: Notify::new(),
                control: watch::Sender::new(()),
                connections: std::sync::atomic::AtomicU64::new(1),
            }),
        }
    }

    /// Looks at the cluster or changes it; whoever waits for it looks again afterwards.
    pub fn with<T>(&self, act: impl FnOnce(&mut MockCluster) -> T) -> T {
        let mut cluster = self.shared.cluster.lock();
        cluster.advance(self.shared.began.elapsed());
        let result = act(&mut cluster);
        drop(cluster);
        self.announce();
        self.shared.control.send_replace(());
        result
    }

    fn announce(&self) {
        self.shared.changed.notify_all();
        self.shared.changed_async.notify_waiters();
    }

    /// Waits, blocking the thread, until `found` finds something; `None` when `timeout` is over first.
    pub fn wait_for<T>(
        &self,
        timeout: Duration,
        mut found: impl FnMut(&MockCluster) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut cluster = self.shared.cluster.lock();
        loop {
            cluster.advance(self.shared.began.elapsed());
            let result = found(&cluster);
            if result.is_some() || Instant::now() >= deadline {
                return result;
            }
            let due = cluster.next_due().map(|at| self.instant(at));
            let until = due.map_or(deadline, |due| due.min(deadline));
            let changed = &self.shared.changed;
            changed.wait_until(&mut cluster, until.into_std());
        }
    }

    /// Waits until `found` finds something. It is for the caller to set a limit.
    pub async fn until<T>(&self, mut found: impl FnMut(&MockCluster) -> Option<T>) -> T {
        loop {
            let changed = self.shared.changed_async.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change is missed.
            changed.as_mut().enable();
            let due = {
                let mut cluster = self.shared.cluster.lock();
                cluster.advance(self.shared.began.elapsed());
                if let Some(result) = found(&cluster) {
                    return result;
                }
                cluster.next_due().map(|at| self.instant(at))
            };
            match due {
                // The time may come before the change, or the reverse.
                Some(due) => drop(tokio::time::timeout_at(due, changed).await),
                None => changed.await,
            }
        }
    }

    // What tests ask most.

    pub fn bootstrap(&self) -> String {
        self.shared.cluster.lock().bootstrap()
    }

    /// Host and port of every broker.
    pub fn endpoints(&self) -> Vec<(String, u16)> {
        let cluster = self.shared.cluster.lock();
        let ids = cluster.broker_ids();
        ids.into_iter()
            .filter_map(|id| cluster.endpoint(id))
            .map(|(host, port)| (host.to_owned(), port))
            .collect()
    }

    pub fn create_topic(&self, name: &str, partitions: i32) -> bool {
        self.with(|cluster| cluster.create_topic(name, &TopicConfig::new(partitions)))
    }

    pub fn set_broker_state(&self, broker: i32, state: BrokerState) {
        self.with(|cluster| cluster.set_broker_state(broker, state));
    }

    pub fn disconnect(&self, broker: i32) {
        self.with(|cluster| cluster.disconnect(broker));
    }

    pub fn set_leader(&self, topic: &str, partition: i32, broker: i32) {
        self.with(|cluster| cluster.set_leader(topic, partition, broker));
    }

    pub fn inject(&self, fault: Fault) {
        self.with(|cluster| cluster.inject(fault));
    }

    pub fn clear_faults(&self) {
        self.with(MockCluster::clear_faults);
    }

    /// The newest requests of an API, oldest first.
    pub fn requests(&self, api: ApiKey) -> Vec<RequestEntry> {
        let cluster = self.shared.cluster.lock();
        cluster
            .requests()
            .filter(|request| request.api == api)
            .cloned()
            .collect()
    }

    /// The records in a partition's log.
    pub fn records(&self, topic: &str, partition: i32) -> Vec<StoredRecord> {
        self.shared.cluster.lock().records(topic, partition)
    }

    // What the transports need.

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.shared.control.subscribe()
    }

    pub(super) fn is_up(&self, broker: i32) -> bool {
        self.shared.cluster.lock().is_up(broker)
    }

    /// The broker of an endpoint, if it is up.
    pub(super) fn broker_at(&self, host: &str, port: u16) -> Option<i32> {
        let cluster = self.shared.cluster.lock();
        let mut ids = cluster.broker_ids().into_iter();
        ids.find(|&id| cluster.is_up(id) && cluster.endpoint(id) == Some((host, port)))
    }

    /// Accepts a connection, unless the broker is down.
    pub(super) fn open(&self, broker: i32) -> Option<Ticket> {
        let cluster = self.shared.cluster.lock();
        let cuts = cluster
            .brokers
            .get(&broker)
            .filter(|_| cluster.is_up(broker))?
            .cuts;
        let counter = &self.shared.connections;
        Some(Ticket {
            broker,
            connection: counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            cuts,
        })
    }

    /// Ends a connection's existence in the cluster.
    pub(super) fn close(&self, ticket: &Ticket) {
        self.shared
            .cluster
            .lock()
            .close_connection(ticket.connection);
    }

    pub(super) fn is_alive(&self, ticket: &Ticket) -> bool {
        is_alive(&self.shared.cluster.lock(), ticket)
    }

    /// Serves a request now; `None` if the connection has been cut.
    pub(super) fn handle(&self, ticket: &Ticket, frame: Bytes) -> Option<Vec<Action>> {
        let mut cluster = self.shared.cluster.lock();
        if !is_alive(&cluster, ticket) {
            return None;
        }
        let now = self.shared.began.elapsed();
        let actions = cluster.handle(ticket.broker, ticket.connection, now, frame);
        drop(cluster);
        self.announce();
        Some(actions)
    }

    /// A time of the cluster as an instant.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.shared.began + at
    }
}

fn is_alive(cluster: &MockCluster, ticket: &Ticket) -> bool {
    let broker = cluster.brokers.get(&ticket.broker);
    broker.is_some_and(|broker| broker.state == BrokerState::Up && broker.cuts == ticket.cuts)
}

impl std::fmt::Debug for MockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockHandle").finish_non_exhaustive()
    }
}
