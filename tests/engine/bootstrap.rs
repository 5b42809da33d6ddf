//! Bootstrap servers that are no Kafka brokers: a clear error within the deadline, and nothing hangs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kprod::config::Config;
use kprod::error::{Error, ErrorCode};
use kprod::mock::{BrokerState, Fault, FaultKind, When};
use kprod::producer::{Callbacks, Producer, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{LONG, cluster, producer, record, reports};

/// A port where something else than Kafka listens, until dropped.
struct Peer {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn new(mut act: impl FnMut(TcpStream) + Send + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut first = [0];
                // The end of the test says so with one byte that no client would send first.
                match stream.read(&mut first) {
                    Ok(1) if first == [b'!'] => return,
                    _ => act(stream),
                }
            }
        });
        Peer {
            address,
            thread: Some(thread),
        }
    }

    /// Answers whatever comes with these bytes and hangs up.
    fn saying(bytes: &'static [u8]) -> Peer {
        Peer::new(move |mut stream| {
            let mut request = [0; 512];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(bytes);
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let farewell = TcpStream::connect(self.address).and_then(|mut s| s.write_all(b"!"));
        if let (Ok(()), Some(thread)) = (farewell, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

const LIMIT: Duration = Duration::from_millis(300);

fn at(servers: &str) -> Producer {
    let mut config = Config::new();
    config.set("bootstrap.servers", servers).unwrap();
    config.set("max.block.ms", "300").unwrap();
    config.set("request.timeout.ms", "300").unwrap();
    Producer::create(config.build().unwrap(), Callbacks::default()).unwrap()
}

/// The errors of start and partitions_for, which are the same in kind, and of sends; and that nothing else hangs.
fn refused(servers: &str) -> Error {
    let producer = at(servers);
    let began = Instant::now();
    let error = producer.start(Timeout::After(LIMIT)).unwrap_err();
    let count = producer.partitions_for(TopicRef::Name("t"), Timeout::After(LIMIT));
    assert_eq!(count.unwrap_err().code, error.code);
    let sent = producer.send(&record("t", b"v", 1)).unwrap_err();
    assert_eq!(
        sent,
        ErrorCode::TIMED_OUT,
        "whatever the cause: not accepted"
    );
    let cause = producer.cluster_error().unwrap();
    assert_eq!(cause.code, error.code);
    names(&cause, &[servers]);
    producer.try_send(&record("t", b"v", 2)).unwrap();
    let report = reports(&producer, 1)[0];
    assert_eq!(report.tag, 2);
    assert_ne!(report.error, ErrorCode::OK);
    let said = producer.error_detail(report.detail).unwrap().message;
    assert!(said.contains("topic t") && said.contains(servers), "{said}");
    producer.close(Timeout::After(LONG)).unwrap();
    assert!(began.elapsed() < LONG, "not within its deadlines");
    error
}

#[track_caller]
fn names(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(error.message.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn nobody_listens() {
    // Bound and not listening: nobody else can have it.
    let reserved =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    reserved
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = reserved
        .local_addr()
        .unwrap()
        .as_socket()
        .unwrap()
        .to_string();
    let error = refused(&address);
    assert_eq!(error.code, ErrorCode::NO_BROKERS);
    names(&error, &[&address, "refused"]);
}

#[test]
fn the_name_does_not_resolve() {
    let error = refused("no-such-host.invalid:9092");
    assert_eq!(error.code, ErrorCode::RESOLVE);
    names(&error, &["no-such-host.invalid:9092"]);
}

#[test]
fn the_port_speaks_http() {
    let peer = Peer::saying(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    let error = refused(&peer.address.to_string());
    assert_eq!(error.code, ErrorCode::PROTOCOL);
    names(&error, &[&peer.address.to_string()]);
}

#[test]
fn the_port_speaks_tls() {
    // A fatal alert: unexpected message.
    let peer = Peer::saying(b"\x15\x03\x03\x00\x02\x02\x0a");
    let error = refused(&peer.address.to_string());
    names(&error, &[&peer.address.to_string(), "security.protocol"]);
}

#[test]
fn the_port_speaks_garbage() {
    for garbage in [
        &b"\x00\x00\x00\x10garbage garbage "[..],
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff",
        b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x7f\xff",
    ] {
        let peer = Peer::saying(garbage);
        let error = refused(&peer.address.to_string());
        names(&error, &[&peer.address.to_string()]);
    }
}

#[test]
fn the_port_hangs_up_or_says_nothing() {
    let peer = Peer::new(drop);
    let error = refused(&peer.address.to_string());
    names(&error, &[&peer.address.to_string()]);
    let silent = Peer::new(std::mem::forget);
    let address = silent.address.to_string();
    let error = refused(&address);
    assert_eq!(error.code, ErrorCode::TIMED_OUT);
    names(
        &error,
        &[&address, "has not completed the ApiVersions exchange"],
    );
}

/// A broker that stops in the middle of something is named among others that are known to be of no use.
#[test]
fn who_is_silent_is_named_beside_who_refused() {
    let silent = Peer::new(std::mem::forget);
    let servers = format!("no-such-host.invalid:1,{}", silent.address);
    let mut config = Config::new();
    config.set("bootstrap.servers", &servers).unwrap();
    config
        .set("socket.connection.setup.timeout.ms", "500")
        .unwrap();
    let producer = Producer::create(config.build().unwrap(), Callbacks::default()).unwrap();
    let both = ["no-such-host.invalid:1", &silent.address.to_string()];
    crate::support::until("both are named", || {
        let error = producer.start(Timeout::After(LIMIT)).unwrap_err();
        both.iter().all(|one| error.message.contains(one))
    });
}

/// A listener with SASL answers the first question of all, and ends the connection at the next.
#[test]
fn a_listener_wants_sasl_that_the_client_does_not_speak() {
    let server = cluster(1);
    server
        .handle()
        .with(|cluster| cluster.require_sasl_plain("alice", "wonder", None));
    let address = server.bootstrap();
    let error = refused(&address);
    assert_eq!(error.code, ErrorCode::NETWORK_EXCEPTION);
    names(&error, &[&address, "does this listener require SASL?"]);
}

#[test]
fn the_listener_does_not_expect_sasl() {
    let server = cluster(1);
    let producer = producer(
        &server,
        &[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.username", "alice"),
            ("sasl.password", "wonder"),
            ("max.block.ms", "300"),
        ],
        Callbacks::default(),
    );
    let error = producer.start(Timeout::After(LONG)).unwrap_err();
    assert_eq!(error.code, ErrorCode::ILLEGAL_SASL_STATE);
    let address = server.bootstrap();
    names(
        &error,
        &[&address, "does not expect SASL", "security.protocol"],
    );
    let sent = producer.send(&record("t", b"v", 1)).unwrap_err();
    assert_eq!(sent, ErrorCode::TIMED_OUT);
    let cause = producer.cluster_error().unwrap();
    names(&cause, &[&address, "does not expect SASL"]);
}

/// A broker that is ready and does not answer what it is asked is named, too.
#[test]
fn a_broker_that_does_not_answer_a_question_is_named() {
    let server = cluster(1);
    server.handle().inject(
        Fault::on(ApiKey::Metadata)
            .kind(FaultKind::Swallow(When::BeforeWork))
            .forever(),
    );
    let producer = producer(&server, &[("max.block.ms", "300")], Callbacks::default());
    let sent = producer.send(&record("t", b"v", 1)).unwrap_err();
    assert_eq!(sent, ErrorCode::TIMED_OUT);
    let cause = producer.cluster_error().unwrap();
    names(&cause, &[&server.bootstrap(), "has not answered Metadata"]);
}

/// The cluster is known, and gives no producer id.
#[test]
fn a_start_without_a_producer_id_tells_why() {
    let to = Fault::on(ApiKey::InitProducerId).forever();
    let silent = to.clone().kind(FaultKind::Swallow(When::BeforeWork));
    let cut = to.clone().kind(FaultKind::Disconnect(When::BeforeWork));
    let refused = to.error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    for (fault, told) in [
        (silent, "has not answered InitProducerId"),
        (
            cut,
            "InitProducerId had no answer before its connection ended",
        ),
        (
            refused,
            "InitProducerId was answered with COORDINATOR_LOAD_IN_PROGRESS",
        ),
    ] {
        let server = cluster(1);
        server.handle().inject(fault);
        let settings = [("enable.idempotence", "true")];
        let producer = producer(&server, &settings, Callbacks::default());
        let error = producer.start(Timeout::After(LIMIT)).unwrap_err();
        assert_eq!(error.code, ErrorCode::TIMED_OUT);
        names(&error, &[told]);
    }
}

/// Calls that keep their code say it in their text.
#[test]
fn calls_of_transactions_and_sends_of_batches_tell_why_their_time_is_up() {
    let server = cluster(1);
    server.handle().set_broker_state(1, BrokerState::Crashed);
    let address = server.bootstrap();
    let transactional = producer(&server, &[("transactional.id", "me")], Callbacks::default());
    let begun = transactional.begin_transaction(Timeout::After(LIMIT));
    let error = begun.unwrap_err();
    assert_eq!(error.code, ErrorCode::TIMED_OUT);
    names(&error, &[&address, "refused", "call it again"]);

    let producer = producer(&server, &[("max.block.ms", "300")], Callbacks::default());
    let topic = producer.topic("t").unwrap();
    let batch = crate::batches::filled(&producer, 0..1);
    let sent = producer.send_batch(&batch, topic, 0, 1, Timeout::Configured);
    assert_eq!(sent, Err(ErrorCode::TIMED_OUT));
    let sent = producer.send_batch_async(&batch, topic, 0, 1, 2);
    assert_eq!(sent, Ok(()));
    let report = reports(&producer, 1)[0];
    assert_eq!((report.tag, report.error), (2, ErrorCode::TIMED_OUT));
    let said = producer.error_detail(report.detail).unwrap();
    names(&said, &[&address, "refused"]);
}

/// Once the cluster answers, nothing stands in the way any more.
#[test]
fn what_is_over_is_not_told() {
    let server = cluster(1);
    server.handle().set_broker_state(1, BrokerState::Crashed);
    let producer = producer(&server, &[("max.block.ms", "300")], Callbacks::default());
    assert!(producer.cluster_error().is_none(), "nothing was asked for");
    let sent = producer.send(&record("t", b"v", 1)).unwrap_err();
    assert_eq!(sent, ErrorCode::TIMED_OUT);
    let cause = producer.cluster_error().unwrap();
    assert_eq!(cause.code, ErrorCode::NO_BROKERS);
    server.handle().set_broker_state(1, BrokerState::Up);
    producer.start(Timeout::After(LONG)).unwrap();
    assert_eq!(producer.cluster_error(), None);
}

#[test]
fn one_good_server_among_bad_ones_is_enough() {
    let server = cluster(1);
    let http = Peer::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let silent = Peer::new(std::mem::forget);
    let servers = format!(
        "{},no-such-host.invalid:1,{},{}",
        http.address,
        server.bootstrap(),
        silent.address
    );
    let mut config = Config::new();
    config.set("bootstrap.servers", &servers).unwrap();
    config
        .set("socket.connection.setup.timeout.ms", "300")
        .unwrap();
    let producer = Producer::create(config.build().unwrap(), Callbacks::default()).unwrap();
    producer.start(Timeout::After(LONG)).unwrap();
    producer.send(&record("t", b"v", 1)).unwrap();
    crate::support::ok(&reports(&producer, 1)[0]);
}

#[test]
fn a_cluster_that_comes_up_within_the_deadline_is_reached() {
    let server = cluster(1);
    server.handle().set_broker_state(1, BrokerState::Crashed);
    let producer = producer(&server, &[], Callbacks::default());
    std::thread::scope(|scope| {
        let started = scope.spawn(|| producer.start(Timeout::After(LONG)));
        let early = producer.start(Timeout::After(Duration::from_millis(200)));
        assert_eq!(early.unwrap_err().code, ErrorCode::NO_BROKERS);
        server.handle().set_broker_state(1, BrokerState::Up);
        started.join().unwrap().unwrap();
    });
    producer.send(&record("t", b"v", 1)).unwrap();
    crate::support::ok(&reports(&producer, 1)[0]);
}

#[test]
fn once_started_it_takes_no_time_to_say_so() {
    let server = cluster(1);
    let producer = producer(&server, &[], Callbacks::default());
    let early = producer.start(Timeout::Now).unwrap_err();
    assert_eq!(early.code, ErrorCode::TIMED_OUT);
    // For a caller that may not wait, asking again is the way to hear of it.
    crate::support::until("it has started", || producer.start(Timeout::Now).is_ok());
    producer.close(Timeout::After(LONG)).unwrap();
    let closed = producer.start(Timeout::Now).unwrap_err();
    assert_eq!(closed.code, ErrorCode::CLOSED);
}

#[test]
fn the_asynchronous_start_tells_the_same() {
    let producer = at("no-such-host.invalid:9092");
    producer.start_async(3).unwrap();
    let report = reports(&producer, 1)[0];
    assert_eq!((report.tag, report.error), (3, ErrorCode::RESOLVE));
    let said = producer.error_detail(report.detail).unwrap();
    names(&said, &["no-such-host.invalid"]);
}
