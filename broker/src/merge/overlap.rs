//! Stays of which one may be another, told otherwise: of one kind, at one organisation, at one time (POSSIBLE-2). Nothing
//! else is possibly the same because of its times.

use super::{
    RELATED_MAX,
    canon::Canon,
    content::{self, Name},
    fold::{day, is_whole_day},
    group::{Group, Teller},
    head::Head,
    relate::{Buckets, Relation, Relations},
    rules::Rules,
    statement::ContentRule,
};
use severn_proto::v1::{Assertion, EntryStatus};
use std::{cmp::Reverse, collections::BinaryHeap};

/// The end of what is not over.
const OPEN: &str = "9999-12-31";

/// Stays that are not over yet which one is compared with: nobody lies in more beds at once.
const OPEN_MAX: usize = 1_000;

/// First day, last day, and item.
type Stay<'e> = (&'e str, &'e str, usize);

/// Relates items of one kind and organisation that lie on at least one day together.
pub(super) fn relate(
    (rule, rules): (&ContentRule, &Rules),
    canon: &Canon<'_, '_>,
    groups: &[Group],
    relations: &mut Relations,
) {
    let members = |item: usize| groups[item].members.iter().map(move |position| (item, canon.heads[*position]));
    let all = (0..groups.len()).filter(|item| !groups[*item].retracted).flat_map(members);
    let told: Vec<(&Head<'_>, Stay<'_>)> = all.filter_map(|(item, head)| Some((head, stay(head, item)?))).collect();
    if !told.iter().any(|(_, (first, last, _))| first < last) {
        return;
    }
    let mut alike: Buckets<(&str, Name<'_>)> = Buckets::default();
    for (at, (head, _)) in told.iter().enumerate() {
        let organisation = content::organisation(head);
        for (name, _) in content::names(rule, rules, head).filter(|_| !organisation.is_empty()) {
            alike.put((organisation, name), at);
        }
    }
    let tellers: Vec<Option<Teller<'_>>> = groups.iter().map(|group| group.teller(canon)).collect();
    for places in alike.members.iter().filter(|places| places.len() > 1) {
        let mut stays: Vec<Stay<'_>> = places.iter().map(|at| told[*at].1).collect();
        stays.sort_unstable();
        let apart = |one: usize, other: usize| tellers[one].is_some() && tellers[one] == tellers[other];
        sweep(&stays, apart, relations);
    }
}

/// From which day to which an encounter lasted. Without an end it is its day, or goes on while it is active.
fn stay<'e>(head: &'e Head<'_>, item: usize) -> Option<Stay<'e>> {
    let (first, last) = (day(head.effective_start), day(head.effective_end));
    let known = is_whole_day(first) && head.assertion() != Assertion::Refuted;
    let last = match head.status() {
        _ if is_whole_day(last) => last,
        EntryStatus::Active => OPEN,
        _ => first,
    };
    known.then_some((first, last, item))
}

/// Relates stays, which are in order, with those before them that are not over yet, but for those that are `apart`.
fn sweep(stays: &[Stay<'_>], apart: impl Fn(usize, usize) -> bool, relations: &mut Relations) {
    let mut open: BinaryHeap<Reverse<(&str, usize)>> = BinaryHeap::new();
    for (first, last, item) in stays {
        while open.peek().is_some_and(|Reverse((last, _))| last < first) {
            open.pop();
        }
        let before = open.iter().map(|Reverse((_, other))| *other).take(OPEN_MAX).filter(|other| !apart(*item, *other));
        let before: Vec<usize> = before.take(RELATED_MAX + 2).collect();
        relations.between(Relation::Possibly, &[*item], &before);
        open.push(Reverse((last, *item)));
    }
}
