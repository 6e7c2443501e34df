//! Control charts: a level that shifts by little is told by what adds up, not by any one value.
//!
//! CUSUM (E. S. Page, Biometrika 41, 1954): S = max(0, S + x - k), over h. EWMA (S. W. Roberts, Technometrics 1, 1959):
//! z = lambda x + (1 - lambda) z, further from the target than L sigma sqrt(lambda/(2 - lambda) (1 - (1 - lambda)^2t)).

/// The one-sided sum of Page over values in standard deviations from the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    /// The drift that is let go, in standard deviations: half of the shift that is to be found.
    pub k: f64,
    /// Where it fires, in standard deviations.
    pub h: f64,
    /// The sum so far.
    pub sum: f64,
}

impl Cusum {
    /// Nothing has added up yet.
    pub const fn new(k: f64, h: f64) -> Self {
        Self { k, h, sum: 0.0 }
    }

    /// Takes the next value; whether it fires.
    pub fn step(&mut self, x: f64) -> bool {
        self.sum = (self.sum + x - self.k).max(0.0);
        self.sum > self.h
    }
}

/// The weighted mean of Roberts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    /// What the newest value weighs, in (0, 1].
    pub lambda: f64,
    /// How many of its standard deviations it may be from the target.
    pub l: f64,
    /// The target.
    pub mu: f64,
    /// The standard deviation of values about it.
    pub sigma: f64,
    /// The mean so far.
    pub mean: f64,
    /// What is left of the weight of the target, squared.
    left: f64,
}

impl Ewma {
    /// At its target.
    pub const fn new(lambda: f64, l: f64, mu: f64, sigma: f64) -> Self {
        Self { lambda, l, mu, sigma, mean: mu, left: 1.0 }
    }

    /// Takes the next value; how far from the target it may be now.
    pub fn step(&mut self, x: f64) -> f64 {
        self.mean = self.lambda * x + (1.0 - self.lambda) * self.mean;
        self.left *= (1.0 - self.lambda) * (1.0 - self.lambda);
        self.l * self.sigma * (self.lambda / (2.0 - self.lambda) * (1.0 - self.left)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_fires_where_the_published_formula_does() {
        let mut chart = Cusum::new(0.5, 5.0);
        let fired: Vec<bool> = [0.0, 0.2, -0.1, 0.1, 2.0, 2.4, 3.0].into_iter().map(|x| chart.step(x)).collect();
        assert_eq!(fired, [false, false, false, false, false, false, true]);
        assert!((chart.sum - 5.9).abs() < 1e-9, "{}", chart.sum);
    }

    #[test]
    fn the_weighted_mean_fires_where_the_published_formula_does() {
        let mut chart = Ewma::new(0.2, 3.0, 10.0, 0.5);
        let mut fired = Vec::new();
        let mut limit = 0.0;
        for x in [10.0, 10.2, 9.9, 10.1, 11.0, 11.2, 11.5] {
            limit = 10.0 + chart.step(x);
            fired.push(chart.mean > limit);
        }
        assert_eq!(fired, [false, false, false, false, false, false, true]);
        assert!((chart.mean - 10.63516).abs() < 1e-5 && (limit - 10.48888).abs() < 1e-5, "{} {limit}", chart.mean);
    }
}
