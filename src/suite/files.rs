//! The files that a suite names: read once, capped in size, and remembered with their digests.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::checks::build::Files;
use crate::model::digest::Digest;

/// Largest file that a suite may name (schemas, cases, fragments), in bytes.
pub const MAX_FILE: u64 = 64 << 20;

/// Content and digest of a file, or why it could not be read.
type Content = Result<(Arc<[u8]>, Digest), String>;

/// The files of one suite. Every file is read once, so that what is digested is what is used.
#[derive(Debug)]
pub struct SuiteFiles {
    /// The folder of the suite's file; names in digests are relative to it.
    root: PathBuf,
    cache: Mutex<HashMap<PathBuf, Content>>,
    /// Digests of what was read, by name.
    digests: Mutex<BTreeMap<String, Digest>>,
    /// How paths are named that hold an environment value: as they are written.
    written: Mutex<HashMap<PathBuf, String>>,
}

/// A lock's content; a thread that panicked while it held the lock left nothing half-written here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SuiteFiles {
    /// The files of a suite in the folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            root: root.into(),
            cache: Mutex::default(),
            digests: Mutex::default(),
            written: Mutex::default(),
        })
    }

    /// The same files, with paths relative to `base`.
    pub fn at(self: &Arc<Self>, base: impl Into<PathBuf>) -> FilesAt {
        FilesAt { files: self.clone(), base: base.into(), read: Mutex::default() }
    }

    /// Names a path in digests and messages as it is written in the suite, because it holds an environment value.
    pub fn name_as(&self, path: PathBuf, written: &str) {
        lock(&self.written).insert(path, written.to_owned());
    }

    /// Remembers a file that was read by other means.
    pub fn note(&self, path: &Path, bytes: &[u8]) {
        let name = self.name(path);
        lock(&self.digests).insert(name, Digest::of(bytes));
    }

    /// Digests of every file that was read, by name.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        lock(&self.digests).clone()
    }

    /// The name of a path: relative to the suite's folder, with `/`.
    pub fn name(&self, path: &Path) -> String {
        if let Some(written) = lock(&self.written).get(path) {
            return written.clone();
        }
        relative(path, &self.root)
    }

    fn read(&self, path: &Path) -> Content {
        if let Some(known) = lock(&self.cache).get(path) {
            return known.clone();
        }
        let name = self.name(path);
        let content = read_capped(path)
            .map(|bytes| {
                let digest = Digest::of(&bytes);
                (Arc::from(bytes), digest)
            })
            .map_err(|why| {
                // A path that holds an environment value is shown as it is written, and nothing beside it.
                let near = if lock(&self.written).contains_key(path) { None } else { near(path) };
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                format!("cannot read `{name}`: {why}{near}")
            });
        lock(&self.cache).insert(path.to_owned(), content.clone());
        if let Ok((_, digest)) = &content {
            lock(&self.digests).insert(name, *digest);
        }
        content
    }
}

/// The files of a suite as one of its tables sees them: relative to the file that the table is written in.
#[derive(Debug)]
pub struct FilesAt {
    files: Arc<SuiteFiles>,
    base: PathBuf,
    read: Mutex<BTreeMap<String, Digest>>,
}

impl FilesAt {
    /// Digests of what was read through this view, by name.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        lock(&self.read).clone()
    }
}

impl Files for FilesAt {
    fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let path = self.base.join(path);
        let (bytes, digest) = self.files.read(&path)?;
        lock(&self.read).insert(self.files.name(&path), digest);
        Ok(bytes)
    }

    fn locate(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

/// Reads a regular file of at most [`MAX_FILE`] bytes; the message says what is wrong without naming the file.
pub(super) fn read_capped(path: &Path) -> Result<Vec<u8>, String> {
    let why = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => e.to_string(),
    };
    // A pipe or device could block for ever, so the kind is looked at before it is opened.
    if !std::fs::metadata(path).map_err(why)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(why)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(why)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MiB", MAX_FILE >> 20));
    }
    Ok(bytes)
}

