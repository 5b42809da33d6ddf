//! Compiles the client, a C program, and links it with the librdkafka that `rdkafka-sys` builds.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/client.c");
    println!("cargo:rerun-if-env-changed=CC");
    let rdkafka = required("DEP_RDKAFKA_ROOT").join("src");
    let program = required("OUT_DIR").join("client");
    let status = Command::new(env::var_os("CC").unwrap_or("cc".into()))
        .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        .arg(format!("-isystem{}", rdkafka.display()))
        .args(["-pthread", "src/client.c"])
        .arg(rdkafka.join("librdkafka.a"))
        .args(["-lm", "-ldl", "-lrt", "-o"])
        .arg(&program)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the client does not compile"
    );
    println!("cargo:rustc-env=CLIENT={}", program.display());
}

fn required(variable: &str) -> PathBuf {
    let value = env::var_os(variable);
    PathBuf::from(value.unwrap_or_else(|| panic!("{variable} is not set")))
}
