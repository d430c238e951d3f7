//! A merged record, open, and where each entry of its region stands in it.

use crate::region::{
    Region,
    sources::SOURCES,
    told::{Fate, Told},
};
use anyhow::{Context as _, Result};
use prost::Message as _;
use severn_broker::{
    merge::{self, Rules},
    model::{Plan, Reply, SealedRecord},
};
use severn_proto::v1::{Contribution, Item, Ledger, Section};
use std::{collections::HashMap, sync::LazyLock};

/// The rules with the tables that are built in.
pub static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);

/// A merged record with its parts open.
#[derive(Debug)]
pub struct Open {
    /// As it leaves the broker.
    pub record: SealedRecord,
    /// Its sections.
    pub sections: Vec<Section>,
    /// Its ledger.
    pub ledger: Ledger,
}

impl Open {
    /// Merges `replies` to `plan`.
    ///
    /// # Errors
    /// If what the merge wrote cannot be read.
    pub fn of(plan: &Plan, replies: &[Reply]) -> Result<Open> {
        let record = merge::unify(&RULES, plan, replies).record;
        let sections = record.sections.iter().map(|bytes| Section::decode(bytes.as_ref()));
        let sections = sections.collect::<Result<Vec<Section>, _>>().context("a section cannot be read")?;
        let ledger = Ledger::decode(record.ledger.as_ref()).context("the ledger cannot be read")?;
        Ok(Open { record, sections, ledger })
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.sections.iter().flat_map(|section| &section.items)
    }
}

/// For every entry of a region that is shown, its item.
#[derive(Debug)]
pub struct Shown<'o> {
    /// By place of the entry in the region; `None` for what is not shown.
    pub items: Vec<Option<&'o Item>>,
    /// How many contributions of the record are no entry of the region, or come twice.
    pub strangers: usize,
}

impl<'o> Shown<'o> {
    /// Finds the entries of `region` in `open`, byte by byte.
    #[must_use]
    pub fn of(region: &Region, open: &'o Open) -> Shown<'o> {
        let mut places: HashMap<(&str, Vec<u8>), Vec<usize>> = HashMap::with_capacity(region.told.len());
        for (place, one) in region.told.iter().enumerate().filter(|(_, one)| one.fate == Fate::Shown) {
            places.entry((source_id(one), one.bytes().into())).or_default().push(place);
        }
        let mut shown = Shown { items: vec![None; region.told.len()], strangers: 0 };
        for item in open.items() {
            for Contribution { source_id, entry } in &item.contributions {
                let bytes = entry.as_ref().map(|entry| entry.encode_to_vec()).unwrap_or_default();
                match places.get_mut(&(source_id.as_str(), bytes)).and_then(Vec::pop) {
                    Some(place) => shown.items[place] = Some(item),
                    None => shown.strangers += 1,
                }
            }
        }
        shown
    }

    /// Whether two entries stand in one item.
    #[must_use]
    pub fn together(&self, a: usize, b: usize) -> bool {
        matches!((self.items[a], self.items[b]), (Some(a), Some(b)) if a.item_id == b.item_id)
    }

    /// Whether the items of two entries name each other as possibly the same.
    #[must_use]
    pub fn possibly(&self, a: usize, b: usize) -> bool {
        matches!((self.items[a], self.items[b]), (Some(a), Some(b)) if a.possibly_same.contains(&b.item_id))
    }

    /// Whether the items of two entries conflict under `rule`, or under any if that is empty; or their one item does.
    #[must_use]
    pub fn conflict(&self, a: usize, b: usize, rule: &str) -> bool {
        let (Some(a), Some(b)) = (self.items[a], self.items[b]) else { return false };
        let mut conflicts = a.conflicts.iter().filter(|conflict| rule.is_empty() || conflict.rule == rule);
        conflicts.any(|conflict| a.item_id == b.item_id || conflict.other_item_ids.contains(&b.item_id))
    }
}

/// The id of the source that sends an entry.
#[must_use]
pub const fn source_id(one: &Told) -> &'static str {
    SOURCES[one.source].0
}
