//! Makes the header and the linker's version map of the sources of `src/ffi`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use kprod::error;

use crate::root;

/// In the order in which the header presents them.
const SOURCES: [&str; 12] = [
    "types",
    "handle",
    "version",
    "errors",
    "config",
    "producer",
    "inquiry",
    "send",
    "packed",
    "batch",
    "completion",
    "transaction",
];

pub fn header() -> String {
    let mut config = config();
    config.header = Some(INTRODUCTION.to_string());
    config.after_includes = Some(constants());
    generate(config, &joined_sources())
}

pub fn mock_header() -> String {
    let mut config = config();
    config.header = Some(MOCK_INTRODUCTION.to_string());
    config.include_guard = Some("KPROD_MOCK_H".to_string());
    config.sys_includes.clear();
    config.includes = vec!["kprod.h".to_string()];
    generate(config, &root().join("src/ffi/mock.rs"))
}

/// One node for the first version; a function that a later version adds goes into a node of its own. The mock
/// cluster's functions are promised to nobody.
pub fn version_map() -> String {
    let mut map = String::new();
    for (node, header) in [("KPROD_0.1", header()), ("KPROD_MOCK", mock_header())] {
        let mut functions = functions(&header);
        functions.sort();
        writeln!(map, "{node} {{\n  global:").unwrap();
        for function in functions {
            writeln!(map, "    {function};").unwrap();
        }
        let local = if node == "KPROD_0.1" {
            "  local:\n    *;\n"
        } else {
            ""
        };
        writeln!(map, "{local}}};").unwrap();
    }
    map
}

/// The names of the functions that a header declares.
fn functions(header: &str) -> Vec<String> {
    header
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '/', '*']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("kprod_"))
        .map(str::to_string)
        .collect()
}

fn config() -> cbindgen::Config {
    cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap()
}

fn generate(config: cbindgen::Config, source: &Path) -> String {
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(source)
        .generate()
        .unwrap()
        .write(&mut text);
    negative_in_parentheses(&String::from_utf8(text).unwrap())
}

/// One file of all sources: from several, cbindgen takes the functions in the order of the files' names.
fn joined_sources() -> PathBuf {
    let mut joined = String::new();
    for source in SOURCES {
        let text = fs::read_to_string(root().join(format!("src/ffi/{source}.rs"))).unwrap();
        let about_the_file = |line: &&str| line.starts_with("//!");
        let lines = text.lines().skip_while(about_the_file);
        joined.extend(lines.flat_map(|line| [line, "\n"]));
    }
    // Tests run at the same time and each makes its own.
    let name = format!("ffi-{:?}.rs", std::thread::current().id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, joined).unwrap();
    file
}

fn negative_in_parentheses(header: &str) -> String {
    let mut text = String::new();
    for line in header.lines() {
        match line.rsplit_once(" -") {
            Some((name, value)) if name.starts_with("#define") => {
                writeln!(text, "{name} (-{value})").unwrap();
            }
            _ => writeln!(text, "{line}").unwrap(),
        }
    }
    text
}

const INTRODUCTION: &str = "\
/*
 * libkprod: a Kafka producer. Generated from src/ffi; do not edit.
 *
 * Functions that can fail return an int32_t: 0, or one of KPROD_ERR_*, or a code of a broker newer than this header.
 * They check what they are given: a call with bad arguments returns KPROD_ERR_INVALID_ARG and changes nothing. An
 * array of structs must lie as C aligns them, else it is a bad argument.
 * Out-parameters are written on success only, error objects on failure only. Every timeout_ms is in milliseconds: 0
 * does not wait, KPROD_TIMEOUT_CONFIGURED is the configuration's limit, less is an error.
 *
 * Each accepted record gets exactly one report. Reports go to the delivery callback, if the configuration has one,
 * else to kprod_poll; those of kprod_send_with_callback to its callback.
 *
 * Thread-safety, unless a function says otherwise: a producer may be used by any number of threads at once, until
 * kprod_destroy, which must come after all other calls have returned. Create producers after fork(): in a child of
 * the process that created a producer, calls return KPROD_ERR_FORKED.
 *
 * When a call returned KPROD_ERR_INTERNAL, the library found a fault of its own: the producer takes no more records
 * and is to be closed and destroyed.
 */";

const MOCK_INTRODUCTION: &str = "\
/*
 * libkprod's mock cluster: Kafka brokers inside this process, for tests. Generated from src/ffi/mock.rs; do not edit.
 *
 * It is not part of the library's stable interface: functions and structs may change in any version.
 */";

fn constants() -> String {
    let mut text = String::new();
    for (name, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        writeln!(text, "#define KPROD_VERSION_{name} {value}").unwrap();
    }
    text.push_str(
        "/**\n * The version of this header; kprod_version() tells the library's.\n */\n\
         #define KPROD_VERSION \\\n    \
         ((KPROD_VERSION_MAJOR << 24) | (KPROD_VERSION_MINOR << 16) | (KPROD_VERSION_PATCH << 8))\n",
    );
    for info in &error::ALL {
        let (name, code) = (info.name, info.code.0);
        write!(
            text,
            "\n/**\n * {}\n */\n#define KPROD_ERR_{name} ({code})\n",
            info.text
        )
        .unwrap();
    }
    text
}
