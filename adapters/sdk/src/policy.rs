//! Applies the owner's policy: what may be read for this asker, before reading, and which entries may leave, after.
//! Pure. What the policy does not permit is denied.

use severn_policy::{Decisions, Verdict};
use severn_proto::v1::{Dataset, Entry, ReasonCode};
use severn_trust::Obligations;

/// What is to be done about one dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Read it.
    Read,
    /// It is withheld from this asker, who is told so and why. It is not read.
    Withheld(ReasonCode),
    /// The owner does not share it with this asker.
    NotShared,
    /// The source does not keep it.
    NotHeld,
}

/// What the policy and the source say of each dataset, in the order given.
pub(crate) fn rule(decisions: &Decisions, held: &[Dataset], datasets: &[Dataset]) -> Vec<(Dataset, Ruling)> {
    let ruling = |dataset| {
        if !held.contains(&dataset) {
            return Ruling::NotHeld;
        }
        let ruling = decisions.of(dataset);
        match ruling.verdict {
            Verdict::Permit => Ruling::Read,
            Verdict::MayBeOpened | Verdict::Withheld => Ruling::Withheld(ruling.why_withheld()),
            Verdict::Denied => Ruling::NotShared,
        }
    };
    datasets.iter().map(|dataset| (*dataset, ruling(*dataset))).collect()
}

/// What comes with seeing an entry with these labels; `None` if the asker may not see it. An unknown label means no, and
/// so does a missing head.
pub(crate) fn may_leave(decisions: &Decisions, entry: &Entry) -> Option<Obligations> {
    let head = entry.head.as_ref()?;
    let ruling = decisions.of_entry(head.dataset(), &head.labels);
    ruling.permits().then_some(ruling.obligations)
}
