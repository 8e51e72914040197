//! The settings of a deployment: text bindings of the Worker, read once per isolate.

#[cfg(target_arch = "wasm32")]
use std::rc::Rc;
use std::str::FromStr;

use ruma::{OwnedServerName, OwnedUserId, RoomVersionId, ServerName, UserId};
use selvedge_protocol::room_version;

use crate::address::AddressRange;

/// Who may register an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Everyone.
    Open,
    /// Who has a registration token.
    Token,
    /// Nobody but through the administration interface.
    Closed,
}

/// Gives a variable's value by its name.
type Given<'g> = &'g dyn Fn(&str) -> Option<String>;

/// The settings. Each field's name in upper case is the variable that sets it.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `SERVER_NAME`: the domain in this server's user ids. The one setting that must be given.
    pub server_name: OwnedServerName,
    /// Who sends the server's notices `[C-S §11.35]`: [`NOTICES_LOCALPART`] of the server, which has no account.
    pub notices_user: OwnedUserId,
    /// `REGISTRATION`: `open`, `token` or `closed` (the default).
    pub registration: RegistrationPolicy,
    /// `MIN_PASSWORD_LENGTH`: how many characters a new password has at least; 1 unless set.
    pub min_password_length: usize,
    /// `RATE_LIMITS`: on unless `off`.
    pub rate_limits: bool,
    /// `REGISTRATION_SHARED_SECRET`: lets its holder register accounts by Synapse's admin interface.
    pub registration_shared_secret: Option<String>,
    /// `ADMIN_TOKEN`: the bearer token of `/metrics` and of the first administration calls.
    pub admin_token: Option<String>,
    /// `SIGNING_KEY`: a signing key to use instead of a generated one, as in Synapse's key file:
    /// `ed25519 VERSION UNPADDED_BASE64_SEED`.
    pub signing_key: Option<String>,
    /// `ALLOW_PRIVATE_ADDRESSES`: `on` lets outgoing requests reach private and loopback addresses.
    pub allow_private_addresses: bool,
    /// `DNS_OVER_HTTPS`: the resolver for SRV records (JSON form); `off` for none.
    pub dns_over_https: Option<String>,
    /// `KEY_NOTARIES`: servers, separated by commas, that are believed about the keys of servers that do not answer;
    /// none unless set.
    pub key_notaries: Vec<OwnedServerName>,
    /// `DEFAULT_ROOM_VERSION`: the version of rooms whose creator does not choose one.
    pub default_room_version: RoomVersionId,
    /// `FORGET_LEFT_ROOMS`: `on` forgets each room as soon as the user has left it, or was put out of it.
    pub forget_left_rooms: bool,
    /// `PUBLIC_BASEURL`: where clients reach this server, for `/.well-known/matrix/client`.
    pub public_base_url: Option<String>,
    /// `SUPPORT_CONTACT`: a Matrix ID or email address for `/.well-known/matrix/support`.
    pub support_contact: Option<String>,
    /// `SUPPORT_PAGE`: a URL for `/.well-known/matrix/support`.
    pub support_page: Option<String>,
    /// The content repository.
    pub media: MediaSettings,
}

/// The settings of the content repository.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// `MAX_UPLOAD_SIZE`: the largest file that is taken in, in bytes.
    pub max_upload_bytes: u64,
    /// `MAX_MEDIA_PER_USER`: how many bytes one user may have uploaded; `None` for no limit.
    pub max_bytes_per_user: Option<u64>,
    /// `MAX_MEDIA_IN_ALL`: how many bytes all users together may have uploaded; `None` for no limit.
    pub max_bytes_in_all: Option<u64>,
    /// `REMOTE_MEDIA_LIFETIME`: for how many milliseconds a copy of another server's media is kept that nobody asks
    /// for; `None` for ever. Written as a number and `s`, `m`, `h`, `d` or `w`, such as `30d`.
    pub remote_lifetime_ms: Option<u64>,
    /// Previews of URLs.
    pub previews: PreviewSettings,
    /// `UNAUTHENTICATED_MEDIA`: `on` serves all media without an access token, by the deprecated paths. Otherwise
    /// they serve only what was stored while it was on.
    pub unauthenticated: bool,
}

