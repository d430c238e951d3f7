//! What stewards decided, and taking back what one of them decided in some time. Each decision is taken back whole or
//! not at all, the newest first, so that none rests on one that is gone; run again, it goes on where it was.

use crate::{
    args::{Cli, DecisionsArgs, UndoArgs},
    json,
    said::{Exit, Failure, Said},
    show::{self, Style},
    steward::read_moment,
};
use severn_client::{Client, ClientError};
use severn_proto::v1::StewardDecision;

/// What became of a decision that was to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It would be taken back.
    Would,
    /// It is taken back.
    Done,
    /// It stays; the broker's words.
    Refused(String),
}

pub(crate) async fn decisions(
    cli: &Cli,
    client: &Client,
    style: &Style,
    args: &DecisionsArgs,
) -> Result<Said, Failure> {
    let moment = |option: &str, text: &Option<String>| {
        text.as_ref().map_or(Ok(0), |text| read_moment(option, text, &style.zone))
    };
    let (since_ms, until_ms) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    let decisions = client.decisions(args.by.as_deref().unwrap_or_default(), since_ms, until_ms).await?;
    Ok(Said::either(cli, Exit::Done, &json::decisions(&decisions), || show::render_decisions(&decisions, style)))
}

pub(crate) async fn undo(cli: &Cli, client: &Client, style: &Style, args: &UndoArgs) -> Result<Said, Failure> {
    let since_ms = read_moment("--since", &args.since, &style.zone)?;
    let until_ms = args.until.as_ref().map_or(Ok(0), |text| read_moment("--until", text, &style.zone))?;
    let mut decisions = client.decisions(&args.by, since_ms, until_ms).await?;
    decisions.retain(|decision| decision.can_be_taken_back);
    let mut undone: Vec<(StewardDecision, Undone)> = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let became = if args.dry_run { Undone::Would } else { take_back(client, &decision, &args.reason).await? };
        undone.push((decision, became));
    }
    let refused = undone.iter().any(|(_, became)| matches!(became, Undone::Refused(_)));
    let exit = if refused { Exit::Failed } else { Exit::Done };
    Ok(Said::either(cli, exit, &json::undone(&undone), || show::render_undone(&undone, style)))
}

/// What cannot be taken back stays, and says why; what the broker could not answer ends the whole.
async fn take_back(client: &Client, decision: &StewardDecision, reason: &str) -> Result<Undone, Failure> {
    match client.take_back(decision.sequence, &client.decide(reason)?).await {
        Ok(()) => Ok(Undone::Done),
        Err(ClientError::Refused { code: tonic::Code::FailedPrecondition, message }) => Ok(Undone::Refused(message)),
        Err(error) => Err(error.into()),
    }
}
