//! Headers, the Produce request built in parts, the Produce response read in place, and tags.

use crate::oracle::{Peer, encode_theirs, versions};
use crate::sample::{Gen, text};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use kprod::protocol::metadata::MetadataResponse;
use kprod::protocol::produce::{ProduceRequest, ProduceResponse};
use kprod::protocol::produce_view::TopicRef;
use kprod::protocol::{
    ApiKey, ErrorKind, Message, ProduceFrame, ProduceHead, ProduceOverhead, ProduceResponseView,
    RequestHeader, Uuid, correlation_id, encode_response_header, split_response,
};

fn every_api_and_version() -> impl Iterator<Item = (ApiKey, i16)> {
    let all = ApiKey::ALL.iter();
    all.flat_map(|&api| (api.versions().min..=api.versions().max).map(move |v| (api, v)))
}

#[test]
fn versions_of_headers_are_the_oracles() {
    for (api, version) in every_api_and_version() {
        let theirs = theirs::ApiKey::try_from(api.code()).expect("an API of Kafka's");
        let (request, response) = (
            theirs.request_header_version(version),
            theirs.response_header_version(version),
        );
        assert_eq!(
            api.request_header_version(version),
            request,
            "{api} v{version}"
        );
        assert_eq!(
            api.response_header_version(version),
            response,
            "{api} v{version}"
        );
        assert_eq!(format!("{theirs:?}"), api.name());
        assert_eq!(ApiKey::from_code(api.code()), Some(api));
    }
}

#[test]
fn request_headers_go_both_ways() {
    for (api, version) in every_api_and_version() {
        for client_id in [None, Some(""), Some("a client")] {
            let expected = theirs::RequestHeader::default()
                .with_request_api_key(api.code())
                .with_request_api_version(version)
                .with_correlation_id(-7)
                .with_client_id(client_id.map(text));
            let header_version = api.request_header_version(version);
            let mut buf = BytesMut::from(&b"before"[..]);
            RequestHeader::encode(&mut buf, api, version, -7, client_id).unwrap();
            assert_eq!(&buf[..6], b"before");
            assert_eq!(buf[6..], encode_theirs(&expected, header_version));

            buf.extend_from_slice(b"body");
            let mut frame = buf.freeze().slice(6..);
            let header = RequestHeader::decode(&mut frame).unwrap();
            assert_eq!(header.api(), Some(api));
            assert_eq!((header.api_version, header.correlation_id), (version, -7));
            assert_eq!(header.client_id.as_deref(), client_id);
            assert_eq!(frame, "body");
        }
    }
}

#[test]
fn the_header_of_an_unknown_api_is_still_read() {
    let bytes = [0x7F, 0, 0, 9, 0, 0, 0, 5, 0, 1, b'c'];
    let header = RequestHeader::decode(&mut Bytes::copy_from_slice(&bytes)).unwrap();
    assert_eq!(
        (header.api(), header.api_key, header.correlation_id),
        (None, 0x7F00, 5)
    );
}

/// A client newer than the broker: its ApiVersions request must be understood well enough to be
/// answered in version 0.
#[test]
fn the_header_of_a_version_from_the_future_is_read() {
    let bytes = [0, 18, 0, 77, 0, 0, 0, 5, 0xFF, 0xFF, 0, 2, b'x', 2, b'1', 0];
    let mut frame = Bytes::copy_from_slice(&bytes);
    let header = RequestHeader::decode(&mut frame).unwrap();
    assert_eq!(
        (header.api(), header.api_version),
        (Some(ApiKey::ApiVersions), 77)
    );
    assert_eq!(frame.len(), 5);
}

#[test]
fn response_headers_go_both_ways() {
    for (api, version) in every_api_and_version() {
        let expected = theirs::ResponseHeader::default().with_correlation_id(1 << 30);
        let mut buf = BytesMut::new();
        encode_response_header(&mut buf, api, version, 1 << 30);
        assert_eq!(
            buf,
            encode_theirs(&expected, api.response_header_version(version))
        );

        buf.extend_from_slice(b"body");
        let frame = buf.freeze();
        assert_eq!(correlation_id(&frame).unwrap(), 1 << 30);
        let (id, body) = split_response(api, version, frame).unwrap();
        assert_eq!((id, &body[..]), (1 << 30, &b"body"[..]));
    }
}

