//! The command line of script/chaos.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::Kind;
use crate::schedule::Schedule;

pub const USAGE: &str = "\
script/chaos [--schedule NAME]... [--client NAME]... [--seconds N] [--set NAME=VALUE]...

Puts producers through faults on a real cluster of three Kafka brokers and tells what became of their records, and for
how long partitions were without acknowledgement. docs/benchmarks/chaos.md says how to read the figures.

  --schedule NAME    kills, moves, lost-answers, resets, swallowed, pauses, txn-lost-answers, txn-lost-ends,
                     txn-coordinator-kills; all if not given
  --client NAME      kprod, java, librdkafka; all if not given
  --seconds N        how long faults go on (45)
  --set NAME=VALUE   a property for kprod, beside those that all clients get: log_level=7

What the clients said and the table's figures go to the directory KPROD_CHAOS_DIR (default: kprod/chaos in the user's
cache directory). Exit status 1: a record of kprod's was lost, doubled, moved, failed or reported with a wrong time.
";

#[derive(Debug)]
pub struct Options {
    pub schedules: Vec<Schedule>,
    pub clients: Vec<Kind>,
    pub length: Duration,
    pub properties: Vec<String>,
    /// Where to leave what clients said.
    pub output: Option<PathBuf>,
    /// The program that is librdkafka's client.
    pub librdkafka: Option<PathBuf>,
}

impl Options {
    /// None: help is wanted. Without any, as script/test calls it, a short run of kprod's.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options {
            schedules: Vec::new(),
            clients: Vec::new(),
            length: Duration::from_secs(45),
            properties: Vec::new(),
            output: None,
            librdkafka: None,
        };
        let mut short = true;
        while let Some(name) = arguments.next() {
            // What `cargo test` is told for all its programs.
            if name.starts_with("--test-threads") || name == "--nocapture" {
                continue;
            }
            if matches!(name.as_str(), "-h" | "--help") {
                return Ok(None);
            }
            short = false;
            let value = arguments.next();
            let value = value.ok_or_else(|| format!("{name} needs a value"))?;
            let unknown = || format!("what is {name} {value}?\n\n{USAGE}");
            match name.as_str() {
                "--schedule" => options
                    .schedules
                    .push(Schedule::named(&value).ok_or_else(unknown)?),
                "--client" => options
                    .clients
                    .push(Kind::named(&value).ok_or_else(unknown)?),
                "--seconds" => {
                    let seconds = value.parse().map_err(|_| unknown())?;
                    options.length = Duration::from_secs(seconds);
                }
                "--set" => options.properties.push(value),
                "--output" => options.output = Some(value.into()),
                "--librdkafka" => options.librdkafka = Some(value.into()),
                _ => return Err(unknown()),
            }
        }
        if short {
            options.schedules = vec![Schedule::Resets];
            options.clients = vec![Kind::Kprod];
            options.length = Duration::from_secs(10);
        }
        if options.schedules.is_empty() {
            options.schedules = Schedule::ALL.to_vec();
        }
        if options.clients.is_empty() {
            options.clients = Kind::ALL.to_vec();
        }
        Ok(Some(options))
    }
}
