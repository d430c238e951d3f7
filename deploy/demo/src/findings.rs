//! Compares a record with the truth that was planted. Pure.

use crate::truth::Finding;
use severn_proto::v1::{Dataset, EntryHead, EntryStatus, Item, Ledger, LedgerRow, Outcome, Section};
use std::collections::BTreeSet;

/// What is known about a scenario once its person was asked for.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The sections of the record.
    pub sections: &'a [Section],
    /// Its ledger.
    pub ledger: &'a Ledger,
    /// Postcodes that the index knows for the person.
    pub postcodes: &'a [String],
    /// The person's enterprise id.
    pub enterprise_id: &'a str,
    /// Enterprise ids of the cast, in the order of their numbers; empty for those who are not one person.
    pub cast: &'a [String],
}

/// Whether the record shows the finding.
pub fn holds(finding: &Finding, seen: &Seen<'_>) -> bool {
    match finding {
        Finding::KnownTo(sources) => {
            let rows: BTreeSet<&str> = seen.ledger.rows.iter().map(|row| row.source_id.as_str()).collect();
            rows == sources.iter().copied().collect()
        }
        Finding::Conflict(dataset, [a, b]) => conflict(seen, *dataset, *a, *b),
        Finding::OneByTwoRoutes(dataset, origin, sources) => items(seen, *dataset).any(|item| {
            sources.iter().all(|source| entries(item).any(|(from, head)| from == *source && has_origin(head, origin)))
        }),
        Finding::Retracted(dataset, origin, sources) => retracted(seen, *dataset, origin, sources),
        Finding::OnlyFrom(dataset, source, text) => {
            let with_text = items(seen, *dataset).flat_map(entries).filter(|(_, head)| head.text.contains(text));
            let from: BTreeSet<&str> = with_text.map(|(from, _)| from).collect();
            from == BTreeSet::from([*source])
        }
        Finding::Nowhere(dataset, text) => {
            !items(seen, *dataset).flat_map(entries).any(|(_, head)| head.text.contains(text))
        }
        Finding::Withheld(dataset, source) => {
            let mut rows = rows(seen, source).filter(|row| row.dataset() == *dataset);
            rows.next().is_some_and(|row| row.outcome() == Outcome::Withheld)
        }
        Finding::NoAnswer(source) => {
            let outcomes: Vec<Outcome> = rows(seen, source).map(LedgerRow::outcome).collect();
            // What a source does not hold it may have said in time: that takes no reading.
            outcomes.contains(&Outcome::NoAnswer)
                && outcomes.iter().all(|outcome| matches!(outcome, Outcome::NoAnswer | Outcome::NotHeld))
        }
        Finding::Apart(other) => {
            seen.cast.get(*other).is_some_and(|other| !other.is_empty() && other != seen.enterprise_id)
        }
        Finding::Postcodes(count) => seen.postcodes.iter().collect::<BTreeSet<_>>().len() == *count,
    }
}

/// The finding in a reader's words.
pub fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::KnownTo(sources) => {
            format!("the ledger accounts for {} sources: {}", sources.len(), sources.join(", "))
        }
        Finding::Conflict(dataset, [(a, text_a), (b, text_b)]) => {
            format!("{}: {text_a:?} ({a}) against {text_b:?} ({b}) is shown as a conflict", dataset_word(*dataset))
        }
        Finding::OneByTwoRoutes(_, origin, [a, b]) => {
            format!("prescription {origin} came from {a} and from {b} and is one item")
        }
        Finding::Retracted(_, origin, [a, b]) => {
            format!("{origin} was entered in error at {a}; the copy at {b} is retracted with it")
        }
        Finding::OnlyFrom(dataset, source, text) => {
            format!("{}: {text:?} comes from {source} alone", dataset_word(*dataset))
        }
        Finding::Nowhere(dataset, text) => format!("{}: {text:?} is shown nowhere", dataset_word(*dataset)),
        Finding::Withheld(dataset, source) => {
            format!("{} are withheld by {source}, and the ledger says so", dataset_word(*dataset))
        }
        Finding::NoAnswer(source) => format!("{source} did not answer, and the ledger says so"),
        Finding::Apart(_) => "the twins are two persons".to_owned(),
        Finding::Postcodes(count) => format!("{count} different addresses are known for one person"),
    }
}

fn dataset_word(dataset: Dataset) -> String {
    severn_trust::dataset_word(dataset)
}

fn items<'a>(seen: &Seen<'a>, dataset: Dataset) -> impl Iterator<Item = &'a Item> + use<'a> {
    let sections = seen.sections.iter().filter(move |section| section.dataset() == dataset);
    sections.flat_map(|section| &section.items)
}

fn rows<'a>(seen: &Seen<'a>, source: &str) -> impl Iterator<Item = &'a LedgerRow> + use<'a> {
    let source = source.to_owned();
    seen.ledger.rows.iter().filter(move |row| row.source_id == source)
}

fn entries(item: &Item) -> impl Iterator<Item = (&str, &EntryHead)> {
    item.contributions.iter().filter_map(|c| Some((c.source_id.as_str(), c.entry.as_ref()?.head.as_ref()?)))
}

fn has_origin(head: &EntryHead, value: &str) -> bool {
    head.origins.iter().any(|origin| origin.value == value)
}

/// Whether one side's words are in an item: in its text, or as the value of a distinguishing field.
fn says(item: &Item, (source, words): (&str, &str)) -> bool {
    entries(item).any(|(from, head)| {
        from == source && (head.text.contains(words) || head.distinguishing.iter().any(|field| field.value == words))
    })
}

fn conflict(seen: &Seen<'_>, dataset: Dataset, a: (&str, &str), b: (&str, &str)) -> bool {
    let with_conflict = |side| items(seen, dataset).filter(move |item| says(item, side) && !item.conflicts.is_empty());
    let names = |item: &Item, other: &Item| {
        item.conflicts.iter().any(|conflict| conflict.other_item_ids.contains(&other.item_id))
    };
    with_conflict(a).any(|item| with_conflict(b).any(|other| item.item_id != other.item_id && names(item, other)))
}

/// All entries of this origin stand in retracted items, at all these sources, and the copy does not read as active
/// elsewhere.
fn retracted(seen: &Seen<'_>, dataset: Dataset, origin: &str, sources: &[&str]) -> bool {
    let of_origin: Vec<(&Item, &str, &EntryHead)> = items(seen, dataset)
        .flat_map(|item| entries(item).map(move |(from, head)| (item, from, head)))
        .filter(|(_, _, head)| has_origin(head, origin))
        .collect();
    let from: BTreeSet<&str> = of_origin.iter().map(|(_, from, _)| *from).collect();
    let marked = of_origin.iter().any(|(_, _, head)| head.status() == EntryStatus::EnteredInError);
    marked && from == sources.iter().copied().collect() && of_origin.iter().all(|(item, _, _)| item.retracted)
}
