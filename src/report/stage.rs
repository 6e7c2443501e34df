//! Sessions on their way to the reports: each sink hears of every suite in order, and of nothing after the first thing
//! that could not be written.

use std::io;

use super::{Kept, Line, Sink};
use crate::eval::event::LeftOutEvent;

/// The sinks, how many suites they have been told of, and the first thing that one of them could not write.
pub(super) struct Stage<'s, 'k> {
    sinks: &'s mut [&'k mut dyn Sink],
    suites: usize,
    failed: Option<io::Error>,
}

impl<'s, 'k> Stage<'s, 'k> {
    /// Nothing told yet.
    pub(super) fn new(sinks: &'s mut [&'k mut dyn Sink]) -> Self {
        Self { sinks, suites: 0, failed: None }
    }

    /// A session, with how it was kept.
    pub(super) fn session(&mut self, line: &Line<'_>, mut kept: Option<&mut Kept<'_>>) {
        self.up_to(line.event.suite as usize);
        self.each(|sink| sink.session(line, kept.as_deref_mut()));
    }

    /// Something that was left out.
    pub(super) fn left_out(&mut self, event: &LeftOutEvent) {
        self.up_to(event.suite as usize);
        self.each(|sink| sink.left_out(event));
    }

    /// Tells every sink something.
    pub(super) fn each(&mut self, mut tell: impl FnMut(&mut dyn Sink) -> io::Result<()>) {
        for sink in self.sinks.iter_mut() {
            if self.failed.is_none() {
                self.failed = tell(&mut **sink).err();
            }
        }
    }

    /// Something that the reports are drawn from could not be read.
    pub(super) fn fail(&mut self, why: io::Error) {
        self.failed.get_or_insert(why);
    }

    /// Tells of every suite up to `suite`: those without a session have a place in every report, too.
    fn up_to(&mut self, suite: usize) {
        while self.suites <= suite {
            let next = self.suites;
            self.each(|sink| sink.suite(next));
            self.suites += 1;
        }
    }

    /// The sessions of so many suites are over.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub(super) fn end(mut self, suites: usize) -> io::Result<()> {
        if let Some(last) = suites.checked_sub(1) {
            self.up_to(last);
        }
        self.failed.map_or(Ok(()), Err)
    }
}
