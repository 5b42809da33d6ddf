//! Who runs, with which properties.

/// Sizes of batches compared, in bytes: Kafka's default and one that fills a large write.
pub const BATCH_SIZES: [usize; 2] = [16 << 10, 64 << 10];
/// How the floor cuts its bytes. Just over a segment of loopback is several times dearer than just below.
const WRITES: [usize; 8] = [
    16 << 10,
    32 << 10,
    48 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Kprod,
    /// The same library through kprod.hpp.
    KprodHpp,
    Librdkafka,
    Floor {
        write: usize,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contestant {
    pub kind: Kind,
    /// `None`: the contestant's own default.
    pub batch_size: Option<usize>,
    pub senders: usize,
}

impl Contestant {
    fn new(kind: Kind, batch_size: Option<usize>) -> Contestant {
        Contestant {
            kind,
            batch_size,
            senders: 1,
        }
    }

    /// What the table calls it.
    pub fn name(&self) -> String {
        let name = match self.kind {
            Kind::Kprod => "kprod",
            Kind::KprodHpp => "kprod.hpp",
            Kind::Librdkafka => "librdkafka",
            Kind::Floor { write } => return format!("floor {}K", write >> 10),
        };
        let batch = match self.batch_size {
            Some(bytes) => format!("{}K", bytes >> 10),
            None => "default".into(),
        };
        let senders = match self.senders {
            1 => String::new(),
            n => format!(", {n} senders"),
        };
        format!("{name} {batch}{senders}")
    }

    pub fn program(&self) -> &'static str {
        match self.kind {
            Kind::Kprod => env!("CLIENT_KPROD"),
            Kind::KprodHpp => env!("CLIENT_KPROD_HPP"),
            Kind::Librdkafka => env!("CLIENT_LIBRDKAFKA"),
            Kind::Floor { .. } => env!("CLIENT_FLOOR"),
        }
    }

    /// The properties besides the broker's address; both libraries know them by the same names.
    pub fn properties(&self, linger_ms: u32) -> Vec<String> {
        let mut properties = vec!["acks=1".into(), format!("linger.ms={linger_ms}")];
        properties.extend(self.batch_size.map(|bytes| format!("batch.size={bytes}")));
        properties
    }

    pub fn with_senders(self, senders: usize) -> Contestant {
        Contestant { senders, ..self }
    }
}

/// The producers compared at every size: libkprod's first, from C and C++, then librdkafka at its default and at equal
/// batches.
pub fn producers() -> Vec<Contestant> {
    let sized = |kind| BATCH_SIZES.map(|bytes| Contestant::new(kind, Some(bytes)));
    let mut all = Vec::from(sized(Kind::Kprod));
    all.extend(sized(Kind::KprodHpp));
    all.push(Contestant::new(Kind::Librdkafka, None));
    all.extend(sized(Kind::Librdkafka));
    all
}

/// The producers again, with two threads that send on the one handle.
pub fn pairs() -> Vec<Contestant> {
    let both = producers().into_iter();
    both.map(|contestant| contestant.with_senders(2)).collect()
}

pub fn floors() -> Vec<Contestant> {
    WRITES
        .map(|write| Contestant::new(Kind::Floor { write }, None))
        .into()
}
