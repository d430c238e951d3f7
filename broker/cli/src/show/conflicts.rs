//! The conflicts that a reader must see before anything else: those between crisis datasets and between medicines.

use super::{
    book::Book,
    item::{brief, said_by},
    page::{Ink, Page},
    words::{self, matters_most},
};
use severn_client::Received;
use severn_proto::v1::{Conflict, Item};
use std::collections::{BTreeSet, HashMap};

/// One conflict, however many items name it.
struct Found<'a> {
    conflict: &'a Conflict,
    item_ids: BTreeSet<&'a str>,
    matters: bool,
}

/// Puts the conflicts that matter most at the top; says how many others stand with their items.
pub(super) fn put_conflicts(page: &mut Page<'_>, received: &Received, book: &Book<'_>) {
    let found = collect(received);
    let (top, others): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.matters);
    if top.is_empty() && others.is_empty() {
        return;
    }
    page.blank();
    page.heading(Ink::Warn, "CONFLICTS: the sources do not agree");
    for found in top {
        page.put_marked(0, "⚠ ", Ink::Warn, &found.conflict.text);
        for id in &found.item_ids {
            put_side(page, id, book);
        }
    }
    if !others.is_empty() {
        page.put(0, Ink::Warn, &format!("{} more, marked ⚠ below.", others.len()));
    }
}

fn collect(received: &Received) -> Vec<Found<'_>> {
    let mut all: Vec<Found<'_>> = Vec::new();
    let mut known: HashMap<(&str, BTreeSet<&str>), usize> = HashMap::new();
    for section in &received.sections {
        let matters = matters_most(section.dataset);
        for (item, conflict) in section.items.iter().flat_map(|i| i.conflicts.iter().map(move |c| (i, c))) {
            let others = conflict.other_item_ids.iter().map(String::as_str);
            let item_ids: BTreeSet<&str> = others.chain([item.item_id.as_str()]).collect();
            let place = *known.entry((&conflict.rule, item_ids.clone())).or_insert(all.len());
            match all.get_mut(place) {
                Some(before) => before.matters |= matters,
                None => all.push(Found { conflict, item_ids, matters }),
            }
        }
    }
    all
}

fn put_side(page: &mut Page<'_>, item_id: &str, book: &Book<'_>) {
    let Some((item, dataset)) = book.item(item_id) else {
        page.put_marked(2, "• ", Ink::Warn, "an item that is not in this answer");
        return;
    };
    let heading = words::heading(dataset);
    page.put_marked(2, "• ", Ink::Plain, &format!("{heading}: {} — {}", brief(item), everybody(item, book)));
}

fn everybody(item: &Item, book: &Book<'_>) -> String {
    item.contributions.iter().map(|c| said_by(c, book)).collect::<Vec<_>>().join("; also ")
}
