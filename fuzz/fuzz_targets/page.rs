//! Web pages: whatever they are, a preview is made of them.
#![no_main]

// The edge is no library: its modules are built in here.
#[path = "../../src/media/preview/entity.rs"]
mod entity;
#[path = "../../src/media/preview/html.rs"]
mod html;
#[allow(dead_code, reason = "the edge's")]
#[path = "../../src/media/preview/page.rs"]
mod page;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (properties, _) = page::Page::read(&String::from_utf8_lossy(bytes)).into_preview();
    assert!(properties.values().map(String::len).sum::<usize>() < 200_000);
});
