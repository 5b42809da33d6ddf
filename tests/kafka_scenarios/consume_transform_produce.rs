//! `examples-c/consume_transform_produce.c`: several processes of it, killed, stopped and restarted, write each input
//! record's output once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::bed::{Bed, LONG, all_ok, record_at};
use crate::pool::{Kind, Lease, alone};
use crate::support::consumer::Isolation;
use crate::support::wait_for;

const PARTITIONS: i32 = 4;
/// Longer than a killed instance's session and its successor's wait together.
const TAKEOVER: Duration = Duration::from_secs(90);

/// Where CMake has put the example.
fn program() -> PathBuf {
    let built = std::env::var_os("KPROD_EXAMPLES").map(PathBuf::from);
    let directory =
        built.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("build/examples-c"));
    let program = directory.join("consume_transform_produce");
    assert!(
        program.exists(),
        "{} is not built: `script/test kafka` does it",
        program.display()
    );
    program
}

/// A process of the example. What it prints is read to the end, so that it never waits for us.
struct Instance {
    child: Child,
    lines: Receiver<String>,
}

impl Instance {
    fn start(stage: &Stage, name: &str) -> Instance {
        let mut child = Command::new(program())
            .args([&stage.cluster.bootstrap(), "ctp-in", "ctp-out", "ctp", name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, lines) = channel();
        let name = name.to_owned();
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                println!("{name}: {line}");
                // Nobody reads on behind the end of the test.
                let _ = to.send(line);
            }
        });
        Instance { child, lines }
    }

    /// Waits for a line that is still to come.
    #[track_caller]
    fn says(&self, what: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(what) => return,
                Ok(_) => {}
                Err(error) => panic!("waited for \"{what}\": {error}"),
            }
        }
    }

    /// Leaves out what it has said up to now.
    fn skip(&self) {
        while self.lines.try_recv().is_ok() {}
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name}");
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().expect("it runs");
        let _ = self.child.wait();
    }

    /// SIGINT, upon which it leaves the group and ends well.
    fn interrupt(mut self) {
        self.signal("INT");
        let ended = || self.child.try_wait().expect("it is ours");
        let status = wait_for("the instance to end", LONG, ended);
        assert!(status.success(), "{status}");
    }
}

impl Drop for Instance {
    /// After a failure nothing stays behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Stage {
    cluster: Lease,
    input: Bed,
}

impl Stage {
    fn new(kind: Kind) -> Stage {
        let cluster = alone(kind);
        cluster.create_topic("ctp-in", PARTITIONS, &[]);
        cluster.create_topic("ctp-out", PARTITIONS, &[]);
        let input = Bed::new(&cluster.bootstrap(), &[("enable.idempotence", "true")]);
        Stage { cluster, input }
    }

    fn send(&self, number: u64) {
        let partition = (number % PARTITIONS as u64) as i32;
        let (key, value) = (format!("key {partition}"), format!("record {number}"));
        let mut record = record_at("ctp-in", partition, value.as_bytes(), number);
        record.key = Some(key.as_bytes());
        self.input.send(&record);
    }

    /// Feeds the input until told that it is enough; says how many records there are.
    fn feed(&self, enough: &AtomicBool) -> u64 {
        let mut number = 0;
        while !enough.load(Ordering::Relaxed) {
            (0..20).for_each(|n| self.send(number + n));
            number += 20;
            all_ok(&self.input.reports(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        number
    }

    /// Of each key the numbers of the output records that are committed, in their order.
    fn output(&self, isolation: Isolation) -> BTreeMap<Vec<u8>, Vec<u64>> {
        let mut outputs: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for record in self.cluster.consumer(isolation).read_all("ctp-out") {
            let value = String::from_utf8(record.value.expect("a value")).expect("text");
            let number = value.strip_prefix("RECORD ").expect("a transformed value");
            let key = record.key.expect("the input's key");
            let number = number.parse().expect("the input's number");
            outputs.entry(key).or_default().push(number);
        }
        outputs
    }

    /// Waits until as many outputs are committed as there are inputs; each must be there once, and in order.
    fn expect_each_once(&self, inputs: u64) {
        let outputs = wait_for("all outputs", TAKEOVER, || {
            let outputs = self.output(Isolation::ReadCommitted);
            let count: usize = outputs.values().map(Vec::len).sum();
            (count as u64 >= inputs).then_some(outputs)
        });
        for partition in 0..PARTITIONS as u64 {
            let key = format!("key {partition}").into_bytes();
            let expected = (partition..inputs).step_by(PARTITIONS as usize);
            let expected: Vec<u64> = expected.collect();
            let found = outputs.get(&key).cloned().unwrap_or_default();
            if found != expected {
                let lost = expected.iter().filter(|n| !found.contains(n)).count();
                let more = (found.len() + lost).saturating_sub(expected.len());
                panic!("{lost} lost, {more} doubled of key {partition}: {found:?}");
            }
        }
    }
}

fn each_input_is_transformed_once(kind: Kind) {
    let stage = Stage::new(kind);
    let enough = AtomicBool::new(false);
    let (inputs, left) = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| stage.feed(&enough));
        // Also when the test fails, for the scope waits for the feeder.
        let _enough = Sets(&enough);
        let a = Instance::start(&stage, "a");
        let b = Instance::start(&stage, "b");
        a.says("assigned 2", TAKEOVER);
        b.says("assigned 2", TAKEOVER);
        a.says("committed", TAKEOVER);
        b.says("committed", TAKEOVER);

        // Killed with a transaction open; the same instance comes back.
        a.kill();
        let a = Instance::start(&stage, "a");
        a.says("committed", TAKEOVER);

        // The group changes twice, in good order.
        b.skip();
        let c = Instance::start(&stage, "c");
        c.says("assigned", TAKEOVER);
        c.says("committed", TAKEOVER);
        c.interrupt();
        b.says("assigned 2", TAKEOVER);
        b.says("committed", TAKEOVER);

        // One that was away for longer than its session wakes up with a transaction of which it owns nothing any more.
        a.skip();
        b.skip();
        b.signal("STOP");
        a.says("assigned 4", TAKEOVER);
        b.signal("CONT");
        b.says("assigned 2", TAKEOVER);
        b.says("committed", TAKEOVER);

        // Killed, and nobody comes back in time: the other one gets the partitions, and waits for the transaction.
        a.skip();
        b.kill();
        a.says("assigned 4", TAKEOVER);
        let b = Instance::start(&stage, "b");
        b.says("committed", TAKEOVER);
        enough.store(true, Ordering::Relaxed);
        (feeder.join().expect("fed"), [a, b])
    });
    stage.expect_each_once(inputs);
    let all: usize = stage
        .output(Isolation::ReadUncommitted)
        .values()
        .map(Vec::len)
        .sum();
    assert!(all as u64 > inputs, "no transaction was open at a kill");

    left.into_iter().for_each(Instance::interrupt);
    // Whoever starts afterwards begins where they ended.
    let last = Instance::start(&stage, "a");
    stage.send(inputs);
    all_ok(&stage.input.reports(1));
    last.says("committed 1 records", TAKEOVER);
    stage.expect_each_once(inputs + 1);
    last.interrupt();
}

/// Sets a flag when it goes.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn each_input_is_transformed_once_kafka_4_3() {
    each_input_is_transformed_once(Kind::ThreeNodes);
}

#[test]
fn each_input_is_transformed_once_kafka_3_9() {
    each_input_is_transformed_once(Kind::Kafka3);
}
