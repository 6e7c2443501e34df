//! Turns, driven by a clock.
