//! The hashes that turn a key into a partition, as Java's and librdkafka's producers compute them.

use std::num::NonZeroU32;

/// Java's murmur2 (`org.apache.kafka.common.utils.Utils`), seed included.
pub fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    // Java's length is an int; keys are far below 4 GiB.
    let mut hash = SEED ^ key.len() as u32;
    let words = key.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        let bytes = tail
            .iter()
            .rev()
            .fold(0, |bytes, &b| bytes << 8 | u32::from(b));
        hash = (hash ^ bytes).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

/// CRC-32 (IEEE), the hash of librdkafka's `consistent`.
pub fn crc32(key: &[u8]) -> u32 {
    crc32fast::hash(key)
}

/// FNV-1a of 32 bits in librdkafka's (and Sarama's) variant: the absolute value of the signed hash.
pub fn fnv1a(key: &[u8]) -> u32 {
    let hash = key.iter().fold(0x811c_9dc5u32, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash as i32).unsigned_abs()
}

/// librdkafka's partitioners by their configuration names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPartitioner {
    Random,
    Consistent,
    ConsistentRandom,
    Murmur2,
    Murmur2Random,
    Fnv1a,
    Fnv1aRandom,
}

impl KeyPartitioner {
    /// The partition that the key decides, or `None` where the choice is random.
    ///
    /// A null key hashes like an empty one under `consistent`, `murmur2` and `fnv1a`; `consistent_random` takes
    /// both for no key, the other `_random` ones only a null key.
    pub fn for_key(self, key: Option<&[u8]>, partitions: NonZeroU32) -> Option<u32> {
        let bytes = key.unwrap_or_default();
        let hash = match self {
            KeyPartitioner::Random => return None,
            KeyPartitioner::ConsistentRandom if bytes.is_empty() => return None,
            KeyPartitioner::Murmur2Random | KeyPartitioner::Fnv1aRandom if key.is_none() => {
                return None;
            }
            KeyPartitioner::Consistent | KeyPartitioner::ConsistentRandom => crc32(bytes),
            KeyPartitioner::Murmur2 | KeyPartitioner::Murmur2Random => murmur2(bytes) & 0x7fff_ffff,
            KeyPartitioner::Fnv1a | KeyPartitioner::Fnv1aRandom => fnv1a(bytes),
        };
        Some(hash % partitions)
    }

    /// The partition of a record, with `random` (uniform over `u32`) for where the key does not decide.
    pub fn partition(self, key: Option<&[u8]>, partitions: NonZeroU32, random: u32) -> u32 {
        self.for_key(key, partitions)
            .unwrap_or_else(|| random_partition(partitions, random))
    }
}

/// Maps a uniform `u32` to a uniform partition.
pub fn random_partition(partitions: NonZeroU32, random: u32) -> u32 {
    ((u64::from(random) * u64::from(partitions.get())) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("a test's partition count")
    }

    #[test]
    fn murmur2_is_javas() {
        let java: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (&[12, 42, 56, 24, 109, 111], 274_204_207),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in java {
            assert_eq!(murmur2(key) as i32, hash, "{key:?}");
        }
    }

    #[test]
    fn murmur2_is_librdkafkas() {
        let long = b"PreAmbleWillBeRemoved,ThePrePartThatIs";
        let vectors: [(&[u8], u32); 11] = [
            (b"kafka", 0xd067_cf64),
            (b"giberish123456789", 0x8f55_2b0c),
            (b"1234", 0x9fc9_7b14),
            (b"234", 0xe7c0_09ca),
            (b"34", 0x8739_30da),
            (b"4", 0x5a4b_5ca1),
            (long, 0x7842_4f1c),
            (&long[1..], 0x4a62_b377),
            (&long[2..], 0xe0e4_e09e),
            (&long[3..], 0x62b8_b43f),
            (b"", 0x106e_08d9),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key), hash, "{key:?}");
        }
    }

    #[test]
    fn murmur2_partitions_are_aiokafkas() {
        let partitions: [(&[u8], u32); 6] = [
            (b"", 681),
            (b"a", 524),
            (b"ab", 434),
            (b"abc", 107),
            (b"123456789", 566),
            (b"\x00 ", 742),
        ];
        for (key, partition) in partitions {
            let found = KeyPartitioner::Murmur2Random.for_key(Some(key), count(1000));
            assert_eq!(found, Some(partition), "{key:?}");
        }
    }

    #[test]
    fn fnv1a_is_librdkafkas() {
        let long = b"PreAmbleWillBeRemoved,ThePrePartThatIs";
        let vectors: [(&[u8], u32); 11] = [
            (b"kafka", 0x0d33_c4e1),
            (b"giberish123456789", 0x77a5_8295),
            (b"1234", 0x023b_dd03),
            (b"234", 0x2dea_3cd2),
            (b"34", 0x740f_a83e),
            (b"4", 0x310c_a263),
            (long, 0x65cb_d69c),
            (&long[1..], 0x6e49_c79a),
            (&long[2..], 0x69ee_d356),
            (&long[3..], 0x6abc_c023),
            (b"", 0x7ee3_623b),
        ];
        for (key, hash) in vectors {
            assert_eq!(fnv1a(key), hash, "{key:?}");
        }
    }

    #[test]
    fn crc32_is_ieee() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn null_and_empty_keys_differ_by_partitioner() {
        use KeyPartitioner::*;
        let n = count(7);
        let table = [
            (Random, None, None),
            (Consistent, Some(0), Some(0)),
            (ConsistentRandom, None, None),
            (Murmur2, Some(0x106e_08d9 % 7), Some(0x106e_08d9 % 7)),
            (Murmur2Random, None, Some(0x106e_08d9 % 7)),
            (Fnv1a, Some(0x7ee3_623b % 7), Some(0x7ee3_623b % 7)),
            (Fnv1aRandom, None, Some(0x7ee3_623b % 7)),
        ];
        for (partitioner, null, empty) in table {
            assert_eq!(partitioner.for_key(None, n), null, "{partitioner:?}, null");
            assert_eq!(
                partitioner.for_key(Some(b""), n),
                empty,
                "{partitioner:?}, empty"
            );
        }
    }

    #[test]
    fn a_random_choice_covers_every_partition_evenly() {
        let n = count(6);
        let mut hits = [0u32; 6];
        for step in 0..6000u32 {
            let random = step.wrapping_mul(u32::MAX / 6000);
            hits[KeyPartitioner::Random.partition(Some(b"k"), n, random) as usize] += 1;
        }
        assert!(hits.iter().all(|&h| (990..=1010).contains(&h)), "{hits:?}");
        assert_eq!(random_partition(n, u32::MAX), 5);
        assert_eq!(random_partition(count(1), u32::MAX), 0);
    }
}
