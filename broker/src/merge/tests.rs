//! What must hold for any replies at all; the rules one by one are in `rules`.

mod make;
mod rules;

use super::{as_text, content, head, limit};
use crate::model::SourceId;
use make::{Case, Opened, Reply, cases, shuffled, unify};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost::Message as _;
use severn_proto::v1::{Assertion, Dataset, Entry, EntryHead, EntryStatus, Item, LedgerRow, Outcome};
use severn_trust::ALL_DATASETS;
use std::collections::{BTreeMap, BTreeSet};

fn items(merged: &Opened) -> impl Iterator<Item = (i32, &Item)> {
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

fn merged(case: &Case) -> Opened {
    unify(&case.plan, case.replies.clone())
}

/// What the walk must see in an entry, as the generated decoder sees it.
fn seen(head: &EntryHead) -> head::Head<'_> {
    let texts = |p: &severn_proto::v1::Provenance| {
        let names = [&p.organisation, &p.organisation_ods, &p.system, &p.author, &p.author_role, &p.location];
        names.into_iter().chain([&p.recorder, &p.source_version]).map(String::len).max().unwrap_or(0)
    };
    head::Head {
        entry_id: &head.entry_id,
        dataset: head.dataset,
        codings: head
            .codings
            .iter()
            .map(|c| head::Coding { system: &c.system, code: &c.code, display: &c.display })
            .collect(),
        text: &head.text,
        assertion: head.assertion,
        status: head.status,
        status_verbatim: &head.status_verbatim,
        effective_start: &head.effective_start,
        effective_end: &head.effective_end,
        recorded: &head.recorded,
        last_changed: &head.last_changed,
        labels: head.labels.iter().copied().collect(),
        distinguishing: head.distinguishing.iter().map(|f| head::Field { name: &f.name, value: &f.value }).collect(),
        provenance: head.provenance.as_ref().map(|p| head::Provenance {
            longest: texts(p),
            organisation_ods: &p.organisation_ods,
            retrieved_at_ms: p.retrieved_at_ms,
        }),
        origins: head
            .origins
            .iter()
            .map(|o| head::Origin { system: &o.system, value: &o.value, organisation_ods: &o.organisation_ods })
            .collect(),
        as_text: false,
    }
}

/// The head of a serialised entry, if it has one, and the length of its body.
fn read(entry: &[u8]) -> Result<(Option<head::Head<'_>>, usize), head::Malformed> {
    let mut head = head::Head::default();
    let frame = head::read(&mut head, entry)?;
    Ok((frame.has_head.then_some(head), frame.body_bytes))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of a sound entry the walk sees what a decoder sees; of what only resembles one it accepts nothing that a decoder
    /// refuses, sees nothing else in it, and never panics.
    #[test]
    fn the_walk_sees_what_a_decoder_sees(
        head in make::heads(),
        body in proptest::collection::vec(any::<u8>(), 0..40),
        cut in any::<proptest::sample::Index>(),
        planted in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let entry = Entry { head: Some(head), body: body.into() };
        let mut bytes = entry.encode_to_vec();
        let whole = read(&bytes);
        prop_assert_eq!(whole, Ok((entry.head.as_ref().map(seen), entry.body.len())));
        for (at, byte) in planted {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let decoded = Entry::decode(bytes);
            let is_readable = decoded.is_ok();
            let decoded = decoded.unwrap_or_default();
            let Ok((head, body)) = read(bytes) else { continue };
            prop_assert!(is_readable, "passed on, and no decoder reads it: {bytes:?}");
            prop_assert_eq!(body, decoded.body.len());
            let twice = |head: &head::Head<'_>| head.provenance.map(|p| p.retrieved_at_ms);
            let (mut ours, mut theirs) = (head, decoded.head.as_ref().map(seen));
            prop_assert_eq!(ours.as_ref().map(twice), theirs.as_ref().map(twice));
            // The longest text counts even where a later one replaces it.
            for head in [&mut ours, &mut theirs].into_iter().flatten() {
                head.provenance = None;
            }
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn no_bytes_make_the_walk_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if read(&bytes).is_ok() {
            prop_assert!(Entry::decode(bytes.as_slice()).is_ok());
        }
    }
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

    /// Every entry shown was received from that source, as it is or kept as text (CHECK-3), and none is shown more often
    /// than it was received.
    #[test]
    fn what_is_shown_was_received(case in cases()) {
        let source = |id: &SourceId| case.plan.sources.iter().map(|planned| &planned.source).find(|s| s.id == *id);
        let mut received: Vec<(String, [Vec<u8>; 2])> = Vec::new();
        for reply in &case.replies {
            for entry in reply.batches.iter().flat_map(|batch| &batch.entries) {
                let bytes = prost::Message::encode_to_vec(entry);
                let text = source(&reply.source).map(|source| as_text::as_text(&bytes, source)).unwrap_or_default();
                received.push((reply.source.0.to_string(), [bytes, text]));
            }
        }
        for (_, item) in items(&merged(&case)) {
            for contribution in &item.contributions {
                let bytes = contribution.entry.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
                let at = received.iter().position(|(id, said)| *id == contribution.source_id && said.contains(&bytes));
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
        let conflicts = |merged: &Opened| -> Vec<usize> { items(merged).map(|(_, i)| i.conflicts.len()).collect() };
        let (mut once, mut twice) = (conflicts(&once), conflicts(&twice));
        once.sort_unstable();
        twice.sort_unstable();
        prop_assert_eq!(once, twice);
    }

    /// When an adapter read an entry changes neither ids, order nor grouping.
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
        let timeless = |case: &Case| {
            let mut merged = merged(case);
            let items = merged.sections.iter_mut().flat_map(|section| &mut section.items);
            for contribution in items.flat_map(|item| &mut item.contributions) {
                let head = contribution.entry.as_mut().and_then(|entry| entry.head.as_mut());
                if let Some(provenance) = head.and_then(|head| head.provenance.as_mut()) {
                    provenance.retrieved_at_ms = 0;
                }
            }
            (merged.sections, merged.ledger)
        };
        prop_assert_eq!(timeless(&case), timeless(&other));
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
        let groups = |merged: &Opened| -> Vec<Vec<String>> {
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
            let entries: Vec<Vec<u8>> = item.contributions.iter().filter_map(|c| Some(c.entry.as_ref()?.encode_to_vec())).collect();
            let heads: Vec<head::Head<'_>> = entries.iter().filter_map(|entry| read(entry).ok()?.0).collect();
            let Some((first, others)) = heads.split_first() else { continue };
            prop_assert_eq!(heads.len(), item.contributions.len());
            for head in others {
                prop_assert_eq!(content::fields(head), content::fields(first));
                prop_assert_eq!(head.status, first.status);
                prop_assert_eq!(head.assertion == 3, first.assertion == 3);
                // A contact is named by words; its codes say what kind of contact it is.
                let nameless = [Dataset::Contacts, Dataset::CareTeam, Dataset::Documents].contains(&dataset);
                let named = |head| if nameless { None } else { content::key_code(head) };
                prop_assert_eq!(named(head), named(first));
            }
            prop_assert!(item.contributions.len() == 1 || !item.grouped_by.is_empty());
            prop_assert!(crate::merge::statement::content_rule(dataset).is_some() || item.contributions.len() == 1 || item.grouped_by == "SAME-1");
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
