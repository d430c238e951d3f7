//! The demo's binary; everything it does is in the library.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    demo::roles::run(&arguments).unwrap_or_else(demo::program::run)
}
