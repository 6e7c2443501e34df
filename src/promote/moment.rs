//! A moment as the log has it: RFC 3339 in UTC, to the millisecond.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the epoch, UTC; written as `2026-11-27T05:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl Moment {
    /// Reads RFC 3339, any zone; what is below a millisecond is cut.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// So much later; at most the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)).min(LAST))
    }

    /// How much later than `earlier` it is; nothing where it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The last moment that is written with a year of four digits.
const LAST: i64 = 253_402_207_200_000;

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not a time as RFC 3339 has it"))
    }
}

/// A duration in the largest unit that it is a whole number of, such as `36h`; parts of a second are cut.
pub fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m")];
    let whole = units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_their_text() {
        for text in ["2026-11-27T05:00:00Z", "2026-11-27T05:00:00.125Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), text);
        }
        let at = Moment::parse("2026-11-27T06:00:00+01:00").unwrap();
        assert_eq!(at.plus(Duration::from_secs(90)).to_string(), "2026-11-27T05:01:30Z");
        assert_eq!(at.since(at.plus(Duration::from_secs(1))), Duration::ZERO);
        assert!(Moment::parse(&at.plus(Duration::MAX).to_string()).is_some());
        assert_eq!(Moment::parse("yesterday"), None);
    }

    #[test]
    fn durations_are_said_in_whole_units() {
        for (seconds, text) in
            [(0, "0s"), (90, "90s"), (7200, "2h"), (86_400, "1d"), (1_209_600, "2w"), (90_000, "25h")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }
}
