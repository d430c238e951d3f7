//! The adapter program: one binary, the kind of source chosen in its configuration. Everything that it does is in the
//! SDK and in the kinds; here it is put together, started, checked and stopped.

mod arguments;
pub mod config;
mod kind;
pub mod enrol;
pub mod renew;
mod run;
mod check;
mod preview;
mod quality;
mod challenges;
mod notices;
mod trail;

pub use arguments::EnrolArguments;
pub use kind::open_source;

use arguments::{Arguments, Command};
use clap::Parser as _;
use severn_adapter_sdk::source::Source;
use severn_trust::{Clock as _, SystemClock};
use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Puts something around the source that is served: another source that passes calls on to it.
pub type Around<'a> = &'a dyn Fn(Arc<dyn Source>) -> Arc<dyn Source>;

/// Runs the program with `args`, of which the first is its name: what `main` does, callable by another program.
/// 0 if all is well, 1 if something is wrong, 2 if the command line is.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    main_around(args, &|source| source)
}

/// The same, with something around the source that is served, such as a delay.
pub fn main_around(args: impl IntoIterator<Item = OsString>, around: Around<'_>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr();
    std::panic::set_hook(Box::new(log_panic));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(obey(arguments, around)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn obey(arguments: Arguments, around: Around<'_>) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => {
            drop(out);
            run::run(config::Config::load(&arguments.config)?, around).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check => check::check(&arguments.config, &mut out).await,
        Command::Enrol(asked) => {
            enrol::enrol(&config::Config::load(&arguments.config)?, &asked, &mut out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Preview(asked) => {
            preview::preview(config::Config::load(&arguments.config)?, &asked, &mut out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Quality(asked) => {
            quality::quality(&config::Config::load(&arguments.config)?, &asked, &mut out).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Challenges(asked) => {
            challenges::challenges(&config::Config::load(&arguments.config)?, &asked, &mut out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Notices(asked) => {
            notices::notices(&config::Config::load(&arguments.config)?, &asked, &mut out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Policy(command) => {
            out.write_all(command.run(SystemClock.now_s())?.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit(asked) => trail::audit(&config::Config::load(&arguments.config)?, &asked, &mut out),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    drop(writeln!(io::stderr(), "severn-adapter: {error:#}"));
    ExitCode::FAILURE
}

/// Says where a panic was and not what it said: a message could carry what was being read.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    match panic.location() {
        Some(place) => error!(file = place.file(), line = place.line(), "panicked"),
        None => error!("panicked"),
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Another part of the same process may have begun to log already.
    drop(tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init());
}
