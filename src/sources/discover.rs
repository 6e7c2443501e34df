//! From the paths of a suite to files: single files, globs, folders and standard input.
//!
//! Nothing is dropped in silence: what a folder holds beside recordings is listed, what cannot be read is a problem, and
//! a path that names no file at all is said to.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::RecordedFile;
use crate::model::{LeftOut, Problem};

/// Extensions of the files that are taken from a folder, each also with `.gz` or `.zst` behind it.
pub const EXTENSIONS: &[&str] = &["json", "jsonl", "ndjson", "traj", "pb", "binpb", "bin", "otlp"];

/// What the paths of a suite stand for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The files, in the order of the patterns and sorted within each; each file once.
    pub files: Vec<RecordedFile>,
    /// What could not be looked at, by name.
    pub problems: Vec<(String, Problem)>,
    /// Patterns that name no file, those in `invalid` among them.
    pub unmatched: Vec<String>,
    /// Patterns that are not globs, and why they are not.
    pub invalid: Vec<(String, String)>,
    /// What folders hold beside recordings: files with other extensions, pipes and devices. Hidden files (whose name
    /// begins with a dot) are no part of a folder.
    pub ignored: Vec<String>,
}

/// Looks up `patterns`, which are relative to `base`. `/` separates folders on every system; `*` and `?` stay within one,
/// `**` does not; globs match files, not folders; a pattern that is the name of an existing file is that file, whatever
/// characters it has; `-` is standard input. Names in the result are relative to `here`, the current directory.
pub fn discover(patterns: &[String], base: &Path, here: &Path) -> Discovery {
    // The folder of a file named without one.
    let base = if base.as_os_str().is_empty() { Path::new(".") } else { base };
    let mut search = Search { here, seen: HashSet::new(), found: Discovery::default() };
    for pattern in patterns {
        let before = search.found.problems.len();
        let matched = search.pattern(pattern, base);
        if matched == Matched::Nothing && search.found.problems.len() == before {
            search.found.unmatched.push(pattern.clone());
        }
    }
    search.found.ignored.sort();
    search.found.ignored.dedup();
    search.found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matched {
    Something,
    Nothing,
}

struct Search<'p> {
    here: &'p Path,
    /// Canonical paths of the files found.
    seen: HashSet<PathBuf>,
    found: Discovery,
}

impl Search<'_> {
    fn pattern(&mut self, pattern: &str, base: &Path) -> Matched {
        if pattern == "-" {
            return self.take(Path::new("-"));
        }
        let path = base.join(pattern);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.walk(&path, usize::MAX, &Filter::Recordings),
            // Pipes and devices too: the user named them.
            Ok(_) => self.take(&path),
            Err(error) if is_absent(&error) && fs::symlink_metadata(&path).is_err() => self.glob(pattern, base),
            Err(error) => {
                self.problem(&path, reason(&path, &error));
                Matched::Nothing
            }
        }
    }

    fn glob(&mut self, pattern: &str, base: &Path) -> Matched {
        let is_literal = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}']);
        let literal: usize = pattern.split_inclusive('/').take_while(is_literal).map(str::len).sum();
        let (root, rest) = pattern.split_at(literal);
        if rest.is_empty() {
            return Matched::Nothing;
        }
        let glob = match GlobBuilder::new(rest).literal_separator(true).build() {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                self.found.invalid.push((pattern.to_owned(), error.kind().to_string()));
                return Matched::Nothing;
            }
        };
        let depth = if rest.contains("**") { usize::MAX } else { rest.split('/').count() };
        let hidden = rest.split('/').any(|part| part.starts_with('.'));
        let root = base.join(root);
        if root.is_dir() { self.walk(&root, depth, &Filter::Glob { glob, hidden }) } else { Matched::Nothing }
    }

    /// Takes the files below `root` that `filter` lets through, sorted.
    fn walk(&mut self, root: &Path, depth: usize, filter: &Filter) -> Matched {
        let mut files = Vec::new();
        let walker = WalkDir::new(root).min_depth(1).max_depth(depth).follow_links(true).into_iter();
        for entry in walker.filter_entry(|e| e.depth() == 0 || filter.enters(e.path())) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if !filter.takes(root, entry.path()) => self.ignore(filter, entry.path()),
                Ok(entry) if entry.file_type().is_file() => files.push(entry.into_path()),
                // A pipe would block until somebody writes to it: only its own name takes it.
                Ok(entry) => self.ignore(&Filter::Recordings, entry.path()),
                Err(error) => self.walk_error(root, depth, filter, &error),
            }
        }
        files.sort();
        let matched = if files.is_empty() { Matched::Nothing } else { Matched::Something };
        for file in files {
            self.take(&file);
        }
        matched
    }

    fn walk_error(&mut self, root: &Path, depth: usize, filter: &Filter, error: &walkdir::Error) {
        let path = error.path().unwrap_or(root);
        if let Some(ancestor) = error.loop_ancestor() {
            // A link that the pattern would not have followed does no harm.
            if error.depth() < depth && filter.enters(path) {
                let to = self.name(ancestor);
                self.problem(path, format!("a symbolic link that leads back to `{to}`, which holds it"));
            }
            return;
        }
        let gone = error.io_error().is_some_and(is_absent);
        if gone && !filter.takes(root, path) {
            return self.ignore(filter, path);
        }
        let reason = error.io_error().map_or_else(|| error.to_string(), |e| reason(path, e));
        self.problem(path, reason);
    }

    fn take(&mut self, path: &Path) -> Matched {
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(canonical) {
            self.found.files.push(RecordedFile { path: path.to_owned(), name: self.name(path) });
        }
        Matched::Something
    }

    /// Notes what a folder holds beside recordings. A glob says itself what it is about.
    fn ignore(&mut self, filter: &Filter, path: &Path) {
        if let Filter::Recordings = filter {
            let name = self.name(path);
            self.found.ignored.push(name);
        }
    }

    fn problem(&mut self, path: &Path, message: String) {
        let problem = (self.name(path), Problem::new(LeftOut::Unreadable, message));
        if !self.found.problems.contains(&problem) {
            self.found.problems.push(problem);
        }
    }

    fn name(&self, path: &Path) -> String {
        relative(path, self.here)
    }
}

