//! Makes the items of a section out of groups: which entry leads, in which order items stand, and their ids. The order
//! is total and does not depend on arrival (ORDER-1, ORDER-2).

use super::{
    Accepted, Scoped,
    account::Accounts,
    canon::Canon,
    conflict::rule_and_text,
    content::{in_force, is_given},
    fold::has_year,
    group::{Group, GroupedBy, Members},
    head::Head,
    relate::{Relation, Relations},
    write,
};
use crate::model::Listed;
use bytes::Bytes;
use foldhash::HashSet;
use prost::Message as _;
use severn_proto::v1::{Conflict, Dataset, EntryStatus};
use severn_trust::Digest;
use std::cmp::Reverse;
use twox_hash::XxHash3_64;

const CONFLICTS: [Relation; 10] = [
    Relation::Resuscitation,
    Relation::NoneKnown,
    Relation::Refuted,
    Relation::Plans,
    Relation::Dose,
    Relation::Strength,
    Relation::Ended,
    Relation::Versions,
    Relation::Retracted,
    Relation::SameId,
];

/// Bytes around an entry in a section, about: keys and lengths, source and item id.
const AROUND_ENTRY_BYTES: usize = 48;

/// Item ids given in this answer, so that none is given twice.
#[derive(Default)]
pub(super) struct Ids {
    given: HashSet<u64>,
    /// What an id is made of; kept from item to item for its space.
    input: Vec<u8>,
}

/// An item's id: hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemId([u8; 16]);

impl ItemId {
    fn of(number: u64) -> ItemId {
        let mut digits = [0; 16];
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (60 - 4 * at)) as usize & 15];
        }
        ItemId(digits)
    }
}

/// An item that lacks only its entries.
pub(super) struct Shape {
    id: ItemId,
    /// Where its entries lie in what was accepted, the leading one first.
    members: Members,
    by: GroupedBy,
    conflicts: Vec<Conflict>,
    possibly_same: Vec<ItemId>,
    retracted: bool,
}

/// Makes the items of a dataset, without their entries, in the order in which they are shown.
pub(super) fn shapes(
    scoped: &Scoped<'_, '_>,
    canon: &Canon<'_, '_>,
    groups: Vec<Group>,
    relations: &Relations,
    given: &mut Ids,
) -> Vec<Shape> {
    let ids: Vec<ItemId> = groups.iter().map(|group| given.id(scoped, canon, group)).collect();
    let mut shapes = Vec::with_capacity(groups.len());
    for (own, mut group) in groups.into_iter().enumerate() {
        let (conflicts, possibly_same) = related(relations, own, &ids);
        lead(canon, &mut group.members);
        let heads = || group.members.iter().map(|position| canon.heads[*position]);
        let place = (
            group.retracted,
            heads().map(|head| stage(scoped.dataset, head)).min(),
            conflicts.is_empty(),
            !heads().any(|head| head.status() == EntryStatus::Active),
            Reverse(heads().map(date).max().unwrap_or("")),
        );
        group.members.iter_mut().for_each(|member| *member = canon.at[*member]);
        let Group { members, by, retracted, .. } = group;
        shapes.push((place, Shape { id: ids[own], members, by, conflicts, possibly_same, retracted }));
    }
    shapes.sort_unstable_by(|(place, shape), (other_place, other)| {
        place.cmp(other_place).then_with(|| shape.id.cmp(&other.id))
    });
    shapes.into_iter().map(|(_, shape)| shape).collect()
}

