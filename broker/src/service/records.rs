//! `RecordBroker`: what care apps ask.

use super::{
    audit_status, beside, context_of, documents, enterprise_id, from_app, index_status, report, retrieve_status, text,
};
use crate::{
    access::Act,
    index::{Found, IndexError, Resolved, Search, is_birth_date},
    model::{LocalId, SourceId},
    retrieve::{Asked, Broker, GIVEN_UP_AFTER, RetrieveError},
};
use futures::{StreamExt as _, stream::BoxStream};
use severn_linkage::postcode_part::PostcodePart;
use severn_proto::{
    v1::{
        AccessReportRequest, AccessReportResponse, Candidate, FetchDocumentRequest, FindPersonRequest,
        FindPersonResponse, ListSourcesRequest, ListSourcesResponse, RetrieveRecordRequest, RetrieveRecordUnaryRequest,
        SourceState, find_person_response::Resolution,
    },
    v1_passing::{
        RetrieveRecordResponse, RetrieveRecordUnaryResponse, record_broker_server::RecordBroker,
        retrieve_record_response::Part,
    },
};
use severn_trust::{Details, NhsNumber, User};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

/// Milliseconds an answer takes at most, when the caller does not say, and whatever the caller says.
const DEADLINE_MS: u32 = 3_000;
const DEADLINE_MS_MAX: u32 = 10_000;
const DEADLINE_MS_MIN: u32 = 100;

/// Parts that wait for a slow reader.
const PARTS_WAITING: usize = 8;

/// YYYY-MM-DD.
const WHOLE_DATE_LEN: usize = 10;

/// Letters that a family or given name must have to be searched by.
const LETTERS_MIN: usize = 2;

/// How long sources may take to say that they are there.
const DESCRIBE_MAX: Duration = Duration::from_millis(1000);

pub(super) struct Records {
    broker: Arc<Broker>,
}

impl Records {
    pub(super) fn new(broker: Arc<Broker>) -> Records {
        Records { broker }
    }
}

#[tonic::async_trait]
impl RecordBroker for Records {
    type RetrieveRecordStream = BoxStream<'static, Result<RetrieveRecordResponse, Status>>;
    type FetchDocumentStream = documents::ToReader;

    async fn find_person(&self, request: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        from_app(&request)?;
        let mut request = request.into_inner();
        let context = context_of(request.context.take())?;
        let search = search_of(&request)?;
        let by = Details::default().with("by", &kind_of(&search));
        let who = self.broker.admit_act(&context, Act::Find, "find", ("", by)).await?;
        let resolved = self.broker.index.resolve(&search).map_err(index_status)?;
        let mut seen = self.broker.seen_by(&who.0, resolved).map_err(index_status)?;
        if let (Search::Registration { source, .. }, Resolved::One(found)) = (&search, &seen)
            && !found.person.located.iter().any(|located| located.source == *source)
        {
            // Whoever may not know of a source cannot try local ids of it either.
            seen = Resolved::Nobody;
        }
        let response = found(seen);
        let person = match response.candidates.as_slice() {
            [one] => one.enterprise_id.as_str(),
            _ => "",
        };
        let shown: Vec<&str> = response.candidates.iter().map(|c| c.enterprise_id.as_str()).collect();
        let shown = Details::default().with("candidates", &shown);
        self.broker.audit.act("found", &who, person, shown).await.map_err(audit_status)?;
        Ok(Response::new(response))
    }

    async fn retrieve_record(
        &self,
        request: Request<RetrieveRecordRequest>,
    ) -> Result<Response<Self::RetrieveRecordStream>, Status> {
        from_app(&request)?;
        let asked = asked_of(request.into_inner())?;
        Ok(Response::new(answer(Arc::clone(&self.broker), asked)))
    }

    async fn retrieve_record_unary(
        &self,
        request: Request<RetrieveRecordUnaryRequest>,
    ) -> Result<Response<RetrieveRecordUnaryResponse>, Status> {
        from_app(&request)?;
        let inner = request.into_inner().request;
        let asked = asked_of(inner.ok_or_else(|| Status::invalid_argument("request: required"))?)?;
        let mut parts = answer(Arc::clone(&self.broker), asked);
        let mut whole = RetrieveRecordUnaryResponse::default();
        while let Some(part) = parts.next().await {
            match part?.part {
                Some(Part::Opened(opened)) => whole.opened = Some(opened),
                Some(Part::Section(section)) => whole.sections.push(section),
                Some(Part::Ledger(ledger)) => whole.ledger = ledger,
                Some(Part::Seal(seal)) => whole.seal = Some(seal),
                None => {}
            }
        }
        Ok(Response::new(whole))
    }

