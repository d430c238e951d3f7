//! From the arguments to the exit code: the only place that writes to the terminal.

use crate::{
    args::{Cli, Command, LoginArgs},
    command,
    config::Config,
    json,
    login::LoginSection,
    said::{Exit, Failure, Said},
    show::{Colour, Style},
};
use clap::Parser as _;
use jiff::tz::TimeZone;
use severn_client::neutralise;
use severn_trust::{Entropy, SystemClock, SystemEntropy};
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
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
    match &cli.command {
        Command::Login(args) => login(cli, config.login()?, args, entropy.as_ref()).await,
        Command::Logout => {
            let gone = config.login()?.sign_out()?;
            let text = if gone { "You are signed out.\n" } else { "Nobody was signed in.\n" };
            Ok(Said::either(cli, Exit::Done, &serde_json::json!({ "signed_out": gone }), || text.to_owned()))
        }
        _ => {
            let client = config.client(&cli.overrides(), clock, entropy).await?;
            command::perform(cli, &client, &style()).await
        }
    }
}

async fn login(cli: &Cli, section: &LoginSection, args: &LoginArgs, entropy: &dyn Entropy) -> Result<Said, Failure> {
    let tell = |address: &dyn std::fmt::Display| {
        write(&mut io::stderr().lock(), &format!("Open this address in a browser and sign in:\n\n  {address}\n\n"));
    };
    let name = section.sign_in(args.user.as_deref(), entropy, |address| tell(address)).await?;
    let text = format!("You are signed in as {}.\n", neutralise(&name).text);
    Ok(Said::either(cli, Exit::Done, &serde_json::json!({ "signed_in": name }), || text))
}

fn style() -> Style {
    let colour = if io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
    Style { colour, zone: TimeZone::system(), ..Style::default() }
}

fn write(to: &mut dyn io::Write, text: &str) {
    // A reader that has gone, such as `head`, is no fault of the command.
    drop(to.write_all(text.as_bytes()).and_then(|()| to.flush()));
}
