//! Bytes that no honest peer sends: every decoder answers, and takes memory only for what is there.

use crate::memory::peak;
use crate::oracle::{Peer, versions};
use crate::sample::Gen;
use crate::{brokers, consuming, producing, transactions};
use bytes::{BufMut, Bytes};
use kprod::protocol::metadata::{MetadataPartition, MetadataResponse, MetadataTopic};
use kprod::protocol::produce::ProduceResponse;
use kprod::protocol::{ApiKey, ErrorKind, Message, ProduceResponseView, RequestHeader};

/// Does one thing to every message.
pub struct Visitor<'a> {
    attack: &'a mut dyn FnMut(&Target),
}

/// A decoder, and honest bytes for it.
struct Target {
    name: String,
    version: i16,
    honest: Vec<Bytes>,
    /// Whether the bytes were taken for a message.
    decode: fn(i16, &[u8]) -> bool,
}

impl Visitor<'_> {
    pub fn message<M: Peer>(&mut self) {
        let decode = |version, bytes: &[u8]| M::decode(version, bytes).is_ok();
        self.decoder::<M>(&format!("{:?} {:?}", M::API, M::DIRECTION), decode);
    }

    fn decoder<M: Peer>(&mut self, name: &str, decode: fn(i16, &[u8]) -> bool) {
        for version in versions::<M>() {
            let sample = |seed| {
                M::sample(&mut Gen::new(seed), version)
                    .encode(version)
                    .unwrap()
            };
            let honest = (0..40)
                .map(sample)
                .filter(|bytes| bytes.len() < 3000)
                .take(8)
                .collect();
            (self.attack)(&Target {
                name: format!("{name} v{version}"),
                version,
                honest,
                decode,
            });
        }
    }
}

/// Every message, and the response that has a second reader.
fn each_message(mut attack: impl FnMut(&Target)) {
    let mut visitor = Visitor {
        attack: &mut attack,
    };
    producing::all(&mut visitor);
    consuming::all(&mut visitor);
    transactions::all(&mut visitor);
    brokers::all(&mut visitor);
    visitor.decoder::<ProduceResponse>("Produce view", read_view);
}

fn read_view(version: i16, bytes: &[u8]) -> bool {
    let Ok(view) = ProduceResponseView::parse(version, bytes) else {
        return false;
    };
    for (_, partition) in view.partitions() {
        partition.record_errors().count();
    }
    view.node_endpoints().count();
    true
}

impl Target {
    /// Decodes, and checks what it held. An element can be some 20 times larger in memory than on
    /// the wire, and a vector that grows is there twice.
    fn decode_bounded(&self, bytes: &[u8]) -> bool {
        let (taken, held) = peak(|| (self.decode)(self.version, bytes));
        let bound = 64 * bytes.len() + 512;
        assert!(
            held <= bound,
            "{}: {held} bytes held for {bytes:02x?}",
            self.name
        );
        taken
    }
}

#[test]
fn a_message_cut_short_is_an_error() {
    each_message(|target| {
        for honest in &target.honest {
            assert!(target.decode_bounded(honest), "{}", target.name);
            for end in 0..honest.len() {
                let taken = target.decode_bounded(&honest[..end]);
                assert!(!taken, "{} cut at {end} of {}", target.name, honest.len());
            }
        }
    });
}

/// The lengths that hurt most, at each place of each message.
#[test]
fn a_hostile_length_anywhere_takes_no_memory() {
    let lengths: [&[u8]; 8] = [
        &i32::MAX.to_be_bytes(),
        &100_000_000i32.to_be_bytes(),
        &(-2i32).to_be_bytes(),
        &i32::MIN.to_be_bytes(),
        &i16::MAX.to_be_bytes(),
        &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x80, 0xC2, 0xD7, 0x2F],
    ];
    each_message(|target| {
        for honest in target.honest.iter().take(3) {
            for (at, length) in (0..honest.len().min(400)).flat_map(|at| lengths.map(|l| (at, l))) {
                let mut bytes = honest.to_vec();
                let end = bytes.len().min(at + length.len());
                bytes[at..end].copy_from_slice(&length[..end - at]);
                target.decode_bounded(&bytes);
            }
        }
    });
}

