//! Finding a server `[S-S §2.1]`.

use ruma::ServerName;
use serde::Deserialize;

use super::RemoteServerEngine;
use crate::{
    address::is_private,
    database::DatabaseExt,
    matrix_error::MatrixError,
    params,
    platform::{self, OutboundRequest, Platform},
    rpc::remote_server::{Resolution, Resolve},
};

const STORED: &str = "SELECT base_url, reason, failures, expires_ts FROM resolution";
const STORE: &str =
    "INSERT INTO resolution (id, base_url, reason, failures, expires_ts) VALUES (1, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET base_url = excluded.base_url, reason = excluded.reason,
        failures = excluded.failures, expires_ts = excluded.expires_ts";

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// How long a well-known answer without cache headers is believed.
const DEFAULT_LIFETIME: u64 = 24 * HOUR;
/// How long one is believed at most, whatever it says.
const MAX_LIFETIME: u64 = 48 * HOUR;
/// How large a well-known or DNS answer may be, in bytes.
const MAX_ANSWER: usize = 50 * 1024;
const LOOKUP_TIMEOUT_MS: u32 = 10_000;
const DEFAULT_PORT: u16 = 8448;

/// What a lookup found.
struct Found {
    base_url: Result<String, String>,
    failures: u64,
    lifetime: u64,
}

impl RemoteServerEngine {
    /// The stored resolution while it lasts, else a new one.
    pub(super) async fn resolve(&self, _: Resolve) -> Result<Resolution, MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let stored = db.query_first(STORED, params![], |row| {
            let (base_url, reason): (Option<String>, Option<String>) = (row.get(0)?, row.get(1)?);
            Ok((base_url.ok_or_else(|| reason.unwrap_or_default()), row.get::<u64>(2)?, row.get::<u64>(3)?))
        })?;
        let failures = match stored {
            Some((base_url, _, expires_ts)) if expires_ts > now => {
                return Ok(Resolution { base_url, expires_ts });
            }
            Some((_, failures, _)) => failures,
            None => 0,
        };
        let name = self.server_name()?;
        let found = find(self.runtime.platform.as_ref(), &name, failures).await;
        let expires_ts = now.saturating_add(found.lifetime);
        let (base_url, reason) = (found.base_url.as_ref().ok(), found.base_url.as_ref().err());
        db.execute(STORE, params![base_url, reason, found.failures, expires_ts])?;
        Ok(Resolution { base_url: found.base_url, expires_ts })
    }
}

async fn find(platform: &dyn Platform, name: &ServerName, failures: u64) -> Found {
    let fixed = |base_url| Found { base_url, failures: 0, lifetime: DEFAULT_LIFETIME };
    if !platform.config().allow_private_addresses && is_private(name.host()) {
        return fixed(Err(format!("{name} is not a public address")));
    }
    // Steps 1 and 2: an IP literal, or an explicit port.
    if let Some(base_url) = directly(name) {
        return fixed(Ok(base_url));
    }
    // Step 3: the well-known file.
    let Ok((delegate, lifetime)) = well_known(platform, name).await else {
        // Steps 4 to 6. Failures are looked at again sooner than successes, at growing intervals.
        let exponent = u32::try_from(failures.min(6)).unwrap_or(6);
        let lifetime = MINUTE.saturating_mul(1 << exponent).min(HOUR);
        let base_url = by_service_record(platform, name).await;
        return Found { base_url, failures: failures.saturating_add(1), lifetime };
    };
    if !platform.config().allow_private_addresses && is_private(delegate.host()) {
        return Found {
            base_url: Err(format!("{name} delegates to a private address")),
            failures: 0,
            lifetime,
        };
    }
    let base_url = match directly(&delegate) {
        Some(base_url) => Ok(base_url),
        None => by_service_record(platform, &delegate).await,
    };
    Found { base_url, failures: 0, lifetime }
}

