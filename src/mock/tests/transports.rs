//! The cluster over pipes in memory, over sockets, and seen by kcat.

use super::*;
use crate::error::ErrorCode;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout};

const LONG: Duration = Duration::from_secs(60);

async fn read_frame(stream: &mut DuplexStream) -> std::io::Result<Bytes> {
    let length = stream.read_i32().await?;
    let mut out = vec![0; 4 + length as usize];
    out[..4].copy_from_slice(&length.to_be_bytes());
    stream.read_exact(&mut out[4..]).await?;
    Ok(Bytes::from(out))
}

fn memory(brokers: i32) -> (MockHandle, MemoryNetwork) {
    let handle = MockHandle::new(config(brokers));
    handle.create_topic("t", brokers);
    let network = MemoryNetwork::new(handle.clone());
    (handle, network)
}

fn connect(network: &MemoryNetwork, broker: i32) -> std::io::Result<DuplexStream> {
    let addresses = network.resolve(&format!("10.0.0.{broker}"), 9092)?;
    network.connect(addresses[0])
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order_and_on_time() {
    let (handle, network) = memory(1);
    let mut stream = connect(&network, 1).expect("it is up");
    handle.inject(Fault::on(ApiKey::Metadata).delay(millis(250)));
    let request = metadata_request(&["t"], true);
    let began = Instant::now();
    for id in 0..3 {
        // In pieces, as a stream may deliver it.
        for piece in framed(&request, 9, id).chunks(7) {
            stream.write_all(piece).await.expect("written");
        }
    }
    for id in 0..3 {
        let frame = read_frame(&mut stream).await.expect("an answer");
        let answer = response::<MetadataRequest>(9, id, &frame);
        assert_eq!(answer.topics[0].error_code, 0);
        assert_eq!(began.elapsed(), millis(250));
    }
}

#[tokio::test(start_paused = true)]
async fn going_down_cuts_connections_and_refuses_new_ones() {
    let (handle, network) = memory(2);
    let mut first = connect(&network, 1).expect("it is up");
    let mut other = connect(&network, 2).expect("it is up");
    handle.set_broker_state(1, BrokerState::Crashed);
    assert!(read_frame(&mut first).await.is_err());
    let refused = connect(&network, 1).expect_err("it is down");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    handle.set_broker_state(1, BrokerState::Up);
    connect(&network, 1).expect("it is up again");

    let request = framed(&metadata_request(&["t"], true), 9, 5);
    other.write_all(&request).await.expect("written");
    read_frame(&mut other)
        .await
        .expect("the other broker answers");
    handle.disconnect(2);
    assert!(read_frame(&mut other).await.is_err());
    let mut again = connect(&network, 2).expect("it never went down");
    again.write_all(&request).await.expect("written");
    read_frame(&mut again).await.expect("it answers");
    assert!(network.resolve("nobody", 9092).is_err());
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_what_was_waited_for() {
    let (handle, network) = memory(1);
    let mut stream = connect(&network, 1).expect("it is up");
    let seen = handle.until(|cluster| (cluster.request_count() == 1).then_some("seen"));
    let request = framed(&metadata_request(&["t"], true), 9, 5);
    let (seen, written) = tokio::join!(timeout(LONG, seen), stream.write_all(&request));
    assert_eq!(seen, Ok("seen"));
    written.expect("written");
    let never = timeout(millis(5), handle.until(|_| None::<()>)).await;
    assert!(never.is_err());
}

#[tokio::test(start_paused = true)]
async fn faults_reach_the_wire() {
    let (handle, network) = memory(1);
    let request = framed(&metadata_request(&["t"], true), 9, 5);
    let mut stream = connect(&network, 1).expect("it is up");
    handle.inject(Fault::on(ApiKey::Metadata).kind(FaultKind::CutFrame(5)));
    stream.write_all(&request).await.expect("written");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.expect("the end");
    assert_eq!(got.len(), 5);

    let mut stream = connect(&network, 1).expect("it is up");
    handle.inject(Fault::on(ApiKey::Metadata).kind(FaultKind::Swallow(When::AfterWork)));
    stream.write_all(&request).await.expect("written");
    assert!(timeout(LONG, stream.read_u8()).await.is_err(), "silence");
    stream
        .write_all(&i32::to_be_bytes(-1))
        .await
        .expect("written");
    assert!(stream.read_u8().await.is_err(), "a hostile length ends it");
}

fn ask_tcp<R: Request>(
    stream: &mut TcpStream,
    version: i16,
    request: &R,
) -> std::io::Result<R::Response> {
    stream.write_all(&framed(request, version, 5))?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut out = vec![0; 4 + i32::from_be_bytes(length) as usize];
    out[..4].copy_from_slice(&length);
    stream.read_exact(&mut out[4..])?;
    Ok(response::<R>(version, 5, &Bytes::from(out)))
}

#[test]
fn brokers_go_down_and_come_back_at_their_own_ports() {
    let server = MockServer::start(config(2)).expect("it starts");
    let handle = server.handle();
    let addresses: Vec<String> = server.bootstrap().split(',').map(str::to_owned).collect();
    let mut first = TcpStream::connect(&addresses[0]).expect("broker 1 listens");
    let answer = ask_tcp(&mut first, 9, &metadata_request(&["t"], true)).expect("an answer");
    let told: Vec<String> = answer
        .brokers
        .iter()
        .map(|b| format!("{}:{}", b.host, b.port))
        .collect();
    assert_eq!(told, addresses);

    handle.set_broker_state(1, BrokerState::Down);
    assert!(ask_tcp(&mut first, 9, &metadata_request(&["t"], true)).is_err());
    let answered = TcpStream::connect(&addresses[0])
        .and_then(|mut stream| ask_tcp(&mut stream, 9, &metadata_request(&[], true)));
    assert!(answered.is_err(), "nobody answers there");
    handle.set_broker_state(1, BrokerState::Up);
    // The listener is opened by the server's thread: until then connections are refused.
    let deadline = std::time::Instant::now() + LONG;
    let mut again = loop {
        match TcpStream::connect(&addresses[0]) {
            Ok(stream) => break stream,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    };
    ask_tcp(&mut again, 9, &metadata_request(&["t"], true)).expect("an answer");
    let count = handle.wait_for(LONG, |c| Some(c.request_count()).filter(|&n| n >= 2));
    assert_eq!(count, Some(2));
    drop(server);
    assert!(
        matches!(again.read(&mut [0]), Ok(0) | Err(_)),
        "its end is the connections' end"
    );
}

pub(super) fn kcat(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("kcat")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kcat runs; script/setup installs it");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(input)
        .expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn kcat_reads_what_was_produced_in_every_codec() {
    let server = MockServer::start(config(3)).expect("it starts");
    let handle = server.handle();
    handle.create_topic("t", 1);
    let mut expected = String::new();
    for (codec, at) in Codec::ALL.into_iter().zip(0..) {
        let samples: Vec<Sample> = (0..100)
            .map(|i| Sample {
                key: Some(format!("key {i}").into_bytes()),
                headers: vec![("codec".into(), Some(codec.name().into()))],
                ..value("a value of some length", 1_700_000_000_000 + i)
            })
            .collect();
        for (sample, offset) in samples.iter().zip(at * 100..) {
            let name = codec.name();
            let index = sample.timestamp - 1_700_000_000_000;
            expected += &format!(
                "t 0 {offset} {} key {index} a value of some length codec={name}\n",
                sample.timestamp
            );
        }
        let request = produce(-1, "t", 0, batch(&samples, codec));
        let frame = frame_of(&request, 9, 1);
        let appended = handle.with(|cluster| {
            cluster.handle(1, 0, NOW, frame);
            cluster.end_offset("t", 0)
        });
        assert_eq!(appended, (at + 1) * 100);
    }
    let bootstrap = server.bootstrap();
    let arguments = [
        "-C",
        "-b",
        &bootstrap,
        "-t",
        "t",
        "-o",
        "beginning",
        "-e",
        "-q",
    ];
    let format = ["-f", "%t %p %o %T %k %s %h\n", "-X", "check.crcs=true"];
    assert_eq!(kcat(&[&arguments[..], &format].concat(), b""), expected);
    let arguments = [
        "-C", "-b", &bootstrap, "-t", "t", "-o", "498", "-e", "-q", "-f", "%o,",
    ];
    assert_eq!(kcat(&arguments, b""), "498,499,");
}

#[test]
fn kcat_produces_in_every_codec_with_idempotence_and_to_an_old_broker() {
    for version in [KafkaVersion::V4_3, KafkaVersion::V2_1] {
        let server = MockServer::start(ClusterConfig {
            version,
            ..config(2)
        })
        .expect("it starts");
        let handle = server.handle();
        handle.create_topic("t", 1);
        let bootstrap = server.bootstrap();
        let input = "a line that is long enough to be compressed\n".repeat(300);
        for codec in Codec::ALL.map(Codec::name) {
            let arguments = ["-P", "-b", &bootstrap, "-t", "t", "-p", "0", "-z", codec];
            let idempotent = ["-X", "enable.idempotence=true"];
            kcat(&[&arguments[..], &idempotent].concat(), input.as_bytes());
        }
        let records = handle.records("t", 0);
        assert_eq!(records.len(), 1500);
        assert!(
            records
                .iter()
                .all(|r| r.value.as_deref()
                    == Some(input.lines().next().expect("a line").as_bytes()))
        );
        let codecs: std::collections::BTreeSet<u8> = handle
            .with(|cluster| cluster.batches("t", 0))
            .iter()
            .filter_map(|batch| batch.header.attributes.codec().ok())
            .map(Codec::id)
            .collect();
        assert_eq!(codecs.len(), 5, "{version:?}");
        let produced = handle.requests(ApiKey::Produce);
        assert!(
            produced
                .iter()
                .all(|request| request.batches[0].producer_id >= 1000)
        );
    }
}

#[test]
fn kcat_retries_what_is_refused() {
    let server = MockServer::start(config(2)).expect("it starts");
    let handle = server.handle();
    handle.create_topic("t", 1);
    let error = Fault::on(ApiKey::Produce).partition("t", 0).times(2);
    handle.inject(error.error(ErrorCode::NOT_ENOUGH_REPLICAS));
    handle.inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(When::BeforeWork)));
    let bootstrap = server.bootstrap();
    kcat(&["-P", "-b", &bootstrap, "-t", "t", "-p", "0"], b"one\n");
    assert_eq!(handle.records("t", 0).len(), 1);
    assert_eq!(handle.requests(ApiKey::Produce).len(), 4);
}
