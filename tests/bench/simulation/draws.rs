//! Random draws with a fixed seed, of the kinds that sessions and trials are.

use seatrial::stats::cluster::Part;
use seatrial::stats::special;

/// A seeded source of draws.
pub struct Dice(fastrand::Rng);

/// The chances of passing that cases have.
#[derive(Clone, Copy)]
pub struct CaseRates {
    easy: f64,
    hard: f64,
}

impl CaseRates {
    /// Every case passes 8 trials of 10.
    pub const ALIKE: Self = Self { easy: 0.8, hard: 0.8 };
    /// Half of the cases always pass, half pass 3 trials of 10.
    pub const SPLIT: Self = Self { easy: 1.0, hard: 0.3 };

    /// The true mean of pass^k.
    pub fn pass_hat(self, k: i32) -> f64 {
        f64::midpoint(self.easy.powi(k), self.hard.powi(k))
    }
}

/// How values are spread.
#[derive(Clone, Copy)]
pub enum Spread {
    /// Evenly, about 0.
    Normal,
    /// The times between events, of mean 1.
    Exponential,
    /// The exponential of a normal value: one in a hundred is ten times the median.
    LogNormal,
}

impl Spread {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Exponential, Self::LogNormal];

    /// What it is called in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Exponential => "exponential",
            Self::LogNormal => "log-normal",
        }
    }

    /// The true mean.
    pub fn mean(self) -> f64 {
        match self {
            Self::Normal => 0.0,
            Self::Exponential => 1.0,
            Self::LogNormal => 0.5_f64.exp(),
        }
    }

    /// What a standard normal value becomes.
    fn of(self, normal: f64) -> f64 {
        match self {
            Self::Normal => normal,
            Self::Exponential => -(1.0 - special::normal_cdf(normal)).ln(),
            Self::LogNormal => normal.exp(),
        }
    }
}

impl Dice {
    /// The draws of what is called so.
    pub fn of(name: &str) -> Self {
        // FNV-1a.
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Whether something of this chance happens.
    pub fn chance(&mut self, p: f64) -> bool {
        self.0.f64() < p
    }

    /// A number from 0 to below 1.
    pub fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    /// How many of `n` happen.
    pub fn count(&mut self, n: u64, p: f64) -> usize {
        (0..n).filter(|_| self.chance(p)).count()
    }

    /// A standard normal value, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.0.f64(), self.0.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// A value that is spread so.
    pub fn value(&mut self, spread: Spread) -> f64 {
        spread.of(self.normal())
    }

    /// An exponential value of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.0.f64()).ln()
    }

    /// A Poisson count, by the times between events.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut time, mut events) = (self.exponential(), 0);
        while time < mean {
            time += self.exponential();
            events += 1;
        }
        events
    }

    /// Wins and losses of pairs.
    pub fn pairs(&mut self, n: u64, win: f64, loss: f64) -> (u64, u64) {
        let (mut wins, mut losses) = (0, 0);
        for _ in 0..n {
            let u = self.0.f64();
            wins += u64::from(u < win);
            losses += u64::from(u >= win && u < win + loss);
        }
        (wins, losses)
    }

    /// A case of one or several trials, up to `most`, whose values share a part.
    pub fn cluster(&mut self, most: u32, shared: f64, spread: Spread) -> Part {
        let (own, trials) = (self.normal(), self.0.u32(1..=most));
        let mut part = Part { top: 0.0, bottom: f64::from(trials) };
        for _ in 0..trials {
            part.top += spread.of(shared.sqrt() * own + (1.0 - shared).sqrt() * self.normal());
        }
        part
    }

    /// As [`Dice::rate`], of 1 to `most` calls.
    pub fn uneven_rate(&mut self, p: f64, most: u32, alike: f64) -> Part {
        let size = self.0.u32(1..=most);
        self.rate(p, size, alike)
    }

    /// A case of `size` calls, each of which goes as the case goes with the chance `alike`, else on its own.
    pub fn rate(&mut self, p: f64, size: u32, alike: f64) -> Part {
        let own = self.chance(p);
        let so = (0..size).filter(|_| if self.chance(alike) { own } else { self.chance(p) }).count();
        Part { top: so as f64, bottom: f64::from(size) }
    }

    /// A sum in as many parts.
    pub fn split(&mut self, sum: u64, parts: u32) -> Vec<u64> {
        let mut cuts: Vec<u64> = (1..parts).map(|_| self.0.u64(0..=sum)).collect();
        cuts.extend([0, sum]);
        cuts.sort_unstable();
        cuts.windows(2).map(|two| two[1] - two[0]).collect()
    }

    /// How many cases passed none of their trials, how many one, and so on.
    pub fn passed(&mut self, cases: u32, trials: u64, rates: CaseRates) -> Vec<u64> {
        let mut passed = vec![0; trials as usize + 1];
        for _ in 0..cases {
            let p = if self.chance(0.5) { rates.easy } else { rates.hard };
            passed[self.count(trials, p)] += 1;
        }
        passed
    }
}
