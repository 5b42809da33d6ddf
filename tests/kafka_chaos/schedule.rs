//! What happens to the cluster while producers send.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::PARTITIONS;
use crate::support::kafka::KafkaCluster;
use crate::support::proxy::Proxy;
use crate::support::wait_for;

const NODES: [i32; 3] = [1, 2, 3];
const TRANSACTIONS: &str = "__transaction_state";
/// Of tests/kafka/kraft.properties.
const TRANSACTION_PARTITIONS: i32 = 4;
const END_TXN: i16 = 26;
const LIMIT: Duration = Duration::from_secs(60);

/// How long a killed broker is away: beyond its session.
const AWAY: Duration = Duration::from_secs(7);
const SETTLE: Duration = Duration::from_secs(5);
const MOVES_EVERY: Duration = Duration::from_secs(2);
const LOSSES_EVERY: Duration = Duration::from_secs(3);
const LOST: Duration = Duration::from_millis(200);
/// Some transactions end within.
const ENDS_LOST: Duration = Duration::from_millis(500);
const RESETS_EVERY: Duration = Duration::from_secs(1);
const SWALLOWED: Duration = Duration::from_secs(5);
const PAUSES: [Duration; 2] = [Duration::from_secs(8), Duration::from_secs(20)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    Kills,
    Moves,
    LostAnswers,
    Resets,
    Swallowed,
    Pauses,
    TransactionsLostAnswers,
    TransactionsLostEnds,
    CoordinatorKills,
}

pub struct Stage<'a> {
    pub cluster: &'a KafkaCluster,
    pub topic: &'a str,
    pub length: Duration,
}

/// When something was wrong.
type Faults = Vec<(Instant, Instant)>;

impl Schedule {
    pub const ALL: [Schedule; 9] = [
        Schedule::Kills,
        Schedule::Moves,
        Schedule::LostAnswers,
        Schedule::Resets,
        Schedule::Swallowed,
        Schedule::Pauses,
        Schedule::TransactionsLostAnswers,
        Schedule::TransactionsLostEnds,
        Schedule::CoordinatorKills,
    ];

    pub fn named(name: &str) -> Option<Schedule> {
        Schedule::ALL.into_iter().find(|it| it.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Schedule::Kills => "kills",
            Schedule::Moves => "moves",
            Schedule::LostAnswers => "lost-answers",
            Schedule::Resets => "resets",
            Schedule::Swallowed => "swallowed",
            Schedule::Pauses => "pauses",
            Schedule::TransactionsLostAnswers => "txn-lost-answers",
            Schedule::TransactionsLostEnds => "txn-lost-ends",
            Schedule::CoordinatorKills => "txn-coordinator-kills",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Schedule::Kills => "kill -9 of a leader, three times",
            Schedule::Moves => "leaders moved every 2 s",
            Schedule::LostAnswers => "answers lost, then connections reset, every 3 s",
            Schedule::Resets => "connections reset every second",
            Schedule::Swallowed => "a broker's traffic swallowed for 5 s",
            Schedule::Pauses => "SIGSTOP of a leader for 8 s and 20 s",
            Schedule::TransactionsLostAnswers => "transactional: answers lost",
            Schedule::TransactionsLostEnds => "transactional: EndTxn answers lost",
            Schedule::CoordinatorKills => "transactional: coordinator killed",
        }
    }

    pub fn is_transactional(self) -> bool {
        match self {
            Schedule::Kills
            | Schedule::Moves
            | Schedule::LostAnswers
            | Schedule::Resets
            | Schedule::Swallowed
            | Schedule::Pauses => false,
            Schedule::TransactionsLostAnswers
            | Schedule::TransactionsLostEnds
            | Schedule::CoordinatorKills => true,
        }
    }

    /// Returns when all is well again.
    pub fn run(self, stage: &Stage<'_>) -> Faults {
        match self {
            Schedule::Kills => stage.kills(),
            Schedule::Moves => stage.every(MOVES_EVERY, |round| stage.move_leaders(round)),
            Schedule::LostAnswers | Schedule::TransactionsLostAnswers => {
                stage.every(LOSSES_EVERY, |_| stage.lose(LOST, Proxy::drop_answers))
            }
            Schedule::Resets => stage.every(RESETS_EVERY, |_| stage.at_proxies(Proxy::cut)),
            Schedule::Swallowed => stage.swallows(),
            Schedule::Pauses => stage.pauses(),
            Schedule::TransactionsLostEnds => stage.every(LOSSES_EVERY, |_| {
                stage.lose(ENDS_LOST, |proxy| proxy.drop_answers_from(END_TXN));
            }),
            Schedule::CoordinatorKills => stage.coordinator_kills(),
        }
    }
}

