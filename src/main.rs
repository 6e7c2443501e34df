//! The `seatrial` command: everything it does is in the library.

use std::process::ExitCode;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator's option `purge_delay`: how many milliseconds what is free is kept before the system gets it back.
const PURGE_DELAY: mi_option_t = 15;

/// Its own second is longer than many runs take: what one part of a run needed would stay while the next one grows.
const PURGE_AFTER_MS: std::ffi::c_long = 10;

fn main() -> ExitCode {
    give_back_early();
    ExitCode::from(seatrial::cli::main())
}

#[allow(unsafe_code)] // The allocator has no other way to be told.
fn give_back_early() {
    // SAFETY: it sets a number, unless the environment did; not to be called from two threads, and there is no other yet.
    unsafe { mi_option_set_default(PURGE_DELAY, PURGE_AFTER_MS) }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    /// The bindings do not name the option; its default, which no other option has, tells that it is the one.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it reads a number.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, 1000);
        give_back_early();
        // SAFETY: as above.
        assert_eq!(unsafe { mi_option_get(PURGE_DELAY) }, PURGE_AFTER_MS);
    }
}
