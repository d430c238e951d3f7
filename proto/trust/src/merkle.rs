//! A Merkle tree over SHA-256 as in RFC 6962 section 2.1: one signature covers many statements.

mod log;

use crate::digest::{Digest, sha256};

pub use log::{MerkleEdge, MerkleLog, Missing, TILE_LEAVES, Tiles, is_consistent};

/// The tree over some leaves. Leaf and node hashes have different prefixes, so that neither can pass for the other.
pub struct MerkleTree {
    /// levels[0] are the leaves' hashes; each further level halves.
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// Builds the tree over `leaves`, of which there is at least one.
    pub fn new<'a>(leaves: impl Iterator<Item = &'a [u8]>) -> MerkleTree {
        let mut level: Vec<Digest> = leaves.map(leaf_hash).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let next = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node_hash(left, right),
                    // An odd node goes up unchanged, which gives the same tree as the RFC's recursion.
                    rest => rest[0],
                })
                .collect();
            levels.push(std::mem::replace(&mut level, next));
        }
        levels.push(level);
        MerkleTree { levels }
    }

    /// The root hash; of no leaves, the hash of nothing.
    pub fn root(&self) -> Digest {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_else(|| sha256(&[]))
    }

    /// The sibling hashes from leaf `index` up to the root.
    pub fn path(&self, index: usize) -> Vec<Digest> {
        let mut at = index;
        let mut path = Vec::new();
        for level in &self.levels {
            path.extend(level.get(at ^ 1).filter(|_| level.len() > 1));
            at /= 2;
        }
        path
    }

    /// The root that `leaf` at `index` of `count` and `path` lead to; `None` if the path has the wrong length.
    pub fn root_from(leaf: &[u8], index: usize, count: usize, path: &[Vec<u8>]) -> Option<Digest> {
        if index >= count {
            return None;
        }
        let mut hash = leaf_hash(leaf);
        let (mut at, mut width) = (index, count);
        let mut siblings = path.iter();
        while width > 1 {
            if at ^ 1 < width {
                let sibling: Digest = siblings.next()?.as_slice().try_into().ok()?;
                hash = if at % 2 == 0 { node_hash(&hash, &sibling) } else { node_hash(&sibling, &hash) };
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none().then_some(hash)
    }
}

pub(crate) fn leaf_hash(leaf: &[u8]) -> Digest {
    let mut bytes = [0; 33];
    if leaf.len() != 32 {
        return sha256(&[&[0], leaf]);
    }
    // One part is hashed faster than two, and most leaves are digests.
    bytes[1..].copy_from_slice(leaf);
    sha256(&[&bytes])
}

fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    sha256(&[&bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_leads_to_the_root_and_no_other_does() {
        for count in 1..20_usize {
            let leaves: Vec<Vec<u8>> = (0..count).map(|n| n.to_be_bytes().to_vec()).collect();
            let tree = MerkleTree::new(leaves.iter().map(Vec::as_slice));
            for (index, leaf) in leaves.iter().enumerate() {
                let path: Vec<Vec<u8>> = tree.path(index).iter().map(|d| d.to_vec()).collect();
                assert_eq!(MerkleTree::root_from(leaf, index, count, &path), Some(tree.root()));
                assert_ne!(MerkleTree::root_from(b"other", index, count, &path), Some(tree.root()));
                let mut longer = path.clone();
                longer.push(vec![0; 32]);
                assert_eq!(MerkleTree::root_from(leaf, index, count, &longer), None);
                assert_eq!(MerkleTree::root_from(leaf, count, count, &path), None);
            }
        }
    }

    #[test]
    fn the_root_of_two_is_that_of_the_rfc() {
        let tree = MerkleTree::new([b"a".as_slice(), b"b".as_slice()].into_iter());
        let expected = sha256(&[&[1], &sha256(&[&[0], b"a"]), &sha256(&[&[0], b"b"])]);
        assert_eq!(tree.root(), expected);
    }
}
