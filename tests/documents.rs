//! The documents keep their word: links lead somewhere, C that they show compiles, and scripts that they name exist.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the repository, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    let mut directories = vec![root().to_owned(), root().join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && directory.ends_with("docs") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    assert!(pages.len() >= 4, "too few pages: {pages:?}");
    pages
}

#[test]
fn links_lead_somewhere() {
    for (page, text) in pages() {
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {target}", page.display());
        }
    }
}

#[test]
fn scripts_that_are_named_exist() {
    for (page, text) in pages() {
        for named in text.split("script/").skip(1) {
            let name: String = named
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let path = root().join("script").join(&name);
            assert!(path.exists(), "{}: script/{name}", page.display());
        }
    }
}

/// In the last column of docs/testing-peers.md the tests that a file is named with are in it.
#[test]
fn tests_that_stand_for_peers_exist() {
    let page = fs::read_to_string(root().join("docs/testing-peers.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let mut found = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let mut source = None;
        for code in cells[2].split('`').skip(1).step_by(2) {
            if code.contains('/') {
                let places = ["tests", "bindings", ""].map(|place| root().join(place).join(code));
                let file = places.iter().find(|place| place.exists());
                let file = file.unwrap_or_else(|| panic!("no file {code}"));
                source = Some(fs::read_to_string(file).unwrap());
                continue;
            }
            let source = source.as_ref().unwrap_or_else(|| panic!("{code}: where?"));
            // The last is a row of the macro that gives a scenario to a kind of cluster.
            let forms = [
                format!("#[test]\nfn {code}("),
                format!("    async def {code}("),
                format!("    def {code}("),
                format!("\n    {code}: "),
            ];
            let defined = forms.iter().any(|form| source.contains(form));
            assert!(defined, "{code} is not there: {row}");
            found += 1;
        }
    }
    assert!(found > 50, "only {found} tests found");
}

#[test]
fn c_that_is_shown_compiles() {
    let mut compiled = 0;
    for (page, text) in pages() {
        for block in text.split("```c\n").skip(1) {
            let program = block.split("```").next().unwrap();
            let mut compiler = Command::new("cc")
                .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"])
                .args(["-fsyntax-only", "-x", "c", "-I"])
                .arg(root().join("include"))
                .arg("-")
                .stdin(Stdio::piped())
                .spawn()
                .expect("cc runs");
            let mut input = compiler.stdin.take().unwrap();
            input.write_all(program.as_bytes()).unwrap();
            drop(input);
            assert!(compiler.wait().unwrap().success(), "{}", page.display());
            compiled += 1;
        }
    }
    assert!(compiled > 0, "no page shows C");
}
