//! From a broker's name to a stream: resolve, connect to one of the addresses, TLS.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::transport::Stream;
use super::{Backoff, BrokerAddress, CloseKind, Progress, SetupStep, Shared};
use crate::config::AddressFamily;

/// What is remembered of brokers at most. They are forgotten when a connection to them succeeds.
const MAX_PEERS: usize = 1_024;

/// What was learnt from connections that failed.
#[derive(Default)]
pub(super) struct Peers(Mutex<HashMap<BrokerAddress, Peer>>);

#[derive(Default)]
struct Peer {
    setup: Option<(Backoff, Duration)>,
    /// Accepted a connection and then was of no use: to be tried last.
    suspect: Option<SocketAddr>,
}

/// A stream, and how long the rest of the set-up may take.
pub(super) struct Link {
    pub(super) stream: Box<dyn Stream>,
    pub(super) address: SocketAddr,
    pub(super) setup_timeout: Duration,
}

impl Shared {
    pub(super) async fn establish(
        &self,
        broker: &BrokerAddress,
        progress: &Progress,
    ) -> Result<Link, CloseKind> {
        let limit = self.setup_timeout(broker);
        let result = self.try_establish(broker, progress, limit).await;
        if let Err(CloseKind::SetupTimeout { .. }) = result {
            self.grow_setup_timeout(broker);
        }
        result
    }

    async fn try_establish(
        &self,
        broker: &BrokerAddress,
        progress: &Progress,
        limit: Duration,
    ) -> Result<Link, CloseKind> {
        let addresses = self.resolve(broker, limit).await?;
        progress.reach(SetupStep::Connect);
        let (stream, address) = self.connect_to_any(&addresses, limit).await?;
        let Some(tls) = &self.tls else {
            return Ok(Link {
                stream,
                address,
                setup_timeout: limit,
            });
        };
        progress.reach(SetupStep::Tls);
        let failure = match timeout(limit, tls.connect(&broker.host, address, stream)).await {
            Ok(Ok(stream)) => {
                return Ok(Link {
                    stream,
                    address,
                    setup_timeout: limit,
                });
            }
            Ok(Err(text)) => CloseKind::Tls(text),
            Err(_) => CloseKind::SetupTimeout {
                step: SetupStep::Tls,
                timeout: limit,
            },
        };
        self.peers.with(broker, |peer| peer.suspect = Some(address));
        Err(failure)
    }

    async fn resolve(
        &self,
        broker: &BrokerAddress,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>, CloseKind> {
        let resolved = timeout(limit, self.transport.resolve(&broker.host, broker.port)).await;
        let mut addresses = match resolved {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(CloseKind::Resolve(error.to_string())),
            Err(_) => {
                return Err(CloseKind::SetupTimeout {
                    step: SetupStep::Resolve,
                    timeout: limit,
                });
            }
        };
        let family = self.settings.address_family;
        addresses.retain(|address| match family {
            AddressFamily::Any => true,
            AddressFamily::V4 => address.is_ipv4(),
            AddressFamily::V6 => address.is_ipv6(),
        });
        if addresses.is_empty() {
            let which = match family {
                AddressFamily::Any => "no address",
                AddressFamily::V4 => "no IPv4 address (broker.address.family)",
                AddressFamily::V6 => "no IPv6 address (broker.address.family)",
            };
            return Err(CloseKind::Resolve(format!("it has {which}")));
        }
        if let Some(suspect) = self
            .peers
            .0
            .lock()
            .get(broker)
            .and_then(|peer| peer.suspect)
        {
            addresses.sort_by_key(|address| *address == suspect);
        }
        Ok(addresses)
    }

    /// KIP-602: each address in turn, each with the whole timeout.
    async fn connect_to_any(
        &self,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> Result<(Box<dyn Stream>, SocketAddr), CloseKind> {
        let mut refusals = Vec::new();
        let mut timeouts = 0;
        for &address in addresses {
            match timeout(limit, self.transport.connect(address, &self.socket)).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(error)) => refusals.push((address, error.to_string())),
                Err(_) => {
                    timeouts += 1;
                    refusals.push((address, format!("no answer within {limit:.1?}")));
                }
            }
        }
        if timeouts == addresses.len() {
            return Err(CloseKind::SetupTimeout {
                step: SetupStep::Connect,
                timeout: limit,
            });
        }
        Err(CloseKind::Connect(refusals))
    }

    fn setup_timeout(&self, broker: &BrokerAddress) -> Duration {
        let peers = self.peers.0.lock();
        let grown = peers.get(broker).and_then(|peer| peer.setup.as_ref());
        grown.map_or(self.settings.setup_timeout, |(_, timeout)| *timeout)
    }

    /// KIP-601: the next attempt may take about twice as long.
    fn grow_setup_timeout(&self, broker: &BrokerAddress) {
        let max = self.settings.setup_timeout_max;
        let doubled = self.settings.setup_timeout.saturating_mul(2).min(max);
        self.peers.with(broker, |peer| {
            let (backoff, timeout) = peer
                .setup
                .get_or_insert_with(|| (Backoff::new(doubled, max), doubled));
            *timeout = backoff.next(&self.rng);
        });
    }

    /// The address took the connection, and then the handshake over it failed.
    pub(super) fn learn_from(&self, broker: &BrokerAddress, address: SocketAddr, kind: &CloseKind) {
        match kind {
            CloseKind::Requested => return,
            CloseKind::SetupTimeout { .. } => self.grow_setup_timeout(broker),
            _ => {}
        }
        self.peers.with(broker, |peer| peer.suspect = Some(address));
    }

    /// A connection is ready: what failed before is forgotten.
    pub(super) fn trust(&self, broker: &BrokerAddress) {
        self.peers.0.lock().remove(broker);
    }
}

impl Peers {
    fn with(&self, broker: &BrokerAddress, change: impl FnOnce(&mut Peer)) {
        let mut peers = self.0.lock();
        if peers.len() >= MAX_PEERS && !peers.contains_key(broker) {
            peers.clear();
        }
        change(peers.entry(broker.clone()).or_default());
    }
}
