//! Applies the owner's table: what may be read for this requester, before reading, and which entries may leave, after.
//! Pure. What the table does not allow is denied.

use severn_proto::v1::{Dataset, Entry, PurposeOfUse};
use severn_trust::{AccessTable, Decision};

/// Who asks and why, as far as the table cares.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The role code, as the user's token names it.
    pub role_code: &'a str,
    /// Why the user asks.
    pub purpose: PurposeOfUse,
}

/// What is to be done about one dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Read it.
    Read,
    /// The owner withholds it from this requester, and says so. It is not read.
    Withheld,
    /// The owner does not share it with this requester.
    NotShared,
    /// The source does not keep it.
    NotHeld,
}

/// What the table and the source say of each dataset, in the order given.
pub(crate) fn rule(
    table: &AccessTable,
    requester: Requester<'_>,
    held: &[Dataset],
    datasets: &[Dataset],
) -> Vec<(Dataset, Ruling)> {
    let ruling = |dataset| {
        if !held.contains(&dataset) {
            return Ruling::NotHeld;
        }
        match table.decide(requester.role_code, requester.purpose, dataset) {
            Decision::Allow => Ruling::Read,
            Decision::Withhold => Ruling::Withheld,
            Decision::DenyRole | Decision::DenyPurpose => Ruling::NotShared,
        }
    };
    datasets.iter().map(|dataset| (*dataset, ruling(*dataset))).collect()
}

/// Whether the requester may see an entry with these labels. An unknown label means no, and so does a missing head.
pub(crate) fn may_leave(table: &AccessTable, requester: Requester<'_>, entry: &Entry) -> bool {
    entry.head.as_ref().is_some_and(|head| table.may_see_labels(requester.role_code, &head.labels))
}

/// The datasets among `held` that the table lets somebody see.
pub(crate) fn shared_with_somebody(table: &AccessTable, held: &[Dataset]) -> Vec<Dataset> {
    let codes: Vec<&String> = table.roles.iter().flat_map(|role| &role.codes).collect();
    let purposes = (1..=5).filter_map(|number| PurposeOfUse::try_from(number).ok());
    let pairs: Vec<(&String, PurposeOfUse)> =
        purposes.flat_map(|purpose| codes.iter().map(move |code| (*code, purpose))).collect();
    let shared = |dataset: &Dataset| {
        pairs.iter().any(|(code, purpose)| table.decide(code, *purpose, *dataset) == Decision::Allow)
    };
    held.iter().copied().filter(shared).collect()
}
