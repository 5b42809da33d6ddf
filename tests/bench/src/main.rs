//! The benchmark: libkprod, librdkafka and a bare socket in one run. `script/bench` builds and calls it.

#![forbid(unsafe_code)]

mod broker;
mod contestant;
mod cpu;
mod instructions;
mod options;
mod session;
mod stream;
mod table;

use options::Options;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut arguments = env::args().skip(1).peekable();
    match arguments.peek().map(String::as_str) {
        Some("broker") => {
            let partitions = arguments.nth(1).and_then(|text| text.parse().ok());
            return broker::run(partitions.unwrap_or(1));
        }
        Some("-h" | "--help") => {
            print!("{}", options::USAGE);
            return Ok(());
        }
        _ => {}
    }
    let options = Options::parse(arguments)?;
    fs::create_dir_all(&options.output)?;
    if options.cpu {
        cpu::compare(&options)?;
    }
    if options.instructions {
        instructions::compare(&options)?;
    }
    println!("\nAll figures: {}", options.output.display());
    Ok(())
}
