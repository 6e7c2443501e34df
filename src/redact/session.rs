//! A session without what the rules hide: field by field, each flagged where something was taken out, with what is needed
//! to say the same of it as before (ranges of evidence, names, words).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Redacted;
use super::hidden::Hidden;
use super::json::segment;
use super::rules::{PATH, Pseudonym, Rules, marker};
use super::text::{Alias, Also, Edit, SHORTEST_ALIAS, rewrite, stands_alone, translate};
use crate::model::{Attributes, Event, Evidence, Field, Payload, RedactedFields, Reference, Session, Span, Text};

/// A session that has been through the rules, and what became of its parts.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The session as it may be written.
    pub session: Redacted<Session<'a>>,
    edits: HashMap<Spot, Vec<Edit>>,
    hidden: Hidden,
    /// Names that changed: ids, users, tools.
    names: BTreeMap<String, String>,
}

/// A part of a session that evidence points into: span, turn, field.
type Spot = (Option<u32>, Option<u32>, Field);

impl Seen<'_> {
    /// The name that stands for one of the session's; `None` where it stayed.
    pub(super) fn name(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }

    /// Words about the session, without what was taken out of it.
    pub(super) fn words(&self, text: &str) -> Option<String> {
        let named = self.named(text);
        self.hidden.scrub(named.as_deref().unwrap_or(text)).or(named)
    }

    /// The text with what stands for the names in it.
    fn named(&self, text: &str) -> Option<String> {
        let mut names: Vec<_> = self.names.iter().filter(|(name, _)| name.len() >= SHORTEST_ALIAS).collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let mut out: Option<String> = None;
        for (name, stands) in names {
            let here = out.as_deref().unwrap_or(text);
            let found: Vec<_> = here.match_indices(name.as_str()).map(|(at, name)| at..at + name.len()).collect();
            for range in found.into_iter().rev().filter(|range| stands_alone(here, range)).collect::<Vec<_>>() {
                out.get_or_insert_with(|| text.to_owned()).replace_range(range, stands);
            }
        }
        out
    }

    /// Makes evidence point at the same place of the session as it may be written.
    pub(super) fn evidence(&self, evidence: &mut Evidence) {
        let Some((start, end)) = evidence.range else { return };
        if let Some(edits) = self.edits.get(&(evidence.span, evidence.turn, evidence.field)) {
            let range = translate(start as usize..end as usize, edits);
            evidence.range = Some((range.start as u32, range.end as u32));
        }
    }
}

/// Takes out of a session what the rules hide.
pub(super) fn redact<'a>(rules: &Rules, session: &Session<'a>) -> Seen<'a> {
    let mut session = session.clone();
    let mut walk = Walk { rules, aliases: Vec::new(), paths: Pointers::of(rules, &session), ..Walk::new(rules) };
    for (field, by) in &session.redacted.0 {
        walk.flags.insert(field.to_string(), by.iter().map(Text::to_string).collect());
    }
    walk.pseudonyms(&session);
    walk.session(&mut session);
    let flags = walk.flags.into_iter();
    session.redacted =
        RedactedFields(flags.map(|(at, by)| (at.into(), by.into_iter().map(Text::from).collect())).collect());
    Seen { session: Redacted::of(session), edits: walk.edits, hidden: Hidden::new(walk.taken), names: walk.names }
}

/// JSON pointers into a session at which values are hidden.
struct Pointers {
    set: BTreeSet<String>,
    /// What they are could not be told: everything is hidden.
    all: bool,
}

impl Pointers {
    fn of(rules: &Rules, session: &Session<'_>) -> Self {
        if rules.paths.is_empty() {
            return Self { set: BTreeSet::new(), all: false };
        }
        let Ok(mut value) = serde_json::to_value(session) else { return Self { set: BTreeSet::new(), all: true } };
        read_texts(&mut value);
        let found = rules.paths.iter().flat_map(|path| path.locate(&value)).map(|(pointer, _)| pointer);
        Self { set: found.collect(), all: false }
    }

