//! From the arguments to the exit code: the only place that writes to the terminal.

use crate::{
    args::Cli,
    command,
    config::Config,
    json,
    said::{Exit, Failure, Said},
    show::{Colour, Style},
};
use clap::Parser as _;
use jiff::tz::TimeZone;
use severn_client::neutralise;
use severn_trust::{SystemClock, SystemEntropy};
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
    sync::Arc,
};

/// Runs one command line, the program's name first. Prints to standard output, faults to standard error.
pub async fn run(args: Vec<String>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A terminal that is gone cannot be told anything.
            drop(error.print());
            return code.code();
        }
    };
    let failure = match perform(&cli).await {
        Ok(said) => {
            write(&mut io::stdout().lock(), &said.text);
            return said.exit.code();
        }
        Err(failure) => failure,
    };
    let message = failure.to_string();
    if cli.json {
        write(&mut io::stdout().lock(), &json::write(&serde_json::json!({ "error": message })));
    } else {
        write(&mut io::stderr().lock(), &format!("severn: {}\n", neutralise(&message).text));
    }
    failure.exit().code()
}

async fn perform(cli: &Cli) -> Result<Said, Failure> {
    let config = Config::load(cli.config.as_deref())?;
    let client = config.client(&cli.overrides(), Arc::new(SystemClock), Arc::new(SystemEntropy::default()))?;
    command::perform(cli, &client, &style()).await
}

fn style() -> Style {
    let colour = if io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
    Style { colour, zone: TimeZone::system(), ..Style::default() }
}

fn write(to: &mut dyn io::Write, text: &str) {
    // A reader that has gone, such as `head`, is no fault of the command.
    drop(to.write_all(text.as_bytes()).and_then(|()| to.flush()));
}
