//! The one cluster that runs at a time, shared by the tests that need its kind.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::support::kafka::{KafkaCluster, Options, Version};

const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// The clusters that scenarios ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OneNode,
    /// Only node 1 is a controller, so that the others may all die.
    ThreeNodes,
    /// All three are controllers.
    ThreeControllers,
    /// One node whose `transaction.version` is 0.
    FirstProtocol,
    Kafka3,
    Kafka2,
}

impl Kind {
    fn start(self) -> KafkaCluster {
        match self {
            Kind::OneNode => {
                // A quota is to be felt within seconds.
                let options = particular().with("quota.window.num", "2");
                KafkaCluster::start(Version::V4_3_1, 1, options)
            }
            Kind::ThreeControllers => KafkaCluster::start(Version::V4_3_1, 3, Options::default()),
            Kind::FirstProtocol => {
                let options = particular().feature("transaction.version", 0);
                KafkaCluster::start(Version::V4_3_1, 1, options)
            }
            Kind::ThreeNodes => KafkaCluster::start(Version::V4_3_1, 3, Options::one_controller()),
            Kind::Kafka3 => KafkaCluster::start(Version::V3_9_1, 1, forgetting()),
            Kind::Kafka2 => KafkaCluster::start(Version::V2_8_2, 1, Options::default()),
        }
    }
}

/// Looks often whether a producer is to be forgotten.
fn forgetting() -> Options {
    Options::default().with("producer.id.expiration.check.interval.ms", "200")
}

/// Denies what a test forbids, and nothing else; a member of a group that dies is missed within two seconds.
fn particular() -> Options {
    forgetting()
        .with("group.min.session.timeout.ms", "1000")
        .with("group.consumer.min.session.timeout.ms", "1000")
        .with("group.consumer.session.timeout.ms", "2000")
        .with("group.consumer.min.heartbeat.interval.ms", "100")
        .with("group.consumer.heartbeat.interval.ms", "200")
        .with("authorizer.class.name", AUTHORIZER)
        .with("allow.everyone.if.no.acl.found", "true")
}

/// A cluster for one test, beside others or alone.
pub struct Lease {
    /// `None` only while it is being dropped.
    cluster: Option<Arc<KafkaCluster>>,
    alone: bool,
}

impl Deref for Lease {
    type Target = KafkaCluster;

    fn deref(&self) -> &KafkaCluster {
        self.cluster.as_ref().expect("the lease lasts")
    }
}

#[derive(Default)]
struct Pool {
    running: Option<(Kind, Arc<KafkaCluster>)>,
    users: usize,
    alone: bool,
    /// A test failed: who knows in what state it left the cluster.
    spoiled: bool,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    running: None,
    users: 0,
    alone: false,
    spoiled: false,
});
static CHANGED: Condvar = Condvar::new();

/// For a test that leaves the cluster's servers alone.
pub fn shared(kind: Kind) -> Lease {
    lease(kind, false)
}

/// For a test that disturbs servers, or that measures time.
pub fn alone(kind: Kind) -> Lease {
    lease(kind, true)
}

fn lease(kind: Kind, alone: bool) -> Lease {
    let mut pool = lock();
    while !pool.admits(kind, alone) {
        pool = CHANGED.wait(pool).unwrap_or_else(PoisonError::into_inner);
    }
    if !pool.has(kind) {
        // The one before must be gone first: two at a time would starve each other.
        pool.running = None;
        pool.running = Some((kind, Arc::new(kind.start())));
        pool.spoiled = false;
    }
    pool.users += 1;
    pool.alone = alone;
    let (_, cluster) = pool.running.as_ref().expect("it has just been started");
    Lease {
        cluster: Some(cluster.clone()),
        alone,
    }
}

impl Pool {
    fn has(&self, kind: Kind) -> bool {
        !self.spoiled && self.running.as_ref().is_some_and(|(has, _)| *has == kind)
    }

    fn admits(&self, kind: Kind, alone: bool) -> bool {
        self.users == 0 || (self.has(kind) && !alone && !self.alone)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = lock();
        // Before others are let in, for the pool's must be the last reference when it changes the cluster.
        self.cluster = None;
        pool.users -= 1;
        if self.alone {
            pool.alone = false;
        }
        pool.spoiled |= std::thread::panicking();
        CHANGED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
