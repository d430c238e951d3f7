//! NHS numbers that were replaced by others. Pure. Two registrations of one person may give an old number and its
//! successor: everything that compares numbers compares the current ones.
//!
//! **Invariant:** following a number from successor to successor comes to an end.

use rustc_hash::FxHashMap;
use std::hash::Hash;

/// Which numbers were replaced by which.
#[derive(Clone, Debug)]
pub struct Superseded<N> {
    by: FxHashMap<N, N>,
}

/// Why a number is not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SupersededError {
    /// It would be its own successor, directly or by way of others.
    #[error(
        "the new number was itself replaced by the old one, directly or by way of others; find out which is in use"
    )]
    Cycle,
    /// It has another successor already.
    #[error("the old number was replaced by another number already; find out which of the two is right")]
    Another,
}

impl<N> Default for Superseded<N> {
    fn default() -> Self {
        Self { by: FxHashMap::default() }
    }
}

impl<N: Copy + Eq + Hash> Superseded<N> {
    /// The number that is used in the place of this one today: itself, where nothing replaced it.
    #[must_use]
    pub fn current(&self, number: N) -> N {
        std::iter::successors(Some(number), |number| self.by.get(number).copied()).last().unwrap_or(number)
    }

    /// Takes note that `by` replaced `number`; whether that was news.
    ///
    /// # Errors
    /// [`SupersededError`] if it contradicts what is known; nothing is noted then.
    pub fn replace(&mut self, number: N, by: N) -> Result<bool, SupersededError> {
        let is_news = self.check(number, by)?;
        self.by.insert(number, by);
        Ok(is_news)
    }

    /// Whether it would be news that `by` replaced `number`.
    ///
    /// # Errors
    /// [`SupersededError`] if it contradicts what is known.
    pub fn check(&self, number: N, by: N) -> Result<bool, SupersededError> {
        match self.by.get(&number) {
            Some(known) if *known == by => Ok(false),
            Some(_) => Err(SupersededError::Another),
            None if self.current(by) == number => Err(SupersededError::Cycle),
            None => Ok(true),
        }
    }

    /// Each number that was replaced, and by which.
    pub fn replaced(&self) -> impl Iterator<Item = (N, N)> {
        self.by.iter().map(|(number, by)| (*number, *by))
    }

    /// How many numbers were replaced.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by.len()
    }

    /// Whether no number was replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_followed_to_the_last_of_its_successors() {
        let mut superseded = Superseded::default();
        assert_eq!(superseded.replace(2, 3), Ok(true));
        assert_eq!(superseded.replace(1, 2), Ok(true));
        assert_eq!(superseded.replace(1, 2), Ok(false), "said twice, it is known");
        assert_eq!([1, 2, 3, 4].map(|number| superseded.current(number)), [3, 3, 3, 4]);
        assert_eq!(superseded.replace(1, 4), Err(SupersededError::Another));
        for number in [1, 2, 3] {
            assert_eq!(superseded.replace(3, number), Err(SupersededError::Cycle), "3 by {number}");
        }
        assert_eq!(superseded.len(), 2);
    }
}
