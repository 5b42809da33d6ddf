//! A broker that only acknowledges: it knows one topic, discards the records and answers with their offsets.
//!
//! It runs as a process of its own, so that a client's processor time is the client's alone.

use crate::stream::{Stream, malformed};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

pub const TOPIC: &str = "bench";
const TOPIC_ID: [u8; 16] = *b"kprod-bench-tpc!";
const NODE: i32 = 1;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
/// What is offered. Nobody fetches; librdkafka takes a broker without Fetch for one from before record batches.
const OFFERED: [(i16, i16, i16); 4] = [
    (PRODUCE, 3, 13),
    (FETCH, 4, 4),
    (METADATA, 1, 12),
    (API_VERSIONS, 0, 4),
];
const UNSUPPORTED_VERSION: i16 = 35;
/// Up to and with the record count.
const BATCH_HEADER: usize = 61;

/// What came in, over all connections.
#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    batches: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
}

struct Broker {
    port: u16,
    next_offsets: Vec<AtomicU64>,
    totals: Totals,
}

/// Says its port, serves until its input ends, then says what it got.
pub fn run(partitions: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let broker = Arc::new(Broker {
        port: listener.local_addr()?.port(),
        next_offsets: (0..partitions).map(|_| AtomicU64::new(0)).collect(),
        totals: Totals::default(),
    });
    println!("{}", broker.port);
    let serving = Arc::clone(&broker);
    thread::spawn(move || accept(&serving, &listener));
    io::stdin().read_to_end(&mut Vec::new())?;
    let Totals {
        requests,
        batches,
        records,
        bytes,
    } = &broker.totals;
    println!("requests={requests:?} batches={batches:?} records={records:?} bytes={bytes:?}");
    Ok(())
}

fn accept(broker: &Arc<Broker>, listener: &TcpListener) {
    for socket in listener.incoming().flatten() {
        let broker = Arc::clone(broker);
        thread::spawn(move || {
            if let Err(error) = serve(&broker, socket) {
                eprintln!("broker: connection ended: {error}");
            }
        });
    }
}

fn serve(broker: &Broker, socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = Stream::new(socket);
    let mut answer = Vec::new();
    while stream.next_frame()? {
        answer.clear();
        answer.extend([0; 4]);
        let expected = request(broker, &mut stream, &mut answer)?;
        stream.end_frame()?;
        if expected {
            let length = answer.len() as u32 - 4;
            answer[..4].copy_from_slice(&length.to_be_bytes());
            stream.answer(&answer)?;
        }
    }
    Ok(())
}

/// Reads one request and writes its answer; false when the client expects none.
fn request<S: Read + Write>(
    broker: &Broker,
    stream: &mut Stream<S>,
    answer: &mut Vec<u8>,
) -> io::Result<bool> {
    let (api, version) = (stream.i16()?, stream.i16()?);
    let correlation = stream.i32()?;
    stream.string(false)?;
    answer.extend(correlation.to_be_bytes());
    match (api, version) {
        (PRODUCE, 3..=13) => return produce(broker, stream, version, answer),
        (METADATA, 1..=12) => metadata(broker, version, answer),
        (API_VERSIONS, _) => api_versions(version, answer),
        _ => return Err(malformed(&format!("request {api} version {version}"))),
    }
    Ok(true)
}

fn api_versions(version: i16, answer: &mut Vec<u8>) {
    let known = (0..=4).contains(&version);
    let flexible = known && version >= 3;
    answer.extend(if known { 0 } else { UNSUPPORTED_VERSION }.to_be_bytes());
    put_length(answer, flexible, OFFERED.len());
    for (api, min, max) in OFFERED {
        for number in [api, min, max] {
            answer.extend(number.to_be_bytes());
        }
        put_tags(answer, flexible);
    }
    if known && version >= 1 {
        answer.extend([0; 4]);
    }
    put_tags(answer, flexible);
}

