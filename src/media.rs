//! The content repository `[C-S §11.7]`.
//!
//! Content is in the bucket, and nowhere else: a download is one read of it, and asks no actor. What a user
//! uploaded is also in their actor, which decides who may write the content of which id (`rpc::user`), and all that
//! there is in an index for administrators (`rpc::media_index`).
//! Bytes stream between the client and the bucket; the parts of this module that touch them exist on the
//! platform only, and what they decide by is pure and tested natively.
//!
//! | Key | Object |
//! | --- | --- |
//! | `media/SERVER/ID` | content; how it is served is in its metadata (`store::Facts`) |
//! | `thumbnail/SERVER/ID/WxH-METHOD` | a thumbnail, made when it was first asked for |
//! | `quarantined/SERVER/ID` | content that an administrator withdrew |
//! | `pending/ID` | nothing: the id was given out, and its content is to come |

#[cfg(target_arch = "wasm32")]
pub mod access;
pub mod disposition;
#[cfg(target_arch = "wasm32")]
pub mod download;
pub mod id;
#[cfg(any(target_arch = "wasm32", test))]
pub mod multipart;
pub mod preview;
#[cfg(any(target_arch = "wasm32", test))]
pub mod range;
#[cfg(target_arch = "wasm32")]
pub mod remote;
#[cfg(target_arch = "wasm32")]
pub mod respond;
#[cfg(target_arch = "wasm32")]
pub mod routes;
#[cfg(target_arch = "wasm32")]
pub mod store;
#[cfg(target_arch = "wasm32")]
pub mod stream;
pub mod thumbnail;
#[cfg(target_arch = "wasm32")]
pub mod upload;
