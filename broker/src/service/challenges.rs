//! `Challenges`: what a reader says back to a source, and what its owner answers. The trail knows that a challenge was
//! passed on before it is; note and answer only pass through.

use super::{access_status, audit_status, context_of, enterprise_id, from_app, index_status, retrieve_status};
use crate::{
    access::Act,
    audit::{Delivered, challenge_details},
    fanout::no_such_entry,
    model::{EnterpriseId, Plan, Question, SourceId},
    retrieve::Broker,
};
use futures::future::join_all;
use severn_proto::v1::{
    Challenge, ChallengeRequest, ChallengeResponse, ChallengeState, ListChallengesRequest, ListChallengesResponse,
    ListTakenResponse, ReportedChallenge, RequestContext, TakeChallengeResponse, TakenChallenge,
    challenges_server::Challenges,
};
use severn_trust::{Details, Proof, User, read_challenge, sha256};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

/// How long a source may take to take a challenge, or to list what it took.
const CHALLENGE_MAX: Duration = Duration::from_secs(10);

/// Challenges that one answer lists.
const LISTED_MAX: usize = 1000;

pub(super) struct Challenging {
    broker: Arc<Broker>,
}

impl Challenging {
    pub(super) fn new(broker: Arc<Broker>) -> Challenging {
        Challenging { broker }
    }
}

#[tonic::async_trait]
impl Challenges for Challenging {
    async fn challenge(&self, request: Request<ChallengeRequest>) -> Result<Response<ChallengeResponse>, Status> {
        from_app(&request)?;
        Ok(Response::new(challenge(&self.broker, request.into_inner()).await?))
    }

    async fn list_challenges(
        &self,
        request: Request<ListChallengesRequest>,
    ) -> Result<Response<ListChallengesResponse>, Status> {
        from_app(&request)?;
        Ok(Response::new(list(&self.broker, request.into_inner()).await?))
    }
}

async fn challenge(broker: &Broker, request: ChallengeRequest) -> Result<ChallengeResponse, Status> {
    let deadline = Instant::now() + CHALLENGE_MAX;
    let person = enterprise_id(&request.enterprise_id)?;
    let challenge = read_challenge(&request.challenge).map_err(|error| Status::invalid_argument(error.0))?;
    let context = context_of(request.context)?;
    let about = (person.to_string(), challenge_details(&challenge));
    let who = broker.admit_act(&context, Act::Challenge, "challenge", (&about.0, about.1)).await?;
    let signed = who.1.challenge == Some(sha256(&[&request.challenge]));
    let question = broker.question_of(who, person, context).await?;
    if !signed || !question.datasets.contains(&challenge.dataset()) {
        let why = "the request proof does not cover this challenge; sign its SHA-256 and its dataset";
        broker.audit.not_answered(&question, why).await.map_err(audit_status)?;
        return Err(Status::permission_denied(why));
    }
    let question = Question { datasets: vec![challenge.dataset()], ..question };
    let found = broker.locate(&question).await.map_err(retrieve_status)?;
    let (_, mut plan) = broker.plan(&question, found).await.map_err(retrieve_status)?;
    plan.sources.retain(|planned| *planned.source.id.0 == *challenge.source_id && !planned.ask.is_empty());
    match broker.deliver(&plan, &question, &request.challenge, deadline).await {
        Ok(taken) => broker.acknowledge(&question, &challenge, taken).await,
        Err(refused) => {
            broker.audit.not_answered(&question, refused.message()).await.map_err(audit_status)?;
            Err(refused)
        }
    }
}

impl Broker {
    /// The question that a challenge is, for locating the person and planning.
    async fn question_of(
        &self,
        who: (User, Proof),
        person: EnterpriseId,
        context: RequestContext,
    ) -> Result<Question, Status> {
        match self.access.question(who.clone(), person, context, CHALLENGE_MAX) {
            Ok(question) => Ok(question),
            Err(error) => {
                let (person, why) = (person.to_string(), error.to_string());
                self.audit.refused("challenge", Some(&who), &person, &why).await.map_err(audit_status)?;
                Err(access_status(error))
            }
        }
    }

    /// Passes the challenge on to the source. One that knows the person under several local ids is asked about each.
    async fn deliver(
        &self,
        plan: &Plan,
        question: &Question,
        challenge: &[u8],
        deadline: Instant,
    ) -> Result<TakeChallengeResponse, Status> {
        // The same words as where the source itself says so.
        let mut refused = no_such_entry();
        for planned in &plan.sources {
            match self.fanout.challenge(planned, question, challenge.to_vec(), deadline).await {
                Err(status) if status.code() == Code::NotFound => refused = status,
                taken => return taken,
            }
        }
        Err(refused)
    }

    async fn acknowledge(
        &self,
        question: &Question,
        challenge: &Challenge,
        taken: TakeChallengeResponse,
    ) -> Result<ChallengeResponse, Status> {
        self.audit.delivered(question, challenge, &taken.challenge_id).await.map_err(audit_status)?;
        Ok(ChallengeResponse {
            challenge_id: taken.challenge_id,
            taken_at_ms: taken.taken_at_ms,
            already_taken: taken.already_taken,
        })
    }
}

