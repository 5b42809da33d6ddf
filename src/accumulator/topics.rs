//! All topics and partitions of a producer: handles are indices, names are hashed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::Gate;
use super::append_vec::AppendVec;
use super::topic::Topic;

/// Topics are never removed, so that handles stay valid until the producer goes.
#[derive(Debug, Default)]
pub struct Topics {
    by_handle: AppendVec<Arc<Topic>>,
    by_name: RwLock<HashMap<Arc<str>, u32>>,
    partitions: AtomicUsize,
}

impl Topics {
    /// Handles begin at 1.
    #[inline]
    pub fn get(&self, handle: u32) -> Option<&Arc<Topic>> {
        self.by_handle.get((handle as usize).checked_sub(1)?)
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_name.read().get(name).copied()
    }

    /// The topic's handle; a new one has the gate given.
    pub fn find_or_add(&self, name: &str, gate: Gate) -> u32 {
        let mut names = self.by_name.write();
        if let Some(handle) = names.get(name) {
            return *handle;
        }
        let name: Arc<str> = name.into();
        let handle = self.by_handle.len() as u32 + 1;
        self.by_handle.push(Topic::new(handle, name.clone(), gate));
        names.insert(name, handle);
        handle
    }

    pub fn is_empty(&self) -> bool {
        self.by_handle.get(0).is_none()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_handle.iter()
    }

    /// A number for a new partition.
    pub fn next_partition_id(&self) -> usize {
        self.partitions.fetch_add(1, Ordering::Relaxed)
    }
}

/// Kafka's rule for topic names: 1 to 249 of `[a-zA-Z0-9._-]`, not `.` nor `..`.
pub fn is_valid_topic_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_handle() {
        let topics = Topics::default();
        assert_eq!(topics.find_or_add("a", Gate::Open(0)), 1);
        assert_eq!(topics.find_or_add("b", Gate::Open(0)), 2);
        assert_eq!(topics.find_or_add("a", Gate::Open(0)), 1);
        assert_eq!(&*topics.get(2).unwrap().name, "b");
        assert!(topics.get(0).is_none());
        assert!(topics.get(3).is_none());
    }

    #[test]
    fn names_are_kafkas() {
        for good in ["a", "A-b_c.9", &"x".repeat(249)] {
            assert!(is_valid_topic_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_valid_topic_name(bad), "{bad}");
        }
    }
}
