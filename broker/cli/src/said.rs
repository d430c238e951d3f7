//! How a command ends: what it says, and the exit code.

use crate::{args::Cli, json};
use severn_client::ClientError;
use std::{fmt, process::ExitCode};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; a record is complete.
    Done,
    /// It could not be done.
    Failed,
    /// The command makes no sense.
    Usage,
    /// Nobody was found, or several possible persons.
    NotOne,
    /// The record is incomplete.
    Incomplete,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotOne => 3,
            Exit::Incomplete => 4,
        })
    }
}

/// What a command says, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) exit: Exit,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The options make no sense.
    Usage(String),
    /// It failed.
    Failed(anyhow::Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Failed(_) => Exit::Failed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message) => f.write_str(message),
            Failure::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Failed(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Question(message) => Failure::Usage(message.to_owned()),
            other => Failure::Failed(other.into()),
        }
    }
}

impl Said {
    /// Says `json` or `text`, whichever was asked for.
    pub(crate) fn either(cli: &Cli, exit: Exit, json: &serde_json::Value, text: impl FnOnce() -> String) -> Said {
        Said { text: if cli.json { json::write(json) } else { text() }, exit }
    }
}
