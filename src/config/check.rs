//! Settings held against each other.

use super::settings::Settings;
use super::value::in_ranges;

/// The most requests in flight in which a broker can recognise a duplicate.
const IDEMPOTENT_IN_FLIGHT: i64 = 5;

/// Everything that is wrong, each said as a sentence.
pub(super) fn problems(settings: &Settings) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(bootstrap(settings));
    problems.extend(transactions(settings));
    idempotence(settings, &mut problems);
    problems.extend(data_loss(settings));
    problems.extend(delivery_timeout(settings));
    problems.extend(fits_memory(settings, "batch.size"));
    problems.extend(fits_memory(settings, "max.request.size"));
    problems.extend(growing(
        settings,
        "retry.backoff.ms",
        "retry.backoff.max.ms",
    ));
    problems.extend(growing(
        settings,
        "reconnect.backoff.ms",
        "reconnect.backoff.max.ms",
    ));
    problems.extend(growing(
        settings,
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.max.ms",
    ));
    problems.extend(compression_level(settings));
    problems.extend(availability(settings));
    problems
}

fn bootstrap(settings: &Settings) -> Option<String> {
    let mock = settings.int("test.mock.num.brokers") > 0;
    match (settings.explicit("bootstrap.servers"), mock) {
        (false, false) => Some(
            "bootstrap.servers is missing: set it to the host:port of one or more brokers".into(),
        ),
        (true, true) => Some(format!(
            "{} takes the place of bootstrap.servers: set only one",
            settings.describe("test.mock.num.brokers")
        )),
        _ => None,
    }
}

fn transactions(settings: &Settings) -> Option<String> {
    let wrong = settings.explicit("transactional.id") && !settings.flag("enable.idempotence");
    wrong.then(|| {
        format!(
            "transactional.id needs enable.idempotence=true, but {}",
            settings.describe("enable.idempotence")
        )
    })
}

fn idempotence(settings: &Settings, problems: &mut Vec<String>) {
    if !settings.flag("enable.idempotence") {
        return;
    }
    let mut unless = |holds: bool, needed: &str, name| {
        if !holds {
            problems.push(format!(
                "{} needs {needed}, but {}",
                settings.describe("enable.idempotence"),
                settings.describe(name)
            ));
        }
    };
    let in_flight = "max.in.flight.requests.per.connection";
    unless(settings.word("acks") == "all", "acks=all", "acks");
    unless(settings.int("retries") > 0, "retries above 0", "retries");
    unless(
        settings.int(in_flight) <= IDEMPOTENT_IN_FLIGHT,
        "at most 5 requests in flight",
        in_flight,
    );
}

/// Only a sequence shows that a broker has lost records.
fn data_loss(settings: &Settings) -> Option<String> {
    let stops = settings.word("kprod.data.loss") == "stop";
    (stops && !settings.flag("enable.idempotence")).then(|| {
        format!(
            "{} needs enable.idempotence=true, but {}",
            settings.describe("kprod.data.loss"),
            settings.describe("enable.idempotence")
        )
    })
}

fn delivery_timeout(settings: &Settings) -> Option<String> {
    settings.value("delivery.timeout.ms")?;
    // In microseconds, each of at most 2^31 ms: the sum is far from an i64's end.
    let limit = settings.int("delivery.timeout.ms") * 1000;
    let needed = settings.micros("linger.ms") + settings.int("request.timeout.ms") * 1000;
    // As with Java: the longest time there is covers any other, and stands for librdkafka's "no limit".
    let needed = needed.min(i64::from(i32::MAX) * 1000);
    (limit < needed).then(|| {
        format!(
            "{} is less than {} plus {}",
            settings.describe("delivery.timeout.ms"),
            settings.describe("linger.ms"),
            settings.describe("request.timeout.ms")
        )
    })
}

/// Only what was chosen contradicts: a small `buffer.memory` does not make the default wrong.
fn fits_memory(settings: &Settings, name: &'static str) -> Option<String> {
    let wrong = settings.chosen(name) && settings.int(name) > settings.int("buffer.memory");
    wrong.then(|| {
        format!(
            "{} is more than {}",
            settings.describe(name),
            settings.describe("buffer.memory")
        )
    })
}

/// Brokers are avoided by what adapts to them.
fn availability(settings: &Settings) -> Option<String> {
    let (timeout, adaptive) = (
        "partitioner.availability.timeout.ms",
        "partitioner.adaptive.partitioning.enable",
    );
    (settings.int(timeout) > 0 && !settings.flag(adaptive)).then(|| {
        format!(
            "{} needs {adaptive}=true, but {}",
            settings.describe(timeout),
            settings.describe(adaptive)
        )
    })
}

/// Where only one of the two was set, it moves the other.
fn growing(settings: &Settings, first: &'static str, max: &'static str) -> Option<String> {
    let both = settings.explicit(first) && settings.explicit(max);
    (both && settings.int(first) > settings.int(max)).then(|| {
        format!(
            "{} is more than {}",
            settings.describe(first),
            settings.describe(max)
        )
    })
}

/// `compression.level` must be a level of the codec that is in use, and not contradict the codec's
/// own property.
fn compression_level(settings: &Settings) -> Option<String> {
    if !settings.explicit("compression.level") {
        return None;
    }
    let level = settings.int("compression.level");
    let (ranges, allowed, own): (&[(i64, i64)], _, _) = match settings.word("compression.type") {
        "gzip" => (
            &[(-1, -1), (1, 9)],
            "gzip has -1 and 1..9",
            Some("compression.gzip.level"),
        ),
        "zstd" => (
            &[(-131_072, 22)],
            "zstd has -131072..22",
            Some("compression.zstd.level"),
        ),
        "lz4" => (
            &[(-1, 0)],
            "lz4_flex, its library, has no levels: only -1 and 0 are allowed",
            None,
        ),
        "snappy" => (
            &[(-1, 0)],
            "snappy has no levels: only -1 and 0 are allowed",
            None,
        ),
        _ => return None,
    };
    let codec = settings.describe("compression.type");
    let said = settings.describe("compression.level");
    if !in_ranges(level, ranges) {
        return Some(format!("{said} is no level of {codec}: {allowed}"));
    }
    let own = own.filter(|own| settings.explicit(own) && settings.int(own) != level)?;
    Some(format!(
        "{said} and {} differ: set only one",
        settings.describe(own)
    ))
}
