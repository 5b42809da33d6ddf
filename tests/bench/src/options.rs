//! The command line of script/bench.

use crate::session::failure;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

pub const USAGE: &str = "\
script/bench [--quick] [--cpu] [--instructions] [--sizes N,N...] [--rounds N] [--only TEXT] [--library DIR]

Compares libkprod, librdkafka and a bare socket against a broker that only acknowledges.

  --quick         a minute at most: few records, one round; checks that every record is acknowledged and reported
                  once and that both kinds of measurement run. Its figures mean nothing
  --cpu           only records per second and processor time
  --instructions  only user-space instructions, counted by valgrind's callgrind
  --sizes LIST    sizes of the values in bytes (processor time: 10,100,1000,10000; instructions: 100)
  --rounds N      how often each contestant runs; medians are shown (5)
  --only TEXT     only contestants with TEXT in their name (and the floor)
  --library DIR   the directory of a libkprod.so to measure, instead of one built from this tree

Results go to the directory KPROD_BENCH_DIR (default: kprod/bench in the user's cache directory).
";

#[derive(Debug)]
pub struct Options {
    pub quick: bool,
    pub cpu: bool,
    pub instructions: bool,
    pub sizes: Option<Vec<usize>>,
    pub rounds: usize,
    pub only: String,
    pub output: PathBuf,
}

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Options> {
        let mut options = Options {
            quick: false,
            cpu: false,
            instructions: false,
            sizes: None,
            rounds: 5,
            only: String::new(),
            output: PathBuf::from("."),
        };
        while let Some(name) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| failure(format!("{name} needs a value")))
            };
            match name.as_str() {
                "--quick" => options.quick = true,
                "--cpu" => options.cpu = true,
                "--instructions" => options.instructions = true,
                "--sizes" => options.sizes = Some(list(&value()?)?),
                "--rounds" => options.rounds = number::<usize>(&value()?)?.max(1),
                "--only" => options.only = value()?,
                "--output" => options.output = value()?.into(),
                _ => return Err(failure(format!("what is {name}?\n\n{USAGE}"))),
            }
        }
        if !options.cpu && !options.instructions {
            (options.cpu, options.instructions) = (true, true);
        }
        if options.quick {
            options.rounds = 1;
            // Beside figures that mean something, not over them.
            options.output.push("quick");
        }
        Ok(options)
    }
}

fn list(text: &str) -> io::Result<Vec<usize>> {
    text.split(',').map(number).collect()
}

fn number<T: FromStr>(text: &str) -> io::Result<T> {
    let parsed = text.parse();
    parsed.map_err(|_| failure(format!("{text} is not a number")))
}
