//! An endpoint with its secrets in place: asks once, and says what went wrong without giving a secret away.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Ask, Endpoint, Heard};
use crate::net::aws::Signer;
use crate::net::client::{self, Http};
use crate::net::scrub::Secrets;
use crate::net::secret::{Secretive, Vars, unset};
use crate::net::{Cause, Trouble, body};

/// The longest reply that is read, in bytes.
const LONGEST: usize = 4 << 20;
/// The longest reply with an error that is read, in bytes.
const LONGEST_REFUSAL: usize = 2000;
/// How much of a reply that cannot be understood is shown, in bytes.
const SHOWN: usize = 300;

/// An endpoint that can be asked.
pub struct Opened {
    /// What the settings say of it.
    pub endpoint: Arc<Endpoint>,
    http: Http,
    /// The base of the address.
    base: SecretString,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The region to sign requests for.
    signed: Option<String>,
    signer: tokio::sync::OnceCell<Signer>,
    /// Not to be shown.
    secrets: Secrets,
}

impl Opened {
    /// Puts the secrets in place. Nothing is connected yet.
    ///
    /// # Errors
    /// What is not set, or cannot be used.
    pub fn new(endpoint: Arc<Endpoint>, http: Http, vars: Vars<'_>) -> Result<Self, String> {
        let protocol = endpoint.protocol;
        let set = |name: &str| vars(name).filter(|value| !value.is_empty());
        let region = endpoint.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let secrets = Secrets::default();
        let base = match (&endpoint.url, &region) {
            (Some(url), _) => {
                for value in url.filled(vars)? {
                    secrets.add(&value);
                }
                url.fill(vars)?
            }
            (None, Some(region)) => protocol.url().replace("{region}", region).into(),
            (None, None) if protocol.url().contains("{region}") => {
                return Err("no region is set: give `region`, or the variable AWS_REGION".to_owned());
            }
            (None, None) => protocol.url().to_owned().into(),
        };
        let mut headers = Vec::new();
        for (name, value) in protocol.headers() {
            headers.push(header(name, value)?);
        }
        for (name, value) in &endpoint.headers {
            let value = value.fill(vars)?;
            headers.push(header(name, value.expose_secret())?);
            secrets.add(value.expose_secret());
        }
        let key = protocol.key();
        let api_key = match &endpoint.api_key {
            Some(written) => Some(written.fill(vars)?),
            // An address of one's own may need no key, or has its own header for it.
            None if endpoint.url.is_some() && !protocol.is_signed() => None,
            None => set(key.variable).map(SecretString::from),
        };
        let has_own = headers.iter().any(|(name, _)| name.as_str() == key.header);
        let mut signed = None;
        match api_key {
            Some(secret) if !has_own => {
                let mut named = header(key.header, &format!("{}{}", key.prefix, secret.expose_secret()))?;
                named.1.set_sensitive(true);
                headers.push(named);
                secrets.add(secret.expose_secret());
            }
            None if !has_own && protocol.is_signed() => {
                let region = region.ok_or("no region is set: give `region`, or the variable AWS_REGION")?;
                signed = Some(region);
            }
            None if !has_own && endpoint.url.is_none() => {
                return Err(unset(key.variable, vars));
            }
            _ => {}
        }
        Ok(Self { endpoint, http, base, headers, signed, signer: Default::default(), secrets })
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&self, ask: &Ask<'_>) -> Result<Heard, Trouble> {
        let protocol = self.endpoint.protocol;
        let body = protocol.body(&self.endpoint, ask);
        let reply = self.exchange(&protocol.path(&self.endpoint), body).await?;
        protocol.read(&self.endpoint, &reply).map_err(|why| self.malformed(&why, &reply))
    }

