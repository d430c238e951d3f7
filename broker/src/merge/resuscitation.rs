//! What an entry says of cardiopulmonary resuscitation. Two decisions in force that contradict each other cost a life or
//! force one on somebody, so they are found whatever their codes and words.

use super::{
    Accepted,
    accept::Retractions,
    content::{self, in_force},
    fold::{day, is_whole_day},
    head::Head,
};
use severn_proto::v1::{Assertion, Dataset, EntryStatus};

/// SNOMED CT: "For attempted cardiopulmonary resuscitation", "Not for attempted cardiopulmonary resuscitation" (UK
/// edition; PRSB end-of-life standard).
const CODES: [(&str, bool); 2] = [("450475007", true), ("450476008", false)];

/// How such decisions begin in words.
const WORDS: [(&str, bool); 8] = [
    ("for attempted cardiopulmonary resuscitation", true),
    ("for cardiopulmonary resuscitation", true),
    ("for attempted cpr", true),
    ("for cpr", true),
    ("not for attempted cardiopulmonary resuscitation", false),
    ("not for cardiopulmonary resuscitation", false),
    ("not for attempted cpr", false),
    ("dnacpr", false),
];

/// What is decided in one record, whatever the headings under which it was filed.
pub(super) struct Decisions<'e> {
    /// By position of the dataset in the scope: whether any decision says to attempt it, and whether any says not to.
    said: Vec<[bool; 2]>,
    /// The latest day of a decision that was filed as an observation. An observation is never in force nor over: the
    /// latest stands.
    last_observed: &'e str,
}

impl<'e> Decisions<'e> {
    /// Finds the decisions among what may be shown, by position of its dataset in the scope.
    pub(super) fn of(entries: &[Vec<Accepted<'e>>], retractions: &Retractions<'e>) -> Decisions<'e> {
        let heads = |at: usize| entries[at].iter().map(|entry| &entry.head);
        let decided = |head: &&Head<'e>| is_attempted(head).is_some() && !retractions.cover(head);
        let found: Vec<(usize, &Head<'e>)> =
            (0..entries.len()).flat_map(|at| heads(at).filter(decided).map(move |head| (at, head))).collect();
        let observed = found.iter().filter(|(_, head)| is_observed(head)).map(|(_, head)| day(head.effective_start));
        let last_observed = observed.filter(|day| is_whole_day(day)).max().unwrap_or("");
        let mut decisions = Decisions { said: vec![[false; 2]; entries.len()], last_observed };
        for (at, head) in found {
            if let Some(attempted) = decisions.decision(head) {
                decisions.said[at][usize::from(attempted)] = true;
            }
        }
        decisions
    }

    /// Whether anything is decided in a dataset, by its position in the scope.
    pub(super) fn any(&self, at: usize) -> bool {
        self.said[at].contains(&true)
    }

    /// Whether another dataset says the contrary.
    pub(super) fn is_contradicted(&self, at: usize, attempted: bool) -> bool {
        let mut others = self.said.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, said)| said[usize::from(!attempted)])
    }

    /// Whether the entry stands and says that it is to be attempted, or that it is not.
    pub(super) fn decision(&self, head: &Head<'_>) -> Option<bool> {
        let is_last = || !self.last_observed.is_empty() && day(head.effective_start) == self.last_observed;
        let stands = if is_observed(head) { is_last() && !is_withdrawn(head) } else { in_force(head) };
        (stands && head.assertion() != Assertion::Refuted).then(|| is_attempted(head)).flatten()
    }
}

fn is_observed(head: &Head<'_>) -> bool {
    head.dataset == Dataset::Observations as i32
}

fn is_withdrawn(head: &Head<'_>) -> bool {
    matches!(head.status(), EntryStatus::Cancelled | EntryStatus::EnteredInError)
}

/// Whether it is to be attempted; `None` if the entry is no such decision, or not plainly one.
fn is_attempted(head: &Head<'_>) -> Option<bool> {
    let coded = head.codings.iter().find_map(|coding| CODES.iter().find(|(code, _)| *code == coding.code.trim()));
    // Nearly all other words begin otherwise, and need not be made comparable.
    let may_say = || {
        let first = head.text.trim_start().bytes().next().map(|byte| byte.to_ascii_lowercase());
        head.text.is_empty() || first.is_some_and(|first| WORDS.iter().any(|(start, _)| start.as_bytes()[0] == first))
    };
    let said = || {
        let words = content::words(head)?;
        WORDS.iter().find(|(start, _)| words.starts_with(start))
    };
    coded.or_else(|| may_say().then(said).flatten()).map(|(_, attempted)| *attempted)
}
