use super::*;
use crate::{digest::unhex, merkle::MerkleTree};

/// The leaves and roots that the reference implementation of RFC 6962 is tested with.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Its proofs of consistency: from, to, path.
const CONSISTENT: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn digest(text: &str) -> Digest {
    unhex(text).unwrap().try_into().unwrap()
}

fn numbered(size: u64) -> MerkleLog {
    let mut log = MerkleLog::new(MerkleEdge::default());
    (0..size).for_each(|n| log.push(&n.to_be_bytes()));
    log
}

fn root(size: u64) -> Digest {
    let mut edge = MerkleEdge::default();
    (0..size).for_each(|n| edge.push(&n.to_be_bytes()));
    edge.root()
}

#[test]
fn roots_and_proofs_are_those_of_the_reference_implementation() {
    let mut log = MerkleLog::new(MerkleEdge::default());
    assert_eq!(log.edge().root(), sha256(&[]));
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        log.push(&unhex(leaf).unwrap());
        assert_eq!(log.edge().root(), digest(root));
    }
    for (from, to, path) in CONSISTENT {
        let path: Vec<Digest> = path.iter().map(|text| digest(text)).collect();
        assert_eq!(log.consistency(from, to, &Tiles::new()), Ok(path.clone()), "{from} to {to}");
        let root = |size: u64| digest(ROOTS[size as usize - 1]);
        assert!(is_consistent((from, &root(from)), (to, &root(to)), &path));
    }
}

#[test]
fn every_two_sizes_are_shown_consistent_and_no_other_root_is() {
    let log = numbered(70);
    let roots: Vec<Digest> = (0..=70).map(root).collect();
    for from in 0..=70 {
        for to in from..=70 {
            let proof = log.consistency(from, to, &Tiles::new()).unwrap();
            let (before, after) = (&roots[from as usize], &roots[to as usize]);
            assert!(is_consistent((from, before), (to, after), &proof), "{from} to {to}");
            let other = sha256(&[b"another"]);
            assert!(from == 0 || !is_consistent((from, &other), (to, after), &proof));
            assert!(from == 0 || !is_consistent((from, before), (to, &other), &proof));
            let mut longer = proof.clone();
            longer.push(other);
            assert!(!is_consistent((from, before), (to, after), &longer));
            if let Some((_, shorter)) = proof.split_last() {
                assert!(!is_consistent((from, before), (to, after), shorter));
            }
        }
    }
    assert_eq!(log.consistency(71, 71, &Tiles::new()), Err(Missing::Gone));
    assert_eq!(log.consistency(3, 2, &Tiles::new()), Err(Missing::Gone));
}

#[test]
fn every_leaf_is_shown_to_be_in_every_tree_that_holds_it() {
    let log = numbered(40);
    for size in 1..=40 {
        for at in 0..size {
            let path: Vec<Vec<u8>> =
                log.inclusion(at, size, &Tiles::new()).unwrap().iter().map(|node| node.to_vec()).collect();
            let found = MerkleTree::root_from(&at.to_be_bytes(), at as usize, size as usize, &path);
            assert_eq!(found, Some(root(size)), "{at} of {size}");
        }
        assert_eq!(log.inclusion(size, size, &Tiles::new()), Err(Missing::Gone));
    }
}

#[test]
fn leaves_before_the_window_are_asked_for_and_used() {
    let size = WINDOW_MAX as u64 + 5 * TILE_LEAVES + 3;
    let log = numbered(size);
    let (from, mut tiles) = (2 * TILE_LEAVES + 7, Tiles::new());
    assert_eq!(log.consistency(from, size, &tiles), Err(Missing::Tile(2)));
    let hashes = (2 * TILE_LEAVES..3 * TILE_LEAVES).map(|n| leaf_hash(&n.to_be_bytes()));
    tiles.insert(2, hashes.collect());
    let proof = log.consistency(from, size, &tiles).unwrap();
    assert!(is_consistent((from, &root(from)), (size, &root(size)), &proof));
}

#[test]
fn a_tree_goes_on_from_its_edge_and_proves_what_comes_after() {
    for removed in [1, 6, 255, 256, 300, 513] {
        let mut edge = MerkleEdge::default();
        (0..removed).for_each(|n: u64| edge.push(&n.to_be_bytes()));
        let edge = MerkleEdge::of(removed, edge.peaks().to_vec()).unwrap();
        assert_eq!(MerkleEdge::of(removed, edge.peaks()[1..].to_vec()), None, "a peak is missing");
        let mut log = MerkleLog::new(edge);
        (removed..1100).for_each(|n| log.push(&n.to_be_bytes()));
        assert_eq!(log.edge().root(), root(1100));
        for from in [removed, removed + 1, 600, 1024, 1099] {
            let proof = log.consistency(from, 1100, &Tiles::new()).unwrap();
            assert!(is_consistent((from, &root(from)), (1100, &root(1100)), &proof), "{removed}: {from}");
        }
        if removed >= TILE_LEAVES - 1 {
            assert_eq!(log.consistency(removed - 2, 1100, &Tiles::new()), Err(Missing::Gone), "{removed}");
        }
    }
}
