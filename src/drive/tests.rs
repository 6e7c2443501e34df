//! Conversations with an agent made of a function.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::fleet::{Came, Fleet, Stopped};
use super::late::Late;
use super::saved::Saved;
use super::tab::Tabs;
use super::wants;
use crate::agents::{Agent, Conversation, Heard, Say, Start};
use crate::eval::plan::Planned;
use crate::eval::testing;
use crate::model::{Session, Usage};
use crate::net::budget::{Amount, Budget, Limits};
use crate::net::{Cause, Trouble, client};
use crate::receive::Nobody;
use crate::suite::Suite;
use crate::suite::agent::{Hooks, Live, Load};

/// What the agent does when something is said: the case's id, the turn, and what is said.
type Says = dyn Fn(&Told<'_>) -> Does + Send + Sync;

struct Told<'t> {
    case: &'t str,
    trial: u32,
    turn: usize,
    text: &'t str,
    /// How often something was said in this conversation, with this.
    times: usize,
}

enum Does {
    Replies(String),
    Reports(Box<Heard>),
    Fails(Cause),
    Hangs,
    Panics,
    TakesMs(u64, String),
}

struct Stub {
    says: Box<Says>,
    inside: AtomicUsize,
    peak: AtomicUsize,
    opened: AtomicUsize,
}

struct Talks {
    stub: std::sync::Arc<Stub>,
    case: String,
    trial: u32,
    times: usize,
}

struct Shared(std::sync::Arc<Stub>);

impl Agent for Shared {
    fn open<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Box<dyn Conversation>, Trouble>> {
        assert_eq!(start.session.len(), 36);
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        let case = start.case["id"].as_str().unwrap().to_owned();
        let talks = Talks { stub: self.0.clone(), case, trial: start.trial, times: 0 };
        Box::pin(async move { Ok(Box::new(talks) as Box<dyn Conversation>) })
    }
}

impl Conversation for Talks {
    fn say<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Heard, Trouble>> {
        self.times += 1;
        assert_eq!(say.history.len(), say.turn);
        assert!(say.traceparent.starts_with("00-") && say.traceparent.len() == 55, "{}", say.traceparent);
        let told = Told { case: &self.case, trial: self.trial, turn: say.turn, text: say.text, times: self.times };
        let does = (self.stub.says)(&told);
        Box::pin(async move {
            let stub = &self.stub;
            let inside = stub.inside.fetch_add(1, Ordering::SeqCst) + 1;
            stub.peak.fetch_max(inside, Ordering::SeqCst);
            let reply = |text: String| Ok(Heard { reply: Some(text), ..Heard::default() });
            let heard = match does {
                Does::Replies(text) => reply(text),
                Does::Reports(heard) => Ok(*heard),
                Does::Fails(cause) => Err(Trouble::new(cause, "it did not work")),
                Does::Hangs => std::future::pending().await,
                Does::Panics => panic!("the adapter broke"),
                Does::TakesMs(ms, text) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    reply(text)
                }
            };
            stub.inside.fetch_sub(1, Ordering::SeqCst);
            heard
        })
    }
}

struct World {
    suite: Suite,
    stub: std::sync::Arc<Stub>,
    dir: tempfile::TempDir,
    stop: AtomicBool,
    budgets: Vec<Budget>,
    progress: Mutex<usize>,
}

