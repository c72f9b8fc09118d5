//! Values as bytes: the one place where bincode is used.
//!
//! bincode 2 is unmaintained (RUSTSEC-2025-0141), so nothing else knows it: what is written carries
//! a version byte, and another codec would be another version. Integers have their full width, little
//! end first; a text, a sequence or a map begins with its length as eight bytes.
//!
//! Types must not hold a sequence of elements that take no bytes: a length of it proves nothing.

use bincode::de::read::SliceReader;
use bincode::de::{BorrowDecode, Decoder, DecoderImpl};
use bincode::serde::BorrowCompat;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest value there is; [`parse`] takes its budget from it.
const BUDGET: usize = usize::MAX;

/// Integers of full width, so that a value takes exactly the bytes that the decoder claims for it.
const CONFIG: bincode::config::Configuration<bincode::config::LittleEndian, bincode::config::Fixint> =
    bincode::config::standard().with_fixed_int_encoding();

/// Why a value could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It is, or would become, longer than allowed.
    #[error("{length} bytes, and at most {limit} are allowed")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// Another version wrote it, or nobody: it is empty.
    #[error("not of version {expected}, but {}", .found.map_or("empty".to_owned(), |found| format!("of version {found}")))]
    Version {
        /// The version byte, if there is one.
        found: Option<u8>,
        /// The version that is read.
        expected: u8,
    },
    /// It ends early, or holds what the type cannot be.
    #[error("malformed")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It goes on where it should end.
    #[error("more bytes than the value takes")]
    Trailing,
    /// The type has a shape that has no bytes: a sequence of unknown length.
    #[error("the value cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The bytes of `value`, after the byte `version`; `limit` counts both.
///
/// # Errors
/// When they are more than `limit`, or the type cannot be written.
pub fn encode<T: Serialize + ?Sized>(version: u8, value: &T, limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![version];
    append(&mut bytes, value)?;
    if bytes.len() > limit {
        return Err(CodecError::TooLong { length: bytes.len(), limit });
    }
    Ok(bytes)
}

/// The value of `bytes`, which were written by [`encode`] with the same version.
///
/// Whatever the bytes are, about as much memory is taken as they are long.
///
/// # Errors
/// When they are of another version, more than `limit`, or not what the type encodes to, exactly.
pub fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8], limit: usize) -> Result<T, CodecError> {
    if bytes.len() > limit {
        return Err(CodecError::TooLong { length: bytes.len(), limit });
    }
    match bytes.split_first() {
        Some((&found, bytes)) if found == version => parse(bytes),
        other => Err(CodecError::Version { found: other.map(|(found, _)| *found), expected: version }),
    }
}

/// Appends the bytes of `value` alone: for whoever frames and versions them by itself.
///
/// # Errors
/// When the type cannot be written; `bytes` then ends with a part of it.
#[inline]
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), CodecError> {
    bincode::serde::encode_into_writer(value, Appended(bytes), CONFIG)
        .map_err(|error| CodecError::Unwritable(error.into()))
}

/// The value of `bytes` that [`append`] wrote; it may borrow from them.
///
/// # Errors
/// When they are not what the type encodes to, exactly.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let malformed = |error: bincode::error::DecodeError| CodecError::Malformed(error.into());
    let mut decoder = DecoderImpl::new(SliceReader::new(bytes), CONFIG.with_limit::<BUDGET>(), ());
    // A text is given the room that its length asks for before a byte of it is read, and the limit of
    // such lengths is a constant. With all but the present bytes spent, it is these.
    decoder.claim_bytes_read(BUDGET - bytes.len()).map_err(malformed)?;
    let BorrowCompat(value) = BorrowCompat::borrow_decode(&mut decoder).map_err(malformed)?;
    // Every byte read was claimed, so what is left to claim is what is left to read.
    if decoder.claim_bytes_read(1).is_ok() { Err(CodecError::Trailing) } else { Ok(value) }
}

