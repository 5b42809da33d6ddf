//! The primitive types at their edges.

use kprod::protocol::{ErrorKind, Reader, Writer};

fn kind<T: std::fmt::Debug>(answer: kprod::protocol::Result<T>) -> ErrorKind {
    answer.expect_err("not readable").kind
}

#[test]
fn unsigned_varints_go_both_ways() {
    for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, 1 << 28, u32::MAX] {
        let mut w = Writer::new(true);
        w.uvarint(value);
        let bytes = w.finish().unwrap();
        let mut r = Reader::new(&bytes, true);
        assert_eq!(r.uvarint(), Ok(value));
        assert_eq!(r.remaining(), 0);
    }
}

#[test]
fn a_varint_that_overflows_is_refused() {
    let too_long = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00];
    let too_large = [0xFF, 0xFF, 0xFF, 0xFF, 0x10];
    let padded = [0x81, 0x80, 0x00];
    assert_eq!(
        kind(Reader::new(&too_long, true).uvarint()),
        ErrorKind::BadVarint
    );
    assert_eq!(
        kind(Reader::new(&too_large, true).uvarint()),
        ErrorKind::BadVarint
    );
    assert_eq!(Reader::new(&padded, true).uvarint(), Ok(1));
    let cut = Reader::new(&padded[..2], true).uvarint();
    assert_eq!(kind(cut), ErrorKind::Truncated { needed: 1, left: 0 });
}

#[test]
fn null_and_empty_are_distinct() {
    for flexible in [false, true] {
        let mut w = Writer::new(flexible);
        w.nullable_string(None);
        w.nullable_string(Some(""));
        w.nullable_bytes(None);
        w.nullable_bytes(Some(b""));
        w.nullable_array::<i32>(None, |w, &e| w.i32(e));
        w.nullable_array::<i32>(Some(&[]), |w, &e| w.i32(e));
        let bytes = w.finish().unwrap();
        let mut r = Reader::new(&bytes, flexible);
        assert_eq!(r.nullable_string(), Ok(None));
        assert_eq!(r.nullable_string(), Ok(Some(String::new())));
        assert_eq!(r.records(), Ok(None));
        assert_eq!(r.records(), Ok(Some(bytes::Bytes::new())));
        assert_eq!(r.nullable_array(4, Reader::i32), Ok(None));
        assert_eq!(r.nullable_array(4, Reader::i32), Ok(Some(vec![])));
        assert_eq!(r.remaining(), 0);
    }
}

#[test]
fn null_where_there_is_none_is_refused() {
    assert_eq!(
        kind(Reader::new(&[0xFF, 0xFF], false).string()),
        ErrorKind::UnexpectedNull
    );
    assert_eq!(
        kind(Reader::new(&[0], true).string()),
        ErrorKind::UnexpectedNull
    );
    assert_eq!(
        kind(Reader::new(&[0], true).slice()),
        ErrorKind::UnexpectedNull
    );
    assert_eq!(
        kind(Reader::new(&[0xFF; 4], false).i32_array()),
        ErrorKind::UnexpectedNull
    );
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let negative = Reader::new(&[0xFF, 0xFE, 0, 0], false).string();
    assert_eq!(
        kind(negative),
        ErrorKind::BadLength {
            length: -2,
            left: 4
        }
    );
    let long = Reader::new(&[0x7F, 0xFF, 0], false).string();
    assert_eq!(
        kind(long),
        ErrorKind::Truncated {
            needed: 32_767,
            left: 1
        }
    );
    let array = Reader::new(&[0, 0, 0, 2, 0, 0, 0, 0], false).i32_array();
    assert_eq!(kind(array), ErrorKind::BadLength { length: 2, left: 4 });
}

#[test]
fn a_string_that_is_not_utf8_is_refused() {
    let error = Reader::new(&[3, 0xC3, 0x28], true).string().unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::BadUtf8, 1));
}

#[test]
fn a_tagged_field_cannot_read_beyond_itself() {
    let bytes = [2, 0, 2, 7, 7, 1, 3, 0, 0, 0, 9];
    let mut seen = Vec::new();
    let mut r = Reader::new(&bytes, true);
    let answer = r.tags(|tag, field| {
        seen.push((tag, field.remaining()));
        if tag == 1 {
            field.i32().map(drop)
        } else {
            Ok(())
        }
    });
    assert_eq!(seen, [(0, 2), (1, 3)]);
    let error = answer.unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::Truncated { needed: 4, left: 3 }, 7)
    );
}
