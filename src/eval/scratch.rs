//! A temporary file without a name: nothing is left of it, however the process ends.

use std::fs::File;
use std::io;

/// Makes one.
///
/// # Errors
/// There is no room for it; the folder is named, since nobody asked for a file there.
pub fn file() -> io::Result<File> {
    tempfile::tempfile().map_err(|why| {
        let folder = std::env::temp_dir();
        io::Error::new(why.kind(), format!("no temporary file can be made in `{}` (TMPDIR): {why}", folder.display()))
    })
}
