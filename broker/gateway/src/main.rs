//! The program `severn-gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    severn_gateway::program::run(std::env::args_os())
}
