//! What must hold for any replies at all; the rules one by one are in `rules`.

mod make;
mod rules;

use super::*;
use make::{Case, cases, shuffled};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use severn_proto::v1::{Assertion, EntryStatus, Item, Outcome};
use severn_trust::ALL_DATASETS;
use std::collections::{BTreeMap, BTreeSet};

fn items(merged: &Merged) -> impl Iterator<Item = (i32, &Item)> {
    merged.sections.iter().flat_map(|section| section.items.iter().map(|item| (section.dataset, item)))
}

fn heads(item: &Item) -> impl Iterator<Item = &EntryHead> {
    item.contributions.iter().filter_map(|c| c.entry.as_ref()?.head.as_ref())
}

/// The properties below say little unless the cases reach what they are about.
#[test]
fn the_cases_reach_every_rule_and_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..400 {
        let case = cases().new_tree(&mut runner).map(|tree| tree.current());
        let merged = merged(&case.expect("the strategy rejects nothing"));
        for (_, item) in items(&merged) {
            let rules = item.grouped_by.split(", ").chain(item.conflicts.iter().map(|c| c.rule.as_str()));
            let retracted = ["retracted"].into_iter().filter(|_| item.retracted && item.contributions.len() > 1);
            let possibly = ["possibly"].into_iter().filter(|_| !item.possibly_same.is_empty());
            for what in rules.chain(retracted).chain(possibly) {
                *met.entry(what.to_owned()).or_default() += 1;
            }
        }
        for row in &merged.ledger.rows {
            *met.entry(row.outcome().as_str_name().to_owned()).or_default() += 1;
            *met.entry("withheld".to_owned()).or_default() += row.withheld;
        }
    }
    let outcomes = (1..=10).filter_map(|n| Outcome::try_from(n).ok()).map(|outcome| outcome.as_str_name());
    let rules = ["SAME-1", "ORIGIN-1", "ALLERGY-1", "MEDICINE-1", "PROBLEM-1", "CONTACT-1", "ALERT-1", "CONFLICT-1"];
    let more = ["CONFLICT-2", "CONFLICT-3", "CONFLICT-4", "CONFLICT-5", "CONFLICT-6", "CONFLICT-7"];
    for what in outcomes.chain(rules).chain(more).chain(["retracted", "possibly", "withheld"]) {
        assert!(met.get(what).is_some_and(|times| *times > 0), "{what} is not reached: {met:?}");
    }
}

