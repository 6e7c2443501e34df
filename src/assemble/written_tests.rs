//! A session that seatrial writes as OTLP is read back as the same session.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::build::Builder;
use crate::formats::telemetry::codec::{Place, encode, encode_origin};
use crate::formats::telemetry::{Origin, Record, Sink};
use crate::formats::{Decode, Decoder, format, otlp};
use crate::model::{Attributes, NanoUsd, Payload, Problem, Session, Span, SpanKind, SpanStatus, Turn, Usage};

/// Stores what arrives, as the intake does.
#[derive(Default)]
struct Store {
    origin: Vec<u8>,
    bytes: Vec<u8>,
    next: u32,
}

impl<'a> Sink<'a> for Store {
    fn origin(&mut self, origin: &Origin<'a>) {
        self.origin.clear();
        encode_origin(origin, &mut self.origin);
    }

    fn record(&mut self, record: &Record<'a>) {
        let place = Place { position: self.next, ..Place::default() };
        self.next += 1;
        encode(record, &self.origin, place, &mut self.bytes);
    }

    fn problem(&mut self, problem: Problem) {
        panic!("{problem:?}");
    }
}

/// What is the same before and after, one line a fact.
fn facts(session: &Session<'_>) -> Vec<String> {
    let mut facts = vec![format!("{} {:?} {:?} {:?}", session.id, session.agent, session.version, session.user)];
    for turn in &session.turns {
        facts.push(format!("turn {:?} {:?} {} {:?}", turn.user, turn.reply, turn.closing, turn.ttft_ns));
        for span in turn.spans.iter().filter(|s| s.kind != SpanKind::Agent) {
            let Span { kind, name, model, call_id, status, usage, cost_usd, start_ns, end_ns, ttft_ns, .. } = span;
            facts.push(format!("{kind:?} {name} {model:?} {call_id:?} {status:?} {:?}", span.status_message));
            // An input is JSON or a text that holds the same JSON.
            let text = |p: &Option<Payload<'_>>| p.as_ref().map(|p| p.as_str().to_owned());
            facts.push(format!("{:?} {:?} {usage:?} {cost_usd:?}", text(&span.input), text(&span.output)));
            facts.push(format!("{start_ns:?} {end_ns:?} {ttft_ns:?} {:?}", span.attributes.get("k")));
        }
    }
    facts
}

fn read_back(session: &Session<'_>) -> Vec<String> {
    let mut line = Vec::new();
    otlp::write(session, &mut line).unwrap();
    let Decode::Records(decoder) = format("otlp").unwrap().decoder(&[]).unwrap() else { panic!() };
    let mut store = Store::default();
    decoder.records(&line, &mut store).unwrap();
    facts(&Builder::default().decode(&store.bytes, 0, "f").unwrap())
}

fn word() -> impl Strategy<Value = String> {
    "[a-zé\"\n]{1,8}".prop_map(|w| format!("w{w}w"))
}

fn payload() -> impl Strategy<Value = Payload<'static>> {
    prop_oneof![
        word().prop_map(Payload::text),
        Just(Payload::text("{\"b\":1,\"a\":[null,2.5]}")),
        Just(Payload::raw_json("{\"b\":1,\"a\":[null,2.5]}")),
    ]
}

fn tool() -> impl Strategy<Value = Span<'static>> {
    (word(), of(word()), of(payload()), of(word()), 0..3, of(word()), payload()).prop_map(
        |(name, call, input, output, status, message, attribute)| Span {
            kind: SpanKind::Tool,
            name: name.into(),
            call_id: call.map(Into::into),
            input,
            // A tool that gave a result and says nothing else ended well.
            status: match (status, &output) {
                (2, _) => SpanStatus::Error,
                (_, Some(_)) => SpanStatus::Ok,
                _ => SpanStatus::Unset,
            },
            output: output.map(Payload::text),
            attributes: Attributes(vec![("k".into(), attribute)]),
            status_message: message.filter(|_| status == 2).map(Into::into),
            ..Span::default()
        },
    )
}

fn usage() -> impl Strategy<Value = Option<Usage>> {
    let count = || of(0u64..1_000_000);
    (of(0u64..1_000_000), count(), count(), count(), count()).prop_map(
        |(input, output, cache_read, cache_write, reasoning)| {
            let usage = Usage { input, output, cache_read, cache_write, reasoning };
            (usage != Usage::default()).then_some(usage)
        },
    )
}

/// A model's call that says `output`.
fn model(output: Payload<'static>) -> impl Strategy<Value = Span<'static>> {
    (of(word()), usage(), of(0i64..1_000_000_000_000), of(0u64..1_000_000_000_000)).prop_map(
        move |(name, usage, cost, ttft_ns)| {
            let mut span = Span { kind: SpanKind::Llm, name: "chat".into(), ..Span::default() };
            span.model = name.map(Into::into);
            span.output = Some(output.clone());
            span.usage = usage;
            span.cost_usd = cost.map(NanoUsd);
            span.ttft_ns = ttft_ns;
            span
        },
    )
}

/// A user's message, calls of models and tools, and the model that gives the reply, if there is one.
fn turn() -> impl Strategy<Value = Turn<'static>> {
    let steps = vec(prop_oneof![model(Payload::null()).boxed(), tool().boxed()], 0..4);
    let last = of(word()).prop_flat_map(|reply| match reply {
        Some(reply) => model(Payload::text(reply)).prop_map(Some).boxed(),
        None => Just(None).boxed(),
    });
    (of(word()), steps, last, any::<bool>(), of(1u64..1_000_000_000_000), any::<bool>()).prop_map(
        |(user, mut spans, last, closing, ttft_ns, agent)| {
            let reply = last.as_ref().and_then(|m| m.output.clone()).map(Payload::into_text);
            spans.extend(last);
            if agent {
                for (span, n) in spans.iter_mut().zip(1..) {
                    span.id = Some(format!("span {n}").into());
                    span.parent = Some("root".into());
                }
                let root = Span { id: Some("root".into()), kind: SpanKind::Agent, name: "a".into(), ..Span::default() };
                spans.insert(0, root);
            }
            Turn { user: user.map(Into::into), reply, spans, closing, ttft_ns, ..Turn::default() }
        },
    )
}

fn session() -> impl Strategy<Value = Session<'static>> {
    (word(), word(), of(word()), of(word()), vec(turn(), 1..4), any::<bool>()).prop_map(
        |(id, agent, version, user, turns, timed)| {
            let agent = if turns.iter().any(|t| t.spans.first().is_some_and(|s| s.kind == SpanKind::Agent)) {
                "a".to_owned()
            } else {
                agent
            };
            let mut session = Session { id: id.into(), agent: Some(agent.into()), turns, ..Session::default() };
            session.version = version.map(Into::into);
            session.user = user.map(Into::into);
            // Every span after the one before it, within its turn.
            let mut clock = 1_700_000_000_000_000_000;
            for turn in session.turns.iter_mut().filter(|_| timed) {
                turn.start_ns = Some(clock);
                for span in &mut turn.spans {
                    (span.start_ns, span.end_ns) = (Some(clock + 1), Some(clock + 2));
                    clock += 2;
                }
                clock += 2;
                turn.end_ns = Some(clock - 1);
            }
            session
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn turns_calls_replies_and_usage_survive_the_way_through_otlp(session in session()) {
        prop_assert_eq!(read_back(&session), facts(&session));
    }
}
