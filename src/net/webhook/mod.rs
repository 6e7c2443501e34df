//! Webhooks: telling an address of the user's own what happened.
//!
//! The address need not be there: so a message is sent again, later each time, and who receives it can tell by its
//! signature that it is ours, and by its id that it came before.

pub mod send;
pub mod sign;
