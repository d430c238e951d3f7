//! What a steward's commands do.

use crate::{
    args::{Cli, HistoryArgs, LinkArgs, ReviewArgs, UnlinkArgs},
    dates::read_moment,
    json,
    said::{Exit, Failure, Said},
    show::{self, Style},
};
use severn_client::Client;
use severn_proto::v1::RegistrationRef;

pub(crate) async fn review(cli: &Cli, client: &Client, style: &Style, args: &ReviewArgs) -> Result<Said, Failure> {
    let pairs = client.review_queue(args.limit).await?;
    Ok(Said::either(cli, Exit::Done, &json::review(&pairs), || show::render_review(&pairs, style)))
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

pub(crate) async fn history(cli: &Cli, client: &Client, style: &Style, args: &HistoryArgs) -> Result<Said, Failure> {
    let read = |at: &String| {
        let wrong = "--at is no moment; write 2026-03-03, for the end of that day, or 2026-03-03T14:30";
        read_moment(at, &style.zone).ok_or_else(|| Failure::Usage(wrong.into()))
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
    Said::either(cli, Exit::Done, &view, || format!("{words} {}.\n", severn_client::neutralise(id)))
}