impl MediaSettings {
    /// The default of `MAX_UPLOAD_SIZE`, which is also what Cloudflare lets through on most plans.
    const MAX_UPLOAD_BYTES: u64 = 100 * 1024 * 1024;

    fn read(given: Given<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            max_upload_bytes: number(given, "MAX_UPLOAD_SIZE")?.unwrap_or(Self::MAX_UPLOAD_BYTES),
            max_bytes_per_user: number(given, "MAX_MEDIA_PER_USER")?,
            max_bytes_in_all: number(given, "MAX_MEDIA_IN_ALL")?,
            remote_lifetime_ms: given("REMOTE_MEDIA_LIFETIME").map(|value| lifetime(&value)).transpose()?,
            previews: PreviewSettings::read(given)?,
            unauthenticated: given("UNAUTHENTICATED_MEDIA").as_deref() == Some("on"),
        })
    }
}

/// The settings of URL previews.
#[derive(Debug, Clone)]
pub struct PreviewSettings {
    /// `URL_PREVIEWS`: on unless `off`.
    pub enabled: bool,
    /// `URL_PREVIEW_BLOCKED_HOSTS`: domains, separated by commas, of which no previews are made, nor of those below them.
    pub blocked_hosts: Vec<String>,
    /// `URL_PREVIEW_ALLOWED_RANGES`: private addresses, separated by commas, that previews may reach nonetheless, such
    /// as `10.1.0.0/16`. Names like `localhost` count as `127.0.0.1`.
    pub allowed_ranges: Vec<AddressRange>,
}

impl PreviewSettings {
    fn read(given: Given<'_>) -> Result<Self, ConfigError> {
        let list = |name: &str| {
            let items = given(name).unwrap_or_default();
            let items = items.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty());
            items.collect::<Vec<String>>()
        };
        let invalid = |range: &String| ConfigError::Invalid {
            name: "URL_PREVIEW_ALLOWED_RANGES",
            reason: format!("`{range}` is not a range of addresses such as 10.1.0.0/16"),
        };
        let ranges = list("URL_PREVIEW_ALLOWED_RANGES");
        let ranges = ranges.iter().map(|range| AddressRange::parse(range).ok_or_else(|| invalid(range)));
        let hosts = list("URL_PREVIEW_BLOCKED_HOSTS").into_iter();
        Ok(Self {
            enabled: given("URL_PREVIEWS").as_deref() != Some("off"),
            blocked_hosts: hosts.map(|host| host.trim_matches('.').to_ascii_lowercase()).collect(),
            allowed_ranges: ranges.collect::<Result<_, _>>()?,
        })
    }
}

/// Reads `REMOTE_MEDIA_LIFETIME`, in milliseconds.
fn lifetime(text: &str) -> Result<u64, ConfigError> {
    let unit = |unit: char| match unit {
        's' => Some(1_000),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        'w' => Some(604_800_000),
        _ => None,
    };
    let read = || {
        let last = text.chars().next_back()?;
        text.strip_suffix(last)?.parse::<u64>().ok()?.checked_mul(unit(last)?)
    };
    read().filter(|milliseconds| *milliseconds > 0).ok_or_else(|| ConfigError::Invalid {
        name: "REMOTE_MEDIA_LIFETIME",
        reason: format!("`{text}` is not a time such as 30d or 12h"),
    })
}

/// The number that a variable gives.
fn number<N: FromStr>(given: Given<'_>, name: &'static str) -> Result<Option<N>, ConfigError> {
    let Some(value) = given(name) else { return Ok(None) };
    let reason = format!("`{value}` is not a number that it can be");
    value.parse().map(Some).map_err(|_| ConfigError::Invalid { name, reason })
}

/// The settings cannot be used; the text says what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConfigError {
    /// `SERVER_NAME` is missing.
    #[error(
        "SERVER_NAME is not set. Give this server its domain: set SERVER_NAME under [vars] in wrangler.toml, then deploy again."
    )]
    NoServerName,
    /// A variable has a value that is not understood.
    #[error("The setting {name} is not valid: {reason}.")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// The localpart of who sends the server's notices; nobody can register it.
