//! The wire's primitive types: a bounded reader and the writer that mirrors it.

use super::{ErrorKind, ProtocolError, Result, Uuid};
use bytes::{BufMut, Bytes, BytesMut};

/// Reads primitive types from bytes that nobody vouches for.
///
/// A flexible reader reads lengths in their compact form, which is all that differs.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
    flexible: bool,
    /// Where `buf` is memory that can be shared instead of copied.
    owner: Option<&'a Bytes>,
    /// Where `buf` begins in the message, for errors.
    base: usize,
}

impl<'a> Reader<'a> {
    pub fn new(buf: &'a [u8], flexible: bool) -> Self {
        Reader {
            buf,
            pos: 0,
            flexible,
            owner: None,
            base: 0,
        }
    }

    /// A reader whose [`Reader::records`] are slices of `buf` and not copies.
    pub fn shared(buf: &'a Bytes, flexible: bool) -> Self {
        Reader {
            owner: Some(buf),
            ..Reader::new(buf, flexible)
        }
    }

    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> usize {
        self.pos
    }

    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    fn error(&self, kind: ErrorKind) -> ProtocolError {
        ProtocolError::new(kind, self.base + self.pos)
    }

    fn bad_length(&self, length: i64) -> ProtocolError {
        self.error(ErrorKind::BadLength {
            length,
            left: self.remaining(),
        })
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let rest = &self.buf[self.pos..];
        match rest.get(..n) {
            Some(bytes) => {
                self.pos += n;
                Ok(bytes)
            }
            None => Err(self.error(ErrorKind::Truncated {
                needed: n,
                left: rest.len(),
            })),
        }
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn i8(&mut self) -> Result<i8> {
        Ok(i8::from_be_bytes(self.array_of()?))
    }

    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.i8()? != 0)
    }

    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array_of()?))
    }

    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array_of()?))
    }

    /// A number that counts from 0.
    pub fn index(&mut self) -> Result<i32> {
        let at = self.base + self.pos;
        match self.i32()? {
            index if index < 0 => Err(ProtocolError::new(ErrorKind::BadIndex { index }, at)),
            index => Ok(index),
        }
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array_of()?))
    }

    pub fn uuid(&mut self) -> Result<Uuid> {
        Ok(Uuid(self.array_of()?))
    }

    /// An unsigned variable-length integer of 32 bits.
    pub fn uvarint(&mut self) -> Result<u32> {
        let start = self.pos;
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.take(1)?[0];
            if shift == 28 && byte > 0x0F {
                break;
            }
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        self.pos = start;
        Err(self.error(ErrorKind::BadVarint))
    }

    /// A compact length, or one whose old form is read by `fixed`. `None` is null.
    fn length(&mut self, fixed: fn(&mut Self) -> Result<i64>) -> Result<Option<usize>> {
        let start = self.pos;
        let length = if self.flexible {
            i64::from(self.uvarint()?) - 1
        } else {
            fixed(self)?
        };
        match length {
            -1 => Ok(None),
            n if n >= 0 => Ok(Some(n as usize)),
            n => {
                self.pos = start;
                Err(self.bad_length(n))
            }
        }
    }

    fn non_null<T>(&self, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.error(ErrorKind::UnexpectedNull))
    }

    /// A nullable string, borrowed.
    pub fn nullable_str(&mut self) -> Result<Option<&'a str>> {
        let Some(length) = self.length(|r| r.i16().map(i64::from))? else {
            return Ok(None);
        };
        let start = self.pos;
        match std::str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(Some(text)),
            Err(_) => {
                self.pos = start;
                Err(self.error(ErrorKind::BadUtf8))
            }
        }
    }

    /// A string, borrowed.
    pub fn str(&mut self) -> Result<&'a str> {
        let text = self.nullable_str()?;
        self.non_null(text)
    }

    pub fn nullable_string(&mut self) -> Result<Option<String>> {
        Ok(self.nullable_str()?.map(str::to_owned))
    }

    pub fn string(&mut self) -> Result<String> {
        Ok(self.str()?.to_owned())
    }

    fn nullable_slice(&mut self) -> Result<Option<&'a [u8]>> {
        match self.length(|r| r.i32().map(i64::from))? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes, borrowed.
    pub fn slice(&mut self) -> Result<&'a [u8]> {
        let bytes = self.nullable_slice()?;
        self.non_null(bytes)
    }

    /// Record data: shared where the reader was made by [`Reader::shared`], else copied.
    pub fn records(&mut self) -> Result<Option<Bytes>> {
        let owner = self.owner;
        Ok(self.nullable_slice()?.map(|bytes| match owner {
            Some(owner) => owner.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        }))
    }

    /// The number of elements of an array, checked: that many elements of at least
    /// `min_element_size` bytes can be there.
    pub fn nullable_array_len(&mut self, min_element_size: usize) -> Result<Option<usize>> {
        let start = self.pos;
        let Some(n) = self.length(|r| r.i32().map(i64::from))? else {
            return Ok(None);
        };
        if n > self.remaining() / min_element_size.max(1) {
            let error = self.bad_length(n as i64);
            self.pos = start;
            return Err(error);
        }
        Ok(Some(n))
    }

    pub fn array_len(&mut self, min_element_size: usize) -> Result<usize> {
        let n = self.nullable_array_len(min_element_size)?;
        self.non_null(n)
    }

    /// An array whose elements take at least `min_element_size` bytes each.
    pub fn array<T>(
        &mut self,
        min_element_size: usize,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let array = self.nullable_array(min_element_size, element)?;
        self.non_null(array)
    }

    pub fn nullable_array<T>(
        &mut self,
        min_element_size: usize,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(n) = self.nullable_array_len(min_element_size)? else {
            return Ok(None);
        };
        // Beyond the input's own size memory is only taken for elements that were really there.
        let mut array = Vec::new();
        let likely = n.min(self.remaining() / size_of::<T>().max(1));
        if array.try_reserve_exact(likely).is_err() {
            return Err(self.error(ErrorKind::NoMemory));
        }
        for _ in 0..n {
            let one = element(self)?;
            if array.try_reserve(1).is_err() {
                return Err(self.error(ErrorKind::NoMemory));
            }
            array.push(one);
        }
        Ok(Some(array))
    }

    pub fn i32_array(&mut self) -> Result<Vec<i32>> {
        self.array(4, Self::i32)
    }

    /// The tagged fields that end a structure in flexible versions; none in others. `known` may
    /// read from the field's own bytes; what it leaves, unknown tags included, is skipped.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Result<()>,
    ) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let base = self.base + self.pos;
            let buf = self.take(size)?;
            known(
                tag,
                &mut Reader {
                    buf,
                    pos: 0,
                    flexible: true,
                    owner: self.owner,
                    base,
                },
            )?;
        }
        Ok(())
    }

    /// Passes over tagged fields of which none is known.
    pub fn skip_tags(&mut self) -> Result<()> {
        self.tags(|_, _| Ok(()))
    }
}

