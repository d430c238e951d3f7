//! Chance that a printed seed repeats.

use crate::keys::Seeded;

/// Throws.
#[derive(Debug)]
pub struct Dice(Seeded);

impl Dice {
    /// The throws of `seed`.
    pub fn new(seed: u64) -> Dice {
        Dice(Seeded::new(seed))
    }

    /// One of `0..end`; 0 where that is empty.
    pub fn below(&self, end: usize) -> usize {
        let throw = self.0.next() % (end.max(1) as u64);
        usize::try_from(throw).unwrap_or_default()
    }

    /// One of `from..=to`.
    pub fn between(&self, from: usize, to: usize) -> usize {
        from + self.below(to + 1 - from)
    }

    /// True in so many of a hundred throws.
    pub fn percent(&self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of these.
    pub fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// One of these words.
    pub fn word(&self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    /// So many of these, each once, in their order.
    pub fn some<T: Clone>(&self, of: &[T], how_many: usize) -> Vec<T> {
        let mut places: Vec<usize> = (0..of.len()).collect();
        while places.len() > how_many {
            places.remove(self.below(places.len()));
        }
        places.into_iter().map(|place| of[place].clone()).collect()
    }
}
