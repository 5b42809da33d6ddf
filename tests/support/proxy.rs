//! A TCP proxy before a broker that delays, drops, stalls, throttles and cuts, each direction by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::ports::Port;

const CHUNK: usize = 64 * 1024;
/// Chunks on their way in one direction; a delay of seconds at full speed needs some.
const IN_TRANSIT: usize = 1024;

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Faults {
    delay: Duration,
    /// Bytes are read and thrown away. What follows on such a connection would make no sense, so healing cuts it.
    dropping: bool,
    /// Bytes stay where they are, in the sockets' buffers.
    stalled: bool,
    /// Bytes per second of each connection.
    rate: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    target: SocketAddr,
    requests: Faults,
    answers: Faults,
    /// The API key of the Kafka request from which on a connection's answers are dropped.
    deaf_from: Option<i16>,
    /// Connections are cut when it grows.
    cuts: u64,
    refusing: bool,
    ended: bool,
}

#[derive(Default)]
struct Counters {
    connections: AtomicUsize,
    requests: AtomicU64,
    answers: AtomicU64,
}

/// It forwards until dropped. A fault holds for open connections and for new ones until [`heal`](Proxy::heal).
pub struct Proxy {
    port: Port,
    plan: watch::Sender<Plan>,
    counters: Arc<Counters>,
    /// That the listener has come or gone as the plan says.
    listening: std::sync::Mutex<std::sync::mpsc::Receiver<bool>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(target: SocketAddr) -> Proxy {
        let port = Port::claim();
        let (plan, plans) = watch::channel(Plan {
            target,
            requests: Faults::default(),
            answers: Faults::default(),
            deaf_from: None,
            cuts: 0,
            refusing: false,
            ended: false,
        });
        let counters = Arc::new(Counters::default());
        let (said, listening) = std::sync::mpsc::channel();
        let (address, for_thread) = (port.address(), counters.clone());
        let thread = std::thread::Builder::new()
            .name("proxy".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(listen(address, plans, for_thread, said));
            })
            .expect("a thread");
        assert_eq!(listening.recv(), Ok(true), "the proxy listens");
        Proxy {
            port,
            plan,
            counters,
            listening: std::sync::Mutex::new(listening),
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Each request's bytes reach the broker this much later; the rate stays the same.
    pub fn delay_requests(&self, delay: Duration) {
        self.plan.send_modify(|plan| plan.requests.delay = delay);
    }

    pub fn delay_answers(&self, delay: Duration) {
        self.plan.send_modify(|plan| plan.answers.delay = delay);
    }

    /// The client's writes succeed and the broker never sees them.
    pub fn drop_requests(&self) {
        self.plan.send_modify(|plan| plan.requests.dropping = true);
    }

    /// The broker does what it is asked to, and nobody hears of it.
    pub fn drop_answers(&self) {
        self.plan.send_modify(|plan| plan.answers.dropping = true);
    }

    /// As `drop_answers`, but each connection hears all until it sends a Kafka request of this kind.
    pub fn drop_answers_from(&self, api_key: i16) {
        self.plan.send_modify(|plan| plan.deaf_from = Some(api_key));
    }

    /// Nothing moves; nothing is lost either. New connections are made, and stall as well.
    pub fn stall(&self) {
        self.plan.send_modify(|plan| {
            plan.requests.stalled = true;
            plan.answers.stalled = true;
        });
    }

    /// Limits the requests of each connection to so many bytes a second.
    pub fn throttle_requests(&self, bytes_per_second: u64) {
        self.plan
            .send_modify(|plan| plan.requests.rate = Some(bytes_per_second));
    }

    /// Resets all connections. New ones are welcome.
    pub fn cut(&self) {
        self.plan.send_modify(|plan| plan.cuts += 1);
    }

    /// Resets all connections and refuses new ones, as a machine without a broker does.
    pub fn refuse(&self) {
        self.plan.send_modify(|plan| {
            plan.cuts += 1;
            plan.refusing = true;
        });
        self.wait_listening(false);
    }

    /// Ends all faults. Connections that have lost bytes are reset.
    pub fn heal(&self) {
        let refused = self.plan.borrow().refusing;
        self.plan.send_modify(|plan| {
            plan.requests = Faults::default();
            plan.answers = Faults::default();
            plan.deaf_from = None;
            plan.refusing = false;
        });
        if refused {
            self.wait_listening(true);
        }
    }

    /// New connections lead to another broker.
    pub fn set_target(&self, target: SocketAddr) {
        self.plan.send_modify(|plan| plan.target = target);
    }

    /// Connections open at this moment.
    pub fn connections(&self) -> usize {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Bytes of requests that have come from clients so far, dropped ones too.
    pub fn request_bytes(&self) -> u64 {
        self.counters.requests.load(Ordering::SeqCst)
    }

    /// Bytes of answers that have come from the broker so far, dropped ones too.
    pub fn answer_bytes(&self) -> u64 {
        self.counters.answers.load(Ordering::SeqCst)
    }

    fn wait_listening(&self, wanted: bool) {
        let listening = self.listening.lock().expect("not poisoned");
        while listening.recv().expect("the proxy's thread runs") != wanted {}
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.plan.send_modify(|plan| plan.ended = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    address: SocketAddr,
    mut plans: watch::Receiver<Plan>,
    counters: Arc<Counters>,
    said: std::sync::mpsc::Sender<bool>,
) {
    while !plans.borrow_and_update().ended {
        if plans.borrow().refusing {
            let _ = said.send(false);
            let _ = plans.changed().await;
            continue;
        }
        let listener = TcpListener::bind(address).await.expect("the port is ours");
        let _ = said.send(true);
        loop {
            tokio::select! {
                biased;
                _ = plans.changed() => {
                    let plan = *plans.borrow_and_update();
                    if plan.refusing || plan.ended {
                        break;
                    }
                }
                Ok((client, _)) = listener.accept() => {
                    tokio::spawn(serve(client, plans.clone(), counters.clone()));
                }
            }
        }
    }
}

async fn serve(client: TcpStream, mut plans: watch::Receiver<Plan>, counters: Arc<Counters>) {
    let plan = *plans.borrow_and_update();
    let Ok(broker) = TcpStream::connect(plan.target).await else {
        reset_on_close(&client);
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = broker.set_nodelay(true);
    reset_on_close(&client);
    reset_on_close(&broker);
    counters.connections.fetch_add(1, Ordering::SeqCst);
    let lost = Arc::new(AtomicBool::new(false));
    let deaf = Arc::new(AtomicBool::new(false));
    {
        let (from_client, to_client) = client.into_split();
        let (from_broker, to_broker) = broker.into_split();
        let requests = Direction {
            plans: plans.clone(),
            faults: |plan| plan.requests,
            lost: lost.clone(),
            side: Side::Requests(deaf.clone()),
        };
        let answers = Direction {
            plans: plans.clone(),
            faults: |plan| plan.answers,
            lost: lost.clone(),
            side: Side::Answers(deaf),
        };
        let forward = async {
            tokio::join!(
                requests.pump(from_client, to_broker, &counters.requests),
                answers.pump(from_broker, to_client, &counters.answers),
            )
        };
        tokio::select! {
            biased;
            () = cut(&mut plans, plan.cuts, &lost) => {}
            _ = forward => {}
        }
    }
    counters.connections.fetch_sub(1, Ordering::SeqCst);
}

/// A connection that is dropped with bytes under way is to end at once, and as a failure.
fn reset_on_close(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Returns when the connection is to be cut.
async fn cut(plans: &mut watch::Receiver<Plan>, cuts: u64, lost: &AtomicBool) {
    loop {
        let plan = *plans.borrow_and_update();
        let dropping = plan.requests.dropping || plan.answers.dropping;
        let healed = !dropping && plan.deaf_from.is_none();
        let useless = healed && lost.load(Ordering::SeqCst);
        if plan.ended || plan.cuts != cuts || useless || plans.changed().await.is_err() {
            return;
        }
    }
}

/// One direction of one connection.
struct Direction {
    plans: watch::Receiver<Plan>,
    faults: fn(&Plan) -> Faults,
    /// That bytes of this connection were dropped, in whichever direction.
    lost: Arc<AtomicBool>,
    side: Side,
}

/// Which direction it is. They share whether a request has gone by from which on answers are dropped.
enum Side {
    Requests(Arc<AtomicBool>),
    Answers(Arc<AtomicBool>),
}

/// Finds the kind of each request in a stream of Kafka's frames.
#[derive(Default)]
struct Requests {
    head: [u8; Requests::HEAD],
    length: usize,
    rest: usize,
}

impl Requests {
    /// Length and API key.
    const HEAD: usize = 6;

    /// Whether a request with this key begins in these bytes, the next ones of the stream.
    fn begin(&mut self, mut bytes: &[u8], api_key: Option<i16>) -> bool {
        let mut found = false;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                self.rest -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.length] = bytes[0];
            self.length += 1;
            bytes = &bytes[1..];
            if self.length == Requests::HEAD {
                let [a, b, c, d, key @ ..] = self.head;
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                self.rest = length.saturating_sub(key.len());
                self.length = 0;
                found |= Some(i16::from_be_bytes(key)) == api_key;
            }
        }
        found
    }
}

impl Direction {
    /// Reading and writing are apart, so that a delay holds bytes up and does not slow them down.
    async fn pump(self, from: OwnedReadHalf, to: OwnedWriteHalf, counter: &AtomicU64) {
        let (queue, queued) = mpsc::channel(IN_TRANSIT);
        tokio::join!(self.read(from, queue, counter), self.write(to, queued));
    }

    fn now(&self) -> Faults {
        (self.faults)(&self.plans.borrow())
    }

    /// Whether bytes that come now go nowhere.
    fn swallows(&self, plan: &Plan) -> bool {
        let deaf = match &self.side {
            Side::Requests(_) => false,
            Side::Answers(deaf) => plan.deaf_from.is_some() && deaf.load(Ordering::SeqCst),
        };
        (self.faults)(plan).dropping || deaf
    }

    async fn unless_stalled(&self) {
        let mut plans = self.plans.clone();
        let moving = plans.wait_for(|plan| !(self.faults)(plan).stalled);
        // An error means that the proxy ends, and then the connection is cut.
        let _ = moving.await;
    }

    async fn read(
        &self,
        mut from: OwnedReadHalf,
        queue: mpsc::Sender<(Instant, Vec<u8>)>,
        counter: &AtomicU64,
    ) {
        let mut chunk = vec![0; CHUNK];
        let mut requests = Requests::default();
        loop {
            self.unless_stalled().await;
            let Ok(length @ 1..) = from.read(&mut chunk).await else {
                break;
            };
            let plan = *self.plans.borrow();
            if let Side::Requests(deaf) = &self.side
                && requests.begin(&chunk[..length], plan.deaf_from)
            {
                deaf.store(true, Ordering::SeqCst);
            }
            let swallowed = self.swallows(&plan);
            if swallowed {
                self.lost.store(true, Ordering::SeqCst);
            }
            counter.fetch_add(length as u64, Ordering::SeqCst);
            if swallowed {
                continue;
            }
            let due = Instant::now() + (self.faults)(&plan).delay;
            if queue.send((due, chunk[..length].to_vec())).await.is_err() {
                break;
            }
        }
        // The end of the stream is news, too: while bytes are dropped, it does not come through.
        let mut plans = self.plans.clone();
        let _ = plans.wait_for(|plan| !self.swallows(plan)).await;
    }

    async fn write(&self, mut to: OwnedWriteHalf, mut queued: mpsc::Receiver<(Instant, Vec<u8>)>) {
        while let Some((due, bytes)) = queued.recv().await {
            tokio::time::sleep_until(due).await;
            self.unless_stalled().await;
            if self.write_at_rate(&mut to, &bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    }

    async fn write_at_rate(&self, to: &mut OwnedWriteHalf, bytes: &[u8]) -> std::io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let rate = self.now().rate;
            // Twenty pieces a second look like a slow line and not like a series of stalls.
            let piece = rate.map_or(rest.len(), |rate| (rate as usize / 20).max(1));
            let (now, later) = rest.split_at(piece.min(rest.len()));
            to.write_all(now).await?;
            rest = later;
            if let Some(rate) = rate {
                tokio::time::sleep(Duration::from_secs_f64(now.len() as f64 / rate as f64)).await;
            }
        }
        Ok(())
    }
}
