//! What came, beside what must come: entry by entry, and row by row of the ledger.

use super::{
    model::{Expected, ExpectedRow},
    system::{Came, WHERE},
};
use prost::Message as _;
use severn_proto::v1::{Dataset, LedgerRow, Outcome, ReasonCode, Section};
use std::collections::{BTreeMap, BTreeSet};

/// A way in which an answer is not what the oracle says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An entry was shown that the oracle denies: its source and id.
    Released(String, String),
    /// An entry was not shown that the oracle permits.
    Missing(String, String),
    /// The ledger tells of a source of which it must not.
    Known(String),
    /// A row of the ledger is not there, or says something else: the source, the dataset, and both.
    Row(String, Dataset, String),
    /// One was refused, the other answered.
    Refused(bool),
    /// What locates a restricted person was in an answer.
    Located,
}

impl Difference {
    /// Whether more was shown than the oracle permits.
    pub fn is_release(&self) -> bool {
        matches!(
            self,
            Difference::Released(..) | Difference::Known(_) | Difference::Located | Difference::Refused(false)
        )
    }
}

/// How `came` differs from `expected`. `restricted`: the person is.
pub fn differences(expected: &Expected, came: &Came, restricted: bool) -> Vec<Difference> {
    let (record, rows, shown) = match (came, expected) {
        (Came::Record(record), Expected::Record { rows, shown }) => (record, rows, shown),
        (Came::Refused, Expected::Refused) | (Came::Unknown, Expected::Unknown) => return vec![],
        _ => return vec![Difference::Refused(!matches!(came, Came::Record(_)))],
    };
    let came = entries(record.sections());
    let mut found = Vec::new();
    found.extend(came.difference(shown).map(|(source, id)| Difference::Released(source.clone(), id.clone())));
    found.extend(shown.difference(&came).map(|(source, id)| Difference::Missing(source.clone(), id.clone())));
    let told: BTreeMap<(String, i32), &LedgerRow> =
        record.ledger().rows.iter().map(|row| ((row.source_id.clone(), row.dataset), row)).collect();
    let places: BTreeSet<&(String, i32)> = told.keys().chain(rows.keys()).collect();
    for place in places {
        let (must, is) = (rows.get(place), told.get(place));
        if must.is_none() {
            found.push(Difference::Known(place.0.clone()));
            continue;
        }
        let agree = must.zip(is).is_some_and(|(must, is)| fits(must, is));
        if !agree {
            let dataset = Dataset::try_from(place.1).unwrap_or_default();
            let is = is.map(|row| (row.outcome(), row.reasons.clone()));
            found.push(Difference::Row(place.0.clone(), dataset, format!("must be {must:?}, is {is:?}")));
        }
    }
    if restricted && record.sections().iter().any(|section| holds(&section.encode_to_vec(), WHERE.as_bytes())) {
        found.push(Difference::Located);
    }
    found
}

/// Source and id of every entry in these sections.
pub fn entries(sections: &[Section]) -> BTreeSet<(String, String)> {
    let items = sections.iter().flat_map(|section| &section.items);
    let contributions = items.flat_map(|item| &item.contributions);
    let head = |entry: &severn_proto::v1::Entry| entry.head.as_ref().map(|head| head.entry_id.clone());
    contributions.map(|one| (one.source_id.clone(), one.entry.as_ref().and_then(head).unwrap_or_default())).collect()
}

fn fits(must: &ExpectedRow, is: &LedgerRow) -> bool {
    let reason = match is.reasons.first() {
        Some(first) => must.reasons.contains(&first.code),
        None => must.reasons.is_empty(),
    };
    let kept_back = is.reasons.iter().filter(|reason| reason.code() == ReasonCode::Label).map(|reason| reason.count);
    let silent = matches!(is.outcome(), Outcome::Answered | Outcome::Withheld | Outcome::AnsweredPartial);
    is.outcome() == must.outcome
        && reason
        && kept_back.sum::<u32>() == must.kept_back
        && (silent || is.shown + is.grouped == 0)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
