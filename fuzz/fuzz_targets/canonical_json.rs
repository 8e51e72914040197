//! Any text: canonical form is a fixed point, and reading it in place never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_protocol::json::{Object, Strictness, Value, canonicalize};

fuzz_target!(|text: &str| {
    for strictness in [Strictness::Strict, Strictness::Lax] {
        if let Ok(canonical) = canonicalize(text, strictness) {
            assert_eq!(canonicalize(&canonical, strictness).as_ref(), Ok(&canonical));
        }
    }
    if let Ok(object) = Object::new(text) {
        for (key, value) in object {
            let _ = (key.name(), value.as_str(), value.as_integer());
        }
    }
    let _ = Value::new(text).as_array().map(|array| array.into_iter().count());
});
