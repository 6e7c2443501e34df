//! A thousand sessions in flight on one machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::project::Project;

const SESSIONS: usize = 1000;

/// Reads a request whole.
fn request(stream: &TcpStream) -> Option<()> {
    let mut input = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            Some(_) => {}
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    input.read_exact(&mut vec![0; length]).ok()
}

/// An agent that answers nobody before everybody has asked; how many asked at once.
fn barrier() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let most = Arc::<AtomicUsize>::default();
    let told = most.clone();
    std::thread::spawn(move || {
        let mut waiting: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming().flatten() {
            if request(&stream).is_none() {
                continue;
            }
            waiting.push(stream);
            told.fetch_max(waiting.len(), Ordering::SeqCst);
            if waiting.len() == SESSIONS {
                let body = "{\"reply\": \"hello\", \"calls\": []}";
                for mut stream in waiting.drain(..) {
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                    let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                }
            }
        }
    });
    (port, most)
}

/// The most memory that a running program has had resident, in bytes, where the system says so. Not what `wait4` says,
/// which counts the memory of whoever started it, too: here all tests of this binary.
fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kilobytes.parse::<u64>().ok().map(|n| n << 10)
}

#[test]
fn a_thousand_sessions_are_in_flight_at_once() {
    let (port, most) = barrier();
    let project = Project::new();
    let suite = format!(
        "[suite]\nname = \"s\"\ntrials = {SESSIONS}\n[agent]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         reply = \"reply\"\ncalls = {{ at = \"calls\", name = \"name\" }}\nconcurrency = {SESSIONS}\nretries = 0\n\
         [[session]]\nid = \"polite\"\ncheck = \"contains\"\nvalue = \"hello\"\n[[case]]\nid = \"a\"\nuser = \"hi\"\n"
    );
    project.file("suite.toml", suite);
    let mut command = project.command(&["run", "suite.toml"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("the binary");
    let mut most_bytes = 0;
    let ended = loop {
        most_bytes = peak_of(child.id()).unwrap_or(0).max(most_bytes);
        match child.try_wait().expect("it ends") {
            Some(ended) => break ended,
            None => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    assert_eq!(ended.code(), Some(0));
    // Of an unoptimised build, connections included: some tens of kilobytes a session.
    assert!(most_bytes < 256 << 20, "{} MB", most_bytes >> 20);
    assert!(most_bytes > 0 || cfg!(not(target_os = "linux")), "its memory was never seen");
    assert_eq!(most.load(Ordering::SeqCst), SESSIONS);
    let suite = project.suite();
    assert_eq!((suite["driven"]["peak"].as_u64(), suite["checks"][0]["pass"].as_u64()), (Some(1000), Some(1000)));
}
