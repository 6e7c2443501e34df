//! A thousand sessions in flight on one machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wait4::Wait4;

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
    let ended = command.spawn().expect("the binary").wait4().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    // Of an unoptimised build, connections included: some tens of kilobytes a session.
    let most_bytes = ended.rusage.maxrss;
    assert!(most_bytes < 256 << 20, "{} MB", most_bytes >> 20);
    assert_eq!(most.load(Ordering::SeqCst), SESSIONS);
    let suite = project.suite();
    assert_eq!((suite["driven"]["peak"].as_u64(), suite["checks"][0]["pass"].as_u64()), (Some(1000), Some(1000)));
}
