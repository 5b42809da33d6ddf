//! The lz4 frame as Kafka wants it: independent 64 KiB blocks, no sizes, no content checksum.

use super::compression::{Codec, CompressionError};
use lz4_flex::block::{
    CompressError, CompressTable, compress_into_with_table, decompress_into,
    get_maximum_output_size,
};

/// Magic, FLG (version 1, independent blocks), BD (64 KiB blocks) and the header checksum over the latter two
/// (KIP-57).
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const END_MARK: [u8; 4] = [0; 4];
const BLOCK: usize = 64 * 1024;
/// The bit of a block's length that says it is stored as it was.
const STORED: u32 = 0x8000_0000;

/// The most bytes that `FrameWriter::write` needs for `len` bytes of input.
pub fn max_frame_len(len: usize) -> usize {
    let blocks = len.div_ceil(BLOCK);
    HEADER.len() + blocks * (4 + get_maximum_output_size(BLOCK)) + END_MARK.len()
}

/// Writes frames with one table for all of them.
pub struct FrameWriter {
    table: CompressTable,
}

impl Default for FrameWriter {
    fn default() -> Self {
        FrameWriter {
            table: CompressTable::large(),
        }
    }
}

impl FrameWriter {
    /// Writes `input` as one frame to `output`, which has `max_frame_len(input.len())` bytes, and gives its
    /// length.
    pub fn write(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, CompressError> {
        output[..HEADER.len()].copy_from_slice(&HEADER);
        let mut at = HEADER.len();
        for block in input.chunks(BLOCK) {
            let (length, rest) = output[at..].split_at_mut(4);
            let packed = compress_into_with_table(block, rest, &mut self.table)?;
            let (written, mark) = if packed < block.len() {
                (packed, packed as u32)
            } else {
                rest[..block.len()].copy_from_slice(block);
                (block.len(), block.len() as u32 | STORED)
            };
            length.copy_from_slice(&mark.to_le_bytes());
            at += 4 + written;
        }
        output[at..at + END_MARK.len()].copy_from_slice(&END_MARK);
        Ok(at + END_MARK.len())
    }
}

fn corrupt(message: &'static str) -> CompressionError {
    CompressionError::Corrupt {
        codec: Codec::Lz4,
        message,
    }
}

/// What a frame's descriptor says about its blocks.
struct Descriptor {
    max_block: usize,
    block_checksums: bool,
}

/// Decompresses one frame into at most `max_output` bytes, with the rules of Kafka's own reader: independent
/// blocks, a right header checksum, an end mark. Checksums of blocks and content are passed over.
pub fn read_frame(input: &[u8], max_output: usize) -> Result<Vec<u8>, CompressionError> {
    let (descriptor, mut rest) = read_descriptor(input)?;
    let mut output = Vec::new();
    loop {
        let (length, tail) = rest
            .split_first_chunk()
            .ok_or(corrupt("the end mark is missing"))?;
        let length = u32::from_le_bytes(*length);
        if length == 0 {
            return Ok(output);
        }
        let stored = length & STORED != 0;
        let length = (length & !STORED) as usize;
        if length > descriptor.max_block {
            return Err(corrupt("a block is larger than the frame allows"));
        }
        let (block, tail) = tail
            .split_at_checked(length)
            .ok_or(corrupt("the bytes end inside a block"))?;
        append_block(block, stored, descriptor.max_block, &mut output, max_output)?;
        rest = if descriptor.block_checksums {
            tail.get(4..)
                .ok_or(corrupt("the bytes end inside a block's checksum"))?
        } else {
            tail
        };
    }
}

fn read_descriptor(input: &[u8]) -> Result<(Descriptor, &[u8]), CompressionError> {
    let rest = input
        .strip_prefix(&HEADER[..4])
        .ok_or(corrupt("no lz4 frame magic"))?;
    let [flags, sizes, ..] = *rest else {
        return Err(corrupt("the bytes end inside the frame header"));
    };
    if flags >> 6 != 1 {
        return Err(corrupt("the frame version is not 1"));
    }
    if flags & 0x20 == 0 {
        return Err(corrupt("the blocks depend on each other"));
    }
    if flags & 0x03 != 0 || sizes & 0x8f != 0 {
        return Err(corrupt("a reserved bit or a dictionary"));
    }
    let max_block = match sizes >> 4 {
        code @ 4..=7 => 1usize << (2 * code + 8),
        _ => return Err(corrupt("an unknown block size")),
    };
    let content_size = if flags & 0x08 != 0 { 8 } else { 0 };
    let (described, tail) = rest
        .split_at_checked(2 + content_size)
        .ok_or(corrupt("the bytes end inside the frame header"))?;
    let (&checksum, tail) = tail
        .split_first()
        .ok_or(corrupt("the bytes end inside the frame header"))?;
    if (xxh32_of_short(described) >> 8) as u8 != checksum {
        return Err(corrupt("the header checksum does not match"));
    }
    let descriptor = Descriptor {
        max_block,
        block_checksums: flags & 0x10 != 0,
    };
    Ok((descriptor, tail))
}

fn append_block(
    block: &[u8],
    stored: bool,
    max_block: usize,
    output: &mut Vec<u8>,
    max_output: usize,
) -> Result<(), CompressionError> {
    /// A byte of a match length stands for 255 bytes, so a block holds no more than this times its own length.
    const MAX_RATIO: usize = 256;
    let too_large = CompressionError::TooLarge {
        codec: Codec::Lz4,
        limit: max_output,
    };
    let start = output.len();
    if stored {
        if block.len() > max_output - start {
            return Err(too_large);
        }
        output.extend_from_slice(block);
        return Ok(());
    }
    let room = max_block.min(block.len() * MAX_RATIO);
    output.resize(start + room, 0);
    let written = decompress_into(block, &mut output[start..])
        .map_err(|_| corrupt("a block can't be decompressed"))?;
    output.truncate(start + written);
    if output.len() > max_output {
        return Err(too_large);
    }
    Ok(())
}

/// xxHash32 with seed 0 of fewer than 16 bytes: all that a frame header takes.
fn xxh32_of_short(bytes: &[u8]) -> u32 {
    const P1: u32 = 0x9e37_79b1;
    const P2: u32 = 0x85eb_ca77;
    const P3: u32 = 0xc2b2_ae3d;
    const P4: u32 = 0x27d4_eb2f;
    const P5: u32 = 0x1656_67b1;
    let mut hash = P5.wrapping_add(bytes.len() as u32);
    let words = bytes.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        hash = hash.wrapping_add(word.wrapping_mul(P3));
        hash = hash.rotate_left(17).wrapping_mul(P4);
    }
    for &byte in tail {
        hash = hash.wrapping_add(u32::from(byte).wrapping_mul(P5));
        hash = hash.rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ hash >> 15).wrapping_mul(P2);
    hash = (hash ^ hash >> 13).wrapping_mul(P3);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_header_has_the_right_checksum() {
        assert_eq!((xxh32_of_short(&HEADER[4..6]) >> 8) as u8, HEADER[6]);
        assert_eq!(xxh32_of_short(b""), 0x02cc_5d05);
        assert_eq!(xxh32_of_short(b"abc"), 0x32d1_53ff);
    }

