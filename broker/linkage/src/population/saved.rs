//! A population in parts that can be written down and read again, so that it need not be built anew. Pure: whoever
//! calls says in which form and where.
//!
//! **Invariant.** Parts are a function of the insertions and removals, in their order: what was read from parts and then
//! went on gives the same parts as what was never written down.

use super::{Entry, Population, Postings};
use crate::atoms::Atoms;
use crate::keys::KINDS;
use crate::record::{Former, Reader, Record};
use rustc_hash::FxHashMap;
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;

/// Words and records, as they are written.
#[derive(Serialize)]
struct Rows<'a> {
    atoms: &'a Atoms,
    records: &'a [Record],
    former: Vec<(u32, &'a Former)>,
}

/// Words and records, as they are read.
#[derive(Deserialize)]
pub struct SavedRows {
    atoms: Atoms,
    records: Exact<Record>,
    former: Vec<(u32, Box<Former>)>,
}

/// The index of one kind of key, as it is read.
pub struct SavedPostings(Postings);

impl Population {
    /// Words and records.
    #[must_use]
    pub fn rows_to_save(&self) -> impl Serialize {
        let mut former: Vec<(u32, &Former)> = self.former.iter().map(|(row, former)| (*row, &**former)).collect();
        former.sort_unstable_by_key(|(row, _)| *row);
        Rows { atoms: &self.atoms, records: &self.records, former }
    }

    /// The index of each kind of key, in the order in which [`Population::from_saved`] takes them.
    pub fn postings_to_save(&self) -> impl Iterator<Item = impl Serialize> {
        let Self { atoms: _, records: _, former: _, postings, reader: _, count: _ } = self;
        postings.iter()
    }

    /// The population that was written down; `None` if an index is missing.
    #[must_use]
    pub fn from_saved(rows: SavedRows, postings: Vec<SavedPostings>) -> Option<Self> {
        let SavedRows { mut atoms, records: Exact(records), former } = rows;
        if postings.len() != KINDS {
            return None;
        }
        atoms.index();
        let count = records.iter().filter(|record| record.present).count();
        let former = former.into_iter().collect::<FxHashMap<_, _>>();
        let postings = postings.into_iter().map(|SavedPostings(postings)| postings).collect();
        Some(Self { atoms, records, former, postings, reader: Reader::default(), count })
    }
}

/// Entries go up, so that what is added to the coarse part takes fewer bytes than the part itself.
impl Serialize for Postings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut entries = to.serialize_seq(Some(self.len()))?;
        let mut coarse = 0;
        for entry in self.entries() {
            entries.serialize_element(&(entry.coarse - coarse, entry.finer, entry.row))?;
            coarse = entry.coarse;
        }
        entries.end()
    }
}

impl<'de> Deserialize<'de> for SavedPostings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut coarse = 0_u32;
        let entry = |(added, finer, row): (u32, u32, u32)| {
            coarse = coarse.wrapping_add(added);
            Entry { coarse, finer, row }
        };
        Ok(Self(Postings::of_sorted(from.deserialize_seq(Each { entry, marker: PhantomData })?)))
    }
}

/// A list that takes no more memory than it needs.
struct Exact<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Exact<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(from.deserialize_seq(Each { entry: |value: T| value, marker: PhantomData })?))
    }
}

struct Each<F, T> {
    entry: F,
    marker: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, U, F: FnMut(T) -> U> Visitor<'de> for Each<F, T> {
    type Value = Vec<U>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Vec<U>, A::Error> {
        let mut values = Vec::with_capacity(list.size_hint().unwrap_or_default());
        while let Some(value) = list.next_element()? {
            values.push((self.entry)(value));
        }
        Ok(values)
    }
}
