//! The words of the command line.

use crate::{
    config::Overrides,
    governance::{BreakGlassArgs, ClaimArgs, DirectiveCommand, QueueArgs},
    oversight::PatternsArgs,
    person::PersonArgs,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use uuid::Uuid;

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
    /// Why you ask: direct_care, emergency, safeguarding, audit, subject_access. For whoever signed in with `severn login`.
    #[arg(long, global = true, value_name = "PURPOSE")]
    purpose: Option<String>,
    /// The role code you ask in: one of those your sign-in names; without it the one chosen there.
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
    /// Sign in with your organisation, in a browser. What you ask from then on is asked in your name.
    Login(LoginArgs),
    /// Forget who is signed in.
    Logout,
    /// Find a person: --nhs with --born, or --family --given --born, or --source with --local-id.
    Find(PersonArgs),
    /// Show a person's record. Possible persons are listed for you to choose from; nobody is guessed.
    Record(RecordArgs),
    /// Show each source: reachable, age of its feed, datasets, what became of the last call.
    Sources,
    /// Fetch a document that a record lists.
    Document(DocumentArgs),
    /// Tell a source that an entry of its is wrong, or not about this person; `severn record --ids` shows which entry is
    /// which. The owner of the source reads it and answers.
    Challenge(ChallengeArgs),
    /// Show what your organisation reported to sources so, and what their owners answer.
    Challenges(ChallengesArgs),
    /// Show who looked at a person's record (purpose audit or subject_access).
    Report(ReportArgs),
    /// Enter, withdraw or list what a person wants kept back.
    #[command(subcommand)]
    Directive(DirectiveCommand),
    /// Claim that your organisation cares for a person now. It holds for 24 hours, and a privacy officer reviews it.
    Claim(ClaimArgs),
    /// Break the glass for one person, for an hour at most. You must have signed in within the last two minutes. Privacy
    /// officers are told and review it, and the person sees it in their access report.
    BreakGlass(BreakGlassArgs),
    /// For privacy officers: list claims and broken glass to review, newest first; `queue review` reviews one.
    Queue(QueueArgs),
    /// For privacy officers: what the audit trail shows of people who look where they should not: their family, colleagues,
    /// somebody in the news, people who left or died, everybody. Each is a question to ask and no verdict.
    Patterns(PatternsArgs),
    /// For stewards: list pairs of registrations that a human should decide, and how many of each kind wait.
    Review(ReviewArgs),
    /// For stewards: link two registrations.
    Link(LinkArgs),
    /// For stewards: take a registration out of its person.
    Unlink(UnlinkArgs),
    /// For stewards: keep two registrations apart that are not one person. They leave the review queue for good; a later
    /// link of just these two takes it back.
    Different(LinkArgs),
    /// For stewards: decide about two registrations later. They leave the review queue until then, or until what is known
    /// of one of them changes.
    Later(LaterArgs),
    /// For stewards and auditors: list what stewards decided, newest first: who, when and why.
    Decisions(DecisionsArgs),
    /// For stewards: take back a steward's links, unlinks and tellings apart of a time, newest first, so that all is as if
    /// they had not been decided. One that a later decision about the same registrations rests on stays, and is named. What
    /// was interrupted is finished by the same command.
    Undo(UndoArgs),
    /// For stewards: how good what each source announces is; of one source, with its local ids.
    Quality(QualityArgs),
    /// For stewards: show what happened to a person in the index.
    History(HistoryArgs),
}

#[derive(Args, Debug)]
pub(crate) struct LoginArgs {
    /// Sign in as this user without a browser. With a development sign-in only.
    #[arg(long = "as", value_name = "USER")]
    pub(crate) user: Option<String>,
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
    /// Show source, dataset and id of every entry, too, to report one with `severn challenge`.
    #[arg(long)]
    pub(crate) ids: bool,
    /// The override id that `severn break-glass` printed: opens what may be opened with a reason.
    #[arg(long = "override", value_name = "OVERRIDE_ID")]
    pub(crate) opening: Option<Uuid>,
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
#[command(group = clap::ArgGroup::new("says").required(true))]
pub(crate) struct ChallengeArgs {
    /// The broker's name for the person.
    pub(crate) enterprise_id: String,
    /// The source that says it.
    #[arg(value_name = "SOURCE")]
    pub(crate) holder: String,
    /// The entry's dataset; with the entry left out, the whole record of that source is meant.
    #[arg(requires = "entry_id")]
    pub(crate) dataset: Option<String>,
    /// The entry's id.
    pub(crate) entry_id: Option<String>,
    /// It is about this person and wrong; with --note.
    #[arg(long, group = "says", requires = "note")]
    pub(crate) wrong: bool,
    /// It is not about this person.
    #[arg(long, group = "says")]
    pub(crate) not_this_person: bool,
    /// What the owner should know, at most 4096 bytes. No other system keeps it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ChallengesArgs {
    /// The broker's name for a person; without it, what was reported about everybody.
    #[arg(value_name = "ENTERPRISE_ID")]
    pub(crate) enterprise_id: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    pub(crate) enterprise_id: Option<String>,
    /// For a person at risk: leave out whatever tells where they are or were.
    #[arg(long)]
    pub(crate) safe: bool,
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
#[command(group = clap::ArgGroup::new("when").required(true))]
pub(crate) struct LaterArgs {
    /// The source of one registration.
    pub(crate) source_a: String,
    /// Its local id there.
    pub(crate) local_id_a: String,
    /// The source of the other.
    pub(crate) source_b: String,
    /// Its local id there.
    pub(crate) local_id_b: String,
    /// Until the beginning of this day, or this moment: 2026-12-24, 2026-12-24T14:30; one that has come brings the pair
    /// back at once.
    #[arg(long, group = "when", value_name = "DATE")]
    pub(crate) until: Option<String>,
    /// For so many days, 1 to 366.
    #[arg(long, group = "when", value_name = "N", value_parser = clap::value_parser!(i64).range(1..=366))]
    pub(crate) days: Option<i64>,
    /// Why, at least 10 characters; kept for ever.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct DecisionsArgs {
    /// Of this steward only: the user's id.
    #[arg(long, value_name = "STEWARD")]
    pub(crate) by: Option<String>,
    /// From this day or moment on: 2026-11-22, 2026-11-22T14:30.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this day or moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// The steward: the user's id.
    #[arg(long, value_name = "STEWARD")]
    pub(crate) by: String,
    /// From this day or moment on: 2026-11-22, 2026-11-22T14:30.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: String,
    /// Before this day or moment; now if left out.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only say what would be taken back.
    #[arg(long)]
    pub(crate) dry_run: bool,
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
    /// Show who the person was at a moment in the past: 2026-03-03, the end of that day, or 2026-03-03T14:30.
    #[arg(long, value_name = "WHEN")]
    pub(crate) at: Option<String>,
}
