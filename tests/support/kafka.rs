//! A real Apache Kafka cluster on loopback: started, disturbed and cleaned up by a test.

pub mod inventory;
mod server;
mod watchdog;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use inventory::Inventory;
pub use inventory::Version;
use kprod::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use server::Server;
use watchdog::Watchdog;

use super::admin::Admin;
use super::consumer::{Batch, Consumer, Isolation, batches};
use super::peer::Peer;
use super::ports::Port;
use super::proxy::Proxy;
use super::wait_for;

/// Machines that run tests may be slow and busy.
const READY_LIMIT: Duration = Duration::from_secs(120);
const CLUSTER_ID: &str = "bGlia3Byb2QtdGVzdHMtMQ";

#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Broker properties beside and above the template's (tests/kafka/*.properties).
    pub properties: Vec<(String, String)>,
    /// Puts a [`Proxy`] before each broker, advertised in its stead. Only producers go through it, neither the
    /// cluster's own traffic nor `admin` and `consumer`.
    pub proxied: bool,
    /// Of a KRaft cluster only node 1 is a controller, so that the others may all die and it still elects and
    /// shrinks. Otherwise all are, and any minority may die.
    pub one_controller: bool,
    /// Levels of KRaft features that are not the version's own.
    pub features: Vec<(String, i16)>,
}

impl Options {
    pub fn one_controller() -> Options {
        Options {
            one_controller: true,
            ..Options::default()
        }
    }

