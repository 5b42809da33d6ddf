//! The table of all properties, in the groups in which the reference page shows them.

mod connection;
mod delivery;
mod library;
mod security;

use super::property::{Alias, Choice, Convert, Importance, Kind, Origin, Property, Unit};

/// A chapter of the reference page.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub properties: &'static [Property],
}

pub static GROUPS: &[Group] = &[
    Group {
        title: "Delivery and batching",
        properties: delivery::PROPERTIES,
    },
    Group {
        title: "Cluster and connections",
        properties: connection::PROPERTIES,
    },
    Group {
        title: "Security",
        properties: security::PROPERTIES,
    },
    Group {
        title: "This library",
        properties: library::PROPERTIES,
    },
];

/// Every property, in the table's order.
pub fn properties() -> impl Iterator<Item = &'static Property> {
    GROUPS.iter().flat_map(|group| group.properties)
}

/// What `kprod.profile=modern` sets where nothing is set explicitly.
pub(super) static MODERN: &[(&str, &str)] = &[
    ("acks", "all"),
    ("delivery.timeout.ms", "120000"),
    ("enable.idempotence", "true"),
    ("linger.ms", "5"),
    ("max.block.ms", "60000"),
];

const I32_MAX: i64 = i32::MAX as i64;
/// Milliseconds of a wait: up to 24 days, so that no deadline can overflow a clock.
const MILLIS: Kind = Kind::Int {
    ranges: &[(0, I32_MAX)],
    unit: Unit::Millis,
};
const MILLIS_FROM_1: Kind = Kind::Int {
    ranges: &[(1, I32_MAX)],
    unit: Unit::Millis,
};
/// What a string of the protocol can hold.
const PROTOCOL_TEXT: usize = i16::MAX as usize;

const fn count(ranges: &'static [(i64, i64)]) -> Kind {
    Kind::Int {
        ranges,
        unit: Unit::Count,
    }
}

const fn bytes(ranges: &'static [(i64, i64)]) -> Kind {
    Kind::Int {
        ranges,
        unit: Unit::Bytes,
    }
}

const fn word(word: &'static str) -> Choice {
    Choice {
        word,
        synonyms: &[],
    }
}

const fn alias(name: &'static str, origin: Origin, convert: Convert) -> Alias {
    Alias {
        name,
        origin,
        convert,
    }
}

/// aiokafka's name of a property.
const fn aiokafka(name: &'static str) -> Alias {
    alias(name, Origin::Aiokafka, Convert::Same)
}

/// librdkafka's name of a property.
const fn librdkafka(name: &'static str) -> Alias {
    alias(name, Origin::Librdkafka, Convert::Same)
}
