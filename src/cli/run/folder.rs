//! Where a run lies: a folder of its own, and `latest` that names the newest.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Makes a folder for the run that no other run has: several may begin at once.
pub fn make(out: &Path, now: jiff::Timestamp) -> io::Result<(String, PathBuf)> {
    fs::create_dir_all(out)?;
    let mut last = now.as_nanosecond() >> 8;
    loop {
        let id = format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), last & 0xffff);
        let dir = out.join(&id);
        match fs::create_dir(&dir) {
            Ok(()) => return Ok((id, dir)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => last += 1,
            Err(e) => return Err(e),
        }
    }
}

/// Makes `latest` beside the run's folder name it.
pub fn point_latest(dir: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(()) };
    let latest = parent.join("latest");
    #[cfg(unix)]
    {
        // Made beside it and moved over it, so that a reader never finds none.
        let fresh = parent.join(format!(".latest-{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(name, &fresh)?;
        fs::rename(&fresh, &latest)
    }
    #[cfg(not(unix))]
    {
        fs::write(&latest, name.to_string_lossy().as_bytes())
    }
}

/// The newest run, as `latest` names it.
pub fn latest(out: &Path) -> Option<PathBuf> {
    let latest = out.join("latest");
    if latest.is_dir() {
        return Some(latest);
    }
    // Where there are no links, it is a file with the name.
    let name = fs::read_to_string(latest).ok()?;
    Some(out.join(name)).filter(|path| path.is_dir())
}

/// The way from the repository's root to a folder, with a slash at its end; empty at the root and outside of any.
pub fn below_root(folder: &Path) -> String {
    let root = folder.ancestors().find(|f| f.join(".git").exists());
    let below = root.and_then(|root| folder.strip_prefix(root).ok()).unwrap_or(Path::new(""));
    let below = below.display().to_string().replace('\\', "/");
    if below.is_empty() { below } else { format!("{below}/") }
}

/// A path as a user would name it.
pub fn display(path: &Path, cwd: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string().replace('\\', "/")
}
