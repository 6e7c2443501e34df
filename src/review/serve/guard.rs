//! What is asked of every request before anybody looks at it, and what is said with every answer.
//!
//! A page of another site must not act in the name of somebody who has these pages open: the `Host` must be one that
//! the pages are served under (a name of another site that was bent to this address, DNS rebinding, is none), and
//! whatever changes something must come from these pages (`Origin`, `Sec-Fetch-Site`), beside the token in every form.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use axum::middleware::Next;

use super::App;
use super::pages::answer;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing but what this server serves: no inline script or style, no frame around it, no form to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Turns away what does not come from these pages, and bounds what does.
pub async fn guard(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response<Body> {
    let refused = refused(&app.places, request.method(), request.headers(), request.uri().host());
    let mut response = match refused {
        Some(why) => answer(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", format!("{why}\n")),
        None => match tokio::time::timeout(PATIENCE, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let why = "this took too long; nothing that was not confirmed is saved\n";
                answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", why)
            }
        },
    };
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(CONTENT_SECURITY_POLICY, POLICY);
    say(X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(X_FRAME_OPTIONS, "DENY");
    // Nothing to others; without any, browsers would send no origin with our own forms either.
    say(REFERRER_POLICY, "same-origin");
    say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // Content of sessions must not stay in a shared machine's cache.
    say(CACHE_CONTROL, "no-store");
    if app.places.secure {
        say(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Under which names the pages are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `Host` headers that are taken, in lower case.
    hosts: Vec<String>,
    /// `Origin` headers that are taken.
    origins: Vec<String>,
    /// Whether the pages are reached by https.
    pub secure: bool,
}

impl Places {
    /// On this machine alone, at a port.
    pub fn local(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names.map(str::to_owned));
        }
        let origins = hosts.iter().map(|host| format!("http://{host}")).collect();
        Self { hosts, origins, secure: false }
    }

    /// Under an address that people type, such as `https://review.example.com`, and on this machine.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn under(address: &str, port: u16) -> Result<Self, String> {
        let wanted = "an address such as `https://review.example.com`, with neither path nor user";
        let url: axum::http::Uri = address.trim_end_matches('/').parse().map_err(|_| wanted.to_owned())?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wanted.to_owned()),
        };
        let Some(host) = url.authority().map(|a| a.as_str().to_lowercase()) else { return Err(wanted.to_owned()) };
        if host.contains('@') || !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wanted.to_owned());
        }
        let scheme = if secure { "https" } else { "http" };
        let default_port = if secure { ":443" } else { ":80" };
        let host = host.strip_suffix(default_port).map_or(host.clone(), str::to_owned);
        let mut places = Self::local(port);
        places.origins.push(format!("{scheme}://{host}"));
        places.hosts.push(format!("{host}{default_port}"));
        places.hosts.push(host);
        Ok(Self { secure, ..places })
    }
}

/// Why a request is turned away.
fn refused(places: &Places, method: &Method, headers: &HeaderMap, uri_host: Option<&str>) -> Option<&'static str> {
    // HTTP/2 has the name in the address.
    let host = headers.get(HOST).and_then(|h| h.to_str().ok()).or(uri_host).unwrap_or_default().to_lowercase();
    if !places.hosts.contains(&host) {
        return Some("this name is none that these pages are served under (`--url` says which are)");
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    // Browsers send it with whatever changes something; who sends none is no browser, and has the token to show.
    let foreign = |origin: &HeaderValue| !origin.to_str().is_ok_and(|o| places.origins.iter().any(|own| own == o));
    let site = headers.get("sec-fetch-site").and_then(|s| s.to_str().ok());
    let elsewhere = headers.get(ORIGIN).is_some_and(foreign) || site.is_some_and(|s| s != "same-origin");
    elsewhere.then_some("this was not sent from these pages, and nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    #[test]
    fn a_name_that_was_bent_to_this_address_is_turned_away() {
        let places = Places::local(8787);
        for (host, taken) in [
            ("127.0.0.1:8787", true),
            ("LOCALHOST:8787", true),
            ("[::1]:8787", true),
            ("evil.example:8787", false),
            ("localhost", false),
            ("localhost:8787.evil.example", false),
            ("", false),
        ] {
            assert_eq!(refused(&places, &Method::GET, &headers(&[("host", host)]), None).is_none(), taken, "{host}");
        }
        assert!(refused(&places, &Method::GET, &headers(&[]), None).is_some());
    }

    #[test]
    fn what_changes_something_comes_from_these_pages() {
        let places = Places::under("https://Review.example.com/", 8787).unwrap();
        let post = |more: &[(&'static str, &str)]| {
            let mut all = vec![("host", "review.example.com")];
            all.extend(more);
            refused(&places, &Method::POST, &headers(&all), None).is_none()
        };
        assert!(post(&[("origin", "https://review.example.com"), ("sec-fetch-site", "same-origin")]));
        assert!(post(&[]));
        for origin in ["https://evil.example", "http://review.example.com", "null", "https://review.example.com.evil"] {
            assert!(!post(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(!post(&[("sec-fetch-site", site)]), "{site}");
        }
    }

    #[test]
    fn an_address_is_a_scheme_and_a_host() {
        assert!(Places::under("https://a.example", 1).unwrap().secure);
        assert!(!Places::under("http://a.example:8080", 1).unwrap().secure);
        for wrong in [
            "a.example",
            "ftp://a.example",
            "https://a.example/review",
            "https://u@a.example",
            "https://a.example?x",
            "",
        ] {
            assert!(Places::under(wrong, 1).is_err(), "{wrong}");
        }
    }
}
