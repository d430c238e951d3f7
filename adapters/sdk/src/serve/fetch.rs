//! How a question becomes an answer: verify, compare the person, rule, read, shape, record, send.

use super::{Adapter, Person};
use crate::{
    answer::{Answer, Shaper, message, messages},
    policy::{Ruling, rule},
    reading::Group,
    release::record_release,
    source::Reading,
    verify::{Asked, Call},
};
use futures::{StreamExt as _, stream::BoxStream};
use severn_link::Peer;
use severn_policy::{Decisions, PersonFacts};
use severn_proto::v1::{Dataset, FetchEnd, FetchOpened, FetchRequest, FetchResponse, ReasonCode, fetch_response::Part};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status};
use tracing::warn;

/// Messages that wait for a slow reader.
const MESSAGES_WAITING_MAX: usize = 4;

/// How long after its budget an answer may still be under way to a slow reader.
const SENDING_GRACE: Duration = Duration::from_secs(1);

/// Answers one question. Dropping the stream ends all that is done for it.
pub(super) async fn fetch(
    adapter: &Arc<Adapter>,
    request: Request<FetchRequest>,
) -> Result<BoxStream<'static, Result<FetchResponse, Status>>, Status> {
    let (place, received) = (adapter.place()?, Instant::now());
    let peer = request.extensions().get::<Peer>().cloned();
    let request = request.into_inner();
    let call = Call { peer, context: request.context.unwrap_or_default(), statement: request.statement };
    let asked = adapter.counted(&call).await?;
    let until = received + adapter.limits.budget(asked.statement.budget_ms);
    let person = adapter.person(&asked, until).await?;
    let restricted = matches!(&person, Person::Agrees { facts, .. } if facts.restricted);
    adapter.tell_of_opening(&asked, restricted).await?;
    let (parts, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
    let delivery = Delivery { adapter: Arc::clone(adapter), asked, received, until, parts };
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        delivery.run(person).await;
        drop(place);
    }));
    Ok(ReceiverStream::new(receiver).map(move |part| (part, &task).0).boxed())
}

/// One answer on its way.
struct Delivery {
    adapter: Arc<Adapter>,
    asked: Asked,
    received: Instant,
    until: Instant,
    parts: mpsc::Sender<Result<FetchResponse, Status>>,
}

/// The reader has gone, or the answer cannot be given.
struct Ended;

impl Delivery {
    async fn run(self, person: Person) {
        if timeout_at(self.until + SENDING_GRACE, self.deliver(person)).await.is_err() {
            warn!("reader was too slow");
            drop(self.parts.try_send(Err(Status::deadline_exceeded("the answer was not read within its budget"))));
        }
    }

    async fn deliver(&self, person: Person) -> Result<(), Ended> {
        let (adapter, asked) = (&self.adapter, &self.asked);
        let facts = if let Person::Agrees { facts, .. } = &person { *facts } else { PersonFacts::default() };
        let decisions = adapter.decisions(asked, facts);
        let rulings = rule(&decisions, &adapter.source.datasets(), &asked.datasets);
        let shaper = Shaper::new(&decisions, &adapter.limits, adapter.clock.now_ms());
        let mut shaper = shaper.of_person(facts.restricted);
        let local_id = asked.statement.local_id.clone();
        if rulings.is_empty() {
            // Nothing will be released, but whether the person is known here is an answer too.
            self.record(decisions.policy_version(), &[]).await?;
        }
        let opened = match person {
            Person::Agrees { opened, .. } => opened,
            Person::Unknown(why) => {
                self.send(message(Part::Opened(FetchOpened { local_id, ..FetchOpened::default() }))).await?;
                let sent = self.release(&mut shaper, &rulings, Err(why)).await?;
                return self.end(sent, &decisions).await;
            }
        };
        self.send(message(Part::Opened(opened))).await?;
        let groups = Group::start(&adapter.source, &local_id, &rulings, self.until);
        let mut sent = 0;
        // Crisis datasets go first, unless they keep the others waiting for most of the budget.
        let soon = self.received + (self.until - self.received) * 3 / 4;
        let mut late = Vec::new();
        for mut group in groups {
            match group.by(soon).await {
                Some(read) => sent += self.release(&mut shaper, &group.rulings, read).await?,
                None => late.push(group),
            }
        }
        for mut group in late {
            let read = group.by(self.until).await.unwrap_or(Err(ReasonCode::Timeout));
            sent += self.release(&mut shaper, &group.rulings, read).await?;
        }
        self.end(sent, &decisions).await
    }

    /// Shapes, records, then sends; gives the number of entries sent.
    async fn release(
        &self,
        shaper: &mut Shaper<'_>,
        rulings: &[(Dataset, Ruling)],
        read: Result<Vec<Reading>, ReasonCode>,
    ) -> Result<u32, Ended> {
        let answers = shaper.shape(rulings, read);
        self.record(shaper.policy_version(), &answers).await?;
        let sent = answers.iter().map(|answer| answer.outcome.entries).sum();
        for part in messages(answers, self.adapter.limits.batch_bytes_max) {
            self.send(part).await?;
        }
        Ok(sent)
    }

    async fn record(&self, policy_version: &str, answers: &[Answer]) -> Result<(), Ended> {
        let (trail, event) = (&self.adapter.trail, self.asked.event("release"));
        if let Err(status) = record_release(trail, event, (policy_version, answers)).await {
            drop(self.parts.send(Err(status)).await);
            return Err(Ended);
        }
        Ok(())
    }

    async fn end(&self, entries: u32, decisions: &Decisions) -> Result<(), Ended> {
        let policy_version = decisions.policy_version().to_owned();
        self.send(message(Part::End(FetchEnd { entries, policy_version }))).await
    }

    async fn send(&self, part: FetchResponse) -> Result<(), Ended> {
        self.parts.send(Ok(part)).await.map_err(|_| Ended)
    }
}
