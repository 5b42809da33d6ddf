//! A property's value: parsed from text, compared, and written back.

use super::property::{Choice, Kind};
use super::servers;
use super::typed::{HostPort, Secret};

/// What stands in place of a secret wherever values are shown.
pub(super) const HIDDEN: &str = "[hidden]";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Micros(i64),
    Word(&'static str),
    Text(String),
    Secret(Secret),
    Servers(Vec<HostPort>),
}

impl Value {
    /// Parses what the user wrote; the error completes "property: value ...".
    pub(super) fn parse(kind: &Kind, text: &str) -> Result<Value, String> {
        if text.contains('\0') {
            return Err("contains a null character".into());
        }
        match kind {
            Kind::Bool => parse_bool(text.trim()),
            Kind::Int { ranges, .. } => parse_int(text.trim(), ranges),
            Kind::FractionalMillis { max } => parse_fractional_millis(text.trim(), *max),
            Kind::Choice(choices) => parse_choice(text.trim(), choices),
            Kind::Text { min, max } => parse_text(text, *min, *max),
            Kind::Software => parse_software(text.trim()),
            Kind::Path if text.is_empty() => Err("is empty".into()),
            Kind::Path => Ok(Value::Text(text.to_owned())),
            Kind::Secret => Ok(Value::Secret(Secret::new(text))),
            Kind::Pem { secret } => parse_pem(text, *secret),
            Kind::Servers => servers::parse(text).map(Value::Servers),
        }
    }

    /// The value as text; a secret is hidden.
    pub(super) fn show(&self) -> String {
        match self {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Micros(value) => show_micros(*value),
            Value::Word(word) => (*word).to_owned(),
            Value::Text(text) => text.clone(),
            Value::Secret(_) => HIDDEN.to_owned(),
            Value::Servers(servers) => {
                let entries: Vec<_> = servers.iter().map(HostPort::to_string).collect();
                entries.join(",")
            }
        }
    }
}

fn parse_bool(text: &str) -> Result<Value, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(Value::Bool(true)),
        "false" | "f" | "0" => Ok(Value::Bool(false)),
        _ => Err("is not a boolean".into()),
    }
}

fn parse_int(text: &str, ranges: &[(i64, i64)]) -> Result<Value, String> {
    if !is_number(text) {
        return Err("is not a whole number".into());
    }
    // All digits: what does not fit an i64 is outside every range.
    match text.parse::<i64>() {
        Ok(number) if in_ranges(number, ranges) => Ok(Value::Int(number)),
        _ => Err("is out of range".into()),
    }
}

pub(super) fn in_ranges(number: i64, ranges: &[(i64, i64)]) -> bool {
    ranges
        .iter()
        .any(|&(low, high)| (low..=high).contains(&number))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_fractional_millis(text: &str, max: i64) -> Result<Value, String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let negative = whole.starts_with('-') && is_number(whole);
    if negative && all_digits(decimals) {
        return Err("is out of range".into());
    }
    let empty = whole.is_empty() && decimals.is_empty();
    if empty || !all_digits(whole) || !all_digits(decimals) || text.is_empty() {
        return Err("is not a number".into());
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 3 {
        return Err("is finer than a microsecond".into());
    }
    let micros: i64 = format!("{decimals:0<3}").parse().unwrap_or(0);
    let millis: Option<i64> = match whole {
        "" => Some(0),
        digits => digits.parse().ok(),
    };
    millis
        .and_then(|millis| millis.checked_mul(1000)?.checked_add(micros))
        .filter(|total| *total <= max.saturating_mul(1000))
        .map(Value::Micros)
        .ok_or_else(|| "is out of range".into())
}

fn show_micros(micros: i64) -> String {
    let (millis, rest) = (micros / 1000, micros % 1000);
    if rest == 0 {
        return millis.to_string();
    }
    let text = format!("{millis}.{rest:03}");
    text.trim_end_matches('0').to_owned()
}

fn parse_choice(text: &str, choices: &[Choice]) -> Result<Value, String> {
    let is = |word: &&str| word.eq_ignore_ascii_case(text);
    choices
        .iter()
        .find(|choice| is(&choice.word) || choice.synonyms.iter().any(is))
        .map(|choice| Value::Word(choice.word))
        .ok_or_else(|| "is none of its values".into())
}

fn parse_text(text: &str, min: usize, max: usize) -> Result<Value, String> {
    if text.len() < min {
        let why = if text.is_empty() {
            "is empty"
        } else {
            "is too short"
        };
        Err(why.into())
    } else if text.len() > max {
        Err("is too long".into())
    } else {
        Ok(Value::Text(text.to_owned()))
    }
}

fn parse_software(text: &str) -> Result<Value, String> {
    let ends = [text.chars().next(), text.chars().next_back()];
    let framed = ends
        .iter()
        .all(|end| end.is_some_and(|c| c.is_ascii_alphanumeric()));
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.len() > 255 {
        Err("is too long".into())
    } else if framed && text.chars().all(legal) {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err("is not a name that brokers accept".into())
    }
}

fn parse_pem(text: &str, secret: bool) -> Result<Value, String> {
    if !text.contains("-----BEGIN ") {
        Err("has no PEM block (a file is named by the property that ends in .location)".into())
    } else if secret {
        Ok(Value::Secret(Secret::new(text)))
    } else {
        Ok(Value::Text(text.to_owned()))
    }
}
