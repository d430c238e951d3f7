//! `Governance`: people's directives, claims, broken glass, and the privacy officers' queue. The trail knows of every act
//! before it is done; what an act rests on (free text) lies in the index's history only.

use super::{access_status, audit_status, context_of, enterprise_id, facts_status, from_app, index_status};
use crate::{
    access::{AccessError, Act},
    facts::{
        Actor, Change, ChangeKind, DirectiveKind, FactsError, OVERRIDE_LIFE_MS_MAX, OverrideReason, Queued, Waiting,
        Wanted, WhoseQueue, Wish,
    },
    index::IndexError,
    model::{EnterpriseId, Person},
    retrieve::Broker,
};
use severn_proto::v1::{
    ClaimRelationshipRequest, ClaimRelationshipResponse, EnterDirectiveRequest, EnterDirectiveResponse,
    ListDirectivesRequest, ListDirectivesResponse, OpenOverrideRequest, OpenOverrideResponse, OversightQueueRequest,
    OversightQueueResponse, RecordReviewRequest, RecordReviewResponse, RequestContext, WithdrawDirectiveRequest,
    WithdrawDirectiveResponse, governance_server::Governance,
};
use severn_trust::{Details, PersonKeys, Proof, User};
use std::sync::Arc;
use tonic::{Request, Response, Status};
use tracing::warn;
use uuid::Uuid;

mod told;
mod words;

use words::{directive_kind, entry, kind_word, override_reason, show_directive, verdict};

/// What the trail calls each act.
const ENTER: &str = "directive";
const WITHDRAW: &str = "withdraw-directive";
const CLAIM: &str = "claim";
const OVERRIDE: &str = "override";
const REVIEW: &str = "review";

/// Minutes of an override that names none.
const OVERRIDE_MINUTES: u32 = (OVERRIDE_LIFE_MS_MAX / MINUTE_MS) as u32;

const LIST_DEFAULT: u32 = 100;
const MINUTE_MS: i64 = 60_000;

pub(super) struct Governing {
    broker: Arc<Broker>,
}

impl Governing {
    pub(super) fn new(broker: Arc<Broker>) -> Governing {
        Governing { broker }
    }
}

/// What is about to be done: by which right, what the trail calls it, and what it says of it.
struct Doing<'d> {
    act: Act,
    action: &'static str,
    person: &'d str,
    details: Details,
}

