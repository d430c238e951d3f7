//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use severn_policy::Workbench;
use std::path::PathBuf;

/// Serves one source to a Severn federation.
#[derive(Debug, Parser)]
#[command(name = "severn-adapter", version)]
pub(crate) struct Arguments {
    /// The configuration, a TOML file; deploy/adapter.example.toml explains every key
    #[arg(long, global = true, default_value = "adapter.toml")]
    pub config: PathBuf,
    /// What to do; serve if left out
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the source until SIGTERM or Ctrl-C
    Serve,
    /// Try configuration, keys, policy, source and mapping, and say what is wrong
    Check,
    /// Join the federation: make a key here and ask the broker for a certificate, with the token that its operator gave you
    Enrol(EnrolArguments),
    /// Show what would be released about one person
    Preview(PreviewArguments),
    /// Ask the broker how good this source's registrations are: what is missing, malformed or a placeholder, and what
    /// disagrees with other sources
    Quality(QualityArguments),
    /// List what readers report as wrong or as another person's, and answer them
    Challenges(ChallengesArguments),
    /// List what this organisation's privacy officers must look at: broken glass and claimed relationships
    Notices(NoticesArguments),
    /// Write, check, explain, compare and sign the owner's policy
    #[command(subcommand)]
    Policy(Workbench),
    /// Look after the adapter's own audit trail
    #[command(subcommand)]
    Audit(Audit),
}

/// How to join.
#[derive(Args)]
pub struct EnrolArguments {
    /// The join token; "-" reads it from standard input, where nobody else on this machine sees it
    pub token: String,
    /// Where the broker lets adapters knock: host:port
    #[arg(long, value_name = "HOST:PORT")]
    pub at: String,
    /// Replace the key and the certificate that are there
    #[arg(long)]
    pub replace: bool,
}

/// The token is not to be seen.
impl std::fmt::Debug for EnrolArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolArguments").field("at", &self.at).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArguments {
    /// The person's identifier within the source
    pub local_id: String,
    /// Role code of the requester; the first of the policy if left out
    #[arg(long)]
    pub role: Option<String>,
    /// Purpose of use of the requester
    #[arg(long, default_value = "direct_care")]
    pub purpose: String,
}

#[derive(Debug, Args)]
pub(crate) struct QualityArguments {
    /// Print local ids too, so many of each finding, at most 1000
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub ids: u16,
}

#[derive(Debug, Args)]
pub(crate) struct ChallengesArguments {
    /// List those that are decided, too
    #[arg(long)]
    pub all: bool,
    #[command(subcommand)]
    pub command: Option<Challenges>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Challenges {
    /// Answer one; the reporter and their organisation read the answer
    Answer(AnswerArguments),
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArguments {
    /// The challenge's id, as the list shows it
    pub id: uuid::Uuid,
    /// How far it is: you are looking into it, the record is corrected, the record stands, or there is no such entry
    pub state: AnswerState,
    /// What to tell the reporter, at most 4096 bytes
    #[arg(long, value_name = "TEXT")]
    pub note: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AnswerState {
    Looking,
    Corrected,
    Stands,
    NotFound,
}

#[derive(Debug, Args)]
pub(crate) struct NoticesArguments {
    /// List those that were seen, too
    #[arg(long)]
    pub all: bool,
    #[command(subcommand)]
    pub command: Option<Notices>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notices {
    /// Keep that somebody has seen one; it is reviewed with `severn queue review`
    Seen(SeenArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SeenArguments {
    /// The notice's id, as the list shows it
    pub id: uuid::Uuid,
    /// Who has seen it
    #[arg(long, value_name = "NAME")]
    pub by: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check that nothing in the trail was changed, removed, reordered or cut
    Verify,
    /// Move the oldest files, in which every event is older than a day and than audit.retention_days, to another folder,
    /// and leave a signed note of what was there
    Archive(ArchiveArguments),
    /// Write events as FHIR R4 AuditEvents after IHE BALP, one on each line
    Export(WhileArguments),
    /// Write how much was released to which query, for the broker's operator to compare (`severn-broker audit reconcile`)
    Extract(WhileArguments),
    /// Write who was shown what the responsible social worker must hear of, one access on each line as JSON, for the
    /// case-management system
    SocialWorker(WhileArguments),
    /// Print what this adapter has last seen of the broker's audit trail, signed, for `severn-broker audit verify --witness`
    Witnessed,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveArguments {
    /// The day, or the moment, before which events may go
    #[arg(long, value_name = "DAY", value_parser = severn_trust::moment_ms)]
    pub before: i64,
    /// Where they go; a folder of the archive's own, used again the next time
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct WhileArguments {
    /// From this day, or moment
    #[arg(long, value_name = "DAY", value_parser = severn_trust::moment_ms)]
    pub since: i64,
    /// To before this day, or moment
    #[arg(long, value_name = "DAY", value_parser = severn_trust::moment_ms)]
    pub until: i64,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