/// Which entries of a folder are taken.
enum Filter {
    /// Those with the extension of a recording that are not hidden.
    Recordings,
    /// Those whose path below the folder matches. Hidden ones only when the pattern names a hidden thing.
    Glob { glob: GlobMatcher, hidden: bool },
}

impl Filter {
    /// Whether an entry is looked at, or into, at all.
    fn enters(&self, path: &Path) -> bool {
        let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        !hidden || matches!(self, Filter::Glob { hidden: true, .. })
    }

    fn takes(&self, root: &Path, path: &Path) -> bool {
        match self {
            Filter::Recordings => is_recording(path),
            Filter::Glob { glob, .. } => path.strip_prefix(root).is_ok_and(|below| glob.is_match(below)),
        }
    }
}

/// Whether a file has the extension of a recording.
pub fn is_recording(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}

/// Whether an error says that there is nothing of that name.
fn is_absent(error: &io::Error) -> bool {
    // A name with characters that no file can have names none either.
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput)
        || error.kind() == ErrorKind::InvalidFilename
}

fn reason(path: &Path, error: &io::Error) -> String {
    match fs::read_link(path) {
        Ok(target) if is_absent(error) => format!("a symbolic link to `{}`, which does not exist", target.display()),
        _ => error.to_string(),
    }
}

/// `path` as seen from `here`, with `/`. Paths that share nothing with it stay as they are.
fn relative(path: &Path, here: &Path) -> String {
    if path == Path::new("-") {
        return "-".to_owned();
    }
    let (path, here) = (plain(path, here), plain(here, here));
    let shared = path.iter().zip(&here).take_while(|(a, b)| a == b).count();
    // The root alone is not worth a chain of `..`.
    if shared <= 1 && here.len() > 1 {
        return path.join("/");
    }
    let up = std::iter::repeat_n("..".to_owned(), here.len() - shared);
    up.chain(path[shared..].iter().cloned()).collect::<Vec<_>>().join("/")
}

