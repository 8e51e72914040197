//! The names of content: `mxc://SERVER/ID` `[C-S §11.7.1]`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedServerName, ServerName};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    media_object,
    platform::{Platform, random},
    rpc::media_index::MediaName,
};

/// The longest id that is served, in bytes.
const MAX_ID: usize = 255;

/// A checked name of content: it holds nothing that could lead out of its place in the bucket, or in a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mxc {
    /// The server that the content comes from.
    pub server: OwnedServerName,
    /// The id there: of `A-Za-z0-9_-`.
    pub id: String,
}

impl Mxc {
    /// Checks both parts, which come from outside. `M_NOT_FOUND`: nothing has such a name.
    pub fn parse(server: &str, id: &str) -> Result<Self, MatrixError> {
        let nothing = || MatrixError::not_found("No media has this name");
        let server = ServerName::parse(server).map_err(|_| nothing())?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        // The grammar of server names lets dots begin one; no host's name does.
        if server.host().starts_with('.') || id.is_empty() || id.len() > MAX_ID || !id.bytes().all(allowed) {
            return Err(nothing());
        }
        Ok(Self { server, id: id.to_owned() })
    }

    /// A new name of this server's.
    pub fn generate(platform: &dyn Platform) -> Self {
        let id = URL_SAFE_NO_PAD.encode(random::<24>(platform));
        Self { server: platform.config().server_name.clone(), id }
    }

    /// Where the content is in the bucket.
    pub fn key(&self) -> String {
        media_object::content(&self.server, &self.id)
    }

    /// Where a thumbnail of the content is in the bucket.
    pub fn thumbnail_key(&self, name: &str) -> String {
        media_object::thumbnail(&self.server, &self.id, name)
    }

    /// The name as actors take it.
    pub fn name(&self) -> MediaName {
        MediaName { server: self.server.clone(), media_id: self.id.clone() }
    }

    /// Where the bucket says that the content is to come.
    pub fn pending_key(&self) -> String {
        format!("pending/{}", self.id)
    }
}

impl std::fmt::Display for Mxc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mxc://{}/{}", self.server, self.id)
    }
}

#[cfg(target_arch = "wasm32")]
impl crate::router::Streamed {
    /// The name of content in the first two arguments of the path.
    pub fn mxc(&self) -> Result<Mxc, MatrixError> {
        match self.path_args.as_slice() {
            [server, id, ..] => Mxc::parse(server, id),
            _ => Err(MatrixError::not_found("No media has this name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Mxc;

    #[test]
    fn a_name_leads_nowhere_else() {
        for (server, id) in [
            ("example.org", "../secret"),
            ("example.org", ""),
            ("example.org", "a/b"),
            ("example.org", "a%2Fb"),
            ("example.org", "ü"),
            ("..", "abc"),
            ("exam/ple.org", "abc"),
            ("", "abc"),
        ] {
            assert!(Mxc::parse(server, id).is_err(), "{server} {id}");
        }
    }

    #[test]
    fn a_good_name_is_kept() {
        let mxc = Mxc::parse("example.org:8448", "Ab-_9").expect("a good name");
        assert_eq!(mxc.to_string(), "mxc://example.org:8448/Ab-_9");
        assert_eq!(mxc.key(), "media/example.org:8448/Ab-_9");
    }
}
