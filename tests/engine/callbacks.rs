//! User code on `kprod-cb`: delivery callbacks, callbacks of single sends, and calls back into the library.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use kprod::completion::Report;
use kprod::error::ErrorCode;
use kprod::mock::{Fault, MockServer};
use kprod::producer::{Callbacks, Producer, Purge, RecordCallback, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{LONG, cluster, ok, producer, record, until};

type Seen = Arc<Mutex<Vec<Report>>>;

fn collecting() -> (Seen, Callbacks) {
    let seen = Seen::default();
    let into = seen.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            into.lock().unwrap().extend_from_slice(reports);
        })),
        ..Callbacks::default()
    };
    (seen, callbacks)
}

fn server() -> MockServer {
    let server = cluster(1);
    server.handle().create_topic("t", 1);
    server
}

#[test]
fn a_delivery_callback_gets_every_report_and_a_flush_waits_for_it() {
    let server = server();
    let (seen, callbacks) = collecting();
    let slow = callbacks.delivery.clone().unwrap();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            assert!(!reports.is_empty() && reports.len() <= 1024);
            std::thread::yield_now();
            slow(reports);
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[("linger.ms", "5")], callbacks);
    for tag in 0..5000 {
        producer.send(&record("t", b"v", tag)).unwrap();
    }
    producer.flush(Timeout::After(LONG)).unwrap();
    let seen = seen.lock().unwrap();
    let tags: Vec<u64> = seen.iter().map(|report| report.tag).collect();
    assert_eq!(tags, (0..5000).collect::<Vec<_>>());
    seen.iter().for_each(ok);
    let polled = producer.poll(1, Timeout::Now, |_| {});
    assert_eq!(polled, Err(ErrorCode::ILLEGAL_STATE));
    assert!(producer.wake_fd().is_err());
}

#[test]
fn after_close_no_callback_starts() {
    let server = server();
    let (seen, callbacks) = collecting();
    let producer = producer(&server, &[], callbacks);
    for tag in 0..100 {
        producer.send(&record("t", b"v", tag)).unwrap();
    }
    producer.close(Timeout::After(LONG)).unwrap();
    assert_eq!(seen.lock().unwrap().len(), 100);
    producer.close(Timeout::After(LONG)).unwrap();
    drop(producer);
    assert_eq!(seen.lock().unwrap().len(), 100);
}

#[test]
fn a_callback_that_panics_loses_its_own_call_only() {
    let server = server();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            if counted.fetch_add(reports.len(), Ordering::SeqCst) == 0 {
                std::panic::resume_unwind(Box::new("a user's mistake"));
            }
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[], callbacks);
    for tag in 0..10 {
        producer.send(&record("t", b"v", tag)).unwrap();
        producer.flush(Timeout::After(LONG)).unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 10);
    producer.close(Timeout::After(LONG)).unwrap();
}

static CALLS: Mutex<Vec<(u64, usize, u64)>> = Mutex::new(Vec::new());

fn note(context: u64, user: usize, report: &Report) {
    CALLS.lock().unwrap().push((context, user, report.tag));
}

#[test]
fn a_sends_own_callback_is_called_once_instead_of_the_sink() {
    let server = server();
    let producer = producer(&server, &[], Callbacks::default());
    for tag in 0..20 {
        let callback = RecordCallback {
            function: note,
            user: 5,
            context: tag * 10,
        };
        let sent = record("t", b"v", tag);
        match tag % 2 {
            0 => producer.send_with_callback(&sent, callback).unwrap(),
            _ => producer.send(&sent).unwrap(),
        }
    }
    producer.flush(Timeout::After(LONG)).unwrap();
    let calls = CALLS.lock().unwrap().clone();
    let expected: Vec<_> = (0..20).step_by(2).map(|tag| (tag * 10, 5, tag)).collect();
    assert_eq!(calls, expected);
    let polled = crate::support::reports(&producer, 10);
    assert!(polled.iter().all(|report| report.tag % 2 == 1));
    // A refused send calls nobody.
    producer.close(Timeout::After(LONG)).unwrap();
    let callback = RecordCallback {
        function: note,
        user: 0,
        context: 0,
    };
    let refused = producer.send_with_callback(&record("t", b"v", 99), callback);
    assert_eq!(refused, Err(ErrorCode::CLOSED));
    assert_eq!(CALLS.lock().unwrap().len(), 10);
}