/// Takes the bytes of the codec without a buffer in between.
struct Appended<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Appended<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const VERSION: u8 = 3;
    const LIMIT: usize = 1 << 20;

    /// Every shape that the codec is used with.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Value {
        Nothing,
        Number(u64),
        Text { text: String, letter: char, part: Option<Box<Value>> },
        Pairs(Vec<(String, i16)>, bool),
        Map(BTreeMap<u32, f64>),
        Bytes(bytes::Bytes),
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nothing),
            any::<u64>().prop_map(Value::Number),
            (proptest::collection::vec((any::<String>(), any::<i16>()), 0..9), any::<bool>())
                .prop_map(|(pairs, is)| Value::Pairs(pairs, is)),
            proptest::collection::btree_map(any::<u32>(), -1e9..1e9, 0..9).prop_map(Value::Map),
        ];
        leaf.prop_recursive(4, 8, 1, |part| {
            (any::<String>(), any::<char>(), proptest::option::of(part.prop_map(Box::new)))
                .prop_map(|(text, letter, part)| Value::Text { text, letter, part })
        })
    }

    fn read(bytes: &[u8]) -> Result<Value, CodecError> {
        decode(VERSION, bytes, LIMIT)
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_whole_and_in_no_part(value in value(), more in any::<u8>()) {
            let mut bytes = encode(VERSION, &value, LIMIT).expect("below the limit");
            prop_assert_eq!(&read(&bytes).expect("just written"), &value);
            for end in 1..bytes.len() {
                prop_assert!(matches!(read(&bytes[..end]), Err(CodecError::Malformed(_))), "the first {} bytes", end);
            }
            bytes.push(more);
            prop_assert!(matches!(read(&bytes), Err(CodecError::Trailing)));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[&[VERSION], &bytes[..]].concat());
        }

        #[test]
        fn no_change_of_one_byte_is_a_panic(value in value(), place in any::<proptest::sample::Index>(), to in any::<u8>()) {
            let mut bytes = encode(VERSION, &value, LIMIT).expect("below the limit");
            let place = place.index(bytes.len());
            bytes[place] = to;
            let _ = read(&bytes);
        }
    }

    #[test]
    fn another_version_is_named() {
        let bytes = encode(VERSION, &7u8, LIMIT).expect("short");
        let error = decode::<u8>(4, &bytes, LIMIT).expect_err("not the version written");
        assert_eq!(error.to_string(), "not of version 4, but of version 3");
        assert_eq!(read(&[]).expect_err("nothing").to_string(), "not of version 3, but empty");
    }

    #[test]
    fn the_limit_holds_in_both_directions_and_counts_every_byte() {
        let text = "four";
        // The version, the length, the letters.
        let bytes = encode(VERSION, text, 13).expect("just so");
        assert!(matches!(encode(VERSION, text, 12), Err(CodecError::TooLong { length: 13, limit: 12 })));
        assert_eq!(decode::<String>(VERSION, &bytes, 13).expect("just so"), text);
        assert!(matches!(decode::<String>(VERSION, &bytes, 12), Err(CodecError::TooLong { length: 13, limit: 12 })));
    }

    #[test]
    fn a_length_that_the_bytes_do_not_keep_takes_no_memory() {
        // So much that taking it would end this process, if it were tried.
        for length in [u64::MAX, u64::MAX / 2, 1 << 46, 1 << 40, 5] {
            let text = [&[VERSION][..], &length.to_le_bytes(), b"four"].concat();
            assert!(matches!(decode::<String>(VERSION, &text, LIMIT), Err(CodecError::Malformed(_))), "{length}");
            assert!(matches!(decode::<bytes::Bytes>(VERSION, &text, LIMIT), Err(CodecError::Malformed(_))), "{length}");
            assert!(matches!(decode::<Vec<u32>>(VERSION, &text, LIMIT), Err(CodecError::Malformed(_))), "{length}");
            assert!(matches!(decode::<BTreeMap<String, u8>>(VERSION, &text, LIMIT), Err(CodecError::Malformed(_))));
        }
    }

    #[test]
    fn borrowed_values_are_read_in_place() {
        let mut bytes = Vec::new();
        append(&mut bytes, "here").expect("a text");
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
        assert!(matches!(parse(&bytes), Ok(Borrowed(Cow::Borrowed("here")))));
    }
}
