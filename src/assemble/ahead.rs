//! Work one step ahead of those who wait for it, on a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

/// What a function makes one after the other. While one is used, the next is made; no more than that.
pub(super) struct Ahead<T> {
    made: Receiver<T>,
    maker: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Calls `make` until it makes nothing more, or until this is dropped.
    ///
    /// # Errors
    /// A thread that could not be started.
    pub(super) fn new(name: &str, mut make: impl FnMut() -> Option<T> + Send + 'static) -> io::Result<Self> {
        let (sender, made) = sync_channel(0);
        let work = move || {
            while let Some(next) = make() {
                if sender.send(next).is_err() {
                    break;
                }
            }
        };
        Ok(Self { made, maker: Some(Builder::new().name(name.to_owned()).spawn(work)?) })
    }

    /// The next, or `None` after the last.
    ///
    /// # Panics
    /// Goes on with a panic of the function: what it did not make must not be taken for the end.
    pub(super) fn next(&mut self) -> Option<T> {
        let next = self.made.recv().ok();
        if next.is_none()
            && let Some(Err(panic)) = self.maker.take().map(JoinHandle::join)
        {
            std::panic::resume_unwind(panic);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_out_in_order() {
        let mut numbers = 0..100;
        let mut ahead = Ahead::new("numbers", move || numbers.next()).unwrap();
        let all: Vec<i32> = std::iter::from_fn(|| ahead.next()).collect();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert!(ahead.next().is_none());
    }

    #[test]
    fn a_panic_is_no_end() {
        let mut ahead = Ahead::<()>::new("panics", || panic!("a test of what a maker's panic becomes")).unwrap();
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ahead.next())).is_err());
    }
}
