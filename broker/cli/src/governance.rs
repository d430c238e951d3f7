//! Who may see a person: directives, claims, broken glass, and what privacy officers review of it.

use crate::{
    args::Cli,
    command::{Target, say_found, target},
    person::PersonArgs,
    said::{Exit, Failure, Said},
    show::{self, Style},
    steward::read_moment,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use severn_client::{Client, Glass};
use severn_proto::v1::{
    Dataset, Directive, DirectiveKind, DirectiveTerms, OverrideReason, OversightEntry, OversightKind,
    OversightQueueResponse, OversightVerdict,
};
use severn_trust::{dataset_from_word, dataset_word};

/// What is done with directives.
#[derive(Subcommand, Debug)]
pub(crate) enum DirectiveCommand {
    /// Enter a person's wish. It holds from the next query on.
    Enter(EnterArgs),
    /// Withdraw a person's wish.
    Withdraw(WithdrawArgs),
    /// List a person's wishes; those that are over or withdrawn, too.
    List(ListArgs),
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("wish").required(true))]
pub(crate) struct EnterArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    enterprise_id: Option<String>,
    #[command(flatten)]
    person: PersonArgs,
    /// Nothing is to be shared with anybody.
    #[arg(long, group = "wish")]
    opt_out: bool,
    /// Nothing that this source holds is to be shared. No broken glass lifts it.
    #[arg(long, group = "wish", value_name = "SOURCE")]
    dissent: Option<String>,
    /// Nothing is to be shown to users of this organisation: its ODS code.
    #[arg(long, group = "wish", value_name = "ODS")]
    not_organisation: Option<String>,
    /// Nothing is to be shown to this user: who issues their tokens, and their id there.
    #[arg(long, group = "wish", num_args = 2, value_names = ["ISSUER", "USER"])]
    not_user: Vec<String>,
    /// These datasets are to be shown to nobody, with commas between.
    #[arg(long, group = "wish", value_delimiter = ',', value_name = "DATASETS")]
    not_datasets: Vec<String>,
    /// From this day or moment on: 2026-12-24, 2026-12-24T14:30; at once if left out.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this day or moment; until it is withdrawn if left out.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, and how the person asked for it, at least 10 characters; kept for ever.
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct WithdrawArgs {
    /// The id of the wish, as `severn directive list` shows it.
    directive_id: String,
    /// Why, and how the person asked for it, at least 10 characters; kept for ever.
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    enterprise_id: Option<String>,
    #[command(flatten)]
    person: PersonArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ClaimArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    enterprise_id: Option<String>,
    #[command(flatten)]
    person: PersonArgs,
    /// Why you care for this person now, at least 10 characters; a privacy officer reads it. Nothing clinical.
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct BreakGlassArgs {
    /// The broker's name for the person; without it, the person is looked for.
    #[arg(value_name = "ENTERPRISE_ID")]
    enterprise_id: Option<String>,
    #[command(flatten)]
    person: PersonArgs,
    /// Why: emergency_treatment, safeguarding_person, safeguarding_others, person_asked, best_interests. A court's order
    /// is no such reason: it goes to the source that holds the record.
    #[arg(long, value_name = "CODE")]
    code: String,
    /// Why in your words, at least 10 characters, and not those of the last time; a privacy officer reads it. Nothing
    /// clinical.
    #[arg(long)]
    reason: String,
    /// For how many minutes, 1 to 60.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=60))]
    minutes: u32,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct QueueArgs {
    /// List what was reviewed for good, too.
    #[arg(long)]
    all: bool,
    /// Entries at most, 1 to 1000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(subcommand)]
    command: Option<QueueCommand>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum QueueCommand {
    /// Review one entry; never your own.
    Review(ReviewOneArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ReviewOneArgs {
    /// The entry's id.
    id: String,
    /// What came of it: justified, not_justified (what it opened is closed at once), follow_up (it stays in the queue).
    #[arg(long)]
    verdict: String,
    /// A note, at least 10 characters; may be left out where it was justified.
    #[arg(long, default_value = "")]
    note: String,
}

pub(crate) async fn directive(
    cli: &Cli,
    client: &Client,
    style: &Style,
    command: &DirectiveCommand,
) -> Result<Said, Failure> {
    let directives = match command {
        DirectiveCommand::Enter(args) => {
            let terms = terms(args, style)?;
            match target(client, args.enterprise_id.as_ref(), &args.person).await? {
                Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
                Target::Person(id, person) => {
                    vec![client.enter_directive(&id, &person, terms, &client.new_act()).await?]
                }
            }
        }
        DirectiveCommand::Withdraw(args) => {
            vec![client.withdraw_directive(&args.directive_id, &args.reason, &client.new_act()).await?]
        }
        DirectiveCommand::List(args) => match target(client, args.enterprise_id.as_ref(), &args.person).await? {
            Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
            Target::Person(id, _) => client.list_directives(&id).await?,
        },
    };
    let view = json!({ "directives": directives.iter().map(directive_view).collect::<Vec<_>>() });
    Ok(Said::either(cli, Exit::Done, &view, || show::render_directives(&directives, style)))
}

fn terms(args: &EnterArgs, style: &Style) -> Result<DirectiveTerms, Failure> {
    let moment = |option: &str, text: &Option<String>| {
        text.as_ref().map_or(Ok(0), |text| read_moment(option, text, &style.zone))
    };
    let mut terms = DirectiveTerms {
        from_ms: moment("--from", &args.from)?,
        until_ms: moment("--until", &args.until)?,
        reason: args.reason.clone(),
        ..DirectiveTerms::default()
    };
    let kind = if args.opt_out {
        DirectiveKind::OptOut
    } else if let Some(source) = &args.dissent {
        terms.source_id.clone_from(source);
        DirectiveKind::Dissent
    } else if let Some(ods) = &args.not_organisation {
        terms.organisation_ods.clone_from(ods);
        DirectiveKind::Organisation
    } else if let [issuer, user] = args.not_user.as_slice() {
        (terms.user_issuer, terms.user_id) = (issuer.clone(), user.clone());
        DirectiveKind::User
    } else {
        terms.datasets = args.not_datasets.iter().map(read_dataset).collect::<Result<_, _>>()?;
        DirectiveKind::Datasets
    };
    terms.kind = kind.into();
    Ok(terms)
}

fn read_dataset(word: &String) -> Result<i32, Failure> {
    let dataset = dataset_from_word(word.trim());
    dataset.map(i32::from).ok_or_else(|| {
        let all = severn_trust::ALL_DATASETS.map(dataset_word).join(", ");
        Failure::Usage(format!("--not-datasets: {word:?} is no dataset; there are {all}"))
    })
}

pub(crate) async fn claim(cli: &Cli, client: &Client, style: &Style, args: &ClaimArgs) -> Result<Said, Failure> {
    let (id, person) = match target(client, args.enterprise_id.as_ref(), &args.person).await? {
        Target::Person(id, person) => (id, person),
        Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
    };
    let claimed = client.claim_relationship(&id, &person, &args.reason, &client.new_act()).await?;
    let view = json!({ "claim_id": claimed.claim_id, "until_ms": claimed.until_ms, "enterprise_id": id });
    Ok(Said::either(cli, Exit::Done, &view, || show::render_claimed(&claimed, style)))
}

pub(crate) async fn break_glass(
    cli: &Cli,
    client: &Client,
    style: &Style,
    args: &BreakGlassArgs,
) -> Result<Said, Failure> {
    let glass = Glass { reason: read_code(&args.code)?, text: args.reason.clone(), minutes: args.minutes };
    let (id, person) = match target(client, args.enterprise_id.as_ref(), &args.person).await? {
        Target::Person(id, person) => (id, person),
        Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
    };
    let opened = client.open_override(&id, &person, &glass, &client.new_act()).await?;
    let view = json!({ "override_id": opened.override_id, "expires_ms": opened.expires_ms, "enterprise_id": id });
    Ok(Said::either(cli, Exit::Done, &view, || show::render_broken(&opened, &person, style)))
}

fn read_code(word: &str) -> Result<OverrideReason, Failure> {
    let known = (1..).map_while(|number| OverrideReason::try_from(number).ok());
    known.clone().find(|reason| reason_word(*reason) == word.trim()).ok_or_else(|| {
        let all: Vec<String> = known.map(reason_word).collect();
        Failure::Usage(format!("--code: {word:?} is no reason to break the glass; there are {}", all.join(", ")))
    })
}

pub(crate) async fn queue(cli: &Cli, client: &Client, style: &Style, args: &QueueArgs) -> Result<Said, Failure> {
    if let Some(QueueCommand::Review(args)) = &args.command {
        let verdict = read_verdict(&args.verdict)?;
        client.record_review(&args.id, verdict, &args.note, &client.new_act()).await?;
        let view = json!({ "reviewed": args.id, "verdict": verdict_word(verdict) });
        return Ok(Said::either(cli, Exit::Done, &view, || "Reviewed.\n".into()));
    }
    let queue = client.oversight_queue(args.all, args.limit).await?;
    Ok(Said::either(cli, Exit::Done, &queue_view(&queue), || show::render_queue(&queue, style)))
}

fn read_verdict(word: &str) -> Result<OversightVerdict, Failure> {
    let known = (1..).map_while(|number| OversightVerdict::try_from(number).ok());
    known.clone().find(|verdict| verdict_word(*verdict) == word.trim()).ok_or_else(|| {
        let all: Vec<String> = known.map(verdict_word).collect();
        Failure::Usage(format!("--verdict: {word:?} is none; there are {}", all.join(", ")))
    })
}

fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

pub(crate) fn reason_word(reason: OverrideReason) -> String {
    word(reason.as_str_name(), "OVERRIDE_REASON_")
}

pub(crate) fn verdict_word(verdict: OversightVerdict) -> String {
    word(verdict.as_str_name(), "OVERSIGHT_VERDICT_")
}

fn directive_view(directive: &Directive) -> Value {
    let terms = directive.terms.clone().unwrap_or_default();
    let datasets = terms.datasets.iter().filter_map(|number| Dataset::try_from(*number).ok());
    json!({
        "id": directive.id,
        "kind": word(terms.kind().as_str_name(), "DIRECTIVE_KIND_"),
        "source_id": terms.source_id,
        "organisation_ods": terms.organisation_ods,
        "user_issuer": terms.user_issuer,
        "user_id": terms.user_id,
        "datasets": datasets.map(dataset_word).collect::<Vec<_>>(),
        "from_ms": terms.from_ms,
        "until_ms": terms.until_ms,
        "reason": terms.reason,
        "version": directive.version,
        "in_force": directive.in_force,
        "entered_at_ms": directive.entered_at_ms,
        "entered_by": directive.entered_by,
        "withdrawn_at_ms": directive.withdrawn_at_ms,
        "withdrawn_by": directive.withdrawn_by,
        "withdrawn_reason": directive.withdrawn_reason,
    })
}

fn queue_view(queue: &OversightQueueResponse) -> Value {
    let entry = |entry: &OversightEntry| {
        let reviews = entry.reviews.iter().map(|review| {
            json!({
                "by": review.by,
                "at_ms": review.at_ms,
                "verdict": verdict_word(review.verdict()),
                "note": review.note,
            })
        });
        let notices = entry.notices.iter().map(|notice| {
            json!({
                "source_id": notice.source_id,
                "organisation_ods": notice.organisation_ods,
                "state": word(notice.state().as_str_name(), "NOTICE_STATE_"),
                "delivered_at_ms": notice.delivered_at_ms,
            })
        });
        let registrations = entry.registrations.iter();
        json!({
            "id": entry.id,
            "kind": word(entry.kind().as_str_name(), "OVERSIGHT_KIND_"),
            "at_ms": entry.at_ms,
            "until_ms": entry.until_ms,
            "user": entry.user,
            "role": entry.role,
            "organisation_ods": entry.organisation_ods,
            "reason": (entry.kind() == OversightKind::Override).then(|| reason_word(entry.reason())),
            "text": entry.text,
            "enterprise_id": entry.enterprise_id,
            "registrations": registrations
                .map(|r| json!({ "source_id": r.source_id, "local_id": r.local_id }))
                .collect::<Vec<_>>(),
            "reviews": reviews.collect::<Vec<_>>(),
            "waiting": entry.waiting,
            "notices": notices.collect::<Vec<_>>(),
        })
    };
    json!({ "entries": queue.entries.iter().map(entry).collect::<Vec<_>>(), "more": queue.more })
}