/// The parts of an absolute path, without `.` and `..`; the first is the drive, or empty where there are none.
fn plain(path: &Path, here: &Path) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for component in here.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if parts.len() > 1 => {
                parts.pop();
            }
            Component::ParentDir => {}
            Component::RootDir if parts.is_empty() => parts.push(String::new()),
            Component::RootDir => {}
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, each empty; a name that ends in `/` is a folder.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
            if !name.ends_with('/') {
                fs::write(path, "").unwrap();
            }
        }
        folder
    }

    fn find(folder: &tempfile::TempDir, patterns: &[&str]) -> Discovery {
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        discover(&patterns, folder.path(), folder.path())
    }

    fn names(found: &Discovery) -> Vec<&str> {
        found.files.iter().map(|f| f.name.as_str()).collect()
    }

    #[test]
    fn a_folder_gives_its_recordings_sorted_and_lists_the_rest() {
        let f =
            folder(&["b.jsonl", "a/z.json.gz", "a/y.ndjson.zst", "c.JSON", "README.md", "a/.x.json", ".git/c.json"]);
        let found = find(&f, &["."]);
        assert_eq!(names(&found), ["a/y.ndjson.zst", "a/z.json.gz", "b.jsonl", "c.JSON"]);
        assert_eq!(found.ignored, ["README.md"]);
        assert!(found.problems.is_empty() && found.unmatched.is_empty());
    }

    #[test]
    fn a_named_file_is_taken_whatever_its_name() {
        let f = folder(&["notes.txt", ".hidden", "a[1].jsonl", "a1.jsonl"]);
        assert_eq!(names(&find(&f, &["notes.txt", ".hidden", "a[1].jsonl"])), ["notes.txt", ".hidden", "a[1].jsonl"]);
    }

    #[test]
    fn a_star_stays_within_a_folder_and_two_do_not() {
        let f = folder(&["a.jsonl", "x/b.jsonl", "x/y/c.jsonl", "x/y/d.log", "x/.h/e.jsonl"]);
        assert_eq!(names(&find(&f, &["*.jsonl"])), ["a.jsonl"]);
        assert_eq!(names(&find(&f, &["*/*.jsonl"])), ["x/b.jsonl"]);
        assert_eq!(names(&find(&f, &["**/*.jsonl"])), ["a.jsonl", "x/b.jsonl", "x/y/c.jsonl"]);
        assert_eq!(names(&find(&f, &["x/**/[cd].{log,jsonl}"])), ["x/y/c.jsonl", "x/y/d.log"]);
        assert_eq!(names(&find(&f, &["x/.h/*"])), ["x/.h/e.jsonl"]);
        assert_eq!(names(&find(&f, &["*/.h/*"])), ["x/.h/e.jsonl"]);
    }

    #[test]
    fn patterns_keep_their_order_and_files_come_once() {
        let f = folder(&["a.json", "b.json"]);
        let found = find(&f, &["b.json", "./*.json", "."]);
        assert_eq!(names(&found), ["b.json", "a.json"]);
        assert!(found.unmatched.is_empty(), "a file that was named before still matches");
    }

    #[test]
    fn a_pattern_without_a_file_is_named() {
        let f = folder(&["a.json", "empty/", "docs/readme.md"]);
        let patterns = ["nothing.json", "no/*.json", "*.jsonl", "empty", "docs", "a.json/b.json"];
        assert_eq!(find(&f, &patterns).unmatched, patterns);
    }

    #[test]
    fn a_pattern_that_is_no_glob_is_named_with_the_reason() {
        let found = find(&folder(&["a.json"]), &["a[.json", "{a.json"]);
        let patterns: Vec<&str> = found.invalid.iter().map(|(p, _)| p.as_str()).collect();
        assert_eq!(patterns, ["a[.json", "{a.json"]);
        assert!(found.invalid.iter().all(|(_, why)| !why.is_empty()));
        assert_eq!(found.unmatched, patterns, "it names no file either");
    }

    #[test]
    fn an_empty_base_is_the_current_directory() {
        let found = discover(&["Cargo.*".to_owned(), "src/*.rs".to_owned()], Path::new(""), Path::new("/"));
        assert!(found.unmatched.is_empty(), "{found:?}");
        assert!(found.files.iter().any(|f| f.path.ends_with("Cargo.toml")));
    }

    #[test]
    fn standard_input_is_a_dash() {
        let found = find(&folder(&["-"]), &["-"]);
        assert_eq!(found.files, [RecordedFile { path: "-".into(), name: "-".into() }]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_a_problem_and_does_not_hang() {
        let f = folder(&["a/b/c.json"]);
        std::os::unix::fs::symlink(f.path().join("a"), f.path().join("a/b/loop")).unwrap();
        for pattern in [".", "**/*.json"] {
            let found = find(&f, &[pattern]);
            assert_eq!(names(&found), ["a/b/c.json"]);
            let [(name, problem)] = &found.problems[..] else { panic!("{found:?}") };
            assert_eq!((name.as_str(), problem.kind), ("a/b/loop", LeftOut::Unreadable));
        }
        let found = find(&f, &["a/b/*.json"]);
        assert!(found.problems.is_empty(), "the pattern does not follow it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_is_a_problem_where_a_file_is_wanted() {
        let f = folder(&["a.json"]);
        std::os::unix::fs::symlink("gone", f.path().join("b.json")).unwrap();
        std::os::unix::fs::symlink("gone", f.path().join("c.txt")).unwrap();
        for pattern in [".", "b.json", "b*"] {
            let found = find(&f, &[pattern]);
            let named: Vec<&str> = found.problems.iter().map(|(n, _)| n.as_str()).collect();
            assert_eq!(named, ["b.json"], "{pattern}");
            assert!(found.problems[0].1.message.contains("gone"));
            assert!(found.unmatched.is_empty());
        }
        assert_eq!(find(&f, &["."]).ignored, ["c.txt"]);
    }

    #[test]
    fn names_are_relative_to_where_the_run_was_started() {
        let here = Path::new("/home/me/work");
        for (path, name) in [
            ("/home/me/work/a/b.json", "a/b.json"),
            ("suites/../fixtures/./a.json", "fixtures/a.json"),
            ("/home/me/work/../data/a.json", "../data/a.json"),
            ("/var/log/a.json", "/var/log/a.json"),
            ("-", "-"),
        ] {
            assert_eq!(relative(Path::new(path), here), name);
        }
        assert_eq!(relative(Path::new("/a/b"), Path::new("/")), "a/b");
    }
}
