//! Element boundaries in a stream of bytes: fed block by block, in any sizes, in constant memory.
//!
//! The scanner knows brackets, strings and the few rules that lie above the elements; what is inside an element is the
//! decoder's business. It is where depth and size are capped, before anything recurses or is kept.

use super::lex::{Bits, Lexer};
use crate::model::{LeftOut, Problem};

/// What an element may measure at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest element in bytes.
    pub max_element: u64,
    /// Deepest nesting of brackets in an element; its own are the first.
    pub max_depth: u64,
}

impl Limits {
    /// What is wrong with the size or depth of the bytes from `start` to `end`, if anything.
    pub(super) fn flaw(&self, start: u64, end: u64, deep: bool) -> Option<Problem> {
        let size = end - start;
        let flaw = if size > self.max_element {
            let max = self.max_element;
            Problem::new(LeftOut::TooLarge, format!("an element of {size} bytes; the limit is {max}"))
        } else if deep {
            Problem::new(LeftOut::TooDeep, format!("nested deeper than {} levels", self.max_depth))
        } else {
            return None;
        };
        Some(flaw.at(start))
    }
}

/// How the elements lie in the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One top-level array of elements.
    Array,
    /// One value after another. What is neither object nor array is an element up to the end of its line.
    Values,
    /// The array that a top-level object has at this key.
    Stream(&'static str),
    /// The arrays that a top-level object has at these keys.
    Streams(&'static [&'static str]),
    /// The members of a top-level object, as [`Found::Member`].
    Members,
}

impl Shape {
    /// Whether elements lie in the arrays of an object.
    fn streams(self) -> bool {
        matches!(self, Shape::Stream(_) | Shape::Streams(_))
    }

    /// Whether the array of this key holds elements.
    fn wants(self, key: Option<&str>) -> bool {
        match self {
            Shape::Stream(wanted) => key == Some(wanted),
            Shape::Streams(wanted) => key.is_some_and(|key| wanted.contains(&key)),
            _ => false,
        }
    }
}

/// Something the scanner came upon. Offsets count from the start of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What is reported next stands in this line of the stream, from 1. Only of JSON lines.
    AtLine(u64),
    /// A whole element within the limits.
    Element {
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
    },
    /// A member of the top-level object.
    Member {
        /// Its key, unescaped.
        key: String,
        /// The first byte of its value.
        start: u64,
        /// The byte after the last of its value.
        end: u64,
        /// What is wrong with the value's size or depth.
        flaw: Option<Problem>,
    },
    /// Bytes that are not an element, or an element beyond the limits. The scanner goes on behind them.
    Damaged(Problem),
}

/// An element that has begun and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its first byte.
    pub start: u64,
    /// Whether it is already beyond a limit, so that its bytes need not be kept.
    pub doomed: bool,
}

/// Where the scanner stands among what lies above the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the top-level bracket; under [`Shape::Values`] always.
    Top,
    Array(Slot),
    Object(Part),
    /// Behind the top-level bracket.
    End,
    /// Beyond recovery.
    Lost,
}

/// What may come next in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// An element or the end.
    First,
    /// An element.
    Element,
    /// A comma or the end.
    Comma,
}

/// What may come next in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A key or the end.
    First,
    Key,
    Colon,
    Value,
    /// A comma or the end.
    Comma,
}

/// Longest key that is told from others, in bytes.
const MAX_KEY: usize = 4096;

/// The scanner for every [`Shape`]. Lines are [`super::lines::Lines`].
#[derive(Debug)]
pub struct Scanner {
    shape: Shape,
    limits: Limits,
    lexer: Lexer,
    /// Bytes fed so far.
    position: u64,
    place: Place,
    /// Start of the value in progress.
    token: Option<u64>,
    /// Brackets open within the value in progress; 0 for a scalar.
    depth: u64,
    /// Whether the value in progress was deeper than the limit.
    deep: bool,
    /// End of the scalar in progress without the white space behind it.
    solid: u64,
    /// The key last read, raw while it is being read.
    key: Vec<u8>,
    /// Whether the stray bytes since the last element were already reported.
    complained: bool,
    /// Whether anything but white space was seen.
    seen: bool,
    /// The keys of [`Shape::Stream`] or [`Shape::Streams`] whose arrays were seen.
    streamed: Vec<String>,
}

