//! The fault proxy does to bytes what its methods say; without Kafka.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::proxy::Proxy;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(30);

/// A server that sends back what it gets, and counts it. Its threads end with their connections, or with the test.
fn echo() -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let counter = counter.clone();
            std::thread::spawn(move || echo_one(stream, &counter));
        }
    });
    (address, received)
}

fn echo_one(mut stream: TcpStream, counter: &AtomicU64) {
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        counter.fetch_add(length as u64, Ordering::SeqCst);
        if stream.write_all(&chunk[..length]).is_err() {
            return;
        }
    }
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).expect("the proxy listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    stream
}

fn ask(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The connection has failed: it was reset, or it has ended.
fn is_cut(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock && error.kind() != ErrorKind::TimedOut,
    }
}

#[test]
fn forwards_both_ways_and_ends_with_the_client() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    let large = vec![7; 1 << 20];
    std::thread::scope(|scope| {
        let mut writer = stream.try_clone().expect("a second handle");
        let large = &large;
        scope.spawn(move || writer.write_all(large));
        let mut answer = vec![0; large.len()];
        stream.read_exact(&mut answer).expect("all comes back");
        assert_eq!(&answer, large);
    });
    assert_eq!(proxy.request_bytes(), 1 << 20);
    assert_eq!(proxy.connections(), 1);
    drop(stream);
    wait_for("the connection to end", LIMIT, || {
        (proxy.connections() == 0).then_some(())
    });
}

#[test]
fn delays_add_up_and_do_not_slow_a_stream() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    let delay = Duration::from_millis(200);
    proxy.delay_requests(delay);
    proxy.delay_answers(delay);
    let start = Instant::now();
    assert_eq!(ask(&mut stream, b"hello").expect("an answer"), b"hello");
    assert!(start.elapsed() >= 2 * delay);

    // Twenty writes on their way together: held up once, not twenty times.
    let start = Instant::now();
    for _ in 0..20 {
        stream.write_all(b"x").expect("room");
        std::thread::sleep(Duration::from_millis(1));
    }
    stream.read_exact(&mut [0; 20]).expect("all comes back");
    assert!(start.elapsed() < 20 * delay, "{:?}", start.elapsed());
    proxy.heal();
    assert_eq!(ask(&mut stream, b"again").expect("an answer"), b"again");
}

#[test]
fn dropped_answers_were_asked_for_and_cost_the_connection() {
    let (server, received) = echo();
    let proxy = Proxy::start(server);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"1").expect("an answer");
    proxy.drop_answers();
    stream.write_all(b"2").expect("room");
    wait_for("the answer to be lost", LIMIT, || {
        (proxy.answer_bytes() == 2).then_some(())
    });
    assert_eq!(received.load(Ordering::SeqCst), 2);
    proxy.heal();
    assert!(is_cut(&mut stream));
    ask(&mut connect(&proxy), b"3").expect("a new connection works");
}

#[test]
fn dropped_requests_never_arrive() {
    let (server, received) = echo();
    let proxy = Proxy::start(server);
    let mut stream = connect(&proxy);
    proxy.drop_requests();
    stream.write_all(b"lost").expect("room");
    wait_for("the request to be lost", LIMIT, || {
        (proxy.request_bytes() == 4).then_some(())
    });
    proxy.heal();
    assert!(is_cut(&mut stream));
    assert_eq!(received.load(Ordering::SeqCst), 0);
}

#[test]
fn what_stalls_comes_later() {
    let (server, received) = echo();
    let proxy = Proxy::start(server);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"1").expect("an answer");
    proxy.stall();
    stream.write_all(b"2").expect("room");
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let error = stream.read(&mut [0]).expect_err("nothing moves");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let mut later = connect(&proxy);
    proxy.heal();
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    stream.read_exact(&mut [0]).expect("it comes now");
    ask(&mut later, b"3").expect("an answer");
    assert_eq!(received.load(Ordering::SeqCst), 3);
}

#[test]
fn a_stalled_connection_can_be_cut() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"1").expect("an answer");
    proxy.stall();
    proxy.cut();
    assert!(is_cut(&mut stream));
}

#[test]
fn throttles_requests() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    proxy.throttle_requests(100_000);
    let start = Instant::now();
    ask(&mut stream, &[0; 30_000]).expect("an answer");
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[test]
fn refuses_until_healed() {
    let proxy = Proxy::start(echo().0);
    let mut stream = connect(&proxy);
    ask(&mut stream, b"1").expect("an answer");
    proxy.refuse();
    assert!(is_cut(&mut stream));
    let error = TcpStream::connect(proxy.address()).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    proxy.heal();
    ask(&mut connect(&proxy), b"2").expect("an answer");
}

#[test]
fn leads_elsewhere_when_told() {
    let (first, second) = (echo(), echo());
    let proxy = Proxy::start(first.0);
    ask(&mut connect(&proxy), b"1").expect("an answer");
    proxy.set_target(second.0);
    ask(&mut connect(&proxy), b"22").expect("an answer");
    assert_eq!(first.1.load(Ordering::SeqCst), 1);
    assert_eq!(second.1.load(Ordering::SeqCst), 2);
}

#[test]
fn answers_are_dropped_from_a_kind_of_request_on() {
    let (address, received) = echo();
    let proxy = Proxy::start(address);
    let frame = |key: u8| vec![0, 0, 0, 4, 0, key, b'.', b'.'];
    let mut stream = connect(&proxy);
    assert!(ask(&mut stream, &frame(26)).is_ok(), "nothing is wrong yet");
    proxy.drop_answers_from(26);
    let other = frame(3);
    assert_eq!(ask(&mut stream, &other).expect("heard"), other);
    // Cut where a reader may cut it: within the key.
    let (begin, end) = (&frame(26)[..5], &frame(26)[5..]);
    stream.write_all(begin).expect("sent");
    stream.write_all(end).expect("sent");
    stream.write_all(&other).expect("sent");
    wait_for("the server to have it all", LIMIT, || {
        (received.load(Ordering::SeqCst) == 32).then_some(())
    });
    let mut untouched = connect(&proxy);
    assert_eq!(ask(&mut untouched, &other).expect("heard"), other);
    proxy.heal();
    // Of `begin` the echo may have come back, as its request was not known yet.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() <= begin.len(), "{rest:?}");
    assert!(is_cut(&mut stream), "it has lost bytes");
    assert!(ask(&mut untouched, &other).is_ok(), "it had lost nothing");
}
