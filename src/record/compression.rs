//! Compressing and decompressing the records section of a batch in Kafka's four codecs.

use std::io::Read;

use super::lz4;
use crate::sys::NoMemory;
use flate2::{Compress, Compression, FlushCompress, Status};

/// The codec of a batch, numbered as in its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    pub fn id(self) -> u8 {
        self as u8
    }

    pub fn from_id(id: u8) -> Option<Codec> {
        Codec::ALL.get(usize::from(id)).copied()
    }

    /// The name in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompressionError {
    /// The codec's library has no such level.
    Level { codec: Codec, level: i32 },
    /// The codec's library failed.
    Library { codec: Codec, message: String },
    /// The compressed bytes are not what the codec writes.
    Corrupt { codec: Codec, message: &'static str },
    /// The decompressed bytes would be more than allowed.
    TooLarge { codec: Codec, limit: usize },
    /// The system has no memory for the result, or on the way to it.
    NoMemory,
}

impl From<NoMemory> for CompressionError {
    fn from(_: NoMemory) -> Self {
        CompressionError::NoMemory
    }
}

impl std::fmt::Display for CompressionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompressionError::Level { codec, level } => {
                write!(f, "{} has no compression level {level}: ", codec.name())?;
                match codec {
                    Codec::Gzip => f.write_str("its levels are -1 (default) and 0 to 9"),
                    Codec::Zstd => {
                        let levels = zstd::compression_level_range();
                        write!(f, "its levels are {} to {}", levels.start(), levels.end())
                    }
                    Codec::None | Codec::Snappy | Codec::Lz4 => {
                        f.write_str("this library's codec has no levels, leave it unset")
                    }
                }
            }
            CompressionError::Library { codec, message } => {
                write!(f, "{}: {message}", codec.name())
            }
            CompressionError::Corrupt { codec, message } => {
                write!(f, "not {} data: {message}", codec.name())
            }
            CompressionError::TooLarge { codec, limit } => {
                write!(f, "{} data of more than {limit} bytes", codec.name())
            }
            CompressionError::NoMemory => f.write_str("there is no memory for it"),
        }
    }
}

impl std::error::Error for CompressionError {}

/// Checks that the codec's library has `level`; `None` is its default.
pub fn check_level(codec: Codec, level: Option<i32>) -> Result<(), CompressionError> {
    let Some(level) = level else { return Ok(()) };
    let known = match codec {
        Codec::None | Codec::Snappy | Codec::Lz4 => false,
        Codec::Gzip => (-1..=9).contains(&level),
        Codec::Zstd => zstd::compression_level_range().contains(&level),
    };
    if known {
        Ok(())
    } else {
        Err(CompressionError::Level { codec, level })
    }
}

/// What a thread keeps between batches: codec states and buffers, each made when first needed.
#[derive(Default)]
pub struct CompressContext {
    input: Vec<u8>,
    output: Vec<u8>,
    gzip: Option<(Compression, Compress)>,
    snappy: Option<snap::raw::Encoder>,
    lz4: Option<lz4::FrameWriter>,
    zstd: Option<(i32, zstd::bulk::Compressor<'static>)>,
}

/// Buffers that one large batch left behind are not kept above this size.
const KEPT_BUFFER: usize = 1 << 20;

/// Compresses the records section made of `chunks`, `total` bytes together. `None` where the codec is
/// [`Codec::None`] or the result would not be smaller: the batch then goes uncompressed.
pub fn compress(
    codec: Codec,
    level: Option<i32>,
    chunks: &[impl AsRef<[u8]>],
    total: usize,
    ctx: &mut CompressContext,
) -> Result<Option<Vec<u8>>, CompressionError> {
    check_level(codec, level)?;
    let mut gathered = std::mem::take(&mut ctx.input);
    let input = contiguous(chunks, total, &mut gathered)?;
    let written = match codec {
        Codec::None => Ok(None),
        Codec::Gzip => ctx.gzip(input, level),
        Codec::Snappy => ctx.snappy(input).map(Some),
        Codec::Lz4 => ctx.lz4(input).map(Some),
        Codec::Zstd => ctx.zstd(input, level).map(Some),
    };
    let result = written.and_then(|written| {
        let smaller = written.filter(|&len| len < input.len());
        Ok(smaller.map(|len| copy_of(&ctx.output[..len])).transpose()?)
    });
    ctx.input = gathered;
    ctx.shrink();
    result
}

/// The chunks as one slice: the only chunk itself, or all of them copied together.
fn contiguous<'a>(
    chunks: &'a [impl AsRef<[u8]>],
    total: usize,
    gathered: &'a mut Vec<u8>,
) -> Result<&'a [u8], NoMemory> {
    if let [only] = chunks {
        return Ok(only.as_ref());
    }
    gathered.clear();
    gathered.try_reserve(total)?;
    for chunk in chunks {
        gathered.extend_from_slice(chunk.as_ref());
    }
    Ok(gathered)
}

