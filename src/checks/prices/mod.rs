//! What tokens cost: the price of each model, from `[prices]` in `seatrial.toml` or the table that is built in, and what
//! an operation cost by it. All sums are exact integers.

mod names;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};

use super::nearest::nearest;
use super::select::Glob;
use crate::model::digest::{Builder, Digest};
use crate::model::{NanoUsd, Span, Usage};

/// What prices are called among the files that a suite or a check rests on.
pub const FILE: &str = "[prices]";

/// The metric that is by prices.
pub const METRIC: &str = "cost_usd";

/// The built-in table as it is written.
const DEFAULT: &str = include_str!("default.toml");

/// Trillionths of a dollar per token: a price of six decimal places per million tokens is a whole number of them.
const PICO_PER_TOKEN: f64 = 1e6;

/// The most that a million tokens may cost, in dollars; beyond it, it is a slip of the pen.
const MOST_USD: f64 = 1e6;

/// The price of a model's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    input: u64,
    output: u64,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    up_to: Option<u64>,
}

/// A price as it is written: US dollars per million tokens.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenPrice {
    /// Input that is neither read from a cache nor written to one.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from a cache; without it, it costs as other input.
    pub cached_input: Option<f64>,
    /// Input written to a cache; without it, it costs as other input.
    pub cache_write: Option<f64>,
    /// Output spent on reasoning; without it, it costs as other output.
    pub reasoning: Option<f64>,
    /// The input tokens of one call up to which the price holds; without it, it always does.
    pub up_to: Option<u64>,
}

impl WrittenPrice {
    /// The price in exact units.
    ///
    /// # Errors
    /// The key whose number cannot be a price, and why.
    pub fn exact(&self) -> Result<Price, (&'static str, String)> {
        let unit = |key: &'static str, usd: f64| {
            let pico = (usd * PICO_PER_TOKEN).round();
            if !(0.0..=MOST_USD).contains(&usd) {
                Err((key, format!("`{key}` is a price in US dollars per million tokens, from 0 to {MOST_USD}")))
            } else if (usd * PICO_PER_TOKEN - pico).abs() > 1e-3 {
                Err((key, format!("`{key}` has more than six decimal places")))
            } else {
                Ok(pico as u64)
            }
        };
        let some = |key, usd: Option<f64>| usd.map(|usd| unit(key, usd)).transpose();
        Ok(Price {
            input: unit("input", self.input)?,
            output: unit("output", self.output)?,
            cached_input: some("cached_input", self.cached_input)?,
            cache_write: some("cache_write", self.cache_write)?,
            reasoning: some("reasoning", self.reasoning)?,
            up_to: self.up_to,
        })
    }
}

impl Price {
    /// What tokens cost. A count of cached or reasoning tokens that is not recorded is none: providers leave out what
    /// did not happen.
    ///
    /// # Errors
    /// What is missing, or does not fit together.
    pub fn of(&self, usage: &Usage) -> Result<NanoUsd, String> {
        let input = usage.input.ok_or("the recording holds no count of input tokens")?;
        let output = usage.output.ok_or("the recording holds no count of output tokens")?;
        let (read, write) = (usage.cache_read.unwrap_or(0), usage.cache_write.unwrap_or(0));
        let reasoning = usage.reasoning.unwrap_or(0);
        let plain = input.checked_sub(read).and_then(|rest| rest.checked_sub(write));
        let plain = plain.ok_or("more input tokens are cached than there are")?;
        let said = output.checked_sub(reasoning).ok_or("more output tokens are for reasoning than there are")?;
        if let Some(up_to) = self.up_to.filter(|up_to| input > *up_to) {
            return Err(format!("the price holds up to {up_to} input tokens a call, and this one has {input}"));
        }
        let parts = [
            (plain, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (write, self.cache_write.unwrap_or(self.input)),
            (said, self.output),
            (reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        // Each product fits 128 bits with room for five.
        let pico: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        i64::try_from((pico + 500) / 1000).map(NanoUsd).map_err(|_| "the cost is out of range".to_owned())
    }

    /// The most that so many tokens may cost, whichever of them are cached or spent on reasoning.
    pub fn at_most(&self, input: u64, output: u64) -> NanoUsd {
        let read = [Some(self.input), self.cached_input, self.cache_write].into_iter().flatten().max();
        let written = [Some(self.output), self.reasoning].into_iter().flatten().max();
        let part = |tokens: u64, price: Option<u64>| u128::from(tokens) * u128::from(price.unwrap_or(0));
        let pico = part(input, read) + part(output, written);
        NanoUsd(i64::try_from(pico.div_ceil(1000)).unwrap_or(i64::MAX))
    }
}

/// Where what an operation cost was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The recording says it.
    Recorded,
    /// `[prices]` in `seatrial.toml`.
    Settings,
    /// The table that is built in.
    Default,
}

/// A table: names first, then globs in the order in which they are written.
#[derive(Debug, Default)]
struct Table {
    names: HashMap<String, Price>,
    globs: Vec<(Glob, Price)>,
}

impl Table {
    fn find(&self, candidates: &[String]) -> Option<Price> {
        let named = candidates.iter().find_map(|name| self.names.get(name));
        let glob = || candidates.iter().find_map(|name| self.globs.iter().find(|(glob, _)| glob.is_match(name)));
        named.copied().or_else(|| glob().map(|(_, price)| *price))
    }
}

/// The built-in table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultFile {
    as_of: String,
    models: std::collections::BTreeMap<String, WrittenPrice>,
}

struct BuiltIn {
    as_of: String,
    table: Table,
}

/// A test keeps the file sound. Were it not, every model would be unknown: an error, never free.
static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
    let Ok(file) = toml::from_str::<DefaultFile>(DEFAULT) else {
        return BuiltIn { as_of: String::new(), table: Table::default() };
    };
    let names = file.models.iter().filter_map(|(name, price)| Some((name.clone(), price.exact().ok()?))).collect();
    BuiltIn { as_of: file.as_of, table: Table { names, globs: Vec::new() } }
});