pub const NOTICES_LOCALPART: &str = "_server";

impl ServerConfig {
    /// Reads the settings through `variable`, which gives a variable's value by its name.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::read_given(&|name| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        })
    }

    fn read_given(given: Given<'_>) -> Result<Self, ConfigError> {
        let server_name = given("SERVER_NAME").ok_or(ConfigError::NoServerName)?;
        let server_name = ServerName::parse(&server_name)
            .map_err(|error| ConfigError::Invalid { name: "SERVER_NAME", reason: error.to_string() })?;
        let notices_user = UserId::parse_with_server_name(NOTICES_LOCALPART, &server_name)
            .map_err(|error| ConfigError::Invalid { name: "SERVER_NAME", reason: error.to_string() })?;
        let registration = match given("REGISTRATION").as_deref() {
            None | Some("closed") => RegistrationPolicy::Closed,
            Some("open") => RegistrationPolicy::Open,
            Some("token") => RegistrationPolicy::Token,
            Some(other) => {
                let reason = format!("`{other}` is none of open, token, closed");
                return Err(ConfigError::Invalid { name: "REGISTRATION", reason });
            }
        };
        let default_room_version = match given("DEFAULT_ROOM_VERSION") {
            None => room_version::DEFAULT,
            Some(version) => {
                let id = RoomVersionId::try_from(version.as_str())
                    .ok()
                    .filter(|id| room_version::rules(id).is_some());
                let reason = format!("`{version}` is not a known room version");
                id.ok_or(ConfigError::Invalid { name: "DEFAULT_ROOM_VERSION", reason })?
            }
        };
        let key_notaries = given("KEY_NOTARIES").unwrap_or_default();
        let key_notaries = key_notaries.split(',').map(str::trim).filter(|name| !name.is_empty());
        let key_notaries = key_notaries
            .map(|name| {
                let reason = format!("`{name}` is not a server name");
                ServerName::parse(name).map_err(|_| ConfigError::Invalid { name: "KEY_NOTARIES", reason })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            server_name,
            notices_user,
            registration,
            min_password_length: number(given, "MIN_PASSWORD_LENGTH")?.unwrap_or(1),
            rate_limits: given("RATE_LIMITS").as_deref() != Some("off"),
            registration_shared_secret: given("REGISTRATION_SHARED_SECRET"),
            admin_token: given("ADMIN_TOKEN"),
            signing_key: given("SIGNING_KEY"),
            allow_private_addresses: given("ALLOW_PRIVATE_ADDRESSES").as_deref() == Some("on"),
            dns_over_https: match given("DNS_OVER_HTTPS") {
                None => Some("https://cloudflare-dns.com/dns-query".to_owned()),
                Some(url) => Some(url).filter(|url| url != "off"),
            },
            key_notaries,
            default_room_version,
            forget_left_rooms: given("FORGET_LEFT_ROOMS").as_deref() == Some("on"),
            public_base_url: given("PUBLIC_BASEURL").map(|url| url.trim_end_matches('/').to_owned()),
            support_contact: given("SUPPORT_CONTACT"),
            support_page: given("SUPPORT_PAGE"),
            media: MediaSettings::read(given)?,
        })
    }
}

#[cfg(target_arch = "wasm32")]
thread_local! {
    static CONFIG: std::cell::RefCell<Option<Result<Rc<ServerConfig>, ConfigError>>> = const { std::cell::RefCell::new(None) };
}

/// The settings in `env`, read at the first call in an isolate.
#[cfg(target_arch = "wasm32")]
pub fn of_env(env: &worker::Env) -> Result<Rc<ServerConfig>, ConfigError> {
    let read = || {
        ServerConfig::read(|name| {
            let value = js_sys::Reflect::get(env.as_ref(), &wasm_bindgen::JsValue::from_str(name)).ok()?;
            value.as_string()
        })
        .map(Rc::new)
    };
    CONFIG.with_borrow_mut(|cached| cached.get_or_insert_with(read).clone())
}
