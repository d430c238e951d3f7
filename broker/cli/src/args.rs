//! The words of the command line.

use crate::{config::Overrides, person::PersonArgs};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Ask a Severn broker: what every source knows about one person, at this moment.
///
/// Exit codes: 0 done (a record is complete), 1 failed, 2 wrong usage, 3 nobody or several possible persons,
/// 4 the record is INCOMPLETE.
#[derive(Parser, Debug)]
#[command(name = "severn", version)]
pub(crate) struct Cli {
    /// The configuration; without it $SEVERN_CONFIG, else severn.toml in this folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document instead of a readable view.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Why you ask: direct_care, emergency, safeguarding, audit, subject_access. With a development issuer only.
    #[arg(long, global = true, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// The role code you ask in. With a development issuer only.
    #[arg(long, global = true, value_name = "CODE")]
    role: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { purpose: self.purpose.clone(), role: self.role.clone() }
    }
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Find a person: --nhs with --born, or --family --given --born, or --source with --local-id.
    Find(PersonArgs),
    /// Show a person's record. Possible persons are listed for you to choose from; nobody is guessed.
    Record(RecordArgs),
    /// Show each source: reachable, age of its feed, datasets, what became of the last call.
    Sources,
    /// Fetch a document that a record lists.
    Document(DocumentArgs),
    /// Show who looked at a person's record (purpose audit or subject_access).
    Report(ReportArgs),
    /// For stewards: list pairs of registrations that a human should decide, and how many of each kind wait.
    Review(ReviewArgs),
    /// For stewards: link two registrations.
    Link(LinkArgs),
    /// For stewards: take a registration out of its person.
    Unlink(UnlinkArgs),
    /// For stewards: keep two registrations apart that are not one person. They leave the review queue for good; a later
    /// link of just these two takes it back.
    Different(LinkArgs),
    /// For stewards: how good what each source announces is; of one source, with its local ids.
    Quality(QualityArgs),
    /// For stewards: show what happened to a person in the index.
    History(HistoryArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// The broker's name for the person, as `severn find` shows it; with --nhs, or --family and --born.
    #[arg(value_name = "ENTERPRISE_ID")]
    pub(crate) enterprise_id: Option<String>,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
    /// The datasets to ask for, with commas between; all if left out.
    #[arg(long, value_delimiter = ',', value_name = "DATASETS")]
    pub(crate) datasets: Vec<String>,
    /// Milliseconds to wait for the sources, 1 to 10000.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) deadline_ms: u32,
}

#[derive(Args, Debug)]
pub(crate) struct DocumentArgs {
    /// The broker's name for the person.
    pub(crate) enterprise_id: String,
    /// The source that holds the document.
    #[arg(value_name = "SOURCE")]
    pub(crate) holder: String,
    /// The entry that lists it.
    pub(crate) entry_id: String,
    /// Where to write it; an existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    pub(crate) enterprise_id: Option<String>,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReviewArgs {
    /// Pairs at most, 1 to 1000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Pairs of these kinds only, with commas between, such as changed_into_somebody_else, number_overlaid,
    /// registration_disagrees, duplicate_numbers, possible_duplicate; all if left out.
    #[arg(long = "kind", value_delimiter = ',', value_name = "KINDS")]
    pub(crate) kinds: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct LinkArgs {
    /// The source of one registration.
    pub(crate) source_a: String,
    /// Its local id there.
    pub(crate) local_id_a: String,
    /// The source of the other.
    pub(crate) source_b: String,
    /// Its local id there.
    pub(crate) local_id_b: String,
    /// Why, at least 10 characters; kept for ever.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct UnlinkArgs {
    /// The source of the registration to take out.
    pub(crate) source: String,
    /// Its local id there.
    pub(crate) local_id: String,
    /// Why, at least 10 characters; kept for ever.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct QualityArgs {
    /// The source; without it, the rates of all.
    pub(crate) source: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// The broker's name for the person.
    pub(crate) enterprise_id: String,
}
