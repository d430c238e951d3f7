//! Plays one party of a federation in a process of its own, for tests that need to kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((role, _)) if role == "severn-broker" => severn_broker::program::run(std::env::args_os().skip(1)),
        Some((role, _)) if role == "severn-adapter" => severn_adapter::main_with(std::env::args_os().skip(1)),
        Some((role, _)) if role == "severn" => severn(arguments),
        Some((role, rest)) if role == "broker" => tests::bench::roles::broker(rest),
        Some((role, rest)) if role == "steward" => ended(&tests::steward::run(rest)),
        Some((role, rest)) if role == "trail" => ended(&tests::recorder::run(rest)),
        Some((role, rest)) if role == "adapters" => ended(&tests::bench::roles::adapters(rest)),
        _ => ExitCode::FAILURE,
    }
}

/// The program `severn`, which cargo builds for no other crate's tests.
fn severn(arguments: Vec<String>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(severn_cli::run(arguments)),
        Err(_) => ExitCode::FAILURE,
    }
}

fn ended(result: &anyhow::Result<()>) -> ExitCode {
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