    #[test]
    fn a_frame_of_another_writer_is_read() {
        // Content size, block checksums and 256 KiB blocks; one stored and one compressed block.
        let described = [0x78, 0x50, 6, 0, 0, 0, 0, 0, 0, 0];
        let mut frame = HEADER[..4].to_vec();
        frame.extend_from_slice(&described);
        frame.push((xxh32_of_short(&described) >> 8) as u8);
        frame.extend_from_slice(&[3, 0, 0, 0x80, b'a', b'b', b'c', 1, 2, 3, 4]);
        frame.extend_from_slice(&[4, 0, 0, 0, 0x30, b'd', b'e', b'f', 1, 2, 3, 4]);
        frame.extend_from_slice(&END_MARK);
        assert_eq!(read_frame(&frame, 6), Ok(b"abcdef".to_vec()));
        assert!(read_frame(&frame, 5).is_err());
        for cut in 0..frame.len() {
            assert!(read_frame(&frame[..cut], 6).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn frames_that_kafka_refuses_are_refused() {
        let mut output = vec![0; max_frame_len(3)];
        let len = FrameWriter::default()
            .write(b"abc", &mut output)
            .expect("writes");
        output.truncate(len);
        for (at, value, says) in [
            (0, 0, "magic"),
            (4, 0xa0, "version"),
            (4, 0x40, "depend"),
            (4, 0x61, "dictionary"),
            (5, 0x30, "block size"),
            (5, 0x50, "checksum"),
            (6, 0x83, "checksum"),
        ] {
            let mut frame = output.clone();
            frame[at] = value;
            let error = read_frame(&frame, 100).expect_err("refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
