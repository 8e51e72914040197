//! Which servers a room lets take part. [C-S §11.35, S-S §19, server access control lists]

#[cfg(test)]
mod tests;

use ruma::ServerName;

use crate::{event::Pdu, json::Value};

/// The access control list of a room, read from its `m.room.server_acl`.
///
/// A room without one lets all servers take part; that is for the caller, who has no list to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAcl {
    allow_ip_literals: bool,
    /// Lower-case patterns.
    deny: Vec<String>,
    allow: Vec<String>,
}

impl ServerAcl {
    /// Reads an `m.room.server_acl`. What has the wrong type counts as absent: IP literals are then let in, and a list
    /// is empty.
    pub fn new(event: &Pdu) -> Self {
        let content = event.content_object();
        let patterns = |name| {
            let list = content.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|pattern| Some(pattern.as_str()?.to_ascii_lowercase())).collect()
        };
        Self {
            allow_ip_literals: content.get("allow_ip_literals").and_then(Value::as_bool).unwrap_or(true),
            deny: patterns("deny"),
            allow: patterns("allow"),
        }
    }

    /// Whether the server may take part in the room. Its port does not matter.
    pub fn allows(&self, server: &ServerName) -> bool {
        // 2. IP literals.
        if !self.allow_ip_literals && server.is_ip_literal() {
            return false;
        }
        let host = server.host().to_ascii_lowercase();
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| glob_matches(pattern, &host));
        // 3. Denied; 4. allowed; 5. otherwise, denied.
        !matches(&self.deny) && matches(&self.allow)
    }
}

/// Whether the whole text matches a pattern in which `*` stands for any text and `?` for one character.
/// [appendices, glob-style matching]
fn glob_matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when a character does not match: after the last `*`, which then takes one character more.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut rest = text.clone();
        match (pattern.next(), rest.next()) {
            (Some('*'), _) => {
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some('?'), Some(_)) => {
                text = rest;
                continue;
            }
            (Some(expected), Some(found)) if expected == found => {
                text = rest;
                continue;
            }
            _ => {}
        }
        let Some((after_star, from)) = &mut retry else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (pattern, text) = (after_star.clone(), from.clone());
    }
}
