//! A record's fields, read one after the other.

use std::borrow::Cow;

use super::MAX_DEPTH;
use crate::formats::telemetry::{Pairs, Value};
use crate::model::Text;

/// Reads fields one after the other; `None` at the first that is not there.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (mut n, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(n);
            }
            shift += 7;
        }
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.take(len)
    }

    pub(super) fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn text(&mut self) -> Option<Text<'a>> {
        self.str().map(Text::borrowed)
    }

    pub(super) fn optional(&mut self) -> Option<Option<Text<'a>>> {
        let Some(len) = self.number()?.checked_sub(1) else { return Some(None) };
        let bytes = self.take(usize::try_from(len).ok()?)?;
        std::str::from_utf8(bytes).ok().map(|s| Some(Text::borrowed(s)))
    }

    pub(super) fn time(&mut self) -> Option<Option<u64>> {
        let time = u64::from_le_bytes(self.array()?);
        Some((time != 0).then_some(time))
    }

    pub(super) fn pairs(&mut self, depth: usize) -> Option<Pairs<'a>> {
        let count = self.number()?;
        // Every pair takes two bytes at least, so that a made-up count cannot reserve more than there is.
        let mut pairs = Vec::with_capacity(usize::try_from(count).ok()?.min(self.0.len() / 2));
        for _ in 0..count {
            pairs.push((self.text()?, self.value(depth)?));
        }
        Some(pairs)
    }

    pub(super) fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(self.byte()? == 1),
            2 => Value::Int(i64::from_le_bytes(self.array()?)),
            3 => Value::Double(f64::from_bits(u64::from_le_bytes(self.array()?))),
            4 => Value::Text(self.text()?),
            5 => Value::Bytes(Cow::Borrowed(self.bytes()?)),
            6 if depth < MAX_DEPTH => {
                let count = self.number()?;
                let mut values = Vec::with_capacity(usize::try_from(count).ok()?.min(self.0.len()));
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            7 if depth < MAX_DEPTH => Value::Map(self.pairs(depth + 1)?),
            _ => return None,
        })
    }
}
