//! Spine 1: from the question to the sealed answer. All decisions about the journey are in [`Broker::retrieve`];
//! the stages compute.

use crate::{
    access::{Access, AccessError},
    audit::Audit,
    fanout::Fanout,
    index::{Index, IndexError},
    merge::{self, Rules},
    model::{EnterpriseId, Person, Plan, Question, SealedRecord, Source, SourceId},
};
use severn_proto::{
    v1::{Opened, RequestContext},
    v1_passing::{RetrieveRecordResponse, retrieve_record_response::Part},
};
use severn_trust::{KeyError, TrailError};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// The stages, put together once at start.
pub struct Broker {
    /// Intent and manifest.
    pub audit: Audit,
    /// Who asks, and what may be asked.
    pub access: Access,
    /// Who is who.
    pub index: Arc<Index>,
    /// The sources.
    pub fanout: Fanout,
    /// The rules of the merge, with their tables.
    pub rules: Rules,
}

/// A request for a record, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Token and proof.
    pub context: RequestContext,
    /// Whom it is about.
    pub person: EnterpriseId,
    /// How long the answer may take.
    pub deadline: Duration,
}

/// Why there is no answer at all. What a source does is never an error; it stands in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// The requester may not ask.
    #[error("access denied: {0}")]
    AccessDenied(#[from] AccessError),
    /// The index does not know the person.
    #[error("the index does not know this person; find the person again")]
    UnknownPerson,
    /// The index cannot answer.
    #[error("the index cannot answer: {0}")]
    IndexUnavailable(#[from] IndexError),
    /// The trail cannot be written.
    #[error("{0}")]
    AuditUnavailable(#[from] TrailError),
    /// The broker cannot sign what it asks.
    #[error("the broker cannot sign its requests: {0}")]
    CannotSign(#[from] KeyError),
    /// The asker has gone, or reads too slowly.
    #[error("the asker has gone or does not read the answer")]
    AskerGone,
    /// The broker's own disk or index took too long.
    #[error("the broker itself took too long; what was sent is incomplete, ask again")]
    TooLate,
}

/// Where the parts of an answer go.
pub type Outgoing = mpsc::Sender<RetrieveRecordResponse>;

/// How long after its deadline a query is given up, wherever it hangs: the sources are bound by the deadline itself.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// How long the parts of an answer may wait for a slow reader once they are ready.
const READER_MAX: Duration = Duration::from_secs(10);

impl Broker {
    /// Answers one request, or says why not. Parts go to `out` as they become ready; the seal is the last.
    ///
    /// # Errors
    /// [`RetrieveError`]; parts sent before it are not an answer, since no seal follows.
    pub async fn retrieve(&self, asked: Asked, out: &Outgoing) -> Result<(), RetrieveError> {
        let deadline = Instant::now() + asked.deadline;
        let question = self.admit(asked).await?;
        self.audit.intent("intent", &question).await?;

        let person = self.locate(&question).await?;
        let (person, plan) = self.plan(&question, person).await?;
        send(out, opened(&question, &person, &plan)).await?;

        let replies = self.fanout.ask_all(&plan, &question, deadline).await?;
        let merged = merge::unify(&self.rules, &plan, &replies);

        self.audit.alarm(&question, &merged).await?;
        self.audit.seal(&question, (&plan, &replies), &merged).await?;
        release(merged.record, out).await
    }

    /// Checks who asks; a refusal is audited like an answer.
    pub(crate) async fn admit(&self, asked: Asked) -> Result<Question, RetrieveError> {
        let who = match self.access.admit(&asked.context) {
            Ok(who) => who,
            Err(error) => return Err(self.refuse("retrieve", None, asked.person, error).await),
        };
        let question = self.access.question(who.clone(), asked.person, asked.context, asked.deadline);
        match question.and_then(|question| self.access.count(&question).map(|()| question)) {
            Ok(question) => Ok(question),
            Err(error) => Err(self.refuse("retrieve", Some(&who), asked.person, error).await),
        }
    }

    async fn refuse(
        &self,
        action: &str,
        who: Option<&(severn_trust::User, severn_trust::Proof)>,
        person: EnterpriseId,
        error: AccessError,
    ) -> RetrieveError {
        match self.audit.refused(action, who, &person.to_string(), &error.to_string()).await {
            Ok(_) => error.into(),
            Err(trail) => trail.into(),
        }
    }

    /// The person and the sources that know them, if the person found is the one meant.
    pub(crate) async fn locate(&self, question: &Question) -> Result<Person, RetrieveError> {
        let found = self.index.locate(question.person)?.ok_or(RetrieveError::UnknownPerson);
        let refused = match found {
            Ok(person) => match self.access.confirm(question, &person) {
                Ok(()) => return Ok(person),
                Err(error) => RetrieveError::from(error),
            },
            Err(error) => error,
        };
        Err(self.not_answered(question, refused).await)
    }

    async fn not_answered(&self, question: &Question, refused: RetrieveError) -> RetrieveError {
        match self.audit.not_answered(question, &refused.to_string()).await {
            Ok(_) => refused,
            Err(trail) => trail.into(),
        }
    }

    /// Plans, and gives the person as the requester may know them. What only hidden sources say of the person decides what
    /// is hidden and nothing else, but for the mark of a restricted person; whom only they know, nobody knows.
    pub(crate) async fn plan(&self, question: &Question, person: Person) -> Result<(Person, Plan), RetrieveError> {
        let (person, plan) = self.plan_seen(question, person)?;
        match person.located.is_empty() {
            true => Err(self.not_answered(question, RetrieveError::UnknownPerson).await),
            false => Ok((person, plan)),
        }
    }

    fn plan_seen(&self, question: &Question, person: Person) -> Result<(Person, Plan), IndexError> {
        let facts = self.index.facts(&person, &question.user, |id| Some(self.source(id)?.ods.clone()))?;
        let of = |person: &Person| self.access.plan(question, (person, &facts), |id| self.source(id));
        let plan = of(&person);
        if plan.hidden.is_empty() {
            return Ok((person, plan));
        }
        let seen = self.index.locate_without(person, &plan.hidden)?;
        let mut again = of(&seen);
        again.hidden.extend(plan.hidden);
        Ok((self.index.locate_without(seen, &again.hidden)?, again))
    }

    pub(crate) fn source(&self, id: &SourceId) -> Option<Arc<Source>> {
        self.fanout.registry().get(id).map(|registered| Arc::clone(&registered.source))
    }
}

fn opened(question: &Question, person: &Person, plan: &Plan) -> Part {
    // A source that knows the person under two local ids is one source.
    let asked: BTreeSet<&SourceId> = plan.sources.iter().filter(|s| !s.ask.is_empty()).map(|s| &s.source.id).collect();
    Part::Opened(Opened {
        query_id: question.query_id.to_string(),
        enterprise_id: person.id.to_string(),
        golden: Some(person.golden.clone()),
        datasets: question.datasets.iter().map(|dataset| *dataset as i32).collect(),
        sources_asked: u32::try_from(asked.len()).unwrap_or(u32::MAX),
        deadline_ms: u32::try_from(question.deadline.as_millis()).unwrap_or(u32::MAX),
    })
}

/// Sends the record, crisis datasets first, the seal last.
async fn release(record: SealedRecord, out: &Outgoing) -> Result<(), RetrieveError> {
    for section in record.sections {
        send(out, Part::Section(section)).await?;
    }
    send(out, Part::Ledger(record.ledger)).await?;
    send(out, Part::Seal(record.seal)).await
}

async fn send(out: &Outgoing, part: Part) -> Result<(), RetrieveError> {
    let response = RetrieveRecordResponse { part: Some(part) };
    match tokio::time::timeout(READER_MAX, out.send(response)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(RetrieveError::AskerGone),
    }
}
