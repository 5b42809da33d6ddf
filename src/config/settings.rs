//! What each property is and who said so: the user, the profile, another property, the table.

use std::time::Duration;

use super::table::{MODERN, properties};
use super::typed::Secret;
use super::value::Value;
use super::{Config, Property};

/// A property's value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Under this name.
    Explicit(&'static str),
    Profile,
    /// By this other property.
    Implied(&'static str),
    Default,
}

/// A view of a [`Config`] in which every property has its final value.
pub(super) struct Settings<'a> {
    config: &'a Config,
}

impl<'a> Settings<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Settings { config }
    }

    /// `None`: the property has no value.
    pub(super) fn setting(&self, name: &'static str) -> Option<Setting> {
        let property = find(name);
        if let Some(entry) = self.config.explicit(name) {
            return Some(Setting {
                value: entry.value.clone(),
                source: Source::Explicit(entry.name),
            });
        }
        self.profiled(property)
            .or_else(|| self.implied(property))
            .or_else(|| {
                let value = property.default_value()?;
                let source = Source::Default;
                Some(Setting { value, source })
            })
    }

    fn profiled(&self, property: &Property) -> Option<Setting> {
        let profile = self.config.explicit("kprod.profile")?;
        if profile.value != Value::Word("modern") {
            return None;
        }
        let (_, text) = MODERN.iter().find(|(name, _)| *name == property.name)?;
        let value = Value::parse(&property.kind, text).ok()?;
        let source = Source::Profile;
        Some(Setting { value, source })
    }

    /// What follows from other properties where nothing is said.
    fn implied(&self, property: &Property) -> Option<Setting> {
        let (value, by) = match property.name {
            "enable.idempotence" if self.explicit("transactional.id") => {
                (Value::Bool(true), "transactional.id")
            }
            "acks" if self.flag("enable.idempotence") => (Value::Word("all"), "enable.idempotence"),
            _ => return None,
        };
        let source = Source::Implied(by);
        Some(Setting { value, source })
    }

    pub(super) fn explicit(&self, name: &'static str) -> bool {
        self.config.explicit(name).is_some()
    }

    /// Whether somebody chose it: the user or the profile.
    pub(super) fn chosen(&self, name: &'static str) -> bool {
        let source = self.setting(name).map(|setting| setting.source);
        matches!(source, Some(Source::Explicit(_) | Source::Profile))
    }

    /// "name=value", and who set it if not the user under this name.
    pub(super) fn describe(&self, name: &'static str) -> String {
        let Some(setting) = self.setting(name) else {
            return format!("{name} (not set)");
        };
        let shown = format!("{name}={}", setting.value.show());
        match setting.source {
            Source::Explicit(used) if used == name => shown,
            Source::Explicit(used) => format!("{shown} (set as {used})"),
            Source::Profile => format!("{shown} (set by kprod.profile=modern)"),
            Source::Implied(by) => format!("{shown} (implied by {by})"),
            Source::Default => format!("{shown} (the default)"),
        }
    }

    pub(super) fn flag(&self, name: &'static str) -> bool {
        match self.value(name) {
            Some(Value::Bool(value)) => value,
            other => mistyped(name, &other),
        }
    }

    pub(super) fn int(&self, name: &'static str) -> i64 {
        match self.value(name) {
            Some(Value::Int(value)) => value,
            other => mistyped(name, &other),
        }
    }

    /// A number whose range the table limits to what the type holds.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &'static str) -> T {
        let value = self.int(name);
        T::try_from(value).unwrap_or_else(|_| mistyped(name, &Some(Value::Int(value))))
    }

    pub(super) fn millis(&self, name: &'static str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    /// `None` where it is 0 or less, which stands for "off".
    pub(super) fn millis_above_0(&self, name: &'static str) -> Option<Duration> {
        let value = u64::try_from(self.int(name)).ok()?;
        (value > 0).then(|| Duration::from_millis(value))
    }

    pub(super) fn micros(&self, name: &'static str) -> i64 {
        match self.value(name) {
            Some(Value::Micros(value)) => value,
            other => mistyped(name, &other),
        }
    }

    pub(super) fn word(&self, name: &'static str) -> &'static str {
        match self.value(name) {
            Some(Value::Word(word)) => word,
            other => mistyped(name, &other),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        match self.value(name) {
            None => None,
            Some(Value::Text(text)) => Some(text),
            other => mistyped(name, &other),
        }
    }

    pub(super) fn secret(&self, name: &'static str) -> Option<Secret> {
        match self.value(name) {
            None => None,
            Some(Value::Secret(secret)) => Some(secret),
            other => mistyped(name, &other),
        }
    }

    pub(super) fn value(&self, name: &'static str) -> Option<Value> {
        self.setting(name).map(|setting| setting.value)
    }
}

fn find(name: &'static str) -> &'static Property {
    properties()
        .find(|property| property.name == name)
        .unwrap_or_else(|| unreachable!("{name} is not in the table"))
}

/// The table and the code that reads it disagree; the test of defaults reads every property.
fn mistyped(name: &str, value: &Option<Value>) -> ! {
    unreachable!("{name} is not what the table says: {value:?}")
}
