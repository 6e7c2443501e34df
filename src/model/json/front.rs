//! A fast front of JSON for what recordings are full of: long texts with many escapes, and payloads that are kept as
//! they are.
//!
//! It takes what is plainly valid and gives up on everything else: serde_json then reads the same text again and has the
//! last word, also on what is wrong and where. So all that this must never do is to take what serde_json refuses, or to
//! take it for something else; the tests hold the one against the other.

mod deserializer;
mod step;

use std::cell::Cell;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed};

use super::Texts;
pub(super) use step::{STEP, special};

/// Deeper values are left to serde_json, which has a limit of its own.
const MAX_DEPTH: usize = 100;

/// Reads a value from its text; `None` is left to serde_json.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    whole(text, None, PhantomData::<T>)
}

/// As [`read`], into what asks for it.
pub(super) fn read_seed<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Option<S::Value> {
    whole(text, None, seed)
}

/// As [`read`], with a place for texts.
pub(super) fn read_in<'de, T: Deserialize<'de>>(text: &'de str, texts: &'de Texts) -> Option<T> {
    whole(text, Some(texts), PhantomData::<T>)
}

fn whole<'de, S: DeserializeSeed<'de>>(text: &'de str, texts: Option<&'de Texts>, seed: S) -> Option<S::Value> {
    let mut front = Front { text, at: 0, depth: 0, scratch: SCRATCH.take(), read: 0, texts };
    let value = seed.deserialize(&mut front).ok();
    let over = front.peek().is_err() && front.at == text.len();
    if front.scratch.capacity() <= KEPT {
        SCRATCH.set(front.scratch);
    }
    value.filter(|_| over)
}

/// The longest scratch that is kept for the next text, in bytes.
const KEPT: usize = 1 << 20;

thread_local! {
    /// The scratch of the last text: a session has dozens of payloads, and to grow one for each takes as long as to read it.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// It is left to serde_json, which says why.
#[derive(Debug)]
struct GiveUp;

impl std::fmt::Display for GiveUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("left to serde_json")
    }
}

impl std::error::Error for GiveUp {}

impl de::Error for GiveUp {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A text, and how far it is read.
struct Front<'de> {
    text: &'de str,
    at: usize,
    depth: usize,
    /// A string with escapes, unescaped, and how long it is; what lies behind it means nothing.
    scratch: Vec<u8>,
    read: usize,
    /// Where texts are kept that had escapes; without, each has memory of its own.
    texts: Option<&'de Texts>,
}

/// A string.
enum Read<'de> {
    /// It has no escapes.
    Plain(&'de str),
    /// It had; it lies in the scratch. In the JSON it begins there.
    Unescaped(usize),
}

