//! From a question and the person's sources to the plan: per (source, dataset) ask, or not asked and why. Pure. A source
//! that the requester may not know of is in no plan: the answer is as if it did not know the person.

use super::{Access, Act};
use crate::{
    facts::{CareKind, PersonFacts},
    model::{Opening, Person, Plan, PlannedSource, Question, Source, SourceId, Standing},
};
use severn_policy::{Asker, Decisions, Directive, Evidence, Missing, Relationship, RelationshipKind, Verdict, Why};
use severn_proto::v1::{Dataset, Outcome, ReasonCode, SensitivityLabel};
use severn_trust::User;
use std::{collections::BTreeSet, sync::Arc};

impl Access {
    /// Plans what is asked of every source that knows the person. `source` gives what the registry knows of a source;
    /// one that the index knows and the registry does not is planned all the same, and shows as unreachable.
    pub fn plan(
        &self,
        question: &Question,
        (person, facts): (&Person, &PersonFacts),
        source: impl Fn(&SourceId) -> Option<Arc<Source>>,
    ) -> Plan {
        let policy = self.policy.at(self.clock.now_s());
        let standing = standing(question, facts);
        let asker = Asker {
            relationship: relationship(facts),
            person: severn_policy::PersonFacts::of(&person.golden, self.clock.now_ms()),
            breaking_glass: standing.opening.is_some(),
            ..Asker::from(&question.user)
        };
        let (mut planned, mut hidden) = (Vec::new(), BTreeSet::new());
        for located in &person.located {
            let source = source(&located.source).unwrap_or_else(|| unregistered(&located.source));
            let under = |directive| policy.decisions(&Asker { directive, ..asker.clone() }, &source.kind);
            let decisions = under(Directive::None);
            if !decisions.may_know() {
                hidden.insert(located.source.clone());
                continue;
            }
            let (mut ask, mut not_asked, mut strictest) = (Vec::new(), Vec::new(), Directive::None);
            for dataset in question.datasets.iter().copied() {
                let directive = kept_back(question, facts, &source.id, dataset);
                let refused = match directive {
                    Directive::None => refusal(&decisions, dataset),
                    _ => refusal(&under(directive), dataset),
                };
                match refused {
                    None => {
                        strictest = strictest.max(directive);
                        ask.push(dataset);
                    }
                    Some((outcome, reason)) => not_asked.push((dataset, outcome, reason)),
                }
            }
            let local_id = located.local_id.clone();
            let decisions = if strictest == Directive::None { decisions } else { under(strictest) };
            let restricted = person.golden.restricted;
            planned.push(PlannedSource { source, local_id, ask, not_asked, decisions, standing, restricted });
        }
        Plan {
            query_id: question.query_id,
            datasets: question.datasets.clone(),
            sources: planned,
            hidden,
            commitments: question.commitments.clone(),
            standing,
            policy_version: policy.version().to_owned(),
        }
    }

    /// Whether the user is told of a source, and of how many people it knows, where nobody in particular is asked about.
    /// Stewards look after all of them.
    pub fn may_list(&self, user: &User, source: &Source) -> bool {
        let policy = self.policy.at(self.clock.now_s());
        self.may(user, Act::Steward).is_ok() || policy.decisions(&Asker::from(user), &source.kind).may_know()
    }

    /// The sources of which the user may not know that they know the person, where nothing is known of the user's standing.
    pub fn hidden(
        &self,
        user: &User,
        person: &Person,
        source: impl Fn(&SourceId) -> Option<Arc<Source>>,
    ) -> BTreeSet<SourceId> {
        let policy = self.policy.at(self.clock.now_s());
        let person_facts = severn_policy::PersonFacts::of(&person.golden, self.clock.now_ms());
        let asker = Asker { person: person_facts, ..Asker::from(user) };
        let kind = |id: &SourceId| source(id).map(|source| source.kind.clone()).unwrap_or_default();
        let sources = person.located.iter().map(|located| &located.source);
        sources.filter(|id| !policy.decisions(&asker, &kind(id)).may_know()).cloned().collect()
    }
}

/// How the requester stands with the person: an override holds only if the app signed that very one.
fn standing(question: &Question, facts: &PersonFacts) -> Standing {
    let signed = facts.overrides.iter().find(|held| question.opening == Some(held.id));
    Standing {
        relationship: facts.best_relationship().map_or("", CareKind::word),
        opening: signed.map(|held| Opening { id: held.id, reason: held.reason.word(), expires_ms: held.expires_ms }),
    }
}

fn relationship(facts: &PersonFacts) -> Relationship {
    let Some(kind) = facts.best_relationship() else { return Relationship::default() };
    let evidence = if kind == CareKind::SelfClaimed { Evidence::Claimed } else { Evidence::Feed };
    Relationship { kind: RelationshipKind::from_word(kind.word()).unwrap_or_default(), evidence }
}

/// What the person's own directives say of this dataset of this source, the strictest first.
fn kept_back(question: &Question, facts: &PersonFacts, source: &SourceId, dataset: Dataset) -> Directive {
    let said = facts.keeping_back(&question.user, source, dataset);
    let strict =
        said.map(|held| if held.kind.yields_to_override() { Directive::Restricted } else { Directive::Dissent });
    strict.max().unwrap_or_default()
}

/// What the ledger says of a dataset that is not asked for; `None` for one that is.
fn refusal(decisions: &Decisions, dataset: Dataset) -> Option<(Outcome, ReasonCode)> {
    let ruling = decisions.of(dataset);
    Some(match (ruling.verdict, ruling.why) {
        (Verdict::Permit, _) => return None,
        (Verdict::MayBeOpened | Verdict::Withheld, _) => (Outcome::Withheld, ruling.why_withheld()),
        (Verdict::Denied, Why::Unpermitted) => match decisions.missing(dataset, SensitivityLabel::Normal) {
            Missing::Role => (Outcome::NotAsked, ReasonCode::Role),
            Missing::Purpose => (Outcome::NotAsked, ReasonCode::Purpose),
            Missing::Relationship => (Outcome::NotAsked, ReasonCode::NoRelationship),
        },
        // The broker cannot say what may be asked: whatever the sources hold is not known.
        (Verdict::Denied, Why::Fault) => (Outcome::NoAnswer, ReasonCode::Internal),
        (Verdict::Denied, _) => (Outcome::NotAsked, ReasonCode::Agreement),
    })
}

fn unregistered(id: &SourceId) -> Arc<Source> {
    let name = format!("{id} (not registered at this broker)");
    Arc::new(Source { id: id.clone(), name, kind: String::new(), ods: String::new() })
}
