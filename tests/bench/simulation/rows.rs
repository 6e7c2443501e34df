//! Rows of the tables: what was simulated, what is promised, and whether it was kept.

use std::fmt::Write;

use crate::draws::Dice;

/// Draws of every row.
pub const DRAWS: u32 = 10_000;

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// The level of every rule: 1 - confidence, or alpha.
pub const LEVEL: f64 = 0.05;

/// What a row promises of its share.
#[derive(Clone, Copy)]
pub enum Promise {
    /// It is at least the confidence.
    Covers,
    /// It is at most the level.
    Errs,
    /// It is the confidence, give or take a hundredth; what is above is wide, and kept.
    Within,
    /// It never happens.
    Never,
    /// Nothing: it is shown to compare with.
    Nothing,
}

/// One row.
pub struct Row {
    method: &'static str,
    setting: String,
    promise: Promise,
    /// How often what is promised happened.
    hits: u32,
    /// How often the product said that its number may not hold, and how often it was wrong in all.
    doubted: Option<(u32, u32)>,
}

/// What a draw says that has a doubt to it.
pub struct Said {
    /// Whether the interval misses, or the gate would pass.
    pub wrong: bool,
    /// Whether it is said that it may not hold.
    pub doubted: bool,
}

impl Row {
    /// Runs the draws of one row, seeded by what it is.
    pub fn of(
        promise: Promise,
        method: &'static str,
        setting: impl Into<String>,
        mut hit: impl FnMut(&mut Dice) -> bool,
    ) -> Self {
        let setting = setting.into();
        let mut dice = Dice::of(&format!("{method} {setting}"));
        let hits = (0..DRAWS).map(|_| u32::from(hit(&mut dice))).sum();
        Self { method, setting, promise, hits, doubted: None }
    }

    /// As [`Row::of`], for what is in doubt at times: what is wrong and not doubted counts.
    pub fn doubted(method: &'static str, setting: impl Into<String>, mut draw: impl FnMut(&mut Dice) -> Said) -> Self {
        let (mut doubted, mut wrong) = (0, 0);
        let row = Self::of(Promise::Errs, method, setting, |dice| {
            let said = draw(dice);
            doubted += u32::from(said.doubted);
            wrong += u32::from(said.wrong);
            said.wrong && !said.doubted
        });
        Self { doubted: Some((doubted, wrong)), ..row }
    }

    /// Adds something that the draws told beside.
    pub fn remark(&mut self, text: String) {
        self.setting = format!("{}; {text}", self.setting);
    }

    /// Whether the promise is kept, up to what chance explains (three standard errors).
    pub fn keeps(&self) -> bool {
        let chance = 3.0 * (LEVEL * (1.0 - LEVEL) / f64::from(DRAWS)).sqrt();
        let share = f64::from(self.hits) / f64::from(DRAWS);
        match self.promise {
            Promise::Covers => share >= CONFIDENCE - chance,
            Promise::Errs => share <= LEVEL + chance,
            Promise::Within => share >= CONFIDENCE - 0.01,
            Promise::Never => self.hits == 0,
            Promise::Nothing => true,
        }
    }

    /// Whether anything is promised.
    pub fn promises(&self) -> bool {
        !matches!(self.promise, Promise::Nothing)
    }
}

/// A table in Markdown.
pub fn table(rows: &[Row], what: &str) -> String {
    let doubts = rows.iter().any(|r| r.doubted.is_some());
    let (title, line) = if doubts { (" said to be in doubt | wrong |", " --- | --- |") } else { ("", "") };
    let mut out = format!("| method | setting |{title} {what} | promised | kept |\n");
    writeln!(out, "| --- | --- |{line} --- | --- | --- |").expect("text takes all");
    for row in rows {
        let percent = |n: u32| format!("{:.2}%", f64::from(n) / f64::from(DRAWS) * 100.0);
        let doubted = row.doubted.map(|(n, all)| format!(" {} | {} |", percent(n), percent(all))).unwrap_or_default();
        let promised = match row.promise {
            Promise::Covers => "at least 95%",
            Promise::Errs => "at most 5%",
            Promise::Within => "94% to 96%",
            Promise::Never => "0%",
            Promise::Nothing => "not used",
        };
        let wide =
            matches!(row.promise, Promise::Within) && f64::from(row.hits) > (CONFIDENCE + 0.01) * f64::from(DRAWS);
        let kept = match (row.promises(), row.keeps()) {
            (false, _) => "-",
            (_, false) => "**no**",
            (_, true) if wide => "wide",
            (_, true) => "yes",
        };
        let Row { method, setting, .. } = row;
        writeln!(out, "| {method} | {setting} |{doubted} {} | {promised} | {kept} |", percent(row.hits))
            .expect("text takes all");
    }
    out
}