/// What was found for a model before.
type Known = (Box<str>, Option<(Price, Origin)>);

/// Models remembered, and how many places each may stand at.
const SLOTS: usize = 256;
const PROBES: usize = 8;

/// The longest name of a model that is remembered.
const LONGEST: usize = 200;

/// The prices in force.
pub struct Prices {
    own: Table,
    digest: Digest,
    /// What was found for each model, written once and read without a lock.
    known: Box<[OnceLock<Known>]>,
}

impl Default for Prices {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Prices {
    /// Prices of the user's own, in the order in which they are written, over the built-in table.
    pub fn new(own: Vec<(Glob, Price)>) -> Self {
        let mut digest = Builder::new("seatrial prices 1");
        digest.part("default", DEFAULT.as_bytes());
        let mut table = Table::default();
        for (model, price) in own {
            digest.part(model.as_str(), format!("{price:?}").as_bytes());
            match model.literal() {
                Some(name) => {
                    table.names.insert(name.to_owned(), price);
                }
                None => table.globs.push((model, price)),
            }
        }
        let known = (0..SLOTS).map(|_| OnceLock::new()).collect();
        Self { own: table, digest: digest.finish(), known }
    }

    /// The date of the built-in table.
    pub fn as_of() -> &'static str {
        &BUILT_IN.as_of
    }

    /// How many models the built-in table knows.
    pub fn built_in() -> usize {
        BUILT_IN.table.names.len()
    }

    /// The digest of both tables.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The price of a model, and where it is from. The user's own table wins, whatever form of the name it has; in a
    /// table the most exact form of the name wins, and a name over a glob.
    pub fn find(&self, model: &str) -> Option<(Price, Origin)> {
        if model.len() > LONGEST {
            return self.look_up(model);
        }
        let start =
            model.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        for probe in 0..PROBES {
            let slot = &self.known[(start as usize).wrapping_add(probe) % SLOTS];
            match slot.get() {
                Some((name, found)) if **name == *model => return *found,
                Some(_) => {}
                None => {
                    let found = self.look_up(model);
                    // Another thread may have been faster; then this one looks it up again next time.
                    let _ = slot.set((model.into(), found));
                    return found;
                }
            }
        }
        self.look_up(model)
    }

    fn look_up(&self, model: &str) -> Option<(Price, Origin)> {
        let names = names::candidates(model);
        let own = self.own.find(&names).map(|price| (price, Origin::Settings));
        own.or_else(|| BUILT_IN.table.find(&names).map(|price| (price, Origin::Default)))
    }

    /// What an operation cost: as recorded, else by the price of its model.
    ///
    /// # Errors
    /// Why nobody can say.
    pub fn cost(&self, span: &Span<'_>) -> Result<(NanoUsd, Origin), String> {
        if let Some(cost) = span.cost_usd {
            return match cost.0 >= 0 {
                true => Ok((cost, Origin::Recorded)),
                false => Err(format!("the recorded cost of `{}` is below zero", short(&span.name))),
            };
        }
        let Some(usage) = &span.usage else {
            return Err(format!("the recording holds neither cost nor tokens of `{}`", short(&span.name)));
        };
        let Some(model) = &span.model else {
            return Err(format!("the recording does not say which model `{}` called", short(&span.name)));
        };
        let Some((price, origin)) = self.find(model) else { return Err(self.unknown(model)) };
        let cost = price.of(usage).map_err(|why| format!("`{}` with `{}`: {why}", short(&span.name), short(model)))?;
        Ok((cost, origin))
    }

    /// That no price is known of a model, and what to do about it.
    fn unknown(&self, model: &str) -> String {
        let model = short(model);
        let mut out = format!("no price is known of the model `{model}`");
        let names = self.own.names.keys().chain(BUILT_IN.table.names.keys()).map(String::as_str);
        if let Some(near) = nearest(&model, names) {
            let _ = write!(out, " (there is one of `{near}`)");
        }
        let quoted = model.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(out, "; add it to seatrial.toml: [prices] \"{quoted}\" = {{ input = ..., output = ... }}");
        out
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
