//! `cargo run --release -p tests --bin merge-report`: how well entries are grouped, dataset by dataset, on made-up records
//! whose truth is known, beside what other keys would lose on them. Ends with 1 if a bound is missed.

use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "a command line's output")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match tests::merge::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("merge-report: {error:#}");
            ExitCode::FAILURE
        }
    }
}
