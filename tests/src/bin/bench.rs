//! `cargo run --release -p tests --bin bench -- --json`: CPU per query of the broker beside the two floors, in one run,
//! and what 400 idle adapters cost. Ratios travel, absolute times do not.

use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "a command line's output")]
fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let role = arguments.first().cloned().unwrap_or_default();
    let result = match role.as_str() {
        "adapters" => tests::bench::roles::adapters(&arguments.split_off(1)),
        "floor" => tests::bench::roles::floor(&arguments.split_off(1)),
        "stages" => tests::bench::stages::run().map_err(Into::into),
        "broker" => return tests::bench::roles::broker(&arguments.split_off(1)),
        _ => tests::bench::report::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
