//! A wire to a server that can be cut: what was on its way waits, and whoever connects hears nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How often those who carry look whether anything has changed.
const LOOK: Duration = Duration::from_millis(20);

/// How a wire goes on after it was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heals {
    /// Both ends are told that their connections are gone.
    Told,
    /// Nobody is told: what is sent over an old connection is swallowed for ever.
    Silent,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    /// How often it was mended; connections that are older are dead.
    mended: AtomicU32,
    silent: AtomicBool,
    ended: AtomicBool,
}

/// A wire to a server of this machine.
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

impl Wire {
    /// A wire to a server that has such an address.
    pub fn to(url: &str) -> Self {
        let server = url.trim_start_matches("nats://").split('/').next().expect("a server").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let state = Arc::<State>::default();
        let of = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if of.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let born = of.mended.load(Ordering::Relaxed);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to, of) =
                        (from.try_clone().expect("a stream"), to.try_clone().expect("a stream"), of.clone());
                    std::thread::spawn(move || of.carry(from, to, born));
                }
            }
        });
        Self { port, state }
    }

    /// Where it begins, for a fleet of this name.
    pub fn url(&self, fleet: &str) -> String {
        format!("nats://127.0.0.1:{}/{fleet}", self.port)
    }

    /// Cuts it.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    /// Mends it, for new connections.
    pub fn mend(&self, heals: Heals) {
        self.state.silent.store(heals == Heals::Silent, Ordering::SeqCst);
        self.state.mended.fetch_add(1, Ordering::SeqCst);
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        // Whoever waits for a connection looks at that.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    /// Carries bytes one way until an end is gone.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, born: u32) {
        let _ = from.set_read_timeout(Some(LOOK));
        let mut bytes = [0; 16 << 10];
        while !self.ended.load(Ordering::Relaxed) {
            let read = from.read(&mut bytes);
            while self.cut.load(Ordering::SeqCst) && !self.ended.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
            let is_old = self.mended.load(Ordering::SeqCst) != born;
            let silent = self.silent.load(Ordering::SeqCst);
            match read {
                _ if is_old && !silent => break,
                Ok(0) => break,
                Ok(_) if is_old => {}
                Ok(n) => match to.write_all(&bytes[..n]) {
                    Ok(()) => {}
                    Err(_) => break,
                },
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