/// A number.
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl<'de> Front<'de> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<u8, GiveUp> {
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Ok(byte),
            }
        }
        Err(GiveUp)
    }

    /// Goes past a byte, which must come next.
    fn expect(&mut self, byte: u8) -> Result<(), GiveUp> {
        if self.peek()? != byte {
            return Err(GiveUp);
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past a literal, which must come next.
    fn literal(&mut self, literal: &str) -> Result<(), GiveUp> {
        self.peek()?;
        if !self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return Err(GiveUp);
        }
        self.at += literal.len();
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), GiveUp> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(GiveUp) } else { Ok(()) }
    }

    /// The next byte from `at` on that ends a run of a string: a quote, a backslash, or what no string may hold.
    fn run(&self, mut at: usize) -> Result<(usize, u8), GiveUp> {
        let bytes = self.text.as_bytes();
        while let Some(step) = bytes.get(at..).and_then(|rest| rest.first_chunk::<STEP>()) {
            let found = special(step);
            if found != 0 {
                at += found.trailing_zeros() as usize;
                return Ok((at, bytes[at]));
            }
            at += STEP;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let found = rest.iter().position(|b| matches!(b, b'"' | b'\\' | ..0x20)).ok_or(GiveUp)?;
        Ok((at + found, rest[found]))
    }

    /// Reads a string.
    fn string(&mut self) -> Result<Read<'de>, GiveUp> {
        self.expect(b'"')?;
        let start = self.at;
        if let Some((length, text)) = self.texts.and_then(|texts| texts.again(&self.text[start..])) {
            self.at += length;
            return Ok(Read::Plain(text));
        }
        match self.run(start)? {
            (end, b'"') => {
                self.at = end + 1;
                Ok(Read::Plain(&self.text[start..end]))
            }
            (escape, b'\\') => self.unescape(start, escape),
            _ => Err(GiveUp),
        }
    }

    /// Reads the rest of a string that began at `start` and has its first escape at `at`.
    ///
    /// Escapes stand close together in what tools return. So a step is looked at once, wherever the escapes are in it, and
    /// what lies between two of them is copied by the step, whatever of it is needed: a copy of a fixed size is no call.
    fn unescape(&mut self, start: usize, at: usize) -> Result<Read<'de>, GiveUp> {
        let bytes = self.text.as_bytes();
        let mut out = std::mem::take(&mut self.scratch);
        let mut done = at - start;
        make_room(&mut out, done);
        out[..done].copy_from_slice(&bytes[start..at]);
        // Where the step begins, and what of it is taken already.
        let (mut grid, mut pos) = (at, 0);
        while let Some(around) = bytes.get(grid..).and_then(|rest| rest.first_chunk::<{ 2 * STEP }>()) {
            make_room(&mut out, done);
            let Some(step) = around.first_chunk::<STEP>() else { break };
            let mut found = special(step) >> pos << pos;
            let mut next_grid = grid + STEP;
            loop {
                out[done..done + STEP].copy_from_slice(&around[pos..pos + STEP]);
                if found == 0 {
                    done += STEP - pos;
                    pos = 0;
                    break;
                }
                let next = found.trailing_zeros() as usize;
                done += next - pos;
                if around[next] == b'"' {
                    self.at = grid + next + 1;
                    (self.scratch, self.read) = (out, done);
                    return Ok(Read::Unescaped(start));
                }
                if around[next] != b'\\' {
                    return Err(GiveUp);
                }
                let plain = ESCAPES[usize::from(around[next + 1])];
                if plain == 0 {
                    let (c, end) = long_escape(bytes, grid + next + 1)?;
                    done += c.encode_utf8(&mut out[done..done + 4]).len();
                    (next_grid, pos) = (end, 0);
                    break;
                }
                out[done] = plain;
                done += 1;
                pos = next + 2;
                if pos >= STEP {
                    pos -= STEP;
                    break;
                }
                found = found >> pos << pos;
            }
            grid = next_grid;
        }
        // The end of the text, where there is no room for steps.
        let mut at = grid + pos;
        out.truncate(done);
        loop {
            match *bytes.get(at).ok_or(GiveUp)? {
                b'"' => break,
                b'\\' => match bytes.get(at + 1).map(|letter| ESCAPES[usize::from(*letter)]) {
                    Some(plain) if plain != 0 => {
                        out.push(plain);
                        at += 2;
                    }
                    _ => {
                        let (c, end) = long_escape(bytes, at + 1)?;
                        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        at = end;
                    }
                },
                ..0x20 => return Err(GiveUp),
                byte => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
        self.at = at + 1;
        (self.read, self.scratch) = (out.len(), out);
        Ok(Read::Unescaped(start))
    }

    /// The string in the scratch.
    fn unescaped(&self) -> Result<&str, GiveUp> {
        std::str::from_utf8(&self.scratch[..self.read]).map_err(|_| GiveUp)
    }

    /// Goes past a number; whether it is an integer.
    fn skip_number(&mut self) -> Result<bool, GiveUp> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            let start = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            if at == start { Err(GiveUp) } else { Ok(at) }
        };
        let start = self.at + usize::from(bytes[self.at] == b'-');
        let (mut at, mut integer) = (digits(start)?, true);
        if bytes[start] == b'0' && at > start + 1 {
            return Err(GiveUp);
        }
        if bytes.get(at) == Some(&b'.') {
            (at, integer) = (digits(at + 1)?, false);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            (at, integer) = (digits(at + 1 + sign)?, false);
        }
        self.at = at;
        Ok(integer)
    }

    /// Reads a number that begins here.
    fn number(&mut self) -> Result<Number, GiveUp> {
        let start = self.at;
        let integer = self.skip_number()?;
        let text = &self.text[start..self.at];
        if !integer {
            return text.parse().ok().filter(|f: &f64| f.is_finite()).map(Number::Float).ok_or(GiveUp);
        }
        // Beyond 64 bits, and of -0, serde_json makes floats.
        match text.strip_prefix('-') {
            Some("0") => Err(GiveUp),
            Some(_) => text.parse().map(Number::Signed).map_err(|_| GiveUp),
            None => text.parse().map(Number::Unsigned).map_err(|_| GiveUp),
        }
    }

    /// Goes past a string, without what its escapes stand for.
    fn skip_string(&mut self) -> Result<(), GiveUp> {
        self.expect(b'"')?;
        loop {
            match self.run(self.at)? {
                (at, b'"') => {
                    self.at = at + 1;
                    return Ok(());
                }
                (at, b'\\') => self.at = skip_escape(self.text.as_bytes(), at + 1)?,
                _ => return Err(GiveUp),
            }
        }
    }

    /// Goes past a value.
    fn skip(&mut self) -> Result<(), GiveUp> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' => self.skip_all(b'}', |front| {
                front.skip_string()?;
                front.expect(b':')?;
                front.skip()
            }),
            b'[' => self.skip_all(b']', Self::skip),
            b'n' => self.literal("null"),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'-' | b'0'..=b'9' => self.skip_number().map(|_| ()),
            _ => Err(GiveUp),
        }
    }

    /// Goes past everything up to a bracket, which closes the one that comes next.
    fn skip_all(&mut self, close: u8, mut one: impl FnMut(&mut Self) -> Result<(), GiveUp>) -> Result<(), GiveUp> {
        self.deeper()?;
        self.at += 1;
        if self.peek()? != close {
            loop {
                one(self)?;
                match self.peek()? {
                    b',' => self.at += 1,
                    byte if byte == close => break,
                    _ => return Err(GiveUp),
                }
            }
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The text of the next value.
    fn raw(&mut self) -> Result<&'de str, GiveUp> {
        self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok(&self.text[start..self.at])
    }
}

