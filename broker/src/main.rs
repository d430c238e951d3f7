//! The program `severn-broker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    severn_broker::program::run(std::env::args_os())
}
