//! Name resolution on one thread of its own: `getaddrinfo` blocks for as long as it likes.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::sys;

/// How long the end waits for the thread; one that hangs in a look-up is left to end by itself.
const PATIENCE_AT_END: Duration = Duration::from_millis(50);

/// Resolves names, one after the other, on the thread `kprod-dns`, which the first name starts.
#[derive(Default)]
pub(super) struct Resolver {
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    jobs: mpsc::Sender<Job>,
    ended: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

struct Job {
    host: String,
    port: u16,
    answer: oneshot::Sender<io::Result<Vec<SocketAddr>>>,
}

impl Resolver {
    pub(super) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let (answer, answered) = oneshot::channel();
        self.submit(Job {
            host: host.to_owned(),
            port,
            answer,
        })?;
        answered
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the resolver thread ended")))
    }

    fn submit(&self, job: Job) -> io::Result<()> {
        let mut worker = self.worker.lock();
        let worker = match &mut *worker {
            Some(worker) => worker,
            none => none.insert(Worker::start()?),
        };
        worker
            .jobs
            .send(job)
            .map_err(|_| io::Error::other("the resolver thread ended"))
    }
}

impl Worker {
    fn start() -> io::Result<Worker> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (alive, ended) = mpsc::channel();
        let thread = sys::spawn_thread("kprod-dns", move || {
            let _alive: mpsc::Sender<()> = alive;
            for job in queue {
                // Whoever asked may have given up while another name was looked up.
                if !job.answer.is_closed() {
                    let _ = job.answer.send(look_up(&job.host, job.port));
                }
            }
        })?;
        Ok(Worker {
            jobs,
            ended,
            thread,
        })
    }
}

#[allow(clippy::disallowed_methods)]
fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    let found = (host, port).to_socket_addrs();
    for address in found.map_err(|error| no_descriptor().unwrap_or(error))? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Why the system cannot look anything up, if the process has no descriptor left: it is told as a name that is unknown.
fn no_descriptor() -> Option<io::Error> {
    let opened = std::fs::File::open("/dev/null");
    let codes = [Some(libc::EMFILE), Some(libc::ENFILE)];
    opened
        .err()
        .filter(|error| codes.contains(&error.raw_os_error()))
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let Some(Worker {
            jobs,
            ended,
            thread,
        }) = self.worker.get_mut().take()
        else {
            return;
        };
        drop(jobs);
        if ended.recv_timeout(PATIENCE_AT_END) == Err(mpsc::RecvTimeoutError::Disconnected) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_literal_address_needs_no_thread() {
        let resolver = Resolver::default();
        assert_eq!(
            resolver.resolve("::1", 9092).await.unwrap(),
            ["[::1]:9092".parse().unwrap()]
        );
        assert_eq!(
            resolver.resolve("127.0.0.1", 1).await.unwrap(),
            ["127.0.0.1:1".parse().unwrap()]
        );
        assert!(resolver.worker.lock().is_none());
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_each_address_given_once() {
        let resolver = Resolver::default();
        let addresses = resolver.resolve("localhost", 9092).await.unwrap();
        assert!(
            addresses
                .iter()
                .any(|address| address.ip().is_loopback() && address.port() == 9092)
        );
        let mut distinct = addresses.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), addresses.len());
    }

    #[tokio::test]
    async fn a_name_that_cannot_exist_is_an_error() {
        let resolver = Resolver::default();
        assert!(resolver.resolve("a..b", 9092).await.is_err());
    }

    #[test]
    fn the_end_stops_the_thread_and_does_not_wait_for_a_look_up_that_hangs() {
        let (hang, hung) = mpsc::channel::<()>();
        let (_alive, ended) = mpsc::channel::<()>();
        let (jobs, _queue) = mpsc::channel();
        let thread = std::thread::spawn(move || assert!(hung.recv().is_err()));
        let resolver = Resolver {
            worker: Mutex::new(Some(Worker {
                jobs,
                ended,
                thread,
            })),
        };
        drop(resolver);
        drop(hang);
    }
}