    /// Whether what stands at a pointer is hidden, or something around it.
    fn hide(&self, at: &str) -> bool {
        self.all
            || !self.set.is_empty()
                && (self.set.contains("")
                    || self.set.contains(at)
                    || at.match_indices('/').skip(1).any(|(end, _)| self.set.contains(&at[..end])))
    }

    /// The pointers to what is hidden within a field.
    fn within(&self, at: &str) -> Vec<String> {
        let inner = |pointer: &String| pointer.strip_prefix(at).filter(|p| p.starts_with('/')).map(str::to_owned);
        let from = self.set.range(format!("{at}/")..);
        from.take_while(|p| p.starts_with(at)).filter_map(inner).collect()
    }
}

/// Arguments are often JSON in a string: paths lead into them all the same.
fn read_texts(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) if super::json::looks_like_json(text) => {
            if let Ok(read) = serde_json::from_str(text) {
                *value = read;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(read_texts),
        Value::Object(map) => map.values_mut().for_each(read_texts),
        _ => {}
    }
}

struct Walk<'r> {
    rules: &'r Rules,
    aliases: Vec<Alias>,
    paths: Pointers,
    flags: BTreeMap<String, BTreeSet<String>>,
    edits: HashMap<Spot, Vec<Edit>>,
    taken: Vec<(String, String)>,
    names: BTreeMap<String, String>,
}

