//! From a question and the person's sources to the plan: per (source, dataset) ask, or not asked and why. Pure.

use super::Access;
use crate::model::{Person, Plan, PlannedSource, Question, Source, SourceId};
use severn_proto::v1::{Dataset, Outcome, PurposeOfUse, ReasonCode, SensitivityLabel};
use severn_trust::{ALL_DATASETS, AccessTable, Decision};
use std::sync::Arc;

/// What the region's table says of one role and purpose, worked out once.
pub struct Decided {
    datasets: Vec<(Dataset, Decision)>,
    labels: Vec<SensitivityLabel>,
}

impl Decided {
    /// Works it out.
    pub fn new(table: &AccessTable, role_code: &str, purpose: PurposeOfUse) -> Decided {
        let datasets = ALL_DATASETS.map(|dataset| (dataset, table.decide(role_code, purpose, dataset)));
        let known = (1..).map_while(|number| SensitivityLabel::try_from(number).ok());
        let labels = known.filter(|label| table.may_see_labels(role_code, &[*label as i32])).collect();
        Decided { datasets: datasets.to_vec(), labels }
    }

    /// Whether any dataset may be read.
    pub fn reads_anything(&self) -> bool {
        self.datasets.iter().any(|(_, decision)| *decision == Decision::Allow)
    }

    fn refusal(&self, dataset: Dataset) -> Option<(Outcome, ReasonCode)> {
        let decision = self.datasets.iter().find(|(known, _)| *known == dataset).map(|(_, decision)| *decision);
        match decision {
            Some(Decision::Allow) => None,
            Some(Decision::Withhold) => Some((Outcome::Withheld, ReasonCode::ByOwner)),
            Some(Decision::DenyPurpose) => Some((Outcome::NotAsked, ReasonCode::Purpose)),
            Some(Decision::DenyRole) | None => Some((Outcome::NotAsked, ReasonCode::Role)),
        }
    }
}

impl Access {
    /// Plans what is asked of every source that knows the person. `source` gives what the registry knows of a source;
    /// one that the index knows and the registry does not is planned all the same, and shows as unreachable.
    pub fn plan(
        &self,
        question: &Question,
        person: &Person,
        source: impl Fn(&SourceId) -> Option<Arc<Source>>,
    ) -> Plan {
        let decided = self.decided(&question.user);
        let (mut ask, mut not_asked) = (Vec::new(), Vec::new());
        for dataset in question.datasets.iter().copied() {
            match decided.refusal(dataset) {
                None => ask.push(dataset),
                Some((outcome, reason)) => not_asked.push((dataset, outcome, reason)),
            }
        }
        let planned = person.located.iter().map(|located| PlannedSource {
            source: source(&located.source).unwrap_or_else(|| unregistered(&located.source)),
            local_id: located.local_id.clone(),
            ask: ask.clone(),
            not_asked: not_asked.clone(),
            restricted: person.golden.restricted,
        });
        Plan {
            query_id: question.query_id,
            datasets: question.datasets.clone(),
            sources: planned.collect(),
            commitments: question.commitments.clone(),
            labels: decided.labels.clone(),
        }
    }
}

fn unregistered(id: &SourceId) -> Arc<Source> {
    let name = format!("{id} (not registered at this broker)");
    Arc::new(Source { id: id.clone(), name, kind: String::new(), ods: String::new() })
}
