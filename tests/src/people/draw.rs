//! Chance, drawn from a seed: the same seed gives the same people on every machine. Not for secrets.

/// A SplitMix64 stream (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// A stream of its own for every seed.
    #[must_use]
    pub const fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, and without, 1.
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 up to, and without, `end`; 0 if `end` is 0.
    pub const fn below(&mut self, end: usize) -> usize {
        ((self.bits() as u128 * end as u128) >> 64) as usize
    }

    /// From `first` to `last`, both possible.
    pub const fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as usize) as i64
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of a list that is not empty, each equally often.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// One of a list, each as often as its weight says.
    ///
    /// # Panics
    /// If the list is empty.
    pub fn weighted<'a, T>(&mut self, list: &'a [(T, f64)]) -> &'a T {
        let mut left = self.unit() * list.iter().map(|(_, weight)| weight).sum::<f64>();
        let last = list.len() - 1;
        let reached = list.iter().position(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        &list[reached.unwrap_or(last)].0
    }

    /// Puts a list into an order of chance.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// Names, the commonest first, drawn as often as Zipf's law says: 1 / (rank + `offset`) ^ `exponent`.
#[derive(Debug)]
pub struct Ranked {
    names: Vec<String>,
    cumulative: Vec<f64>,
}

impl Ranked {
    /// Of names in order of rank.
    #[must_use]
    pub fn new(names: Vec<String>, offset: f64, exponent: f64) -> Ranked {
        let mut sum = 0.0;
        let weight = |rank: usize| (rank as f64 + 1.0 + offset).powf(exponent).recip();
        let cumulative = (0..names.len()).map(|rank| {
            sum += weight(rank);
            sum
        });
        Ranked { cumulative: cumulative.collect(), names }
    }

    /// One name.
    ///
    /// # Panics
    /// If there is no name.
    pub fn draw(&self, draw: &mut Draw) -> &str {
        let at = draw.unit() * self.cumulative[self.cumulative.len() - 1];
        &self.names[self.cumulative.partition_point(|&end| end <= at).min(self.names.len() - 1)]
    }
}
