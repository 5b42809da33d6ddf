//! Ports for servers of tests that run at the same time, in this process and in others.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range that the kernel takes outgoing connections' ports from, so that none is taken while a server of
/// ours is down.
const FIRST: u32 = 12_000;
const COUNT: u32 = 8_000;

/// A port that is ours until dropped, whether or not somebody listens at it.
pub struct Port {
    number: u16,
    /// An abstract socket is a claim that is exclusive on the machine and ends with the process.
    _claim: UnixListener,
}

impl Port {
    pub fn claim() -> Port {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (std::process::id().wrapping_mul(61) + step) % COUNT;
            if let Some(port) = Port::try_claim(number as u16) {
                return port;
            }
        }
        panic!("no port free from {FIRST} to {}", FIRST + COUNT);
    }

    fn try_claim(number: u16) -> Option<Port> {
        let name = format!("kprod-test-port-{number}");
        let address = SocketAddr::from_abstract_name(name).ok()?;
        let claim = UnixListener::bind_addr(&address).ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Port {
            number,
            _claim: claim,
        })
    }

    pub fn number(&self) -> u16 {
        self.number
    }

    pub fn address(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], self.number))
    }
}
