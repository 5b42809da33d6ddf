//! What a seed decides before a schedule begins: cluster, configuration, how bad it gets, how it ends.

use std::time::Duration;

use kprod::mock::KafkaVersion;
use kprod::sys::Rng;

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing: every record is to be delivered exactly once.
    Calm,
    /// Only what a broker definitely refuses: what is delivered is there exactly once.
    Refusals,
    /// Anything.
    Storm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The cluster heals, a flush, then close.
    Flush,
    /// The cluster heals, then close alone.
    Close,
    /// No broker is up; close has so long.
    CloseDead(Duration),
}

#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub partitions: i32,
    /// There before the first record; else made when the producer asks for it.
    pub exists: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub weather: Weather,
    pub ending: Ending,
    pub brokers: i32,
    pub version: KafkaVersion,
    pub auto_create_delay: Duration,
    pub topics: Vec<Topic>,
    pub settings: Vec<(&'static str, String)>,
    pub acks: &'static str,
    pub idempotent: bool,
    pub memory: u64,
    /// Topics are deleted, too, and made anew.
    pub deletes: bool,
    /// The cluster may refuse the producer for good.
    pub fatal: bool,
    pub steps: u64,
    /// Values are of up to so many bytes.
    pub largest_value: u64,
}

/// One of several.
pub fn pick<T: Copy>(rng: &Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len() as u64) as usize]
}

pub fn one_in(rng: &Rng, n: u64) -> bool {
    rng.below(n) == 0
}

pub fn millis(rng: &Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + rng.below(to - from + 1))
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let rng = Rng::from_seed(seed ^ 0x5eed_5eed);
        let weather = match seed % 8 {
            0 => Weather::Calm,
            1 | 2 => Weather::Refusals,
            _ => Weather::Storm,
        };
        let ending = match rng.below(5) {
            0 | 1 => Ending::Flush,
            2 | 3 => Ending::Close,
            _ if weather == Weather::Storm => Ending::CloseDead(millis(&rng, 0, 3000)),
            _ => Ending::Flush,
        };
        let idempotent = one_in(&rng, 2);
        let acks = match weather {
            _ if idempotent => "all",
            Weather::Storm if one_in(&rng, 8) => "0",
            _ => pick(&rng, &["1", "all"]),
        };
        let memory = pick(&rng, &[16 << 10, 64 << 10, 1 << 20]);
        let mut plan = Plan {
            seed,
            weather,
            ending,
            brokers: 1 + rng.below(4) as i32,
            version: pick(
                &rng,
                &[
                    KafkaVersion::V2_1,
                    KafkaVersion::V2_8,
                    KafkaVersion::V3_9,
                    KafkaVersion::V4_3,
                    KafkaVersion::V4_3,
                ],
            ),
            auto_create_delay: pick(&rng, &[Duration::ZERO, Duration::from_millis(700)]),
            topics: Vec::new(),
            settings: Vec::new(),
            acks,
            idempotent,
            memory,
            deletes: weather == Weather::Storm && one_in(&rng, 8),
            fatal: weather == Weather::Storm && one_in(&rng, 16),
            steps: 10 + rng.below(60),
            largest_value: pick(&rng, &[10, 100, 700]),
        };
        for number in 0..1 + rng.below(3) {
            plan.topics.push(Topic {
                name: format!("t{number}"),
                partitions: 1 + rng.below(5) as i32,
                exists: !one_in(&rng, 3),
            });
        }
        plan.settle(&rng);
        plan
    }

    fn settle(&mut self, rng: &Rng) {
        let mut set = |name, value: String| self.settings.push((name, value));
        // Patient where everything is to be delivered.
        let request_timeout: u64 = match self.weather {
            Weather::Storm => pick(rng, &[300, 1000, 5000]),
            Weather::Calm | Weather::Refusals => 600_000,
        };
        set("acks", self.acks.into());
        set("enable.idempotence", self.idempotent.to_string());
        set("buffer.memory", self.memory.to_string());
        set("request.timeout.ms", request_timeout.to_string());
        set("linger.ms", pick(rng, &["0", "0", "5", "200"]).into());
        set(
            "batch.size",
            pick(rng, &["0", "150", "1000", "4000"]).into(),
        );
        set(
            "compression.type",
            pick(rng, &["none", "none", "gzip", "snappy", "lz4", "zstd"]).into(),
        );
        set(
            "max.in.flight.requests.per.connection",
            pick(rng, &["1", "2", "5"]).into(),
        );
        set(
            "partitioner",
            pick(
                rng,
                &["default", "default", "round_robin", "random", "fnv1a"],
            )
            .into(),
        );
        set("metadata.max.age.ms", pick(rng, &["300000", "400"]).into());
        set("max.block.ms", "3000".into());
        if self.memory >= 4096 && one_in(rng, 3) {
            set("max.request.size", "4096".into());
        }
        if self.weather == Weather::Storm {
            // What waits for a partition that is gone has no other end with idempotence.
            if one_in(rng, 3) || (self.idempotent && self.deletes) {
                let linger = 200;
                let timeout = request_timeout + linger + rng.below(5000);
                set("delivery.timeout.ms", timeout.to_string());
            }
            if one_in(rng, 6) {
                set(
                    "retries",
                    (rng.below(3) + u64::from(self.idempotent)).to_string(),
                );
            }
            if one_in(rng, 4) {
                set("connections.max.idle.ms", "300".into());
            }
            if one_in(rng, 4) {
                set("metadata.recovery.rebootstrap.trigger.ms", "500".into());
            }
        }
    }
}
