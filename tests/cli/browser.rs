//! A real browser, driven over the pipe of its own protocol: what it shows, what it complains of, what it asks for.
//!
//! Debian's chromium is installed where it is missing and can be. Where it cannot, the tests say so and stop; under CI
//! they fail.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

/// How long a browser may take for one thing; only one that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    calls: u64,
    page: Option<String>,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |f| f.join(name))).find(|p| p.is_file())
}

/// The browser's program, installed if need be.
fn program() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = FOUND.get_or_init(|| {
        on_path(&names).or_else(|| {
            let apt = on_path(&["apt-get"])?;
            let run = |args: &[&str]| {
                Command::new(&apt)
                    .args(args)
                    .env("DEBIAN_FRONTEND", "noninteractive")
                    .output()
                    .is_ok_and(|o| o.status.success())
            };
            let installed = run(&["update", "-qq"])
                && run(&["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"]);
            if installed { on_path(&names) } else { None }
        })
    });
    found.as_deref()
}

impl Browser {
    /// Starts a browser with an empty page. `None` where there is none to be had, which is said; under CI that fails.
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            let why = "NOT TESTED: pages in a browser: there is no chromium, and it could not be installed\n";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            // Around the capture of the test harness, which would hide it.
            let _ = std::io::stderr().write_all(why.as_bytes());
            return None;
        };
        let profile = tempfile::tempdir().expect("a profile");
        // Its protocol is spoken on the descriptors 3 and 4.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args(["--remote-debugging-pipe", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--window-size=1400,900"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let input = child.stdin.take().expect("its input");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                message.clear();
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { child, input, messages, calls: 0, page: None, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.page = Some(attached["sessionId"].as_str().expect("a page").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(page) = &self.page {
            message["sessionId"] = page.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{method}: {e}"));
            if answer["id"] == self.calls {
                return answer.get("error").map_or_else(|| Ok(answer["result"].clone()), |error| Err(error.clone()));
            }
            self.events.push(answer);
        }
    }

    /// Opens a file, with what comes after `#`, and waits until it is ready.
    pub fn open(&mut self, file: &Path, hash: &str) {
        let url = format!("file://{}{hash}", file.canonicalize().expect("the file").display());
        // A page that differs by what comes after `#` only would not be loaded again.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": url }));
        self.wait("location.protocol === 'file:' && document.documentElement?.dataset.ready !== undefined");
    }

    /// Goes to an address and waits until the page there is ready.
    #[track_caller]
    pub fn go_to(&mut self, url: &str) {
        self.eval("delete document.documentElement.dataset.ready");
        self.call("Page.navigate", json!({ "url": url }));
        self.ready();
    }

    /// Waits until the page is ready, after something led to another one.
    #[track_caller]
    pub fn ready(&mut self) {
        self.wait("location.protocol === 'http:' && document.readyState === 'complete' && document.documentElement?.dataset.ready !== undefined");
    }

    /// A screen of this size; of a phone with `phone`.
    pub fn screen(&mut self, width: u32, height: u32, phone: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": if phone { 2 } else { 1 }, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.call("Emulation.setTouchEmulationEnabled", json!({ "enabled": phone }));
    }

    /// Light or dark, as the system would say it.
    pub fn scheme(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Writes what is seen to a file.
    pub fn shot(&mut self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let png = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().expect("a picture"));
        std::fs::write(file, png.expect("base64")).expect("a file");
    }

    /// Prints the page; how many pages of paper that takes.
    pub fn paper(&mut self) -> usize {
        let answer = self.call("Page.printToPDF", json!({}));
        let pdf = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().expect("a document"));
        let pdf = String::from_utf8_lossy(&pdf.expect("base64")).into_owned();
        assert!(pdf.starts_with("%PDF-"));
        pdf.matches("/Type /Page\n").count()
    }

    /// Types a text, letter by letter.
    pub fn write(&mut self, text: &str) {
        for letter in text.chars() {
            self.key(&letter.to_string());
        }
    }

    /// What an expression is in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|| panic!("{expression}: it throws"))
    }

    /// As [`Browser::eval`]; `None` where it throws, or the page is just being left.
    fn try_eval(&mut self, expression: &str) -> Option<Value> {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", asked).ok()?;
        answer.get("exceptionDetails").is_none().then(|| answer["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        let began = std::time::Instant::now();
        while self.try_eval(expression) != Some(Value::Bool(true)) {
            if began.elapsed() > PATIENCE {
                panic!("never came true: {expression}; complaints: {:#?}", self.complaints());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key.
    pub fn key(&mut self, key: &str) {
        let code = json!({ "type": "keyDown", "key": key, "text": if key.chars().count() == 1 { key } else { "" } });
        self.call("Input.dispatchKeyEvent", code);
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
    }

    /// Presses a key that does something by itself, such as Tab; `code` is its number.
    pub fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        let down = json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", down);
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }));
    }

    /// Errors in the console and exceptions.
    pub fn complaints(&mut self) -> Vec<Value> {
        self.eval("new Promise((done) => setTimeout(done, 50))");
        let is_error = |e: &&Value| match e["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].contains(&e["params"]["type"].as_str().unwrap_or_default())
            }
            Some("Log.entryAdded") => e["params"]["entry"]["level"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_error).cloned().collect()
    }

    /// Every address that was asked for.
    pub fn requests(&mut self) -> Vec<String> {
        let sent = self.events.iter().filter(|e| e["method"] == "Network.requestWillBeSent");
        sent.filter_map(|e| e["params"]["request"]["url"].as_str()).map(str::to_owned).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.page = None;
        let _ = self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        // Its own end leaves no process behind; one that does not come is forced.
        for _ in 0..100 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
