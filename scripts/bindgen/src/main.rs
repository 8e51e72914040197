//! Writes the JavaScript side of a compiled worker: `selvedge-bindgen INPUT.wasm OUT_DIR`.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(input), Some(out_dir)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: selvedge-bindgen INPUT.wasm OUT_DIR");
        return ExitCode::FAILURE;
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name("selvedge").typescript(false);
    // The entry module recovers from a trap by way of this function.
    bindgen.reset_state_function(true);
    let written = bindgen.web(true).and_then(|bindgen| bindgen.generate(out_dir));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("selvedge-bindgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
