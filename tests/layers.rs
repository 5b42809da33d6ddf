//! The rules of docs/architecture.md and CONTRIBUTING.md, executed: who uses whom, where the seams are, how long files are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file that is longer has two reasons to exist.
const MAX_LINES: usize = 600;

/// Words that have a place, and the only places of each.
const SEAMS: [(&str, &[&str]); 10] = [
    ("unsafe ", &["src/ffi/", "src/sys/"]),
    ("allow(unsafe_code)", &["src/lib.rs"]),
    ("extern \"C\"", &["src/ffi/", "src/sys/fork.rs"]),
    ("no_mangle", &["src/ffi/"]),
    // Tasks are the engine, its connections, and the mock cluster's side of them.
    (
        "tokio::spawn(",
        &[
            "src/producer/lifecycle.rs",
            "src/network/mod.rs",
            "src/mock/",
        ],
    ),
    ("thread::Builder", &["src/sys/thread.rs"]),
    // Memory comes back without a word, and so does a lock whose holder was stopped.
    ("thread::sleep", &["src/sys/heap.rs", "src/sys/lock.rs"]),
    ("SystemTime", &[]),
    ("clock_gettime", &["src/sys/clock.rs"]),
    ("to_socket_addrs", &["src/network/resolver.rs"]),
];

/// A source file of the library without its tests.
struct Source {
    /// From the repository's root.
    path: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn name(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn rust_files(below: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![root().join(below)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The library's sources, without the modules that only tests have and without comments.
fn sources() -> Vec<Source> {
    let files = rust_files("src");
    let tests: BTreeSet<PathBuf> = files.iter().flat_map(|file| test_modules(file)).collect();
    let is_test = |file: &Path| {
        tests
            .iter()
            .any(|test| file == test.with_extension("rs") || file.starts_with(test))
    };
    let library = files.iter().filter(|file| !is_test(file));
    library
        .map(|file| Source {
            path: name(file),
            code: code(&read(file)),
        })
        .collect()
}

/// The modules in files of their own that a file declares for tests alone, without extension.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let text = read(file);
    let inside = match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs") => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|two| two[0] == "#[cfg(test)]");
    declared
        .filter_map(|two| two[1].strip_prefix("mod ")?.strip_suffix(';'))
        .map(|module| inside.join(module))
        .collect()
}

/// The text up to the tests at its end, without lines of comment.
fn code(text: &str) -> String {
    let library = match text.find("#[cfg(test)]\nmod tests {") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let lines = library.lines();
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |all, line| all + line + "\n")
}

/// The top-level module that a file belongs to; none for the crate's root.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let (first, rest) = inside.split_once('/').unwrap_or((inside, ""));
    match first {
        "lib.rs" | "build.rs" => None,
        _ if rest.is_empty() => first.strip_suffix(".rs"),
        _ => Some(first),
    }
}

/// The top-level modules that a file names, by `crate::` or by as many `super::` as lead to the root.
fn uses(source: &Source) -> BTreeSet<String> {
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    let by_super = "super::".repeat(depth);
    let mut found = BTreeSet::new();
    for prefix in ["crate::", &by_super] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                continue;
            }
            found.extend(first_names(&source.code[at + prefix.len()..]));
        }
    }
    found
}

/// The first name of a path, or of each path in a group.
fn first_names(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let (mut names, mut depth) = (vec![word(group)], 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// What the table of layers allows: each module, and the modules that it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let page = read(&root().join("docs/architecture.md"));
    let quoted = |cell: &str| -> Vec<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let mut table = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `src/")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [modules, _, uses] = cells[..] else {
            panic!("a row of the layers has three cells: {line}");
        };
        for module in quoted(modules) {
            let module = module.strip_prefix("src/").unwrap().to_owned();
            table.insert(module, quoted(uses).into_iter().collect());
        }
    }
    table
}

#[test]
fn modules_use_only_those_below_them() {
    let allowed = allowed();
    let mut broken = Vec::new();
    for source in sources() {
        let Some(module) = module_of(&source.path) else {
            continue;
        };
        let Some(below) = allowed.get(module) else {
            panic!("docs/architecture.md does not place src/{module} in its table of layers");
        };
        let others = uses(&source).into_iter();
        for other in others.filter(|other| other != module && allowed.contains_key(other)) {
            if !below.contains(&other) {
                broken.push(format!("{} uses {other}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "against the layers: {broken:#?}");
}

#[test]
fn the_table_of_layers_is_one_of_layers_and_of_the_code() {
    let allowed = allowed();
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        if let Some(module) = module_of(&source.path) {
            let all = used.entry(module.to_owned()).or_default();
            all.extend(uses(&source));
        }
    }
    // From the bottom up: what is placed may only stand on what has been placed.
    let mut placed = BTreeSet::new();
    while placed.len() < allowed.len() {
        let fits = allowed
            .iter()
            .find(|(module, below)| !placed.contains(*module) && below.is_subset(&placed));
        let Some((module, _)) = fits else {
            panic!("a circle, or an unknown module, among those not placed after {placed:?}");
        };
        placed.insert(module.clone());
    }
    for (module, below) in &allowed {
        let uses = used.get(module);
        let uses = uses.unwrap_or_else(|| panic!("there is no src/{module}"));
        let idle: Vec<_> = below.difference(uses).collect();
        assert!(idle.is_empty(), "src/{module} does not use {idle:?}");
    }
}

#[test]
fn what_has_a_seam_stays_in_it() {
    let mut broken = Vec::new();
    for source in sources() {
        for (word, places) in SEAMS {
            let is_home = places.iter().any(|place| source.path.starts_with(place));
            if !is_home && source.code.contains(word) {
                broken.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "outside their seams: {broken:#?}");
}

#[test]
fn every_file_says_its_reason_and_has_only_one() {
    let mut broken = Vec::new();
    for file in ["src", "tests"].into_iter().flat_map(rust_files) {
        let text = read(&file);
        if !text.starts_with("//! ") {
            broken.push(format!("{}: the first line says no reason", name(&file)));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            broken.push(format!("{}: {lines} lines", name(&file)));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    let mut broken = Vec::new();
    for file in ["src", "tests"].into_iter().flat_map(rust_files) {
        let text = read(&file);
        for word in [
            ["TO", "DO"],
            ["FIX", "ME"],
            ["XX", "X"],
            ["unimple", "mented!"],
        ] {
            let word = word.concat();
            if text.contains(&word) {
                broken.push(format!("{}: {word}", name(&file)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