impl<'r> Walk<'r> {
    fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            aliases: Vec::new(),
            paths: Pointers { set: BTreeSet::new(), all: false },
            flags: BTreeMap::new(),
            edits: HashMap::new(),
            taken: Vec::new(),
            names: BTreeMap::new(),
        }
    }

    /// The ids that have pseudonyms. One that has been given one before keeps it.
    fn pseudonyms(&mut self, session: &Session<'_>) {
        let mut add = |kind: Pseudonym, id: &str, at: &str| {
            if !id.is_empty() && !self.flags.contains_key(at) {
                let stands = self.rules.pseudonym(kind, id);
                self.names.insert(id.to_owned(), stands.clone());
                self.taken.push((id.to_owned(), kind.name().to_owned()));
                self.aliases.push(Alias { name: id.to_owned(), stands, by: kind.name() });
            }
        };
        if self.rules.session {
            add(Pseudonym::Session, &session.id, "/id");
        }
        if let Some(user) = session.user.as_ref().filter(|_| self.rules.user) {
            add(Pseudonym::User, user, "/user");
        }
    }

    fn session(&mut self, s: &mut Session<'_>) {
        self.name("/id", &mut s.id);
        self.names([("/case", &mut s.case), ("/trial", &mut s.trial), ("/agent", &mut s.agent)]);
        self.names([("/version", &mut s.version), ("/user", &mut s.user)]);
        for (i, tag) in s.tags.iter_mut().enumerate() {
            self.name(&format!("/tags/{i}"), tag);
        }
        self.text_of("/instructions", None, &mut s.instructions);
        let mut ordinal = 0;
        for (i, span) in s.spans.iter_mut().enumerate() {
            self.span(&format!("/spans/{i}"), &mut ordinal, span);
        }
        for (i, turn) in s.turns.iter_mut().enumerate() {
            let at = |field: &str| format!("/turns/{i}/{field}");
            let spot = |field| Some((None, Some(i as u32), field));
            self.text_of(&at("user"), spot(Field::User), &mut turn.user);
            for (k, span) in turn.spans.iter_mut().enumerate() {
                self.span(&at(&format!("spans/{k}")), &mut ordinal, span);
            }
            self.text_of(&at("reply"), spot(Field::Reply), &mut turn.reply);
            self.names([(&at("trace_id"), &mut turn.trace_id)]);
            self.reference(&at("reference"), turn.reference.as_mut());
            self.attributes(&at("attributes"), &mut turn.attributes);
        }
        self.reference("/reference", s.reference.as_mut());
        self.payload_of("/initial_state", None, &mut s.initial_state);
        self.payload_of("/state", Some((None, None, Field::State)), &mut s.state);
        self.events("/events", &mut s.events);
        if let Some(failure) = &mut s.failure {
            self.name("/failure/kind", &mut failure.kind);
            self.text_of("/failure/message", None, &mut failure.message);
        }
        for (i, note) in s.notes.iter_mut().enumerate() {
            self.text(&format!("/notes/{i}"), None, note);
        }
        self.attributes("/attributes", &mut s.attributes);
    }

    fn span(&mut self, at: &str, ordinal: &mut u32, span: &mut Span<'_>) {
        let here = |field: &str| format!("{at}/{field}");
        let spot = |field| Some((Some(*ordinal), None, field));
        self.name(&here("name"), &mut span.name);
        self.names([(&*here("id"), &mut span.id), (&*here("parent"), &mut span.parent)]);
        self.names([(&*here("agent"), &mut span.agent), (&*here("model"), &mut span.model)]);
        self.names([(&*here("call_id"), &mut span.call_id)]);
        self.text_of(&here("status_message"), None, &mut span.status_message);
        self.payload_of(&here("input"), spot(Field::Input), &mut span.input);
        self.payload_of(&here("output"), spot(Field::Output), &mut span.output);
        self.events(&here("events"), &mut span.events);
        self.attributes(&here("attributes"), &mut span.attributes);
        *ordinal += 1;
    }

    fn reference(&mut self, at: &str, reference: Option<&mut Reference<'_>>) {
        let Some(reference) = reference else { return };
        for (i, call) in reference.tools.iter_mut().flatten().enumerate() {
            self.name(&format!("{at}/tools/{i}/name"), &mut call.name);
            self.payload_of(&format!("{at}/tools/{i}/args"), None, &mut call.args);
        }
        self.text_of(&format!("{at}/answer"), None, &mut reference.answer);
        for (i, fact) in reference.facts.iter_mut().flatten().enumerate() {
            self.text(&format!("{at}/facts/{i}"), None, fact);
        }
        self.payload_of(&format!("{at}/state"), None, &mut reference.state);
    }

    fn events(&mut self, at: &str, events: &mut [Event<'_>]) {
        for (i, event) in events.iter_mut().enumerate() {
            self.name(&format!("{at}/{i}/name"), &mut event.name);
            self.attributes(&format!("{at}/{i}/attributes"), &mut event.attributes);
        }
    }

    fn attributes(&mut self, at: &str, attributes: &mut Attributes<'_>) {
        for (name, value) in &mut attributes.0 {
            let by_key = self.rules.hides_keys() && self.rules.hides_key(name);
            let by_path = self.paths.hide(&format!("{at}/{}", segment(name)));
            let inner = self.paths.within(&format!("{at}/{}", segment(name)));
            let written = rename(self, name);
            let place = format!("{at}/{}", segment(&written));
            if written != name.as_str() {
                self.flag(at, ["key".to_owned()]);
                *name = written.into();
            }
            match (by_key, by_path) {
                (true, _) => self.whole(&place, None, value, super::rules::KEY),
                (_, true) => self.whole(&place, None, value, PATH),
                _ => self.payload(&place, None, value, &inner),
            }
        }
    }

    fn flag(&mut self, at: &str, by: impl IntoIterator<Item = String>) {
        self.flags.entry(at.to_owned()).or_default().extend(by);
    }

    fn names<'x, 'a: 'x, const N: usize>(&mut self, fields: [(&str, &'x mut Option<Text<'a>>); N]) {
        for (at, field) in fields {
            if let Some(text) = field {
                self.name(at, text);
            }
        }
    }

    /// A name: one that changes keeps apart from all others, and is the same wherever it occurs.
    fn name(&mut self, at: &str, text: &mut Text<'_>) {
        let by_path = self.paths.hide(at);
        if by_path {
            let stands = format!("{}{}", marker(PATH), self.rules.suffix(text));
            self.taken.push((text.to_string(), PATH.to_owned()));
            self.names.insert(text.to_string(), stands.clone());
            self.flag(at, [PATH.to_owned()]);
            *text = stands.into();
            return;
        }
        let alias = self.aliases.iter().find(|a| a.name == text.as_str());
        if let Some(by) = alias.map(|a| a.by.to_owned()) {
            self.flag(at, [by]);
        } else if let Some(found) = rewrite(self.rules, text, Also::default()) {
            self.flag(at, found.by);
        }
        let written = rename(self, text);
        if written != text.as_str() {
            *text = written.into();
        }
    }

    fn text_of(&mut self, at: &str, spot: Option<Spot>, text: &mut Option<Text<'_>>) {
        if let Some(text) = text {
            self.text(at, spot, text);
        }
    }

    fn text(&mut self, at: &str, spot: Option<Spot>, text: &mut Text<'_>) {
        let mut payload = Payload::text(std::mem::take(text));
        if self.paths.hide(at) {
            self.whole(at, spot, &mut payload, PATH);
        } else {
            let inner = self.paths.within(at);
            self.payload(at, spot, &mut payload, &inner);
        }
        // A text that was JSON is one still.
        *text = payload.into_text();
    }

    fn payload_of(&mut self, at: &str, spot: Option<Spot>, payload: &mut Option<Payload<'_>>) {
        let Some(payload) = payload else { return };
        if self.paths.hide(at) {
            return self.whole(at, spot, payload, PATH);
        }
        let inner = self.paths.within(at);
        self.payload(at, spot, payload, &inner);
    }

    fn payload(&mut self, at: &str, spot: Option<Spot>, payload: &mut Payload<'_>, pointers: &[String]) {
        let scalar = payload.is_json() && !super::json::looks_like_json(payload.as_str());
        let Some(mut found) = rewrite(self.rules, payload.as_str(), Also { aliases: &self.aliases, pointers }) else {
            return;
        };
        self.flag(at, std::mem::take(&mut found.by));
        self.taken.append(&mut found.taken);
        if found.edits.is_empty() {
            return;
        }
        if let Some(spot) = spot {
            self.edits.insert(spot, found.edits);
        }
        // A number that is hidden is a string from then on.
        *payload = match payload.is_json() && !scalar {
            true => Payload::raw_json(found.text),
            false => Payload::text(found.text),
        };
    }

    /// Hides a value whole; what detectors find in it is named, too. That there is none is no secret.
    fn whole(&mut self, at: &str, spot: Option<Spot>, payload: &mut Payload<'_>, by: &str) {
        if payload.is_null() {
            return;
        }
        let text = payload.as_str();
        let found = rewrite(self.rules, text, Also::default()).unwrap_or_default();
        let mut named = vec![by.to_owned()];
        named.extend(found.by.into_iter().filter(|found| found != by && !found.is_empty()));
        let stands: String = named.iter().map(|by| marker(by)).collect();
        if text != stands {
            self.taken.push((text.to_owned(), by.to_owned()));
            if let Some(spot) = spot {
                self.edits.insert(spot, vec![Edit { from: 0..text.len(), to: 0..stands.len() }]);
            }
        }
        self.flag(at, named);
        *payload = Payload::text(stands);
    }
}

