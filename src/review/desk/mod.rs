//! Reviewing in a terminal, without the terminal: what keys do ([`machine`]), and what the screen shows ([`screen`], made
//! of the `lines` of its body and the `hints` of what keys there are).

pub mod cited;
mod hints;
mod lines;
pub mod machine;
pub mod screen;