    async fn fetch_document(
        &self,
        request: Request<FetchDocumentRequest>,
    ) -> Result<Response<Self::FetchDocumentStream>, Status> {
        from_app(&request)?;
        Ok(Response::new(documents::document(&self.broker, request.into_inner()).await?))
    }

    async fn access_report(
        &self,
        request: Request<AccessReportRequest>,
    ) -> Result<Response<AccessReportResponse>, Status> {
        from_app(&request)?;
        Ok(Response::new(report::report(&self.broker, request.into_inner()).await?))
    }

    async fn list_sources(
        &self,
        request: Request<ListSourcesRequest>,
    ) -> Result<Response<ListSourcesResponse>, Status> {
        from_app(&request)?;
        let context = context_of(request.into_inner().context)?;
        let about = ("", Details::default());
        let (user, _) = self.broker.admit_act(&context, Act::Sources, "list_sources", about).await?;
        let feeds = self.broker.index.feed_states().map_err(index_status)?;
        let mut described = self.broker.fanout.describe_all(DESCRIBE_MAX).await;
        described.retain(|(registered, _)| self.broker.access.may_list(&user, &registered.source));
        let state = |(registered, description): (Arc<crate::fanout::Registered>, Option<_>)| {
            let source = &registered.source;
            let (feed, health) = (feeds.get(&source.id).cloned().unwrap_or_default(), registered.health());
            let description: Option<severn_proto::v1::DescribeResponse> = description;
            SourceState {
                source_id: source.id.to_string(),
                name: source.name.clone(),
                kind: source.kind.clone(),
                ods: source.ods.clone(),
                reachable: description.is_some(),
                feed_heard_at_ms: feed.heard_at_ms,
                registrations: feed.registrations,
                datasets: description.map(|d| d.datasets).unwrap_or_default(),
                last_outcome: health.last_outcome.into(),
                last_called_at_ms: health.last_called_at_ms,
            }
        };
        Ok(Response::new(ListSourcesResponse { sources: described.into_iter().map(state).collect() }))
    }
}

fn asked_of(request: RetrieveRecordRequest) -> Result<Asked, Status> {
    let deadline_ms = match request.deadline_ms {
        0 => DEADLINE_MS,
        ms @ DEADLINE_MS_MIN..=DEADLINE_MS_MAX => ms,
        _ => {
            let range = format!("deadline_ms: 0 for {DEADLINE_MS}, or {DEADLINE_MS_MIN} to {DEADLINE_MS_MAX}");
            return Err(Status::invalid_argument(range));
        }
    };
    Ok(Asked {
        context: context_of(request.context)?,
        person: enterprise_id(&request.enterprise_id)?,
        deadline: Duration::from_millis(deadline_ms.into()),
    })
}

/// Runs the spine beside the stream that carries its parts. When the asker goes away the stream is dropped, and with
/// it every call to a source.
fn answer(broker: Arc<Broker>, asked: Asked) -> BoxStream<'static, Result<RetrieveRecordResponse, Status>> {
    let (out, parts) = mpsc::channel(PARTS_WAITING);
    let given_up = asked.deadline + GIVEN_UP_AFTER;
    let spine = async move {
        let answered = tokio::time::timeout(given_up, broker.retrieve(asked, &out)).await;
        answered.unwrap_or(Err(RetrieveError::TooLate)).map_err(retrieve_status)
    };
    beside(parts, spine)
}

/// How a person is looked for, as the trail says it: never with what.
fn kind_of(search: &Search) -> &'static str {
    match search {
        Search::Number { .. } => "nhs_number",
        Search::Registration { .. } => "local_id",
        Search::Demographics { .. } => "demographics",
    }
}

fn search_of(request: &FindPersonRequest) -> Result<Search, Status> {
    let wrong = |message: &str| Status::invalid_argument(message.to_owned());
    if !request.nhs_number.is_empty() {
        let number = NhsNumber::parse(&request.nhs_number).map_err(|e| wrong(&format!("nhs_number: {e}")))?;
        let birth_date = request.birth_date.clone();
        if !is_birth_date(&birth_date) || birth_date.len() != WHOLE_DATE_LEN {
            return Err(wrong("birth_date: required, as YYYY-MM-DD; with an NHS number give the whole date"));
        }
        return Ok(Search::Number { number, birth_date });
    }
    if !request.source_id.is_empty() || !request.local_id.is_empty() {
        let source = text("source_id", &request.source_id, 64)?;
        let local_id = text("local_id", &request.local_id, 256)?;
        if source.is_empty() || local_id.is_empty() {
            return Err(wrong("source_id and local_id: give both"));
        }
        return Ok(Search::Registration { source: SourceId(source.into()), local_id: LocalId(local_id.into()) });
    }
    by_demographics(request)
}

