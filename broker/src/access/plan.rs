//! From a question and the person's sources to the plan: per (source, dataset) ask, or not asked and why. Pure. A source
//! that the requester may not know of is in no plan: the answer is as if it did not know the person.

use super::Access;
use crate::model::{Person, Plan, PlannedSource, Question, Source, SourceId};
use severn_policy::{Asker, Decisions, Evidence, Missing, PersonFacts, Relationship, RelationshipKind, Verdict, Why};
use severn_proto::v1::{Dataset, Outcome, ReasonCode, SensitivityLabel};
use std::sync::Arc;

impl Access {
    /// Plans what is asked of every source that knows the person. `source` gives what the registry knows of a source;
    /// one that the index knows and the registry does not is planned all the same, and shows as unreachable.
    pub fn plan(
        &self,
        question: &Question,
        person: &Person,
        source: impl Fn(&SourceId) -> Option<Arc<Source>>,
    ) -> Plan {
        let located: Vec<(Arc<Source>, _)> = person
            .located
            .iter()
            .map(|l| (source(&l.source).unwrap_or_else(|| unregistered(&l.source)), l.local_id.clone()))
            .collect();
        let policy = self.policy.at(self.clock.now_s());
        let asker = self.asker(question, person, located.iter().map(|(source, _)| &**source));
        let planned = located.into_iter().filter_map(|(source, local_id)| {
            let decisions = policy.decisions(&asker, &source.kind);
            if !decisions.may_know() {
                return None;
            }
            let (ask, not_asked) = split(&decisions, &question.datasets);
            Some(PlannedSource { source, local_id, ask, not_asked, decisions, restricted: person.golden.restricted })
        });
        Plan {
            query_id: question.query_id,
            datasets: question.datasets.clone(),
            sources: planned.collect(),
            commitments: question.commitments.clone(),
            policy_version: policy.version().to_owned(),
        }
    }

    fn asker<'s>(&self, question: &Question, person: &Person, mut located: impl Iterator<Item = &'s Source>) -> Asker {
        let user = &question.user;
        let registered = located.any(|source| source.ods == user.organisation_ods);
        let known = Relationship { kind: RelationshipKind::Registered, evidence: Evidence::Feed };
        Asker {
            relationship: if registered { known } else { Relationship::default() },
            person: PersonFacts::of(&person.golden, self.clock.now_ms()),
            ..super::asker_of(user)
        }
    }
}

/// The datasets to ask for, and what the ledger says of the others.
fn split(decisions: &Decisions, datasets: &[Dataset]) -> (Vec<Dataset>, Vec<(Dataset, Outcome, ReasonCode)>) {
    let (mut ask, mut not_asked) = (Vec::new(), Vec::new());
    for dataset in datasets.iter().copied() {
        let ruling = decisions.of(dataset);
        let (outcome, reason) = match (ruling.verdict, ruling.why) {
            (Verdict::Permit, _) => {
                ask.push(dataset);
                continue;
            }
            (Verdict::MayBeOpened, _) => (Outcome::Withheld, ReasonCode::MayBeOpened),
            (Verdict::Withheld, Why::Person) => (Outcome::Withheld, ReasonCode::ByPerson),
            (Verdict::Withheld, _) => (Outcome::Withheld, ReasonCode::ByOwner),
            (Verdict::Denied, Why::Unpermitted) => match decisions.missing(dataset, SensitivityLabel::Normal) {
                Missing::Role => (Outcome::NotAsked, ReasonCode::Role),
                Missing::Purpose => (Outcome::NotAsked, ReasonCode::Purpose),
                Missing::Relationship => (Outcome::NotAsked, ReasonCode::NoRelationship),
            },
            // The broker cannot say what may be asked: whatever the sources hold is not known.
            (Verdict::Denied, Why::Fault) => (Outcome::NoAnswer, ReasonCode::Internal),
            (Verdict::Denied, _) => (Outcome::NotAsked, ReasonCode::Agreement),
        };
        not_asked.push((dataset, outcome, reason));
    }
    (ask, not_asked)
}

fn unregistered(id: &SourceId) -> Arc<Source> {
    let name = format!("{id} (not registered at this broker)");
    Arc::new(Source { id: id.clone(), name, kind: String::new(), ods: String::new() })
}
