//! Producers while brokers die, stop, move and are not heard: kprod, Java's and librdkafka by one measure. script/chaos.

mod client;
mod kprod_client;
#[path = "../kafka_scenarios/ledger.rs"]
// It has tests of its own, which run where it is at home.
#[allow(dead_code, unused_imports)]
mod ledger;
mod measure;
mod options;
mod schedule;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod verdict;

use std::process::ExitCode;
use std::time::Duration;

use client::{Client, Kind};
use options::Options;
use schedule::{Schedule, Stage};
use support::kafka::{self, KafkaCluster, Version};
use support::wait_for;
use verdict::Verdict;

const PARTITIONS: i32 = 6;
/// Before the first fault, and after the last.
const CALM: Duration = Duration::from_secs(3);
/// Beyond this a producer is taken not to recover.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "client") {
        kprod_client::run(arguments.skip(1));
        return ExitCode::SUCCESS;
    }
    match Options::parse(arguments) {
        Ok(None) => {
            print!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Ok(Some(options)) if run(&options) => ExitCode::SUCCESS,
        Ok(Some(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether kprod's records are all as they should be. Of its peers that is only told.
fn run(options: &Options) -> bool {
    let mut clean = true;
    for schedule in &options.schedules {
        let cluster = start();
        table::head(*schedule);
        for kind in &options.clients {
            let verdict = put_through(&cluster, *schedule, *kind, options);
            table::row(*schedule, *kind, &verdict, options);
            clean &= *kind != Kind::Kprod || verdict.is_clean();
        }
    }
    clean
}

fn start() -> KafkaCluster {
    let kind = kafka::Options {
        proxied: true,
        ..kafka::Options::one_controller()
    };
    let kind = kind
        .with("broker.session.timeout.ms", "4000")
        .with("broker.heartbeat.interval.ms", "1000");
    KafkaCluster::start(Version::V4_3_1, 3, kind)
}

fn put_through(
    cluster: &KafkaCluster,
    schedule: Schedule,
    kind: Kind,
    options: &Options,
) -> Verdict {
    let topic = format!("{}-{}", schedule.name(), kind.name());
    create_topic(cluster, &topic);
    let mut client = Client::start(cluster, &topic, schedule, kind, options);
    let all_acknowledged = |client: &Client, since: u64| {
        wait_for("all partitions to be acknowledged", PATIENCE, || {
            client.all_acknowledged(since, PARTITIONS).then_some(())
        });
    };
    all_acknowledged(&client, 0);
    std::thread::sleep(CALM);
    let stage = Stage {
        cluster,
        topic: &topic,
        length: options.length,
    };
    let faults: Vec<measure::Fault> = schedule
        .run(&stage)
        .into_iter()
        .map(|(begin, end)| measure::Fault {
            begin: client.time(begin),
            end: client.time(end),
        })
        .collect();
    let last = faults.iter().map(|fault| fault.end).max().unwrap_or(0);
    all_acknowledged(&client, last);
    std::thread::sleep(CALM);
    client.finish();
    Verdict::of(cluster, &topic, &client, &faults)
}

/// Each node leads two partitions, and all orders of replicas occur.
fn create_topic(cluster: &KafkaCluster, topic: &str) {
    let layout: [&[i32]; PARTITIONS as usize] = [
        &[1, 2, 3],
        &[2, 3, 1],
        &[3, 1, 2],
        &[1, 3, 2],
        &[2, 1, 3],
        &[3, 2, 1],
    ];
    let needs = [("min.insync.replicas", "2")];
    cluster.admin().create_topic_at(topic, &layout, &needs);
    cluster.wait_topic(topic, PARTITIONS as usize);
}
