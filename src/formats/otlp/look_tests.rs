//! What is taken for OTLP in protobuf, and what is not.

use proptest::prelude::*;
use prost::Message;

use super::super::testing::{any_logs, any_traces, span, traces};
use super::*;

fn prefixed(prefix: Prefix, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match prefix {
        Prefix::None => {}
        Prefix::Fixed32 => out.extend_from_slice(&(message.len() as u32).to_be_bytes()),
        Prefix::Varint => prost::encoding::encode_varint(message.len() as u64, &mut out),
    }
    out.extend_from_slice(message);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_framing_is_told_from_any_request_however_it_is_cut(
        traces in any_traces(), logs in any_logs(), which in 0usize..3, end in 512usize..4000,
    ) {
        // A real head is 64 KiB. One of a few bytes may end within the first text, and then shows nothing.
        let prefix = [Prefix::None, Prefix::Fixed32, Prefix::Varint][which];
        for message in [traces.encode_to_vec(), logs.encode_to_vec()] {
            // A request without any resource, scope or record says nothing of itself.
            if message.len() <= 20 {
                continue;
            }
            let bytes = prefixed(prefix, &message);
            let head = &bytes[..end.min(bytes.len())];
            prop_assert_eq!(framing(head), Some(prefix), "{:?}", head);
        }
    }

    #[test]
    fn text_is_no_protobuf(text in "[\n\r\t -~]{0,200}") {
        prop_assert_eq!(framing(text.as_bytes()), None);
    }
}

#[test]
fn json_is_no_protobuf_whatever_it_begins_with() {
    for text in
        ["{\"resourceSpans\":[]}", "\n{\n  \"a\": 1\n}", "[1]", "\n\n\n\n\n", "", "\u{feff}{}", "\nHello, world\n"]
    {
        assert_eq!(framing(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(framing(&[0; 100]), None);
    assert_eq!(framing(&[0xff; 100]), None);
}

#[test]
fn damage_further_on_does_not_hide_what_it_is() {
    let mut bytes = traces((0..50).map(|_| span("a")).collect()).encode_to_vec();
    bytes.truncate(bytes.len() / 2);
    assert_eq!(framing(&bytes), Some(Prefix::None));
    assert_eq!(signal(&span("a").encode_to_vec()), Some(Signal::Spans));
}
