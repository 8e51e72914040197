//! The names of objects in the bucket, and which there can be of one piece of content.

use ruma::ServerName;

/// The boxes, in pixels, of scaled thumbnails: a request gets the first that it fits into. The first three are the
/// specification's `[C-S §11.7.3]`.
pub const SCALED: [(u32, u32); 5] = [(320, 240), (640, 480), (800, 600), (1600, 1200), (MAX_SIDE, MAX_SIDE)];
/// The sides, in pixels, of cropped thumbnails: each side gets the first that it fits into. The first two are the
/// specification's.
pub const CROPPED: [u32; 6] = [32, 96, 192, 384, 768, MAX_SIDE];
/// The longest side of a thumbnail, in pixels.
pub const MAX_SIDE: u32 = 4096;

/// Where content is.
pub fn content(server: &ServerName, media_id: &str) -> String {
    format!("media/{server}/{media_id}")
}

/// Where content is while it is quarantined, so that whoever looks for it where content is finds nothing.
pub fn quarantined(server: &ServerName, media_id: &str) -> String {
    format!("quarantined/{server}/{media_id}")
}

/// Where a thumbnail is.
pub fn thumbnail(server: &ServerName, media_id: &str, name: &str) -> String {
    format!("thumbnail/{server}/{media_id}/{name}")
}

/// The name of a scaled thumbnail among those of its content.
pub fn scaled((width, height): (u32, u32)) -> String {
    format!("{width}x{height}-scale")
}

/// The name of a cropped thumbnail among those of its content.
pub fn cropped((width, height): (u32, u32)) -> String {
    format!("{width}x{height}-crop")
}

/// Where all thumbnails of some content can be.
pub fn thumbnails<'a>(server: &'a ServerName, media_id: &'a str) -> impl Iterator<Item = String> + 'a {
    let crops = CROPPED.into_iter().flat_map(|width| CROPPED.map(|height| cropped((width, height))));
    SCALED.into_iter().map(scaled).chain(crops).map(move |name| thumbnail(server, media_id, &name))
}
