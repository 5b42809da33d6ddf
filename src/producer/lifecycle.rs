//! Birth and end of a producer: its engine's thread, close, destroy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::operations::plain;
use super::{Callbacks, Producer, Timeout};
use crate::accumulator::{Accumulator, Command};
use crate::completion::{Completer, Completions, Logger, Operation, in_callback};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorCode};
use crate::mock::{ClusterConfig, MockServer};
use crate::network::{BrokerAddress, Network, NetworkConfig, TokioTransport, Transport};
use crate::sender::{EachTurn, Engine};
use crate::sender::{Lifecycle, Shared};
use crate::sys::{self, Latch, Rng};

/// How much longer than its deadline a close waits for the engine to put its things away.
const END_GRACE: Duration = Duration::from_secs(5);

static PRODUCERS: AtomicU64 = AtomicU64::new(0);

/// Where the engine runs and what it connects with: the seam for simulation.
pub struct Environment {
    pub transport: Arc<dyn Transport>,
    pub rng: Rng,
    /// Run on the current tokio runtime instead of a thread of its own.
    pub on_current_runtime: bool,
    /// Called at each turn of the engine, on its thread: a test can stop or break it there.
    pub each_turn: Option<EachTurn>,
    /// Where the sequences of an idempotent producer begin: 0, but in tests of their end.
    pub first_sequence: i32,
}

/// The thread `kprod-io`, or the task in its place, and who waits for its end.
#[derive(Clone, Debug)]
pub struct EngineThread {
    ended: Arc<Latch>,
    ending: Arc<Mutex<Ending>>,
}

/// Never held while anything is waited for.
#[derive(Debug)]
struct Ending {
    thread: Option<JoinHandle<()>>,
    /// An asynchronous close waits for the end elsewhere.
    closer: Option<JoinHandle<()>>,
    close: Close,
}

/// Whether a close was called.
#[derive(Debug)]
enum Close {
    NotYet,
    /// With the tag of the entry that its asynchronous form owes.
    Called(Option<u64>),
}

impl Environment {
    pub fn real() -> Self {
        Environment {
            transport: Arc::new(TokioTransport::new()),
            rng: Rng::from_os(),
            on_current_runtime: false,
            each_turn: None,
            first_sequence: 0,
        }
    }
}

impl Producer {
    /// Validates, starts the engine's thread, and never touches the network.
    pub fn create(config: ProducerConfig, callbacks: Callbacks) -> Result<Producer, Error> {
        Producer::create_in(Environment::real(), config, callbacks)
    }

    /// As `create`, in an environment of the caller's.
    pub fn create_in(
        environment: Environment,
        mut config: ProducerConfig,
        callbacks: Callbacks,
    ) -> Result<Producer, Error> {
        if config.client_id.is_none() {
            let number = 1 + PRODUCERS.fetch_add(1, Ordering::Relaxed);
            config.client_id = Some(format!("kprod-{number}"));
        }
        let mock = embedded_mock(&mut config)?;
        let hub = Completions::new(
            config.delivery_reports,
            config.events,
            config.delivery_queue_max as u64,
            callbacks.delivery,
        );
        let hub = Arc::new(hub.transactional(config.transactional_id.is_some()));
        hub.start().map_err(no_thread)?;
        let log = Logger::new(hub.clone(), config.log_level, callbacks.log);
        let rng = environment.rng.split();
        let accumulator = Accumulator::new(&config, callbacks.partitioner, hub.clone(), rng);
        let shared = Shared::new(Arc::new(config), accumulator, hub, log);

        let (events, inbox) = mpsc::unbounded_channel();
        let network = Network::new(
            NetworkConfig::from(&*shared.config),
            environment.transport,
            Arc::new(environment.rng.split()),
            events,
        )?;
        let ended = Arc::new(Latch::default());
        let supervisor = Supervisor {
            shared: shared.clone(),
            ended: ended.clone(),
        };
        let engine = Engine::new(shared.clone(), network, inbox, environment.rng)
            .at_each_turn(environment.each_turn)
            .with_first_sequence(environment.first_sequence);
        let thread = if environment.on_current_runtime {
            tokio::spawn(async move {
                engine.run().await;
                supervisor.finish();
            });
            None
        } else {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(no_thread)?;
            let body = move || {
                // As a task among those of connections: what `block_on` itself runs is only woken after a look at sockets.
                let run = AssertUnwindSafe(|| runtime.block_on(runtime.spawn(engine.run())));
                let panic = match catch_unwind(run) {
                    Ok(result) => result.err().and_then(|error| error.try_into_panic().ok()),
                    Err(panic) => Some(panic),
                };
                if let Some(panic) = panic {
                    supervisor.report_panic(&*panic);
                }
                // Tasks of connections end here; nothing of theirs outlives the producer.
                runtime.shutdown_background();
                supervisor.finish();
            };
            Some(sys::spawn_thread("kprod-io", body).map_err(no_thread)?)
        };
        Ok(Producer {
            shared,
            engine: EngineThread {
                ended,
                ending: Arc::new(Mutex::new(Ending {
                    thread,
                    closer: None,
                    close: Close::NotYet,
                })),
            },
            mock,
        })
    }

    /// Refuses new records, waits for the outcomes of the accepted ones up to the timeout, then fails the rest
    /// with CLOSED. When it returns Ok no callback runs or starts any more. TIMED_OUT: a callback still runs;
    /// it may be called again.
    pub fn close(&self, timeout: Timeout) -> Result<(), Error> {
        if in_callback() {
            return Err(plain(ErrorCode::IN_CALLBACK));
        }
        self.engine.note_close(None);
        let deadline = self.begin_close(timeout);
        self.engine.join(deadline + END_GRACE);
        self.engine.finish_close(&self.shared, Some(deadline))
    }