impl Scanner {
    /// A scanner whose first byte lies at `position` of the stream.
    pub fn new(shape: Shape, limits: Limits, position: u64) -> Self {
        Self {
            shape,
            limits,
            lexer: Lexer::default(),
            position,
            place: Place::Top,
            token: None,
            depth: 0,
            deep: false,
            solid: 0,
            key: Vec::new(),
            complained: false,
            seen: false,
            streamed: Vec::new(),
        }
    }

    /// The element, or under [`Shape::Members`] the value, that has begun and not ended.
    pub fn pending(&self) -> Option<Pending> {
        let start = self.token?;
        let wanted = match self.place {
            Place::Object(part) => self.shape == Shape::Members && part == Part::Value,
            _ => true,
        };
        let doomed = self.deep || self.position - start > self.limits.max_element;
        wanted.then_some(Pending { start, doomed })
    }

    /// The key whose value has begun and not ended, under [`Shape::Members`].
    pub fn pending_key(&self) -> Option<String> {
        self.pending().and_then(|_| self.parsed_key())
    }

    /// Whether nothing that follows can be told apart any more, so that reading on is of no use.
    pub fn is_lost(&self) -> bool {
        self.place == Place::Lost
    }

    /// Whether an array of [`Shape::Stream`] or [`Shape::Streams`] was there.
    pub fn streamed(&self) -> bool {
        !self.streamed.is_empty()
    }

    /// Takes the next bytes of the stream and reports what ends in them.
    pub fn feed(&mut self, block: &[u8], found: &mut impl FnMut(Found)) {
        let base = self.position;
        let mut rest = block;
        while !rest.is_empty() && self.place != Place::Lost {
            let (bits, len) = self.lexer.step(rest);
            let (opens, closes) = (u64::from(bits.open.count_ones()), u64::from(bits.close.count_ones()));
            // Nearly always: the value in progress can neither end in this step nor become too deep.
            if self.depth > closes && (self.deep || self.depth + opens <= self.limits.max_depth) {
                self.depth = self.depth + opens - closes;
                rest = &rest[len..];
            } else {
                let at = base + (block.len() - rest.len()) as u64;
                let walked = self.walk(&rest[..len], bits, at, found);
                rest = &rest[walked..];
            }
        }
        self.position = base + block.len() as u64;
    }

