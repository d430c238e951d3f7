//! How many entries an answer may show (LIMIT-1, LIMIT-2). What is over a limit is counted and said, and which entries
//! these are does not depend on the order of arrival: crisis datasets are kept first, then what is most recent.

use super::{Accepted, ENTRIES_PER_QUERY_MAX, ENTRIES_PER_SOURCE_MAX, account::Accounts, canon, item};
use std::cmp::Reverse;

/// Entries that are shown at most.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Of one source.
    pub(super) source: usize,
    /// Of one query.
    pub(super) query: usize,
}

/// The limits of an answer.
pub(super) const LIMITS: Limits = Limits { source: ENTRIES_PER_SOURCE_MAX, query: ENTRIES_PER_QUERY_MAX };

/// Takes out what is over the limits.
pub(super) fn enforce(limits: Limits, entries: &mut [Vec<Accepted<'_>>], accounts: &mut Accounts) {
    let total: usize = entries.iter().map(Vec::len).sum();
    if total <= limits.source.min(limits.query) {
        return;
    }
    let mut by_source: Vec<usize> = Vec::new();
    for entry in entries.iter().flatten() {
        let source = entry.source as usize;
        by_source.resize(by_source.len().max(source + 1), 0);
        by_source[source] += 1;
    }
    for (source, _) in by_source.iter().enumerate().filter(|(_, count)| **count > limits.source) {
        cut(entries, accounts, limits.source, |entry| entry.source as usize == source);
    }
    cut(entries, accounts, limits.query, |_| true);
}

/// Keeps the first `left` entries that `counts`.
fn cut(
    entries: &mut [Vec<Accepted<'_>>],
    accounts: &mut Accounts,
    mut left: usize,
    counts: impl Fn(&Accepted<'_>) -> bool,
) {
    for (dataset, entries) in entries.iter_mut().enumerate() {
        let mut candidates: Vec<usize> = (0..entries.len()).filter(|at| counts(&entries[*at])).collect();
        if candidates.len() <= left {
            left -= candidates.len();
            continue;
        }
        candidates.sort_by_cached_key(|at| {
            let entry = &entries[*at];
            let date = Reverse(item::date(&entry.head));
            let id = entry.head.entry_id;
            (date, entry.source, id, canon::content_digest(entry), canon::read_at(entry), &*entry.bytes)
        });
        let mut over = vec![false; entries.len()];
        for at in candidates.split_off(left) {
            over[at] = true;
            accounts.of_pair(entries[at].source as usize, dataset).over_limit += 1;
        }
        left = 0;
        let mut over = over.into_iter();
        entries.retain(|_| !over.next().unwrap_or(false));
    }
}
