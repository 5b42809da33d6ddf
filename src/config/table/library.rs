//! Properties of this library alone.

use super::*;
use Importance::{High, Low, Medium};

pub(super) static PROPERTIES: &[Property] = &[
    Property::new(
        "kprod.profile",
        Kind::Choice(&[word("default"), word("modern")]),
        Some("default"),
        High,
        "A group of settings for what is not set explicitly. `modern`: `acks=all`, \
         `enable.idempotence=true`, `linger.ms=5`, `delivery.timeout.ms=120000`, \
         `max.block.ms=60000`. An explicit setting that contradicts the rest of the group is an \
         error.",
    ),
    Property::new(
        "kprod.delivery.reports",
        Kind::Choice(&[word("all"), word("errors"), word("none")]),
        Some("all"),
        Medium,
        "Which outcomes are reported to the producer's callback or to `kprod_poll`.",
    )
    .also(&[alias(
        "delivery.report.only.error",
        Origin::Librdkafka,
        Convert::OnlyErrors,
    )]),
    Property::new(
        "kprod.delivery.queue.max",
        count(&[(1, I32_MAX)]),
        Some("1000000"),
        Medium,
        "How many reports may wait to be read. Beyond it sends answer REPORT_QUEUE_FULL: call \
         `kprod_poll`. Other calls are not refused for it: the entries of asynchronous ones come \
         on top.",
    ),
    Property::new(
        "kprod.events",
        Kind::Bool,
        Some("false"),
        Low,
        "Whether events of the producer (all brokers down, authentication failed, data lost, fatal \
         error) are queued among the reports.",
    ),
    Property::new(
        "kprod.data.loss",
        Kind::Choice(&[word("continue"), word("stop")]),
        Some("continue"),
        Medium,
        "What an idempotent producer does when a broker turns out to have lost records that it had \
         acknowledged (after an unclean leader election, say). Either way it logs the loss, counts it \
         and, with `kprod.events`, reports DATA_LOSS. `continue`: then it goes on under a new epoch. \
         `stop`: it fails for good; needs `enable.idempotence`. Where offsets that come again are all \
         that shows it, brokers before Kafka 2.8, which give no topic ids, do not tell a loss from a \
         topic that was deleted and made anew: that is logged, and no more.",
    ),
    Property::new(
        "kprod.io.threads",
        count(&[(1, 1)]),
        Some("1"),
        Low,
        "How many threads run the producer's engine.",
    ),
    Property::new(
        "log_level",
        count(&[(0, 7)]),
        Some("6"),
        Low,
        "The least severe messages that the log callback gets, as syslog counts: 3 errors, 4 \
         warnings, 6 information, 7 everything.",
    ),
    Property::new(
        "test.mock.num.brokers",
        count(&[(0, 100)]),
        Some("0"),
        Low,
        "How many brokers an embedded mock cluster has, for tests and demonstrations. Above 0 it \
         takes the place of `bootstrap.servers`, which must not be set then.",
    ),
];
