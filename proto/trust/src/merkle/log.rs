//! A growing Merkle tree as in RFC 6962 section 2.1, and its proofs: that an older tree is the beginning of a newer one
//! (section 2.1.2), and that one leaf stands in it (2.1.1).
//!
//! **Invariant:** what is held does not grow with the leaves but by a 128th of them, and a window of the newest; the
//! leaves before the window are read from where they lie when a proof needs them.

use super::{leaf_hash, node_hash};
use crate::digest::{Digest, sha256};
use std::collections::{BTreeMap, VecDeque};

/// Leaves of one tile, as a power of two: nodes over whole tiles are held, those within are made when they are needed.
const TILE_LEVEL: u32 = 8;

/// Leaves of one tile.
pub const TILE_LEAVES: u64 = 1 << TILE_LEVEL;

/// Hashes of the newest leaves that are held.
const WINDOW_MAX: usize = 1 << 16;

/// The right edge of a growing tree: enough to go on from, and to tell its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerkleEdge {
    size: u64,
    /// The roots of the perfect trees that cover all leaves, the widest first: one for each bit of `size`.
    peaks: Vec<Digest>,
}

impl MerkleEdge {
    /// The edge of a tree of `size` leaves; `None` if there are more or fewer peaks than such a tree has.
    pub fn of(size: u64, peaks: Vec<Digest>) -> Option<MerkleEdge> {
        (peaks.len() == size.count_ones() as usize).then_some(MerkleEdge { size, peaks })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect trees that cover all leaves, the widest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_noting(leaf, |_, _, _| ());
    }

    /// Adds a leaf and tells of every perfect tree that it completes: its level, its place in that level, its root.
    fn push_noting(&mut self, leaf: &[u8], mut made: impl FnMut(u32, u64, Digest)) {
        let (mut node, mut level, mut at) = (leaf_hash(leaf), 0, self.size);
        made(level, at, node);
        while at % 2 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            (node, level, at) = (node_hash(&left, &node), level + 1, at / 2);
            made(level, at, node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root; of no leaves, the hash of nothing.
    pub fn root(&self) -> Digest {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(|| sha256(&[]))
    }
}

/// Why a proof cannot be made yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The hashes of this tile's leaves are needed.
    Tile(u64),
    /// The leaves were removed, or there never were so many.
    Gone,
}

/// Hashes of leaves that were read again, by tile.
pub type Tiles = BTreeMap<u64, Vec<Digest>>;

/// A growing tree that can prove what it says.
#[derive(Debug)]
pub struct MerkleLog {
    edge: MerkleEdge,
    /// Leaves before the first of which anything but `base` is known.
    first: u64,
    /// The perfect trees that cover everything before `first`, by level and place.
    base: BTreeMap<(u32, u64), Digest>,
    /// Roots of perfect trees, by level from [`TILE_LEVEL`]; the first of each is the first that ends after `first`.
    levels: Vec<Vec<Digest>>,
    window: VecDeque<Digest>,
}

impl MerkleLog {
    /// A tree that goes on from `edge`.
    pub fn new(edge: MerkleEdge) -> MerkleLog {
        let (mut base, mut end) = (BTreeMap::new(), 0_u64);
        let widths = (0..u64::BITS).rev().filter(|level| edge.size >> level & 1 == 1);
        for (level, peak) in widths.zip(&edge.peaks) {
            base.insert((level, end >> level), *peak);
            end += 1 << level;
        }
        MerkleLog { first: edge.size, edge, base, levels: Vec::new(), window: VecDeque::new() }
    }

    /// The right edge.
    pub fn edge(&self) -> &MerkleEdge {
        &self.edge
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let (levels, window) = (&mut self.levels, &mut self.window);
        self.edge.push_noting(leaf, |level, _, node| {
            if level == 0 {
                window.push_back(node);
            } else if let Some(above) = level.checked_sub(TILE_LEVEL) {
                let above = above as usize;
                levels.resize_with(levels.len().max(above + 1), Vec::new);
                levels[above].push(node);
            }
        });
        if self.window.len() > WINDOW_MAX {
            self.window.pop_front();
        }
    }

    /// The proof that the tree of `from` leaves is the beginning of that of `to`.
    ///
    /// # Errors
    /// [`Missing`] says what is needed; give it in `tiles` and ask again.
    pub fn consistency(&self, from: u64, to: u64, tiles: &Tiles) -> Result<Vec<Digest>, Missing> {
        if from > to || to > self.edge.size {
            return Err(Missing::Gone);
        }
        let mut proof = Vec::new();
        if from > 0 {
            self.subproof(from, (0, to), (true, tiles), &mut proof)?;
        }
        Ok(proof)
    }