/// A producer that its own callback can reach.
fn reentrant(
    server: &MockServer,
    settings: &[(&str, &str)],
    act: impl Fn(&Producer, &[Report]) + Send + Sync + 'static,
) -> Arc<Producer> {
    let own: Arc<OnceLock<Weak<Producer>>> = Arc::default();
    let reach = own.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            if let Some(producer) = reach.get().and_then(Weak::upgrade) {
                act(&producer, reports);
            }
        })),
        ..Callbacks::default()
    };
    let producer = Arc::new(producer(server, settings, callbacks));
    own.set(Arc::downgrade(&producer)).unwrap();
    producer
}

#[test]
fn in_a_callback_sends_do_not_block_and_blocking_calls_say_so() {
    let server = server();
    let (told, answers) = mpsc::channel();
    let producer = reentrant(&server, &[], move |producer, reports| {
        if reports.iter().all(|report| report.tag != 1) {
            return;
        }
        let flush = producer.flush(Timeout::After(LONG));
        let start = producer.start(Timeout::After(LONG));
        let close = producer.close(Timeout::After(LONG));
        let count = producer.partitions_for(TopicRef::Name("other"), Timeout::After(LONG));
        let purge = producer.purge(Purge {
            queued: true,
            in_flight: false,
        });
        let wait = producer.send_wait(&record("t", b"v", 50), Timeout::After(LONG));
        let codes = [
            flush.unwrap_err().code,
            start.unwrap_err().code,
            close.unwrap_err().code,
            count.unwrap_err().code,
            purge.unwrap_err(),
            wait.unwrap_err(),
        ];
        // To an unknown topic too: it parks.
        let sends = [
            producer.send(&record("t", b"v", 2)),
            producer.send(&record("unheard.of", b"v", 3)),
        ];
        told.send((codes, sends)).unwrap();
    });
    producer.send(&record("t", b"v", 1)).unwrap();
    let (codes, sends) = answers.recv_timeout(LONG).unwrap();
    assert_eq!(codes, [ErrorCode::IN_CALLBACK; 6]);
    assert_eq!(sends, [Ok(()); 2]);
    producer.flush(Timeout::After(LONG)).unwrap();
    assert_eq!(producer.metrics().records_delivered, 3);
}

#[test]
fn a_send_in_a_callback_finds_a_full_buffer_full() {
    let server = server();
    let (told, answers) = mpsc::channel();
    let settings = [("buffer.memory", "65536"), ("max.block.ms", "600000")];
    let producer = reentrant(&server, &settings, move |producer, reports| {
        if reports.iter().all(|report| report.tag != 1) {
            return;
        }
        let value = vec![0; 2000];
        let refused = (0..100).find_map(|tag| producer.send(&record("u", &value, 100 + tag)).err());
        let _ = told.send(refused);
    });
    producer.send(&record("t", b"v", 1)).unwrap();
    let refused = answers.recv_timeout(LONG).unwrap();
    assert_eq!(refused, Some(ErrorCode::QUEUE_FULL));
    producer.flush(Timeout::After(LONG)).unwrap();
}

fn gate() -> (Sender<()>, Mutex<Receiver<()>>) {
    let (open, gate) = mpsc::channel();
    (open, Mutex::new(gate))
}

