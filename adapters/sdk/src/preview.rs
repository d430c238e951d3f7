//! Shows an owner what would be released about one person to one role: the same reading, policy and limits as a real
//! query, without verification, since nothing leaves. Nothing is recorded: it runs beside the serving program, whose
//! trail has one writer.

use crate::{
    answer::{Answer, Shaper},
    limits::Limits,
    policy::rule,
    reading::{Group, Running},
    source::Source,
};
use severn_policy::{Asker, PersonFacts, Policy};
use severn_proto::v1::{Dataset, Registration};
use severn_trust::Clock;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What would be released.
pub struct Preview {
    /// The person as the source knows them; `None` if it does not, or cannot be read.
    pub registration: Option<Registration>,
    /// One for each dataset asked, crisis first.
    pub answers: Vec<Answer>,
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preview({} datasets)", self.answers.len())
    }
}

/// Whose data is previewed, under which rules.
pub struct Previewer {
    /// The source.
    pub source: Arc<dyn Source>,
    /// The owner's policy.
    pub policy: Arc<Policy>,
    /// The limits.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Previewer {
    /// Reads `datasets` of one person as for `asker`, of whom everything is known but the person.
    pub async fn preview(&self, local_id: &str, asker: &Asker, datasets: &[Dataset]) -> Preview {
        let until = Instant::now() + Duration::from_millis(self.limits.budget_ms_max);
        let (source, id) = (Arc::clone(&self.source), local_id.to_owned());
        let registration = Running::start(async move { source.registration(&id).await }).by(until).await;
        let registration = registration.and_then(Result::ok).flatten();
        // Of a person who cannot be read nothing is read below either.
        let own = registration.as_ref().and_then(|own| own.demographics.as_ref());
        let person = own.map_or_else(PersonFacts::default, |own| PersonFacts::of(own, self.clock.now_ms()));
        let decisions = self.policy.decisions(&Asker { person, ..asker.clone() }, "");
        let rulings = rule(&decisions, &self.source.datasets(), datasets);
        let shaper = Shaper::new(&decisions, &self.limits, self.clock.now_ms());
        let mut shaper = shaper.of_person(person.restricted);
        let mut answers = Vec::new();
        for mut group in Group::start(&self.source, local_id, &rulings, until) {
            let read = group.by(until).await.unwrap_or(Err(severn_proto::v1::ReasonCode::Timeout));
            answers.extend(shaper.shape(&group.rulings, read));
        }
        Preview { registration, answers }
    }
}
