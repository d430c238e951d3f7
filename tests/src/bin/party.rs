//! Plays one party of a federation in a process of its own, for tests that need to kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((role, _)) if role == "severn-broker" => severn_broker::program::run(std::env::args_os().skip(1)),
        Some((role, rest)) if role == "broker" => tests::bench::roles::broker(rest),
        Some((role, rest)) if role == "steward" => ended(&tests::steward::run(rest)),
        Some((role, rest)) if role == "adapters" => ended(&tests::bench::roles::adapters(rest)),
        _ => ExitCode::FAILURE,
    }
}

fn ended(result: &anyhow::Result<()>) -> ExitCode {
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
