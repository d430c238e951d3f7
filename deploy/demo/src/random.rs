//! A small seeded generator, so that the same seed gives the same population on every machine. Never for keys.

/// SplitMix64 (Steele, Lea and Flood 2014): small, quick, good enough for made-up people.
#[derive(Clone, Debug)]
pub struct Draw(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draw {
    /// A stream of its own for each (seed, purpose, number), so that a change to one person changes no other.
    pub fn new(seed: u64, purpose: &str, number: usize) -> Draw {
        let mut state = Draw(seed ^ GAMMA);
        for part in purpose.bytes().map(u64::from).chain([number as u64]) {
            state.0 = state.next() ^ part;
        }
        state
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end - 1`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias of a remainder is far below anything a population of thousands could show.
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        let span = usize::try_from(last - first + 1).unwrap_or(1);
        first + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
