//! The two readers of a Produce response: they take the same bytes, for the same answer.

use kprod::protocol::produce::{ProduceResponse, TopicProduceResponse};
use kprod::protocol::produce_view::TopicRef;
use kprod::protocol::{ApiKey, Message, ProduceResponseView, Uuid};

use crate::Target;

/// An input is a version and a body.
pub const TARGET: Target = Target {
    name: "produce_view",
    run: |input| {
        if let Some((version, body)) = input.split_first() {
            check(i16::from(*version), body);
        }
    },
    seeds: || {
        let versions = ApiKey::Produce.versions();
        let seed = |version: i16| {
            let response = ProduceResponse {
                topics: vec![TopicProduceResponse {
                    name: "t".into(),
                    partitions: vec![Default::default(); 2],
                    ..Default::default()
                }],
                ..Default::default()
            };
            let body = response.encode(version).expect("a version that there is");
            [&[version as u8], &body[..]].concat()
        };
        (versions.min..=versions.max).map(seed).collect()
    },
};

fn check(version: i16, body: &[u8]) {
    let owned = ProduceResponse::decode(version, body);
    let view = ProduceResponseView::parse(version, body);
    let (owned, view) = match (owned, view) {
        (Ok(owned), Ok(view)) => (owned, view),
        (Err(_), Err(_)) => return,
        (owned, view) => panic!("only one of them reads it: {owned:?}, {view:?}"),
    };
    let named = |topic: &TopicProduceResponse| (topic.name.clone(), topic.topic_id);
    let expected = owned.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|partition| (named(topic), partition.clone()))
    });
    let seen = view.partitions().map(|(topic, partition)| {
        let topic = match topic {
            TopicRef::Name(name) => (name.to_owned(), Uuid::ZERO),
            TopicRef::Id(id) => (String::new(), id),
        };
        (topic, partition.to_owned())
    });
    assert!(seen.eq(expected));
    assert!(
        view.node_endpoints()
            .map(|node| node.to_owned())
            .eq(owned.node_endpoints)
    );
    assert_eq!(view.throttle_time_ms, owned.throttle_time_ms);
}
