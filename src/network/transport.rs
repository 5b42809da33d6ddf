//! The seam to names and sockets: a real one, and room for one in memory.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use super::resolver::Resolver;
use super::socket::Socket;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A byte stream to a broker. `Written` events follow its flush, so a flush is to end when the bytes are handed over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// How the engine reaches brokers.
pub trait Transport: Send + Sync {
    /// All addresses of a host, in the order in which they should be tried.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// A stream to one address. Dropping the future ends the attempt.
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    pub nodelay: bool,
    pub keepalive: bool,
    /// `None`: the system's default.
    pub send_buffer: Option<usize>,
    /// `None`: the system's default.
    pub receive_buffer: Option<usize>,
}

/// Sockets of the operating system, names by its resolver.
#[derive(Default)]
pub struct TokioTransport {
    resolver: Resolver,
}

impl TokioTransport {
    pub fn new() -> Self {
        TokioTransport::default()
    }
}

impl Transport for TokioTransport {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(self.resolver.resolve(host, port))
    }

    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = open(address, options)?.connect(address).await?;
            Ok(Box::new(Socket::new(stream)) as Box<dyn Stream>)
        })
    }
}

/// The buffers must be set before the connect, for the window is agreed on there.
fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_nodelay(options.nodelay)?;
    if options.keepalive {
        let every = Duration::from_secs(60);
        SockRef::from(&socket)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(every).with_interval(every))?;
    }
    let as_u32 = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    if let Some(size) = options.send_buffer {
        socket.set_send_buffer_size(as_u32(size))?;
    }
    if let Some(size) = options.receive_buffer {
        socket.set_recv_buffer_size(as_u32(size))?;
    }
    Ok(socket)
}
