//! Scenario 37 for a whole cluster: every node is restarted, the active controller last.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::bed::Bed;
use crate::pool::{Kind, alone};
use crate::transactions::run::Run;
use crate::withstand::{End, withstand};

#[test]
fn scenario_37_every_node_is_restarted_and_the_controller_too() {
    let cluster = alone(Kind::ThreeControllers);
    let topic = "scenario-37-transactions";
    cluster.create_topic(topic, 3, &[("min.insync.replicas", "2")]);
    withstand(&cluster, "scenario-37-all", None, |stretch| {
        let settings = [("transactional.id", topic), ("request.timeout.ms", "3000")];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        let over = AtomicBool::new(false);
        let run = std::thread::scope(|scope| {
            let end = End(&over);
            let maker = scope.spawn(|| {
                let mut run = Run::new(&bed, topic, 3);
                while !over.load(Ordering::SeqCst) {
                    run.transaction();
                }
                run
            });
            let controller = cluster.admin().quorum_leader();
            let others = [1, 2, 3].into_iter().filter(|node| *node != controller);
            for node in others.chain([controller]) {
                cluster.stop(node);
                cluster.restart(node);
                stretch();
            }
            drop(end);
            maker.join().expect("all end well")
        });
        assert!(run.count() > 10, "{} transactions", run.count());
        run.judge(&cluster);
    });
}
