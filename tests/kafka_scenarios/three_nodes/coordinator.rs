//! Scenario 50: the transaction's coordinator dies between the records and the commit, and in the commit.

use crate::bed::{Bed, LONG};
use crate::pool::{Kind, Lease, alone};
use crate::support::wait_for;
use crate::transactions::run::Run;
use crate::transactions::{WAIT, commit};

const FEATURE: &str = "transaction.version";
const STATE: &str = "__transaction_state";
/// As the fixture configures it.
const STATE_PARTITIONS: i32 = 4;

/// The partition of the coordinators' log that is the id's, as Java finds it.
fn state_partition(id: &str) -> i32 {
    let step = |hash: i32, byte: u8| hash.wrapping_mul(31).wrapping_add(i32::from(byte));
    let hash = id.bytes().fold(0, step);
    (hash & i32::MAX) % STATE_PARTITIONS
}

/// A transactional id whose coordinator may be killed, for it is no controller.
fn mortal(cluster: &Lease, name: &str) -> String {
    // The log is made with the first id that asks.
    let first = Bed::new(&cluster.bootstrap(), &[("transactional.id", name)]);
    first.producer.start(WAIT).expect("started");
    let ids = (0..).map(|n| format!("{name}-{n}"));
    let mut mortal = ids.filter(|id| cluster.leader(STATE, state_partition(id)) != 1);
    mortal.next().expect("one of them")
}

/// Every replica of the topics has what its leader has, so that another node may die.
fn wait_whole(cluster: &Lease, topics: [&str; 2]) {
    wait_for("all replicas to be in sync", LONG, || {
        let whole = |topic: &&str| {
            let partitions = cluster.admin().describe(topic);
            partitions.iter().all(|partition| partition.isr.len() == 3)
        };
        topics.iter().all(whole).then_some(())
    });
}

#[test]
fn scenario_50_the_coordinator_dies_before_and_in_the_commit() {
    let cluster = alone(Kind::ThreeNodes);
    let needs = [("min.insync.replicas", "2")];
    // The level that a new cluster has comes last.
    for (level, in_commit) in [(0, false), (2, false), (2, true)] {
        cluster.admin().set_feature(FEATURE, level);
        let topic = format!("scenario-50-{level}-{in_commit}");
        cluster.create_topic(&topic, 3, &needs);
        let id = mortal(&cluster, &topic);
        let settings = [("transactional.id", &*id), ("request.timeout.ms", "3000")];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        let mut run = Run::new(&bed, &topic, 3);
        run.transaction();
        wait_whole(&cluster, [STATE, &topic]);

        let tags = run.begin();
        let coordinator = cluster.leader(STATE, state_partition(&id));
        if in_commit {
            std::thread::scope(|scope| {
                let commits = scope.spawn(|| commit(&bed.producer));
                cluster.kill(coordinator);
                commits.join().expect("committed");
            });
        } else {
            bed.flush();
            cluster.kill(coordinator);
            commit(&bed.producer);
        }
        run.committed(tags);
        run.transaction();
        cluster.restart(coordinator);
        run.transaction();
        run.judge(&cluster);
    }
}
