//! Files that claim to be images: whatever they are, a thumbnail is made or refused, within bounds.
#![no_main]

// The edge is no library: its module is built in here.
#[allow(dead_code, reason = "the edge's")]
#[path = "../../src/media"]
mod media {
    pub mod thumbnail;
}

use libfuzzer_sys::fuzz_target;
use media::thumbnail::{self, Made, Wanted};

fuzz_target!(|file: &[u8]| {
    let _ = thumbnail::dimensions(file);
    for (side, method) in [("32", "crop"), ("320", "scale")] {
        let wanted = Wanted::parse(|name| Some(if name == "method" { method } else { side }.to_owned()));
        let wanted = wanted.expect("a good request").rounded();
        if let Ok(Made::Smaller { bytes, .. }) = thumbnail::make(file, wanted) {
            let (width, height) = thumbnail::dimensions(&bytes).expect("a thumbnail is an image");
            assert!(width <= wanted.width && height <= wanted.height);
        }
    }
});