#[tonic::async_trait]
impl Governance for Governing {
    async fn enter_directive(
        &self,
        request: Request<EnterDirectiveRequest>,
    ) -> Result<Response<EnterDirectiveResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let (person, key) = (enterprise_id(&request.enterprise_id)?, key_of(&request.idempotency_key)?);
        let terms = request.terms.ok_or_else(|| Status::invalid_argument("terms: say what the person wants"))?;
        let kind = directive_kind(&terms)?;
        if let DirectiveKind::Dissent { source } = &kind
            && self.broker.fanout.registry().get(source).is_none()
        {
            return Err(Status::invalid_argument("source_id: no such source; list the sources first"));
        }
        let details = Details::default()
            .with("directive", &key)
            .with("kind", &kind_word(&kind))
            .with("from_ms", &terms.from_ms)
            .with("until_ms", &terms.until_ms)
            .with("reason", &terms.reason);
        let doing = Doing { act: Act::Directives, action: ENTER, person: &person.to_string(), details };
        let what = Wanted::Directive { kind, from_ms: terms.from_ms, until_ms: terms.until_ms, reason: terms.reason };
        let context = context_of(request.context)?;
        let who = self.broker.admit_about(&context, doing, person).await?;
        self.broker.change(ENTER, who, Some(person), (key, what)).await?;
        Ok(Response::new(EnterDirectiveResponse { directive: Some(self.directive(person, key)?) }))
    }

    async fn withdraw_directive(
        &self,
        request: Request<WithdrawDirectiveRequest>,
    ) -> Result<Response<WithdrawDirectiveResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let (directive, key) = (uuid("directive_id", &request.directive_id)?, key_of(&request.idempotency_key)?);
        let entered = self.broker.index.facts_change(directive).map_err(index_status)?;
        let person = entered.and_then(|(_, change)| Some(change.subject?.person));
        let about = person.map(|person| person.to_string()).unwrap_or_default();
        let details = Details::default().with("directive", &directive).with("reason", &request.reason);
        let doing = Doing { act: Act::Directives, action: WITHDRAW, person: &about, details };
        let who = self.broker.admit_doing(&context_of(request.context)?, doing).await?;
        let what = Wanted::Withdrawal { directive, reason: request.reason };
        self.broker.change(WITHDRAW, who, person, (key, what)).await?;
        let person = person.ok_or_else(|| facts_status(&FactsError::UnknownDirective))?;
        Ok(Response::new(WithdrawDirectiveResponse { directive: Some(self.directive(person, directive)?) }))
    }

    async fn list_directives(
        &self,
        request: Request<ListDirectivesRequest>,
    ) -> Result<Response<ListDirectivesResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let person = enterprise_id(&request.enterprise_id)?;
        let doing = Doing {
            act: Act::Directives,
            action: "directives",
            person: &request.enterprise_id,
            details: Details::default(),
        };
        self.broker.admit_doing(&context_of(request.context)?, doing).await?;
        let directives = self.broker.index.directives(person).map_err(index_status)?;
        let directives = directives.ok_or_else(|| facts_status(&FactsError::UnknownPerson))?;
        let directives = directives.iter().map(show_directive).collect();
        Ok(Response::new(ListDirectivesResponse { directives }))
    }

    async fn claim_relationship(
        &self,
        request: Request<ClaimRelationshipRequest>,
    ) -> Result<Response<ClaimRelationshipResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let (person, key) = (enterprise_id(&request.enterprise_id)?, key_of(&request.idempotency_key)?);
        let details = Details::default().with("claim", &key).with("reason", &request.reason);
        let doing = Doing { act: Act::Claim, action: CLAIM, person: &person.to_string(), details };
        let who = self.broker.admit_about(&context_of(request.context)?, doing, person).await?;
        let per_day_max = self.broker.access.limits().claims_per_user_per_day;
        let what = Wanted::Claim { reason: request.reason, per_day_max };
        let claimed = self.broker.change(CLAIM, who, Some(person), (key, what)).await?;
        warn!(claim_id = %key, organisation = %claimed.by.organisation_ods, "relationship claimed; privacy officers review it");
        let ChangeKind::RelationshipClaimed { until_ms, .. } = claimed.kind else { return Err(other_key()) };
        Ok(Response::new(ClaimRelationshipResponse { claim_id: key.to_string(), until_ms }))
    }

    async fn open_override(
        &self,
        request: Request<OpenOverrideRequest>,
    ) -> Result<Response<OpenOverrideResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let (person, key) = (enterprise_id(&request.enterprise_id)?, key_of(&request.idempotency_key)?);
        let reason = override_reason(request.reason())?;
        let minutes = if request.minutes == 0 { OVERRIDE_MINUTES } else { request.minutes };
        let details =
            Details::default().with("override", &key).with("reason", &in_words(reason)).with("minutes", &minutes);
        let doing = Doing { act: Act::BreakGlass, action: OVERRIDE, person: &person.to_string(), details };
        let who = self.broker.admit_about(&context_of(request.context)?, doing, person).await?;
        let what = Wanted::Override {
            reason,
            text: request.text,
            minutes,
            authenticated_s: who.0.authenticated_s,
            per_day_max: self.broker.access.limits().overrides_per_user_per_day,
        };
        let opened = self.broker.change(OVERRIDE, who, Some(person), (key, what)).await?;
        warn!(
            override_id = %key,
            organisation = %opened.by.organisation_ods,
            reason = reason.word(),
            "the glass was broken; privacy officers review it"
        );
        let ChangeKind::OverrideOpened { expires_ms, .. } = opened.kind else { return Err(other_key()) };
        Ok(Response::new(OpenOverrideResponse { override_id: key.to_string(), expires_ms }))
    }

    async fn oversight_queue(
        &self,
        request: Request<OversightQueueRequest>,
    ) -> Result<Response<OversightQueueResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let doing = Doing { act: Act::Oversee, action: "queue", person: "", details: Details::default() };
        let (user, _) = self.broker.admit_doing(&context_of(request.context)?, doing).await?;
        let whose = self.broker.queue_of(&user);
        let waiting = if request.with_reviewed { Waiting::And } else { Waiting::Only };
        let limit = if request.limit == 0 { LIST_DEFAULT } else { request.limit };
        let queue = self.broker.index.facts_queue(&whose, waiting, limit as usize).map_err(index_status)?;
        let shown = |queued: &Queued| entry(queued, &whose, self.broker.deliveries(queued, &whose));
        let entries = queue.0.iter().map(shown).collect();
        Ok(Response::new(OversightQueueResponse { entries, more: queue.1 as u64 }))
    }

    async fn record_review(
        &self,
        request: Request<RecordReviewRequest>,
    ) -> Result<Response<RecordReviewResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let (of, key) = (uuid("id", &request.id)?, key_of(&request.idempotency_key)?);
        let verdict = verdict(request.verdict())?;
        let reviewed = self.broker.index.facts_change(of).map_err(index_status)?.map(|(_, change)| change);
        let person = reviewed.as_ref().and_then(|change| Some(change.subject.as_ref()?.person));
        let about = person.map(|person| person.to_string()).unwrap_or_default();
        let details = Details::default().with("of", &of).with("verdict", &verdict.word());
        let doing = Doing { act: Act::Oversee, action: REVIEW, person: &about, details };
        let who = self.broker.admit_doing(&context_of(request.context)?, doing).await?;
        let whose = self.broker.queue_of(&who.0);
        if !reviewed.is_some_and(|change| whose.includes(&change)) {
            // Another organisation's entry is told like one that is none.
            return Err(self.broker.refuse_act(REVIEW, &who, &about, FactsError::UnknownEntry.into()).await);
        }
        let what = Wanted::Review { of, verdict, note: request.note };
        self.broker.change(REVIEW, who, person, (key, what)).await?;
        Ok(Response::new(RecordReviewResponse {}))
    }
}

