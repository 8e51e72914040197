//! The account endpoints, as a client sees them.

mod accounts;
mod admin;
mod costs;
mod dag;
mod device_lists;
mod devices;
mod encryption;
mod invitations;
mod management;
mod media;
mod notifications;
mod peeking;
mod presence;
mod propagation;
mod push_rules;
mod pushers;
mod relations;
mod reports;
mod rooms;
mod search;
mod server_notices;
mod spaces;
mod sync;
mod user_data;
mod user_directory;
mod visibility;
