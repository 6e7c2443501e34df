//! One running program: a line in, a line out, within a limit of time and of bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::ChildWrapper;

use crate::checks::asking::Program;
use crate::process::{self, Group};

/// Longest answer, in bytes.
const LONGEST_ANSWER: u64 = 1 << 20;
/// How much of what it says on its standard error is remembered, in bytes.
const REMEMBERED: usize = 2000;
/// How long a program may take to end once its standard input is closed.
const GRACE: Duration = Duration::from_millis(500);

/// A line that a program wrote.
struct Line {
    text: String,
    /// More came with it.
    more: bool,
}

/// A program that was started and answers. Ended, with all that it started itself, when it is dropped.
pub(super) struct Running {
    child: Box<dyn ChildWrapper>,
    _group: Group,
    /// Lines on their way to it; closed when it has to end.
    lines: Option<Sender<Vec<u8>>>,
    answers: Receiver<Result<Line, String>>,
    /// More than the answer came with the last one.
    ahead: bool,
    said: Arc<Mutex<Vec<u8>>>,
    timeout: Duration,
}

impl Running {
    /// Starts a program in its folder.
    pub(super) fn start(program: &Program) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("it could not be started: {why}");
        let started = process::start(&program.run, &program.dir, |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        let (mut child, group) = started.map_err(failed)?;
        let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            let _ = child.kill();
            return Err("it has no standard input and output".to_owned());
        };
        let (lines, to_write) = mpsc::channel();
        // One answer is all that is ever waited for; what else it says stays in the pipe.
        let (answered, answers) = mpsc::sync_channel(1);
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        thread::spawn(move || write(stdin, &to_write));
        thread::spawn(move || read(BufReader::new(stdout), &answered));
        thread::spawn(move || hear(stderr, &heard));
        Ok(Self { child, _group: group, lines: Some(lines), answers, ahead: false, said, timeout: program.timeout })
    }

    /// Sends a line and waits for the answer. After an `Err`, which says what went wrong and what the program said of
    /// it, it must not be asked again.
    pub(super) fn ask(&mut self, line: &str) -> Result<String, String> {
        match self.answers.try_recv() {
            Err(mpsc::TryRecvError::Empty) if !self.ahead => {}
            // Taken for the answer to this line it would be a verdict on another subject.
            Ok(_) | Err(mpsc::TryRecvError::Empty) => return Err(self.told("it answered more often than it was asked")),
            Err(mpsc::TryRecvError::Disconnected) => return Err(self.ended()),
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        if self.lines.as_ref().is_none_or(|lines| lines.send(bytes).is_err()) {
            return Err(self.ended());
        }
        match self.answers.recv_timeout(self.timeout) {
            Ok(Ok(Line { text, more })) => {
                self.ahead = more;
                Ok(text)
            }
            Ok(Err(why)) => Err(self.told(&why)),
            Err(RecvTimeoutError::Timeout) => {
                let limit = self.timeout.as_millis();
                Err(self.told(&format!("no answer within {limit} ms (`timeout`)")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// It ended instead of answering.
    fn ended(&mut self) -> String {
        self.lines = None;
        let deadline = Instant::now() + GRACE;
        let how = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break format!("it ended without an answer ({status})"),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                _ => break "it closed its standard output without an answer".to_owned(),
            }
        };
        // What it said on its way out may still be in the pipe.
        thread::sleep(Duration::from_millis(20));
        self.told(&how)
    }

    /// What went wrong, with the last that the program said on its standard error.
    fn told(&self, what: &str) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = String::from_utf8_lossy(&said);
        match said.trim() {
            "" => what.to_owned(),
            said => format!("{what}; on its standard error: {said}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that reads to the end of its input ends by itself.
        self.lines = None;
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
    }
}

/// Writes lines until there are no more, or nobody reads them.
fn write(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    while let Ok(line) = lines.recv() {
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

/// Hands over lines until the output ends, or one is no line.
fn read(mut output: BufReader<impl Read>, answers: &SyncSender<Result<Line, String>>) {
    loop {
        let mut line = Vec::new();
        let answer = match output.by_ref().take(LONGEST_ANSWER + 1).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.len() as u64 > LONGEST_ANSWER => {
                Err(format!("its answer is longer than {LONGEST_ANSWER} bytes"))
            }
            Ok(_) => {
                let text = String::from_utf8(line).map_err(|_| "its answer is not UTF-8".to_owned());
                text.map(|text| Line { text, more: !output.buffer().is_empty() })
            }
            Err(why) => Err(format!("its standard output could not be read: {why}")),
        };
        let over = answer.is_err();
        if answers.send(answer).is_err() || over {
            return;
        }
    }
}

/// Remembers the last that is said.
fn hear(mut output: impl Read, said: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = output.read(&mut buffer) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&buffer[..n]);
        let beyond = said.len().saturating_sub(REMEMBERED);
        said.drain(..beyond);
    }
}
