//! The mock cluster behind real sockets on loopback, served by a thread of its own.

use super::cluster::ClusterConfig;
use super::connection::serve;
use super::handle::MockHandle;
use crate::sys;
use socket2::{Domain, Socket, Type};
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const BACKLOG: i32 = 128;
/// How soon a listener that could not be opened is tried again.
const REOPEN: Duration = Duration::from_millis(20);

/// A mock cluster on loopback ports. Dropping it stops it.
#[derive(Debug)]
pub struct MockServer {
    handle: MockHandle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MockServer {
    /// Starts a cluster. Its brokers listen when this returns. Their wall clock is the machine's, whatever
    /// `config` says.
    pub fn start(config: ClusterConfig) -> io::Result<MockServer> {
        let handle = MockHandle::new(ClusterConfig {
            epoch_millis: sys::unix_millis(),
            ..config
        });
        let mut doors = Vec::new();
        for broker in handle.with(|cluster| cluster.broker_ids()) {
            let door = Door::reserve(broker)?;
            let (host, port) = (door.address.ip().to_string(), door.address.port());
            handle.with(|cluster| cluster.set_endpoint(broker, &host, port));
            let listener = door.listen()?;
            doors.push((door, listener));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let served = handle.clone();
        let thread = sys::spawn_thread("kprod-mock", move || {
            runtime.block_on(async move {
                for (door, listener) in doors {
                    tokio::spawn(door.accept(served.clone(), listener));
                }
                // An error means that the server was dropped, which is the same.
                let _ = stopped.await;
            });
        })?;
        Ok(MockServer {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub fn handle(&self) -> &MockHandle {
        &self.handle
    }

    /// `host:port` of every broker, with commas.
    pub fn bootstrap(&self) -> String {
        self.handle.bootstrap()
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the mock's thread has already been printed.
            let _ = thread.join();
        }
    }
}

/// A broker's port: kept while the broker is down, so that nobody else gets it.
struct Door {
    broker: i32,
    address: SocketAddr,
    /// Bound and never listening: who connects meanwhile is refused.
    _reservation: Socket,
}

impl Door {
    fn reserve(broker: i32) -> io::Result<Door> {
        let reservation = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = reservation.local_addr()?.as_socket();
        Ok(Door {
            broker,
            address: address.ok_or(io::ErrorKind::AddrNotAvailable)?,
            _reservation: reservation,
        })
    }

    fn listen(&self) -> io::Result<std::net::TcpListener> {
        let socket = bind(self.address)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }

    /// Accepts connections while the broker is up.
    async fn accept(self, handle: MockHandle, first: std::net::TcpListener) {
        let mut control = handle.subscribe();
        let mut listener = TcpListener::from_std(first).ok();
        loop {
            match (handle.is_up(self.broker), &listener) {
                (false, _) => listener = None,
                (true, Some(_)) => {}
                (true, None) => listener = self.listen().and_then(TcpListener::from_std).ok(),
            }
            let reopen = listener.is_none() && handle.is_up(self.broker);
            tokio::select! {
                changed = control.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                accepted = accept_on(listener.as_ref()) => {
                    if let Ok((stream, _)) = accepted {
                        // Without it the answers are late, and still right.
                        let _ = stream.set_nodelay(true);
                        tokio::spawn(serve(stream, handle.clone(), self.broker));
                    }
                }
                () = tokio::time::sleep(REOPEN), if reopen => {}
            }
        }
    }
}

async fn accept_on(
    listener: Option<&TcpListener>,
) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
