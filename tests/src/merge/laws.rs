//! Laws that hold for every record, whatever its entries: nothing is lost, order does not matter, nobody reads as active
//! what was withdrawn.

use super::shown::{Open, Shown, source_id};
use crate::{
    people::draw::Draw,
    region::{
        Label, Region,
        headings::{Heading, Named, Time},
        sources,
        told::{Coded, Fate, Route, Told},
    },
};
use anyhow::{Context as _, Result, ensure};
use severn_broker::model::{Plan, Reply};
use severn_proto::v1::{Assertion, EntryHead, EntryStatus, HeadingOutcome, Item};
use std::collections::BTreeMap;

/// Groups of a record of which one field is changed, to see them split.
const SPLITS: usize = 1;

/// Holds one record against every law.
///
/// # Errors
/// If a law is broken: says which, and the seed of the record.
pub fn hold(region: &Region) -> Result<()> {
    let all = || -> Result<()> {
        let plan = &region.plan();
        let replies = region.replies(plan);
        let open = Open::of(plan, &replies)?;
        let shown = Shown::of(region, &open);
        nothing_is_lost(region, &open, &shown)?;
        order_does_not_matter(plan, &open, replies, region.seed)?;
        one_item_is_one_statement(region, &shown)?;
        absence_suppresses_nothing(plan, region, &open)?;
        nothing_retracted_reads_active(region, &open, &shown)?;
        items_name_each_other(&open)?;
        every_heading_has_one_outcome(region, &open)?;
        one_changed_field_splits(plan, region, &shown)
    };
    all().with_context(|| format!("the record of seed {} with {} entries", region.seed, region.told.len()))
}

/// Every entry is shown, grouped, withheld or rejected, once, unaltered, and counted as such.
///
/// # Errors
/// If one is not.
pub fn nothing_is_lost(region: &Region, open: &Open, shown: &Shown<'_>) -> Result<()> {
    ensure!(shown.strangers == 0, "{} entries are shown that nobody sent, or twice", shown.strangers);
    let mut counts: BTreeMap<(&str, i32), [u32; 4]> = BTreeMap::new();
    for (one, item) in region.told.iter().zip(&shown.items) {
        ensure!(item.is_some() == (one.fate == Fate::Shown), "{} is {:?}, but {item:?}", one.head.entry_id, one.fate);
        let count = counts.entry((source_id(one), one.head.dataset)).or_default();
        count[0] += 1;
        count[1] += u32::from(one.fate == Fate::Shown);
        count[2] += u32::from(one.fate == Fate::Withheld);
        count[3] += u32::from(one.fate == Fate::Rejected);
    }
    let rows = sources::SOURCES.len() * region.datasets.len();
    ensure!(open.ledger.rows.len() == rows, "{} rows, not {rows}", open.ledger.rows.len());
    for row in &open.ledger.rows {
        let counted = [row.received, row.shown + row.grouped, row.withheld, row.rejected];
        let wanted = counts.remove(&(row.source_id.as_str(), row.dataset)).unwrap_or_default();
        ensure!(counted == wanted, "{} {:?} counts {counted:?} and not {wanted:?}", row.source_id, row.dataset());
    }
    ensure!(counts.is_empty(), "a row comes twice");
    let items = open.items().count() as u64;
    ensure!(open.record.seal.shown == items, "the seal says {} are shown, not {items}", open.record.seal.shown);
    Ok(())
}

/// Replies, batches and entries in another order, and the same once more, give the same record to the byte.
fn order_does_not_matter(plan: &Plan, open: &Open, mut replies: Vec<Reply>, seed: u64) -> Result<()> {
    ensure!(Open::of(plan, &replies)?.record == open.record, "the same replies give another record");
    let mut draw = Draw::new(seed);
    draw.shuffle(&mut replies);
    for reply in &mut replies {
        draw.shuffle(&mut reply.batches);
        draw.shuffle(&mut reply.outcomes);
        reply.batches.iter_mut().for_each(|batch| draw.shuffle(&mut batch.entries));
    }
    ensure!(Open::of(plan, &replies)?.record == open.record, "another order gives another record");
    Ok(())
}