    pub fn proxied() -> Options {
        Options {
            proxied: true,
            ..Options::default()
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Options {
        self.properties.push((name.into(), value.into()));
        self
    }

    pub fn feature(mut self, name: &str, level: i16) -> Options {
        self.features.push((name.into(), level));
        self
    }
}

/// Its nodes have the broker ids 1, 2, …. All servers end, and all files go, with this value or with the process.
pub struct KafkaCluster {
    nodes: Vec<Node>,
    zookeeper: Option<Mutex<Server>>,
    plan: Plan,
    admin: Admin,
    _watchdog: Watchdog,
    _turn: Turn,
}

struct Node {
    id: i32,
    server: Mutex<Server>,
    client: Mutex<Port>,
    internal: Port,
    controller: Port,
    proxy: Option<Proxy>,
}

impl Node {
    /// Where producers are sent to.
    fn address(&self) -> SocketAddr {
        match &self.proxy {
            Some(proxy) => proxy.address(),
            None => lock(&self.client).address(),
        }
    }
}

impl KafkaCluster {
    /// Returns when every broker knows every other. One cluster at a time runs in a process: others wait here.
    pub fn start(version: Version, nodes: usize, options: Options) -> KafkaCluster {
        let turn = Turn::take();
        Inventory::get().kafka(version);
        let home = new_directory();
        let watchdog = Watchdog::over(&home);
        let zookeeper = version
            .needs_zookeeper()
            .then(|| start_zookeeper(version, &home));
        let nodes = (1..=nodes)
            .map(|id| new_node(id, version, &home, options.proxied))
            .collect::<Vec<_>>();
        let (zookeeper, zookeeper_port) = zookeeper.unzip();
        let plan = Plan {
            version,
            voters: voters(&nodes, &options),
            options,
            replication: nodes.len(),
            zookeeper_port,
        };
        nodes.iter().for_each(|node| plan.configure(node));
        if !version.needs_zookeeper() {
            format(&nodes, &plan.options);
        }
        let cluster = KafkaCluster {
            admin: Admin::new(addresses(&nodes, |node| node.internal.address())),
            nodes,
            zookeeper: zookeeper.map(Mutex::new),
            plan,
            _watchdog: watchdog,
            _turn: turn,
        };
        for node in &cluster.nodes {
            lock(&node.server).start();
        }
        cluster.wait_ready();
        cluster.wait_producer_ids();
        cluster
    }

    /// What a producer is to be given as bootstrap.servers.
    pub fn bootstrap(&self) -> String {
        addresses(&self.nodes, Node::address)
    }

    /// Where a producer finds this node.
    pub fn address(&self, node: i32) -> SocketAddr {
        self.node(node).address()
    }

    /// The same for tools that are to be spared the proxies' faults.
    pub fn direct_bootstrap(&self) -> String {
        addresses(&self.nodes, |node| node.internal.address())
    }

    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    pub fn consumer(&self, isolation: Isolation) -> Consumer {
        Consumer::new(self.direct_bootstrap(), isolation)
    }

    /// The proxy before a node of a cluster started with `proxied`.
    pub fn proxy(&self, node: i32) -> &Proxy {
        let proxy = self.node(node).proxy.as_ref();
        proxy.expect("the cluster was started with Options::proxied")
    }

    /// SIGKILL: as if its machine had died. Connections of its own are closed by the kernel.
    pub fn kill(&self, node: i32) {
        lock(&self.node(node).server).kill();
    }

    /// SIGTERM: a controlled shutdown, which hands its partitions over.
    pub fn stop(&self, node: i32) {
        lock(&self.node(node).server).stop();
    }

    /// SIGSTOP: it holds its connections and says nothing.
    pub fn pause(&self, node: i32) {
        lock(&self.node(node).server).pause();
    }

    /// SIGCONT.
    pub fn resume(&self, node: i32) {
        lock(&self.node(node).server).resume();
    }

    /// Starts it again on its old address, with its old data; kills it first if it runs. Returns when it is ready.
    pub fn restart(&self, node: i32) {
        self.start_again(node);
        self.wait_ready();
    }

    /// `restart` that does not wait: for nodes that cannot be ready before others are started too.
    pub fn start_again(&self, node: i32) {
        let mut server = lock(&self.node(node).server);
        server.kill();
        server.start();
    }

    /// `restart` at a new port, as if the broker had been replaced. Not for a proxied one: the proxy would stay.
    pub fn restart_elsewhere(&self, node: i32) {
        let moved = self.node(node);
        assert!(moved.proxy.is_none(), "the proxy's address would not move");
        *lock(&moved.client) = Port::claim();
        self.plan.configure(moved);
        self.restart(node);
    }

    /// Waits until the running brokers all know each other.
    pub fn wait_ready(&self) {
        let what = "the brokers to be ready";
        wait_for(what, READY_LIMIT, || {
            self.fail_if_one_died();
            let running = self.running();
            let ready = running.iter().all(|node| {
                wire::metadata(node.internal.address(), None)
                    .is_ok_and(|view| running.iter().all(|node| view.brokers.contains(&node.id)))
            });
            ready.then_some(())
        });
    }

    /// Waits until each broker gives out producer ids: it has to ask the controller for them first, which on a busy
    /// machine may take it a minute.
    fn wait_producer_ids(&self) {
        for node in &self.nodes {
            let mut peer = Peer::connect(node.internal.address());
            wait_for("a producer id", READY_LIMIT, || {
                let request = InitProducerIdRequest::default();
                let answer: InitProducerIdResponse = peer.ask(1, &request);
                (answer.error_code == 0).then_some(())
            });
        }
    }

    /// Creates a topic and waits until every running broker knows its leaders.
    #[track_caller]
    pub fn create_topic(&self, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
        let replication = self.nodes.len() as i16;
        self.admin
            .create_topic(topic, partitions, replication, configs);
        self.wait_topic(topic, partitions as usize);
    }

    /// Waits until every running broker knows a leader for each of the topic's partitions.
    #[track_caller]
    pub fn wait_topic(&self, topic: &str, partitions: usize) {
        let what = format!("{topic} to be known with {partitions} partitions");
        wait_for(&what, READY_LIMIT, || {
            let known = self.running().iter().all(|node| {
                wire::metadata(node.internal.address(), Some(topic)).is_ok_and(|view| {
                    view.leaders.len() == partitions
                        && view.leaders.iter().all(|(_, leader)| leader.is_some())
                })
            });
            known.then_some(())
        });
    }

    /// The leader that all running brokers agree on, which is one of them. Waits for it.
    #[track_caller]
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        let what = format!("{topic}-{partition} to have a leader");
        wait_for(&what, READY_LIMIT, || {
            let running = self.running();
            let mut leaders = running.iter().map(|node| {
                let view = wire::metadata(node.internal.address(), Some(topic)).ok()?;
                let leaders: BTreeMap<_, _> = view.leaders.into_iter().collect();
                leaders.get(&partition).copied().flatten()
            });
            let first = leaders.next().flatten()?;
            let agreed = leaders.all(|leader| leader == Some(first));
            (agreed && running.iter().any(|node| node.id == first)).then_some(first)
        })
    }

    /// The record batches that a node has of a partition.
    #[track_caller]
    pub fn batches(&self, node: i32, topic: &str, partition: i32) -> Vec<Batch> {
        let server = lock(&self.node(node).server);
        let log = server.directory().join(format!("data/{topic}-{partition}"));
        let files = std::fs::read_dir(&log)
            .unwrap_or_else(|error| panic!("node {node} has no {topic}-{partition}: {error}"));
        let mut segments: Vec<PathBuf> = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        segments.sort();
        batches(&segments)
    }

    fn node(&self, id: i32) -> &Node {
        let node = self.nodes.iter().find(|node| node.id == id);
        node.unwrap_or_else(|| panic!("the cluster has no node {id}"))
    }

    fn running(&self) -> Vec<&Node> {
        let nodes = self.nodes.iter();
        nodes
            .filter(|node| lock(&node.server).is_running())
            .collect()
    }

    fn fail_if_one_died(&self) {
        let servers = self.nodes.iter().map(|node| &node.server);
        for server in servers.chain(&self.zookeeper) {
            let mut server = lock(server);
            assert!(!server.has_died(), "{} died", server.name);
        }
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                eprint!("{}", lock(&node.server).last_words());
            }
        }
        // Before ZooKeeper, and before the directory goes.
        for node in &self.nodes {
            lock(&node.server).kill();
        }
        if let Some(zookeeper) = &self.zookeeper {
            lock(zookeeper).kill();
        }
    }
}

