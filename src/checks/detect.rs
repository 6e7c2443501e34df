//! Detectors of card numbers, secrets and the like, for `detect = [...]`.

/// The detectors that a suite may name: the built-in ones and those of `seatrial.toml`.
#[derive(Debug, Clone, Default)]
pub struct Detectors {}