/// What stands in one item is one statement, by the truth.
fn one_item_is_one_statement(region: &Region, shown: &Shown<'_>) -> Result<()> {
    let mut of_item: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for (one, item) in region.told.iter().zip(&shown.items) {
        let Some(item) = item else { continue };
        let others = of_item.entry(&item.item_id).or_default();
        for other in &*others {
            let label = region.label(one, other);
            ensure!(label == Label::Same, "{label:?} are one item: {:?} and {:?}", one.head, other.head);
        }
        others.push(one);
    }
    Ok(())
}

/// Without the statements that none are known, all other items are what they are with them.
fn absence_suppresses_nothing(plan: &Plan, region: &Region, open: &Open) -> Result<()> {
    let is_absence = |head: &EntryHead| head.assertion == Assertion::NoneKnown as i32;
    let others = region.told.iter().filter(|one| !is_absence(&one.head));
    let without = Open::of(plan, &sources::replies(plan, &others))?;
    let mut expected = Vec::new();
    for item in open.items() {
        let mut heads = item.contributions.iter().filter_map(|c| c.entry.as_ref()?.head.as_ref());
        if heads.any(is_absence) {
            ensure!(item.contributions.len() == 1, "a statement that none are known is grouped");
        } else {
            expected.push(beside_absences(item));
        }
    }
    let mut found: Vec<Item> = without.items().map(beside_absences).collect();
    for items in [&mut expected, &mut found] {
        items.sort_by(|a, b| a.item_id.cmp(&b.item_id));
    }
    ensure!(expected == found, "a statement that none are known changes other items");
    Ok(())
}

fn beside_absences(item: &Item) -> Item {
    let mut item = item.clone();
    item.conflicts.retain(|conflict| conflict.rule != "CONFLICT-1");
    item
}

/// An item is retracted if its author withdrew it, by the truth, and only then; and stands last in its section.
///
/// # Errors
/// If one is not.
pub fn nothing_retracted_reads_active(region: &Region, open: &Open, shown: &Shown<'_>) -> Result<()> {
    for (one, item) in region.told.iter().zip(&shown.items) {
        let Some(item) = item else { continue };
        let wanted = region.is_retracted(one);
        ensure!(item.retracted == wanted, "retracted is {} and not {wanted} for {:?}", item.retracted, one.head);
    }
    let in_error = |item: &Item, at: usize| {
        let head = item.contributions.get(at).and_then(|c| c.entry.as_ref()?.head.as_ref());
        head.is_some_and(|head| head.status == EntryStatus::EnteredInError as i32)
    };
    for section in &open.sections {
        let retracted = section.items.iter().map(|item| item.retracted);
        ensure!(retracted.is_sorted(), "a retracted item stands before others");
        for item in &section.items {
            let any = (0..item.contributions.len()).any(|at| in_error(item, at));
            ensure!(!any || in_error(item, 0), "an entry entered in error does not lead its item");
        }
    }
    Ok(())
}

/// Items that conflict, or are possibly the same, name each other, and are in one section.
fn items_name_each_other(open: &Open) -> Result<()> {
    for section in &open.sections {
        let items: BTreeMap<&str, &Item> = section.items.iter().map(|item| (item.item_id.as_str(), item)).collect();
        ensure!(items.len() == section.items.len(), "two items have one id");
        for item in &section.items {
            for other in &item.possibly_same {
                let other = items.get(other.as_str()).context("possibly the same as an item that is not there")?;
                ensure!(other.possibly_same.contains(&item.item_id), "possibly the same one way only");
            }
            for conflict in &item.conflicts {
                for other in &conflict.other_item_ids {
                    let other = items.get(other.as_str()).context("in conflict with an item that is not there")?;
                    let mut back = other.conflicts.iter().filter(|back| back.rule == conflict.rule);
                    let named = back.any(|back| back.other_item_ids.contains(&item.item_id));
                    ensure!(named, "{} is marked one way only", conflict.rule);
                }
            }
        }
    }
    Ok(())
}