impl Governing {
    fn directive(&self, person: EnterpriseId, id: Uuid) -> Result<severn_proto::v1::Directive, Status> {
        let directives = self.broker.index.directives(person).map_err(index_status)?.unwrap_or_default();
        let found = directives.iter().find(|(directive, _)| directive.id == id);
        found.map(show_directive).ok_or_else(|| facts_status(&FactsError::UnknownDirective))
    }
}

impl Broker {
    async fn admit_doing(&self, context: &RequestContext, doing: Doing<'_>) -> Result<(User, Proof), Status> {
        let Doing { act, action, person, details } = doing;
        self.admit_act(context, act, action, (person, details)).await
    }

    /// The same for an act about a person, who must be the one that the proof commits to.
    async fn admit_about(
        &self,
        context: &RequestContext,
        doing: Doing<'_>,
        person: EnterpriseId,
    ) -> Result<(User, Proof), Status> {
        let (act, action) = (doing.act, doing.action);
        let who = self.admit_doing(context, doing).await?;
        let about = person.to_string();
        // Whoever asks for care must not learn by an act that a hidden source knows somebody.
        let for_care = matches!(act, Act::Claim | Act::BreakGlass);
        let hidden = |found: &Person| {
            let hidden = self.access.hidden(&who.0, found, |id| self.source(id));
            for_care && found.located.iter().all(|located| hidden.contains(&located.source))
        };
        let error = match self.index.locate(person).map_err(index_status)?.filter(|found| !hidden(found)) {
            None => return Err(self.refuse_act(action, &who, &about, FactsError::UnknownPerson.into()).await),
            Some(found) if who.1.person.agrees_with(&PersonKeys::of(&found.golden)) => return Ok(who),
            Some(_) if who.1.person.is_empty() => AccessError::NobodyMeant,
            Some(_) => AccessError::OtherPerson,
        };
        match self.audit.refused(action, Some(&who), &about, &error.to_string()).await {
            Ok(_) => Err(access_status(error)),
            Err(trail) => Err(audit_status(trail)),
        }
    }

    /// Makes a change that the trail knows of; a refusal is recorded, too.
    async fn change(
        &self,
        action: &str,
        who: (User, Proof),
        about: Option<EnterpriseId>,
        (key, what): (Uuid, Wanted),
    ) -> Result<Change, Status> {
        // A withdrawal and a review are about an earlier change, and so about whomever that was.
        let person = about.filter(|_| !matches!(what, Wanted::Withdrawal { .. } | Wanted::Review { .. }));
        let about = about.map(|person| person.to_string()).unwrap_or_default();
        match self.index.change_facts(Wish { key, by: Actor::of(&who.0), person, what }).await {
            Ok((_, change)) => Ok(change),
            Err(error) => Err(self.refuse_act(action, &who, &about, error).await),
        }
    }

    async fn refuse_act(&self, action: &str, who: &(User, Proof), about: &str, error: IndexError) -> Status {
        match self.audit.refused(action, Some(who), about, &error.to_string()).await {
            Ok(_) => index_status(error),
            Err(trail) => audit_status(trail),
        }
    }

    /// What a privacy officer reviews.
    fn queue_of(&self, user: &User) -> WhoseQueue {
        if self.access.oversees_all(user) {
            return WhoseQueue::All;
        }
        let ods = user.organisation_ods.clone();
        let own = self.fanout.registry().all().filter(|registered| registered.source.ods == ods);
        WhoseQueue::Organisation { sources: own.map(|registered| registered.source.id.clone()).collect(), ods }
    }
}

/// A code in words that a person reads in their access report.
fn in_words(reason: OverrideReason) -> &'static str {
    match reason {
        OverrideReason::EmergencyTreatment => "emergency treatment that could not wait",
        OverrideReason::SafeguardingPerson => "to keep the person from harm",
        OverrideReason::SafeguardingOthers => "to keep others from harm",
        OverrideReason::PersonAsked => "the person asked for it",
        OverrideReason::BestInterests => "the person could not be asked, and it was in their best interests",
    }
}

fn other_key() -> Status {
    Status::failed_precondition("this idempotency key belongs to another act; make a new one")
}

fn key_of(text: &str) -> Result<Uuid, Status> {
    uuid("idempotency_key", text)
}

fn uuid(field: &str, text: &str) -> Result<Uuid, Status> {
    text.parse().map_err(|_| Status::invalid_argument(format!("{field}: give a UUID")))
}