fn merged(case: &Case) -> Merged {
    unify(&case.plan, case.replies.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Laws 2 and 3, for arbitrary replies.
    #[test]
    fn every_pair_has_one_row_and_every_entry_one_place(case in cases()) {
        let merged = merged(&case);
        let sources: BTreeSet<&str> = case.plan.sources.iter().map(|p| &*p.source.id.0).collect();
        let rank = |number: i32| ALL_DATASETS.iter().position(|d| *d as i32 == number);
        let pairs: Vec<_> = merged.ledger.rows.iter().map(|row| (rank(row.dataset), row.source_id.as_str())).collect();
        let datasets: BTreeSet<_> = case.plan.datasets.iter().map(|d| rank(*d as i32)).collect();
        let expected: Vec<_> = datasets.iter().flat_map(|d| sources.iter().map(|s| (*d, *s))).collect();
        prop_assert_eq!(pairs, expected);

        let planned = |reply: &&Reply| {
            case.plan.sources.iter().any(|p| p.source.id == reply.source && p.local_id == reply.local_id)
        };
        // Where nothing is in scope there is no row to count in.
        let planned = |reply: &&Reply| !case.plan.datasets.is_empty() && planned(reply);
        let entries = |reply: &Reply| reply.batches.iter().map(|b| b.entries.len() as u64).sum::<u64>();
        prop_assert_eq!(merged.seal.received, case.replies.iter().filter(planned).map(entries).sum::<u64>());

        let mut shown: BTreeMap<(i32, &str), (u32, u32)> = BTreeMap::new();
        for (dataset, item) in items(&merged) {
            prop_assert!(!item.contributions.is_empty());
            for (at, contribution) in item.contributions.iter().enumerate() {
                let counts = shown.entry((dataset, &contribution.source_id)).or_default();
                if at == 0 { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
        for row in &merged.ledger.rows {
            prop_assert_eq!(row.received, row.shown + row.grouped + row.withheld + row.rejected);
            let counts = shown.remove(&(row.dataset, row.source_id.as_str())).unwrap_or_default();
            prop_assert_eq!((row.shown, row.grouped), counts);
            prop_assert!(row.outcome() != Outcome::Unspecified);
            let codes: BTreeSet<i32> = row.reasons.iter().map(|reason| reason.code).collect();
            prop_assert_eq!(codes.len(), row.reasons.len());
        }
        prop_assert!(shown.is_empty());
        let sum = |count: fn(&LedgerRow) -> u32| merged.ledger.rows.iter().map(|row| u64::from(count(row))).sum::<u64>();
        prop_assert_eq!(merged.seal.received, sum(|r| r.received));
        prop_assert_eq!(merged.seal.shown, sum(|r| r.shown));
        prop_assert_eq!(merged.seal.grouped, sum(|r| r.grouped));
        prop_assert_eq!(merged.seal.withheld, sum(|r| r.withheld));
        prop_assert_eq!(merged.seal.rejected, sum(|r| r.rejected));
        prop_assert_eq!(merged.seal.rows as usize, merged.ledger.rows.len());
        prop_assert_eq!(merged.seal.sections as usize, merged.sections.len());
        prop_assert!(!merged.ledger.summary.is_empty());
    }

    /// Every entry shown was received from that source, and none is shown more often than it was received.
    #[test]
    fn what_is_shown_was_received(case in cases()) {
        let mut received: Vec<(String, Vec<u8>)> = Vec::new();
        for reply in &case.replies {
            for entry in reply.batches.iter().flat_map(|batch| &batch.entries) {
                received.push((reply.source.0.to_string(), prost::Message::encode_to_vec(entry)));
            }
        }
        for (_, item) in items(&merged(&case)) {
            for contribution in &item.contributions {
                let bytes = contribution.entry.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
                let key = (contribution.source_id.clone(), bytes);
                let at = received.iter().position(|r| *r == key);
                prop_assert!(at.is_some());
                received.swap_remove(at.unwrap_or_default());
            }
        }
    }

    /// Law 5, and idempotence.
    #[test]
    fn order_does_not_matter(case in cases(), seed in any::<u64>()) {
        let one = merged(&case);
        let other = unify(&case.plan, shuffled(&case.replies, seed));
        prop_assert_eq!(&one.ledger, &other.ledger);
        prop_assert_eq!(&one.sections, &other.sections);
        prop_assert_eq!(&one.seal, &other.seal);
    }

    /// What a source sends twice adds to what is grouped and to nothing else.
    #[test]
    fn saying_it_twice_says_no_more(case in cases()) {
        let mut once = case.believed();
        once.drop_entries(|head| head.assertion == Assertion::NoneKnown as i32);
        let mut twice = once.clone();
        for batch in twice.replies.iter_mut().flat_map(|reply| &mut reply.batches) {
            let again = batch.entries.clone();
            batch.entries.extend(again);
        }
        twice.drop_entries(|_| false);
        let (once, twice) = (merged(&once), merged(&twice));
        prop_assert_eq!(twice.seal.received, 2 * once.seal.received);
        prop_assert_eq!(twice.seal.shown, once.seal.shown);
        prop_assert_eq!(twice.seal.grouped, 2 * once.seal.grouped + once.seal.shown);
        let conflicts = |merged: &Merged| -> Vec<usize> { items(merged).map(|(_, i)| i.conflicts.len()).collect() };
        let (mut once, mut twice) = (conflicts(&once), conflicts(&twice));
        once.sort_unstable();
        twice.sort_unstable();
        prop_assert_eq!(once, twice);
    }

    /// When an adapter read an entry changes neither ids, order, grouping nor digest.
    #[test]
    fn the_time_of_reading_does_not_matter(case in cases(), seed in any::<u64>()) {
        let mut other = case.clone();
        let mut time = seed;
        for entry in other.replies.iter_mut().flat_map(|r| &mut r.batches).flat_map(|b| &mut b.entries) {
            time = make::next(time);
            if let Some(provenance) = entry.head.as_mut().and_then(|head| head.provenance.as_mut()) {
                provenance.retrieved_at_ms = (time % 5) as i64;
            }
        }
        let (one, other) = (merged(&case), merged(&other));
        prop_assert_eq!(one.seal, other.seal);
    }

    /// Law 4: a statement that none are known is grouped with nothing, and nothing is missing because of it.
    #[test]
    fn an_absence_suppresses_nothing(case in cases()) {
        let case = case.believed();
        let with = merged(&case);
        let mut without = case;
        without.drop_entries(|head| head.assertion == Assertion::NoneKnown as i32);
        let without = merged(&without);
        for (_, item) in items(&with) {
            let absent = heads(item).any(|head| head.assertion() == Assertion::NoneKnown);
            prop_assert!(!absent || item.contributions.len() == 1);
        }
        let groups = |merged: &Merged| -> Vec<Vec<String>> {
            let present = items(merged).filter(|(_, i)| heads(i).all(|head| head.assertion() != Assertion::NoneKnown));
            let mut groups: Vec<Vec<String>> = present
                .map(|(dataset, item)| {
                    let of = |c: &severn_proto::v1::Contribution| format!("{dataset} {} {:?}", c.source_id, c.entry);
                    item.contributions.iter().map(of).collect()
                })
                .collect();
            groups.sort();
            groups
        };
        // An id given to an absence and to something else keeps the latter from being grouped by what it says: the
        // source's ids cannot be trusted. So groups may only be finer with the absence than without.
        let (with, without) = (groups(&with), groups(&without));
        prop_assert_eq!(with.iter().map(Vec::len).sum::<usize>(), without.iter().map(Vec::len).sum::<usize>());
        for group in with {
            prop_assert!(without.iter().any(|other| group.iter().all(|entry| other.contains(entry))));
        }
    }

    /// Law 4: nothing that was entered in error stands in an item that reads as active, and no copy of it does.
    #[test]
    fn what_was_retracted_takes_its_copies_along(case in cases()) {
        let merged = merged(&case);
        let mut gone = BTreeSet::new();
        for (dataset, item) in items(&merged) {
            let in_error = |head: &EntryHead| head.status() == EntryStatus::EnteredInError;
            prop_assert!(item.retracted || !heads(item).any(in_error));
            prop_assert!(!heads(item).any(in_error) || heads(item).next().is_some_and(in_error));
            for head in heads(item).filter(|head| in_error(head)) {
                let absence = head.assertion() == Assertion::NoneKnown;
                gone.extend(head.origins.iter().map(|o| (dataset, absence, o.value.clone())));
            }
        }
        for (dataset, item) in items(&merged).filter(|(_, item)| !item.retracted) {
            for head in heads(item) {
                let absence = head.assertion() == Assertion::NoneKnown;
                prop_assert!(!head.origins.iter().any(|o| gone.contains(&(dataset, absence, o.value.clone()))));
            }
        }
        for section in &merged.sections {
            prop_assert!(section.items.is_sorted_by_key(|item| item.retracted));
        }
    }

    /// Without a shared origin, what stands in one item agrees in everything that tells statements apart.
    #[test]
    fn one_item_says_one_thing(case in cases()) {
        for (dataset, item) in items(&merged(&case)) {
            let dataset = Dataset::try_from(dataset).unwrap_or_default();
            if item.grouped_by.contains("ORIGIN-1") {
                continue;
            }
            let mut heads = heads(item);
            let first = heads.next();
            for head in heads {
                prop_assert_eq!(Some(content::fields(head)), first.map(content::fields));
                prop_assert_eq!(Some(head.status), first.map(|f| f.status));
                prop_assert_eq!(Some(head.assertion == 3), first.map(|f| f.assertion == 3));
                // A contact is named by words; its codes say what kind of contact it is.
                let named = |head| if dataset == Dataset::Contacts { None } else { content::key_code(head) };
                prop_assert_eq!(Some(named(head)), first.map(named));
            }
            prop_assert!(item.contributions.len() == 1 || !item.grouped_by.is_empty());
            prop_assert!(content::rule(dataset).is_some() || item.contributions.len() == 1 || item.grouped_by == "SAME-1");
        }
    }

    /// Items name each other in both directions, under ids that exist and are given once.
    #[test]
    fn conflicts_are_marked_both_ways(case in cases()) {
        let merged = merged(&case);
        let mut by_id = BTreeMap::new();
        for (_, item) in items(&merged) {
            prop_assert_eq!(item.item_id.len(), 16);
            prop_assert!(by_id.insert(item.item_id.as_str(), item).is_none());
        }
        for (id, item) in &by_id {
            for conflict in &item.conflicts {
                for other in &conflict.other_item_ids {
                    prop_assert!(other != id);
                    let other = by_id.get(other.as_str());
                    let back = other.and_then(|o| o.conflicts.iter().find(|c| c.rule == conflict.rule));
                    prop_assert!(back.is_some_and(|c| c.other_item_ids.iter().any(|o| o == id)));
                }
            }
            for other in &item.possibly_same {
                prop_assert!(by_id.get(other.as_str()).is_some_and(|o| o.possibly_same.iter().any(|o| o == id)));
                prop_assert!(!item.conflicts.iter().any(|c| c.other_item_ids.contains(other)));
            }
        }
    }
}