    /// Where a text lies among all texts.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn embed(&self, text: &str) -> Result<(Vec<f32>, Heard), Trouble> {
        let protocol = self.endpoint.protocol;
        let Some(embeddings) = protocol.embeddings() else {
            let message = format!("`{}` has no embeddings", protocol.name());
            return Err(Trouble::new(Cause::Misconfigured, message));
        };
        let reply = self.exchange(embeddings.path(), embeddings.body(&self.endpoint, text)).await?;
        embeddings.read(&reply).map_err(|why| self.malformed(&why, &reply))
    }

    /// Sends a body and reads a reply, within the time that one may take.
    async fn exchange(&self, path: &str, mut body: Value) -> Result<Vec<u8>, Trouble> {
        if let Value::Object(body) = &mut body {
            body.extend(self.endpoint.body.clone());
        }
        let timeout = self.endpoint.timeout;
        let reply = tokio::time::timeout(timeout, self.sent(path, body.to_string().into_bytes())).await;
        reply
            .unwrap_or_else(|_| {
                let message = format!("no answer within {} ms (`timeout`)", timeout.as_millis());
                Err(Trouble::new(Cause::Timeout, message))
            })
            .map_err(|trouble| Trouble { message: self.without_secrets(&trouble.message), ..trouble })
    }

    async fn sent(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let url = address(self.base.expose_secret(), path);
        let mut request = self.http.post(&url).header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(region) = &self.signed {
            let signer = self.signer.get_or_try_init(|| Signer::find(region)).await?;
            let signed = [("content-type", "application/json")];
            for (name, value) in signer.sign("bedrock", "POST", &url, &signed, &body).await? {
                request = request.header(name, value);
            }
        }
        let reply = request.body(body).send().await?;
        let status = reply.status();
        if !status.is_success() {
            let headers = reply.headers().clone();
            let said = body::beginning(reply, LONGEST_REFUSAL).await;
            return Err(client::refusal(status, &headers, &said));
        }
        body::whole(reply, LONGEST).await
    }

    /// A reply that cannot be understood: what is wrong with it, and how it begins.
    fn malformed(&self, why: &str, reply: &[u8]) -> Trouble {
        let said = String::from_utf8_lossy(&reply[..reply.len().min(SHOWN)]);
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let message = self.without_secrets(&format!("{why}; it replied: {}", said.trim()));
        Trouble::new(Cause::Malformed, message)
    }

    /// A message in which no secret stands, whoever repeated it.
    fn without_secrets(&self, message: &str) -> String {
        self.secrets.scrub(message).into_owned()
    }
}

/// A base with a path behind it; a base that ends in the path, but for a query, is the whole address.
fn address(base: &str, path: &str) -> String {
    let (before, query) = base.split_once('?').map_or((base, None), |(before, query)| (before, Some(query)));
    let before = before.trim_end_matches('/');
    let query = query.map(|q| format!("?{q}")).unwrap_or_default();
    if before.ends_with(path) { format!("{before}{query}") } else { format!("{before}{path}{query}") }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` cannot hold its value"))?;
    Ok((parsed, value))
}

/// Whether a text can be the name of a header.
pub fn is_header(name: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// Whether an address, as far as it is written, can be one.
pub fn is_address(url: &Secretive) -> bool {
    url.written().starts_with("http://") || url.written().starts_with("https://") || url.has_variables()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::protocol;
    use crate::net::client::client;

    fn opened(change: impl FnOnce(&mut Endpoint), set: &[(&str, &str)]) -> Result<Opened, String> {
        let mut endpoint = Endpoint::new(protocol("openai").unwrap(), "m");
        change(&mut endpoint);
        let vars = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Opened::new(Arc::new(endpoint), client().unwrap(), &vars)
    }

    #[test]
    fn a_secret_that_is_not_set_is_told_before_anything_is_asked() {
        let told = |made: Result<Opened, String>| made.err();
        let no_key = Some("the environment variable `OPENAI_API_KEY` is not set".to_owned());
        assert_eq!(told(opened(|_| (), &[])), no_key);
        assert_eq!(told(opened(|_| (), &[("OPENAI_API_KEY", "")])), no_key);
        assert!(opened(|_| (), &[("OPENAI_API_KEY", "k")]).is_ok());
        let local = |e: &mut Endpoint| e.url = Some(Secretive::parse("http://localhost:1/v1").unwrap());
        assert!(opened(local, &[]).is_ok());
        let own = |e: &mut Endpoint| e.headers = vec![("api-key".into(), Secretive::parse("{{ env.K }}").unwrap())];
        assert_eq!(told(opened(own, &[])), Some("the environment variable `K` is not set".to_owned()));
    }

    #[test]
    fn an_address_is_completed_unless_it_is_whole() {
        let chat = |base: &str| address(base, "/chat/completions");
        assert_eq!(chat("http://h/v1/"), "http://h/v1/chat/completions");
        assert_eq!(chat("http://h/d/chat/completions?api-version=1"), "http://h/d/chat/completions?api-version=1");
        assert_eq!(chat("http://h/d?x=1"), "http://h/d/chat/completions?x=1");
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let opened = opened(|_| (), &[("OPENAI_API_KEY", "sk-very-secret")]).unwrap();
        assert_eq!(opened.without_secrets("bad key sk-very-secret!"), "bad key [secret]!");
        let bad = opened.malformed("no JSON", b"<html>sk-very-secret\x07</html>");
        assert_eq!(bad.message, "no JSON; it replied: <html>[secret] </html>");
    }
}
