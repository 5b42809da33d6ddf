//! Compiles the clients that are measured: C programs and one in C++, linked as a user would link them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=clients");
    println!("cargo:rerun-if-env-changed=KPROD_LIBRARY_DIR");
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rerun-if-env-changed=CXX");

    let rdkafka = required("DEP_RDKAFKA_ROOT").join("src");
    Client::new("floor", &["floor.c", "measure.c"]).build();
    Client::new("librdkafka", &["librdkafka.c", "client.c", "measure.c"])
        .argument(format!("-isystem{}", rdkafka.display()))
        .argument(rdkafka.join("librdkafka.a").display().to_string())
        .arguments(&["-lm", "-ldl", "-lrt"])
        .build();

    let header = required("CARGO_MANIFEST_DIR").join("../../include");
    let library = required("KPROD_LIBRARY_DIR");
    println!("cargo:rerun-if-changed={}", header.display());
    Client::new("kprod", &["kprod.c", "client.c", "measure.c"])
        .argument(format!("-I{}", header.display()))
        .kprod(&library)
        .build();
    Client::new("kprod_hpp", &["client.c", "measure.c"])
        .argument(cpp("kprod_hpp.cpp", &header))
        .kprod(&library)
        .argument("-lstdc++".into())
        .build();
}

/// Compiles a file of C++ alone: where the object is.
fn cpp(source: &str, header: &Path) -> String {
    let object = required("OUT_DIR").join(source).with_extension("o");
    let mut command = Command::new(env::var_os("CXX").unwrap_or("c++".into()));
    command.args([
        "-std=c++17",
        "-O2",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-c",
    ]);
    command.arg(Path::new("clients").join(source));
    command.arg(format!("-I{}", header.display()));
    let status = command.arg("-o").arg(&object).status();
    assert!(
        status.expect("the C++ compiler runs").success(),
        "{source} does not compile"
    );
    object.display().to_string()
}

fn required(variable: &str) -> PathBuf {
    let value = env::var_os(variable);
    PathBuf::from(value.unwrap_or_else(|| panic!("{variable} is not set; build with script/bench")))
}

struct Client {
    name: &'static str,
    command: Command,
    program: PathBuf,
}

impl Client {
    fn new(name: &'static str, sources: &[&str]) -> Client {
        let program = required("OUT_DIR").join(format!("client-{name}"));
        let mut command = Command::new(env::var_os("CC").unwrap_or("cc".into()));
        command.args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
        command.args(["-pthread", "-o"]).arg(&program);
        command.args(sources.iter().map(|file| Path::new("clients").join(file)));
        Client {
            name,
            command,
            program,
        }
    }

    fn argument(mut self, argument: String) -> Client {
        self.command.arg(argument);
        self
    }

    fn arguments(mut self, arguments: &[&str]) -> Client {
        self.command.args(arguments);
        self
    }

    fn kprod(self, library: &Path) -> Client {
        self.argument(format!("-L{}", library.display()))
            .argument("-lkprod".into())
            .argument(format!("-Wl,-rpath,{}", library.display()))
    }

    fn build(mut self) {
        let status = self.command.status().expect("the C compiler runs");
        assert!(status.success(), "client-{} does not compile", self.name);
        let variable = format!("CLIENT_{}", self.name.to_uppercase());
        println!("cargo:rustc-env={variable}={}", self.program.display());
    }
}
