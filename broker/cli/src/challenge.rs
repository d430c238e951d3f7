//! Telling a source that an entry is wrong or another person's, and reading what its owner answers.

use crate::{
    args::{ChallengeArgs, ChallengesArgs, Cli},
    said::{Exit, Failure, Said},
    show::{self, Style},
};
use serde_json::{Value, json};
use severn_client::Client;
use severn_proto::v1::{Challenge, ChallengeKind, Dataset, ListChallengesResponse, ReportedChallenge};
use severn_trust::{challenge_kind_word, challenge_state_word, dataset_from_word, dataset_word};

pub(crate) async fn challenge(
    cli: &Cli,
    client: &Client,
    style: &Style,
    args: &ChallengeArgs,
) -> Result<Said, Failure> {
    let person = args.person.demographics().map_err(Failure::Usage)?;
    let challenge = read(args)?;
    let taken = client.challenge(&args.enterprise_id, &person, &challenge).await?;
    let view = json!({
        "challenge_id": taken.challenge_id,
        "taken_at_ms": taken.taken_at_ms,
        "already_taken": taken.already_taken,
    });
    Ok(Said::either(cli, Exit::Done, &view, || show::render_delivered(&taken, &args.holder, style)))
}

fn read(args: &ChallengeArgs) -> Result<Challenge, Failure> {
    let dataset = match &args.dataset {
        None => Dataset::Demographics,
        Some(word) => dataset_from_word(word).ok_or_else(|| {
            Failure::Usage(format!("{word:?} is no dataset; severn record --ids shows the dataset of every entry"))
        })?,
    };
    let kind = if args.wrong { ChallengeKind::Wrong } else { ChallengeKind::OtherPerson };
    Ok(Challenge {
        source_id: args.holder.clone(),
        dataset: dataset.into(),
        entry_id: args.entry_id.clone().unwrap_or_default(),
        kind: kind.into(),
        note: args.note.clone().unwrap_or_default(),
    })
}

pub(crate) async fn challenges(
    cli: &Cli,
    client: &Client,
    style: &Style,
    args: &ChallengesArgs,
) -> Result<Said, Failure> {
    let listed = client.list_challenges(args.enterprise_id.as_deref()).await?;
    Ok(Said::either(cli, Exit::Done, &view(&listed), || show::render_challenges(&listed, style)))
}

fn view(listed: &ListChallengesResponse) -> Value {
    json!({
        "challenges": listed.challenges.iter().map(view_of_one).collect::<Vec<_>>(),
        "truncated": listed.truncated,
        "silent_source_ids": listed.silent_source_ids,
    })
}

fn view_of_one(challenge: &ReportedChallenge) -> Value {
    let taken = challenge.taken.clone().unwrap_or_default();
    json!({
        "challenge_id": taken.challenge_id,
        "enterprise_id": challenge.enterprise_id,
        "source_id": challenge.source_id,
        "dataset": dataset_word(taken.dataset()),
        "entry_id": taken.entry_id,
        "kind": challenge_kind_word(taken.kind()),
        "reported_by": taken.reported_by,
        "taken_at_ms": taken.taken_at_ms,
        "state": challenge_state_word(taken.state()),
        "answer": taken.answer,
        "answered_at_ms": taken.answered_at_ms,
    })
}
