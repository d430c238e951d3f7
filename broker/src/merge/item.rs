//! Makes the items of a section out of groups: which entry leads, in which order items stand, and their ids. The order
//! is total and does not depend on arrival (ORDER-1, ORDER-2).

use super::{
    Accepted, Scoped,
    account::Accounts,
    canon::Canon,
    conflict::rule_and_text,
    fold::has_year,
    group::{Group, GroupedBy},
    head::Head,
    relate::{Relation, Relations},
};
use crate::model::{Listed, Shown};
use bytes::Bytes;
use prost::Message as _;
use severn_proto::{
    v1::{Conflict, EntryStatus},
    v1_passing::{Contribution, Item, Section},
};
use severn_trust::{Digest, hex, sha256};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

const CONFLICTS: [Relation; 7] = [
    Relation::NoneKnown,
    Relation::Refuted,
    Relation::Dose,
    Relation::Ended,
    Relation::Versions,
    Relation::Retracted,
    Relation::SameId,
];

/// Item ids given in this answer, so that none is given twice.
#[derive(Default)]
pub(super) struct Ids {
    given: HashSet<[u8; 8]>,
    /// What an id is made of; kept from item to item for its space.
    input: Vec<u8>,
}

/// An item that lacks only its entries.
pub(super) struct Shape {
    /// Without contributions.
    item: Item,
    /// Where its entries lie in what was accepted, the leading one first.
    members: Vec<usize>,
}

/// Makes the items of a dataset, without their entries, in the order in which they are shown.
pub(super) fn shapes(
    scoped: &Scoped<'_>,
    canon: &Canon<'_>,
    groups: Vec<Group>,
    relations: &Relations,
    given: &mut Ids,
) -> Vec<Shape> {
    let ids: Vec<String> = groups.iter().map(|group| given.id(scoped, canon, group)).collect();
    let related: Vec<_> = (0..groups.len()).map(|own| related(relations, own, &ids)).collect();
    let mut shapes = Vec::with_capacity(groups.len());
    for ((mut group, item_id), (conflicts, possibly_same)) in groups.into_iter().zip(ids).zip(related) {
        lead(canon, &mut group.members);
        let heads = || group.members.iter().map(|position| canon.heads[*position]);
        let place = (
            group.retracted,
            conflicts.is_empty(),
            !heads().any(|head| head.status() == EntryStatus::Active),
            Reverse(heads().map(date).max().unwrap_or("")),
        );
        let item = Item {
            item_id,
            contributions: Vec::with_capacity(group.members.len()),
            grouped_by: grouped_by(group.by),
            conflicts,
            possibly_same,
            retracted: group.retracted,
        };
        group.members.iter_mut().for_each(|member| *member = canon.at[*member]);
        shapes.push((place, Shape { item, members: group.members }));
    }
    shapes.sort_by(|(place, shape), (other_place, other)| {
        place.cmp(other_place).then_with(|| shape.item.item_id.cmp(&other.item.item_id))
    });
    shapes.into_iter().map(|(_, shape)| shape).collect()
}

/// Gives the items their entries, counts each as shown or grouped, and serialises the whole.
pub(super) fn section(
    scoped: &Scoped<'_>,
    entries: &[Accepted<'_>],
    shapes: Vec<Shape>,
    accounts: &mut Accounts,
) -> (Shown, Listed) {
    let mut items = Vec::with_capacity(shapes.len());
    let mut listed: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for Shape { mut item, members } in shapes {
        for at in members {
            let Accepted { source, head, bytes } = &entries[at];
            let account = accounts.of_pair(*source as usize, scoped.at);
            if item.contributions.is_empty() {
                account.shown += 1;
            } else {
                account.grouped += 1;
            }
            listed.entry(*source).or_default().push(head.entry_id.to_owned());
            let source_id = scoped.sources[*source as usize].id.0.to_string();
            item.contributions.push(Contribution { source_id, entry: Bytes::clone(bytes) });
        }
        items.push(item);
    }
    let entries = listed.into_iter().map(|(source, ids)| (scoped.sources[source as usize].id.clone(), ids)).collect();
    let section = Section { dataset: scoped.dataset as i32, items };
    let shown = Shown { dataset: scoped.dataset, bytes: section.encode_to_vec().into() };
    (shown, Listed { dataset: scoped.dataset, digest: Digest::default(), entries })
}

/// The date by which an entry stands among others: when it happened, else when it was written down or changed.
pub(super) fn date<'e>(head: &Head<'e>) -> &'e str {
    let dates = [head.effective_start, head.recorded, head.last_changed];
    dates.into_iter().find(|date| has_year(date)).unwrap_or("")
}

/// Puts the leading entry first: the one entered in error, if any, so that nobody reads its copies as active by
/// reading only the first; then the one changed last.
fn lead(canon: &Canon<'_>, members: &mut [usize]) {
    if members.len() > 1 {
        members.sort_by_key(|position| {
            let head = canon.heads[*position];
            let dates = [head.last_changed, head.recorded];
            let changed = dates.into_iter().find(|date| has_year(date)).unwrap_or("");
            (head.status() != EntryStatus::EnteredInError, Reverse(changed), *position)
        });
    }
}

impl Ids {
    /// An id made of what identifies the entries: dataset, source and entry id, and the content where a source gave one
    /// id to several entries. Should two items come to one id, the later in canonical order is hashed again.
    fn id(&mut self, scoped: &Scoped<'_>, canon: &Canon<'_>, group: &Group) -> String {
        self.input.clear();
        self.input.extend_from_slice(&(scoped.dataset as i32).to_be_bytes());
        for position in &group.members {
            let source_id = &*scoped.sources[canon.source[*position] as usize].id.0;
            for text in [source_id, canon.heads[*position].entry_id] {
                self.input.extend_from_slice(&(text.len() as u64).to_be_bytes());
                self.input.extend_from_slice(text.as_bytes());
            }
            if let Some(repeated) = canon.repeated.get(position) {
                self.input.extend_from_slice(&repeated.digest);
            }
        }
        loop {
            let digest = sha256(&[&self.input]);
            let mut id = [0; 8];
            id.copy_from_slice(&digest[..8]);
            if self.given.insert(id) {
                return hex(&id);
            }
            self.input.extend_from_slice(&digest);
        }
    }
}

fn related(relations: &Relations, own: usize, ids: &[String]) -> (Vec<Conflict>, Vec<String>) {
    let related = &relations.0[own];
    if related.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let named = |others: Vec<usize>| others.into_iter().map(|other| ids[other].clone()).collect::<Vec<String>>();
    let conflict = |relation, other_item_ids| {
        let (rule, text) = rule_and_text(relation);
        Conflict { rule: rule.to_owned(), text: text.to_owned(), other_item_ids }
    };
    let mut conflicts = Vec::new();
    let mut any_more = false;
    for relation in CONFLICTS {
        if let Some((others, more)) = related.under(relation, own) {
            conflicts.push(conflict(relation, named(others)));
            any_more |= more;
        }
    }
    let (possibly, more) = related.under(Relation::Possibly, own).unwrap_or_default();
    if any_more || more {
        conflicts.push(conflict(Relation::Possibly, Vec::new()));
    }
    (conflicts, named(possibly))
}

fn grouped_by(by: GroupedBy) -> String {
    let rules = [by.same.then_some("SAME-1"), by.origin.then_some("ORIGIN-1"), by.content];
    rules.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
