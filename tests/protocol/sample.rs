//! Values for messages: varied, but the same in every run.

use kafka_protocol::protocol::StrBytes;
use kprod::protocol::Uuid;

/// A seeded source of values.
pub struct Gen(u64);

impl Gen {
    pub fn new(seed: u64) -> Gen {
        Gen(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// splitmix64.
    pub fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.u64() % n as u64) as usize
    }

    pub fn bool(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn i8(&mut self) -> i8 {
        self.u64() as i8
    }

    pub fn i16(&mut self) -> i16 {
        self.u64() as i16
    }

    pub fn i32(&mut self) -> i32 {
        self.u64() as i32
    }

    pub fn i64(&mut self) -> i64 {
        self.u64() as i64
    }

    pub fn uuid(&mut self) -> Uuid {
        let (high, low) = (self.u64().to_be_bytes(), self.u64().to_be_bytes());
        Uuid([high, low].concat().try_into().expect("sixteen bytes"))
    }

    /// Lengths around those at which compact lengths grow.
    pub fn string(&mut self) -> String {
        let length = [0, 1, 9, 126, 127, 128, 300][self.below(7)];
        (0..length)
            .map(|_| ['a', 'Z', '0', '.', 'é', '√'][self.below(6)])
            .collect()
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 1, 61, 127, 20_000][self.below(5)];
        (0..length).map(|_| self.u64() as u8).collect()
    }

    pub fn option<T>(&mut self, value: impl FnOnce(&mut Gen) -> T) -> Option<T> {
        if self.below(3) == 0 {
            None
        } else {
            Some(value(self))
        }
    }

    pub fn vec<T>(&mut self, mut element: impl FnMut(&mut Gen) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| element(self)).collect()
    }
}

pub fn text(s: &str) -> StrBytes {
    StrBytes::from_string(s.to_owned())
}

pub fn optional_text(s: &Option<String>) -> Option<StrBytes> {
    s.as_deref().map(text)
}

/// The oracle's type is not ours to name; its conversion from bytes is.
pub fn id<T: TryFrom<Vec<u8>, Error: std::fmt::Debug>>(uuid: Uuid) -> T {
    uuid.0.to_vec().try_into().expect("sixteen bytes")
}
