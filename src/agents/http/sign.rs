//! Requests that are signed for AWS before they are sent.

use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use tokio::sync::OnceCell;

use crate::net::aws::Signer;
use crate::net::{Cause, Trouble};

/// Signs requests to a service in a region, with the credentials that AWS's own tools find; they are looked for when the
/// first request is signed.
pub struct Sign {
    service: &'static str,
    region: String,
    signer: OnceCell<Signer>,
}

impl Sign {
    pub(in crate::agents) const fn new(service: &'static str, region: String) -> Self {
        Self { service, region, signer: OnceCell::const_new() }
    }

    /// Adds the headers that sign a request; those of AWS and the type of its content are signed.
    pub(super) async fn sign(&self, request: &mut Request) -> Result<(), Trouble> {
        let signer = self.signer.get_or_try_init(|| Signer::find(&self.region)).await?;
        let signed = |name: &HeaderName| name == "content-type" || name.as_str().starts_with("x-amzn-");
        let headers: Vec<(&str, &str)> = request
            .headers()
            .iter()
            .filter(|(name, _)| signed(name))
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let made = signer.sign(self.service, request.method().as_str(), request.url().as_str(), &headers, body).await?;
        for (name, value) in made {
            let wrong = |_| Trouble::new(Cause::Misconfigured, "the signature is no header");
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Trouble::new(Cause::Misconfigured, "the signature is no header"))?;
            request.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(wrong)?);
        }
        Ok(())
    }
}
