//! Floor 1: programs that are started: one set-up for all, and nothing that they started is left when the run ends.
//!
//! Each is the leader of a group of its own, so that what it starts itself ends with it. Whoever started one ends it; the
//! groups are known here beside, for the case that the run is ended at once and nobody comes to that ([`end_all`]).

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use process_wrap::{std as waiting, tokio as awaiting};

/// The groups that run.
struct Groups {
    running: BTreeSet<u32>,
    /// Nothing is started any more.
    over: bool,
}

static GROUPS: Mutex<Groups> = Mutex::new(Groups { running: BTreeSet::new(), over: false });

fn groups() -> MutexGuard<'static, Groups> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A group that runs, known until this is dropped.
#[derive(Debug)]
pub struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.take() {
            groups().running.remove(&id);
        }
    }
}

/// Starts a program in a folder. A name with a `/` is a path in that folder; `more` sets up what else there is.
///
/// # Errors
/// It cannot be started.
pub fn start(
    run: &[String],
    dir: &Path,
    more: impl FnOnce(&mut Command),
) -> io::Result<(Box<dyn waiting::ChildWrapper>, Group)> {
    let mut command = waiting::CommandWrap::from(set_up(run, dir, more)?);
    #[cfg(unix)]
    command.wrap(waiting::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(waiting::JobObject);
    known(|| command.spawn().map(|child| (Some(child.id()), child)))
}

/// As [`start`], for a program that is waited for by `await`.
///
/// # Errors
/// It cannot be started.
pub fn start_async(
    run: &[String],
    dir: &Path,
    more: impl FnOnce(&mut Command),
) -> io::Result<(Box<dyn awaiting::ChildWrapper>, Group)> {
    let mut command = awaiting::CommandWrap::from(tokio::process::Command::from(set_up(run, dir, more)?));
    #[cfg(unix)]
    command.wrap(awaiting::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(awaiting::JobObject);
    known(|| command.spawn().map(|child| (child.id(), child)))
}

fn set_up(run: &[String], dir: &Path, more: impl FnOnce(&mut Command)) -> io::Result<Command> {
    let name = run.first().map_or("", String::as_str);
    let full = if name.contains('/') { std::path::absolute(dir.join(name))? } else { name.into() };
    let mut command = Command::new(full);
    command.args(run.iter().skip(1));
    if dir != Path::new("") {
        command.current_dir(dir);
    }
    more(&mut command);
    Ok(command)
}

/// Starts something so that it is known before anybody can end everything.
fn known<T>(start: impl FnOnce() -> io::Result<(Option<u32>, T)>) -> io::Result<(T, Group)> {
    let mut groups = groups();
    if groups.over {
        return Err(io::Error::other("the run is ending"));
    }
    let (id, child) = start()?;
    groups.running.extend(id);
    Ok((child, Group(id)))
}

/// Ends every program that runs, with all that they started. Nothing is started after that.
pub fn end_all() {
    let mut groups = groups();
    groups.over = true;
    // On Windows they end with the job that this process holds.
    #[cfg(unix)]
    for id in std::mem::take(&mut groups.running) {
        if let Ok(id) = i32::try_from(id) {
            // One that has ended has no group any more.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// What a run has open itself: its own files, databases, and the pipes of programs that judge.
const OTHER_FILES: u64 = 128;

/// Fewer files may be open at once than a run needs.
#[derive(Debug, PartialEq, Eq)]
pub struct TooFew {
    /// How many it needs in all.
    pub wanted: u64,
    /// How many the system allows.
    pub allowed: u64,
}

/// Makes sure that so many files and connections can be open at once beside those that a run has open itself, raising what
/// this process may have as far as the system lets it.
///
/// # Errors
/// It lets it have fewer.
pub fn open_files(more: u64) -> Result<(), TooFew> {
    let wanted = OTHER_FILES.saturating_add(more);
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        // What nobody can tell is tried.
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
        if soft < wanted {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
        }
        match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((allowed, _)) if allowed < wanted => Err(TooFew { wanted, allowed }),
            _ => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = wanted;
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_known_as_long_as_it_is_held() {
        let run = ["sh".to_owned(), "-c".to_owned(), "sleep 600".to_owned()];
        let (mut child, group) = start(&run, Path::new(""), |_| ()).unwrap();
        let id = child.id();
        assert!(groups().running.contains(&id));
        child.kill().unwrap();
        drop(group);
        assert!(!groups().running.contains(&id));
    }

    #[test]
    fn a_name_with_a_slash_is_in_the_folder() {
        let run = |name: &str| start(&[name.to_owned()], Path::new("no/such"), |_| ()).err().map(|why| why.kind());
        assert_eq!(run("./tool"), Some(io::ErrorKind::NotFound));
    }

    #[test]
    fn more_files_than_the_system_allows_are_refused_with_what_it_allows() {
        assert_eq!(open_files(1), Ok(()));
        let allowed = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().1;
        if allowed < u64::MAX {
            assert_eq!(open_files(u64::MAX), Err(TooFew { wanted: u64::MAX, allowed }));
        }
    }
}
