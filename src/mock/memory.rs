//! The mock cluster behind pipes in memory: for simulation under virtual time, without sockets.

use super::connection::serve;
use super::handle::MockHandle;
use crate::network::{BoxFuture, SocketOptions, Stream, Transport};
use std::io;
use std::net::SocketAddr;
use tokio::io::DuplexStream;

/// Bytes that a pipe holds in each direction before its writer waits.
const PIPE: usize = 64 << 10;

/// A network on which only the brokers of one mock cluster are.
#[derive(Clone)]
pub struct MemoryNetwork {
    handle: MockHandle,
}

impl MemoryNetwork {
    pub fn new(handle: MockHandle) -> Self {
        MemoryNetwork { handle }
    }

    /// The brokers' hosts are addresses; nothing else can be resolved.
    pub fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match host.parse() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, port)]),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no such host: {host}"),
            )),
        }
    }

    /// Connects to the broker at `address`; its side runs as a task of the current runtime.
    pub fn connect(&self, address: SocketAddr) -> io::Result<DuplexStream> {
        let host = address.ip().to_string();
        let Some(broker) = self.handle.broker_at(&host, address.port()) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (client, server) = tokio::io::duplex(PIPE);
        tokio::spawn(serve(server, self.handle.clone(), broker));
        Ok(client)
    }
}

impl Transport for MemoryNetwork {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { MemoryNetwork::resolve(self, host, port) })
    }

    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        _options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream: Box<dyn Stream> = Box::new(MemoryNetwork::connect(self, address)?);
            Ok(stream)
        })
    }
}