/// The name as it may be written; remembers what was taken out of it.
fn rename(walk: &mut Walk<'_>, name: &str) -> String {
    if let Some(known) = walk.names.get(name) {
        return known.clone();
    }
    let Some(found) = rewrite(walk.rules, name, Also { aliases: &walk.aliases, pointers: &[] }) else {
        return name.to_owned();
    };
    walk.taken.extend(found.taken);
    if found.text == name {
        return name.to_owned();
    }
    let written = format!("{}{}", found.text, walk.rules.suffix(name));
    walk.names.insert(name.to_owned(), written.clone());
    written
}

/// A name that belongs to no session in particular.
pub(super) fn name(rules: &Rules, name: &str) -> String {
    match rewrite(rules, name, Also::default()) {
        Some(found) if found.text != name => format!("{}{}", found.text, rules.suffix(name)),
        _ => name.to_owned(),
    }
}

/// A JSON pointer whose keys are names.
pub(super) fn pointer(rules: &Rules, seen: Option<&Seen<'_>>, pointer: &str) -> String {
    let written = |part: &str| {
        let key = part.replace("~1", "/").replace("~0", "~");
        let known = seen.and_then(|seen| seen.name(&key)).map(str::to_owned);
        segment(&known.unwrap_or_else(|| name(rules, &key)))
    };
    pointer
        .split('/')
        .enumerate()
        .map(|(i, part)| if i == 0 { part.to_owned() } else { written(part) })
        .collect::<Vec<_>>()
        .join("/")
}
