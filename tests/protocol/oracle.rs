//! What every message is held against: the same message as another implementation writes it.

use crate::sample::Gen;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use kprod::protocol::Message;
use std::fmt::Debug;

/// A message that the oracle has too.
pub trait Peer: Message + PartialEq + Debug {
    type Theirs: Encodable + Decodable + PartialEq + Debug;

    /// A message with only such fields set as the version has.
    fn sample(g: &mut Gen, version: i16) -> Self;

    /// The same message in the oracle's types.
    fn theirs(&self, version: i16) -> Self::Theirs;
}

/// The versions of a message, oldest first.
pub fn versions<M: Message>() -> impl Iterator<Item = i16> {
    let range = M::API.versions();
    range.min..=range.max
}

pub fn encode_theirs<T: Encodable>(message: &T, version: i16) -> Bytes {
    let mut buf = BytesMut::new();
    message
        .encode(&mut buf, version)
        .expect("the oracle writes the message");
    buf.freeze()
}

/// Both directions in every version: the bytes are equal, and each reads the other's.
pub fn check<M: Peer>() {
    for version in versions::<M>() {
        for seed in 0..60 {
            let ours = M::sample(&mut Gen::new(seed), version);
            let theirs = ours.theirs(version);
            let at = format!("{:?} {:?} v{version}, seed {seed}", M::API, M::DIRECTION);

            let our_bytes = ours.encode(version).expect(&at);
            let their_bytes = encode_theirs(&theirs, version);
            assert_eq!(our_bytes, their_bytes, "{at}: bytes differ");

            let mut rest = our_bytes.clone();
            let read = M::Theirs::decode(&mut rest, version).expect(&at);
            assert_eq!(read, theirs, "{at}: the oracle reads something else");
            assert!(rest.is_empty(), "{at}: the oracle leaves bytes");

            assert_eq!(M::decode(version, &their_bytes).expect(&at), ours, "{at}");
            assert_eq!(
                M::decode_shared(version, &their_bytes).expect(&at),
                ours,
                "{at}"
            );
        }
    }
}

/// One test a message, and the list of them for the tests with hostile bytes.
macro_rules! peers {
    ($($test:ident: $message:ty;)*) => {
        $(
            #[test]
            fn $test() {
                crate::oracle::check::<$message>();
            }
        )*

        pub fn all(visit: &mut crate::hostile::Visitor<'_>) {
            $(visit.message::<$message>();)*
        }
    };
}
pub(crate) use peers;