/// `buffer`'s first `len` bytes, grown to that where it is shorter.
fn space(buffer: &mut Vec<u8>, len: usize) -> Result<&mut [u8], NoMemory> {
    if buffer.len() < len {
        buffer.try_reserve(len - buffer.len())?;
        buffer.resize(len, 0);
    }
    Ok(&mut buffer[..len])
}

fn copy_of(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

fn library(codec: Codec, error: impl std::fmt::Display) -> CompressionError {
    CompressionError::Library {
        codec,
        message: error.to_string(),
    }
}

impl CompressContext {
    /// One gzip member. `None` where it would not fit into the input's own length.
    fn gzip(
        &mut self,
        input: &[u8],
        level: Option<i32>,
    ) -> Result<Option<usize>, CompressionError> {
        let level = match level {
            None | Some(-1) => Compression::default(),
            Some(level) => Compression::new(level.unsigned_abs()),
        };
        if self.gzip.as_ref().is_none_or(|(made, _)| *made != level) {
            self.gzip = Some((level, Compress::new_gzip(level, 15)));
        }
        let Some((_, state)) = &mut self.gzip else {
            return Ok(None);
        };
        state.reset();
        let output = space(&mut self.output, input.len())?;
        let status = state
            .compress(input, output, FlushCompress::Finish)
            .map_err(|e| library(Codec::Gzip, e))?;
        Ok((status == Status::StreamEnd).then(|| state.total_out() as usize))
    }

    /// One raw block: brokers and consumers take it as well as Java's xerial framing, and it is smaller.
    fn snappy(&mut self, input: &[u8]) -> Result<usize, CompressionError> {
        let output = space(&mut self.output, snap::raw::max_compress_len(input.len()))?;
        self.snappy
            .get_or_insert_with(snap::raw::Encoder::new)
            .compress(input, output)
            .map_err(|e| library(Codec::Snappy, e))
    }

    fn lz4(&mut self, input: &[u8]) -> Result<usize, CompressionError> {
        let output = space(&mut self.output, lz4::max_frame_len(input.len()))?;
        self.lz4
            .get_or_insert_default()
            .write(input, output)
            .map_err(|e| library(Codec::Lz4, e))
    }

    /// One frame with its content size; a context of its own per batch would cost more than the compression.
    fn zstd(&mut self, input: &[u8], level: Option<i32>) -> Result<usize, CompressionError> {
        let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
        if self.zstd.as_ref().is_none_or(|(made, _)| *made != level) {
            let made = zstd::bulk::Compressor::new(level).map_err(|e| library(Codec::Zstd, e))?;
            self.zstd = Some((level, made));
        }
        let Some((_, state)) = &mut self.zstd else {
            return Ok(0);
        };
        let output = space(&mut self.output, zstd::compress_bound(input.len()))?;
        state
            .compress_to_buffer(input, output)
            .map_err(|e| library(Codec::Zstd, e))
    }

    fn shrink(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
    }
}

/// Decompresses a records section into at most `max_output` bytes. The memory taken grows with what is really
/// decompressed, not with what the bytes announce.
pub fn decompress(
    codec: Codec,
    input: &[u8],
    max_output: usize,
) -> Result<Vec<u8>, CompressionError> {
    match codec {
        Codec::None if input.len() > max_output => Err(CompressionError::TooLarge {
            codec,
            limit: max_output,
        }),
        Codec::None => Ok(input.to_vec()),
        Codec::Gzip => read_bounded(codec, flate2::read::GzDecoder::new(input), max_output),
        Codec::Snappy => decompress_snappy(input, max_output),
        Codec::Lz4 => lz4::read_frame(input, max_output),
        Codec::Zstd => decompress_zstd(input, max_output),
    }
}

fn read_bounded(
    codec: Codec,
    decoder: impl Read,
    max_output: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut output = Vec::new();
    let limit = max_output as u64;
    decoder
        .take(limit.saturating_add(1))
        .read_to_end(&mut output)
        .map_err(|e| library(codec, e))?;
    if output.len() > max_output {
        return Err(CompressionError::TooLarge {
            codec,
            limit: max_output,
        });
    }
    Ok(output)
}

fn decompress_zstd(input: &[u8], max_output: usize) -> Result<Vec<u8>, CompressionError> {
    let error = |e| library(Codec::Zstd, e);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(error)?;
    // A frame may ask for a window of 2 GiB before its first byte is out.
    let window = max_output.max(1).ilog2() + 1;
    decoder
        .window_log_max(window.clamp(23, 27))
        .map_err(error)?;
    read_bounded(Codec::Zstd, decoder, max_output)
}

/// Java's stream framing: this, two version numbers, then blocks with their lengths.
const XERIAL_MAGIC: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER: usize = 16;

fn decompress_snappy(input: &[u8], max_output: usize) -> Result<Vec<u8>, CompressionError> {
    let mut output = Vec::new();
    if !input.starts_with(XERIAL_MAGIC) {
        append_snappy_block(input, &mut output, max_output)?;
        return Ok(output);
    }
    let mut rest = input.get(XERIAL_HEADER..).ok_or(XERIAL_TRUNCATED)?;
    while !rest.is_empty() {
        let (len, tail) = rest.split_first_chunk().ok_or(XERIAL_TRUNCATED)?;
        let len = u32::from_be_bytes(*len) as usize;
        let (block, tail) = tail.split_at_checked(len).ok_or(XERIAL_TRUNCATED)?;
        append_snappy_block(block, &mut output, max_output)?;
        rest = tail;
    }
    Ok(output)
}

const XERIAL_TRUNCATED: CompressionError = CompressionError::Corrupt {
    codec: Codec::Snappy,
    message: "the bytes end inside a xerial block",
};

fn append_snappy_block(
    block: &[u8],
    output: &mut Vec<u8>,
    max_output: usize,
) -> Result<(), CompressionError> {
    /// A copy of up to 64 bytes takes three, so no block honestly announces more than this.
    const MAX_RATIO: usize = 32;
    let error = |e| library(Codec::Snappy, e);
    let len = snap::raw::decompress_len(block).map_err(error)?;
    if len > block.len().saturating_mul(MAX_RATIO) {
        return Err(CompressionError::Corrupt {
            codec: Codec::Snappy,
            message: "a block announces more than it can hold",
        });
    }
    let start = output.len();
    if len > max_output - start {
        return Err(CompressionError::TooLarge {
            codec: Codec::Snappy,
            limit: max_output,
        });
    }
    output.resize(start + len, 0);
    snap::raw::Decoder::new()
        .decompress(block, &mut output[start..])
        .map_err(error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    fn text(len: usize) -> Vec<u8> {
        b"partition, offset, timestamp; "
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(len)
        .collect()
    }

    #[test]
    fn every_codec_round_trips_at_every_size_with_one_context() {
        let mut ctx = CompressContext::default();
        for codec in CODECS {
            for len in [200, 65_535, 65_536, 65_537, 200_000, 2_000_000, 300] {
                let raw = text(len);
                let (left, right) = raw.split_at(len / 3);
                let packed = compress(codec, None, &[left, right], len, &mut ctx)
                    .expect("compresses")
                    .expect("text shrinks");
                assert!(packed.len() < len / 2, "{codec:?} {len}: {}", packed.len());
                assert_eq!(
                    decompress(codec, &packed, len).as_ref(),
                    Ok(&raw),
                    "{codec:?}"
                );
                assert_eq!(
                    decompress(codec, &packed, len - 1),
                    Err(CompressionError::TooLarge {
                        codec,
                        limit: len - 1
                    })
                );
            }
        }
    }

    #[test]
    fn what_does_not_shrink_goes_uncompressed() {
        let mut ctx = CompressContext::default();
        for codec in CODECS {
            for raw in [noise(3), noise(70_000), Vec::new()] {
                let packed = compress(codec, None, &[&raw], raw.len(), &mut ctx);
                assert_eq!(packed, Ok(None), "{codec:?} {}", raw.len());
            }
        }
        let raw = text(1000);
        assert_eq!(
            compress(Codec::None, None, &[&raw], 1000, &mut ctx),
            Ok(None)
        );
    }

    #[test]
    fn mixed_blocks_round_trip() {
        let raw = [text(70_000), noise(70_000), text(70_000)].concat();
        let mut ctx = CompressContext::default();
        for codec in CODECS {
            let packed = compress(codec, None, &[&raw], raw.len(), &mut ctx)
                .expect("compresses")
                .expect("shrinks");
            assert_eq!(decompress(codec, &packed, raw.len()), Ok(raw.clone()));
        }
    }

    #[test]
    fn levels_matter_and_unknown_ones_say_what_there_is() {
        let raw: Vec<u8> = (0..30_000u32)
            .flat_map(|i| format!("{}", i * 7).into_bytes())
            .collect();
        let mut ctx = CompressContext::default();
        let mut size = |codec, level| {
            compress(codec, Some(level), &[&raw], raw.len(), &mut ctx)
                .expect("a level of the library")
                .map_or(raw.len(), |packed| packed.len())
        };
        assert!(size(Codec::Gzip, 9) < size(Codec::Gzip, 1));
        assert!(size(Codec::Zstd, 19) < size(Codec::Zstd, -50));
        assert_eq!(size(Codec::Gzip, -1), size(Codec::Gzip, 6));
        let refused = [
            (Codec::Gzip, 10, "0 to 9"),
            (Codec::Gzip, -2, "0 to 9"),
            (Codec::Zstd, 23, "-131072 to 22"),
            (Codec::Zstd, i32::MIN, "-131072 to 22"),
            (Codec::Lz4, 9, "no levels"),
            (Codec::Snappy, 1, "no levels"),
        ];
        for (codec, level, says) in refused {
            let error = compress(codec, Some(level), &[&raw], raw.len(), &mut ctx);
            let error = error.expect_err("no such level").to_string();
            assert!(
                error.contains(says) && error.contains(&level.to_string()),
                "{error}"
            );
        }
    }

    #[test]
    fn snappy_is_read_in_javas_framing_too() {
        let raw = text(100_000);
        let mut framed = XERIAL_MAGIC.to_vec();
        framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        for chunk in raw.chunks(32 * 1024) {
            let block = snap::raw::Encoder::new()
                .compress_vec(chunk)
                .expect("compresses");
            framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
            framed.extend_from_slice(&block);
        }
        assert_eq!(decompress(Codec::Snappy, &framed, raw.len()), Ok(raw));
        for cut in 9..60 {
            assert!(decompress(Codec::Snappy, &framed[..cut], 1 << 20).is_err() || cut == 16);
        }
    }

    #[test]
    fn announced_sizes_take_no_memory() {
        // Four GiB announced in five bytes, by both framings.
        let raw = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(decompress(Codec::Snappy, &raw, usize::MAX).is_err());
        let mut framed = XERIAL_MAGIC.to_vec();
        framed.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
        assert!(decompress(Codec::Snappy, &framed, usize::MAX).is_err());
        // A zstd frame with a window of 2 GiB.
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        assert!(decompress(Codec::Zstd, &window, 1 << 20).is_err());
    }

    proptest! {
        #[test]
        fn any_section_round_trips(raw in proptest::collection::vec(0u8..6, 0..4000), at in 0usize..4000) {
            let mut ctx = CompressContext::default();
            let (left, right) = raw.split_at(at.min(raw.len()));
            for codec in CODECS {
                let packed = compress(codec, None, &[left, right], raw.len(), &mut ctx)?;
                if let Some(packed) = packed {
                    prop_assert!(packed.len() < raw.len());
                    prop_assert_eq!(&decompress(codec, &packed, raw.len())?, &raw);
                }
            }
        }

        #[test]
        fn damaged_bytes_never_panic(at in 0usize..300, to: u8, cut in 0usize..300) {
            let raw = text(3000);
            let mut ctx = CompressContext::default();
            for codec in CODECS {
                let mut packed = compress(codec, None, &[&raw], raw.len(), &mut ctx)?.expect("shrinks");
                let at = at % packed.len();
                packed[at] = to;
                packed.truncate(packed.len() - cut % packed.len());
                if let Ok(output) = decompress(codec, &packed, 5000) {
                    prop_assert!(output.len() <= 5000);
                }
            }
        }
    }
}
