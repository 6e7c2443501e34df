//! Secrets planted in recordings: one of its own in every text, id, argument and result, also behind escapes and in JSON
//! within a string of JSON; and where they are looked for.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use serde_json::Value;

/// A recording of a format, and the ids in it that carry a secret wherever they stand.
pub struct Fixture {
    pub format: &'static str,
    pub file: &'static str,
    text: &'static str,
    ids: &'static [&'static str],
}

/// One for every format; a test asks for that.
pub const FIXTURES: &[Fixture] = &[
    Fixture {
        format: "seatrial",
        file: "own.jsonl",
        text: SEATRIAL,
        ids: &["sess-a", "case-a", "usr-a", "tool-a", "tag-a"],
    },
    Fixture { format: "chat", file: "chat.json", text: CHAT, ids: &["chat-a", "lookup_a", "call-a"] },
    Fixture { format: "tau-bench", file: "tau.json", text: TAU, ids: &["cancel_a", "ann-a"] },
    Fixture {
        format: "tau2-bench",
        file: "tau2.json",
        text: include_str!("../../samples/tau2-bench.json"),
        ids: &["s-1", "find_line"],
    },
    Fixture {
        format: "adk",
        file: "adk.json",
        text: include_str!("../../samples/adk.session.json"),
        ids: &["5f0c6a", "skipper-7", "book_berth", "berth-for-the-night"],
    },
    Fixture {
        format: "otlp",
        file: "otlp.jsonl",
        text: include_str!("../../samples/otlp.jsonl"),
        ids: &["happy-refund-22c5bbf2", "user-17", "lookup_order", "nightly"],
    },
    Fixture {
        format: "agentcore",
        file: "agentcore.jsonl",
        text: include_str!("../../samples/agentcore.jsonl"),
        ids: &["happy-refund-22c5bbf2", "user-17", "lookup_order", "nightly"],
    },
    Fixture {
        format: "jaeger",
        file: "jaeger.json",
        text: include_str!("../../samples/jaeger.json"),
        ids: &["berth-7", "berth_status"],
    },
    Fixture {
        format: "langfuse",
        file: "langfuse.json",
        text: include_str!("../../samples/langfuse.json"),
        ids: &["get_weather"],
    },
    Fixture {
        format: "deepeval",
        file: "deepeval.json",
        text: include_str!("../../samples/deepeval.json"),
        ids: &["get_current_time"],
    },
];

const SEATRIAL: &str = r#"{"id":"sess-a","case":"case-a","trial":"trial a","agent":"agent a","version":"version a","user":"usr-a","tags":["tag-a"],"instructions":"be kind","spans":[{"kind":"other","name":"before it","output":"greeting text"}],"turns":[{"user":"a question","reply":"an answer","spans":[{"id":"span a","parent":"parent a","kind":"tool","name":"tool-a","agent":"agent b","model":"model b","call_id":"call b","status":"error","status_message":"it broke","input":{"free text":"some words","list":["more words",{"deep":"words again"}]},"output":"{\"free text\":\"in a string\",\"inner\":\"{\\\"free text\\\":\\\"deeper\\\"}\"}","events":[{"name":"an event","attributes":{"note":"what happened"}}],"attributes":{"a key":"a value","json":{"x":"a text"}}}],"trace_id":"trace a","reference":{"answer":"another answer"},"attributes":{"turn key":"turn value"}}],"reference":{"tools":[{"name":"a tool","args":{"free text":"expected words"}}],"answer":"the answer","facts":["a fact"],"state":{"a.b":"a state"}},"initial_state":{"a":{"b":"before it"}},"state":{"a":{"b":"after it"}},"events":[{"name":"the end","attributes":{"note":"that was it"}}],"notes":["a note"],"attributes":{"free text":"words","hidden_password":"plain-pass-phrase"}}"#;

const CHAT: &str = r#"{"id":"chat-a","model":"m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":[{"type":"text","text":"Look here"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"call-a","type":"function","function":{"name":"lookup_a","arguments":"{\"free text\": \"some words\"}"}}]},{"role":"tool","tool_call_id":"call-a","content":"a result"},{"role":"assistant","content":"That is it."}],"metadata":{"free text":"some words"}}"#;

const TAU: &str = r#"[{"task_id":7,"trial":2,"reward":1.0,"info":{"source":"a user","task":{"user_id":"ann-a","instruction":"do it now","outputs":["forty two"],"actions":[{"name":"cancel_a","kwargs":{"id":"an id"}}]}},"traj":[{"role":"system","content":"The policy"},{"role":"user","content":"Cancel it now"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"cancel_a","arguments":"{\"id\": \"an id\"}"}}]},{"role":"tool","tool_call_id":"c1","name":"cancel_a","content":"Error: not found"},{"role":"assistant","content":"I cannot do it."},{"role":"user","content":"Oh well"}]}]"#;

/// The kinds of secrets, by turns.
const KINDS: usize = 6;

/// A secret that occurs nowhere else, and the part of it that must be found nowhere.
fn secret(n: usize) -> (String, String) {
    match n % KINDS {
        0 => {
            let address = format!("planted{n}@leak{n}.example");
            (address.clone(), address)
        }
        1 => {
            let card = card(n);
            (card.clone(), card)
        }
        2 => {
            let order = format!("ORD-{n:06}");
            (order.clone(), order)
        }
        3 => {
            // Letters and digits by turns, as in a token.
            let body: String = (0..33).map(|i| char::from(b"aB3dE5gH7j"[(i * 7 + n * (i + 3)) % 10])).collect();
            let token = format!("ghp_{body}{n:03}");
            (token.clone(), token)
        }
        4 => {
            let iban = iban(n);
            (iban.clone(), iban)
        }
        _ => {
            let phone = format!("+1 202 555 {:04}", n % 10_000);
            (phone.clone(), phone)
        }
    }
}

