//! Becomes the C program `client.c`, which this package's build script has compiled.

#![forbid(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut client = Command::new(env!("CLIENT"));
    let error = client.args(std::env::args_os().skip(1)).exec();
    eprintln!("{}: {error}", env!("CLIENT"));
    ExitCode::FAILURE
}
