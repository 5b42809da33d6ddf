//! Scenario 47: consume, transform, produce, by members of a group that come, go and die.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use kprod::completion::Report;
use kprod::error::Error;

use super::*;
use crate::ledger::Ledger;
use crate::support::member::{Member, Polled};

const PARTITIONS: u32 = 4;
const RECORDS: u32 = 1_200;
/// Between two records of the input.
const PACE: Duration = Duration::from_millis(5);
/// Records to be committed between two events.
const STRETCH: usize = 60;
const POLL: Duration = Duration::from_millis(100);

/// What a worker is to do.
const WORK: u8 = 0;
const LEAVE: u8 = 1;
const DIE_BEFORE_OFFSETS: u8 = 2;
const DIE_BEFORE_COMMIT: u8 = 3;
const DIE_IN_COMMIT: u8 = 4;
const DEATHS: [u8; 3] = [DIE_BEFORE_OFFSETS, DIE_BEFORE_COMMIT, DIE_IN_COMMIT];
/// That one poll gives.
const MOST: usize = 25;

/// Ends the workers when it goes, with a test that fails too.
struct Orders<'a> {
    slots: &'a [AtomicU8],
    over: &'a AtomicBool,
}

impl Drop for Orders<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.slots
            .iter()
            .for_each(|slot| slot.store(LEAVE, Ordering::SeqCst));
    }
}

/// What all workers share.
struct Plant<'a> {
    cluster: &'a Lease,
    protocol: &'a str,
    input: &'a str,
    output: &'a str,
    group: &'a str,
    ledger: &'a Ledger,
    /// Of records whose commit was reported as done.
    reports: Mutex<Vec<Report>>,
    workers: AtomicUsize,
}

/// One reader with its producer.
struct Worker<'a> {
    plant: &'a Plant<'a>,
    order: &'a AtomicU8,
    detour: std::sync::Arc<Detour>,
    bed: Bed,
    member: Member,
}

/// How a transaction ended.
enum End {
    Committed,
    /// It can only be aborted.
    Failed,
    Died,
}