#[test]
fn a_callback_that_does_not_return_makes_close_time_out_and_then_succeed() {
    let server = server();
    let (open, gate) = gate();
    let (entered, inside) = mpsc::channel();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |_: &[Report]| {
            entered.send(()).unwrap();
            // The sender's end opens it for good.
            let _ = gate.lock().unwrap().recv();
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[], callbacks);
    producer.send(&record("t", b"v", 1)).unwrap();
    inside.recv_timeout(LONG).unwrap();
    let limit = Duration::from_millis(50);
    for _ in 0..2 {
        let late = producer.close(Timeout::After(limit)).unwrap_err();
        assert_eq!(late.code, ErrorCode::TIMED_OUT);
        assert!(late.message.contains("callback"), "{}", late.message);
    }
    let refused = producer.send(&record("t", b"v", 2));
    assert_eq!(refused, Err(ErrorCode::CLOSED));
    drop(open);
    producer.close(Timeout::After(LONG)).unwrap();
}

#[test]
fn a_flush_waits_for_a_callback_that_runs() {
    let server = server();
    let (open, gate) = gate();
    let returned = Arc::new(AtomicUsize::new(0));
    let counted = returned.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |_: &[Report]| {
            let _ = gate.lock().unwrap().recv();
            counted.fetch_add(1, Ordering::SeqCst);
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[], callbacks);
    producer.send(&record("t", b"v", 1)).unwrap();
    let early = producer.flush(Timeout::After(Duration::from_millis(100)));
    assert_eq!(early.unwrap_err().code, ErrorCode::TIMED_OUT);
    open.send(()).unwrap();
    producer.flush(Timeout::After(LONG)).unwrap();
    assert_eq!(returned.load(Ordering::SeqCst), 1);
    drop(open);
}

#[test]
fn a_dropped_producer_waits_for_its_callback() {
    let server = server();
    let running = Arc::new(AtomicUsize::new(0));
    let inside = running.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |_: &[Report]| {
            inside.store(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100));
            inside.store(2, Ordering::SeqCst);
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[], callbacks);
    producer.send(&record("t", b"v", 1)).unwrap();
    until("the callback runs", || running.load(Ordering::SeqCst) > 0);
    drop(producer);
    assert_eq!(running.load(Ordering::SeqCst), 2);
}

#[test]
fn log_lines_reach_the_users_callback() {
    let server = server();
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = lines.clone();
    let callbacks = Callbacks {
        log: Some(Arc::new(move |_, line: &str| {
            into.lock().unwrap().push(line.to_owned());
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[("log_level", "7")], callbacks);
    producer.send(&record("t", b"v", 1)).unwrap();
    producer.flush(Timeout::After(LONG)).unwrap();
    server
        .handle()
        .inject(Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS));
    server.handle().disconnect(1);
    until("the disconnect is told", || {
        let lines = lines.lock().unwrap();
        lines.iter().any(|line| line.contains("disconnected"))
    });
    assert!(lines.lock().unwrap()[0].contains("connected to broker"));
}

/// The reports in a callback's hands are not waiting any more.
#[test]
fn a_callback_may_send_as_many_records_as_it_was_told_of() {
    let server = server();
    let reach: Arc<OnceLock<Weak<Producer>>> = Arc::default();
    let own_way = reach.clone();
    let (told, answers) = mpsc::channel();
    let told = Mutex::new(told);
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            let producer = reach.get().and_then(Weak::upgrade).unwrap();
            for report in reports.iter().filter(|report| report.tag < 10) {
                let again = producer.try_send(&record("t", b"again", report.tag + 10));
                told.lock().unwrap().send(again).unwrap();
            }
        })),
        ..Callbacks::default()
    };
    let settings = [("kprod.delivery.queue.max", "10"), ("linger.ms", "1000")];
    let producer = Arc::new(producer(&server, &settings, callbacks));
    own_way.set(Arc::downgrade(&producer)).unwrap();
    for tag in 0..10 {
        producer.send(&record("t", b"v", tag)).unwrap();
    }
    producer.flush(Timeout::After(LONG)).unwrap();
    for _ in 0..10 {
        assert_eq!(answers.recv_timeout(LONG).unwrap(), Ok(()));
    }
}
