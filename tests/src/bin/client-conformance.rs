//! `cargo run -p tests --bin client-conformance -- COMMAND ARGS…`: whether a client program shows a record as it must be
//! shown, check by check; `--help` says what is expected. Ends with 1 if a check fails.

use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "a command line's output")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match tests::clients::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("client-conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}