    /// As `close`, with an entry when it is done; CLOSED if a close was called before.
    pub fn close_async(&self, tag: u64) -> Result<(), ErrorCode> {
        if !self.engine.note_close(Some(tag)) {
            return Err(ErrorCode::CLOSED);
        }
        let deadline = self.begin_close(Timeout::Configured);
        self.engine.close_elsewhere(&self.shared, deadline)
    }

    /// What was not closed is closed without waiting, and whatever callbacks are due have returned in the end. It may
    /// be called again.
    pub fn end(&self) {
        self.engine.note_close(None);
        let deadline = self.begin_close(Timeout::Now);
        self.engine.join(deadline + END_GRACE);
        let closer = self.engine.ending.lock().closer.take();
        if let Some(closer) = closer {
            let _ = closer.join();
        }
        let _ = self.engine.finish_close(&self.shared, None);
    }

    fn begin_close(&self, timeout: Timeout) -> Instant {
        let deadline = self.deadline(timeout);
        self.shared.advance(Lifecycle::Closing);
        self.shared.shut_everything(ErrorCode::CLOSED);
        let close = Command::Close { deadline };
        self.shared.accumulator.ready.command(close);
        deadline
    }
}

impl Drop for Producer {
    /// Reports that nobody took go nowhere.
    fn drop(&mut self) {
        self.end();
    }
}

/// What a callback thread with nothing left to do needs to end.
const CALLBACK_GRACE: Duration = Duration::from_millis(50);

impl EngineThread {
    /// Notes that a close was called; false if one was before. Only the first can owe an entry.
    fn note_close(&self, tag: Option<u64>) -> bool {
        let close = &mut self.ending.lock().close;
        let is_first = matches!(close, Close::NotYet);
        if is_first {
            *close = Close::Called(tag);
        }
        is_first
    }

    fn join(&self, deadline: Instant) {
        if self.ending.lock().thread.is_none() {
            // Joined already, or on this very thread's runtime.
            return;
        }
        // The latch first: a join alone has no deadline.
        if !self.ended.wait(Some(deadline)) {
            return;
        }
        let thread = self.ending.lock().thread.take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Waits for the end on a thread of its own.
    fn close_elsewhere(&self, shared: &Arc<Shared>, deadline: Instant) -> Result<(), ErrorCode> {
        let shared = shared.clone();
        let engine = self.clone();
        let body = move || {
            engine.ended.wait(Some(deadline + END_GRACE));
            // For as long as a callback takes: its entry comes behind all callbacks.
            let _ = engine.finish_close(&shared, None);
        };
        let mut ending = self.ending.lock();
        match sys::spawn_thread("kprod-close", body) {
            Ok(closer) => {
                ending.closer = Some(closer);
                Ok(())
            }
            Err(_) => {
                ending.close = Close::Called(None);
                Err(ErrorCode::THREAD)
            }
        }
    }

    /// With the engine at its end: pays what is owed, lets callbacks finish and polls know.
    /// Without a deadline for as long as a callback takes.
    fn finish_close(&self, shared: &Shared, deadline: Option<Instant>) -> Result<(), Error> {
        // The entry must be readable before polls answer CLOSED, also where another close gets there first.
        {
            let mut ending = self.ending.lock();
            if let Close::Called(tag) = &mut ending.close
                && let Some(tag) = tag.take()
            {
                Operation::new(Completer::Tag(tag), shared.hub.clone()).complete(Ok(0));
            }
        }
        shared.accumulator.stop_threads();
        let grace = Instant::now() + CALLBACK_GRACE;
        let stopped = shared.hub.stop_callbacks(deadline.map(|at| at.max(grace)));
        shared.hub.close();
        if stopped {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::TIMED_OUT,
            "kprod_close timed out: a callback has not returned; call it again",
        ))
    }
}

/// Stays behind when the engine ends, for whatever reason, and leaves nothing unreported.
struct Supervisor {
    shared: Arc<Shared>,
    ended: Arc<Latch>,
}

impl Supervisor {
    fn report_panic(&self, panic: &(dyn std::any::Any + Send)) {
        let what = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let message = format!("the engine panicked: {what}; create a new producer");
        self.shared.fail(Error::new(ErrorCode::INTERNAL, message));
    }

    fn finish(self) {
        let shared = &self.shared;
        shared.shut_everything(ErrorCode::CLOSED);
        let code = match shared.fatal() {
            Some(_) => ErrorCode::FATAL,
            None => ErrorCode::CLOSED,
        };
        crate::sender::fail_everything(&shared.accumulator, code);
        // Commands that nobody will read answer CLOSED when they are dropped.
        shared.accumulator.ready.end();
        // What was under way ended with the connections.
        let in_flight = &shared.counters.requests_in_flight;
        in_flight.store(0, Ordering::Relaxed);
        shared.advance(Lifecycle::Ended);
        self.ended.open();
    }
}

/// `test.mock.num.brokers`: a cluster of the producer's own, which goes with it.
fn embedded_mock(config: &mut ProducerConfig) -> Result<Option<MockServer>, Error> {
    if config.mock_brokers == 0 {
        return Ok(None);
    }
    let cluster = ClusterConfig {
        brokers: i32::try_from(config.mock_brokers).unwrap_or(i32::MAX),
        ..ClusterConfig::default()
    };
    let server = MockServer::start(cluster).map_err(no_thread)?;
    config.bootstrap_servers = server
        .handle()
        .endpoints()
        .into_iter()
        .map(|(host, port)| BrokerAddress { host, port })
        .collect();
    Ok(Some(server))
}

fn no_thread(cause: std::io::Error) -> Error {
    Error::new(
        ErrorCode::THREAD,
        format!("cannot start the producer's threads: {cause}"),
    )
}
