//! Applies the owner's policy: what may be read for this asker, before reading, and which entries may leave, after.
//! Pure. What the policy does not permit is denied.

use severn_policy::{Decisions, Verdict};
use severn_proto::v1::{Dataset, Entry, ReasonCode};

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

/// Whether the asker may see an entry with these labels. An unknown label means no, and so does a missing head.
pub(crate) fn may_leave(decisions: &Decisions, entry: &Entry) -> bool {
    entry.head.as_ref().is_some_and(|head| decisions.of_entry(head.dataset(), &head.labels).permits())
}
