//! `cargo run --release -p tests --bin audit-bench`: how fast an audit trail is verified, beside the hashing of the same
//! bytes alone, and how long an event takes to be durable, beside the raw flush, in one run. Ratios travel, absolute times
//! do not.

use std::process::ExitCode;

#[allow(clippy::print_stderr, reason = "a command line's output")]
fn main() -> ExitCode {
    match tests::bench::audit::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("audit-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