#[test]
fn unknown_tags_are_passed_over() {
    let (api, version) = (ApiKey::Metadata, 12);
    let mut buf = BytesMut::new();
    encode_response_header(&mut buf, api, version, 3);
    buf.truncate(4);
    buf.extend_from_slice(&[2, 9, 3, 1, 2, 3, 10, 0]);
    buf.extend_from_slice(b"body");
    let (id, body) = split_response(api, version, buf.freeze()).unwrap();
    assert_eq!((id, &body[..]), (3, &b"body"[..]));

    let response = MetadataResponse::sample(&mut Gen::new(5), version);
    let mut bytes = response.encode(version).unwrap().to_vec();
    assert_eq!(bytes.pop(), Some(0), "no tags");
    bytes.extend_from_slice(&[1, 200, 1, 4, 9, 9, 9, 9]);
    assert_eq!(MetadataResponse::decode(version, &bytes).unwrap(), response);
}

/// Builds the request of `request` in parts, each batch as a header and pieces.
fn frame(request: &ProduceRequest, version: i16) -> ProduceFrame {
    let mut frame = ProduceFrame::new(ProduceHead {
        version,
        transactional_id: request.transactional_id.as_deref(),
        acks: request.acks,
        timeout_ms: request.timeout_ms,
        topics: request.topics.len(),
        partitions: request.topics.len(),
    });
    for topic in &request.topics {
        frame.topic(&topic.name, topic.topic_id, topic.partitions.len());
        for partition in &topic.partitions {
            let batch = partition.records.clone().unwrap_or_default();
            let (header, middle) = (batch.len().min(61), batch.len().div_ceil(2).max(61));
            let middle = middle.min(batch.len());
            let pieces = [batch.slice(header..middle), batch.slice(middle..)];
            frame.partition(partition.index, &batch[..header], &pieces);
        }
    }
    frame
}

fn sample_produce(seed: u64, version: i16) -> ProduceRequest {
    let mut request = ProduceRequest::sample(&mut Gen::new(seed), version);
    let partitions = request
        .topics
        .iter_mut()
        .flat_map(|topic| &mut topic.partitions);
    partitions.for_each(|p| p.records = Some(p.records.take().unwrap_or_default()));
    request
}

#[test]
fn a_request_in_parts_is_the_request() {
    for version in versions::<ProduceRequest>() {
        for seed in 0..60 {
            let request = sample_produce(seed, version);
            let body = frame(&request, version).finish().unwrap().concat();
            assert_eq!(
                body,
                encode_theirs(&request.theirs(version), version),
                "v{version}"
            );
            assert!(
                body.len() <= bound(&request, version),
                "v{version}, seed {seed}"
            );
        }
    }
}

fn bound(request: &ProduceRequest, version: i16) -> usize {
    let topics = request.topics.iter().map(|topic| {
        let batches = topic
            .partitions
            .iter()
            .map(|p| p.records.as_ref().map_or(0, Bytes::len));
        let partitions = batches
            .map(|length| ProduceOverhead::PARTITION + length)
            .sum::<usize>();
        ProduceOverhead::topic(version, topic.name.len()) + partitions
    });
    let transactional_id = request.transactional_id.as_ref().map_or(0, String::len);
    // The frame's length and the header come before the body.
    ProduceOverhead::request(0, transactional_id) - 15 + topics.sum::<usize>()
}

#[test]
fn records_are_sent_from_where_they_are() {
    let batches: Vec<Bytes> = (0..3u8).map(|i| Bytes::from(vec![i; 1000])).collect();
    let mut frame = ProduceFrame::new(ProduceHead {
        version: 12,
        transactional_id: None,
        acks: 1,
        timeout_ms: 40_000,
        topics: 1,
        partitions: batches.len(),
    });
    frame.topic("t", Uuid::ZERO, batches.len());
    for (index, batch) in (0..).zip(&batches) {
        frame.partition(index, &[0xAB; 61], std::slice::from_ref(batch));
    }
    let parts = frame.finish().unwrap();
    assert_eq!(parts.len(), 2 * batches.len() + 1);
    for (part, batch) in parts.iter().skip(1).step_by(2).zip(&batches) {
        assert_eq!(part.as_ptr(), batch.as_ptr(), "copied");
    }
}

