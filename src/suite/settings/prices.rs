//! `[prices]` in `seatrial.toml`: what the tokens of models cost.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{Reader, found};
use super::{OwnPrice, did_you_mean};
use crate::checks::prices::{Price, WrittenPrice};
use crate::checks::select::Glob;
use crate::suite::nearest::nearest;

/// The keys of a price.
const KEYS: &[&str] = &["input", "output", "cached_input", "cache_write", "reasoning", "up_to"];

/// What the reference says of `[prices]`.
pub const DOC: &str = r#"[prices] says what the tokens of models cost, in US dollars per million, for the check `cost` and the metric
`cost_usd`. The key is the name of a model or a glob over names, and what is written here wins over the built-in table:

  [prices]
  "gpt-4o"      = { input = 2.5, output = 10, cached_input = 1.25 }
  "our-llama-*" = { input = 0.2, output = 0.2 }

`input` and `output` are required. Without `cached_input` or `cache_write` such tokens cost as `input`, without
`reasoning` as `output`. `up_to` is the number of input tokens of a call beyond which the price does not hold: such a
call is an error. A model is looked for by its recorded name, then without a known provider before it (`openai/`,
`bedrock/us.anthropic.`) and without a version, date or `-latest` behind it; a name goes before a glob, an earlier glob
before a later one. A model without a price is an error. Costs are compared with those of an earlier run only by the same
prices: whenever these change, that run has to run again. `seatrial check` prints the date of the built-in table.
"#;

impl Reader<'_> {
    pub(super) fn prices(&mut self, value: &Spanned<DeValue<'_>>) {
        for (key, value) in self.table("prices", value).into_iter().flatten() {
            let model = key.get_ref().as_ref();
            let glob = match Glob::new(model) {
                Ok(glob) if !model.trim().is_empty() => glob,
                Ok(_) => {
                    self.problem(key.span(), "a price needs the name of a model", None);
                    continue;
                }
                Err(why) => {
                    self.problem(key.span(), format!("`{model}` is {why}"), None);
                    continue;
                }
            };
            let Some(table) = self.table(&format!("prices.{model}"), value) else { continue };
            if let Some((price, written)) = self.price(model, key.span(), table) {
                let origin = self.origin(&key.span(), None);
                self.file.prices.push(OwnPrice { model: glob, price, written, origin });
            }
        }
    }

    fn price(&mut self, model: &str, at: std::ops::Range<usize>, table: &DeTable<'_>) -> Option<(Price, String)> {
        let mut price = WrittenPrice::default();
        let mut sound = true;
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) {
                let help = nearest(name, KEYS.iter().copied()).map(did_you_mean);
                let help = help.or_else(|| Some(format!("a price has {}", KEYS.join(", "))));
                self.problem(key.span(), format!("unknown key `{name}` in a price"), help);
                sound = false;
                continue;
            }
            let Some(number) = number(value.get_ref()) else {
                let found = found(value);
                self.problem(value.span(), format!("`{name}` is a number, not {found}"), None);
                sound = false;
                continue;
            };
            match name {
                "input" => price.input = number,
                "output" => price.output = number,
                "cached_input" => price.cached_input = Some(number),
                "cache_write" => price.cache_write = Some(number),
                "reasoning" => price.reasoning = Some(number),
                _ if number >= 1.0 && number.fract() == 0.0 && number < 1e15 => price.up_to = Some(number as u64),
                _ => {
                    self.problem(value.span(), "`up_to` is a whole number of tokens, 1 or more", None);
                    sound = false;
                }
            }
        }
        for required in ["input", "output"] {
            if !table.contains_key(required) {
                let help = "a price has `input` and `output`, in US dollars per million tokens".to_owned();
                self.problem(at.clone(), format!("the price of `{model}` has no `{required}`"), Some(help));
                sound = false;
            }
        }
        match price.exact() {
            Ok(exact) if sound => Some((exact, format!("{} in, {} out", price.input, price.output))),
            Ok(_) => None,
            Err((key, why)) => {
                let span = table.get(key).map_or(at, Spanned::span);
                self.problem(span, why, None);
                None
            }
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => None,
    }
}