impl<'a> Worker<'a> {
    /// A slot's workers have the same transactional id, one after the other.
    fn new(plant: &'a Plant<'a>, slot: usize, order: &'a AtomicU8) -> Worker<'a> {
        let id = format!("{}-{slot}", plant.group);
        let settings = [("transactional.id", &*id), ("linger.ms", "2")];
        let detour = Detour::before(plant.cluster, &[1]);
        let bed = Bed::through(detour.clone(), &plant.cluster.bootstrap(), &settings);
        // Ends what its predecessor has left, as one does before one reads.
        bed.producer.start(WAIT).expect("started");
        let number = plant.workers.fetch_add(1, Ordering::SeqCst);
        let name = format!("{}-{number}", plant.group);
        let bootstrap = plant.cluster.direct_bootstrap();
        let member = Member::join(&name, &bootstrap, plant.group, plant.input, plant.protocol);
        Worker {
            plant,
            order,
            detour,
            bed,
            member,
        }
    }

    fn run(self) {
        loop {
            if self.order.load(Ordering::SeqCst) == LEAVE {
                return self.member.leave();
            }
            let polled = self.member.poll(POLL);
            if polled.records.is_empty() {
                continue;
            }
            match self.pass_on(&polled) {
                End::Committed => {
                    let reports = self.bed.reports_now();
                    all_ok(&reports);
                    assert_eq!(reports.len(), polled.records.len());
                    self.plant.reports.lock().unwrap().extend(reports);
                }
                End::Failed => {
                    abort(&self.bed.producer);
                    self.bed.reports_now();
                    self.member.rewind();
                }
                // What remains goes as with its process: nobody is told.
                End::Died => return self.member.die(),
            }
        }
    }

    /// One transaction: the records, and that they have been read.
    fn pass_on(&self, polled: &Polled) -> End {
        let producer = &self.bed.producer;
        begin(producer);
        for (partition, _, value) in &polled.records {
            let tag = self
                .plant
                .ledger
                .tag_of(Some(value))
                .expect("a record of this run");
            self.bed
                .send(&record_at(self.plant.output, *partition, value, tag));
        }
        let proxy = self.detour.proxy(self.plant.cluster.address(1));
        let order = self.order.load(Ordering::SeqCst);
        if order == DIE_BEFORE_OFFSETS {
            self.bed.flush();
            proxy.refuse();
            return End::Died;
        }
        if let Err(error) = producer.send_offsets_to_transaction(self.offsets(polled), WAIT) {
            return failed(&error);
        }
        match order {
            DIE_BEFORE_COMMIT => {
                proxy.refuse();
                End::Died
            }
            DIE_IN_COMMIT => {
                self.bed.flush();
                proxy.drop_answers();
                let commit =
                    producer.commit_transaction(Timeout::After(Duration::from_millis(200)));
                commit.expect_err("nobody answers");
                proxy.refuse();
                End::Died
            }
            _ => match producer.commit_transaction(WAIT) {
                Ok(()) => End::Committed,
                Err(error) => failed(&error),
            },
        }
    }

    fn offsets(&self, polled: &Polled) -> Offsets {
        let mut next = std::collections::BTreeMap::new();
        for (partition, offset, _) in &polled.records {
            next.insert(*partition, offset + 1);
        }
        let offset = |(partition, offset)| GroupOffset {
            topic: self.plant.input.into(),
            partition,
            offset,
            leader_epoch: -1,
            metadata: None,
        };
        Offsets {
            group: GroupMetadata {
                group_id: self.plant.group.into(),
                generation_id: polled.generation,
                member_id: polled.member.clone(),
                group_instance_id: None,
            },
            offsets: next.into_iter().map(offset).collect(),
        }
    }
}

fn failed(error: &Error) -> End {
    assert_eq!(error.class, Class::Abortable, "{error:?}");
    End::Failed
}

pub fn members_come_go_and_die(kind: Kind) {
    consume_transform_produce(kind, "classic");
}

pub fn members_of_the_new_protocol(kind: Kind) {
    consume_transform_produce(kind, "consumer");
}

/// All of the input is in the output once and in order, and the group has read all of it.
fn consume_transform_produce(kind: Kind, protocol: &str) {
    let cluster = shared(kind);
    let group = format!("transactions-47-{protocol}");
    let (input, output) = (format!("{group}-in"), format!("{group}-out"));
    cluster.create_topic(&input, PARTITIONS as i32, &[]);
    cluster.create_topic(&output, PARTITIONS as i32, &[]);
    let (ledger, over) = (Ledger::new(), AtomicBool::new(false));
    let plant = Plant {
        cluster: &cluster,
        protocol,
        input: &input,
        output: &output,
        group: &group,
        ledger: &ledger,
        reports: Mutex::default(),
        workers: AtomicUsize::new(0),
    };
    let tags = || (0..RECORDS).map(|n| Ledger::tag(n % PARTITIONS, n / PARTITIONS));
    let orders = [const { AtomicU8::new(WORK) }; 4];
    std::thread::scope(|scope| {
        let end = Orders {
            slots: &orders,
            over: &over,
        };
        scope.spawn(|| {
            let feeder = Bed::new(&cluster.bootstrap(), &[("enable.idempotence", "true")]);
            for tag in tags().take_while(|_| !over.load(Ordering::SeqCst)) {
                let partition = (tag >> 32) as i32;
                feeder.send(&record_at(&input, partition, &ledger.value(tag, 50), tag));
                std::thread::sleep(PACE);
            }
            feeder.flush();
            all_ok(&feeder.reports_now());
        });
        let plant = &plant;
        let orders = &orders;
        let start = |slot: usize| {
            orders[slot].store(WORK, Ordering::SeqCst);
            scope.spawn(move || Worker::new(plant, slot, &orders[slot]).run())
        };
        let stretch = || {
            let done = || plant.reports.lock().unwrap().len();
            let until = (done() + STRETCH).min(RECORDS as usize * 3 / 4);
            wait_for("records to be passed on", LONG, || {
                (done() >= until).then_some(())
            });
        };
        let mut workers = [start(0), start(1), start(2)];
        stretch();
        for (slot, death) in DEATHS.into_iter().enumerate() {
            let more = start(3);
            stretch();
            orders[slot].store(death, Ordering::SeqCst);
            orders[3].store(LEAVE, Ordering::SeqCst);
            more.join().expect("it has left");
            wait_for("a worker to die", LONG, || {
                workers[slot].is_finished().then_some(())
            });
            workers[slot] = start(slot);
            stretch();
        }
        let wanted = RECORDS as usize;
        let committed = cluster.consumer(Isolation::ReadCommitted);
        committed.read_count(&output, wanted, LONG);
        drop(end);
    });

    let log = cluster.consumer(Isolation::ReadCommitted).read_all(&output);
    let reports = plant.reports.into_inner().unwrap();
    let mut judgement = ledger.judge(tags(), &reports, &log);
    // Who died in a commit has no report of it; and the workers' reports have no order among each other.
    assert!(judgement.unreported.len() <= MOST);
    judgement.unreported.clear();
    judgement.reported_out_of_order.clear();
    judgement.assert_clean();
    let read: Vec<_> = (0..PARTITIONS as i32)
        .map(|partition| (partition, i64::from(RECORDS / PARTITIONS)))
        .collect();
    assert_eq!(cluster.admin().group_offsets(&group, &input), read);
}