#[test]
fn a_request_with_other_counts_than_announced_is_refused() {
    let head = ProduceHead {
        version: 12,
        transactional_id: None,
        acks: 1,
        timeout_ms: 1,
        topics: 1,
        partitions: 1,
    };
    let refused = |build: fn(&mut ProduceFrame)| {
        let mut frame = ProduceFrame::new(head);
        build(&mut frame);
        let error = frame.finish().expect_err("counts differ");
        assert!(
            matches!(error.kind, ErrorKind::NotExpressible(_)),
            "{error}"
        );
    };
    refused(|_| {});
    refused(|frame| frame.partition(0, &[], &[]));
    refused(|frame| frame.topic("t", Uuid::ZERO, 1));
    refused(|frame| {
        frame.topic("t", Uuid::ZERO, 0);
        frame.topic("u", Uuid::ZERO, 0);
    });
    refused(|frame| {
        frame.topic("t", Uuid::ZERO, 1);
        frame.partition(0, &[], &[]);
        frame.partition(1, &[], &[]);
    });
}

#[test]
fn a_name_too_long_for_its_version_is_refused() {
    let name = "x".repeat(40_000);
    for version in [8, 12] {
        let head = ProduceHead {
            version,
            transactional_id: None,
            acks: 1,
            timeout_ms: 1,
            topics: 1,
            partitions: 1,
        };
        let mut frame = ProduceFrame::new(head);
        frame.topic(&name, Uuid::ZERO, 0);
        let error = frame.finish().unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLong { length: 40_000 });
    }
}

#[test]
fn the_response_in_place_says_the_same() {
    for version in versions::<ProduceResponse>() {
        for seed in 0..60 {
            let response = ProduceResponse::sample(&mut Gen::new(seed), version);
            let bytes = response.encode(version).unwrap();
            let view = ProduceResponseView::parse(version, &bytes).unwrap();
            assert_eq!(view.throttle_time_ms, response.throttle_time_ms);

            let expected = response.topics.iter().flat_map(|topic| {
                let name = match version >= 13 {
                    true => TopicRef::Id(topic.topic_id),
                    false => TopicRef::Name(&topic.name),
                };
                topic
                    .partitions
                    .iter()
                    .map(move |partition| (name, partition))
            });
            let read: Vec<_> = view.partitions().collect();
            assert_eq!(read.len(), expected.clone().count());
            for ((topic, read), (expected_topic, expected)) in read.iter().zip(expected) {
                assert_eq!(*topic, expected_topic);
                assert_eq!(read.to_owned(), *expected);
            }
            let nodes = view.node_endpoints().map(|node| node.to_owned());
            assert!(nodes.eq(response.node_endpoints.iter().cloned()));
        }
    }
}

#[test]
fn the_response_in_place_takes_no_memory() {
    let response = (0..).map(|seed| ProduceResponse::sample(&mut Gen::new(seed), 12));
    let response = response
        .into_iter()
        .find(|r| r.topics.len() == 3)
        .expect("one of them");
    let bytes = response.encode(12).unwrap();
    let ((), held) = crate::memory::peak(|| {
        let view = ProduceResponseView::parse(12, &bytes).unwrap();
        for (_, partition) in view.partitions() {
            partition.record_errors().for_each(drop);
        }
        view.node_endpoints().for_each(drop);
    });
    assert_eq!(held, 0);
}

#[test]
fn fetched_records_are_shared_with_the_body() {
    let request = sample_produce(1, 12);
    let body = request.encode(12).unwrap();
    let within = body.as_ptr_range();
    let read = ProduceRequest::decode_shared(12, &body).unwrap();
    let mut records = read
        .topics
        .iter()
        .flat_map(|t| &t.partitions)
        .filter_map(|p| p.records.as_ref());
    assert!(records.all(|r| r.is_empty() || within.contains(&r.as_ptr())));
}

/// The oracle reads what a whole frame carries, so header and body meet where they should.
#[test]
fn a_whole_frame_is_read_by_the_oracle() {
    let request = sample_produce(3, 12);
    let mut frame = BytesMut::new();
    RequestHeader::encode(&mut frame, ApiKey::Produce, 12, 1, Some("c")).unwrap();
    for part in self::frame(&request, 12).finish().unwrap() {
        frame.extend_from_slice(&part);
    }
    let mut frame = frame.freeze();
    theirs::RequestHeader::decode(&mut frame, 2).unwrap();
    let read = theirs::ProduceRequest::decode(&mut frame, 12).unwrap();
    assert_eq!(
        read.compute_size(12).unwrap(),
        request.encode(12).unwrap().len()
    );
    assert_eq!(read, request.theirs(12));
}
