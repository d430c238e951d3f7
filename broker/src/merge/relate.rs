//! Which items a reader must see together, and under which rule. Lists are capped (LIMIT-3), so that a thousand items
//! about one thing cost a thousand short lists, not a million pairs.

use super::RELATED_MAX;
use foldhash::{HashMap, HashMapExt as _};

/// The rules under which items relate, in the order in which an item lists them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Relation {
    /// "None known" beside something (CONFLICT-1).
    NoneKnown,
    /// Ruled out beside present (CONFLICT-2).
    Refuted,
    /// One medicine in two doses (CONFLICT-3).
    Dose,
    /// Current beside ended (CONFLICT-4).
    Ended,
    /// Versions of one statement that differ (CONFLICT-5).
    Versions,
    /// Retracted, and a copy still reads as current (CONFLICT-6).
    Retracted,
    /// One id, different content (CONFLICT-7).
    SameId,
    /// To be resuscitated, and not (CONFLICT-8).
    Resuscitation,
    /// One medicine in two strengths (CONFLICT-9).
    Strength,
    /// Crisis plans of different dates (PLAN-2).
    Plans,
    /// Possibly the same (POSSIBLE-1): no conflict.
    Possibly,
}

/// What one item relates to.
#[derive(Clone, Default)]
pub(super) struct Related {
    /// Rule and other item; an item that concerns only itself names itself.
    pairs: Vec<(Relation, usize)>,
}

impl Related {
    /// The other items under `relation` in order, at most [`RELATED_MAX`], and whether there are more. `None` if the
    /// rule does not apply to this item.
    pub(super) fn under(&self, relation: Relation, own: usize) -> Option<(Vec<usize>, bool)> {
        let mut others: Vec<usize> =
            self.pairs.iter().filter(|(r, _)| *r == relation).map(|(_, other)| *other).collect();
        if relation == Relation::Possibly {
            let conflicts = self.pairs.iter().filter(|(r, _)| *r != Relation::Possibly);
            let mut conflicting: Vec<usize> = conflicts.map(|(_, other)| *other).collect();
            conflicting.sort_unstable();
            others.retain(|other| conflicting.binary_search(other).is_err());
        }
        if others.is_empty() {
            return None;
        }
        others.retain(|other| *other != own);
        others.sort_unstable();
        others.dedup();
        let more = others.len() > RELATED_MAX;
        others.truncate(RELATED_MAX);
        Some((others, more))
    }

    /// Whether anything relates to this item at all.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// What every item of a dataset relates to.
pub(super) struct Relations(pub(super) Vec<Related>);

impl Relations {
    pub(super) fn new(items: usize) -> Relations {
        Relations(vec![Related::default(); items])
    }

    /// Marks an item for itself.
    pub(super) fn mark(&mut self, relation: Relation, item: usize) {
        self.0[item].pairs.push((relation, item));
    }

    /// Relates every item of `ones` with every one of `others`.
    pub(super) fn between(&mut self, relation: Relation, ones: &[usize], others: &[usize]) {
        for (from, to) in [(ones, others), (others, ones)] {
            for item in from {
                self.add(relation, *item, to.iter());
            }
        }
    }

    /// Relates every item with every item of the other classes.
    pub(super) fn across(&mut self, relation: Relation, classes: &[Vec<usize>]) {
        for (own, class) in classes.iter().enumerate() {
            for item in class {
                let others = classes.iter().enumerate().filter(|(other, _)| *other != own);
                self.add(relation, *item, others.flat_map(|(_, class)| class));
            }
        }
    }

    /// Relates every item with every other.
    pub(super) fn among(&mut self, relation: Relation, items: &[usize]) {
        if items.len() > 1 {
            for item in items {
                self.add(relation, *item, items.iter());
            }
        }
    }

    /// Relates `item` with the first of `others`: with two more than can be named, so that it shows when there are
    /// more even where the item itself is among them.
    pub(super) fn add<'o>(&mut self, relation: Relation, item: usize, others: impl Iterator<Item = &'o usize>) {
        let others = others.take(RELATED_MAX + 2).filter(|other| **other != item);
        self.0[item].pairs.extend(others.map(|other| (relation, *other)));
    }
}

/// Items by key. Buckets stand in the order in which their keys came, and items in theirs, each once.
pub(super) struct Buckets<K> {
    of_key: HashMap<K, usize>,
    /// The items of each key.
    pub(super) members: Vec<Vec<usize>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Buckets { of_key: HashMap::new(), members: Vec::new() }
    }
}

impl<K: Eq + std::hash::Hash> Buckets<K> {
    /// Puts an item under a key, unless it was the last to come there.
    pub(super) fn put(&mut self, key: K, item: usize) {
        let next = self.members.len();
        let at = *self.of_key.entry(key).or_insert(next);
        if at == next {
            self.members.push(Vec::new());
        }
        let members = &mut self.members[at];
        if members.last() != Some(&item) {
            members.push(item);
        }
    }

    /// The items under a key.
    pub(super) fn under(&self, key: &K) -> &[usize] {
        self.of_key.get(key).map_or(&[], |at| &self.members[*at])
    }

    /// The items under all other keys.
    pub(super) fn without<'s>(&'s self, key: &K) -> impl Iterator<Item = &'s usize> + use<'s, K> {
        let own = self.of_key.get(key).copied();
        self.members.iter().enumerate().filter(move |(at, _)| Some(*at) != own).flat_map(|(_, members)| members)
    }
}
