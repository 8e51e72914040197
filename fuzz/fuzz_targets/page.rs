//! Web pages: whatever they are, a preview is made of them.
#![no_main]

// The edge is no library: its modules are built in here.
#[allow(dead_code, reason = "the edge's")]
#[path = "../../src/media/preview"]
mod preview {
    mod entity;
    mod html;
    pub mod page;
}

use libfuzzer_sys::fuzz_target;
use preview::page;

fuzz_target!(|bytes: &[u8]| {
    let (properties, _) = page::Page::read(&String::from_utf8_lossy(bytes)).into_preview();
    assert!(properties.values().map(String::len).sum::<usize>() < 200_000);
});
