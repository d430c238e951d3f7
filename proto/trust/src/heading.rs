//! What one source's outcome means for a heading without items, and how grave that is. The broker tells it so, and whoever
//! shows it checks it.

use severn_proto::v1::{HeadingOutcome, Outcome};

/// What one source's outcome means for a heading without items; one that is not known is as good as silence.
pub const fn why_empty(outcome: Outcome) -> HeadingOutcome {
    match outcome {
        Outcome::NoAnswer | Outcome::Rejected | Outcome::AnsweredPartial | Outcome::Unspecified => {
            HeadingOutcome::NoAnswer
        }
        Outcome::Withheld => HeadingOutcome::Withheld,
        Outcome::NotShared => HeadingOutcome::NotShared,
        Outcome::NotAsked => HeadingOutcome::NotAsked,
        Outcome::Answered | Outcome::AnsweredNone | Outcome::Stale => HeadingOutcome::NothingRecorded,
        Outcome::NotHeld => HeadingOutcome::NotHeld,
    }
}

/// How much a reader has to fear from a heading that is empty for this reason: of several the gravest is told.
pub const fn gravity(why: HeadingOutcome) -> u8 {
    match why {
        HeadingOutcome::NoAnswer => 5,
        HeadingOutcome::Withheld => 4,
        HeadingOutcome::NotShared => 3,
        HeadingOutcome::NotAsked => 2,
        HeadingOutcome::NothingRecorded => 1,
        _ => 0,
    }
}

/// Whether a source said all that it has under a heading.
pub const fn is_whole(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Answered | Outcome::AnsweredNone | Outcome::NotHeld)
}
