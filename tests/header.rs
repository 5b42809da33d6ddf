//! `include/kprod.h` is what `src/ffi` says: generated, committed, documented, and accepted by C and C++ compilers.
//!
//! `KPROD_REGENERATE=1 cargo test --test header` rewrites the generated files.

#[path = "header/docs.rs"]
mod docs;
#[path = "header/generate.rs"]
mod generate;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a committed file with what it should be, or rewrites it when asked to.
fn assert_committed(path: &str, expected: &str) {
    let file = root().join(path);
    if env::var_os("KPROD_REGENERATE").is_some() {
        fs::write(&file, expected).unwrap();
        return;
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == expected,
        "{path} is out of date: run KPROD_REGENERATE=1 cargo test --test header, and read the difference"
    );
}

#[test]
fn the_header_is_up_to_date() {
    assert_committed("include/kprod.h", &generate::header());
    assert_committed("include/kprod_mock.h", &generate::mock_header());
}

#[test]
fn the_version_map_lists_the_header_s_functions() {
    assert_committed("cmake/kprod.map", &generate::version_map());
}

#[test]
fn every_function_is_documented_in_the_fixed_order() {
    for header in [generate::header(), generate::mock_header()] {
        let problems = docs::problems(&header);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}

#[test]
fn the_header_has_every_error_code() {
    let header = generate::header();
    for info in &kprod::error::ALL {
        let define = format!("#define KPROD_ERR_{} ({})", info.name, info.code.0);
        assert!(header.lines().any(|line| line == define), "{define}");
    }
}

/// Compiles a file that includes the headers twice and uses them.
fn assert_compiles(compiler: &str, language: &str, standard: &str) {
    let directory =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{language}{standard}"));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("kprod.h"), generate::header()).unwrap();
    fs::write(directory.join("kprod_mock.h"), generate::mock_header()).unwrap();
    let source = directory.join("includes.txt");
    fs::write(
        &source,
        "#include \"kprod_mock.h\"\n#include \"kprod.h\"\n#include \"kprod_mock.h\"\n\
         int main(void) { kprod_record_t r; kprod_record_init(&r); return KPROD_ERR_CLOSED == 0; }\n",
    )
    .unwrap();
    let output = Command::new(compiler)
        .args(["-x", language, standard])
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"])
        .arg("-I")
        .arg(&directory)
        .arg(&source)
        .output()
        .unwrap_or_else(|error| panic!("{compiler} does not run: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn it_compiles_as_c99_c11_and_cpp17() {
    assert_compiles("cc", "c", "-std=c99");
    assert_compiles("cc", "c", "-std=c11");
    assert_compiles("c++", "c++", "-std=c++17");
}
