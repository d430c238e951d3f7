//! Puts the entries of one dataset into an order that does not depend on their arrival: by source, then entry id, then
//! content. Everything that follows goes by positions in this order.

use super::{Accepted, head::Head};
use foldhash::{HashMap, HashMapExt as _};
use prost::Message as _;
use severn_proto::v1::Entry;
use severn_trust::{Digest, sha256};

/// The entries of one dataset in canonical order.
pub(super) struct Canon<'c, 'e> {
    /// Heads, by canonical position.
    pub(super) heads: Vec<&'c Head<'e>>,
    /// Position of the source in the scope, by canonical position.
    pub(super) source: Vec<u32>,
    /// Where each entry lies in what was accepted, by canonical position.
    pub(super) at: Vec<usize>,
    /// Digests of the entries whose source gave the same id to several, by canonical position.
    pub(super) repeated: HashMap<usize, Repeated>,
}

/// An entry whose id its source gave to more than one entry.
pub(super) struct Repeated {
    /// Digest of its content.
    pub(super) digest: Digest,
    /// First canonical position with this id.
    pub(super) first: usize,
    /// Whether entries with this id differ in content.
    pub(super) differ: bool,
}

impl<'c, 'e> Canon<'c, 'e> {
    pub(super) fn of(entries: &'c [Accepted<'e>]) -> Canon<'c, 'e> {
        let mut at: Vec<usize> = (0..entries.len()).collect();
        let key = |at: &usize| (entries[*at].source, entries[*at].head.entry_id);
        at.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        let mut repeated = HashMap::new();
        let mut from = 0;
        while from < at.len() {
            let same_id = at[from..].iter().take_while(|other| key(other) == key(&at[from])).count();
            if same_id > 1 {
                let run = &mut at[from..from + same_id];
                repeated.extend(put_in_order(entries, run, from));
            }
            from += same_id;
        }
        Canon {
            heads: at.iter().map(|at| &entries[*at].head).collect(),
            source: at.iter().map(|at| entries[*at].source).collect(),
            at,
            repeated,
        }
    }

    /// Whether the source gave this entry's id to another entry with other content.
    pub(super) fn id_clashes(&self, position: usize) -> bool {
        self.repeated.get(&position).is_some_and(|repeated| repeated.differ)
    }
}

/// Orders entries with one id by content, and tells which differ.
fn put_in_order(entries: &[Accepted<'_>], run: &mut [usize], first: usize) -> Vec<(usize, Repeated)> {
    let mut digests: Vec<(Digest, i64, usize)> =
        run.iter().map(|at| (content_digest(&entries[*at]), read_at(&entries[*at]), *at)).collect();
    // The time of reading decides between entries that say the same; then what only a newer version can read.
    digests.sort_unstable_by_key(|(digest, read_at, at)| (*digest, *read_at, &*entries[*at].bytes));
    let differ = digests.first().map(|d| d.0) != digests.last().map(|d| d.0);
    for (slot, (_, _, at)) in run.iter_mut().zip(&digests) {
        *slot = *at;
    }
    let repeated = digests.into_iter().map(|(digest, _, _)| Repeated { digest, first, differ });
    repeated.enumerate().map(|(offset, repeated)| (first + offset, repeated)).collect()
}

/// Digest of all that an entry says, the time of reading apart.
pub(super) fn content_digest(entry: &Accepted<'_>) -> Digest {
    let Entry { head, body } = Entry::decode(entry.bytes.as_ref()).unwrap_or_default();
    let mut head = head.unwrap_or_default();
    if let Some(provenance) = &mut head.provenance {
        provenance.retrieved_at_ms = 0;
    }
    let head = head.encode_to_vec();
    sha256(&[&(head.len() as u64).to_be_bytes(), &head, &body])
}

/// When the adapter read an entry: milliseconds.
pub(super) fn read_at(entry: &Accepted<'_>) -> i64 {
    entry.head.provenance.map_or(0, |provenance| provenance.retrieved_at_ms)
}