/// Writes primitive types. The first value that cannot be expressed is remembered and makes
/// [`Writer::finish`] fail, so that the fields need no error handling of their own.
#[derive(Debug)]
pub struct Writer {
    buf: BytesMut,
    flexible: bool,
    error: Option<ProtocolError>,
}

impl Writer {
    pub fn new(flexible: bool) -> Self {
        Writer::onto(BytesMut::new(), flexible)
    }

    /// A writer that appends to `buf`.
    pub fn onto(buf: BytesMut, flexible: bool) -> Self {
        Writer {
            buf,
            flexible,
            error: None,
        }
    }

    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// What was written.
    pub fn finish(self) -> Result<Bytes> {
        self.into_buffer().map(BytesMut::freeze)
    }

    /// What was written, and what the buffer held before.
    pub fn into_buffer(self) -> Result<BytesMut> {
        match self.error {
            None => Ok(self.buf),
            Some(error) => Err(error),
        }
    }

    /// Fails the message.
    pub fn fail(&mut self, kind: ErrorKind) {
        let offset = self.buf.len();
        self.error
            .get_or_insert_with(|| ProtocolError::new(kind, offset));
    }

    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buf
    }

    pub fn i8(&mut self, value: i8) {
        self.buf.put_i8(value);
    }

    pub fn bool(&mut self, value: bool) {
        self.buf.put_u8(u8::from(value));
    }

    pub fn i16(&mut self, value: i16) {
        self.buf.put_i16(value);
    }

    pub fn i32(&mut self, value: i32) {
        self.buf.put_i32(value);
    }

    pub fn i64(&mut self, value: i64) {
        self.buf.put_i64(value);
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.buf.put_slice(&value.0);
    }

    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buf.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buf.put_u8(value as u8);
    }

    /// A length in its compact form, or in the form that `fixed` writes.
    fn length(&mut self, length: Option<usize>, max: usize, fixed: fn(&mut Self, i32)) {
        if let Some(length) = length.filter(|&n| n > max) {
            return self.fail(ErrorKind::TooLong { length });
        }
        match (self.flexible, length) {
            (true, length) => self.uvarint(length.map_or(0, |n| n as u32 + 1)),
            (false, length) => fixed(self, length.map_or(-1, |n| n as i32)),
        }
    }

    pub fn nullable_string(&mut self, value: Option<&str>) {
        let max = i16::MAX as usize;
        self.length(value.map(str::len), max, |w, n| w.i16(n as i16));
        self.buf.put_slice(value.unwrap_or_default().as_bytes());
    }

    pub fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// The length of bytes that the caller adds.
    pub(super) fn bytes_len(&mut self, length: Option<usize>) {
        self.length(length, i32::MAX as usize, Self::i32);
    }

    pub fn nullable_bytes(&mut self, value: Option<&[u8]>) {
        self.bytes_len(value.map(<[u8]>::len));
        self.buf.put_slice(value.unwrap_or_default());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.nullable_bytes(Some(value));
    }

    /// The number of elements of an array that the caller adds.
    pub fn array_len(&mut self, length: usize) {
        self.length(Some(length), i32::MAX as usize, Self::i32);
    }

    pub fn array<T>(&mut self, elements: &[T], element: impl FnMut(&mut Self, &T)) {
        self.nullable_array(Some(elements), element);
    }

    pub fn nullable_array<T>(
        &mut self,
        elements: Option<&[T]>,
        mut element: impl FnMut(&mut Self, &T),
    ) {
        self.length(elements.map(<[T]>::len), i32::MAX as usize, Self::i32);
        for e in elements.unwrap_or_default() {
            element(self, e);
        }
    }

    pub fn i32_array(&mut self, elements: &[i32]) {
        self.array(elements, |w, &e| w.i32(e));
    }

    /// Ends a structure that has no tagged fields to say.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.uvarint(0);
        }
    }

    /// Ends a structure with the tagged fields that `fields` adds, in ascending order.
    pub fn tags(&mut self, fields: impl FnOnce(&mut TagWriter)) {
        if !self.flexible {
            return;
        }
        let mut tags = TagWriter {
            count: 0,
            body: Writer::new(true),
        };
        fields(&mut tags);
        self.uvarint(tags.count);
        self.append(tags.body);
    }

    fn append(&mut self, other: Writer) {
        self.buf.put_slice(&other.buf);
        if let Some(error) = other.error {
            self.error.get_or_insert(error);
        }
    }
}

/// Collects the tagged fields of one structure.
#[derive(Debug)]
pub struct TagWriter {
    count: u32,
    body: Writer,
}

impl TagWriter {
    pub fn field(&mut self, tag: u32, value: impl FnOnce(&mut Writer)) {
        let mut field = Writer::new(true);
        value(&mut field);
        self.count += 1;
        self.body.uvarint(tag);
        self.body.uvarint(field.buf.len() as u32);
        self.body.append(field);
    }
}
