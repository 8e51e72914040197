//! Which users have a pusher for the same installation of an app.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::command;

/// The user has a pusher of this app and key now. Replies with those who had one, and, unless `append`, have it no
/// more.
#[derive(Debug, Serialize, Deserialize)]
pub struct OwnPusher {
    /// The app.
    pub app_id: String,
    /// The key.
    pub pushkey: String,
    /// The user.
    pub user_id: OwnedUserId,
    /// Whether the others keep theirs.
    pub append: bool,
}
command!(OwnPusher to Directory -> Vec<OwnedUserId>);

/// The user has it no more.
#[derive(Debug, Serialize, Deserialize)]
pub struct DisownPusher {
    /// The app.
    pub app_id: String,
    /// The key.
    pub pushkey: String,
    /// The user.
    pub user_id: OwnedUserId,
}
command!(DisownPusher to Directory -> ());
