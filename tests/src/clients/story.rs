//! A made-up answer, told as a story: who says what under which heading, and what became of the rest. Makes the sealed
//! parts that a broker would send for it. Pure.

#![expect(clippy::expect_used, reason = "every item is told with an entry")]

use prost::Message as _;
use severn_proto::v1::{
    Assertion, Conflict, Contribution, Dataset, Demographics, Discrepancy, Entry, EntryHead, EntryStatus, Heading,
    HeadingOutcome, HumanName, Item, Ledger, LedgerRow, NoneKnown, Obligation, Opened, Outcome, Provenance, Reason,
    ReasonCode, Said, Seal, Section, Sex, retrieve_record_response::Part,
};
use severn_trust::{ALL_DATASETS, RecordDigest};

/// NHS number of the person.
pub const NHS: &str = "9434765919";

/// Their birth date.
pub const BORN: &str = "1980-02-01";

/// The broker's name for them.
pub const PERSON: &str = "0195b4c0-0000-7000-8000-0000000000aa";

/// One who is asked.
pub struct Source {
    id: &'static str,
    name: &'static str,
    kind: &'static str,
}

/// A council.
pub const COUNCIL: Source = Source { id: "E1002", name: "Dudley Council", kind: "council" };
/// A GP practice.
pub const PRACTICE: Source = Source { id: "M85001", name: "Tower Hill Partnership", kind: "GP practice" };
/// A hospital.
pub const HOSPITAL: Source = Source { id: "RXK", name: "Sandwell District Hospital", kind: "hospital trust" };

/// All of them, in the order of their ids.
const SOURCES: [Source; 3] = [COUNCIL, PRACTICE, HOSPITAL];

/// The time the data is of, in milliseconds since 1970.
const AS_OF_MS: i64 = 1_774_000_000_000;

/// What became of one heading at one source, where it is not plain "answered" or "does not keep this".
pub struct Told {
    source: &'static str,
    dataset: Dataset,
    outcome: Outcome,
    reason: Option<Reason>,
}

/// Who says what. Whoever has no entry and no outcome under a heading does not keep it.
pub struct Story {
    /// Whom the answer is about.
    pub golden: Demographics,
    /// The one sentence.
    pub summary: &'static str,
    /// Whether any source is known to hold a record.
    pub located: bool,
    items: Vec<(Dataset, Item)>,
    outcomes: Vec<Told>,
    owed: Vec<(&'static str, Dataset, Obligation)>,
    discrepancies: Vec<Discrepancy>,
}

/// The person who is asked about.
pub fn golden() -> Demographics {
    let name = HumanName { family: "O'Brien-Müller".into(), given: vec!["Zoë".into()], ..HumanName::default() };
    Demographics {
        nhs_number: NHS.into(),
        nhs_number_verified: true,
        birth_date: BORN.into(),
        names: vec![name],
        sex: Sex::Female.into(),
        ..Demographics::default()
    }
}

/// Somebody else.
pub fn stranger() -> Demographics {
    let name = HumanName { family: "Featherstone".into(), given: vec!["Ida".into()], ..HumanName::default() };
    Demographics { nhs_number: "9990000018".into(), birth_date: "1931-07-08".into(), names: vec![name], ..golden() }
}

/// The head of an item's first entry.
pub fn head(item: &mut Item) -> &mut EntryHead {
    let entry = item.contributions.first_mut().and_then(|c| c.entry.as_mut());
    entry.and_then(|entry| entry.head.as_mut()).expect("an item is told with an entry")
}

impl Story {
    /// Nobody says anything yet.
    pub fn new() -> Story {
        let summary = "Nothing is missing.";
        Story {
            golden: golden(),
            summary,
            located: true,
            items: vec![],
            outcomes: vec![],
            owed: vec![],
            discrepancies: vec![],
        }
    }