/// Every heading has one outcome. As one source is silent, none is whole, and none says that nothing is recorded.
fn every_heading_has_one_outcome(region: &Region, open: &Open) -> Result<()> {
    let headings = &open.ledger.headings;
    let once = headings.iter().map(|heading| heading.dataset()).eq(region.datasets.iter().copied());
    ensure!(once, "a heading is missing, or comes twice");
    for heading in headings {
        let stands = |one: &&Told| {
            one.head.dataset == heading.dataset
                && one.fate == Fate::Shown
                && one.in_force()
                && one.head.assertion == Assertion::Present as i32
                && !region.is_retracted(one)
        };
        let has_items = region.told.iter().any(|one| stands(&one));
        let silent = [HeadingOutcome::Unspecified, HeadingOutcome::NothingRecorded, HeadingOutcome::NotHeld];
        let outcome = heading.outcome();
        ensure!(!silent.contains(&outcome), "{:?} says {outcome:?}", heading.dataset());
        ensure!(!heading.whole, "{:?} is whole though a source is silent", heading.dataset());
        ensure!(!has_items || outcome == HeadingOutcome::Items, "{:?} hides its items", heading.dataset());
    }
    Ok(())
}

/// One changed field takes an entry out of a group that was made by what its members say.
fn one_changed_field_splits(plan: &Plan, region: &Region, shown: &Shown<'_>) -> Result<()> {
    let mut draw = Draw::new(region.seed);
    let by_content = |item: &Item| {
        let by_id = ["SAME-1", "ORIGIN-1"].iter().any(|rule| item.grouped_by.contains(rule));
        item.contributions.len() > 1 && !by_id
    };
    let mut grouped: Vec<usize> = (0..region.told.len())
        .filter(|place| shown.items[*place].is_some_and(by_content) && region.told[*place].route != Route::Again)
        .collect();
    draw.shuffle(&mut grouped);
    for place in grouped.into_iter().take(SPLITS) {
        let mut changed = region.told[place].clone();
        let what = change(&mut draw, region.statement(&changed).heading, &mut changed);
        let others = region.told.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, one)| one);
        let of_dataset = others.filter(|one| one.head.dataset == changed.head.dataset).chain([&changed]);
        let open = Open::of(plan, &sources::replies(plan, &of_dataset))?;
        let own = |item: &&Item| {
            let ids = |c: &severn_proto::v1::Contribution| {
                let id = c.entry.as_ref().and_then(|entry| entry.head.as_ref()).map(|head| &head.entry_id);
                c.source_id == source_id(&changed) && id == Some(&changed.head.entry_id)
            };
            item.contributions.iter().any(ids)
        };
        let item = open.items().find(own).context("the changed entry is not shown")?;
        ensure!(item.contributions.len() == 1, "with another {what} it still stands in its group: {:?}", changed.head);
    }
    Ok(())
}

/// What is changed, and how.
type Change = (String, Box<dyn Fn(&mut EntryHead)>);

/// Changes one thing that tells such statements apart to what no route tells, and says which.
fn change(draw: &mut Draw, heading: &Heading, one: &mut Told) -> String {
    let names_by_code = matches!(heading.named, Named::Code | Named::CodeAndWords) && one.said.code == Coded::Thing;
    let names_by_words = match heading.named {
        Named::Code => one.said.code == Coded::No,
        Named::CodeAndWords | Named::Words => true,
        Named::Field => false,
    };
    let told = one.head.distinguishing.iter().enumerate().filter(|(_, field)| !field.value.trim().is_empty());
    let mut changes: Vec<Change> = Vec::new();
    for (at, field) in told {
        changes.push((field.name.clone(), Box::new(move |head| head.distinguishing[at].value = "01632 960999".into())));
    }
    changes.push(("status".into(), Box::new(|head| head.status = EntryStatus::Planned.into())));
    if heading.time != Time::Any {
        changes.push(("start".into(), Box::new(|head| head.effective_start = "1999-01-01".into())));
        changes.push(("end".into(), Box::new(|head| head.effective_end = "2039-01-01".into())));
    }
    if names_by_code {
        let another = |head: &mut EntryHead| {
            head.codings.iter_mut().for_each(|coding| coding.code = "900000000".into());
        };
        changes.push(("code".into(), Box::new(another)));
    }
    if names_by_words {
        changes.push(("name".into(), Box::new(|head| head.text = "Something else".into())));
    }
    if heading.of_one_organisation {
        let another = |head: &mut EntryHead| {
            head.provenance.get_or_insert_default().organisation_ods = "ZZZ00".into();
        };
        changes.push(("organisation".into(), Box::new(another)));
    }
    let (what, change) = draw.of(&changes);
    change(&mut one.head);
    what.clone()
}
