//! `severn-adapter`: see the library, which the demo runs too.

use std::process::ExitCode;

fn main() -> ExitCode {
    severn_adapter::main_with(std::env::args_os())
}