/// A panic of one test thread is no reason to leave servers behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn addresses(nodes: &[Node], address: impl Fn(&Node) -> SocketAddr) -> String {
    let all: Vec<String> = nodes.iter().map(|node| address(node).to_string()).collect();
    all.join(",")
}

fn new_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("kprod-kafka-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    // One of that name is left from a process of the same number whose watchdog was killed too.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the temporary directory can be written to");
    directory
}

fn server_directory(home: &Path, name: &str) -> PathBuf {
    let directory = home.join(name);
    std::fs::create_dir(&directory).expect("the cluster's directory is ours");
    directory
}

fn start_zookeeper(version: Version, home: &Path) -> (Server, Port) {
    let port = Port::claim();
    let directory = server_directory(home, "zookeeper");
    let values = [
        ("ZOOKEEPER_PORT", port.number().to_string()),
        ("DIR", directory.display().to_string()),
    ];
    fill("zookeeper.properties", &values, &[], &directory);
    let class = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
    let mut server = Server::new("zookeeper", version, class, directory);
    server.start();
    (server, port)
}

fn new_node(id: usize, version: Version, home: &Path, proxied: bool) -> Node {
    let name = format!("node-{id}");
    let directory = server_directory(home, &name);
    let client = Port::claim();
    Node {
        id: id as i32,
        server: Mutex::new(Server::new(&name, version, "kafka.Kafka", directory)),
        proxy: proxied.then(|| Proxy::start(client.address())),
        client: Mutex::new(client),
        internal: Port::claim(),
        controller: Port::claim(),
    }
}

fn voters(nodes: &[Node], options: &Options) -> String {
    let controllers = if options.one_controller {
        &nodes[..1]
    } else {
        nodes
    };
    let voters: Vec<String> = controllers
        .iter()
        .map(|node| format!("{}@{}", node.id, node.controller.address()))
        .collect();
    voters.join(",")
}

/// What the nodes' configurations are made from.
struct Plan {
    version: Version,
    options: Options,
    voters: String,
    replication: usize,
    zookeeper_port: Option<Port>,
}

impl Plan {
    fn configure(&self, node: &Node) {
        let server = lock(&node.server);
        let zookeeper_port = self.zookeeper_port.as_ref().map_or(0, Port::number);
        let client_port = lock(&node.client).number();
        let values = [
            ("NODE", node.id.to_string()),
            ("VOTERS", self.voters.clone()),
            ("CLIENT_PORT", client_port.to_string()),
            ("ADVERTISED_PORT", node.address().port().to_string()),
            ("INTERNAL_PORT", node.internal.number().to_string()),
            ("CONTROLLER_PORT", node.controller.number().to_string()),
            ("ZOOKEEPER_PORT", zookeeper_port.to_string()),
            ("REPLICATION", self.replication.to_string()),
            ("MIN_ISR", self.replication.div_ceil(2).to_string()),
            ("DIR", server.directory().display().to_string()),
        ];
        let template = if self.version.needs_zookeeper() {
            "zookeeper-broker.properties"
        } else {
            "kraft.properties"
        };
        let mut more = Vec::new();
        if self.options.one_controller && node.id != 1 {
            more = broker_only(node);
        }
        more.extend_from_slice(&self.options.properties);
        fill(template, &values, &more, server.directory());
    }
}

/// Above the template's, which is that of a node that is both.
fn broker_only(node: &Node) -> Vec<(String, String)> {
    let client = lock(&node.client).address();
    let internal = node.internal.address();
    vec![
        ("process.roles".into(), "broker".into()),
        (
            "listeners".into(),
            format!("CLIENT://{client},INTERNAL://{internal}"),
        ),
    ]
}

/// Writes a server's configuration from a template with `@NAME@`s.
fn fill(template: &str, values: &[(&str, String)], more: &[(String, String)], directory: &Path) {
    let template = Inventory::source().join(template);
    let mut text = std::fs::read_to_string(&template)
        .unwrap_or_else(|error| panic!("{}: {error}", template.display()));
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    for (name, value) in more {
        text.push_str(&format!("{name}={value}\n"));
    }
    std::fs::write(directory.join("properties"), text).expect("the directory is ours");
}

fn format(nodes: &[Node], options: &Options) {
    let started: Vec<_> = nodes
        .iter()
        .map(|node| {
            (
                node,
                lock(&node.server).format(CLUSTER_ID, &options.features),
            )
        })
        .collect();
    for (node, mut tool) in started {
        let done = tool.wait().is_ok_and(|status| status.success());
        assert!(
            done,
            "formatting failed; {}",
            lock(&node.server).last_words()
        );
    }
}

/// The right to run a cluster: several at a time would starve each other on a small machine.
struct Turn;

static HOLDER: Mutex<Option<ThreadId>> = Mutex::new(None);
static FREE: Condvar = Condvar::new();

impl Turn {
    fn take() -> Turn {
        let me = std::thread::current().id();
        let mut holder = lock(&HOLDER);
        while let Some(other) = *holder {
            assert!(other != me, "a test has one cluster at a time");
            holder = FREE
                .wait(holder)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *holder = Some(me);
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&HOLDER) = None;
        FREE.notify_one();
    }
}
