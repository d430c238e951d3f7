//! Retrieving a record: part by part, under one timer that covers the whole stream.

use crate::{
    answer::{Answer, Flaw},
    assembly::{Asked, Assembly},
    client::{Client, ClientError, refused},
};
use severn_proto::{
    v1::{Dataset, Demographics, Ledger, Opened, RetrieveRecordRequest, Section},
    v1_passing::RetrieveRecordResponse,
};
use severn_trust::{ALL_DATASETS, PersonKeys};
use std::{fmt, time::Duration};
use tokio::time::{Instant, timeout_at};
use tonic::Streaming;

/// How long the broker may take where the caller does not say.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(3);
/// The longest deadline there is.
pub const DEADLINE_MAX: Duration = Duration::from_secs(10);

/// What the client waits beyond the deadline, for the way there and back.
const GRACE: Duration = Duration::from_secs(1);

/// A part of an answer that has passed its own checks. Whether the whole is complete is known only at its end.
#[derive(Clone, PartialEq)]
pub enum Provisional {
    /// What was asked, and of how many.
    Opened(Box<Opened>),
    /// All items of one dataset.
    Section(Section),
    /// What became of every source.
    Ledger(Ledger),
}

impl fmt::Debug for Provisional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Provisional::Opened(_) => "Opened(…)",
            Provisional::Section(_) => "Section(…)",
            Provisional::Ledger(_) => "Ledger(…)",
        })
    }
}

/// An answer that is arriving. Dropping it ends the query.
pub struct Retrieval {
    stream: Streaming<RetrieveRecordResponse>,
    ends: Instant,
    assembly: Assembly,
    ended: Option<Ended>,
}

/// How a stream ended.
#[derive(Clone)]
enum Ended {
    InOrder,
    WithFlaw(Flaw),
    BeforeAnything(ClientError),
}

impl fmt::Debug for Retrieval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retrieval({:?})", self.assembly.received())
    }
}

impl Client {
    /// Retrieves the record of `enterprise_id`, who must be `person` (as far as the caller knows them: an NHS number,
    /// or birth date and family name). No `datasets` means all. Takes at most `deadline` and one second.
    ///
    /// # Errors
    /// [`ClientError`] if there is no answer at all; an answer that breaks off is [`Answer::Incomplete`].
    pub async fn retrieve(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        datasets: &[Dataset],
        deadline: Duration,
    ) -> Result<Answer, ClientError> {
        self.retrieve_stream(enterprise_id, person, datasets, deadline).await?.finish().await
    }

    /// The same, part by part.
    ///
    /// # Errors
    /// [`ClientError`] if the question cannot be asked or is refused.
    pub async fn retrieve_stream(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        datasets: &[Dataset],
        deadline: Duration,
    ) -> Result<Retrieval, ClientError> {
        let deadline_ms = whole_milliseconds(deadline)?;
        let keys = PersonKeys::of(person);
        if keys == PersonKeys::default() {
            return Err(ClientError::Question(
                "say who is meant: an NHS number, or a whole birth date and a family name",
            ));
        }
        let datasets = if datasets.is_empty() { &ALL_DATASETS } else { datasets };
        let signed = self.sign(&keys, datasets)?;
        let enterprise_id = enterprise_id.to_owned();
        let request =
            RetrieveRecordRequest { context: Some(signed.context), enterprise_id: enterprise_id.clone(), deadline_ms };
        let asked =
            Asked { query_id: signed.query_id, enterprise_id, datasets: datasets.to_vec(), person: signed.commitments };
        let ends = Instant::now() + deadline + GRACE;
        let mut broker = self.broker();
        let stream = match timeout_at(ends, broker.retrieve_record(request)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(refused(&status)),
            Err(_) => return Err(ClientError::Timeout),
        };
        Ok(Retrieval { stream, ends, assembly: Assembly::new(asked), ended: None })
    }
}

fn whole_milliseconds(deadline: Duration) -> Result<u32, ClientError> {
    if deadline.is_zero() || deadline > DEADLINE_MAX {
        return Err(ClientError::Question("the deadline must be between 1 and 10000 milliseconds"));
    }
    Ok(u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX).max(1))
}

impl Retrieval {
    /// The next part; `None` at the end, whatever the end is. Only [`Retrieval::finish`] says whether all is there.
    pub async fn next(&mut self) -> Option<Provisional> {
        while self.ended.is_none() {
            self.step().await;
            let received = self.assembly.received();
            let newest = match &self.ended {
                Some(_) => None,
                None if received.seal.is_some() => continue,
                None => Some(received),
            }?;
            return match (&newest.ledger, newest.sections.last(), &newest.opened) {
                (Some(ledger), _, _) => Some(Provisional::Ledger(ledger.clone())),
                (None, Some(section), _) => Some(Provisional::Section(section.clone())),
                (None, None, Some(opened)) => Some(Provisional::Opened(Box::new(opened.clone()))),
                (None, None, None) => None,
            };
        }
        None
    }

    /// Waits for what is left, and judges the whole.
    ///
    /// # Errors
    /// [`ClientError`] if nothing arrived at all.
    pub async fn finish(mut self) -> Result<Answer, ClientError> {
        loop {
            match self.ended.clone() {
                None => self.step().await,
                Some(Ended::InOrder) => return Ok(self.assembly.close()),
                Some(Ended::WithFlaw(flaw)) => return Ok(self.assembly.refuse(flaw)),
                Some(Ended::BeforeAnything(error)) => return Err(error),
            }
        }
    }

    /// Takes one part, or notes how the stream ended.
    async fn step(&mut self) {
        let nothing_yet = self.assembly.is_empty();
        let ended = match timeout_at(self.ends, self.stream.message()).await {
            Ok(Ok(Some(response))) => match self.assembly.take(response) {
                Ok(()) => return,
                Err(flaw) => Ended::WithFlaw(flaw),
            },
            Ok(Ok(None)) => Ended::InOrder,
            Ok(Err(status)) if nothing_yet => Ended::BeforeAnything(refused(&status)),
            Ok(Err(_)) => Ended::WithFlaw(Flaw::BrokenOff),
            Err(_) if nothing_yet => Ended::BeforeAnything(ClientError::Timeout),
            Err(_) => Ended::WithFlaw(Flaw::TimedOut),
        };
        self.ended = Some(ended);
    }
}
