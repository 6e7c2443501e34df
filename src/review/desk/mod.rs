//! Reviewing in a terminal, without the terminal: what keys do ([`machine`]), and what the screen shows ([`screen`]).

pub mod cited;
mod hints;
mod lines;
pub mod machine;
pub mod screen;
