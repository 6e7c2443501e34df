//! The labels that are a sample of all verdicts. Verdicts go to people because they are uncertain, risky or disputed; what
//! those are like says nothing of the confident ones that nobody looked at. So there must be a stream that draws from
//! all verdicts (`review.audit`, or `always`), and what was sent more often than that is thinned to its rate: a verdict
//! that was sent with probability q stays with r / q, where r is the lowest rate of the stream. Which ones stay follows
//! from their names, never from what anybody said of them. What stays was drawn with probability r, each of it, and is a
//! simple random sample, to which exact methods apply; weights would need methods that are not exact.

use std::fmt;

use super::labelled::{Answered, LabelledVerdict};

/// A random sample of all verdicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'l> {
    /// The verdicts, whatever became of them.
    pub verdicts: Vec<&'l LabelledVerdict>,
    /// The probability with which each verdict is in it.
    pub rate: f64,
    /// Verdicts set aside because they were sent more often than the others.
    pub thinned: usize,
    /// Verdicts from times when nothing was drawn at random.
    pub outside: usize,
}

/// Why labels are no sample of all verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDrawn {
    /// There are none.
    NoLabels,
    /// All were sent for what they are; so many.
    Chosen(usize),
}

impl fmt::Display for NotDrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLabels => f.write_str("no verdict was sent to people yet"),
            Self::Chosen(n) => write!(
                f,
                "none of the {n} labelled verdicts was drawn at random from all: they were sent for being uncertain or \
                 risky, and say nothing of the verdicts that nobody looked at; add `audit = 0.05` to `review`, and label \
                 what it draws"
            ),
        }
    }
}

impl Sample<'_> {
    /// How many of it wait for an answer.
    pub fn open(&self) -> usize {
        self.count(Answered::Open)
    }

    /// How many of it nobody could answer.
    pub fn given_up(&self) -> usize {
        self.count(Answered::GivenUp)
    }

    /// How many of it were decided by people who had seen what the judge says, or may have.
    pub fn not_blind(&self) -> usize {
        self.count(Answered::Told) + self.count(Answered::Unknown)
    }

    fn count(&self, answered: Answered) -> usize {
        self.verdicts.iter().filter(|v| v.answered == answered).count()
    }
}

/// Takes the sample. All labels are of one check as it is now.
///
/// # Errors
///
/// When nothing was drawn at random.
pub fn representative<'l>(labels: &[&'l LabelledVerdict]) -> Result<Sample<'l>, NotDrawn> {
    if labels.is_empty() {
        return Err(NotDrawn::NoLabels);
    }
    let stream = || labels.iter().filter_map(|v| v.drawn_at.map(|rate| (rate, v.at)));
    let Some(rate) = stream().map(|(rate, _)| rate).reduce(f64::min) else {
        return Err(NotDrawn::Chosen(labels.len()));
    };
    // Before the first and after the last that was drawn, confident verdicts may not have been looked at at all.
    let (first, last) = stream().fold((i64::MAX, i64::MIN), |(a, b), (_, at)| (a.min(at), b.max(at)));
    let within: Vec<&LabelledVerdict> = labels.iter().copied().filter(|v| (first..=last).contains(&v.at)).collect();
    let verdicts: Vec<&LabelledVerdict> =
        within.iter().copied().filter(|v| place(&v.item) * v.inclusion < rate).collect();
    let (thinned, outside) = (within.len() - verdicts.len(), labels.len() - within.len());
    Ok(Sample { verdicts, rate, thinned, outside })
}

/// A number from 0 to below 1 that follows from a name and looks as if drawn at random.
fn place(item: &str) -> f64 {
    let hash = blake3::derive_key("seatrial calibration 1", item.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::verdict;
    use super::*;

    fn drawn(i: u64, inclusion: f64, drawn_at: Option<f64>) -> LabelledVerdict {
        LabelledVerdict { inclusion, drawn_at, ..verdict(i, true, 0.9, Answered::Said(true)) }
    }

    fn sample(labels: &[LabelledVerdict]) -> Result<(usize, usize, usize, f64), NotDrawn> {
        let labels: Vec<&LabelledVerdict> = labels.iter().collect();
        representative(&labels).map(|s| (s.verdicts.len(), s.thinned, s.outside, s.rate))
    }

    #[test]
    fn what_was_sent_for_what_it_is_shows_nothing_of_the_rest() {
        let chosen: Vec<LabelledVerdict> = (0..80).map(|i| drawn(i, 1.0, None)).collect();
        assert_eq!(sample(&chosen), Err(NotDrawn::Chosen(80)));
        assert_eq!(sample(&[]), Err(NotDrawn::NoLabels));
    }

    #[test]
    fn all_of_what_is_always_sent_counts() {
        let all: Vec<LabelledVerdict> = (0..80).map(|i| drawn(i, 1.0, Some(1.0))).collect();
        assert_eq!(sample(&all), Ok((80, 0, 0, 1.0)));
    }

    #[test]
    fn what_was_sent_more_often_is_thinned_to_the_rate_of_the_others() {
        let audit = (0..100).map(|i| drawn(i, 0.1, Some(0.1)));
        let uncertain = (100..2100).map(|i| drawn(i, 1.0, None));
        // Between the first and the last of the stream, as times go.
        let mut all: Vec<LabelledVerdict> = audit.chain(uncertain).collect();
        all.iter_mut().for_each(|v| v.at = 0);
        let (kept, thinned, outside, rate) = sample(&all).unwrap();
        // 100 of the stream and about a tenth of 2000: 200, give or take five standard errors.
        assert!((235..=365).contains(&kept), "{kept}");
        assert_eq!((kept + thinned, outside, rate), (2100, 0, 0.1));
        assert_eq!(sample(&all).unwrap().0, kept, "the same ones every time");
    }

    #[test]
    fn times_without_a_stream_do_not_count() {
        let mut all: Vec<LabelledVerdict> = (0..60).map(|i| drawn(i, 1.0, Some(1.0))).collect();
        all.extend((60..90).map(|i| drawn(i, 1.0, None)));
        // `verdict` is sent at its number: the last thirty come after the stream.
        assert_eq!(sample(&all), Ok((60, 0, 30, 1.0)));
    }

    #[test]
    fn what_people_said_has_no_part_in_who_stays() {
        let all: Vec<LabelledVerdict> =
            (0..200).map(|i| drawn(i, if i % 2 == 0 { 1.0 } else { 0.3 }, Some(0.3))).collect();
        let other: Vec<LabelledVerdict> =
            all.iter().map(|v| LabelledVerdict { answered: Answered::GivenUp, says: false, ..v.clone() }).collect();
        assert_eq!(sample(&all), sample(&other));
    }
}