impl World {
    fn new(toml: &str, says: impl Fn(&Told<'_>) -> Does + Send + Sync + 'static) -> Self {
        let mut suite = testing::suite(toml);
        let stub = std::sync::Arc::new(Stub {
            says: Box::new(says),
            inside: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
        });
        suite.live = Some(Live {
            kind: "stub",
            agent: std::sync::Arc::new(Shared(stub.clone())),
            load: Load {
                concurrency: 3,
                rate: None,
                turn_timeout: Duration::from_secs(60),
                session_timeout: Duration::from_secs(60),
                retries: 2,
                max_cost_usd: None,
                max_tokens: None,
            },
            hooks: Hooks::default(),
            user: None,
            telemetry: None,
            written: Value::Null,
            dir: Default::default(),
        });
        Self {
            suite,
            stub,
            dir: tempfile::tempdir().unwrap(),
            stop: AtomicBool::new(false),
            budgets: Vec::new(),
            progress: Mutex::new(0),
        }
    }

    fn load(&mut self) -> &mut Load {
        &mut self.suite.live.as_mut().unwrap().load
    }

    /// Drives what is missing: what came of it, and the file that is judged, line by line.
    fn drive(&self) -> (Came, Vec<Value>) {
        let planned = Planned::new(&self.suite, None).unwrap();
        let wants = wants::of(&planned);
        let mut saved = Saved::open(&self.suite, &wants, self.dir.path(), false, &|_| None).unwrap();
        let tabs = Tabs::open(self.dir.path(), "s").unwrap();
        let before = saved.before.most();
        let lost = tabs.lost(before);
        self.budgets.iter().for_each(|budget| budget.already(lost));
        let fleet = Fleet {
            suite: &self.suite,
            live: self.suite.live.as_ref().unwrap(),
            wants: &wants,
            here: (0..wants.len()).filter(|at| !saved.has(*at)).collect(),
            http: &client::client().unwrap(),
            env: &|_| None,
            users: &Default::default(),
            telemetry: &Nobody,
            first_wait: Duration::from_micros(20),
            budgets: &self.budgets,
            stop: &self.stop,
            before,
            tabs: &tabs,
            progress: &|reached| *self.progress.lock().unwrap() = reached.ended,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let came = runtime.block_on(fleet.drive(&mut saved, &mut Late::new(self.dir.path())));
        tabs.close();
        let judged = saved.finish().unwrap();
        (came, lines(&judged.path))
    }

    /// The sessions that stay in the run's folder.
    fn kept(&self) -> Vec<Value> {
        lines(&self.dir.path().join("sessions/s.jsonl"))
    }
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cases(n: usize) -> String {
    let check = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n";
    let case = |i: usize| format!("[[case]]\nid = \"c{i}\"\nuser = \"hello {i}\"\n");
    format!("{check}{}", (0..n).map(case).collect::<String>())
}

fn names(sessions: &[Value]) -> Vec<String> {
    let name = |s: &Value| format!("{}/{}", s["case"].as_str().unwrap(), s["trial"].as_str().unwrap());
    sessions.iter().map(name).collect()
}

#[test]
fn what_the_user_says_may_use_what_was_replied() {
    let toml = "[subject]\nagent = \"airline\"\nversion = \"2\"\n[[session]]\nid = \"a\"\ncheck = \"contains\"\n\
        value = \"x\"\n[[case]]\nid = \"c\"\nuser = [\"my code is {{ case.code }}\", \"you said: {{ turns[0].reply }}\"]\n\
        vars = { code = 7 }\n";
    let world = World::new(toml, |told| Does::Replies(format!("<{}>", told.text)));
    let (came, sessions) = world.drive();
    assert_eq!((came.sessions, came.turns, came.failures), (1, 2, 0));
    let session = &sessions[0];
    assert_eq!(session["turns"][0]["user"], "my code is 7");
    assert_eq!(session["turns"][1]["user"], "you said: <my code is 7>");
    assert_eq!(session["turns"][1]["reply"], "<you said: <my code is 7>>");
    assert_eq!((&session["agent"], &session["version"]), (&"airline".into(), &"2".into()));
    assert_eq!(session["turns"][0]["trace_id"].as_str().map(str::len), Some(32));
}

#[test]
fn sessions_stand_case_by_case_and_trial_by_trial_whatever_ended_first() {
    let toml = format!("{}trials = 3\n", cases(2));
    let world = World::new(&toml, |told| {
        let late = if told.case == "c0" { 100 } else { 10 };
        Does::TakesMs(late - u64::from(told.trial), "x".into())
    });
    let (came, sessions) = world.drive();
    assert_eq!(names(&sessions), ["c0/1", "c1/1", "c1/2", "c1/3"]);
    assert_eq!((came.peak, came.stopped), (3, None));
    let ids: std::collections::BTreeSet<&str> = sessions.iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn no_more_are_in_flight_than_allowed() {
    let mut world = World::new(&cases(20), |_| Does::TakesMs(10, "x".into()));
    world.load().concurrency = 4;
    assert_eq!(world.drive().0.sessions, 20);
    assert_eq!(world.stub.peak.load(Ordering::SeqCst), 4);
}

#[test]
fn what_fails_on_the_way_is_tried_again_and_counted() {
    let world = World::new(&cases(1), |told| match told.times {
        1 => Does::Fails(Cause::Unreachable),
        2 => Does::Fails(Cause::Server),
        _ => Does::Replies("x".into()),
    });
    let (came, sessions) = world.drive();
    assert_eq!((came.retries, came.failures), (2, 0));
    assert_eq!(sessions[0]["turns"].as_array().unwrap().len(), 1);
}

#[test]
fn a_busy_agent_is_asked_again_more_often_than_a_broken_one_but_not_for_ever() {
    let world =
        World::new(&cases(1), |told| if told.times < 8 { Does::Fails(Cause::Busy) } else { Does::Replies("x".into()) });
    let (came, _) = world.drive();
    assert_eq!((came.busy, came.retries, came.failures), (7, 7, 0));
    let world = World::new(&cases(1), |_| Does::Fails(Cause::Busy));
    let (came, sessions) = world.drive();
    assert_eq!((came.busy, came.failures), (11, 1));
    assert_eq!(sessions[0]["failure"]["message"], "turn 1: it did not work (tried 11 times)");
}

#[test]
fn what_the_agent_may_have_heard_is_never_said_again() {
    for cause in
        [Cause::Agent, Cause::Reset, Cause::Timeout, Cause::Malformed, Cause::Refused, Cause::Died, Cause::TooLarge]
    {
        let world = World::new(&cases(1), move |_| Does::Fails(cause));
        let (came, sessions) = world.drive();
        assert_eq!((came.retries, came.failures), (0, 1), "{cause:?}");
        assert_eq!(sessions[0]["failure"]["kind"], cause.name());
    }
}

#[test]
fn one_that_hangs_or_breaks_is_an_error_of_its_own_and_of_no_other() {
    let mut world = World::new(&cases(4), |told| match told.case {
        "c0" => Does::Hangs,
        "c1" => Does::Panics,
        _ => Does::Replies("x".into()),
    });
    world.load().concurrency = 1;
    world.load().turn_timeout = Duration::from_millis(50);
    crate::eval::evaluate::keep_panics_quiet();
    let (came, sessions) = world.drive();
    assert_eq!((came.sessions, came.failures, came.panicked), (4, 2, true));
    assert_eq!(sessions[0]["failure"]["kind"], "timeout");
    let message = sessions[0]["failure"]["message"].as_str().unwrap();
    assert_eq!(message, "turn 1: no complete reply in turn 1 within 50ms (`turn_timeout`)");
    assert_eq!(sessions[1]["failure"]["kind"], "bug");
    assert!(sessions[2].get("failure").is_none() && sessions[3].get("failure").is_none());
}

#[test]
fn a_session_has_a_limit_of_its_own() {
    let toml = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n[[case]]\nid = \"c\"\n\
        user = [\"1\", \"2\", \"3\", \"4\"]\n";
    let mut world = World::new(toml, |_| Does::TakesMs(30, "x".into()));
    world.load().session_timeout = Duration::from_millis(40);
    let (_, sessions) = world.drive();
    assert!(sessions[0]["failure"]["message"].as_str().unwrap().contains("`session_timeout`"), "{}", sessions[0]);
}

#[test]
fn what_refers_to_a_reply_that_was_not_given_is_an_error() {
    let toml = "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n[[case]]\nid = \"c\"\n\
        user = [\"1\", \"{{ turns[0].reply }}\"]\n";
    let world = World::new(toml, |_| Does::Reports(Box::default()));
    let (_, sessions) = world.drive();
    assert_eq!(sessions[0]["failure"]["kind"], "misconfigured");
    assert_eq!(sessions[0]["turns"].as_array().unwrap().len(), 1);
}

#[test]
fn an_agent_that_ends_the_conversation_is_not_spoken_to_again() {
    let toml =
        "[[session]]\nid = \"a\"\ncheck = \"contains\"\nvalue = \"x\"\n[[case]]\nid = \"c\"\nuser = [\"1\", \"2\"]\n";
    let world = World::new(toml, |told| {
        assert_eq!(told.turn, 0);
        Does::Reports(Box::new(Heard { reply: Some("bye".into()), ended: true, ..Heard::default() }))
    });
    let (came, sessions) = world.drive();
    assert_eq!((came.turns, sessions[0].get("failure")), (1, None));
}

#[test]
fn only_what_is_missing_is_driven_again() {
    let world = World::new(&cases(6), |_| Does::Replies("x".into()));
    assert_eq!(world.drive().0.sessions, 6);
    let path = world.dir.path().join("sessions/s.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    // Killed while the third was written, in whatever order.
    std::fs::write(&path, format!("{}\n{}\n{}", lines[4], lines[1], &lines[0][..30])).unwrap();
    let (came, sessions) = world.drive();
    assert_eq!(came.sessions, 4);
    assert_eq!(names(&sessions), ["c0/1", "c1/1", "c2/1", "c3/1", "c4/1", "c5/1"]);
    assert_eq!(sessions[4].to_string(), serde_json::from_str::<Value>(lines[4]).unwrap().to_string());
    assert_eq!(world.drive().0.sessions, 0);
}

#[test]
fn checks_see_what_was_said_and_the_folder_what_may_be_written() {
    let toml = format!("{}[redact]\ndetectors = [\"email\"]\n", cases(2));
    let world = World::new(&toml, |told| {
        Does::Replies(if told.case == "c0" { "write to a@example.com".into() } else { "x".into() })
    });
    let (_, judged) = world.drive();
    assert_eq!(judged[0]["turns"][0]["reply"], "write to a@example.com");
    assert_eq!(world.kept()[0]["turns"][0]["reply"], "write to [redacted:email]");
    // The one that nothing was taken out of is as good as it was.
    let (came, judged) = world.drive();
    assert_eq!((came.sessions, judged.len()), (1, 2));
    assert_eq!(judged[0]["turns"][0]["reply"], "write to a@example.com");
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, ..Amount::default() }
}

fn spends(tokens: u64) -> Does {
    let usage = Some(Usage { input: Some(tokens), output: Some(0), ..Usage::default() });
    Does::Reports(Box::new(Heard { reply: Some("x".into()), usage, ..Heard::default() }))
}

#[test]
fn the_run_stops_before_more_is_spent_than_allowed() {
    let mut world = World::new(&cases(10), |_| spends(30));
    world.budgets = vec![Budget::new(Limits { tokens: Some(100), cost: None })];
    let (came, sessions) = world.drive();
    assert!(matches!(&came.stopped, Some(Stopped::Capped(why)) if why.contains("`max_tokens` is 100")), "{came:?}");
    assert_eq!((came.sessions, came.spent.tokens, sessions.len()), (3, 90, 3));
}

#[test]
fn a_limit_that_nobody_could_keep_stops_the_run() {
    let mut world = World::new(&cases(10), |_| Does::Replies("x".into()));
    world.budgets = vec![Budget::new(Limits { tokens: Some(100), cost: None })];
    let (came, _) = world.drive();
    assert!(matches!(&came.stopped, Some(Stopped::Capped(why)) if why.contains("does not say")), "{came:?}");
    assert_eq!(came.sessions, 1);
    // What never reached the agent spent nothing.
    let mut world = World::new(&cases(2), |_| Does::Fails(Cause::Refused));
    world.budgets = vec![Budget::new(Limits { tokens: Some(100), cost: None })];
    assert_eq!(world.drive().0.stopped, None);
}

#[test]
fn one_that_breaks_off_counts_as_much_as_was_held_for_it() {
    let mut world = World::new(&cases(10), |told| match told.case {
        "c0" => spends(30),
        _ => Does::Fails(Cause::Reset),
    });
    world.load().concurrency = 1;
    world.budgets = vec![Budget::new(Limits { tokens: Some(100), cost: None })];
    let (came, sessions) = world.drive();
    assert!(matches!(&came.stopped, Some(Stopped::Capped(why)) if why.contains("90 tokens are spent")), "{came:?}");
    assert_eq!((came.sessions, came.spent.tokens, sessions.len()), (3, 30, 3));
    // So it does for a continuation.
    let planned = Planned::new(&world.suite, None).unwrap();
    let wants = wants::of(&planned);
    let before = Saved::open(&world.suite, &wants, world.dir.path(), false, &|_| None).unwrap().before;
    assert_eq!((before.counts().tokens, before.most().unwrap().tokens), (90, 30));
}

#[test]
fn what_an_earlier_part_had_begun_and_not_saved_counts_as_the_first_session_that_is_known() {
    let world = |lost: u64| {
        let mut world = World::new(&cases(10), |_| spends(30));
        world.load().concurrency = 1;
        world.budgets = vec![Budget::new(Limits { tokens: Some(100), cost: None })];
        std::fs::create_dir_all(world.dir.path().join("sessions")).unwrap();
        // Killed before any session had ended: nobody knew what one comes to.
        let tabs = Tabs::open(world.dir.path(), "s").unwrap();
        (0..lost).for_each(|_| drop(tabs.begin(tokens(0)).unwrap()));
        world
    };
    for (lost, sessions) in [(0, 3), (1, 2), (2, 1), (9, 1)] {
        let world = world(lost);
        let (came, saved) = world.drive();
        assert!(matches!(came.stopped, Some(Stopped::Capped(_))), "{came:?}");
        assert_eq!((came.sessions, saved.len()), (sessions, sessions as usize), "{lost}");
        assert_eq!(world.budgets[0].spent().tokens, 30 * (sessions + lost));
    }
}

#[test]
fn an_interrupt_drops_what_is_in_flight_and_keeps_what_has_ended() {
    let world = std::sync::Arc::new(World::new(&cases(9), |told| match told.case {
        "c0" => Does::Replies("x".into()),
        _ => Does::Hangs,
    }));
    world.stop.store(true, Ordering::Relaxed);
    let (came, sessions) = world.drive();
    assert_eq!(came.stopped, Some(Stopped::Interrupted));
    assert!(sessions.len() <= 1, "{sessions:?}");
    // What was dropped counts for a continuation as much as was held for it.
    let hung = std::sync::Arc::new(AtomicUsize::new(0));
    let hangs = hung.clone();
    let mut world = World::new(&cases(9), move |told| match told.case {
        "c0" => spends(5),
        _ => {
            hangs.fetch_add(1, Ordering::SeqCst);
            Does::Hangs
        }
    });
    world.budgets = vec![Budget::new(Limits { tokens: Some(1000), cost: None })];
    let world = std::sync::Arc::new(world);
    let stops = world.clone();
    let waits = std::thread::spawn(move || {
        while hung.load(Ordering::SeqCst) < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        stops.stop.store(true, Ordering::Relaxed);
    });
    let (came, sessions) = world.drive();
    waits.join().unwrap();
    assert_eq!((came.stopped, sessions.len()), (Some(Stopped::Interrupted), 1));
    let tabs = Tabs::open(world.dir.path(), "s").unwrap();
    assert_eq!((tabs.lost(None).tokens, tabs.lost(Some(tokens(7))).tokens), (15, 21));
}

#[test]
fn a_session_reads_back_as_it_was_written() {
    let world = World::new(&cases(1), |_| spends(3));
    world.drive();
    let text = std::fs::read_to_string(world.dir.path().join("sessions/s.jsonl")).unwrap();
    let session: Session<'_> = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(session.case.as_deref(), Some("c0"));
    assert_eq!(session.spans().count(), 2);
}

#[cfg(unix)]
#[test]
fn an_interrupt_undoes_what_was_begun() {
    use crate::suite::agent::{Each, Hook, What};
    let mut world = World::new(&cases(2), |_| Does::Hangs);
    let log = world.dir.path().join("log");
    let hook = |word: &str, each| Hook {
        each,
        what: What::Program(vec!["sh".into(), "-c".into(), format!("echo {word} >> '{}'", log.display())]),
        timeout: Duration::from_secs(20),
        path: None,
        initial: false,
    };
    let hooks = &mut world.suite.live.as_mut().unwrap().hooks;
    hooks.setup = vec![hook("case", Each::Case), hook("session", Each::Session)];
    hooks.teardown = vec![hook("-case", Each::Case), hook("-session", Each::Session), hook("-run", Each::Run)];
    let world = std::sync::Arc::new(world);
    let stops = world.clone();
    let read = move || std::fs::read_to_string(&log).unwrap_or_default();
    let seen = read.clone();
    let waits = std::thread::spawn(move || {
        while seen().matches("session").count() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        stops.stop.store(true, Ordering::Relaxed);
    });
    let (came, _) = world.drive();
    waits.join().unwrap();
    assert_eq!((came.stopped, came.undone), (Some(Stopped::Interrupted), 0));
    let log = read();
    let counts = ["-session\n", "-case\n", "-run\n"].map(|word| log.matches(word).count());
    assert_eq!(counts, [2, 2, 1], "{log}");
}