    /// A source has an entry, in force; gives the item, to be changed.
    pub fn tell(&mut self, dataset: Dataset, source: &Source, text: &str) -> &mut Item {
        let number = self.items.len() + 1;
        let provenance = Provenance {
            organisation: source.name.into(),
            author: "Dr Anwar".into(),
            retrieved_at_ms: AS_OF_MS,
            ..Provenance::default()
        };
        let head = EntryHead {
            entry_id: format!("entry-{number}"),
            dataset: dataset.into(),
            text: text.into(),
            assertion: Assertion::Present.into(),
            status: EntryStatus::Active.into(),
            recorded: "2019-05-02".into(),
            provenance: Some(provenance),
            ..EntryHead::default()
        };
        let entry = Some(Entry { head: Some(head), ..Entry::default() });
        let contribution = Contribution { source_id: source.id.into(), entry };
        let item = Item { item_id: format!("{number:016x}"), contributions: vec![contribution], ..Item::default() };
        self.items.push((dataset, item));
        &mut self.items.last_mut().expect("one was just told").1
    }

    /// A source says this of a heading.
    pub fn outcome(&mut self, source: &Source, dataset: Dataset, outcome: Outcome, reason: Option<ReasonCode>) {
        let reason = reason.map(|code| Reason { code: code.into(), count: 0 });
        self.outcomes.push(Told { source: source.id, dataset, outcome, reason });
    }

    /// A source shows what it has under a heading on a condition.
    pub fn owes(&mut self, source: &Source, dataset: Dataset, obligation: Obligation) {
        self.owed.push((source.id, dataset, obligation));
    }

    /// The first two items that were told contradict each other.
    pub fn conflict(&mut self, rule: &str, text: &str) {
        self.relate(|item, other| {
            item.conflicts.push(Conflict { rule: rule.into(), text: text.into(), other_item_ids: vec![other] });
        });
    }

    /// The first two items that were told are possibly the same.
    pub fn possibly_same(&mut self) {
        self.relate(|item, other| item.possibly_same.push(other));
    }

    fn relate(&mut self, relation: impl Fn(&mut Item, String)) {
        let [(_, first), (_, second), ..] = self.items.as_mut_slice() else { return };
        relation(first, second.item_id.clone());
        relation(second, first.item_id.clone());
    }

    /// Two sources differ on who the person is.
    pub fn differ(&mut self, field: &str, one: (&Source, &str), other: (&Source, &str)) {
        let said = [one, other].map(|(source, value)| Said { value: value.into(), source_ids: vec![source.id.into()] });
        self.discrepancies.push(Discrepancy { field: field.into(), said: said.into() });
    }

    /// The answer to `query_id`, in the order sent.
    pub fn parts(self, query_id: &str) -> Vec<Part> {
        let rows = self.rows();
        let headings = ALL_DATASETS.iter().map(|dataset| self.heading(*dataset, &rows)).collect();
        let opened = Opened {
            query_id: query_id.into(),
            enterprise_id: PERSON.into(),
            golden: Some(self.golden.clone()),
            datasets: ALL_DATASETS.map(i32::from).into(),
            sources_asked: if self.located { 3 } else { 0 },
            deadline_ms: 3000,
        };
        let section = |dataset: &Dataset| {
            let items: Vec<Item> = self.of(*dataset).cloned().collect();
            (!items.is_empty()).then_some(Section { dataset: (*dataset).into(), items })
        };
        let sections: Vec<Section> = ALL_DATASETS.iter().filter_map(section).collect();
        let ledger = Ledger { rows, summary: self.summary.into(), headings, discrepancies: self.discrepancies };
        let seal = sealed(query_id, &sections, ledger.clone());
        let mut parts = vec![Part::Opened(opened)];
        parts.extend(sections.into_iter().map(Part::Section));
        parts.extend([Part::Ledger(ledger), Part::Seal(seal)]);
        parts
    }