    /// Takes one step's bytes, from `at`, one event at a time; returns how many were taken.
    fn walk(&mut self, chunk: &[u8], bits: Bits, at: u64, found: &mut impl FnMut(Found)) -> usize {
        let mut k = 0;
        while k < chunk.len() && self.place != Place::Lost {
            if self.depth > 0 {
                let ahead = (bits.open | bits.close) >> k;
                if ahead == 0 {
                    break;
                }
                k += ahead.trailing_zeros() as usize;
                if bits.open >> k & 1 == 1 {
                    self.depth += 1;
                    self.deep |= self.depth > self.limits.max_depth;
                } else {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.value_ends(at + k as u64 + 1, found);
                    }
                }
            } else {
                let in_string = bits.string >> k & 1 == 1;
                if in_string && chunk[k] == b'\n' && self.token.is_some() {
                    // No string holds a raw newline: a quote is missing. What follows is read as if it were there.
                    self.value_ends(self.solid, found);
                    self.lexer = Lexer::default();
                    return k + 1;
                }
                self.outer_byte(chunk[k], in_string, at + k as u64, found);
            }
            k += 1;
        }
        chunk.len()
    }

    /// One byte outside objects and arrays that are values.
    fn outer_byte(&mut self, byte: u8, in_string: bool, at: u64, found: &mut impl FnMut(Found)) {
        if self.token.is_some() {
            if in_string || !self.ends_scalar(byte) {
                if in_string || !byte.is_ascii_whitespace() {
                    self.solid = at + 1;
                }
                return self.push_key(byte);
            }
            self.value_ends(self.solid, found);
            if self.is_lost() {
                return;
            }
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return,
            b'{' | b'[' => self.opening(byte, at, found),
            b'}' | b']' => self.closing(byte, at, found),
            b',' | b':' => self.punctuation(byte, at, found),
            _ => {
                if self.value_begins(byte, at, found) {
                    self.token = Some(at);
                    self.solid = at + 1;
                    if self.in_key() {
                        self.key.clear();
                    }
                    self.push_key(byte);
                }
            }
        }
        self.seen = true;
    }

    /// Whether a byte outside strings ends the scalar in progress.
    fn ends_scalar(&self, byte: u8) -> bool {
        match byte {
            b'{' | b'}' | b'[' | b']' => true,
            b'\n' => self.place == Place::Top,
            b',' => self.place != Place::Top,
            b':' => matches!(self.place, Place::Object(_)),
            _ => false,
        }
    }

    /// Whether the scalar in progress, if any, is a key.
    fn in_key(&self) -> bool {
        matches!(self.place, Place::Object(Part::First | Part::Key))
    }

    fn push_key(&mut self, byte: u8) {
        if self.in_key() && self.key.len() < MAX_KEY {
            self.key.push(byte);
        }
    }

    fn parsed_key(&self) -> Option<String> {
        serde_json::from_slice(&self.key).ok()
    }

    fn opening(&mut self, byte: u8, at: u64, found: &mut impl FnMut(Found)) {
        match (self.place, self.shape) {
            (Place::Top, Shape::Array) if byte == b'[' => self.place = Place::Array(Slot::First),
            (Place::Top, shape) if byte == b'{' && (shape.streams() || shape == Shape::Members) => {
                self.place = Place::Object(Part::First);
            }
            (Place::Object(Part::Value), shape) if shape.streams() && shape.wants(self.parsed_key().as_deref()) => {
                let key = self.parsed_key().unwrap_or_default();
                if self.streamed.contains(&key) {
                    self.lose(&format!("the key `{key}` stands twice"), at, found);
                } else if byte == b'[' {
                    self.streamed.push(key);
                    self.place = Place::Array(Slot::First);
                } else {
                    self.lose(&format!("`{key}` is not an array"), at, found);
                }
            }
            _ => {
                if self.value_begins(byte, at, found) {
                    self.token = Some(at);
                    self.depth = 1;
                    self.deep = self.limits.max_depth == 0;
                }
            }
        }
    }

    /// Whether a value may begin here. When it may not but the place can still be told, that is reported and it may.
    fn value_begins(&mut self, byte: u8, at: u64, found: &mut impl FnMut(Found)) -> bool {
        match (self.place, self.shape) {
            (Place::Top, Shape::Array) => self.lose("not a JSON array", at, found),
            (Place::Top, Shape::Stream(_) | Shape::Streams(_) | Shape::Members) => {
                self.lose("not a JSON object", at, found);
            }
            (Place::Array(Slot::Comma), _) => self.complain("a comma is missing between two elements", at, found),
            (Place::Object(Part::First | Part::Key), _) if byte != b'"' => self.lose("a key is wanted here", at, found),
            // A bracket of this key's value is taken by `opening` and does not come here.
            (Place::Object(Part::Value), shape) if shape.streams() && shape.wants(self.parsed_key().as_deref()) => {
                let key = self.parsed_key().unwrap_or_default();
                self.lose(&format!("`{key}` is not an array"), at, found);
            }
            (Place::Object(Part::Colon), _) => self.lose("a colon is wanted here", at, found),
            (Place::Object(Part::Comma), _) => self.lose("a comma is wanted here", at, found),
            (Place::End, _) => self.lose("there is something after the end of the JSON value", at, found),
            _ => {}
        }
        self.place != Place::Lost
    }

    /// The value in progress ends before `end`.
    fn value_ends(&mut self, end: u64, found: &mut impl FnMut(Found)) {
        let Some(start) = self.token.take() else { return };
        self.depth = 0;
        let deep = std::mem::take(&mut self.deep);
        let flaw = self.limits.flaw(start, end, deep);
        match self.place {
            Place::Object(Part::First | Part::Key) => {
                if self.key.len() < MAX_KEY && self.parsed_key().is_none() {
                    return self.lose("a key is damaged", start, found);
                }
                self.place = Place::Object(Part::Colon);
            }
            Place::Object(_) => {
                self.place = Place::Object(Part::Comma);
                if let (Shape::Members, Some(key)) = (self.shape, self.parsed_key()) {
                    found(Found::Member { key, start, end, flaw });
                }
            }
            _ => {
                if let Place::Array(_) = self.place {
                    self.place = Place::Array(Slot::Comma);
                }
                self.complained = false;
                found(flaw.map_or(Found::Element { start, end }, Found::Damaged));
            }
        }
    }

    fn closing(&mut self, byte: u8, at: u64, found: &mut impl FnMut(Found)) {
        match (self.place, byte) {
            (Place::Array(slot), b']') => {
                if slot == Slot::Element {
                    self.complain("an element is missing after the last comma", at, found);
                }
                self.place = if self.shape.streams() { Place::Object(Part::Comma) } else { Place::End };
            }
            (Place::Object(Part::First | Part::Comma), b'}') => self.place = Place::End,
            (Place::Array(_), _) => self.complain("a stray bracket", at, found),
            (Place::Top, _) if self.shape == Shape::Values => self.complain("a stray bracket", at, found),
            _ => self.lose("a bracket that closes nothing", at, found),
        }
    }

    fn punctuation(&mut self, byte: u8, at: u64, found: &mut impl FnMut(Found)) {
        match (self.place, byte) {
            (Place::Array(Slot::Comma), b',') => self.place = Place::Array(Slot::Element),
            (Place::Object(Part::Comma), b',') => self.place = Place::Object(Part::Key),
            (Place::Object(Part::Colon), b':') => self.place = Place::Object(Part::Value),
            (Place::Array(_), b',') => self.complain("an element is missing before this comma", at, found),
            (Place::Array(_), _) => self.complain("a stray colon", at, found),
            (Place::Top, _) if self.shape == Shape::Values => self.complain("stray punctuation", at, found),
            _ => self.lose("stray punctuation", at, found),
        }
    }

    /// Reports stray bytes between elements, once until the next element.
    fn complain(&mut self, message: &str, at: u64, found: &mut impl FnMut(Found)) {
        if !std::mem::replace(&mut self.complained, true) {
            found(Found::Damaged(Problem::new(LeftOut::Malformed, message).at(at)));
        }
    }

    /// Reports damage behind which nothing can be told apart.
    fn lose(&mut self, message: &str, at: u64, found: &mut impl FnMut(Found)) {
        self.place = Place::Lost;
        self.token = None;
        self.depth = 0;
        self.seen = true;
        found(Found::Damaged(Problem::new(LeftOut::Malformed, message).at(at)));
    }

    /// Says that the stream has ended, and reports what that cuts off.
    pub fn finish(&mut self, found: &mut impl FnMut(Found)) {
        let whole_scalar = self.depth == 0 && self.place == Place::Top && !self.lexer.in_string();
        if let (Some(start), false) = (self.token, whole_scalar) {
            let cut = Problem::new(LeftOut::Truncated, "the file ends within the element that begins here").at(start);
            let flaw = self.limits.flaw(start, self.position, self.deep);
            self.token = None;
            self.place = Place::Lost;
            return found(Found::Damaged(flaw.unwrap_or(cut)));
        }
        self.value_ends(self.solid, found);
        let (kind, message) = match self.place {
            Place::Top if !self.seen => (LeftOut::Empty, "there is nothing in it"),
            Place::Array(_) => (LeftOut::Truncated, "the file ends before the array does"),
            Place::Object(_) => (LeftOut::Truncated, "the file ends before the object does"),
            Place::Top | Place::End | Place::Lost => return,
        };
        self.place = Place::Lost;
        found(Found::Damaged(Problem::new(kind, message).at(self.position)));
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
