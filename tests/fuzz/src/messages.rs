//! Every message of the protocol in every version: what was read can be written, and is then read as the same.

use bytes::Bytes;
use kprod::protocol::Message;
use kprod::protocol::add_offsets_to_txn::*;
use kprod::protocol::add_partitions_to_txn::*;
use kprod::protocol::api_versions::*;
use kprod::protocol::end_txn::*;
use kprod::protocol::fetch::*;
use kprod::protocol::find_coordinator::*;
use kprod::protocol::init_producer_id::*;
use kprod::protocol::list_offsets::*;
use kprod::protocol::metadata::*;
use kprod::protocol::produce::*;
use kprod::protocol::sasl::*;
use kprod::protocol::txn_offset_commit::*;

use crate::Target;

/// An input is the place of a message in [`MESSAGES`], a version and a body.
pub const TARGET: Target = Target {
    name: "messages",
    run: |input| {
        if let [message, version, body @ ..] = input
            && let Some(message) = MESSAGES.get(usize::from(*message))
        {
            (message.check)(i16::from(*version), body);
        }
    },
    seeds: || {
        let seeds = MESSAGES.iter().zip(0..).flat_map(|(message, place)| {
            let versions = 0..=u8::MAX;
            versions.filter_map(move |version| {
                let body = (message.empty)(i16::from(version))?;
                Some([&[place, version], &body[..]].concat())
            })
        });
        seeds.collect()
    },
};

struct Reader {
    check: fn(i16, &[u8]),
    /// A message with nothing set, in the versions that there are.
    empty: fn(i16) -> Option<Bytes>,
}

macro_rules! readers {
    ($($message:ty),* $(,)?) => {
        [$(Reader {
            check: check::<$message>,
            empty: |version| <$message>::default().encode(version).ok(),
        }),*]
    };
}

const MESSAGES: [Reader; 26] = readers![
    ProduceResponse,
    MetadataResponse,
    ApiVersionsResponse,
    SaslHandshakeResponse,
    SaslAuthenticateResponse,
    InitProducerIdResponse,
    AddPartitionsToTxnResponse,
    AddOffsetsToTxnResponse,
    TxnOffsetCommitResponse,
    EndTxnResponse,
    FindCoordinatorResponse,
    FetchResponse,
    ListOffsetsResponse,
    // What the mock cluster reads.
    ProduceRequest,
    MetadataRequest,
    ApiVersionsRequest,
    SaslHandshakeRequest,
    SaslAuthenticateRequest,
    InitProducerIdRequest,
    AddPartitionsToTxnRequest,
    AddOffsetsToTxnRequest,
    TxnOffsetCommitRequest,
    EndTxnRequest,
    FindCoordinatorRequest,
    FetchRequest,
    ListOffsetsRequest,
];

fn check<M: Message + PartialEq>(version: i16, body: &[u8]) {
    let read = M::decode(version, body);
    let shared = M::decode_shared(version, &Bytes::copy_from_slice(body));
    assert!(read == shared, "a shared body reads differently");
    let Ok(message) = read else { return };
    let written = message
        .encode(version)
        .expect("what was read can be written");
    let again = M::decode(version, &written).expect("what was written can be read");
    assert!(again == message, "written and read, it is another message");
}