/// A card number that is valid by Luhn.
fn card(n: usize) -> String {
    let body = format!("4532{n:011}");
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0') * if i % 2 == 0 { 2 } else { 1 };
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// A German IBAN that is valid by mod 97.
fn iban(n: usize) -> String {
    let account = format!("37040044{n:010}");
    let digits = format!("{account}131400");
    let rest = digits.bytes().fold(0u64, |rest, b| (rest * 10 + u64::from(b - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

/// A recording with secrets in it.
pub struct Planted {
    pub text: String,
    /// What must be found nowhere, by the place where it was planted.
    pub secrets: BTreeMap<String, String>,
}

impl Fixture {
    /// Plants a secret in every text of the recording.
    pub fn plant(&self) -> Planted {
        let mut planted = Planted { text: String::new(), secrets: BTreeMap::new() };
        let lines = self.file.ends_with(".jsonl");
        let texts: Vec<&str> = if lines { self.text.lines().collect() } else { vec![self.text] };
        for (i, text) in texts.iter().enumerate() {
            let mut value: Value = serde_json::from_str(text).expect("a fixture is JSON");
            planted.value(&mut value, &format!("{i}"));
            planted.text.push_str(&value.to_string());
            planted.text.push('\n');
        }
        for (i, id) in self.ids.iter().enumerate() {
            let address = format!("id{i}.of.{}@leak.example", self.format);
            assert!(planted.text.contains(id), "{}: no {id}", self.format);
            planted.text = planted.text.replace(&format!("{id}\""), &format!("{id}.{address}\""));
            planted.text = planted.text.replace(&format!("{id}\\"), &format!("{id}.{address}\\"));
            planted.secrets.insert(format!("id {id}"), address);
        }
        // Half of the addresses are written with an escape.
        planted.text = planted.text.replace("0@leak", "0\\u0040leak").replace("6@leak", "6\\u0040leak");
        planted
    }
}

impl Planted {
    fn value(&mut self, value: &mut Value, place: &str) {
        match value {
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(mut inner @ (Value::Object(_) | Value::Array(_))) => {
                    self.value(&mut inner, &format!("{place}/(json)"));
                    *text = inner.to_string().replace("2@leak", "2\\u0040leak");
                }
                // Words, not a name that means something to the format.
                _ if text.contains(' ') || text == "plain-pass-phrase" => {
                    if !place.ends_with("password") {
                        let (secret, needle) = secret(self.secrets.len());
                        self.secrets.insert(place.to_owned(), needle);
                        *text = format!("{text} {secret} .");
                    } else {
                        self.secrets.insert(place.to_owned(), text.clone());
                    }
                }
                _ => {}
            },
            Value::Array(items) => {
                items.iter_mut().enumerate().for_each(|(i, item)| self.value(item, &format!("{place}/{i}")));
            }
            Value::Object(map) => {
                let own = map.contains_key("free text");
                map.iter_mut().for_each(|(key, value)| self.value(value, &format!("{place}/{key}")));
                if own {
                    // In a key, and as a number.
                    let (key, number) = (self.secrets.len(), card(self.secrets.len() + 500));
                    let address = format!("key{key}@leak.example");
                    map.insert(address.clone(), Value::Null);
                    map.insert("number".to_owned(), number.parse::<u64>().expect("a number").into());
                    self.secrets.insert(format!("{place}/(key)"), address);
                    self.secrets.insert(format!("{place}/(number)"), number);
                }
            }
            _ => {}
        }
    }
}

/// Everything that lies in a folder and is none of the inputs, unpacked where it is packed; with where it was found.
pub fn leavings(dir: &Path, inputs: &[&str], out: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).expect("a folder").filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().expect("a kind");
        out.push((format!("the name of {name}"), name.clone().into_bytes()));
        if kind.is_dir() {
            leavings(&path, inputs, out);
        } else if kind.is_file() && !inputs.contains(&name.as_str()) {
            let bytes = std::fs::read(&path).expect("a file");
            if name.ends_with(".gz") {
                out.push((format!("{name}, unpacked"), unpack(&bytes)));
            }
            if name.ends_with(".html") {
                packed(&String::from_utf8_lossy(&bytes), &name, out);
            }
            out.push((name, bytes));
        }
    }
}

fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut unpacked).expect("gzip");
    unpacked
}

/// The packed blocks of a page.
fn packed(page: &str, name: &str, out: &mut Vec<(String, Vec<u8>)>) {
    for block in page.split("<script type=\"application/gzip\"").skip(1) {
        let text = block.split_once('>').and_then(|(_, rest)| rest.split_once("</script>")).expect("a block").0;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).expect("base64");
        out.push((format!("a block of {name}"), unpack(&bytes)));
    }
}

/// The secrets that are found, by where they were planted, with where each was found first.
pub fn found(secrets: &BTreeMap<String, String>, leavings: &[(String, Vec<u8>)]) -> BTreeMap<String, String> {
    let readable: Vec<(&String, String)> = leavings
        .iter()
        .map(|(place, bytes)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            // However deep the escapes are.
            let plain = text.replace('\\', "").replace("u0040", "@").replace("&#64;", "@");
            (place, format!("{text}\n{plain}"))
        })
        .collect();
    let first =
        |secret: &str| readable.iter().find(|(_, text)| text.contains(secret)).map(|(place, _)| (*place).clone());
    secrets.iter().filter_map(|(at, secret)| Some((format!("{at}: {secret}"), first(secret)?))).collect()
}
