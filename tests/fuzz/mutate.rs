//! Inputs: what is known to be good, with damage. The same seed gives the same inputs on every machine.

/// A small generator of numbers (SplitMix64), which is all the randomness there is.
pub struct Random(u64);

impl Random {
    /// The one for the input of a number under a seed.
    pub fn of(seed: u64, target: &str, number: u64) -> Self {
        let name =
            target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut random = Self(seed ^ name ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// One of some things.
    pub fn of_all<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// Largest input that is made.
const LARGEST: usize = 64 << 10;

/// Pieces that mean something to one decoder or another.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"0",
    b"-1",
    b"1e999",
    b"-0.0",
    b"1.5",
    b"NaN",
    b"18446744073709551616",
    b"9223372036854775808",
    b"9007199254740993",
    b"\\u0000",
    b"\\ud800",
    b"\\",
    b"\"",
    b"\n",
    b"\r\n",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\x7f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\x0a\x00",
    b"{{",
    b"}}",
    b"{%",
    b"%}",
    b"$",
    b"$..",
    b"[*]",
    b"[-1]",
    b"[?@.a==1]",
    b"{\"$not\":",
    b"{\"$matches\":\"(\"}",
    b"{\"$one_of\":[]}",
    b"{ \"$not\" = \"a*\" }",
    b"***",
    b"[[",
    b"]]",
    b"'''",
    b"\"\"\"",
    b"#",
    b"=",
    b"1979-05-27",
    b"999999999999",
    b"__REDACTED__",
    b"{\"a\":{\"a\":{\"a\":[[[[]]]]}}}",
    b"session.tools",
    b"|",
    b"..",
    b"()",
    b"~",
    b"and not",
];

/// A seed with one to eight pieces of damage.
pub fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.of_all(seeds).clone();
    for _ in 0..=random.below(8) {
        damage(random, &mut input, seeds);
    }
    input.truncate(LARGEST);
    input
}

fn damage(random: &mut Random, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(input.len() + 1);
    let some = piece(random, input);
    match random.below(16) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        3 | 4 => drop(input.splice(at..at, random.of_all(TOKENS).iter().copied())),
        5 => drop(input.drain(some)),
        // Once more, up to many times.
        6 => {
            let times = [1, 1, 2, 100][random.below(4)];
            let copy = input[some.clone()].repeat(times);
            if copy.len() <= LARGEST {
                input.splice(some.end..some.end, copy);
            }
        }
        7 => input.truncate(at),
        8 => {
            let other = random.of_all(seeds);
            let from = piece(random, other);
            input.splice(some, other[from].iter().copied());
        }
        9 | 10 => number(random, input, at),
        11 | 12 => exchange(random, input),
        // Deeper.
        13 => {
            let (open, close) = *random.of_all(&[(b'[', b']'), (b'{', b'}'), (b'(', b')'), (b'"', b'"')]);
            let depth = [1, 3, 130, 5000][random.below(4)];
            input.splice(some.end..some.end, std::iter::repeat_n(close, depth));
            input.splice(some.start..some.start, std::iter::repeat_n(open, depth));
        }
        14 => {
            let to = random.below(input.len() + 1);
            let moved: Vec<u8> = input[some].to_vec();
            input.splice(to..to, moved);
        }
        _ => token(random, input),
    }
}

/// A range of the input, mostly a short one.
fn piece(random: &mut Random, input: &[u8]) -> std::ops::Range<usize> {
    let start = random.below(input.len() + 1);
    let longest = [4, 16, 200, input.len()][random.below(4)];
    start..(start + random.below(longest + 1)).min(input.len())
}

/// The next number at or after `at` becomes another one.
fn number(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let Some(start) = (at..input.len()).find(|i| input[*i].is_ascii_digit()) else { return };
    let end = (start..input.len()).find(|i| !input[*i].is_ascii_digit()).unwrap_or(input.len());
    const NUMBERS: &[&str] = &[
        "0",
        "1",
        "-1",
        "255",
        "65536",
        "2147483648",
        "4294967295",
        "9007199254740993",
        "18446744073709551615",
        "1e400",
        "0.1",
        "\"7\"",
    ];
    input.splice(start..end, random.of_all(NUMBERS).bytes());
}

/// One quoted text is put in the place of another.
fn exchange(random: &mut Random, input: &mut Vec<u8>) {
    let quotes: Vec<usize> = (0..input.len()).filter(|i| input[*i] == b'"').collect();
    if quotes.len() < 4 {
        return;
    }
    let mut text = || {
        let i = random.below(quotes.len() - 1);
        quotes[i]..quotes[i + 1] + 1
    };
    let (from, to) = (text(), text());
    let copy = input[from].to_vec();
    input.splice(to, copy);
}

/// A whole value is replaced by another kind of value.
fn token(random: &mut Random, input: &mut Vec<u8>) {
    let colons: Vec<usize> = (0..input.len()).filter(|i| matches!(input[*i], b':' | b'=')).collect();
    if colons.is_empty() {
        return;
    }
    let start = random.of_all(&colons) + 1;
    let end = (start..input.len()).find(|i| matches!(input[*i], b',' | b'}' | b'\n')).unwrap_or(input.len());
    input.splice(start..end, random.of_all(TOKENS).iter().copied());
}
