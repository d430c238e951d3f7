//! What a steward's commands do.

use crate::{
    args::{Cli, HistoryArgs, LaterArgs, LinkArgs, QualityArgs, ReviewArgs, UnlinkArgs},
    dates::{read_moment_or_end, show_moment},
    json::{self, review_kind_word},
    said::{Exit, Failure, Said},
    show::{self, Style},
};
use jiff::tz::TimeZone;
use severn_client::Client;
use severn_proto::v1::{RegistrationRef, ReviewKind};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;

pub(crate) async fn review(cli: &Cli, client: &Client, style: &Style, args: &ReviewArgs) -> Result<Said, Failure> {
    let queue = client.review_queue(args.limit, &read_kinds(&args.kinds)?).await?;
    Ok(Said::either(cli, Exit::Done, &json::review(&queue), || show::render_review(&queue, style)))
}

fn read_kinds(words: &[String]) -> Result<Vec<ReviewKind>, Failure> {
    let read = |word: &String| {
        let known = show::REVIEW_KINDS.into_iter().find(|kind| review_kind_word(*kind) == word.trim());
        known.ok_or_else(|| {
            let all = show::REVIEW_KINDS.map(review_kind_word).join(", ");
            Failure::Usage(format!("--kind: {word:?} is no kind of task; there are {all}"))
        })
    };
    words.iter().map(read).collect()
}

pub(crate) async fn link(cli: &Cli, client: &Client, args: &LinkArgs) -> Result<Said, Failure> {
    let decision = client.decide(&args.reason)?;
    let (a, b) = (registration(&args.source_a, &args.local_id_a), registration(&args.source_b, &args.local_id_b));
    let id = client.link(a, b, &decision).await?;
    Ok(say_person(cli, "Linked. Both belong to", &id))
}

pub(crate) async fn unlink(cli: &Cli, client: &Client, args: &UnlinkArgs) -> Result<Said, Failure> {
    let decision = client.decide(&args.reason)?;
    let id = client.unlink(registration(&args.source, &args.local_id), &decision).await?;
    Ok(say_person(cli, "Unlinked. The registration now belongs to", &id))
}

pub(crate) async fn different(cli: &Cli, client: &Client, args: &LinkArgs) -> Result<Said, Failure> {
    let decision = client.decide(&args.reason)?;
    let (a, b) = (registration(&args.source_a, &args.local_id_a), registration(&args.source_b, &args.local_id_b));
    client.tell_apart(a, b, &decision).await?;
    let view = serde_json::json!({ "told_apart": true });
    Ok(Said::either(cli, Exit::Done, &view, || "Told apart. They are two people, whatever the scores say.\n".into()))
}

pub(crate) async fn later(cli: &Cli, client: &Client, style: &Style, args: &LaterArgs) -> Result<Said, Failure> {
    let until_ms = match (&args.until, args.days) {
        (Some(until), _) => read_moment("--until", until, &style.zone)?,
        (None, days) => client.now_ms() + days.unwrap_or_default() * DAY_MS,
    };
    let decision = client.decide(&args.reason)?;
    let (a, b) = (registration(&args.source_a, &args.local_id_a), registration(&args.source_b, &args.local_id_b));
    client.postpone(a, b, until_ms, &decision).await?;
    let view = serde_json::json!({ "postponed_until_ms": until_ms });
    let shown = show_moment(until_ms, &style.zone);
    Ok(Said::either(cli, Exit::Done, &view, || {
        format!("Later. The pair comes back on {shown}, or when what is known of one of them changes.\n")
    }))
}

/// A moment that an option names.
pub(crate) fn read_moment(option: &str, text: &str, zone: &TimeZone) -> Result<i64, Failure> {
    let wrong = || Failure::Usage(format!("{option}: give a day or a moment, such as 2026-12-24 or 2026-12-24T14:30"));
    crate::dates::read_moment(text, zone).ok_or_else(wrong)
}

pub(crate) async fn quality(cli: &Cli, client: &Client, style: &Style, args: &QualityArgs) -> Result<Said, Failure> {
    let reports = client.source_quality(args.source.as_deref()).await?;
    Ok(Said::either(cli, Exit::Done, &json::quality(&reports), || show::render_quality(&reports, style)))
}

pub(crate) async fn history(cli: &Cli, client: &Client, style: &Style, args: &HistoryArgs) -> Result<Said, Failure> {
    let read = |at: &String| {
        let wrong = "--at is no moment; write 2026-03-03, for the end of that day, or 2026-03-03T14:30";
        read_moment_or_end(at, &style.zone).ok_or_else(|| Failure::Usage(wrong.into()))
    };
    let at_ms = args.at.as_ref().map(read).transpose()?;
    let history = client.history(&args.enterprise_id, at_ms.unwrap_or_default()).await?;
    Ok(Said::either(cli, Exit::Done, &json::history(&history), || show::render_history(&history, at_ms, style)))
}

fn registration(source_id: &str, local_id: &str) -> RegistrationRef {
    RegistrationRef { source_id: source_id.to_owned(), local_id: local_id.to_owned() }
}

fn say_person(cli: &Cli, words: &str, id: &str) -> Said {
    let view = serde_json::json!({ "enterprise_id": id });
    Said::either(cli, Exit::Done, &view, || format!("{words} {}.\n", severn_client::neutralise(id).text))
}