fn by_demographics(request: &FindPersonRequest) -> Result<Search, Status> {
    let wrong = |message: &str| Status::invalid_argument(message.to_owned());
    let family = text("family", &request.family, 100)?;
    let given = text("given", &request.given, 100)?;
    let postcode = text("postcode", &request.postcode, 16)?;
    let phone = text("phone", &request.phone, 32)?;
    if phone.chars().any(char::is_alphabetic) {
        return Err(wrong("phone: a telephone number, in digits; leave it out if it is not known"));
    }
    if family.is_empty() && given.is_empty() {
        return Err(wrong(
            "give nhs_number and birth_date, or source_id and local_id, or family, given and birth_date",
        ));
    }
    for (field, name) in [("family", family), ("given", given)] {
        if name.contains(['*', '?', '%', '_']) {
            let message =
                "wildcards are not read; give what is known of the name, other spellings are found by themselves";
            return Err(wrong(&format!("{field}: {message}")));
        }
    }
    let letters = |name: &str| name.chars().filter(|c| c.is_alphabetic()).count();
    if letters(family) < LETTERS_MIN && letters(given) < LETTERS_MIN {
        return Err(wrong("family or given: an initial is not enough; give two letters or more of one of them"));
    }
    let birth_date = request.birth_date.as_str();
    if birth_date.is_empty() && phone.is_empty() && !is_whole_postcode(postcode) {
        return Err(wrong("birth_date: required, in part at least, unless a phone or a whole postcode is given"));
    }
    if !birth_date.is_empty() && !is_birth_date(birth_date) {
        return Err(wrong(
            "birth_date: YYYY-MM-DD, or YYYY-MM or YYYY where no more is known, or an interval of five years at most, \
             FROM/UNTIL",
        ));
    }
    if !postcode.is_empty() && !postcode.contains(|c: char| c.is_ascii_digit()) {
        return Err(wrong("postcode: whole, or its first part, such as B42; leave it out if no more is known"));
    }
    Ok(Search::Demographics {
        family: family.to_owned(),
        given: given.to_owned(),
        birth_date: birth_date.to_owned(),
        sex: request.sex(),
        postcode: postcode.to_owned(),
        phone: phone.to_owned(),
    })
}

fn is_whole_postcode(text: &str) -> bool {
    !text.is_empty() && PostcodePart::parse(text).is_none()
}

impl Broker {
    /// Whom a search found, as the sources give them that the user may know of; whoever is known to no other is not found.
    fn seen_by(&self, user: &User, resolved: Resolved) -> Result<Resolved, IndexError> {
        let seen = |found: Found| -> Result<Option<Found>, IndexError> {
            let hidden = self.access.hidden(user, &found.person, |id| self.source(id));
            let person = self.index.locate_without(found.person, &hidden)?;
            Ok((!person.located.is_empty()).then_some(Found { person, ..found }))
        };
        Ok(match resolved {
            Resolved::One(found) => seen(*found)?.map_or(Resolved::Nobody, |found| Resolved::One(Box::new(found))),
            Resolved::Possible(found) => {
                let seen = found.into_iter().map(seen).collect::<Result<Vec<_>, _>>()?;
                let seen: Vec<Found> = seen.into_iter().flatten().collect();
                if seen.is_empty() { Resolved::Nobody } else { Resolved::Possible(seen) }
            }
            other => other,
        })
    }
}

fn found(resolved: Resolved) -> FindPersonResponse {
    let candidate = |found: Found| Candidate {
        enterprise_id: found.person.id.to_string(),
        golden: Some(found.person.golden),
        score: found.score,
        why: found.why,
        sources: u32::try_from(found.person.located.len()).unwrap_or(u32::MAX),
    };
    let (resolution, found) = match resolved {
        Resolved::One(found) => (Resolution::One, vec![*found]),
        Resolved::Possible(found) => (Resolution::Possible, found),
        Resolved::Nobody => (Resolution::Nobody, Vec::new()),
        Resolved::TooMany => (Resolution::TooMany, Vec::new()),
    };
    FindPersonResponse { resolution: resolution.into(), candidates: found.into_iter().map(candidate).collect() }
}
