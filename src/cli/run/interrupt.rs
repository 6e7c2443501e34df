//! The interrupt: the first ends a run orderly, a second at once, with every program that it started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::cli::context::Failure;
use crate::eval::exit;
use crate::process;

/// Set when the run is to end orderly; a second interrupt ends it at once.
pub fn stop_on_interrupt() -> Result<&'static AtomicBool, Failure> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(stop) = STOP.get() {
        return Ok(stop);
    }
    let stop = STOP.get_or_init(Arc::default);
    let flag = Arc::clone(stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // Nobody else will come to it.
            process::end_all();
            std::process::exit(i32::from(exit::INCOMPLETE));
        }
    })
    .map_err(|e| Failure::new(exit::BUG, format_args!("the interrupt handler could not be set: {e}")))?;
    Ok(stop)
}
