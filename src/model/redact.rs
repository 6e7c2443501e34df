//! The boundary that content crosses when it is written or sent: only a [`Redacted`] value can be.

use serde::{Serialize, Serializer};

/// A value that has been through the redaction rules. Whatever writes records, kept sessions and reports takes this
/// type, so that nothing reaches them around the rules.
#[derive(Debug, Clone, Copy)]
pub struct Redacted<T>(T);

/// The redaction rules in force. This version of the suite language has none to declare, so values pass unchanged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redactor(());

impl Redactor {
    /// Lets a value through the rules.
    pub fn pass<T>(&self, value: T) -> Redacted<T> {
        Redacted(value)
    }
}

impl<T> Redacted<T> {
    /// The value, for writers that do not go through serde.
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
