//! Which registrations must be decided together: those joined by pairs that may link, and by people's links. Pairs that
//! a steward at most will look at join nobody: namesakes by the thousand would otherwise hang together.

use crate::bulk::ScoredPair;
use crate::decide::Policy;
use crate::decide::rules::is_of_concern;
use crate::model::Model;
use crate::population::Population;
use rustc_hash::FxHashSet;

/// What must be decided together with some rows.
#[derive(Clone, Debug, Default)]
pub struct Closure {
    /// All rows that are reached from them by pairs that may link and by people's links; sorted.
    pub rows: Vec<u32>,
    /// All pairs of concern of these rows, those with rows outside among them; sorted, each once.
    pub pairs: Vec<ScoredPair>,
}

/// Finds what must be decided together with the rows of `start`. `linked` gives the rows that people linked to a row.
#[must_use]
pub fn closure(
    population: &Population,
    model: &Model,
    policy: &Policy,
    start: &[u32],
    linked: &dyn Fn(u32) -> Vec<u32>,
) -> Closure {
    let mut reached: FxHashSet<u32> = start.iter().copied().filter(|row| population.holds(*row)).collect();
    let mut open: Vec<u32> = reached.iter().copied().collect();
    let mut pairs = Vec::new();
    while let Some(row) = open.pop() {
        for other in population.candidates(row).rows {
            let pair = ScoredPair::of(population, model, row, other);
            if is_of_concern(population, model, &pair, policy) {
                pairs.push(pair);
                if pair.score.probability >= policy.automatic_min && reached.insert(other) {
                    open.push(other);
                }
            }
        }
        open.extend(linked(row).into_iter().filter(|other| population.holds(*other) && reached.insert(*other)));
    }
    let mut rows: Vec<u32> = reached.into_iter().collect();
    rows.sort_unstable();
    pairs.sort_unstable_by_key(|pair| (pair.one, pair.two));
    pairs.dedup_by_key(|pair| (pair.one, pair.two));
    Closure { rows, pairs }
}

/// Parts pairs of concern, sorted or not, into components: for each, its rows and its pairs. Rows without any pair
/// are in none.
#[must_use]
pub fn components(pairs: &[ScoredPair], links: &[(u32, u32)], rows: usize) -> Vec<(Vec<u32>, Vec<ScoredPair>)> {
    let ends = pairs.iter().map(|pair| (pair.one, pair.two)).chain(links.iter().copied());
    let first = firsts(ends.clone(), rows);
    let mut members: Vec<(u32, u32)> =
        ends.flat_map(|(one, two)| [one, two]).map(|row| (first[row as usize], row)).collect();
    members.sort_unstable();
    members.dedup();
    let mut own: Vec<(u32, ScoredPair)> = pairs.iter().map(|pair| (first[pair.one as usize], *pair)).collect();
    own.sort_unstable_by_key(|(first, pair)| (*first, pair.one, pair.two));
    let mut own = own.into_iter().peekable();
    let groups = members.chunk_by(|one, two| one.0 == two.0);
    let component = |group: &[(u32, u32)]| {
        let rows = group.iter().map(|(_, row)| *row).collect();
        let mut pairs = Vec::new();
        while let Some((_, pair)) = own.next_if(|(first, _)| *first == group[0].0) {
            pairs.push(pair);
        }
        (rows, pairs)
    };
    groups.map(component).collect()
}

/// For each row, the first row of its component.
pub(crate) fn firsts(ends: impl Iterator<Item = (u32, u32)>, rows: usize) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..rows as u32).collect();
    for (one, two) in ends {
        let (one, two) = (root(&mut parent, one), root(&mut parent, two));
        parent[one.max(two) as usize] = one.min(two);
    }
    for row in 0..rows as u32 {
        parent[row as usize] = root(&mut parent, row);
    }
    parent
}

fn root(parent: &mut [u32], mut row: u32) -> u32 {
    while parent[row as usize] != row {
        let above = parent[parent[row as usize] as usize];
        parent[row as usize] = above;
        row = above;
    }
    row
}