/// Writes the `Section` and counts each of its entries as shown or grouped.
pub(super) fn section(
    scoped: &Scoped<'_, '_>,
    entries: &[Accepted<'_>],
    shapes: &[Shape],
    accounts: &mut Accounts,
) -> Bytes {
    let contents: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    let mut out = Vec::with_capacity(contents + entries.len() * AROUND_ENTRY_BYTES);
    let mut rest = Vec::new();
    write::number(&mut out, 1, scoped.dataset as u64);
    for shape in shapes {
        let contribution = |at: &usize| {
            let Accepted { source, bytes, .. } = &entries[*at];
            let source_id = &*scoped.sources[*source as usize].id.0;
            let length = write::length_of(1, source_id.len()) + write::length_of(2, bytes.len());
            (source_id, bytes, length)
        };
        shape.write_rest(&mut rest);
        let contributions = shape.members.iter().map(|at| write::length_of(2, contribution(at).2));
        write::open(&mut out, 2, write::length_of(1, shape.id.0.len()) + contributions.sum::<usize>() + rest.len());
        write::bytes(&mut out, 1, &shape.id.0);
        for (place, at) in shape.members.iter().enumerate() {
            let (source_id, bytes, length) = contribution(at);
            write::open(&mut out, 2, length);
            write::text(&mut out, 1, source_id);
            write::bytes(&mut out, 2, bytes);
            let account = accounts.of_pair(entries[*at].source as usize, scoped.at);
            *(if place == 0 { &mut account.shown } else { &mut account.grouped }) += 1;
        }
        out.extend_from_slice(&rest);
    }
    out.into()
}

impl Shape {
    /// Where its leading entry lies in what was accepted.
    pub(super) fn leading(&self) -> Option<usize> {
        self.members.first().copied()
    }

    pub(super) fn is_retracted(&self) -> bool {
        self.retracted
    }

    /// Writes the fields of an `Item` that follow its contributions.
    fn write_rest(&self, rest: &mut Vec<u8>) {
        rest.clear();
        let GroupedBy { same, origin, content } = self.by;
        let rules = [same.then_some("SAME-1"), origin.then_some("ORIGIN-1"), content];
        if rules.iter().any(Option::is_some) {
            write::text(rest, 3, &rules.into_iter().flatten().collect::<Vec<_>>().join(", "));
        }
        for conflict in &self.conflicts {
            write::bytes(rest, 4, &conflict.encode_to_vec());
        }
        for id in &self.possibly_same {
            write::bytes(rest, 5, &id.0);
        }
        write::number(rest, 6, self.retracted.into());
    }
}

/// What a section shows. Its digest is not known here.
pub(super) fn listed<'r>(scoped: &Scoped<'_, 'r>, entries: &[Accepted<'r>], shapes: &[Shape]) -> Listed<'r> {
    let shown = shapes.iter().flat_map(|shape| &shape.members).map(|at| &entries[*at]);
    let mut by_source: Vec<&Accepted<'r>> = shown.collect();
    // Stable: within a source the ids stand as the entries are shown.
    by_source.sort_by_key(|entry| entry.source);
    let entries = by_source.into_iter().map(|e| (&*scoped.sources[e.source as usize].id.0, e.head.entry_id)).collect();
    Listed { dataset: scoped.dataset, digest: Digest::default(), entries }
}

/// The date by which an entry stands among others: when it happened, else when it was written down or changed.
pub(super) fn date<'e>(head: &Head<'e>) -> &'e str {
    let dates = [head.effective_start, head.recorded, head.last_changed];
    dates.into_iter().find(|date| has_year(date)).unwrap_or("")
}

/// Where a medicine stands among others (ORDER-3): in force, to come or on hold, given, past. Elsewhere all stand alike.
fn stage(dataset: Dataset, head: &Head<'_>) -> u8 {
    match head.status() {
        _ if dataset != Dataset::Medications => 0,
        _ if is_given(head) => 2,
        EntryStatus::Active => 0,
        _ if in_force(head) => 1,
        _ => 3,
    }
}

/// Puts the leading entry first: the one entered in error, if any, so that nobody reads its copies as active by
/// reading only the first; then the one changed last.
fn lead(canon: &Canon<'_, '_>, members: &mut [usize]) {
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
    fn id(&mut self, scoped: &Scoped<'_, '_>, canon: &Canon<'_, '_>, group: &Group) -> ItemId {
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
            let id = XxHash3_64::oneshot(&self.input);
            if self.given.insert(id) {
                return ItemId::of(id);
            }
            self.input.extend_from_slice(&id.to_be_bytes());
        }
    }
}

fn related(relations: &Relations, own: usize, ids: &[ItemId]) -> (Vec<Conflict>, Vec<ItemId>) {
    let related = &relations.0[own];
    if related.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let conflict = |relation, others: Vec<usize>| {
        let (rule, text) = rule_and_text(relation);
        let other_item_ids = others.into_iter().map(|other| String::from_utf8_lossy(&ids[other].0).into_owned());
        Conflict { rule: rule.to_owned(), text: text.to_owned(), other_item_ids: other_item_ids.collect() }
    };
    let mut conflicts = Vec::new();
    let mut any_more = false;
    for relation in CONFLICTS {
        if let Some((others, more)) = related.under(relation, own) {
            conflicts.push(conflict(relation, others));
            any_more |= more;
        }
    }
    let (possibly, more) = related.under(Relation::Possibly, own).unwrap_or_default();
    if any_more || more {
        conflicts.push(conflict(Relation::Possibly, Vec::new()));
    }
    (conflicts, possibly.into_iter().map(|other| ids[other]).collect())
}
