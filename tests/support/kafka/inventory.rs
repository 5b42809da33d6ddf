//! Which Kafka versions script/setup has fetched, and where they lie.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// KRaft, the newest.
    V4_3_1,
    /// KRaft, transactions of version 1.
    V3_9_1,
    /// With ZooKeeper.
    V2_8_2,
}

impl Version {
    pub fn name(self) -> &'static str {
        match self {
            Version::V4_3_1 => "4.3.1",
            Version::V3_9_1 => "3.9.1",
            Version::V2_8_2 => "2.8.2",
        }
    }

    pub fn needs_zookeeper(self) -> bool {
        match self {
            Version::V4_3_1 | Version::V3_9_1 => false,
            Version::V2_8_2 => true,
        }
    }
}

pub struct Inventory {
    places: HashMap<String, PathBuf>,
}

impl Inventory {
    pub fn get() -> &'static Inventory {
        static INVENTORY: OnceLock<Inventory> = OnceLock::new();
        INVENTORY.get_or_init(Inventory::ask)
    }

    /// The templates and options that script/kafka uses too.
    pub fn source() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka"))
    }

    fn ask() -> Inventory {
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/script/lib/kafka.sh");
        let output = Command::new("bash")
            .args(["-c", ". \"$1\" && kafka_inventory", "bash", library])
            .output()
            .unwrap_or_else(|error| panic!("cannot run bash: {error}"));
        let lines = String::from_utf8(output.stdout).expect("paths are UTF-8");
        let places = lines
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, path)| (name.into(), path.into()))
            .collect();
        Inventory { places }
    }

    /// A test that cannot find its broker fails: a skipped one would look as good as a passed one.
    pub fn kafka(&self, version: Version) -> &Path {
        let name = version.name();
        self.places.get(name).unwrap_or_else(|| {
            panic!("the jars of Apache Kafka {name} are missing: run script/setup --kafka {name}")
        })
    }

    pub fn helper(&self) -> &Path {
        self.places
            .get("helper")
            .unwrap_or_else(|| panic!("the tests' Java helper is not compiled: run script/setup"))
    }
}
