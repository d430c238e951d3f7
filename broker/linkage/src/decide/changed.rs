//! Whether a registration that its source changed has become somebody else's. Pure, and by the levels alone, so that a
//! person can say why, whatever the model's weights are: typing slips, marriage, a move, a newborn's first name and a
//! corrected date or sex each leave something that says who somebody is.

use crate::levels::{Field, Levels, birth, family, given, nhs};

/// Whether what a registration says now is plainly of another person than what it said before: nothing of names and
/// birth date is left; or given name and birth date are another's and no number says that they were corrected; or one
/// verified number took the place of another, and given name or birth date went with it.
#[must_use]
pub fn is_somebody_else(before_and_now: Levels) -> bool {
    let level = |field| before_and_now.get(field);
    let given = level(Field::Given) == given::DIFFERENT;
    let family = level(Field::Family) == family::DIFFERENT;
    let birth = matches!(level(Field::Birth), birth::NEAR | birth::FAR);
    let birth_corrected = level(Field::Birth) == birth::TWO_OF_THREE;
    let same_number = matches!(level(Field::Nhs), nhs::VERIFIED | nhs::SAME);
    let other_number = level(Field::Nhs) == nhs::VERIFIED_DIFFERENT;
    (given && family && (birth || birth_corrected))
        || (given && birth && !same_number)
        || (other_number && (given || birth))
}
