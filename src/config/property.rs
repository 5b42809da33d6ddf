//! One property of the table: its names, type, range, default and documentation.

use super::value::Value;

/// A row of the table.
#[derive(Debug)]
pub struct Property {
    /// Kafka's own name where Kafka has the property.
    pub name: &'static str,
    pub aliases: &'static [Alias],
    pub kind: Kind,
    /// As the user would write it; `None`: not set.
    pub default: Option<&'static str>,
    pub importance: Importance,
    pub doc: &'static str,
    /// Said with every refused value: what the range alone does not explain.
    pub note: Option<&'static str>,
}

/// Another name of a property, from a client that users come from.
#[derive(Debug)]
pub struct Alias {
    pub name: &'static str,
    pub origin: Origin,
    pub convert: Convert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Aiokafka,
    Librdkafka,
}

/// How a value under an alias becomes the property's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convert {
    Same,
    /// KiB to bytes.
    Kibibytes,
    /// 0 means no limit there, the largest value here.
    ZeroIsNoLimit,
    /// A boolean there: `true` is `errors`, `false` is `all`.
    OnlyErrors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

#[derive(Debug)]
pub enum Kind {
    Bool,
    /// A whole number in one of the inclusive ranges.
    Int {
        ranges: &'static [(i64, i64)],
        unit: Unit,
    },
    /// Milliseconds with up to three decimals, from 0 to the given number.
    FractionalMillis {
        max: i64,
    },
    Choice(&'static [Choice]),
    /// Text whose length in bytes lies in the range.
    Text {
        min: usize,
        max: usize,
    },
    /// What ApiVersions admits as a software name or version (KIP-511).
    Software,
    Path,
    Secret,
    Pem {
        secret: bool,
    },
    Servers,
}

/// One of the words a property can be set to. Case does not matter.
#[derive(Debug)]
pub struct Choice {
    pub word: &'static str,
    pub synonyms: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    Millis,
}

impl Property {
    pub(super) const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        importance: Importance,
        doc: &'static str,
    ) -> Self {
        Property {
            name,
            aliases: &[],
            kind,
            default,
            importance,
            doc,
            note: None,
        }
    }

    pub(super) const fn also(mut self, aliases: &'static [Alias]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(super) const fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Whether its value must never be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Pem { secret: true })
    }

    /// What the table says holds when nothing else is said.
    pub(super) fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        let value = Value::parse(&self.kind, text);
        Some(value.expect("a test parses every default of the table"))
    }

    /// The range of its values, in words.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }
}

impl Kind {
    fn allowed(&self) -> String {
        match self {
            Kind::Bool => "true, false".into(),
            Kind::Int { ranges, .. } => join(ranges.iter().map(|&(low, high)| {
                if low == high {
                    low.to_string()
                } else {
                    format!("{low}..{high}")
                }
            })),
            Kind::FractionalMillis { max } => format!("0..{max}, with up to three decimals"),
            Kind::Choice(choices) => join(choices.iter().map(|choice| choice.word.to_owned())),
            Kind::Text { min: 0, max } => format!("text of up to {max} bytes"),
            Kind::Text { min, max } => format!("text of {min} to {max} bytes"),
            Kind::Software => {
                "letters, digits, \"-\" and \".\", a letter or digit at both ends".into()
            }
            Kind::Path => "a path".into(),
            Kind::Secret => "text".into(),
            Kind::Pem { .. } => "text in PEM form (-----BEGIN ...)".into(),
            Kind::Servers => "host[:port],... with IPv6 addresses in brackets".into(),
        }
    }
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

impl Alias {
    /// The text to parse in place of the one given under this name, or why there is none.
    pub(super) fn convert(&self, property: &Property, text: &str) -> Result<String, String> {
        match self.convert {
            Convert::Same => Ok(text.to_owned()),
            Convert::Kibibytes => kibibytes(property, text),
            Convert::ZeroIsNoLimit => Ok(match text.trim().parse() {
                Ok(0_i64) => i32::MAX.to_string(),
                _ => text.to_owned(),
            }),
            Convert::OnlyErrors => match Value::parse(&Kind::Bool, text)? {
                Value::Bool(true) => Ok("errors".into()),
                _ => Ok("all".into()),
            },
        }
    }

    /// The range of the values under this name, in words.
    pub(super) fn allowed(&self, property: &Property) -> String {
        match (self.convert, &property.kind) {
            (Convert::Kibibytes, Kind::Int { ranges, .. }) => {
                let (low, high) = kibibyte_range(ranges);
                format!("{low}..{high}")
            }
            (Convert::ZeroIsNoLimit, _) => format!("0 (no limit), {}", property.allowed()),
            (Convert::OnlyErrors, _) => Kind::Bool.allowed(),
            _ => property.allowed(),
        }
    }
}

fn kibibytes(property: &Property, text: &str) -> Result<String, String> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| "is not a whole number".to_owned())?;
    if let Kind::Int { ranges, .. } = &property.kind {
        let (low, high) = kibibyte_range(ranges);
        if !(low..=high).contains(&number) {
            return Err("is out of range".into());
        }
    }
    Ok(number.saturating_mul(1024).to_string())
}

fn kibibyte_range(ranges: &[(i64, i64)]) -> (i64, i64) {
    let low = ranges.first().map_or(0, |range| range.0);
    let high = ranges.last().map_or(0, |range| range.1);
    (low.saturating_add(1023) / 1024, high / 1024)
}
