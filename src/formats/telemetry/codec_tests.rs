//! Records survive being stored, whatever they hold; damage is nothing rather than something else.

use proptest::prelude::*;

use super::*;
use crate::formats::telemetry::{Pairs, Value};
use crate::model::Text;

fn value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e300..1e300).prop_map(Value::Double),
        ".{0,20}".prop_map(|s| Value::Text(s.into())),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(|b| Value::Bytes(b.into())),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((".{0,5}".prop_map(Text::from), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn pairs() -> impl Strategy<Value = Pairs<'static>> {
    proptest::collection::vec((".{0,9}".prop_map(Text::from), value()), 0..5)
}

fn span() -> impl Strategy<Value = Record<'static>> {
    let text = || "[a-z0-9]{1,16}".prop_map(Text::from);
    let time = || proptest::option::of(1u64..);
    let event =
        (text(), time(), pairs()).prop_map(|(name, time_ns, attributes)| EventRecord { name, time_ns, attributes });
    let times = (time(), time(), 0i64..6, 0..3);
    let many = (pairs(), proptest::collection::vec(event, 0..3), proptest::collection::vec((text(), text()), 0..3));
    (text(), text(), proptest::option::of(text()), proptest::option::of(".{0,9}"), times, many).prop_map(
        |(trace, id, parent, message, (start_ns, end_ns, side, status), (attributes, events, links))| {
            Record::Span(SpanRecord {
                trace,
                id,
                parent,
                name: "n".into(),
                side: Side::from_number(side),
                start_ns,
                end_ns,
                status: [SpanStatus::Unset, SpanStatus::Ok, SpanStatus::Error][status as usize],
                status_message: message.map(Text::from),
                attributes,
                events,
                links,
                dropped: 3,
            })
        },
    )
}

fn log() -> impl Strategy<Value = Record<'static>> {
    let text = || proptest::option::of("[a-z0-9]{1,16}".prop_map(Text::from));
    (text(), text(), proptest::option::of(1u64..), proptest::option::of(value()), pairs()).prop_map(
        |(trace, span, time_ns, body, attributes)| {
            Record::Log(LogRecord { trace, span, time_ns, name: "n".into(), body, attributes })
        },
    )
}

proptest! {
    #[test]
    fn what_is_stored_is_read_back(records in proptest::collection::vec(prop_oneof![span(), log()], 0..4), resource in pairs()) {
        let origin = Origin { resource, scope: "s".into(), version: "1".into() };
        let (mut encoded, mut bytes) = (Vec::new(), Vec::new());
        encode_origin(&origin, &mut encoded);
        for (i, record) in records.iter().enumerate() {
            encode(record, &encoded, Place { file: 1, element: 2, position: i as u32 }, &mut bytes);
        }
        let mut wholes = Vec::new();
        let mut back = Vec::new();
        for (stored, whole) in stored(&bytes) {
            prop_assert_eq!(stored.place.position as usize, back.len());
            prop_assert_eq!(&decode_origin(stored.origin).unwrap(), &origin);
            back.push(stored.decode().unwrap());
            wholes.extend_from_slice(whole);
        }
        prop_assert_eq!(&back, &records);
        prop_assert_eq!(wholes, bytes);
    }

    #[test]
    fn bytes_that_are_no_records_end_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (stored, _) in stored(&bytes) {
            let _ = stored.decode();
            let _ = decode_origin(stored.origin);
        }
    }
}

#[test]
fn an_origin_is_written_once_for_all_that_follow() {
    let record = |id: &'static str| Record::Span(SpanRecord { id: id.into(), ..SpanRecord::default() });
    let (mut a, mut b, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    encode_origin(&Origin { scope: "a".into(), ..Origin::default() }, &mut a);
    encode_origin(&Origin { scope: "b".into(), ..Origin::default() }, &mut b);
    for (id, origin) in [("1", &a[..]), ("2", &[]), ("3", &b), ("4", &[])] {
        encode(&record(id), origin, Place::default(), &mut bytes);
    }
    let told: Vec<_> = stored(&bytes).map(|(s, _)| (s.span, s.origin)).collect();
    assert_eq!(told, [("1", &a[..]), ("2", &a), ("3", &b), ("4", &b)]);
    let mut again = Vec::new();
    for (i, (record, _)) in stored(&bytes).enumerate() {
        let origin = record.put(i % 2 == 0, &mut again);
        assert_eq!(&again[origin], if i % 2 == 0 { record.origin } else { &[] });
    }
    assert_eq!(again, bytes);
}

#[test]
fn values_nested_too_deep_are_cut_off() {
    let deep = (0..200).fold(Value::Int(1), |v, _| Value::Array(vec![v]));
    let record = Record::Log(LogRecord { body: Some(deep), ..LogRecord::default() });
    let mut bytes = Vec::new();
    encode(&record, &[], Place::default(), &mut bytes);
    assert!(stored(&bytes).next().unwrap().0.decode().is_some());
}
