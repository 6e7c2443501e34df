//! Protobuf's wire format, borrowed: the fields of one message, one after the other, without knowing what they mean.
//!
//! The generated types of `opentelemetry-proto` copy every string and refuse a whole request for one bad byte; reading
//! the fields where they lie does neither, and finds the end of a damaged span, so that the next one is still read. The
//! tests hold it against those types.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::model::{LeftOut, Problem};

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    /// A number of variable length.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The bytes; empty when it is of another type.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// The number; 0 when it is of another type.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Varint(n) | Self::Fixed64(n) => n,
            Self::Fixed32(n) => u64::from(n),
            Self::Bytes(_) => 0,
        }
    }
}

/// The fields of a message: number and value. Ends after the first that cannot be read, which is an error.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message in `bytes`.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are not yet read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn next_field(&mut self) -> Result<(u32, Field<'a>), Problem> {
        let (number, wire_type) = decode_key(&mut self.rest).map_err(|_| malformed("a damaged field"))?;
        let field = match wire_type {
            WireType::Varint => Field::Varint(self.varint()?),
            WireType::SixtyFourBit => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            WireType::ThirtyTwoBit => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            WireType::LengthDelimited => {
                let len = self.varint()?;
                let Some((bytes, rest)) = usize::try_from(len).ok().and_then(|l| self.rest.split_at_checked(l)) else {
                    let message = format!("field {number} has {len} bytes, of which {} are there", self.rest.len());
                    return Err(Problem::new(LeftOut::Truncated, message));
                };
                self.rest = rest;
                Field::Bytes(bytes)
            }
            // Groups are older than the protocol.
            WireType::StartGroup | WireType::EndGroup => return Err(malformed("a group, which no message has")),
        };
        Ok((number, field))
    }

    fn varint(&mut self) -> Result<u64, Problem> {
        decode_varint(&mut self.rest).map_err(|_| malformed("a damaged number"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let cut = || Problem::new(LeftOut::Truncated, "it ends within a number");
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or_else(cut)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn malformed(what: &str) -> Problem {
    Problem::new(LeftOut::Malformed, format!("{what} in a protobuf message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Result<(u32, Field<'_>), LeftOut>> {
        Fields::of(bytes).map(|f| f.map_err(|p| p.kind)).collect()
    }

    #[test]
    fn every_wire_type_is_read() {
        let bytes = [0x08, 0x96, 1, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 7, 0, 0, 0];
        assert_eq!(
            all(&bytes),
            [
                Ok((1, Field::Varint(150))),
                Ok((2, Field::Fixed64(1))),
                Ok((3, Field::Bytes(b"hi"))),
                Ok((4, Field::Fixed32(7))),
            ]
        );
        assert_eq!(all(b""), []);
    }

    #[test]
    fn damage_ends_the_message_with_its_reason() {
        assert_eq!(all(&[0x08, 1, 0x1a, 9, b'h']), [Ok((1, Field::Varint(1))), Err(LeftOut::Truncated)]);
        assert_eq!(all(&[0x11, 1, 2]), [Err(LeftOut::Truncated)]);
        assert_eq!(all(&[0x00, 1]), [Err(LeftOut::Malformed)], "a field without a number");
        assert_eq!(all(&[0x0b, 0x0c]), [Err(LeftOut::Malformed)], "a group");
        assert_eq!(all(&[0xff; 12]), [Err(LeftOut::Malformed)], "a number without an end");
        assert_eq!(all(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), [Err(LeftOut::Truncated)]);
    }
}
