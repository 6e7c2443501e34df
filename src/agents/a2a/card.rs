//! An agent's card: where it says that it can be spoken with, in which version, and whether its replies come in pieces.
//!
//! It is fetched where the suite names it in place of the endpoint. Nothing is sent to a place that the card alone names:
//! an endpoint at another origin would be given the suite's headers.

use reqwest::{Request, Url};
use serde_json::Value;

use super::Protocol;
use crate::agents::wire::{self, Ready};
use crate::net::client::Http;
use crate::net::{Cause, Trouble};

/// How an agent is spoken with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where, when that is not what the suite names.
    pub url: Option<Url>,
    /// In which version.
    pub protocol: Protocol,
    /// Whether replies come in pieces.
    pub stream: bool,
}

/// Whether a `url` is that of a card: no endpoint is called so.
pub(super) fn is_card(url: &str) -> bool {
    url.split(['?', '#']).next().is_some_and(|path| path.ends_with(".json"))
}

/// Fetches the card; what the suite says itself is not asked of it.
pub(super) async fn fetch(
    http: &Http,
    request: Request,
    ready: &Ready,
    (protocol, stream): (Option<Protocol>, Option<bool>),
) -> Result<Endpoint, Trouble> {
    let at = request.url().clone();
    let reply = wire::send(http, request, &ready.env).await?;
    let card = wire::json(reply, &ready.env).await?;
    let told = read(&card, &at)
        .map_err(|what| ready.env.scrubbed(Trouble::new(Cause::Misconfigured, format!("the agent's card {what}"))))?;
    Ok(Endpoint { protocol: protocol.unwrap_or(told.protocol), stream: stream.unwrap_or(told.stream), ..told })
}

/// What a card that lies at an address says.
///
/// # Errors
/// What is wrong with it: it names no endpoint that is spoken with here, or one at another origin.
pub fn read(card: &Value, at: &Url) -> Result<Endpoint, String> {
    let (url, version) = interface(card)
        .ok_or("names no interface of JSON-RPC, which is how agents are spoken with (`kind = \"a2a\"`)")?;
    let url = at.join(url).map_err(|why| format!("names `{}`, which is no address: {why}", wire::clipped(url)))?;
    if url.origin() != at.origin() {
        let named = wire::clipped(url.as_str());
        return Err(format!("names an endpoint elsewhere, `{named}`: set `url` to it if that is meant"));
    }
    let protocol = if version.is_some_and(|version| !version.starts_with("0.")) { Protocol::V1 } else { Protocol::V03 };
    let stream = card["capabilities"]["streaming"].as_bool().unwrap_or(false);
    Ok(Endpoint { url: Some(url), protocol, stream })
}

/// The first interface of JSON-RPC that a card names, and its version: as version 1.0 has it (`supportedInterfaces`), or
/// as 0.3 does (`url`, `additionalInterfaces`).
fn interface(card: &Value) -> Option<(&str, Option<&str>)> {
    let is_rpc = |of: &Value, key: &str, default: bool| {
        of[key].as_str().map_or(default, |name| name.eq_ignore_ascii_case("JSONRPC"))
    };
    let list = |key: &str| card[key].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(one) = list("supportedInterfaces").iter().find(|one| is_rpc(one, "protocolBinding", false)) {
        return Some((one["url"].as_str()?, one["protocolVersion"].as_str().or(Some("1.0"))));
    }
    let told = card["protocolVersion"].as_str();
    if is_rpc(card, "preferredTransport", true)
        && let Some(url) = card["url"].as_str()
    {
        return Some((url, told));
    }
    let other = list("additionalInterfaces").iter().find(|one| is_rpc(one, "transport", false))?;
    Some((other["url"].as_str()?, told))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_interface_of_json_rpc_is_found_in_cards_of_both_versions() {
        let old = json!({ "protocolVersion": "0.3.0", "url": "http://a/", "preferredTransport": "JSONRPC" });
        assert_eq!(interface(&old), Some(("http://a/", Some("0.3.0"))));
        let other = json!({ "protocolVersion": "0.3.0", "url": "http://a/grpc", "preferredTransport": "GRPC",
            "additionalInterfaces": [{ "url": "http://a/rest", "transport": "HTTP+JSON" }, { "url": "http://a/rpc", "transport": "JSONRPC" }] });
        assert_eq!(interface(&other), Some(("http://a/rpc", Some("0.3.0"))));
        let new = json!({ "supportedInterfaces": [{ "url": "http://a/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0" },
            { "url": "http://a/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }] });
        assert_eq!(interface(&new), Some(("http://a/rpc", Some("1.0"))));
        for none in [json!({}), json!({ "url": "http://a", "preferredTransport": "GRPC" }), json!([]), json!("x")] {
            assert_eq!(interface(&none), None, "{none}");
        }
    }

    #[test]
    fn a_card_is_known_by_its_name() {
        assert!(is_card("https://a/.well-known/agent-card.json") && is_card("https://a/agent.json?v=1"));
        assert!(!is_card("https://a/") && !is_card("https://a/rpc?x=.json"));
    }
}