    /// The proof that leaf `at`, counted from 0, stands in the tree of `size` leaves.
    ///
    /// # Errors
    /// [`Missing`] says what is needed; give it in `tiles` and ask again.
    pub fn inclusion(&self, at: u64, size: u64, tiles: &Tiles) -> Result<Vec<Digest>, Missing> {
        if at >= size || size > self.edge.size {
            return Err(Missing::Gone);
        }
        let (mut low, mut high) = (0, size);
        let mut path = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if at < middle {
                path.push(self.range(middle, high, tiles)?);
                high = middle;
            } else {
                path.push(self.range(low, middle, tiles)?);
                low = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// SUBPROOF of the RFC, over the leaves from `low` to before `high`, of which the older tree has the first `from`.
    fn subproof(
        &self,
        from: u64,
        (low, high): (u64, u64),
        (whole, tiles): (bool, &Tiles),
        proof: &mut Vec<Digest>,
    ) -> Result<(), Missing> {
        if from == high - low {
            if !whole {
                proof.push(self.range(low, high, tiles)?);
            }
            return Ok(());
        }
        let half = split(high - low);
        let middle = low + half;
        if from <= half {
            self.subproof(from, (low, middle), (whole, tiles), proof)?;
            proof.push(self.range(middle, high, tiles)?);
        } else {
            self.subproof(from - half, (middle, high), (false, tiles), proof)?;
            proof.push(self.range(low, middle, tiles)?);
        }
        Ok(())
    }

    /// The root over the leaves from `low` to before `high`; `low` is where a perfect tree of that width could begin.
    fn range(&self, low: u64, high: u64, tiles: &Tiles) -> Result<Digest, Missing> {
        let width = high - low;
        if width.is_power_of_two() {
            let level = width.trailing_zeros();
            return self.node(level, low >> level, tiles);
        }
        let middle = low + split(width);
        Ok(node_hash(&self.range(low, middle, tiles)?, &self.range(middle, high, tiles)?))
    }

    /// The root of a perfect tree.
    fn node(&self, level: u32, at: u64, tiles: &Tiles) -> Result<Digest, Missing> {
        if let Some(node) = self.base.get(&(level, at)) {
            return Ok(*node);
        }
        if let Some(above) = level.checked_sub(TILE_LEVEL) {
            let nodes = self.levels.get(above as usize).ok_or(Missing::Gone)?;
            let held = usize::try_from(at.checked_sub(self.first >> level).ok_or(Missing::Gone)?);
            return held.ok().and_then(|held| nodes.get(held)).copied().ok_or(Missing::Gone);
        }
        if level == 0 {
            return self.leaf(at, tiles);
        }
        Ok(node_hash(&self.node(level - 1, at * 2, tiles)?, &self.node(level - 1, at * 2 + 1, tiles)?))
    }

    fn leaf(&self, at: u64, tiles: &Tiles) -> Result<Digest, Missing> {
        if at < self.first || at >= self.edge.size {
            return Err(Missing::Gone);
        }
        let window_from = self.edge.size - self.window.len() as u64;
        if let Some(held) = at.checked_sub(window_from) {
            return usize::try_from(held).ok().and_then(|at| self.window.get(at)).copied().ok_or(Missing::Gone);
        }
        let tile = tiles.get(&(at / TILE_LEAVES)).ok_or(Missing::Tile(at / TILE_LEAVES))?;
        // A tile that removal has cut holds only its end.
        let skipped = TILE_LEAVES.saturating_sub(tile.len() as u64);
        let within = (at % TILE_LEAVES).checked_sub(skipped).and_then(|within| usize::try_from(within).ok());
        within.and_then(|within| tile.get(within)).copied().ok_or(Missing::Gone)
    }
}

/// The largest power of two below `width`, which is at least 2.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// Whether `proof` shows that the tree of `from` leaves with root `before` is the beginning of that of `to` leaves with
/// root `after` (RFC 9162, section 2.1.4.2). Of no leaves, every tree is a continuation.
pub fn is_consistent((from, before): (u64, &Digest), (to, after): (u64, &Digest), proof: &[Digest]) -> bool {
    if from == 0 || from == to {
        return proof.is_empty() && (from != to || before == after);
    }
    if from > to {
        return false;
    }
    let own = from.is_power_of_two().then_some(before);
    let mut path = own.into_iter().chain(proof);
    let Some(first) = path.next() else { return false };
    let (mut old, mut new) = (*first, *first);
    let shared = (from - 1).trailing_ones();
    let (mut at, mut last) = ((from - 1) >> shared, (to - 1) >> shared);
    for step in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            (old, new) = (node_hash(step, &old), node_hash(step, &new));
            while at != 0 && at % 2 == 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new = node_hash(&new, step);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old == *before && new == *after
}

#[cfg(test)]
mod tests;