/// The name of a file beside `path` that was probably meant, when there is none at `path`.
pub(super) fn near(path: &Path) -> Option<String> {
    /// Most entries of a folder that are looked at.
    const MOST: usize = 10_000;
    let wanted = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).ok()?.take(MOST).filter_map(|e| e.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| name != wanted).collect();
    super::nearest::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// A path without `.` and with `..` resolved by its text alone.
fn cleaned(path: &Path) -> Vec<Component<'_>> {
    let mut out: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, out.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                out.pop();
            }
            (Component::ParentDir, Some(Component::RootDir | Component::Prefix(_))) => {}
            _ => out.push(part),
        }
    }
    out
}

/// `path` as seen from the folder `root`, with `/`.
pub(super) fn relative(path: &Path, root: &Path) -> String {
    let (path, root) = (cleaned(path), cleaned(root));
    let common = path.iter().zip(&root).take_while(|(a, b)| a == b).count();
    let up = &root[common..];
    let through = if path.first().map(is_root) == root.first().map(is_root) && !up.contains(&Component::ParentDir) {
        std::iter::repeat_n("..".to_owned(), up.len()).collect()
    } else {
        Vec::new()
    };
    let rest = if through.is_empty() && common < root.len() { &path[..] } else { &path[common..] };
    let parts = rest.iter().map(|c| c.as_os_str().to_string_lossy().into_owned());
    through.into_iter().chain(parts).collect::<Vec<_>>().join("/").replacen("//", "/", 1)
}

fn is_root(part: &Component<'_>) -> bool {
    matches!(part, Component::RootDir | Component::Prefix(_))
}

/// How a path is shown: without `.` and detours, with `/` on every system.
pub(super) fn display(path: &Path) -> String {
    let clean: PathBuf = cleaned(path).into_iter().collect();
    let clean = if clean.as_os_str().is_empty() { Path::new(".") } else { &clean };
    let text = clean.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace(std::path::MAIN_SEPARATOR, "/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_the_suites_folder() {
        let named = |path: &str, root: &str| relative(Path::new(path), Path::new(root));
        assert_eq!(named("suites/a/x.json", "suites/a"), "x.json");
        assert_eq!(named("suites/a/../common/x.json", "suites/a"), "../common/x.json");
        assert_eq!(named("x.json", ""), "x.json");
        assert_eq!(named("./x.json", "."), "x.json");
        assert_eq!(named("/srv/a/x.json", "/srv/b"), "../a/x.json");
        assert_eq!(named("/srv/x.json", "suites"), "/srv/x.json");
        assert_eq!(named("x.json", "../y"), "x.json");
    }

    #[test]
    fn what_was_read_is_what_is_digested_even_when_the_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.json");
        std::fs::write(&path, "one").unwrap();
        let files = SuiteFiles::new(dir.path());
        let view = files.at(dir.path());
        assert_eq!(&*view.read(Path::new("s.json")).unwrap(), b"one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(&*view.read(Path::new("s.json")).unwrap(), b"one");
        assert_eq!(files.digests(), BTreeMap::from([("s.json".to_owned(), Digest::of(b"one"))]));
        assert_eq!(view.digests(), files.digests());
        assert!(files.at(dir.path()).digests().is_empty());
    }

    #[test]
    fn a_misspelled_file_is_told_the_one_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("order.json"), "{}").unwrap();
        let files = SuiteFiles::new(dir.path()).at(dir.path());
        let why = files.read(Path::new("ordr.json")).unwrap_err();
        assert_eq!(why, "cannot read `ordr.json`: there is no such file; did you mean `order.json`?");
        let why = files.read(Path::new("elsewhere.csv")).unwrap_err();
        assert_eq!(why, "cannot read `elsewhere.csv`: there is no such file");
    }

    #[test]
    fn what_cannot_be_read_is_said_without_the_environments_value() {
        let dir = tempfile::tempdir().unwrap();
        let files = SuiteFiles::new(dir.path());
        files.name_as(dir.path().join("secret/x"), "{{ env.DIR }}/x");
        let why = files.at(dir.path()).read(Path::new("secret/x")).unwrap_err();
        assert_eq!(why, "cannot read `{{ env.DIR }}/x`: there is no such file");
        let why = files.at(dir.path()).read(Path::new(".")).unwrap_err();
        assert!(why.ends_with("it is not a file"), "{why}");
    }
}
