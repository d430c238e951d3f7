//! Whether what a ledger says of each heading fits its rows and the items that came: a reader who sees nothing under a
//! heading relies on it. Pure.

use severn_proto::v1::{Assertion, Heading, HeadingOutcome, Item, Ledger, LedgerRow, Section};
use severn_trust::{gravity, is_whole, why_empty};
use std::collections::HashMap;

/// Whether no heading contradicts what came, or says less than it. More caution than needed is no fault.
pub(crate) fn fit(ledger: &Ledger, sections: &[Section]) -> bool {
    let items: HashMap<i32, &[Item]> = sections.iter().map(|s| (s.dataset, s.items.as_slice())).collect();
    let mut rows: HashMap<i32, Vec<&LedgerRow>> = HashMap::new();
    for row in &ledger.rows {
        rows.entry(row.dataset).or_default().push(row);
    }
    ledger.headings.iter().all(|heading| {
        let rows = rows.get(&heading.dataset).map(Vec::as_slice).unwrap_or_default();
        fits(heading, rows, items.get(&heading.dataset).copied().unwrap_or_default())
    })
}

fn fits(heading: &Heading, rows: &[&LedgerRow], items: &[Item]) -> bool {
    let stated: Vec<&str> = items.iter().filter_map(states_none).collect();
    let has_items = stated.len() < items.len();
    let outcome_fits = match heading.outcome() {
        HeadingOutcome::Items => has_items,
        HeadingOutcome::NoneKnown => !has_items && !heading.none_known.is_empty(),
        // Zero is never sent; any other number is a newer contract's, and a reader is told that it is not known.
        HeadingOutcome::Unspecified => heading.outcome != 0,
        why => !has_items && rows.iter().all(|row| gravity(why) >= gravity(why_empty(row.outcome()))),
    };
    let stated_fit = heading.none_known.iter().all(|none| stated.contains(&none.source_id.as_str()));
    outcome_fits && stated_fit && (!heading.whole || rows.iter().all(|row| is_whole(row.outcome())))
}

/// The source that leads an item which states that none are known.
fn states_none(item: &Item) -> Option<&str> {
    let lead = item.contributions.first()?;
    let head = lead.entry.as_ref()?.head.as_ref()?;
    (head.assertion() == Assertion::NoneKnown).then_some(lead.source_id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::{Contribution, Entry, EntryHead, NoneKnown, Outcome};

    fn item(source: &str, assertion: Assertion) -> Item {
        let head = EntryHead { assertion: assertion.into(), ..EntryHead::default() };
        let entry = Some(Entry { head: Some(head), ..Entry::default() });
        Item { contributions: vec![Contribution { source_id: source.into(), entry }], ..Item::default() }
    }

    fn check(outcome: HeadingOutcome, none_known: &[&str], rows: &[Outcome], items: &[Item]) -> bool {
        let row = |outcome: &Outcome| LedgerRow { dataset: 1, outcome: (*outcome).into(), ..LedgerRow::default() };
        let none = |source: &&str| NoneKnown { source_id: (*source).into(), ..NoneKnown::default() };
        let heading = Heading {
            dataset: 1,
            outcome: outcome.into(),
            whole: false,
            none_known: none_known.iter().map(none).collect(),
        };
        let ledger = Ledger { rows: rows.iter().map(row).collect(), headings: vec![heading], ..Ledger::default() };
        fit(&ledger, &[Section { dataset: 1, items: items.to_vec() }])
    }

    #[test]
    fn a_heading_may_not_say_less_than_what_came() {
        use HeadingOutcome as Said;
        use Outcome::{
            Answered, AnsweredNone, AnsweredPartial, NoAnswer, NotAsked, NotHeld, NotShared, Stale, Withheld,
        };
        let (entry, none) = (item("A", Assertion::Present), item("A", Assertion::NoneKnown));
        for (name, fits, outcome, none_known, rows, items) in [
            ("items", true, Said::Items, &[][..], &[Answered][..], &[&entry][..]),
            ("items that are not there", false, Said::Items, &[], &[Answered], &[]),
            ("items, but only a statement of none", false, Said::Items, &[], &[Answered], &[&none]),
            ("items beside a statement of none", true, Said::Items, &["A"], &[Answered], &[&entry, &none]),
            ("none known", true, Said::NoneKnown, &["A"], &[Answered, NoAnswer], &[&none]),
            ("none known, but somebody records one", false, Said::NoneKnown, &["A"], &[Answered], &[&entry, &none]),
            ("none known, said by nobody", false, Said::NoneKnown, &[], &[Answered], &[&none]),
            ("none known, said by another", false, Said::NoneKnown, &["B"], &[Answered], &[&none]),
            ("nothing recorded", true, Said::NothingRecorded, &[], &[AnsweredNone, NotHeld, Stale], &[]),
            ("nothing recorded, but there is", false, Said::NothingRecorded, &[], &[Answered], &[&entry]),
            ("nothing recorded, but one is silent", false, Said::NothingRecorded, &[], &[AnsweredNone, NoAnswer], &[]),
            ("nothing recorded, but only a part", false, Said::NothingRecorded, &[], &[AnsweredPartial], &[]),
            (
                "nothing recorded, but not of a word known here",
                false,
                Said::NothingRecorded,
                &[],
                &[Outcome::Unspecified],
                &[],
            ),
            ("not kept, but one withholds", false, Said::NotHeld, &[], &[NotHeld, Withheld], &[]),
            ("not asked, but one does not share", false, Said::NotAsked, &[], &[NotAsked, NotShared], &[]),
            ("withheld, and nobody silent", true, Said::Withheld, &[], &[Withheld, NotShared, AnsweredNone], &[]),
            ("withheld, but one is silent", false, Said::Withheld, &[], &[Withheld, NoAnswer], &[]),
            ("silence is the gravest", true, Said::NoAnswer, &[], &[Withheld, NoAnswer, NotHeld], &[]),
            ("more caution than needed", true, Said::NoAnswer, &[], &[AnsweredNone], &[]),
            ("nothing at all", false, Said::Unspecified, &[], &[AnsweredNone], &[]),
        ] {
            let items: Vec<Item> = items.iter().map(|item| (*item).clone()).collect();
            assert_eq!(check(outcome, none_known, rows, &items), fits, "{name}");
        }
    }

    #[test]
    fn whole_only_where_every_source_answered_whole() {
        for (outcome, fits) in [
            (Outcome::Answered, true),
            (Outcome::NotHeld, true),
            (Outcome::Stale, false),
            (Outcome::NotShared, false),
            (Outcome::NoAnswer, false),
        ] {
            let row = LedgerRow { dataset: 1, outcome: outcome.into(), ..LedgerRow::default() };
            let said = HeadingOutcome::NoAnswer.into();
            let heading = Heading { dataset: 1, outcome: said, whole: true, ..Heading::default() };
            let ledger = Ledger { rows: vec![row], headings: vec![heading], ..Ledger::default() };
            assert_eq!(fit(&ledger, &[]), fits, "{outcome:?}");
        }
    }

    #[test]
    fn a_word_of_a_newer_contract_is_let_through() {
        let heading = Heading { dataset: 1, outcome: 99, ..Heading::default() };
        assert!(fit(&Ledger { headings: vec![heading], ..Ledger::default() }, &[]));
    }
}
