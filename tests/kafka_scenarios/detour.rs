//! A transport that puts a fault proxy before each broker for one producer only, and knows names of its own.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use kprod::network::{BoxFuture, SocketOptions, Stream, TokioTransport, Transport};

use crate::support::kafka::KafkaCluster;
use crate::support::proxy::Proxy;

/// Connects to real sockets, by way of its proxies.
#[derive(Default)]
pub struct Detour {
    real: TokioTransport,
    proxies: HashMap<SocketAddr, Proxy>,
    names: HashMap<String, Vec<SocketAddr>>,
}

impl Detour {
    /// One proxy before each of these nodes.
    pub fn before(cluster: &KafkaCluster, nodes: &[i32]) -> Arc<Detour> {
        let address = |node: &i32| cluster.address(*node);
        let proxies = nodes.iter().map(address);
        Arc::new(Detour {
            proxies: proxies.map(|at| (at, Proxy::start(at))).collect(),
            ..Detour::default()
        })
    }

    /// Resolves one name, to these addresses in this order.
    pub fn naming(name: &str, addresses: &[SocketAddr]) -> Arc<Detour> {
        Arc::new(Detour {
            names: HashMap::from([(name.to_owned(), addresses.to_vec())]),
            ..Detour::default()
        })
    }

    pub fn proxy(&self, broker: SocketAddr) -> &Proxy {
        &self.proxies[&broker]
    }
}

impl Transport for Detour {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        match self.names.get(host) {
            Some(addresses) => Box::pin(async move { Ok(addresses.clone()) }),
            None => self.real.resolve(host, port),
        }
    }

    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        let proxy = self.proxies.get(&address);
        self.real
            .connect(proxy.map_or(address, Proxy::address), options)
    }
}