/// Makes room for what a step adds behind the first `done` bytes.
#[inline(always)]
fn make_room(out: &mut Vec<u8>, done: usize) {
    if out.len() < done + 4 * STEP {
        out.resize((2 * out.len()).max(done + 64 * STEP), 0);
    }
}

/// What the letter of an escape stands for; 0 where that takes more than a letter, or is nothing.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let known = [
        (b'n', b'\n'),
        (b'"', b'"'),
        (b'\\', b'\\'),
        (b'/', b'/'),
        (b't', b'\t'),
        (b'r', b'\r'),
        (b'b', 8),
        (b'f', 12),
    ];
    let mut k = 0;
    while k < known.len() {
        escapes[known[k].0 as usize] = known[k].1;
        k += 1;
    }
    escapes
};

/// The character that an escape of several letters stands for, which begin at `at`; where it ends.
#[cold]
fn long_escape(bytes: &[u8], at: usize) -> Result<(char, usize), GiveUp> {
    if bytes.get(at) != Some(&b'u') {
        return Err(GiveUp);
    }
    let at = at + 1;
    let first = hex(bytes, at)?;
    let (code, end) = match first {
        0xd800..=0xdbff => {
            let second = if bytes.get(at + 4..at + 6) == Some(b"\\u") { hex(bytes, at + 6)? } else { 0 };
            // Half a character is none.
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(GiveUp)?;
            (0x10000 + ((first - 0xd800) << 10) + low, at + 10)
        }
        code => (code, at + 4),
    };
    Ok((char::from_u32(code).ok_or(GiveUp)?, end))
}

/// Goes past an escape, whose letter stands at `at`.
fn skip_escape(bytes: &[u8], at: usize) -> Result<usize, GiveUp> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => hex(bytes, at + 1).map(|_| at + 5),
        _ => Err(GiveUp),
    }
}

/// Four hexadecimal digits.
fn hex(bytes: &[u8], at: usize) -> Result<u32, GiveUp> {
    let digits = bytes.get(at..at + 4).ok_or(GiveUp)?;
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?)).ok_or(GiveUp)
}

#[cfg(test)]
mod tests;
