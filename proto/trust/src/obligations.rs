//! What a reader, or whoever releases something, owes in return for seeing it.
//!
//! **Invariant:** obligations only add up, and one that is not understood asks for more care, not for less.

use crate::words::obligation_word;
use severn_proto::v1::Obligation;
use std::fmt;

/// What comes with seeing something: a set.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Obligations(u8);

impl Obligations {
    /// These and one more.
    #[must_use]
    pub fn with(self, obligation: Obligation) -> Obligations {
        Obligations(self.0 | 1 << obligation as u8)
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Obligations) -> Obligations {
        Obligations(self.0 | other.0)
    }

    /// What another party says, by the numbers of the contract. One that is not understood asks for care.
    pub fn said(numbers: &[i32]) -> Obligations {
        let care = [Obligation::Banner, Obligation::NoPrint, Obligation::LogSensitive];
        numbers.iter().fold(Obligations::default(), |all, number| match Obligation::try_from(*number) {
            Err(_) | Ok(Obligation::Unspecified) => care.into_iter().fold(all, Obligations::with),
            Ok(known) => all.with(known),
        })
    }

    /// Each of them, by its number.
    pub fn iter(self) -> impl Iterator<Item = Obligation> {
        let known = (1..).map_while(|number| Obligation::try_from(number).ok());
        known.filter(move |obligation| self.0 & 1 << *obligation as u8 != 0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, as a word.
    pub fn words(self) -> Vec<String> {
        self.iter().map(obligation_word).collect()
    }
}

impl fmt::Debug for Obligations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obligations_add_up_and_what_is_not_understood_asks_for_care() {
        let said = |numbers: &[i32]| Obligations::said(numbers).words();
        assert!(Obligations::said(&[]).is_empty() && said(&[]).is_empty());
        assert_eq!(said(&[4, 2, 4]), ["no_print", "notify_social_worker"]);
        assert_eq!(said(&[4, 99]), ["banner", "no_print", "log_sensitive", "notify_social_worker"]);
        assert_eq!(said(&[0]), said(&[-1]));
        let both = Obligations::said(&[1]).and(Obligations::default().with(Obligation::NotifySocialWorker));
        assert_eq!(format!("{both:?}"), "{Banner, NotifySocialWorker}");
    }
}
