//! URLs that previews are asked of, and which of them may be reached.

use std::net::IpAddr;

use selvedge_durable_objects::{
    address::{self, is_private, is_private_address},
    matrix_error::MatrixError,
    platform::OutboundRequest,
};
use serde::Deserialize;

use crate::context::Ctx;

/// The longest URL, in bytes.
const MAX_URL: usize = 4_096;
/// How large a resolver's answer may be, in bytes.
const MAX_ANSWER: usize = 50 * 1024;
/// How long a resolver may take, in milliseconds.
const RESOLVER_TIMEOUT: u32 = 5_000;

/// An HTTP URL in its standard form: addresses are written in one way only, and there is neither user nor fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The URL.
    pub url: String,
    /// Its host: a name in lower case, an IPv4 address, or an IPv6 address in brackets.
    host: String,
}

impl Place {
    /// Reads a URL, which may be relative to `base`. `None` for what is no HTTP URL.
    pub fn parse(text: &str, base: Option<&Self>) -> Option<Self> {
        if text.len() > MAX_URL {
            return None;
        }
        let (url, host) = standard(text, base.map(|base| base.url.as_str()))?;
        (!host.is_empty()).then_some(Self { url, host })
    }

    /// `M_FORBIDDEN` when the place is private, or one that previews are off for. The name may also lead to a private
    /// address: this asks the resolver, if there is one.
    pub async fn check(&self, ctx: &Ctx) -> Result<(), MatrixError> {
        let settings = &ctx.config.media.previews;
        let host = self.host.trim_end_matches('.');
        let is_within = |domain: &String| {
            host == domain || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        if settings.blocked_hosts.iter().any(is_within) {
            return Err(MatrixError::forbidden("Previews are off for this place"));
        }
        let is_refused = |address: IpAddr| {
            is_private_address(address)
                && !settings.allowed_ranges.iter().any(|range| range.contains(address))
        };
        let private = match address::literal(host) {
            Some(address) => is_refused(address),
            None if is_private(host) => !settings.allowed_ranges.iter().any(|range| range.contains(LOOPBACK)),
            None => addresses(ctx, host).await.into_iter().any(is_refused),
        };
        if private {
            return Err(MatrixError::forbidden("This place is not public"));
        }
        Ok(())
    }
}

/// What names such as `localhost` stand for.
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// What a name resolves to, as far as the resolver says.
async fn addresses(ctx: &Ctx, name: &str) -> Vec<IpAddr> {
    let Some(resolver) = &ctx.config.dns_over_https else { return Vec::new() };
    let [four, six] = ["A", "AAAA"].map(|kind| async move {
        let request = OutboundRequest {
            method: http::Method::GET,
            url: format!("{resolver}?name={name}&type={kind}"),
            headers: vec![("accept".to_owned(), "application/dns-json".to_owned())],
            body: Vec::new(),
            timeout_ms: RESOLVER_TIMEOUT,
            max_bytes: MAX_ANSWER,
            follow_redirects: false,
        };
        let answer = ctx.platform.fetch(request).await.ok()?;
        serde_json::from_slice::<Dns>(&answer.body).ok()
    });
    let (four, six) = futures_util::future::join(four, six).await;
    let records = [four, six].into_iter().flatten().flat_map(|answer| answer.answer);
    records.filter_map(|record| record.data.parse().ok()).collect()
}

#[derive(Deserialize)]
struct Dns {
    #[serde(rename = "Answer", default)]
    answer: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    data: String,
}

/// A URL in its standard form, and its host.
#[cfg(target_arch = "wasm32")]
fn standard(text: &str, base: Option<&str>) -> Option<(String, String)> {
    let url = match base {
        Some(base) => web_sys::Url::new_with_base(text, base),
        None => web_sys::Url::new(text),
    };
    let url = url.ok()?;
    if !["http:", "https:"].contains(&url.protocol().as_str()) {
        return None;
    }
    url.set_hash("");
    url.set_username("");
    url.set_password("");
    Some((url.href(), url.hostname()))
}

/// The same, without the platform.
#[cfg(not(target_arch = "wasm32"))]
fn standard(text: &str, base: Option<&str>) -> Option<(String, String)> {
    let mut url = match base {
        Some(base) => url::Url::parse(base).ok()?.join(text).ok()?,
        None => url::Url::parse(text).ok()?,
    };
    if !["http", "https"].contains(&url.scheme()) {
        return None;
    }
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let host = url.host_str()?.to_owned();
    Some((url.to_string(), host))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::Place;

    #[test]
    fn a_url_is_brought_into_one_form() {
        let form = |text: &str| Place::parse(text, None).map(|place| place.url);
        assert_eq!(form("HTTPS://u:p@EXAMPLE.org:443/a b#c").as_deref(), Some("https://example.org/a%20b"));
        for text in ["http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"] {
            assert_eq!(form(text).as_deref(), Some("http://127.0.0.1/"), "{text}");
        }
        for text in [
            "",
            "ftp://example.org/",
            "file:///etc/passwd",
            "javascript:x",
            "http://",
            "/a",
            "http://1.2.3.400/",
        ] {
            assert_eq!(form(text), None, "{text}");
        }
        let base = Place::parse("https://example.org/a/b", None).unwrap();
        let joined = |text: &str| Place::parse(text, Some(&base)).map(|place| place.url);
        assert_eq!(joined("../c.png").as_deref(), Some("https://example.org/c.png"));
        assert_eq!(joined("//other.example/c").as_deref(), Some("https://other.example/c"));
        assert_eq!(joined("data:image/png,x"), None);
    }
}
