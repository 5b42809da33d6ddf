//! Scenario 18: records without keys avoid a broker that has become slow, and return to it.

use std::ops::Range;
use std::time::Duration;

use crate::bed::{Bed, all_ok, record};
use crate::detour::Detour;
use crate::pool::{Kind, alone};

#[test]
fn scenario_18_a_slow_broker_gets_less_until_it_recovers() {
    let cluster = alone(Kind::ThreeNodes);
    let topic = "scenario-18";
    let replicas: [&[i32]; 6] = [&[1], &[2], &[3], &[1], &[2], &[3]];
    cluster.admin().create_topic_at(topic, &replicas, &[]);
    cluster.wait_topic(topic, 6);
    let detour = Detour::before(&cluster, &[1, 2, 3]);
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &[("linger.ms", "5")]);
    let slow = detour.proxy(cluster.address(3));

    let before = share_of_third(&bed, topic, 0..4_000);
    assert!((0.22..0.45).contains(&before), "{before}");
    // Two batches at a time in 200 ms are a quarter of what its even share would be.
    slow.delay_answers(Duration::from_millis(200));
    let slowed = share_of_third(&bed, topic, 4_000..16_000);
    assert!(slowed < 1.0 / 6.0, "{slowed}");
    slow.heal();
    let healed = share_of_third(&bed, topic, 16_000..22_000);
    assert!((0.22..0.45).contains(&healed), "{healed}");
    bed.assert_at_rest();
}

/// Sends records at a steady pace and tells which part of the later half went to broker 3.
fn share_of_third(bed: &Bed, topic: &str, tags: Range<u64>) -> f64 {
    let value = [b'v'; 1_000];
    for tag in tags.clone() {
        bed.send(&record(topic, &value, tag));
        if tag % 20 == 0 {
            // At most 2 MB/s: what fast brokers take at once.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let reports = bed.reports((tags.end - tags.start) as usize);
    all_ok(&reports);
    let middle = (tags.start + tags.end) / 2;
    let later = || reports.iter().filter(|report| report.tag >= middle);
    let third = later().filter(|report| report.partition % 3 == 2).count();
    third as f64 / later().count() as f64
}