impl Stage<'_> {
    /// Does something again and again, each of which is a fault from its beginning to its end.
    fn every(&self, pause: Duration, fault: impl Fn(i32)) -> Faults {
        let (started, mut faults) = (Instant::now(), Vec::new());
        for round in 0.. {
            let begin = Instant::now();
            if begin.duration_since(started) >= self.length {
                break;
            }
            fault(round);
            faults.push((begin, Instant::now()));
            let next = begin + pause;
            sleep(next.saturating_duration_since(Instant::now()));
        }
        faults
    }

    fn at_proxies(&self, act: impl Fn(&Proxy)) {
        NODES.iter().for_each(|node| act(self.cluster.proxy(*node)));
    }

    fn lose(&self, how_long: Duration, what: impl Fn(&Proxy)) {
        self.at_proxies(what);
        sleep(how_long);
        self.at_proxies(Proxy::heal);
    }

    fn move_leaders(&self, round: i32) {
        std::thread::scope(|scope| {
            for partition in 0..PARTITIONS {
                let node = 1 + (partition + round + 1) % 3;
                let admin = self.cluster.admin();
                scope.spawn(move || admin.move_leader(self.topic, partition, node));
            }
        });
    }

    fn kills(&self) -> Faults {
        let started = Instant::now();
        let mut faults = Vec::new();
        while faults.len() < 3 && (faults.is_empty() || started.elapsed() < self.length) {
            faults.push(self.kill(self.a_leader()));
        }
        faults
    }

    fn coordinator_kills(&self) -> Faults {
        let partition = java_hash(self.topic) % TRANSACTION_PARTITIONS;
        let started = Instant::now();
        let mut faults = Vec::new();
        for node in [2, 3].into_iter().cycle() {
            if !faults.is_empty() && started.elapsed() >= self.length {
                break;
            }
            self.cluster
                .admin()
                .move_leader(TRANSACTIONS, partition, node);
            sleep(SETTLE);
            faults.push(self.kill(node));
        }
        faults
    }

    /// Its address refuses connections meanwhile. The fault ends when it is up again; the next may come when it also
    /// has all records.
    fn kill(&self, node: i32) -> (Instant, Instant) {
        let begin = Instant::now();
        self.cluster.kill(node);
        self.cluster.proxy(node).refuse();
        sleep(AWAY);
        self.cluster.restart(node);
        self.cluster.proxy(node).heal();
        let end = Instant::now();
        self.in_sync();
        sleep(SETTLE);
        (begin, end)
    }

    fn swallows(&self) -> Faults {
        let (started, mut faults) = (Instant::now(), Vec::new());
        for node in NODES.into_iter().cycle() {
            if !faults.is_empty() && started.elapsed() >= self.length {
                break;
            }
            let begin = Instant::now();
            let proxy = self.cluster.proxy(node);
            proxy.drop_requests();
            proxy.drop_answers();
            sleep(SWALLOWED);
            proxy.heal();
            faults.push((begin, Instant::now()));
            sleep(SETTLE);
        }
        faults
    }

    fn pauses(&self) -> Faults {
        let (started, mut faults) = (Instant::now(), Vec::new());
        for pause in PAUSES {
            if !faults.is_empty() && started.elapsed() >= self.length {
                break;
            }
            let (node, begin) = (self.a_leader(), Instant::now());
            self.cluster.pause(node);
            sleep(pause);
            self.cluster.resume(node);
            faults.push((begin, Instant::now()));
            self.in_sync();
            sleep(SETTLE);
        }
        faults
    }

    /// Not node 1, which is the controller.
    fn a_leader(&self) -> i32 {
        let leaders = (0..PARTITIONS).map(|p| self.cluster.leader(self.topic, p));
        let mut others = leaders.filter(|node| *node != 1);
        others.next().unwrap_or_else(|| {
            self.cluster.admin().move_leader(self.topic, 0, 2);
            2
        })
    }

    fn in_sync(&self) {
        wait_for("all replicas to be in sync", LIMIT, || {
            let partitions = self.cluster.admin().describe(self.topic);
            let all = |isr: &Vec<i32>| isr.len() == NODES.len();
            partitions.iter().all(|it| all(&it.isr)).then_some(())
        });
    }
}

/// As `String.hashCode`, without the sign.
fn java_hash(text: &str) -> i32 {
    let add = |hash: i32, byte: u8| hash.wrapping_mul(31).wrapping_add(byte.into());
    text.bytes().fold(0, add) & i32::MAX
}
