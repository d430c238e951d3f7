//! Whether a client program, in whatever language, shows a record as it must be shown: `client-conformance` starts it
//! against a broker of its own that has one answer after the other, true and untrue, and judges what it prints and how it
//! ends. What is tried stands in `cases`, with the reason of every check.

mod broker;
mod cases;
mod folder;
mod judge;
mod story;

pub use judge::Printed;

use anyhow::{Context as _, Result};
use broker::CannedBroker;
use cases::Case;
use clap::Parser;
use folder::Folder;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use severn_link::{ListenLimits, ServerLimits, listen, server};
use severn_proto::v1::record_broker_server::RecordBrokerServer;
use std::{io::Write as _, process::Stdio, time::Duration};
use tokio::{net::TcpListener, process::Command, time::timeout};

/// How long a client may take for one record.
const CLIENT_MAX: Duration = Duration::from_secs(60);

/// Clients that run at once.
const AT_ONCE: usize = 2;

/// What an implementer has to know.
const EXPECTED: &str = "\
COMMAND is started once for each case. Where its arguments name files or words in braces, these are filled in; where
they name none, all are appended as tests/clients/python/retrieve.py takes them:

  --address {address} --server-name {server_name} --ca {ca} --cert {cert} --key {key} --app-key {app_key}
  --token {token} --nhs {nhs} --born {born}

  {address}      the broker's HOST:PORT            {app_key}  PEM: the key to which the user's token is bound
  {server_name}  the name in its certificate       {token}    file with the user's token
  {ca}           PEM: who signed it                {nhs}      the person's NHS number
  {cert} {key}   PEM: the app's certificate, key   {born}     their birth date
  {config}       severn.toml with all of this

The client finds the person, asks for all headings, and prints the record to its standard output, as plain text without
colours, as one JSON document or as a page of HTML. Expected of it:

  It ends with 0 if, and only if, the answer is sealed, whole, and about the person and query meant. Otherwise it says
  so (\"incomplete\", or \"complete\": false), and shows nothing of another person.
  It shows the ledger's summary word for word, before the content; and who did not answer, withheld, gave a part or old
  data, with the headings concerned.
  Of each heading without items it says why: nothing recorded, none known (stated by whom, when), withheld, not shared,
  not kept, not asked, no answer.
  It keeps the broker's order, and shows conflicts, what is possibly the same, withdrawn, ruled out, not recognised or
  not validated, where the sources differ on who the person is, and who said what.
  No control, bidirectional or invisible character reaches the output, nor more than 30 combining marks in a row, nor an
  element of HTML from a source; where something was replaced, this is visible. JSON may write \\u escapes.

Upper and lower case, line breaks and punctuation do not count; for each fact several wordings are taken. A sentence
with each check that fails says what it would mean for a reader.";

/// What to check.
#[derive(Debug, Parser)]
#[command(name = "client-conformance", after_help = EXPECTED)]
#[command(about = "Checks whether a client program shows a record as it must be shown.")]
pub struct Options {
    /// Only this case; may be given several times.
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Judge nothing: print what the client prints for this case.
    #[arg(long, value_name = "CASE", conflicts_with = "cases")]
    show: Option<String>,
    /// The client and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The case.
    pub case: &'static str,
    /// What was looked for.
    pub check: &'static str,
    /// What it means where it is not so.
    pub reason: &'static str,
    /// Whether it is so.
    pub kept: bool,
}

/// Checks the program that the arguments name and prints what was found. Says whether all is well.
///
/// # Errors
/// If an argument is not understood, or the program cannot be started.
pub fn run(arguments: &[String]) -> Result<bool> {
    let program = std::iter::once("client-conformance").chain(arguments.iter().map(String::as_str));
    let mut out = std::io::stdout();
    let options = match Options::try_parse_from(program) {
        Ok(options) => options,
        Err(asked) if !asked.use_stderr() => {
            write!(out, "{asked}")?;
            return Ok(true);
        }
        Err(wrong) => return Err(wrong.into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(case) = &options.show {
        let printed = runtime.block_on(output(&options.command, case))?;
        write!(out, "{}{}", printed.out, printed.err)?;
        return Ok(printed.code == Some(0));
    }
    let cases: Vec<&str> = options.cases.iter().map(String::as_str).collect();
    let findings = runtime.block_on(check(&options.command, &cases))?;
    for finding in &findings {
        let mark = if finding.kept { "ok  " } else { "FAIL" };
        writeln!(out, "{mark}  {}: {}", finding.case, finding.check)?;
        if !finding.kept {
            writeln!(out, "      {}", finding.reason)?;
        }
    }
    let kept = findings.iter().filter(|finding| finding.kept).count();
    writeln!(out, "{kept} of {} checks passed", findings.len())?;
    Ok(kept == findings.len())
}

/// Checks a command on the cases named; on all where none is.
///
/// # Errors
/// If a case does not exist, or the command cannot be started.
pub async fn check(command: &[String], names: &[&str]) -> Result<Vec<Finding>> {
    let named: Result<Vec<&Case>> = names.iter().map(|name| find(name)).collect();
    let cases = if names.is_empty() { Case::all() } else { named? };
    let folder = Folder::new()?;
    let findings = stream::iter(cases.into_iter().map(|case| check_case(command, case, &folder)));
    Ok(findings.buffered(AT_ONCE).try_collect::<Vec<_>>().await?.concat())
}

async fn check_case(command: &[String], case: &'static Case, folder: &Folder) -> Result<Vec<Finding>> {
    let printed = printed(command, case, folder).await?;
    let findings = case.checks().into_iter().map(|check| Finding {
        case: case.name,
        check: check.name,
        reason: check.reason,
        kept: printed.keeps(check.rule, case.summary()),
    });
    Ok(findings.collect())
}

/// What the client prints for a case.
async fn printed(command: &[String], case: &'static Case, folder: &Folder) -> Result<Printed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let arguments = folder.arguments(command, &listener.local_addr()?.to_string(), case.name)?;
    let (program, arguments) = arguments.split_first().context("a client's program is needed")?;
    let broker = CannedBroker { verifier: folder.verifier(), serve: Box::new(|query| case.serve(query)) };
    let incoming = listen(listener, &folder.tls()?, ListenLimits::default());
    let service = RecordBrokerServer::new(broker);
    let serving = tokio::spawn(server(ServerLimits::default()).add_service(service).serve_with_incoming(incoming));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(CLIENT_MAX, command.output()).await;
    serving.abort();
    let Ok(output) = output else { return Ok(Printed::default()) };
    let output = output.with_context(|| format!("cannot start {program}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Printed { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
}

/// What a client prints for the case of this name.
///
/// # Errors
/// As [`check`].
pub async fn output(command: &[String], name: &str) -> Result<Printed> {
    printed(command, find(name)?, &Folder::new()?).await
}

fn find(name: &str) -> Result<&'static Case> {
    let all = Case::all();
    let known = || all.iter().map(|case| case.name).collect::<Vec<_>>().join(", ");
    all.iter()
        .find(|case| case.name == name)
        .copied()
        .with_context(|| format!("{name:?} is no case; there are {}", known()))
}
