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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;
    use clap::Parser as _;

    /// What a command line says back; `None` if it makes no sense.
    fn said(line: &str) -> Option<Challenge> {
        let words = format!("severn challenge {line} --nhs 9434765919");
        let Command::Challenge(args) = Cli::try_parse_from(words.split(' ')).ok()?.command else { return None };
        read(&args).ok()
    }

    #[test]
    fn an_entry_is_wrong_or_anothers_and_a_record_can_only_be_anothers() {
        let entry = said("e1 RRK allergies a1 --wrong --note no").unwrap();
        assert_eq!((entry.dataset(), entry.kind(), &*entry.entry_id), (Dataset::Allergies, ChallengeKind::Wrong, "a1"));
        let others = said("e1 RRK allergies a1 --not-this-person").unwrap();
        assert_eq!((others.kind(), &*others.note), (ChallengeKind::OtherPerson, ""));
        let record = said("e1 RRK --not-this-person").unwrap();
        assert_eq!((record.dataset(), &*record.entry_id), (Dataset::Demographics, ""));
        for line in [
            "e1 RRK allergies a1",
            "e1 RRK allergies a1 --wrong",
            "e1 RRK allergies a1 --wrong --not-this-person --note no",
            "e1 RRK allergies --not-this-person",
            "e1 RRK allergys a1 --not-this-person",
            "e1",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
