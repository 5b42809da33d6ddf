//! The producer's configuration: one table of properties, and what they are parsed into.
//!
//! [`Config`] holds what the user sets, as text under any of a property's names, each value checked
//! when it is set. [`Config::build`] checks the values against each other and gives the
//! [`ProducerConfig`] that the engine runs with.

mod build;
mod check;
mod nearest;
mod property;
#[cfg(test)]
mod reference;
mod servers;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod typed;
mod unsupported;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, ErrorCode};
pub use property::{Alias, Choice, Convert, Importance, Kind, Origin, Property, Unit};
use settings::Settings;
pub use table::{GROUPS, Group, properties};
pub use typed::*;
use value::Value;

/// How much of a refused key or value an error repeats.
const QUOTED: usize = 100;

/// The settings of a producer to be: explicitly set values, everything else by default.
///
/// Setting a property again under the same name replaces its value. Setting it under another of its
/// names is accepted only with the same value, for one of the two must be a mistake.
#[derive(Clone, Default)]
pub struct Config {
    /// By the property's own name. The values of one property are all equal.
    entries: BTreeMap<&'static str, Vec<Entry>>,
}

#[derive(Clone)]
struct Entry {
    /// The name it was set under.
    name: &'static str,
    value: Value,
}

/// A property under one of its names.
#[derive(Clone, Copy)]
struct Named {
    property: &'static Property,
    alias: Option<&'static Alias>,
}

impl Config {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a property under any of its names. After an error nothing has changed.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let named = Named::find(key)?;
        let value = named.parse(value)?;
        let entries = self.entries.entry(named.property.name).or_default();
        let clash = |entry: &&Entry| entry.name != named.name() && entry.value != value;
        if let Some(other) = entries.iter().find(clash) {
            return Err(named.clash(&value, other));
        }
        entries.retain(|entry| entry.name != named.name());
        entries.push(Entry {
            name: named.name(),
            value,
        });
        Ok(())
    }

    /// What a property is at present: set explicitly, by the profile, or by default; `None` where
    /// it has no value. It is given in the property's own unit, whatever name it is asked by, and a
    /// secret is hidden.
    pub fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let property = Named::find(key)?.property;
        let setting = Settings::new(self).setting(property.name);
        Ok(setting.map(|setting| setting.value.show()))
    }

    /// Checks the settings against each other; the error's message names everything that is wrong.
    pub fn build(&self) -> Result<ProducerConfig, Error> {
        build::build(&Settings::new(self))
    }

    /// What was set explicitly: the name used and the value.
    fn explicit(&self, property: &str) -> Option<&Entry> {
        self.entries
            .get(property)
            .and_then(|entries| entries.last())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.values().flatten();
        f.debug_map()
            .entries(entries.map(|entry| (entry.name, entry.value.show())))
            .finish()
    }
}

impl Named {
    fn find(key: &str) -> Result<Named, Error> {
        for property in properties() {
            if property.name == key {
                return Ok(Named {
                    property,
                    alias: None,
                });
            }
            let alias = property.aliases.iter().find(|alias| alias.name == key);
            if alias.is_some() {
                return Ok(Named { property, alias });
            }
        }
        Err(not_found(key))
    }

    fn name(&self) -> &'static str {
        self.alias.map_or(self.property.name, |alias| alias.name)
    }

    fn parse(&self, text: &str) -> Result<Value, Error> {
        let converted = match self.alias {
            Some(alias) => alias.convert(self.property, text),
            None => Ok(text.to_owned()),
        };
        converted
            .and_then(|text| Value::parse(&self.property.kind, &text))
            .map_err(|reason| self.refused(text, &reason))
    }

    fn refused(&self, text: &str, reason: &str) -> Error {
        let value = if self.property.is_secret() {
            "its value (not shown)".to_owned()
        } else {
            quote(text)
        };
        let allowed = match self.alias {
            Some(alias) => alias.allowed(self.property),
            None => self.property.allowed(),
        };
        let note = self.property.note.map(|note| format!("; {note}"));
        Error::new(
            ErrorCode::INVALID_CONFIG,
            format!(
                "{self}: {value} {reason}; allowed: {allowed}{}",
                note.unwrap_or_default()
            ),
        )
    }

    fn clash(&self, value: &Value, other: &Entry) -> Error {
        let values = if self.property.is_secret() {
            "with different values".to_owned()
        } else {
            let (new, old) = (quote(&value.show()), quote(&other.value.show()));
            format!("as {new} and, under its name {}, as {old}", other.name)
        };
        Error::new(
            ErrorCode::INVALID_CONFIG,
            format!(
                "{self}: set twice, {values}; {} and {} are names of one property, set only one",
                self.name(),
                other.name
            ),
        )
    }
}

/// The name used and, if that was an alias, the property's own.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.alias {
            None => f.write_str(self.property.name),
            Some(alias) => write!(f, "{} ({})", alias.name, self.property.name),
        }
    }
}

fn not_found(key: &str) -> Error {
    if let Some(remedy) = unsupported::remedy(key) {
        let message = format!("{key}: this library does not have this property; {remedy}");
        return Error::new(ErrorCode::NOT_SUPPORTED, message);
    }
    let names = properties().map(|property| property.name);
    let aliases = properties().flat_map(|property| property.aliases.iter().map(|a| a.name));
    let hint = match nearest::nearest(key, names.chain(aliases)) {
        Some(name) => format!("the nearest name is {name}"),
        None => "docs/configuration.md lists all there are".to_owned(),
    };
    Error::new(
        ErrorCode::UNKNOWN_CONFIG,
        format!("unknown property {}; {hint}", quote(key)),
    )
}

/// A refused text in quotes: escaped, and cut where it is long.
fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
