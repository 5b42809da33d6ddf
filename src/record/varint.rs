//! Zigzag varints and varlongs, the integers inside a record.

/// The most bytes a varint of 32 bits takes.
pub const MAX_VARINT: usize = 5;
/// The most bytes a varlong of 64 bits takes.
pub const MAX_VARLONG: usize = 10;

/// Why bytes are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarintError {
    /// The bytes end before the integer does.
    Truncated,
    /// More bits than the type has.
    TooLong,
}

impl std::fmt::Display for VarintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VarintError::Truncated => "the bytes end inside a varint",
            VarintError::TooLong => "a varint has more bits than its type",
        })
    }
}

impl std::error::Error for VarintError {}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// The bytes that `value` takes as a varint.
#[inline]
pub fn varint_size(value: i32) -> usize {
    varlong_size(i64::from(value))
}

/// The bytes that `value` takes as a varlong.
#[inline]
pub fn varlong_size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Writes `value` at the start of `out`, which holds at least `varint_size(value)` bytes, and gives the
/// number of bytes written.
#[inline]
pub fn write_varint(out: &mut [u8], value: i32) -> usize {
    write_varlong(out, i64::from(value))
}

/// Writes `value` at the start of `out`, which holds at least `varlong_size(value)` bytes, and gives the
/// number of bytes written.
#[inline]
pub fn write_varlong(out: &mut [u8], value: i64) -> usize {
    let mut rest = zigzag(value);
    let mut at = 0;
    while rest >= 0x80 {
        out[at] = rest as u8 | 0x80;
        rest >>= 7;
        at += 1;
    }
    out[at] = rest as u8;
    at + 1
}

/// Takes a varint from the front of `input`.
#[inline]
pub fn read_varint(input: &mut &[u8]) -> Result<i32, VarintError> {
    let value = read_bits(input, 32)?;
    Ok(unzigzag(value) as i32)
}

/// Takes a varlong from the front of `input`.
#[inline]
pub fn read_varlong(input: &mut &[u8]) -> Result<i64, VarintError> {
    read_bits(input, 64).map(unzigzag)
}

#[inline]
fn read_bits(input: &mut &[u8], bits: u32) -> Result<u64, VarintError> {
    let mut value = 0u64;
    let mut shift = 0;
    for (at, &byte) in input.iter().enumerate() {
        let low = u64::from(byte & 0x7f);
        let room = bits - shift;
        if room < 7 && low >> room != 0 {
            return Err(VarintError::TooLong);
        }
        value |= low << shift;
        if byte < 0x80 {
            *input = &input[at + 1..];
            return Ok(value);
        }
        shift += 7;
        if shift >= bits {
            return Err(VarintError::TooLong);
        }
    }
    Err(VarintError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_encodings() {
        let cases: [(i64, &[u8]); 9] = [
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (
                i64::MIN,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
        ];
        for (value, bytes) in cases {
            let mut out = [0; MAX_VARLONG];
            let len = write_varlong(&mut out, value);
            assert_eq!(&out[..len], bytes, "{value}");
            assert_eq!(varlong_size(value), len);
            assert_eq!(read_varlong(&mut &bytes[..]), Ok(value));
        }
    }

    #[test]
    fn hostile_varints_are_errors() {
        assert_eq!(read_varint(&mut &[][..]), Err(VarintError::Truncated));
        assert_eq!(
            read_varint(&mut &[0x80; 4][..]),
            Err(VarintError::Truncated)
        );
        assert_eq!(read_varint(&mut &[0x80; 5][..]), Err(VarintError::TooLong));
        let fifth_byte_overflows = [0xff, 0xff, 0xff, 0xff, 0x10];
        assert_eq!(
            read_varint(&mut &fifth_byte_overflows[..]),
            Err(VarintError::TooLong)
        );
        assert_eq!(
            read_varlong(&mut &[0xff; 64][..]),
            Err(VarintError::TooLong)
        );
    }

    proptest! {
        #[test]
        fn varints_round_trip(value: i32, tail: Vec<u8>) {
            let mut out = vec![0; MAX_VARINT];
            let len = write_varint(&mut out, value);
            prop_assert_eq!(len, varint_size(value));
            out.truncate(len);
            out.extend_from_slice(&tail);
            let mut rest = &out[..];
            prop_assert_eq!(read_varint(&mut rest), Ok(value));
            prop_assert_eq!(rest, &tail[..]);
        }

        #[test]
        fn varlongs_round_trip(value: i64) {
            let mut out = [0; MAX_VARLONG];
            let len = write_varlong(&mut out, value);
            prop_assert_eq!(len, varlong_size(value));
            prop_assert_eq!(read_varlong(&mut &out[..len]), Ok(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while read_varlong(&mut rest).is_ok() {}
        }
    }
}
