//! `cargo run --release -p tests --bin linkage-bench -- --json`: how well, how fast and in how much memory registrations
//! are linked, on people with a known answer, beside what is asked and beside Splink where it is installed.

use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "a command line's output")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match tests::linkage::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("linkage-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