/// With the one topic, whatever was asked for.
fn metadata(broker: &Broker, version: i16, answer: &mut Vec<u8>) {
    let flexible = version >= 9;
    put_tags(answer, flexible);
    if version >= 3 {
        answer.extend([0; 4]);
    }
    put_length(answer, flexible, 1);
    answer.extend(NODE.to_be_bytes());
    put_string(answer, flexible, "127.0.0.1");
    answer.extend(i32::from(broker.port).to_be_bytes());
    put_null_string(answer, flexible);
    put_tags(answer, flexible);
    if version >= 2 {
        put_string(answer, flexible, "bench-cluster");
    }
    answer.extend(NODE.to_be_bytes());
    put_length(answer, flexible, 1);
    answer.extend([0; 2]);
    put_string(answer, flexible, TOPIC);
    if version >= 10 {
        answer.extend(TOPIC_ID);
    }
    answer.push(0);
    put_length(answer, flexible, broker.next_offsets.len());
    for partition in 0..broker.next_offsets.len() as i32 {
        answer.extend([0; 2]);
        answer.extend(partition.to_be_bytes());
        answer.extend(NODE.to_be_bytes());
        if version >= 7 {
            answer.extend([0; 4]);
        }
        for _replicas_and_in_sync in 0..2 {
            put_length(answer, flexible, 1);
            answer.extend(NODE.to_be_bytes());
        }
        if version >= 5 {
            put_length(answer, flexible, 0);
        }
        put_tags(answer, flexible);
    }
    if version >= 8 {
        answer.extend(i32::MIN.to_be_bytes());
    }
    put_tags(answer, flexible);
    if (8..=10).contains(&version) {
        answer.extend(i32::MIN.to_be_bytes());
    }
    put_tags(answer, flexible);
}

fn produce<S: Read + Write>(
    broker: &Broker,
    stream: &mut Stream<S>,
    version: i16,
    answer: &mut Vec<u8>,
) -> io::Result<bool> {
    let flexible = version >= 9;
    stream.tags(flexible)?;
    stream.string(flexible)?;
    let acks = stream.i16()?;
    stream.i32()?;
    put_tags(answer, flexible);
    let topics = stream.length(flexible)?;
    put_length(answer, flexible, topics);
    for _ in 0..topics {
        if version >= 13 {
            answer.extend(stream.take(TOPIC_ID.len())?);
        } else {
            let name = stream.string(flexible)?.to_vec();
            put_string(answer, flexible, &String::from_utf8_lossy(&name));
        }
        let partitions = stream.length(flexible)?;
        put_length(answer, flexible, partitions);
        for _ in 0..partitions {
            partition(broker, stream, version, answer)?;
        }
        stream.tags(flexible)?;
        put_tags(answer, flexible);
    }
    answer.extend([0; 4]);
    put_tags(answer, flexible);
    broker.totals.requests.fetch_add(1, Relaxed);
    Ok(acks != 0)
}

fn partition<S: Read + Write>(
    broker: &Broker,
    stream: &mut Stream<S>,
    version: i16,
    answer: &mut Vec<u8>,
) -> io::Result<()> {
    let flexible = version >= 9;
    let index = stream.i32()?;
    let length = stream.length(flexible)?;
    let header = stream.take(BATCH_HEADER)?;
    let records = u32::from_be_bytes([header[57], header[58], header[59], header[60]]);
    let rest = length.checked_sub(BATCH_HEADER);
    stream.skip(rest.ok_or_else(|| malformed("a batch shorter than its header"))?)?;
    stream.tags(flexible)?;
    let next = usize::try_from(index)
        .ok()
        .and_then(|index| broker.next_offsets.get(index));
    let offset = next
        .ok_or_else(|| malformed("an unknown partition"))?
        .fetch_add(u64::from(records), Relaxed);
    broker.totals.batches.fetch_add(1, Relaxed);
    broker.totals.records.fetch_add(records.into(), Relaxed);
    broker.totals.bytes.fetch_add(length as u64, Relaxed);

    answer.extend(index.to_be_bytes());
    answer.extend([0; 2]);
    answer.extend(offset.to_be_bytes());
    answer.extend((-1i64).to_be_bytes());
    if version >= 5 {
        answer.extend([0; 8]);
    }
    if version >= 8 {
        put_length(answer, flexible, 0);
        put_null_string(answer, flexible);
    }
    put_tags(answer, flexible);
    Ok(())
}

fn put_length(answer: &mut Vec<u8>, flexible: bool, length: usize) {
    if !flexible {
        return answer.extend((length as u32).to_be_bytes());
    }
    let mut left = length + 1;
    while left >= 0x80 {
        answer.push(left as u8 | 0x80);
        left >>= 7;
    }
    answer.push(left as u8);
}

fn put_string(answer: &mut Vec<u8>, flexible: bool, text: &str) {
    if flexible {
        put_length(answer, true, text.len());
    } else {
        answer.extend((text.len() as u16).to_be_bytes());
    }
    answer.extend(text.as_bytes());
}

fn put_null_string(answer: &mut Vec<u8>, flexible: bool) {
    if flexible {
        answer.push(0);
    } else {
        answer.extend((-1i16).to_be_bytes());
    }
}

fn put_tags(answer: &mut Vec<u8>, flexible: bool) {
    if flexible {
        answer.push(0);
    }
}
