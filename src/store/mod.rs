//! Floor 3: what a run leaves behind and how it is read again: the run record, the sessions kept whole beside it,
//! an earlier run as baseline, and the database of what goes to people and what they say ([`db`]).

pub mod against;
pub mod baseline;
pub mod db;
pub mod driven;
pub mod earlier;
pub mod kept;
pub mod lines;
pub mod record;
pub mod unhappy;
pub mod writer;
