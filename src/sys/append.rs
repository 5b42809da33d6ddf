//! Appending a short record to a buffer with one check of its room: the innermost loop of a producer.

/// Room behind the record's own bytes that `append_record` wants to see.
pub const APPEND_SLACK: usize = 32;

/// From here on a varint has two bytes, and more than two.
const LONG: u32 = 0x80;
const TOO_LONG: u64 = 0x4000;

/// A record whose varints all have one byte or two, and which has no headers.
#[derive(Clone, Copy, Debug)]
pub struct ShortRecord<'a> {
    /// Zigzag-encoded, all below 2^14.
    pub timestamp_delta: u64,
    pub offset_delta: u64,
    pub key_length: u32,
    pub value_length: u32,
    pub key: &'a [u8],
    pub value: &'a [u8],
}

/// Attributes, four varints of two bytes, the number of headers.
const MAX_FIELDS: usize = 1 + 4 * 2 + 1;
/// A body of this length or more takes two bytes to say so.
const LONG_BODY: usize = LONG as usize / 2;

/// Appends the record and gives the number of its bytes. `None`, and nothing has changed, if it is not so short, if it
/// could have more than `limit` bytes were all its fields at their longest, or if `out` has not room for that and
/// `APPEND_SLACK` without moving; also for the few lengths of which it is not clear beforehand whether they take one
/// byte or two.
#[inline(always)]
pub fn append_record(out: &mut Vec<u8>, record: ShortRecord<'_>, limit: usize) -> Option<usize> {
    let ShortRecord {
        timestamp_delta,
        offset_delta,
        key_length,
        value_length,
        key,
        value,
    } = record;
    let payload = key.len() + value.len();
    if (timestamp_delta | offset_delta | u64::from(key_length | value_length)) >= TOO_LONG
        || payload >= TOO_LONG as usize / 2 - MAX_FIELDS
    {
        return None;
    }
    // The length stands first and is known last, but not how much room it takes.
    let front = if payload >= LONG_BODY {
        2
    } else if payload < LONG_BODY - MAX_FIELDS {
        1
    } else {
        return None;
    };
    let old = out.len();
    let longest = payload + MAX_FIELDS + 2;
    if longest > limit || out.capacity() - old < longest + APPEND_SLACK {
        return None;
    }
    // SAFETY: from `old` on the buffer owns room for the payload, all fields at their longest, and `APPEND_SLACK` bytes;
    // the writes follow one another and advance by no more than that. The slices cannot overlap a buffer that is
    // borrowed mutably. All bytes up to the new length have been written: `front` is the size of the length, because
    // with at least `LONG_BODY` bytes of payload the body has as many, and with fewer than that less all fields it has
    // not.
    unsafe {
        let start = out.as_mut_ptr().add(old);
        let mut at = start.add(front);
        at.write(0);
        at = put(at.add(1), timestamp_delta as u32);
        at = put(at, offset_delta as u32);
        at = put(at, key_length);
        if !key.is_empty() {
            at.copy_from_nonoverlapping(key.as_ptr(), key.len());
            at = at.add(key.len());
        }
        at = put(at, value_length);
        at.copy_from_nonoverlapping(value.as_ptr(), value.len());
        at = at.add(value.len());
        at.write(0);
        let total = at.offset_from_unsigned(start) + 1;
        put(start, ((total - front) as u32) << 1);
        out.set_len(old + total);
        Some(total)
    }
}

/// Writes a varint below 2^14 and gives the place behind it.
///
/// # Safety
/// Two bytes at `at` are writable, where the varint has two.
#[inline(always)]
unsafe fn put(at: *mut u8, value: u32) -> *mut u8 {
    // SAFETY: as the caller promises; the bytes need no alignment.
    unsafe {
        if value < LONG {
            at.write(value as u8);
            at.add(1)
        } else {
            let encoded = value & 0x7f | LONG | (value & 0x3f80) << 1;
            at.copy_from_nonoverlapping((encoded as u16).to_le_bytes().as_ptr(), 2);
            at.add(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(key: &'a [u8], value: &'a [u8]) -> ShortRecord<'a> {
        ShortRecord {
            timestamp_delta: 3,
            offset_delta: 300,
            key_length: (key.len() as u32) << 1,
            value_length: (value.len() as u32) << 1,
            key,
            value,
        }
    }

    #[test]
    fn the_fields_stand_one_behind_the_other() {
        let mut out = Vec::with_capacity(100);
        out.extend_from_slice(b"x");
        let expected = b"x\x1e\x00\x03\xac\x02\x06key\x0avalue\x00";
        assert_eq!(
            append_record(&mut out, record(b"key", b"value"), 20),
            Some(16)
        );
        assert_eq!(out, expected[..17]);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut out = Vec::with_capacity(200);
        out.push(7);
        let longest = vec![1; out.capacity() - 1 - APPEND_SLACK - MAX_FIELDS - 2];
        let too_long = vec![1; longest.len() + 1];
        assert_eq!(append_record(&mut out, record(b"", &too_long), 1000), None);
        assert_eq!(append_record(&mut out, record(b"", b"value"), 16), None);
        let mut huge = record(b"", b"");
        huge.timestamp_delta = TOO_LONG;
        assert_eq!(append_record(&mut out, huge, 1000), None);
        assert_eq!(out, [7]);
        assert!(append_record(&mut out, record(b"", b"value"), 17).is_some());
        out.truncate(1);
        assert!(append_record(&mut out, record(b"", &longest), 1000).is_some());
    }

    #[test]
    fn lengths_near_an_edge_are_refused() {
        let value = vec![0; 8_200];
        let mut out = Vec::with_capacity(20_000);
        let mut taken = |len: usize| {
            out.clear();
            append_record(&mut out, record(b"", &value[..len]), 20_000).is_some()
        };
        assert!(taken(LONG_BODY - MAX_FIELDS - 1) && taken(LONG_BODY));
        assert!(!taken(LONG_BODY - MAX_FIELDS) && !taken(LONG_BODY - 1));
        assert!(taken(8_181) && !taken(8_182));
    }
}