#[test]
fn a_negative_partition_is_refused() {
    for version in versions::<MetadataResponse>() {
        let partition = MetadataPartition {
            partition_index: -7,
            ..MetadataPartition::default()
        };
        let topic = MetadataTopic {
            name: Some("t".into()),
            partitions: vec![partition],
            ..MetadataTopic::default()
        };
        let response = MetadataResponse {
            topics: vec![topic],
            ..MetadataResponse::default()
        };
        let bytes = response.encode(version).unwrap();
        let error = MetadataResponse::decode(version, &bytes).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadIndex { index: -7 });
    }
}

/// Some 20,000 damaged forms of most messages, the same in every run.
#[test]
fn damaged_messages_neither_panic_nor_take_memory() {
    each_message(|target| {
        let mut g = Gen::new(target.version as u64 + 1);
        for round in 0..2_500 {
            let honest = &target.honest[round % target.honest.len()];
            target.decode_bounded(&damage(&mut g, honest));
        }
    });
}

fn damage(g: &mut Gen, honest: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for _ in 0..1 + g.below(4) {
        let at = g.below(bytes.len() + 1);
        let end = (at + g.below(9)).min(bytes.len());
        match g.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, g.u64() as u8),
            2 => drop(bytes.drain(at..end)),
            3 => bytes[at..end].fill([0, 1, 0x7F, 0x80, 0xFF][g.below(5)]),
            _ => bytes[at..end]
                .iter_mut()
                .for_each(|byte| *byte = g.u64() as u8),
        }
    }
    bytes
}

/// Refused before a byte is taken, although the message is larger than what is announced.
#[test]
fn an_announced_array_takes_no_memory() {
    let head = |version: i16| if version >= 3 { vec![0; 4] } else { vec![] };
    let announce = |version: i16, count: &[u8]| {
        let mut bytes = head(version);
        bytes.put_slice(count);
        bytes.resize(100, 0);
        let (answer, held) = peak(|| MetadataResponse::decode(version, &bytes));
        let error = answer.expect_err("no such array can be there");
        assert!(matches!(error.kind, ErrorKind::BadLength { .. }), "{error}");
        assert_eq!(held, 0, "v{version}");
    };
    for version in versions::<MetadataResponse>() {
        let compact = ApiKey::Metadata.is_flexible(version);
        match compact {
            true => {
                announce(version, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
                announce(version, &[0x81, 0xC2, 0xD7, 0x2F]);
                announce(version, &[11]);
            }
            false => {
                announce(version, &i32::MAX.to_be_bytes());
                announce(version, &100_000_000i32.to_be_bytes());
                announce(version, &(-2i32).to_be_bytes());
                announce(version, &10i32.to_be_bytes());
            }
        }
    }
}

/// A million brokers that are really there cost what they take, and no more than a small multiple.
#[test]
fn a_large_message_costs_a_small_multiple_of_its_size() {
    const BROKERS: u32 = 1_000_000;
    let mut bytes = vec![0; 4];
    bytes.put_slice(&[0xC1, 0x84, 0x3D]);
    for _ in 0..BROKERS {
        bytes.put_slice(&[0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0]);
    }
    bytes.put_slice(&[0, 0, 0, 0, 1, 1, 0]);
    let (answer, held) = peak(|| MetadataResponse::decode(12, &bytes));
    assert_eq!(
        answer.expect("a valid response").brokers.len(),
        BROKERS as usize
    );
    assert!(
        held < 16 * bytes.len(),
        "{held} bytes held for {}",
        bytes.len()
    );
}

#[test]
fn an_error_says_what_and_where() {
    let mut bytes = vec![0; 4];
    bytes.put_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0]);
    let error = MetadataResponse::decode(12, &bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Metadata response v12: length 4294967294 is impossible with 2 bytes left (at byte 9)"
    );
    let error = MetadataResponse::decode(99, &bytes).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedVersion { version: 99 });
    let error = RequestHeader::decode(&mut Bytes::from_static(&[0, 3, 0])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "header: truncated: 2 bytes needed, 1 left (at byte 2)"
    );
}
