//! The log: one line an entry, on the console of the platform. Never give it a token, a key, a
//! password or the content of an event.

/// Something failed that an operator should see.
pub fn error(area: &str, message: &str) {
    write("error", area, message);
}

/// Something worth knowing that is not a fault of ours, such as an unreachable peer.
pub fn warn(area: &str, message: &str) {
    write("warn", area, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: &str, area: &str, message: &str) {
    let line = wasm_bindgen::JsValue::from_str(&format!("{level} {area}: {message}"));
    if level == "error" {
        web_sys::console::error_1(&line);
    } else {
        web_sys::console::warn_1(&line);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::print_stderr, reason = "the native log is standard error")]
fn write(level: &str, area: &str, message: &str) {
    eprintln!("{level} {area}: {message}");
}