    fn of(&self, dataset: Dataset) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |(of, _)| *of == dataset).map(|(_, item)| item)
    }

    fn rows(&self) -> Vec<LedgerRow> {
        let sources = if self.located { SOURCES.as_slice() } else { &[] };
        let pairs = ALL_DATASETS.iter().flat_map(|dataset| sources.iter().map(move |source| (*dataset, source)));
        pairs.map(|(dataset, source)| self.row(dataset, source)).collect()
    }

    fn row(&self, dataset: Dataset, source: &Source) -> LedgerRow {
        let entries = self.of(dataset).filter(|item| item.contributions[0].source_id == source.id).count();
        let shown = u32::try_from(entries).unwrap_or(u32::MAX);
        let told = self.outcomes.iter().find(|said| said.source == source.id && said.dataset == dataset);
        let plain = if shown == 0 { Outcome::NotHeld } else { Outcome::Answered };
        let outcome = told.map_or(plain, |said| said.outcome);
        let withheld = if outcome == Outcome::Withheld { 3 } else { 0 };
        let silent = matches!(outcome, Outcome::NoAnswer | Outcome::NotAsked);
        let owed = self.owed.iter().filter(|(of, under, _)| *of == source.id && *under == dataset);
        LedgerRow {
            obligations: owed.map(|(_, _, obligation)| (*obligation).into()).collect(),
            source_id: source.id.into(),
            source_name: source.name.into(),
            source_kind: source.kind.into(),
            dataset: dataset.into(),
            outcome: outcome.into(),
            reasons: told.and_then(|said| said.reason).into_iter().collect(),
            received: shown + withheld,
            shown,
            withheld,
            as_of_ms: if silent { 0 } else { AS_OF_MS },
            waited_ms: 12,
            ..LedgerRow::default()
        }
    }

    /// As RULES.md of the merge has it (HEAD-1, HEAD-2).
    fn heading(&self, dataset: Dataset, rows: &[LedgerRow]) -> Heading {
        let outcomes = || rows.iter().filter(|row| row.dataset == dataset as i32).map(LedgerRow::outcome);
        let contributions = || self.of(dataset).map(|item| &item.contributions[0]);
        let absent = |c: &Contribution| {
            let head = c.entry.as_ref().and_then(|entry| entry.head.as_ref());
            head.is_some_and(|head| head.assertion() == Assertion::NoneKnown)
        };
        let none_known: Vec<NoneKnown> = contributions().filter(|c| absent(c)).map(none_known).collect();
        let outcome = match (contributions().count() > none_known.len(), none_known.is_empty()) {
            (true, _) => HeadingOutcome::Items,
            (false, false) => HeadingOutcome::NoneKnown,
            (false, true) => why_empty(&outcomes().collect::<Vec<_>>()),
        };
        let whole = outcomes().all(|o| matches!(o, Outcome::Answered | Outcome::AnsweredNone | Outcome::NotHeld));
        Heading { dataset: dataset.into(), outcome: outcome.into(), whole, none_known }
    }
}

fn none_known(contribution: &Contribution) -> NoneKnown {
    let source = SOURCES.iter().find(|source| source.id == contribution.source_id);
    NoneKnown {
        source_id: contribution.source_id.clone(),
        source_name: source.map(|source| source.name.into()).unwrap_or_default(),
        stated_on: "2019-05-02".into(),
    }
}

/// The gravest of the reasons.
fn why_empty(outcomes: &[Outcome]) -> HeadingOutcome {
    [
        (HeadingOutcome::NoAnswer, [Outcome::NoAnswer, Outcome::Rejected, Outcome::AnsweredPartial].as_slice()),
        (HeadingOutcome::Withheld, &[Outcome::Withheld]),
        (HeadingOutcome::NotShared, &[Outcome::NotShared]),
        (HeadingOutcome::NotAsked, &[Outcome::NotAsked]),
        (HeadingOutcome::NothingRecorded, &[Outcome::AnsweredNone, Outcome::Stale]),
    ]
    .into_iter()
    .find(|(_, reasons)| outcomes.iter().any(|outcome| reasons.contains(outcome)))
    .map_or(HeadingOutcome::NotHeld, |(why, _)| why)
}

/// The seal that closes these parts.
pub fn sealed(query_id: &str, sections: &[Section], mut ledger: Ledger) -> Seal {
    let mut digest = RecordDigest::default();
    for section in sections {
        digest.add_section(&section.encode_to_vec());
    }
    let rows = ledger.rows.clone();
    let sum = |of: fn(&LedgerRow) -> u32| rows.iter().map(|row| u64::from(of(row))).sum();
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Seal {
        query_id: query_id.into(),
        sections: count(sections.len()),
        rows: count(ledger.rows.len()),
        received: sum(|row| row.received),
        shown: sum(|row| row.shown),
        withheld: sum(|row| row.withheld),
        digest: digest.finish(&mut ledger).to_vec(),
        rules_version: "0.0.0".into(),
        ..Seal::default()
    }
}
