//! The `severn` binary. Everything it does is in the library.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    severn_cli::run(std::env::args().collect()).await
}
