//! Requests to AWS, signed (SigV4) with the credentials that AWS's own tools find.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::Mutex;

use super::scrub::Secrets;
use super::{Cause, Trouble};

/// Credentials are asked for again so long before they expire.
const AHEAD: Duration = Duration::from_secs(120);

/// Signs requests in a region.
pub struct Signer {
    provider: SharedCredentialsProvider,
    region: String,
    known: Mutex<Option<Credentials>>,
}

impl Signer {
    /// Looks where AWS's tools look: environment, profiles, a process, the instance. Nothing is asked for yet.
    ///
    /// # Errors
    /// There is nowhere to look.
    pub async fn find(region: &str) -> Result<Self, Trouble> {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        let config = loader.region(Region::new(region.to_owned())).load().await;
        let provider = config
            .credentials_provider()
            .ok_or_else(|| Trouble::new(Cause::Misconfigured, "there are no credentials of AWS"))?;
        Ok(Self { provider, region: region.to_owned(), known: Mutex::default() })
    }

    /// The headers that sign a request; `headers` are those of it that are signed, too.
    ///
    /// # Errors
    /// There are no credentials, or the request cannot be signed.
    pub async fn sign(
        &self,
        service: &str,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<(String, String)>, Trouble> {
        let wrong = |why: &dyn std::fmt::Display| {
            Trouble::new(Cause::Misconfigured, format!("the request cannot be signed: {why}"))
        };
        let identity = self.credentials().await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|why| wrong(&why))?
            .into();
        let request = SignableRequest::new(method, url, headers.iter().copied(), SignableBody::Bytes(body))
            .map_err(|why| wrong(&why))?;
        let (signed, _) = sign(request, &parameters).map_err(|why| wrong(&why))?.into_parts();
        Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn credentials(&self) -> Result<Credentials, Trouble> {
        let mut known = self.known.lock().await;
        let lasts = |c: &Credentials| c.expiry().is_none_or(|end| end > SystemTime::now() + AHEAD);
        if let Some(credentials) = known.as_ref().filter(|c| lasts(c)) {
            return Ok(credentials.clone());
        }
        let fresh = self.provider.provide_credentials().await.map_err(|why| {
            let why = std::error::Error::source(&why).map_or_else(|| why.to_string(), ToString::to_string);
            Trouble::new(Cause::Misconfigured, format!("there are no credentials of AWS: {why}"))
        })?;
        // A token is sent along with every request.
        let secrets = [Some(fresh.secret_access_key()), fresh.session_token()];
        secrets.into_iter().flatten().for_each(|secret| Secrets::of_process().add(secret));
        Ok(known.insert(fresh).clone())
    }
}
