//! Random draws with a fixed seed, of the kinds that sessions and trials are.

use seatrial::stats::cluster::Part;
use seatrial::stats::reliability;

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

    /// How many of `n` happen.
    pub fn count(&mut self, n: u64, p: f64) -> usize {
        (0..n).filter(|_| self.chance(p)).count()
    }

    /// A standard normal value, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.0.f64(), self.0.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// A standard normal value, or its exponential.
    pub fn value(&mut self, skewed: bool) -> f64 {
        let value = self.normal();
        if skewed { value.exp() } else { value }
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

    /// A case of 1 to 7 trials whose values share a part: normal of mean 0, or log-normal of mean sqrt(e).
    pub fn cluster(&mut self, shared: f64, skewed: bool) -> Part {
        let (own, trials) = (self.normal(), self.0.u32(1..=7));
        let mut part = Part { top: 0.0, bottom: f64::from(trials) };
        for _ in 0..trials {
            let value = shared.sqrt() * own + (1.0 - shared).sqrt() * self.normal();
            part.top += if skewed { value.exp() } else { value };
        }
        part
    }

    /// A case of `size` calls, each of which goes as the case goes with the chance `alike`, else on its own.
    pub fn rate(&mut self, p: f64, size: u32, alike: f64) -> Part {
        let own = self.chance(p);
        let so = (0..size).filter(|_| if self.chance(alike) { own } else { self.chance(p) }).count();
        Part { top: so as f64, bottom: f64::from(size) }
    }

    /// pass^k of each case, over some trials each.
    pub fn pass_hat(&mut self, cases: u32, trials: u64, k: u64, rates: CaseRates) -> Vec<f64> {
        let one = |dice: &mut Self| {
            let p = if dice.chance(0.5) { rates.easy } else { rates.hard };
            let passed = dice.count(trials, p) as u64;
            reliability::pass_hat_k(trials, passed, k).expect("enough trials")
        };
        (0..cases).map(|_| one(self)).collect()
    }
}
