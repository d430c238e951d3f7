//! Says which policies decided.

use super::{Decisions, Moment, TYPES, uid};
use crate::ruling::{Ruling, Verdict};
use cedar_policy::PolicyId;
use severn_proto::v1::{Dataset, SensitivityLabel};
use severn_trust::dataset_word;

/// A decision, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The decision.
    pub ruling: Ruling,
    /// The policies that decided, by `@id`, each with its `@reason`; none where no policy permits it, or where what no policy
    /// may change decided: a seal, a directive, an unknown role.
    pub by: Vec<(String, String)>,
}

impl Decisions {
    /// What is said of entries of one dataset with one label, and why.
    pub fn explain(&self, dataset: Dataset, label: SensitivityLabel) -> Explained {
        let ruling = self.of_entry(dataset, &[label as i32]);
        // With and without a reason: where a reason opened it, the policies that permit it then are those that decided.
        let opened = ruling.verdict == Verdict::Permit && self.asker.breaking_glass;
        let mut by: Vec<PolicyId> = Vec::new();
        for label in [SensitivityLabel::Normal, label] {
            for moment in (Moment { breaking_glass: opened, ..self.moment(label) }).with_and_without() {
                by.extend(self.deciding(dataset, &moment, ruling.verdict));
            }
        }
        by.sort();
        by.dedup();
        let reason = |id: &PolicyId| {
            self.rules.policies.get(id).and_then(|(policy, _)| policy.annotation("reason").map(str::to_owned))
        };
        let named = |id: &PolicyId| (id.to_string(), reason(id).unwrap_or_default());
        Explained { ruling, by: by.iter().map(named).collect() }
    }

    /// The policies that lead to `verdict` at this moment.
    fn deciding(&self, dataset: Dataset, moment: &Moment, verdict: Verdict) -> Vec<PolicyId> {
        let resource = uid(&TYPES.dataset, &dataset_word(dataset));
        let Some(response) = self.ask("read", &resource, moment) else { return Vec::new() };
        let permits = response.decision() == cedar_policy::Decision::Allow;
        let led = |id: &&PolicyId| match permits {
            true => verdict == Verdict::Permit,
            false => self.rules.brings.get(id).is_some_and(|brings| brings.verdict == verdict),
        };
        response.diagnostics().reason().filter(led).cloned().collect()
    }
}
