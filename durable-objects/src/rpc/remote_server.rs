//! What a `RemoteServer` can be asked.
