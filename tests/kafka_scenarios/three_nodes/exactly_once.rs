//! Scenarios 31 to 37: an idempotent producer while leaders die, stop, move and are not heard.

use std::time::Duration;

use crate::bed::LONG;
use crate::detour::Detour;
use crate::pool::{Kind, alone};
use crate::support::wait_for;
use crate::withstand::{PARTITIONS, withstand};

#[test]
fn scenario_31_leaders_are_killed_again_and_again() {
    let cluster = alone(Kind::ThreeNodes);
    withstand(&cluster, "scenario-31", None, |stretch| {
        for node in [2, 3, 2] {
            cluster.kill(node);
            stretch();
            cluster.restart(node);
            stretch();
        }
    });
}

#[test]
fn scenario_32_a_leader_stops_and_wakes_as_a_zombie() {
    let cluster = alone(Kind::ThreeNodes);
    withstand(&cluster, "scenario-32", None, |stretch| {
        cluster.pause(2);
        stretch();
        cluster.resume(2);
        stretch();
    });
}

#[test]
fn scenario_33_answers_are_lost() {
    let cluster = alone(Kind::ThreeNodes);
    let detour = Detour::before(&cluster, &[1, 2, 3]);
    withstand(&cluster, "scenario-33", Some(detour.clone()), |stretch| {
        for node in [1, 2, 3, 1, 2] {
            let proxy = detour.proxy(cluster.address(node));
            let before = proxy.request_bytes();
            proxy.drop_answers();
            wait_for("requests that will not be answered", LONG, || {
                (proxy.request_bytes() > before).then_some(())
            });
            proxy.cut();
            proxy.heal();
            stretch();
        }
    });
}

#[test]
fn scenario_34_answers_come_after_the_request_timeout() {
    let cluster = alone(Kind::ThreeNodes);
    let detour = Detour::before(&cluster, &[1, 2, 3]);
    withstand(&cluster, "scenario-34", Some(detour.clone()), |stretch| {
        for node in [1, 2] {
            let proxy = detour.proxy(cluster.address(node));
            let connections = proxy.connections();
            proxy.delay_answers(Duration::from_secs(5));
            wait_for("a connection to be given up", LONG, || {
                (proxy.connections() != connections).then_some(())
            });
            proxy.heal();
            stretch();
        }
    });
}

#[test]
fn scenario_36_leaders_move_every_second() {
    let cluster = alone(Kind::ThreeNodes);
    withstand(&cluster, "scenario-36", None, |stretch| {
        for round in 0..6 {
            for partition in 0..PARTITIONS {
                let node = 1 + (partition + round) % 3;
                cluster.admin().move_leader("scenario-36", partition, node);
            }
            stretch();
        }
    });
}

#[test]
fn scenario_37_all_brokers_are_restarted_in_turn() {
    let cluster = alone(Kind::ThreeNodes);
    withstand(&cluster, "scenario-37", None, |stretch| {
        // Node 1 is the only controller: it stays.
        for node in [2, 3] {
            cluster.stop(node);
            cluster.restart(node);
            stretch();
        }
    });
}
