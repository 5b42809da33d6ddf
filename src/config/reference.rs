//! The reference page `docs/configuration.md`, written from the table.
//!
//! `KPROD_REGENERATE=1 cargo test --lib reference_page` writes it anew.

use std::fmt::Write;
use std::path::PathBuf;

use super::unsupported::UNSUPPORTED;
use super::{Convert, GROUPS, Importance, Kind, Origin, Property, Unit};

const HEAD: &str = "\
# Configuration

This page is generated from the table in `src/config/table`; a test keeps it true.

Properties are set as text with `kprod_config_set`, under Kafka's own names or under those of
aiokafka and librdkafka, in whose units they then are. A value is checked when it is set, all values
against each other when the producer is created; the error names everything that is wrong.

- A property set again under the same name is replaced. Set under two of its names with different
  values it is an error.
- An unknown name is an error that names the nearest known one, where one is near.
- Words and booleans may be written in any case; `1`, `t` and `0`, `f` are booleans too.
- Secrets are shown by nothing: no error, no log, no `kprod_config_get`.
- Values follow in this order: what is set explicitly, what `kprod.profile` sets, what another
  property implies (`transactional.id` implies `enable.idempotence=true`, and that `acks=all`), the
  default.
";

#[test]
fn reference_page_is_what_the_table_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = render();
    if std::env::var_os("KPROD_REGENERATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).expect("docs/configuration.md cannot be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/configuration.md is out of date: KPROD_REGENERATE=1 cargo test --lib reference_page"
    );
}

fn render() -> String {
    let mut page = HEAD.to_owned();
    for group in GROUPS {
        let _ = write!(page, "\n## {}\n", group.title);
        for property in group.properties {
            page.push_str(&entry(property));
        }
    }
    page.push_str(&unsupported());
    page
}

fn entry(property: &Property) -> String {
    let mut text = format!("\n### `{}`\n\n{}\n\n", property.name, property.doc);
    let _ = writeln!(text, "- Type: {}", type_name(&property.kind));
    let _ = writeln!(text, "- Default: {}", default(property));
    let _ = writeln!(text, "- Allowed: {}", property.allowed());
    if let Some(note) = property.note {
        let _ = writeln!(text, "- Note: {note}");
    }
    let _ = writeln!(text, "- Importance: {}", importance(property.importance));
    if !property.aliases.is_empty() {
        let _ = writeln!(text, "- Also: {}", aliases(property));
    }
    text
}

fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int { unit, .. } => match unit {
            Unit::Count => "integer",
            Unit::Bytes => "bytes",
            Unit::Millis => "milliseconds",
        },
        Kind::FractionalMillis { .. } => "milliseconds",
        Kind::Choice(_) => "choice",
        Kind::Text { .. } | Kind::Software => "text",
        Kind::Path => "path",
        Kind::Secret => "secret",
        Kind::Pem { secret: false } => "PEM",
        Kind::Pem { secret: true } => "PEM, secret",
        Kind::Servers => "list",
    }
}

fn default(property: &Property) -> String {
    match property.default {
        None => "not set".into(),
        Some("") => "empty".into(),
        // The library's own version must not make the page change with every release.
        Some(_) if property.name == "client.software.version" => "the library's version".into(),
        Some(text) => format!("`{text}`"),
    }
}

fn importance(importance: Importance) -> &'static str {
    match importance {
        Importance::High => "high",
        Importance::Medium => "medium",
        Importance::Low => "low",
    }
}

fn aliases(property: &Property) -> String {
    let one = |alias: &super::Alias| {
        let origin = match alias.origin {
            Origin::Aiokafka => "aiokafka",
            Origin::Librdkafka => "librdkafka",
        };
        let unit = match alias.convert {
            Convert::Same => "",
            Convert::Kibibytes => ", in KiB",
            Convert::ZeroIsNoLimit => ", `0` for no limit",
            Convert::OnlyErrors => ", `true` for `errors`, `false` for `all`",
        };
        format!("`{}` ({origin}{unit})", alias.name)
    };
    property
        .aliases
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(", ")
}

fn unsupported() -> String {
    let mut text = "\n## Properties of other clients that this library does not have\n\n\
                    Setting one is an error (NOT_SUPPORTED) that says the same.\n\n\
                    | Property | Instead |\n|---|---|\n"
        .to_owned();
    for (names, remedy) in UNSUPPORTED {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {} | {remedy} |", names.join(", "));
    }
    text
}