/// The URL of a name that is an IP literal or has a port.
fn directly(name: &ServerName) -> Option<String> {
    match (name.is_ip_literal(), name.port()) {
        (_, Some(_)) => Some(format!("https://{name}")),
        (true, None) => Some(format!("https://{name}:{DEFAULT_PORT}")),
        (false, None) => None,
    }
}

/// Asks a host's well-known file; gives the delegate and for how many milliseconds it may be believed.
async fn well_known(
    platform: &dyn Platform,
    name: &ServerName,
) -> Result<(ruma::OwnedServerName, u64), String> {
    #[derive(Deserialize)]
    struct WellKnown {
        #[serde(rename = "m.server")]
        server: ruma::OwnedServerName,
    }
    let request = lookup(format!("https://{}/.well-known/matrix/server", name.host()), "application/json");
    let response = platform::fetch(platform, request).await.map_err(|error| error.to_string())?;
    if response.status != 200 {
        return Err(format!("status {}", response.status));
    }
    let answer: WellKnown = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
    let cache_control = response.headers.iter().find(|(header, _)| header == "cache-control");
    let max_age = cache_control.and_then(|(_, value)| {
        let age = value.split(',').find_map(|directive| directive.trim().strip_prefix("max-age="))?;
        age.trim_matches('"').parse::<u64>().ok()
    });
    let lifetime = max_age.map_or(DEFAULT_LIFETIME, |seconds| seconds.saturating_mul(1000));
    Ok((answer.server, lifetime.clamp(5 * MINUTE, MAX_LIFETIME)))
}

/// The URL of a name without port by its SRV record, else at the default port.
async fn by_service_record(platform: &dyn Platform, name: &ServerName) -> Result<String, String> {
    let host = name.host();
    for service in ["_matrix-fed._tcp", "_matrix._tcp"] {
        let Some((target, port)) = service_record(platform, &format!("{service}.{host}")).await else {
            continue;
        };
        // The platform's fetch names its URL's host in TLS and in the Host header, and the target
        // must prove that it is `host`: only a record that keeps the name can be followed.
        return if target.eq_ignore_ascii_case(host) {
            Ok(format!("https://{host}:{port}"))
        } else {
            Err(format!(
                "{host} is delegated to {target} by an SRV record, which cannot be followed from here"
            ))
        };
    }
    Ok(format!("https://{host}:{DEFAULT_PORT}"))
}

/// The best SRV record of `name` by DNS over HTTPS, as target and port.
async fn service_record(platform: &dyn Platform, name: &str) -> Option<(String, u16)> {
    #[derive(Deserialize)]
    struct Dns {
        #[serde(rename = "Answer", default)]
        answer: Vec<Record>,
    }
    #[derive(Deserialize)]
    struct Record {
        #[serde(rename = "type")]
        kind: u16,
        data: String,
    }
    const SRV: u16 = 33;
    let resolver = platform.config().dns_over_https.clone()?;
    let request = lookup(format!("{resolver}?name={name}&type=SRV"), "application/dns-json");
    let response = platform::fetch(platform, request).await.ok().filter(|response| response.status == 200)?;
    let dns: Dns = serde_json::from_slice(&response.body).ok()?;
    let records = dns.answer.into_iter().filter(|record| record.kind == SRV).filter_map(|record| {
        let mut words = record.data.split_whitespace();
        let (priority, weight): (u16, u16) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let (port, target): (u16, &str) = (words.next()?.parse().ok()?, words.next()?);
        Some((priority, u16::MAX.saturating_sub(weight), target.trim_end_matches('.').to_owned(), port))
    });
    let (_, _, target, port) = records.min()?;
    (!target.is_empty()).then_some((target, port))
}

fn lookup(url: String, accept: &str) -> OutboundRequest {
    OutboundRequest {
        method: http::Method::GET,
        url,
        headers: vec![("accept".to_owned(), accept.to_owned())],
        body: Vec::new(),
        timeout_ms: LOOKUP_TIMEOUT_MS,
        max_bytes: MAX_ANSWER,
        follow_redirects: true,
    }
}