async fn list(broker: &Arc<Broker>, request: ListChallengesRequest) -> Result<ListChallengesResponse, Status> {
    let deadline = Instant::now() + CHALLENGE_MAX;
    let person = match request.enterprise_id.as_str() {
        "" => None,
        id => Some(enterprise_id(id)?),
    };
    let context = context_of(request.context)?;
    let about = person.map(|id| id.to_string()).unwrap_or_default();
    let who = broker.admit_act(&context, Act::Challenge, "challenges", (&about, Details::default())).await?;
    let names = person.map(|id| broker.index.ids(id)).transpose().map_err(index_status)?;
    let names: Option<BTreeSet<String>> = names.map(|ids| ids.iter().map(EnterpriseId::to_string).collect());
    let mut known = known(broker, who.0.clone()).await?;
    if let Some(names) = &names {
        known.retain(|delivered| names.contains(&delivered.person));
    }
    let sources: BTreeSet<SourceId> = known.iter().map(|delivered| delivered.source.clone()).collect();
    let query = (who.1.query_id, &context);
    let asked = sources.into_iter().map(|source| async move {
        let listed = broker.fanout.list_taken(&source, query, deadline).await;
        (source, listed)
    });
    let response = put_together(&known, join_all(asked).await, names.is_some());
    let listed: Vec<&str> =
        response.challenges.iter().filter_map(|c| Some(c.taken.as_ref()?.challenge_id.as_str())).collect();
    let listed = Details::default().with("listed", &listed).with("silent", &response.silent_source_ids);
    broker.audit.act("challenges-listed", &who, &about, listed).await.map_err(audit_status)?;
    Ok(response)
}

/// What the trail knows of the challenges of the user's organisation.
async fn known(broker: &Arc<Broker>, user: User) -> Result<Vec<Delivered>, Status> {
    let broker = Arc::clone(broker);
    // The whole trail is read: that belongs on a thread of its own.
    let known = tokio::task::spawn_blocking(move || broker.audit.challenges_of(&user));
    let failed = |_| Status::unavailable("the list could not be made; try again");
    known.await.map_err(failed)?.map_err(audit_status)
}

/// What the sources say, and of the user's own challenges also that a source says nothing. A source's word on what this
/// broker did not pass on stands without a person, unless one person's are asked for.
fn put_together(
    known: &[Delivered],
    answers: Vec<(SourceId, Option<ListTakenResponse>)>,
    of_one_person: bool,
) -> ListChallengesResponse {
    let persons: HashMap<(&SourceId, &str), &str> =
        known.iter().map(|d| ((&d.source, d.challenge_id.as_str()), d.person.as_str())).collect();
    let (mut challenges, mut silent_source_ids, mut truncated) = (Vec::new(), Vec::new(), false);
    for (source, answer) in answers {
        let state = if answer.is_some() { ChallengeState::NotListed } else { ChallengeState::NoAnswer };
        let said = answer.unwrap_or_else(|| {
            silent_source_ids.push(source.to_string());
            ListTakenResponse::default()
        });
        truncated |= said.truncated;
        let of_source = known.iter().filter(|delivered| delivered.own && delivered.source == source);
        let unsaid = of_source.filter(|d| !said.challenges.iter().any(|taken| taken.challenge_id == d.challenge_id));
        let unsaid: Vec<TakenChallenge> = unsaid.map(|delivered| without_word(delivered, state)).collect();
        for taken in said.challenges.into_iter().chain(unsaid) {
            let person = persons.get(&(&source, taken.challenge_id.as_str())).copied();
            if person.is_some() || !of_one_person {
                let (enterprise_id, source_id) = (person.unwrap_or_default().to_owned(), source.to_string());
                challenges.push(ReportedChallenge { enterprise_id, source_id, taken: Some(taken) });
            }
        }
    }
    challenges.sort_by_cached_key(|challenge| {
        let (at_ms, id) = challenge.taken.as_ref().map_or((0, ""), |t| (t.taken_at_ms, t.challenge_id.as_str()));
        (Reverse(at_ms), challenge.source_id.clone(), id.to_owned())
    });
    truncated |= challenges.len() > LISTED_MAX;
    challenges.truncate(LISTED_MAX);
    ListChallengesResponse { challenges, truncated, silent_source_ids }
}

/// A challenge of which its source says nothing now.
fn without_word(delivered: &Delivered, state: ChallengeState) -> TakenChallenge {
    TakenChallenge {
        challenge_id: delivered.challenge_id.clone(),
        dataset: delivered.dataset.into(),
        entry_id: delivered.entry_id.clone(),
        kind: delivered.kind.into(),
        reported_by: delivered.reported_by.clone(),
        taken_at_ms: delivered.at_ms,
        state: state.into(),
        ..TakenChallenge::default()
    }
}
