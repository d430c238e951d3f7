//! The rules of `RULES.md` one by one: for each id a test whose name begins with it.

use super::{
    super::{RELATED_MAX, RULES_VERSION, account, check, limit},
    make::*,
};
use severn_proto::v1::{
    Assertion, Dataset, DatasetOutcome, Entry, EntryHead, EntryStatus, FetchOpened, Heading, HeadingOutcome, Item,
    Obligation, Outcome, Reason, ReasonCode, SensitivityLabel,
};
use std::collections::BTreeSet;

mod medicines;
mod statements;

const ALLERGIES: [Dataset; 1] = [Dataset::Allergies];

/// Each list of entries from a source of its own: A, B, C ...
fn record(dataset: Dataset, sources: Vec<Vec<Entry>>) -> Opened {
    const NAMES: [(&str, &str); 5] = [("A", "1"), ("B", "1"), ("C", "1"), ("D", "1"), ("E", "1")];
    let plan = plan(&NAMES[..sources.len()], &[dataset]);
    let replies =
        sources.into_iter().zip(NAMES).map(|(entries, (source, local))| reply(source, local, &[dataset], entries));
    unify(&plan, replies.collect())
}

fn pair(dataset: Dataset, one: Make, other: Make) -> Opened {
    record(dataset, vec![vec![one.done()], vec![other.done()]])
}

fn items(merged: &Opened) -> &[Item] {
    merged.sections.first().map_or(&[], |section| &section.items)
}

/// Number of items, and the rule that grouped the first.
fn grouping(merged: &Opened) -> (usize, &str) {
    (items(merged).len(), items(merged).first().map_or("", |item| &item.grouped_by))
}

fn rules(merged: &Opened) -> BTreeSet<&str> {
    items(merged).iter().flat_map(|item| &item.conflicts).map(|conflict| conflict.rule.as_str()).collect()
}

fn outcome(merged: &Opened, row: usize) -> (Outcome, Vec<i32>) {
    let row = &merged.ledger.rows[row];
    (row.outcome(), row.reasons.iter().map(|reason| reason.code).collect())
}

fn allergy(id: &str) -> Make {
    entry(Dataset::Allergies, id).snomed("91936005").text("Penicillin")
}

fn medicine(id: &str) -> Make {
    entry(Dataset::Medications, id).snomed("386864001").text("Amlodipine").field("dose", "5 mg").field("route", "oral")
}

/// One reply from A, changed, about allergies with one entry.
fn with_reply(change: impl FnOnce(&mut Reply)) -> Opened {
    let mut one = reply("A", "1", &ALLERGIES, vec![allergy("e").done()]);
    change(&mut one);
    unify(&plan(&[("A", "1")], &ALLERGIES), vec![one])
}

#[test]
fn reply_1_an_answer_about_another_person_is_rejected_whole() {
    let other = |opened: FetchOpened| with_reply(|reply| reply.opened = Some(opened));
    for opened in [
        FetchOpened { nhs_commitment: vec![9; 32], ..opened("1") },
        FetchOpened { nhs_commitment: Vec::new(), ..opened("1") },
        opened("2"),
    ] {
        let merged = other(opened);
        assert_eq!(outcome(&merged, 0), (Outcome::Rejected, vec![ReasonCode::OtherPerson as i32]));
        assert_eq!((merged.seal.received, merged.seal.rejected, merged.sections.len()), (1, 1, 0));
    }
    let unknown = with_reply(|reply| {
        reply.opened = Some(FetchOpened { local_id: "1".into(), ..FetchOpened::default() });
        reply.batches.clear();
        reply.outcomes[0] = DatasetOutcome {
            dataset: Dataset::Allergies as i32,
            outcome: Outcome::AnsweredNone as i32,
            reasons: vec![Reason { code: ReasonCode::UnknownLocalId as i32, count: 0 }],
            ..DatasetOutcome::default()
        };
    });
    assert_eq!(outcome(&unknown, 0), (Outcome::AnsweredNone, vec![ReasonCode::UnknownLocalId as i32]));
    assert_eq!(unknown.ledger.summary, "Person not recognised at Source A.");
}

#[test]
fn reply_2_an_answer_that_speaks_of_what_was_not_asked_is_rejected_whole() {
    let invalid = (Outcome::Rejected, vec![ReasonCode::Invalid as i32]);
    for merged in [
        with_reply(|reply| reply.opened = None),
        with_reply(|reply| reply.batches[0].dataset = Dataset::Risks as i32),
        with_reply(|reply| reply.batches[0].dataset = 999),
        with_reply(|reply| reply.outcomes.push(DatasetOutcome { dataset: 0, ..DatasetOutcome::default() })),
        with_reply(|reply| reply.fault = Some(ReasonCode::Invalid)),
    ] {
        assert_eq!(outcome(&merged, 0), invalid);
        assert_eq!((merged.seal.received, merged.seal.rejected), (1, 1));
    }
    let mut plan = plan(&[("A", "1")], &[Dataset::Allergies, Dataset::Problems]);
    plan.sources[0].ask.truncate(1);
    plan.sources[0].not_asked = vec![(Dataset::Problems, Outcome::NotAsked, ReasonCode::Role)];
    let merged = unify(&plan, vec![reply("A", "1", &[Dataset::Problems], vec![entry(Dataset::Problems, "p").done()])]);
    assert_eq!(outcome(&merged, 0).0, Outcome::Rejected);
    assert_eq!(outcome(&merged, 1), (Outcome::Rejected, vec![ReasonCode::Invalid as i32, ReasonCode::Role as i32]));
    assert_eq!((merged.ledger.rows[0].rejected, merged.ledger.rows[1].rejected), (0, 1));
}

#[test]
fn reply_3_two_answers_to_one_question_are_both_rejected() {
    let one = reply("A", "1", &ALLERGIES, vec![allergy("e").done()]);
    let merged = unify(&plan(&[("A", "1")], &ALLERGIES), vec![one.clone(), one.clone()]);
    assert_eq!(outcome(&merged, 0), (Outcome::Rejected, vec![ReasonCode::Invalid as i32]));
    assert_eq!(merged.ledger.rows[0].rejected, 2);
    let stranger = reply("Z", "1", &ALLERGIES, vec![allergy("e").done()]);
    let merged = unify(&plan(&[("A", "1")], &ALLERGIES), vec![one, stranger]);
    assert_eq!((outcome(&merged, 0).0, merged.seal.received), (Outcome::Answered, 1));
}

#[test]
fn reply_4_a_dataset_that_contradicts_itself_is_rejected() {
    let invalid = (Outcome::Rejected, vec![ReasonCode::Invalid as i32]);
    let stated = |change: fn(&mut DatasetOutcome)| with_reply(|reply| change(&mut reply.outcomes[0]));
    for merged in [
        with_reply(|reply| reply.outcomes.clear()),
        with_reply(|reply| reply.outcomes.push(reply.outcomes[0].clone())),
        with_reply(|reply| reply.batches.clear()),
        stated(|o| o.entries = 0),
        stated(|o| o.entries = 2),
        stated(|o| o.outcome = Outcome::AnsweredNone as i32),
        stated(|o| o.outcome = Outcome::NotShared as i32),
        stated(|o| o.outcome = Outcome::NotHeld as i32),
        stated(|o| o.outcome = Outcome::NoAnswer as i32),
        stated(|o| o.outcome = Outcome::NotAsked as i32),
        stated(|o| o.outcome = Outcome::Rejected as i32),
        stated(|o| o.outcome = Outcome::Unspecified as i32),
        stated(|o| o.outcome = 77),
        stated(|o| o.reasons = vec![Reason { code: 0, count: 0 }]),
        stated(|o| o.reasons = vec![Reason { code: 1234, count: 0 }]),
        stated(|o| o.reasons = vec![Reason { code: ReasonCode::OtherPerson as i32, count: 0 }]),
        with_reply(|reply| {
            reply.batches.clear();
            reply.outcomes[0].entries = 0;
        }),
    ] {
        assert_eq!(outcome(&merged, 0), invalid);
        let row = &merged.ledger.rows[0];
        assert_eq!((row.received, row.shown), (row.rejected, 0));
    }
    for told in [Outcome::Answered, Outcome::AnsweredPartial, Outcome::Stale, Outcome::Withheld] {
        let merged = with_reply(|reply| reply.outcomes[0].outcome = told as i32);
        assert_eq!((outcome(&merged, 0).0, merged.seal.shown, merged.ledger.rows[0].as_of_ms), (told, 1, 5));
    }
    // The source itself found another person's items and left them out.
    let other = vec![Reason { code: ReasonCode::OtherPerson as i32, count: 2 }];
    let merged = with_reply(|reply| {
        reply.outcomes[0].outcome = Outcome::AnsweredPartial as i32;
        reply.outcomes[0].reasons.clone_from(&other);
    });
    assert_eq!((outcome(&merged, 0).0, merged.seal.shown), (Outcome::AnsweredPartial, 1));
    assert_eq!(merged.ledger.rows[0].reasons, other);
}

#[test]
fn reply_5_what_came_whole_before_the_break_stands() {
    let datasets = [Dataset::Allergies, Dataset::Medications, Dataset::Problems, Dataset::Contacts];
    let mut broken = reply(
        "A",
        "1",
        &datasets,
        vec![allergy("a").done(), medicine("m").done(), entry(Dataset::Problems, "p").done()],
    );
    broken.outcomes.retain(|o| o.dataset != Dataset::Medications as i32 && o.dataset != Dataset::Contacts as i32);
    broken.outcomes[1].entries = 9;
    broken.fault = Some(ReasonCode::BrokenStream);
    let plan = plan(&[("A", "1")], &datasets);
    let merged = unify(&plan, vec![broken.clone()]);
    let cut = vec![ReasonCode::BrokenStream as i32];
    assert_eq!(outcome(&merged, 0), (Outcome::Answered, vec![]));
    assert_eq!(outcome(&merged, 1), (Outcome::AnsweredPartial, cut.clone()));
    assert_eq!(outcome(&merged, 2), (Outcome::AnsweredPartial, cut.clone()));
    assert_eq!(outcome(&merged, 3), (Outcome::NoAnswer, cut));
    broken.batches[2].entries.clear();
    assert_eq!(outcome(&unify(&plan, vec![broken]), 2).0, Outcome::NoAnswer);

    let refused = Reply {
        opened: None,
        batches: vec![],
        outcomes: vec![],
        fault: Some(ReasonCode::AdapterRefused),
        ..reply("A", "1", &datasets, vec![])
    };
    let merged = unify(&plan, vec![refused]);
    assert_eq!(outcome(&merged, 0), (Outcome::NoAnswer, vec![ReasonCode::AdapterRefused as i32]));
    assert_eq!(merged.ledger.rows[0].waited_ms, 7);
    let nobody = unify(&plan, vec![]);
    assert_eq!(outcome(&nobody, 3), (Outcome::NoAnswer, vec![ReasonCode::Internal as i32]));
    assert_eq!(nobody.ledger.summary, "No answer from Source A.");
}

#[test]
fn check_1_an_entry_that_fails_is_rejected_alone() {
    let big = "x".repeat(check::TEXT_MAX_BYTES + 1);
    let bad = [
        allergy(""),
        allergy(&"x".repeat(257)),
        allergy("e").with(|h| h.dataset = Dataset::Problems as i32),
        allergy("e").text(" "),
        allergy("e").text(&big),
        (0..65).fold(allergy("e"), |made, _| made.label(1)),
    ];
    for bad in bad {
        let mut one = reply("A", "1", &ALLERGIES, vec![allergy("good").done()]);
        one.batches[0].entries.push(bad.done());
        one.outcomes[0].entries = 2;
        let merged = unify(&plan(&[("A", "1")], &ALLERGIES), vec![one]);
        assert_eq!(outcome(&merged, 0), (Outcome::AnsweredPartial, vec![ReasonCode::EntriesRejected as i32]));
        assert_eq!((merged.ledger.rows[0].reasons[0].count, merged.seal.shown, merged.seal.rejected), (1, 1, 1));
    }
    for fine in [
        allergy("e").status(EntryStatus::Unspecified).assertion(Assertion::Unspecified),
        allergy("e").with(|h| h.status = 99),
        allergy("e").text("").with(|h| h.codings[0].display = "Penicillin".into()),
    ] {
        let merged = record(Dataset::Allergies, vec![vec![fine.done()]]);
        assert_eq!(outcome(&merged, 0).0, Outcome::Answered);
        assert!(!lead(&merged).not_validated);
    }
    let headless = with_reply(|reply| reply.batches[0].entries[0].head = None);
    assert_eq!((headless.seal.shown, headless.seal.rejected), (0, 1));
}

/// The head of the only item's only entry.
fn lead(merged: &Opened) -> EntryHead {
    let entry = items(merged)[0].contributions[0].entry.clone().unwrap();
    entry.head.unwrap()
}

#[test]
fn check_3_what_breaks_a_rule_but_has_words_is_kept_as_text() {
    let big = "x".repeat(check::TEXT_MAX_BYTES + 1);
    let long = "x".repeat(check::SHORT_TEXT_MAX_BYTES + 1);
    let named = |h: &mut EntryHead| h.provenance.as_mut().map_or((), |p| p.author = "Dr Shah".into());
    let sound = || allergy("e").with(named).field("severity", "severe").origin("o").label(1);
    let kept = |entry: Entry| {
        let merged = record(Dataset::Allergies, vec![vec![entry.clone()]]);
        assert_eq!(outcome(&merged, 0), (Outcome::AnsweredPartial, vec![ReasonCode::KeptAsText as i32]));
        assert_eq!((merged.seal.shown, merged.seal.rejected), (1, 0));
        let (head, sent) = (lead(&merged), entry.head.unwrap());
        assert!(head.not_validated);
        assert_eq!((&head.text, &head.labels), (&sent.text, &sent.labels));
        head
    };
    let whole = |head: EntryHead| (head.codings.len(), head.distinguishing.len(), head.origins.len(), head.recorded);
    for (made, left) in [
        (sound().with(|h| h.recorded = long.clone()), (1, 1, 1, "")),
        (sound().field("x", &big), (1, 1, 1, "2020")),
        (sound().field(&long, "x"), (1, 1, 1, "2020")),
        (sound().origin(&long), (1, 1, 1, "2020")),
        (sound().code(&long, "x"), (1, 1, 1, "2020")),
        ((0..65).fold(sound(), |made, _| made.snomed("1")), (64, 1, 1, "2020")),
        (sound().with(|h| h.status_verbatim = long.clone()), (1, 1, 1, "2020")),
    ] {
        let made = if left.3.is_empty() { made } else { made.with(|h| h.recorded = "2020".into()) };
        let head = kept(made.done());
        assert_eq!(head.provenance.as_ref().unwrap().author, "Dr Shah");
        assert_eq!(whole(head), (left.0, left.1, left.2, left.3.to_owned()));
    }
    let heavy = |bytes| Entry { body: vec![0; bytes].into(), ..sound().done() };
    assert_eq!(outcome(&record(Dataset::Allergies, vec![vec![heavy(check::BODY_MAX_BYTES)]]), 0).0, Outcome::Answered);
    assert_eq!(whole(kept(heavy(check::BODY_MAX_BYTES + 1))).0, 1, "without its detail");

    let anonymous = kept(sound().with(|h| h.provenance = None).done()).provenance.unwrap();
    assert_eq!((anonymous.organisation.as_str(), anonymous.author.as_str()), ("Source A", ""), "who sent it is known");
    let verbose = |h: &mut EntryHead| h.provenance.as_mut().map_or((), |p| p.author = long.clone());
    assert_eq!(kept(sound().with(verbose).done()).provenance.unwrap(), anonymous);

    let odd = kept(sound().status(EntryStatus::Active).with(|h| h.assertion = 4).done());
    assert_eq!((odd.status(), odd.assertion()), (EntryStatus::Unspecified, Assertion::Unspecified));
    assert_eq!(odd.status_verbatim, "assertion 4 is not recognised");
    let ruled_out = kept(sound().assertion(Assertion::Refuted).with(|h| h.provenance = None).done());
    assert_eq!(ruled_out.assertion(), Assertion::Refuted);
}

#[test]
fn check_3_what_is_kept_as_text_is_the_same_as_nothing_and_can_be_withheld_and_withdrawn() {
    let broken = || allergy("e").snomed("1").with(|h| h.provenance = None);
    let merged = record(Dataset::Allergies, vec![vec![broken().done()], vec![allergy("f").snomed("1").done()]]);
    assert_eq!(grouping(&merged), (2, ""));
    assert!(items(&merged).iter().all(|item| item.possibly_same.len() == 1));
    let none = entry(Dataset::Allergies, "n").text("None known").assertion(Assertion::NoneKnown);
    let merged = record(Dataset::Allergies, vec![vec![broken().done()], vec![none.done()]]);
    assert_eq!(rules(&merged), ["CONFLICT-1"].into(), "what may be so speaks against none known");

    let secret = record(Dataset::Allergies, vec![vec![broken().label(3).done()]]);
    assert_eq!((secret.seal.shown, secret.seal.withheld), (0, 1));
    let withdrawn = broken().origin("o").status(EntryStatus::EnteredInError).with(|h| h.assertion = 4);
    let merged = record(Dataset::Allergies, vec![vec![withdrawn.done()], vec![allergy("copy").origin("o").done()]]);
    assert!(items(&merged).iter().all(|item| item.retracted));
    assert_eq!(rules(&merged), ["CONFLICT-6"].into());
}

#[test]
fn check_2_a_label_that_may_not_be_seen_withholds() {
    for (label, withheld) in [
        (SensitivityLabel::Normal as i32, 0),
        (SensitivityLabel::MentalHealth as i32, 0),
        (SensitivityLabel::SexualHealth as i32, 1),
        (SensitivityLabel::Unspecified as i32, 1),
        (99, 1),
    ] {
        let labelled = allergy("e").label(1).label(label).done();
        let merged = record(Dataset::Allergies, vec![vec![labelled, allergy("f").text("Latex").done()]]);
        assert_eq!(merged.seal.withheld, withheld, "label {label}");
        let expected = if withheld == 1 { Outcome::Withheld } else { Outcome::Answered };
        assert_eq!(outcome(&merged, 0).0, expected);
        assert_eq!(merged.ledger.rows[0].reasons.iter().map(|r| u64::from(r.count)).sum::<u64>(), withheld);
    }
}

#[test]
fn out_1_the_gravest_outcome_stands_and_the_rest_are_reasons() {
    use Outcome::*;
    let order =
        [Rejected, NoAnswer, Withheld, AnsweredPartial, Stale, Answered, NotShared, NotAsked, AnsweredNone, NotHeld];
    for (at, graver) in order.iter().enumerate() {
        for lighter in &order[at..] {
            let part = matches!(graver, Stale | Answered) && matches!(lighter, NotShared | NotAsked);
            let expected = if part { AnsweredPartial } else { *graver };
            assert_eq!(account::combine(*graver, *lighter), expected);
            assert_eq!(account::combine(*lighter, *graver), expected);
        }
    }
    let mut stale =
        reply("A", "1", &ALLERGIES, vec![allergy("e").done(), allergy("l").label(3).done(), allergy("").done()]);
    stale.outcomes[0].outcome = Stale as i32;
    stale.outcomes[0].reasons = vec![Reason { code: ReasonCode::DateRange as i32, count: 0 }];
    let merged = unify(&plan(&[("A", "1")], &ALLERGIES), vec![stale]);
    let codes = [ReasonCode::Label, ReasonCode::DateRange, ReasonCode::EntriesRejected, ReasonCode::AsOf];
    assert_eq!(outcome(&merged, 0), (Withheld, codes.map(|code| code as i32).to_vec()));
}

#[test]
fn out_2_a_source_under_two_local_ids_has_one_row() {
    let mut plan = plan(&[("A", "1"), ("A", "2"), ("B", "1")], &ALLERGIES);
    plan.sources[1].ask.clear();
    plan.sources[1].not_asked = vec![(Dataset::Allergies, Outcome::NotAsked, ReasonCode::Directive)];
    let with = |entries| vec![reply("A", "1", &ALLERGIES, entries), reply("B", "1", &ALLERGIES, vec![])];
    let merged = unify(&plan, with(vec![allergy("e").done()]));
    assert_eq!(merged.ledger.rows.len(), 2);
    assert_eq!(outcome(&merged, 0), (Outcome::AnsweredPartial, vec![ReasonCode::Directive as i32]));
    assert_eq!(merged.ledger.summary, "Only part from Source A.");
    assert_eq!(outcome(&unify(&plan, with(vec![])), 0).0, Outcome::NotAsked);
    plan.sources[1].ask = ALLERGIES.to_vec();
    plan.sources[1].not_asked.clear();
    let merged = unify(&plan, with(vec![allergy("e").done()]));
    assert_eq!(outcome(&merged, 0), (Outcome::NoAnswer, vec![ReasonCode::Internal as i32]));
    assert_eq!(merged.seal.shown, 1);
}

#[test]
fn owed_1_what_comes_with_seeing_something_stands_in_its_row() {
    let mut told = reply("A", "1", &ALLERGIES, vec![allergy("e").done()]);
    told.outcomes[0].obligations = vec![Obligation::NotifySocialWorker as i32, Obligation::NoPrint as i32];
    let mut newer = reply("B", "1", &ALLERGIES, vec![allergy("f").done()]);
    newer.outcomes[0].obligations = vec![77];
    let silent = reply("C", "1", &ALLERGIES, vec![allergy("g").done()]);
    let merged = unify(&plan(&[("A", "1"), ("B", "1"), ("C", "1")], &ALLERGIES), vec![told, newer, silent]);
    let owed: Vec<&[i32]> = merged.ledger.rows.iter().map(|row| row.obligations.as_slice()).collect();
    assert_eq!(owed, [[2, 4].as_slice(), [1, 2, 3].as_slice(), [].as_slice()]);
}

const FEW: limit::Limits = limit::Limits { source: 10, query: 25 };

#[test]
fn head_1_every_heading_says_what_is_known_of_it() {
    let none = |id: &str| allergy(id).assertion(Assertion::NoneKnown).with(|head| head.recorded = "2024-01-03".into());
    let answers = |sources: Vec<Vec<Entry>>| record(Dataset::Allergies, sources).ledger.headings.remove(0);
    let stated = |heading: &Heading| {
        heading.none_known.iter().map(|stated| (stated.source_id.clone(), stated.stated_on.clone())).collect::<Vec<_>>()
    };
    let by_b = vec![("B".to_owned(), "2024-01-03".to_owned())];
    for (sources, outcome, none_known) in [
        (vec![vec![allergy("a").done()], vec![]], HeadingOutcome::Items, vec![]),
        (vec![vec![], vec![none("b").done()]], HeadingOutcome::NoneKnown, by_b.clone()),
        (vec![vec![allergy("a").done()], vec![none("b").done()]], HeadingOutcome::Items, by_b),
        (
            vec![vec![], vec![none("b").status(EntryStatus::EnteredInError).done()]],
            HeadingOutcome::NothingRecorded,
            vec![],
        ),
        (vec![vec![], vec![]], HeadingOutcome::NothingRecorded, vec![]),
    ] {
        let heading = answers(sources);
        assert_eq!((heading.outcome(), stated(&heading), heading.whole), (outcome, none_known, true));
    }
    let kinds = [
        (Outcome::NotHeld, HeadingOutcome::NotHeld, true),
        (Outcome::AnsweredNone, HeadingOutcome::NothingRecorded, true),
        (Outcome::NotAsked, HeadingOutcome::NotAsked, false),
        (Outcome::NotShared, HeadingOutcome::NotShared, false),
        (Outcome::Withheld, HeadingOutcome::Withheld, false),
        (Outcome::NoAnswer, HeadingOutcome::NoAnswer, false),
    ];
    // Each is graver than those before it, whoever comes first.
    for (at, (graver, known, whole)) in kinds.iter().enumerate() {
        for (other, _, other_whole) in &kinds[..=at] {
            for pair in [[*graver, *other], [*other, *graver]] {
                let heading = heading_of(&pair);
                assert_eq!((heading.outcome(), heading.whole), (*known, *whole && *other_whole), "{pair:?}");
            }
        }
    }
}

#[test]
fn head_2_what_is_shown_may_not_be_all() {
    let plan = plan(&[("A", "1"), ("B", "1")], &ALLERGIES);
    let answered = reply("A", "1", &ALLERGIES, vec![allergy("a").done()]);
    let merged = unify(&plan, vec![answered]);
    let heading = &merged.ledger.headings[0];
    assert_eq!((heading.outcome(), heading.whole), (HeadingOutcome::Items, false));
    assert_eq!(unify(&self::plan(&[], &ALLERGIES), vec![]).ledger.headings[0].outcome(), HeadingOutcome::NotHeld);
}

/// The heading of allergies where two sources give these outcomes and no entry.
fn heading_of(outcomes: &[Outcome; 2]) -> Heading {
    let mut plan = plan(&[("A", "1"), ("B", "1")], &ALLERGIES);
    let mut replies = Vec::new();
    for (planned, outcome) in plan.sources.iter_mut().zip(outcomes) {
        if *outcome == Outcome::NotAsked {
            planned.ask.clear();
            planned.not_asked.push((Dataset::Allergies, Outcome::NotAsked, ReasonCode::Directive));
        }
        let mut silent = reply(&planned.source.id.0, "1", &ALLERGIES[..planned.ask.len()], vec![]);
        silent.outcomes.iter_mut().for_each(|said| said.outcome = (*outcome).into());
        replies.push(silent);
    }
    unify(&plan, replies).ledger.headings.remove(0)
}

#[test]
fn limit_1_entries_of_one_source_beyond_the_limit_are_counted_and_said() {
    assert_eq!((limit::LIMITS.source, limit::LIMITS.query), (10_000, 100_000));
    let datasets = [Dataset::Allergies, Dataset::Observations];
    let observation = |n: usize| entry(Dataset::Observations, &format!("o{n}")).period(&format!("20{n:02}"), "").done();
    let mut entries: Vec<Entry> = (0..11).map(observation).collect();
    entries.push(allergy("a").period("0001", "").done());
    let plan = plan(&[("A", "1")], &datasets);
    let one = reply("A", "1", &datasets, entries);
    let merged = unify_within(FEW, &plan, vec![one.clone()]);
    assert_eq!((outcome(&merged, 0).0, merged.ledger.rows[0].shown), (Outcome::Answered, 1));
    assert_eq!(outcome(&merged, 1), (Outcome::AnsweredPartial, vec![ReasonCode::OverLimit as i32]));
    assert_eq!((merged.ledger.rows[1].rejected, merged.ledger.rows[1].reasons[0].count), (2, 2));
    let kept: Vec<&str> =
        merged.sections[1].items.iter().flat_map(super::heads).map(|h| h.effective_start.as_str()).collect();
    assert_eq!(kept, ["2010", "2009", "2008", "2007", "2006", "2005", "2004", "2003", "2002"]);
    for seed in 0..20 {
        assert_eq!(merged.seal, unify_within(FEW, &plan, shuffled(std::slice::from_ref(&one), seed)).seal);
    }
}

#[test]
fn limit_2_entries_of_one_query_beyond_the_limit_are_counted_and_said() {
    let sources = [("A", "1"), ("B", "1"), ("C", "1")];
    let observations = [Dataset::Observations];
    let observation = |n: usize| entry(Dataset::Observations, &format!("{n}")).done();
    let replies: Vec<Reply> =
        sources.map(|(source, local)| reply(source, local, &observations, (0..10).map(observation).collect())).to_vec();
    let plan = plan(&sources, &observations);
    let merged = unify_within(FEW, &plan, replies.clone());
    assert_eq!((merged.seal.shown, merged.seal.rejected), (25, 5));
    assert_eq!(outcome(&merged, 1), (Outcome::Answered, vec![]));
    assert_eq!(outcome(&merged, 2), (Outcome::AnsweredPartial, vec![ReasonCode::OverLimit as i32]));
    assert_eq!(merged.seal, unify_within(FEW, &plan, shuffled(&replies, 5)).seal);
}

#[test]
fn limit_3_long_lists_are_cut_and_say_so() {
    for (count, cut) in [(RELATED_MAX + 1, false), (RELATED_MAX + 2, true), (1_000, true)] {
        let doses =
            (0..count).map(|n| entry(Dataset::Medications, &format!("{n}")).field("dose", &format!("{n} mg")).done());
        let merged = record(Dataset::Medications, vec![doses.collect()]);
        assert!(items(&merged).iter().all(|item| item.conflicts[0].other_item_ids.len() == RELATED_MAX));
        assert_eq!(rules(&merged), if cut { ["CONFLICT-3", "LIMIT-3"].into() } else { ["CONFLICT-3"].into() });
        let same = (0..count).map(|n| allergy(&format!("{n}")).field("kind", &format!("{n}")).done());
        let merged = record(Dataset::Allergies, vec![same.collect()]);
        assert!(items(&merged).iter().all(|item| item.possibly_same.len() == RELATED_MAX));
        assert_eq!(rules(&merged), if cut { ["LIMIT-3"].into() } else { [].into() });
    }
}

#[test]
fn limit_4_what_came_before_the_limit_stands() {
    let datasets = [Dataset::Allergies, Dataset::Problems, Dataset::Medications];
    let mut one = reply("A", "1", &datasets, vec![allergy("a").done(), entry(Dataset::Problems, "p").done()]);
    one.outcomes.truncate(1);
    one.fault = Some(ReasonCode::OverLimit);
    let merged = unify(&plan(&[("A", "1")], &datasets), vec![one]);
    let over = vec![ReasonCode::OverLimit as i32];
    assert_eq!(outcome(&merged, 0), (Outcome::Answered, vec![]));
    assert_eq!(outcome(&merged, 1), (Outcome::NoAnswer, over.clone()), "nothing of the medicines came");
    assert_eq!(outcome(&merged, 2), (Outcome::AnsweredPartial, over));
    assert_eq!((merged.seal.shown, merged.seal.rejected), (2, 0));
}

#[test]
fn absence_1_none_known_is_never_grouped_even_with_its_like() {
    let none =
        |id: &str| entry(Dataset::Allergies, id).text("No known allergies").assertion(Assertion::NoneKnown).origin("o");
    let twice = vec![none("n").done(), none("n").done()];
    let merged = record(Dataset::Allergies, vec![twice, vec![none("m").done()]]);
    assert_eq!(grouping(&merged), (3, ""));
    assert!(items(&merged).iter().all(|item| !item.retracted));
    let withdrawn = none("w").status(EntryStatus::EnteredInError);
    let merged = record(
        Dataset::Allergies,
        vec![vec![withdrawn.done()], vec![none("m").done(), allergy("a").origin("o").done()]],
    );
    let retracted: Vec<bool> = items(&merged).iter().map(|item| item.retracted).collect();
    assert_eq!(retracted, [false, true, true], "the copy is withdrawn with it, and the allergy is not");
    assert_eq!(rules(&merged), ["CONFLICT-6"].into());
}

#[test]
fn same_1_one_entry_sent_twice_is_one_item() {
    let plan = plan(&[("A", "1"), ("A", "2")], &[Dataset::Observations]);
    let seen = |at: i64| {
        let read_at = |h: &mut EntryHead| h.provenance.as_mut().map_or((), |p| p.retrieved_at_ms = at);
        vec![entry(Dataset::Observations, "e").with(read_at).done()]
    };
    let of = |local: &str, at| reply("A", local, &[Dataset::Observations], seen(at));
    let merged = unify(&plan, vec![of("1", 1), of("2", 2)]);
    assert_eq!(grouping(&merged), (1, "SAME-1"));
    assert_eq!((merged.seal.shown, merged.seal.grouped), (1, 1));
    assert_eq!(merged.seal.digest, unify(&plan, vec![of("2", 2), of("1", 1)]).seal.digest);
}

#[test]
fn origin_1_copies_of_one_statement_are_one_item_in_every_dataset() {
    for dataset in severn_trust::ALL_DATASETS {
        let one = entry(dataset, "a").origin("o").text("first words");
        let two = entry(dataset, "b").origin("o").origin("p").text("first words");
        let three = entry(dataset, "c").origin("p").text("first words");
        let merged = record(dataset, vec![vec![one.done()], vec![two.done()], vec![three.done()]]);
        assert_eq!(grouping(&merged), (1, "ORIGIN-1"));
        assert_eq!(rules(&merged), [].into());
    }
    let elsewhere = allergy("b").origin("o").with(|h| h.origins[0].organisation_ods = "X".into());
    assert_eq!(pair(Dataset::Observations, allergy("a"), allergy("b")).seal.shown, 0);
    let other_system = medicine("b").origin("o").with(|h| h.origins[0].system = "urn:b".into());
    assert_eq!(grouping(&pair(Dataset::Medications, medicine("a").origin("o"), other_system)).1, "MEDICINE-1");
    assert_eq!(grouping(&pair(Dataset::Allergies, allergy("a").origin("o"), elsewhere)).1, "ALLERGY-1");
    let nameless = |id| entry(Dataset::Observations, id).origin("");
    assert_eq!(grouping(&pair(Dataset::Observations, nameless("a"), nameless("b"))).0, 2);
}

#[test]
fn retract_1_a_retraction_takes_its_copies_and_nothing_else() {
    let gone = allergy("a").origin("o").status(EntryStatus::EnteredInError);
    let copy = allergy("b").origin("o").with(|h| h.last_changed = "2024".into());
    let own = allergy("c");
    let merged = record(
        Dataset::Allergies,
        vec![vec![copy.clone().done()], vec![own.clone().done()], vec![gone.clone().done()]],
    );
    assert_eq!(items(&merged).len(), 2);
    assert!(!items(&merged)[0].retracted && items(&merged)[1].retracted);
    assert_eq!(items(&merged)[1].contributions[0].source_id, "C", "the one entered in error leads");
    assert_eq!(rules(&merged), ["CONFLICT-6"].into());
    // Also when the retraction itself may not be shown.
    let merged = record(Dataset::Allergies, vec![vec![copy.done()], vec![own.done()], vec![gone.label(3).done()]]);
    assert_eq!((items(&merged)[1].retracted, merged.seal.withheld), (true, 1));
    // Two that were both withdrawn, without a shared origin, stay apart.
    let withdrawn = |id| allergy(id).status(EntryStatus::EnteredInError);
    assert_eq!(grouping(&pair(Dataset::Allergies, withdrawn("a"), withdrawn("b"))).0, 2);
}

#[test]
fn code_1_one_code_names_a_thing() {
    let dmd = entry(Dataset::Allergies, "b").code("https://dmd.nhs.uk", "91936005");
    let beside_local = entry(Dataset::Allergies, "b").code("urn:local", "7").snomed("91936005");
    let two_codes = entry(Dataset::Allergies, "b").snomed("1").snomed("91936005");
    let icd = |id| entry(Dataset::Allergies, id).code("urn:local", id).code("http://hl7.org/fhir/sid/icd-10", "Z88.0");
    assert_eq!(grouping(&pair(Dataset::Allergies, allergy("a"), dmd)), (1, "ALLERGY-1"));
    assert_eq!(grouping(&pair(Dataset::Allergies, allergy("a"), beside_local)), (1, "ALLERGY-1"));
    assert_eq!(grouping(&pair(Dataset::Allergies, icd("a"), icd("b"))), (1, "ALLERGY-1"));
    let merged = pair(Dataset::Allergies, allergy("a"), two_codes);
    assert_eq!(items(&merged).len(), 2);
    assert_eq!(items(&merged)[0].possibly_same, [items(&merged)[1].item_id.clone()]);
    let half = |id| entry(Dataset::Allergies, id).text(id).code("", "91936005");
    assert_eq!(grouping(&pair(Dataset::Allergies, half("a"), half("b"))).0, 2);
}

#[test]
fn code_2_a_generic_code_names_nothing() {
    let vague = |id, text| entry(Dataset::Allergies, id).snomed("419199007").text(text);
    let merged = pair(Dataset::Allergies, vague("a", "Latex"), vague("b", "Penicillin"));
    assert_eq!(items(&merged).len(), 2);
    assert!(items(&merged).iter().all(|item| item.possibly_same.is_empty()));
    assert_eq!(grouping(&pair(Dataset::Allergies, vague("a", "Latex"), vague("b", " LATEX "))), (1, "ALLERGY-1"));
}

/// Entries that differ in one thing make two items; those that agree make one.
fn check_splits(dataset: Dataset, same: fn(&str) -> Make, rule: &str, others: &[Make]) {
    assert_eq!(grouping(&pair(dataset, same("a"), same("b"))), (1, rule));
    for other in others {
        let merged = pair(dataset, same("a"), other.clone());
        assert_eq!(grouping(&merged).0, 2, "{:?}", items(&merged));
    }
}

#[test]
fn allergy_1_code_assertion_and_status() {
    check_splits(
        Dataset::Allergies,
        allergy,
        "ALLERGY-1",
        &[
            entry(Dataset::Allergies, "b").snomed("2").text("Penicillin"),
            entry(Dataset::Allergies, "b").text("Latex"),
            allergy("b").status(EntryStatus::Ended),
            allergy("b").status(EntryStatus::Unspecified),
            allergy("b").assertion(Assertion::Refuted),
            allergy("b").field("kind", "intolerance"),
        ],
    );
    let reworded = allergy("b").text("Allergy to penicillin").period("1990", "").assertion(Assertion::Unspecified);
    let body = Entry { body: bytes::Bytes::from_static(b"another reaction"), ..reworded.done() };
    assert_eq!(record(Dataset::Allergies, vec![vec![allergy("a").done()], vec![body]]).seal.grouped, 1);
    let unrecognised = |id, verbatim: &str| {
        let verbatim = verbatim.to_owned();
        allergy(id).status(EntryStatus::Unspecified).with(|h| h.status_verbatim = verbatim)
    };
    assert_eq!(grouping(&pair(Dataset::Allergies, unrecognised("a", "Live"), unrecognised("b", "live"))).0, 1);
    assert_eq!(grouping(&pair(Dataset::Allergies, unrecognised("a", "live"), unrecognised("b", "gone"))).0, 2);
}

#[test]
fn medicine_1_dose_route_form_status_and_period() {
    let coded = |id| entry(Dataset::Medications, id).snomed("386864001");
    check_splits(
        Dataset::Medications,
        medicine,
        "MEDICINE-1",
        &[
            coded("b").field("dose", "10 mg").field("route", "oral"),
            coded("b").field("dose", "5 mg").field("route", "by injection"),
            coded("b").field("dose", "5 mg"),
            medicine("b").field("form", "tablet"),
            medicine("b").field("frequency", "daily"),
            medicine("b").status(EntryStatus::Ended),
            medicine("b").status(EntryStatus::Planned),
            medicine("b").period("2024-01-03", ""),
            medicine("b").period("", "2024-01-03"),
            entry(Dataset::Medications, "b").snomed("2").field("dose", "5 mg").field("route", "oral"),
        ],
    );
    let written = coded("b").field("Route", "  Oral").field("DOSE", "5mg").field("form", " ");
    assert_eq!(grouping(&pair(Dataset::Medications, medicine("a"), written)).0, 1);
    let at = |id, start| medicine(id).period(start, "");
    let same_day = pair(Dataset::Medications, at("a", "2024-01-03"), at("b", "2024-01-03T10:15:00Z"));
    assert_eq!(grouping(&same_day), (1, "MEDICINE-1"));
    let ended = |id| medicine(id).status(EntryStatus::Ended);
    assert_eq!(grouping(&pair(Dataset::Medications, coded("a"), coded("b"))).0, 2, "no dose");
    assert_eq!(grouping(&pair(Dataset::Medications, ended("a"), ended("b"))).0, 2, "no date");
}

#[test]
fn problem_1_code_status_and_period() {
    let problem = |id: &str| entry(Dataset::Problems, id).snomed("38341003").period("2012", "");
    check_splits(
        Dataset::Problems,
        problem,
        "PROBLEM-1",
        &[
            problem("b").period("2013", ""),
            problem("b").status(EntryStatus::Ended),
            problem("b").field("site", "left"),
            entry(Dataset::Problems, "b").text("words").period("2012", ""),
        ],
    );
    let over = |id| entry(Dataset::Problems, id).snomed("38341003").status(EntryStatus::Ended);
    assert_eq!(grouping(&pair(Dataset::Problems, over("a"), over("b"))).0, 2);
}

#[test]
fn contact_1_name_and_phone() {
    let contact = |id: &str| entry(Dataset::Contacts, id).text("Jo Day").field("phone", "07700 900123");
    let jo = |id: &str, phone: &str| entry(Dataset::Contacts, id).text("jo  day").field("phone", phone);
    check_splits(
        Dataset::Contacts,
        contact,
        "CONTACT-1",
        &[
            jo("b", "07700 900124"),
            jo("b", "+1 7700 900123"),
            jo("b", "07700 900123 ext 2"),
            contact("b").text("Jo Night"),
            contact("b").field("relationship", "sister"),
            contact("b").status(EntryStatus::Ended),
        ],
    );
    for phone in ["+44 7700 900123", "0044 7700 900 123", "+44 (0)7700-900123"] {
        assert_eq!(grouping(&pair(Dataset::Contacts, contact("a"), jo("b", phone))).0, 1, "{phone}");
    }
    let named = |id: &str, text: &str| jo(id, "1").field("name", "Jo Day").text(text);
    assert_eq!(grouping(&pair(Dataset::Contacts, named("a", "Jo Day (sister)"), named("b", "Day, Jo"))).0, 1);
    let silent = |id| entry(Dataset::Contacts, id).text("Jo Day");
    assert_eq!(grouping(&pair(Dataset::Contacts, silent("a"), silent("b"))).0, 2);
}

#[test]
fn alert_1_code_and_words() {
    let alert = |id: &str| entry(Dataset::Alerts, id).snomed("225915006").text("Dog bites");
    check_splits(
        Dataset::Alerts,
        alert,
        "ALERT-1",
        &[
            alert("b").text("Do not visit alone"),
            entry(Dataset::Alerts, "b").snomed("2").text("Dog bites"),
            alert("b").status(EntryStatus::Ended),
            alert("b").field("category", "staff"),
        ],
    );
}

#[test]
fn possible_1_what_shares_a_code_or_the_words_is_shown_side_by_side() {
    let contact = |id, phone| entry(Dataset::Contacts, id).text("Jo Day").field("phone", phone);
    let no_dose = entry(Dataset::Medications, "b").snomed("386864001");
    let unlisted = entry(Dataset::Allergies, "b").snomed("900000001").text("PENICILLIN");
    let over = |id, start| medicine(id).status(EntryStatus::Ended).period(start, "");
    let reading = |id: &str, at: &str, value: &str| {
        entry(Dataset::Observations, id).snomed("365761000").field("value", value).period(at, "")
    };
    for (merged, possibly) in [
        (pair(Dataset::Contacts, contact("a", "1"), contact("b", "2")), true),
        (pair(Dataset::Medications, medicine("a"), no_dose), true),
        (pair(Dataset::Allergies, allergy("a"), unlisted), true),
        (pair(Dataset::Medications, over("a", "2020"), over("b", "2020").field("form", "tablet")), true),
        (pair(Dataset::Medications, over("a", "2020"), over("b", "2021")), false),
        (pair(Dataset::Allergies, allergy("a"), entry(Dataset::Allergies, "b").text("Latex")), false),
        (pair(Dataset::Observations, reading("a", "2024-01-03", "5"), reading("b", "2024-01-03T08:00:00Z", "5")), true),
        (
            pair(Dataset::Observations, reading("a", "2024-01-03", "5"), reading("b", "2024-01-03T08:00:00Z", "6")),
            false,
        ),
        (pair(Dataset::Observations, reading("a", "2024-01-03", "5"), reading("b", "2024-01-04", "5")), false),
        (pair(Dataset::Demographics, entry(Dataset::Demographics, "a"), entry(Dataset::Demographics, "b")), false),
    ] {
        assert_eq!(items(&merged).len(), 2);
        assert_eq!(rules(&merged), [].into());
        let ids: Vec<&[String]> = items(&merged).iter().map(|item| item.possibly_same.as_slice()).collect();
        let other = |at: usize| vec![items(&merged)[at].item_id.clone()];
        assert_eq!(ids, if possibly { vec![other(1), other(0)] } else { vec![vec![], vec![]] });
    }
}

#[test]
fn possible_1_what_one_source_recorded_of_one_day_it_told_apart() {
    let reading = |id: &str, organisation: &str| {
        let organisation = organisation.to_owned();
        let reading = entry(Dataset::Observations, id).snomed("365761000").field("value", "5");
        reading
            .period("2024-01-03", "")
            .field("method", id)
            .with(|head| head.provenance.get_or_insert_default().organisation_ods = organisation)
            .done()
    };
    for (entries, possibly) in [
        (vec![vec![reading("a", "RRK"), reading("b", "RRK")]], 0),
        (vec![vec![reading("a", "RRK"), reading("b", "RJ1")]], 2),
        (vec![vec![reading("a", "RRK")], vec![reading("b", "RRK")]], 2),
    ] {
        let merged = record(Dataset::Observations, entries);
        assert_eq!(items(&merged).iter().map(|item| item.possibly_same.len()).sum::<usize>(), possibly);
    }
    let lasting = record(Dataset::Allergies, vec![vec![allergy("a").done(), allergy("b").field("kind", "x").done()]]);
    assert!(
        items(&lasting).iter().all(|item| item.possibly_same.len() == 1),
        "of what lasts it may have two by mistake"
    );
}

#[test]
fn order_1_conflicts_then_active_then_latest_then_retracted() {
    let problem = |id: &str, start| entry(Dataset::Problems, id).text(id).period(start, "");
    let merged = record(
        Dataset::Problems,
        vec![vec![
            problem("over", "2024").status(EntryStatus::Ended).done(),
            problem("old", "2001-02-03").done(),
            problem("gone", "2030").status(EntryStatus::EnteredInError).done(),
            problem("new", "2020").done(),
            problem("clash", "1990").done(),
            problem("cleared", "1980").text("clash").assertion(Assertion::Refuted).done(),
            problem("undated", "soon").done(),
        ]],
    );
    let order: Vec<&str> = items(&merged)
        .iter()
        .filter_map(|item| Some(item.contributions[0].entry.as_ref()?.head.as_ref()?.entry_id.as_str()))
        .collect();
    assert_eq!(order, ["clash", "cleared", "new", "old", "undated", "over", "gone"]);
}

#[test]
fn order_2_the_entry_changed_last_leads() {
    let changed = |id, at: &str| allergy(id).with(|h| h.last_changed = at.into());
    let recorded = allergy("c").with(|h| h.recorded = "2022-01-01".into());
    let merged = record(
        Dataset::Allergies,
        vec![
            vec![changed("a", "2020").done(), changed("b", "2024-05-01").done()],
            vec![recorded.done()],
            vec![allergy("d").done()],
        ],
    );
    let sources: Vec<&str> = items(&merged)[0].contributions.iter().map(|c| c.source_id.as_str()).collect();
    assert_eq!(sources, ["A", "B", "A", "C"]);
    assert_eq!((merged.seal.shown, merged.seal.grouped), (1, 3));
}

#[test]
fn conflict_1_none_known_beside_something() {
    let none = |dataset| entry(dataset, "n").text("None known").assertion(Assertion::NoneKnown);
    for (dataset, status, conflict) in [
        (Dataset::Allergies, EntryStatus::Active, true),
        (Dataset::Allergies, EntryStatus::Unspecified, true),
        (Dataset::Allergies, EntryStatus::Ended, true),
        (Dataset::Allergies, EntryStatus::EnteredInError, false),
        (Dataset::Medications, EntryStatus::Active, true),
        (Dataset::Medications, EntryStatus::Ended, false),
        (Dataset::Problems, EntryStatus::Active, true),
        (Dataset::Equipment, EntryStatus::Active, true),
    ] {
        let merged = pair(dataset, none(dataset), entry(dataset, "a").status(status));
        assert_eq!(items(&merged).len(), 2);
        assert_eq!(rules(&merged).contains("CONFLICT-1"), conflict, "{dataset:?} {status:?}");
        assert_eq!(
            items(&merged).iter().filter(|item| item.conflicts.len() == 1).count(),
            if conflict { 2 } else { 0 }
        );
        let over = pair(dataset, none(dataset).status(EntryStatus::Ended), entry(dataset, "a").status(status));
        assert!(!rules(&over).contains("CONFLICT-1"));
    }
}

#[test]
fn conflict_2_refuted_beside_present() {
    for dataset in [Dataset::Allergies, Dataset::Problems] {
        let asthma = entry(dataset, "a").snomed("195967001");
        let refuted = entry(dataset, "b").snomed("195967001").text("other").assertion(Assertion::Refuted);
        assert_eq!(rules(&pair(dataset, asthma.clone(), refuted.clone())), ["CONFLICT-2"].into());
        let gone = asthma.status(EntryStatus::EnteredInError);
        assert_eq!(rules(&pair(dataset, gone, refuted)), [].into());
    }
}

#[test]
fn conflict_3_one_medicine_in_two_doses() {
    let ten = |id| entry(Dataset::Medications, id).snomed("386864001").field("dose", "10 mg");
    let by_words = |id| entry(Dataset::Medications, id).text("AMLODIPINE").field("dose", "10 mg");
    for other in [ten("b"), by_words("b"), ten("b").status(EntryStatus::Unspecified)] {
        let merged = pair(Dataset::Medications, medicine("a"), other);
        assert_eq!(rules(&merged), ["CONFLICT-3"].into());
        assert!(items(&merged).iter().all(|item| item.conflicts[0].other_item_ids.len() == 1));
        assert!(items(&merged).iter().all(|item| item.possibly_same.is_empty()));
    }
    assert_eq!(rules(&pair(Dataset::Medications, medicine("a"), ten("b").status(EntryStatus::Cancelled))), [].into());
    let dosed = |id: &str, dose: &str| entry(Dataset::Medications, id).snomed("386864001").field("dose", dose);
    for (one, other, conflict) in [
        ("500 mg", "1 g", true),
        ("1 tablet", "2 tablets", true),
        ("0.5ml", "1 ml", true),
        ("5 mg", "1 tablet", false),
        ("5 mg", "One To Be Taken Each Day", false),
        ("one daily", "1 to be taken each day", false),
        ("mg", "5 mg", false),
    ] {
        let merged = pair(Dataset::Medications, dosed("a", one), dosed("b", other));
        assert_eq!(rules(&merged).contains("CONFLICT-3"), conflict, "{one}, {other}");
    }
}

#[test]
fn conflict_4_current_beside_ended() {
    let since = |start| medicine("a").period(start, "");
    let ended = |end| medicine("b").status(EntryStatus::Ended).period("2010-01-01", end);
    for (start, end, conflict) in [
        ("", "", true),
        ("2020-01-01", "", true),
        ("", "2019-12-31", true),
        ("2020-01-01", "2020-01-02", true),
        ("2020-01-01", "2020-01-01", false),
        ("2020-01-01", "2012-05-05", false),
        ("2020", "2012-05-05", true),
    ] {
        let merged = pair(Dataset::Medications, since(start), ended(end));
        assert_eq!(rules(&merged).contains("CONFLICT-4"), conflict, "since {start:?}, ended {end:?}");
        let marked = items(&merged).iter().filter(|item| !item.conflicts.is_empty()).count();
        assert_eq!(marked, if conflict { 2 } else { 0 });
    }
    let alert = |id| entry(Dataset::Alerts, id);
    assert_eq!(rules(&pair(Dataset::Alerts, alert("a"), alert("b").status(EntryStatus::Ended))), [].into());
}

#[test]
fn conflict_5_versions_of_one_statement_that_differ() {
    let version = |id| medicine(id).origin("o").period("2020", "");
    for (other, differ) in [
        (version("b"), false),
        (version("b").text("Amlodipine tablets"), false),
        (version("b").period("2020-03-01", ""), false),
        (version("b").period("", ""), false),
        (version("b").field("form", "tablet"), false),
        (version("b").status(EntryStatus::Unspecified), false),
        (version("b").period("2021", ""), true),
        (version("b").status(EntryStatus::Ended), true),
        (version("b").assertion(Assertion::Refuted), true),
        (version("b").with(|h| h.distinguishing[0].value = "10 mg".into()), true),
        (version("b").with(|h| h.codings[0].code = "2".into()), true),
    ] {
        let merged = pair(Dataset::Medications, version("a"), other.clone());
        assert_eq!(items(&merged).len(), 1);
        assert_eq!(rules(&merged), if differ { ["CONFLICT-5"].into() } else { [].into() }, "{:?}", other.done());
    }
    // Another source's own statement is no version.
    let copies = vec![allergy("a").origin("o").done(), allergy("b").origin("o").done()];
    let merged = record(Dataset::Allergies, vec![copies, vec![allergy("c").period("1990", "").done()]]);
    assert_eq!((grouping(&merged), rules(&merged)), ((1, "ORIGIN-1, ALLERGY-1"), [].into()));
    // A version that leaves the dose out does not hide that two others differ in it.
    let (five, ten) = (version("b"), version("c").with(|h| h.distinguishing[0].value = "10 mg".into()));
    let silent = version("a").with(|h| h.distinguishing.clear());
    let merged = record(Dataset::Medications, vec![vec![silent.done()], vec![five.done()], vec![ten.done()]]);
    assert_eq!(rules(&merged), ["CONFLICT-5"].into());
}

#[test]
fn conflict_6_a_copy_of_what_was_retracted_still_reads_as_current() {
    let gone = allergy("a").origin("o").status(EntryStatus::EnteredInError);
    assert_eq!(rules(&pair(Dataset::Allergies, gone.clone(), allergy("b").origin("o"))), ["CONFLICT-6"].into());
    let over = allergy("b").origin("o").status(EntryStatus::Ended);
    assert_eq!(rules(&pair(Dataset::Allergies, gone, over)), [].into());
}

#[test]
fn conflict_7_one_id_with_different_content() {
    for dataset in [Dataset::Allergies, Dataset::Observations] {
        let same = |body: &'static [u8]| Entry { body: body.into(), ..entry(dataset, "e").done() };
        let merged = record(dataset, vec![vec![same(b"one"), same(b"two"), same(b"two")]]);
        assert_eq!(items(&merged).len(), 2);
        assert_eq!(merged.seal.grouped, 1);
        assert!(items(&merged).iter().all(|item| item.conflicts.iter().any(|c| c.rule == "CONFLICT-7")));
        let origin = |body: &'static [u8]| Entry { body: body.into(), ..entry(dataset, "e").origin("o").done() };
        let merged = record(dataset, vec![vec![origin(b"one"), origin(b"two")]]);
        assert_eq!((items(&merged).len(), rules(&merged)), (1, ["CONFLICT-7"].into()));
    }
}

#[test]
fn out_1_the_summary_names_what_is_missing_in_one_sentence() {
    let names: Vec<String> = (0..8).map(|n| format!("S{n}")).collect();
    let sources: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let datasets = [Dataset::Allergies, Dataset::EndOfLife];
    let plan_of = |count: usize| plan(&sources[..count], &datasets);
    let fine = |source: &str| reply(source, "1", &datasets, vec![allergy("e").done()]);
    assert_eq!(unify(&plan_of(1), vec![fine("S0")]).ledger.summary, "Nothing is missing.");
    let mut held_back = fine("S1");
    held_back.outcomes[1].outcome = Outcome::Withheld as i32;
    assert_eq!(
        unify(&plan_of(8), vec![fine("S0"), held_back]).ledger.summary,
        "No answer from Source S2, Source S3, Source S4, Source S5, Source S6 and 1 more source; \
         items withheld at Source S1 (end of life)."
    );
    assert_eq!(unify(&plan(&[], &datasets), vec![]).ledger.summary, "No source is known to hold this person's record.");
    assert_eq!(unify(&plan(&[("A", "1")], &[]), vec![]).ledger.summary, "Nothing was asked for.");
}

/// Rule ids as they stand in a text: capitals, a hyphen, a digit.
fn ids_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_id = |word: &&str| {
        word.split_once('-').is_some_and(|(name, number)| {
            name.len() > 2
                && name.bytes().all(|b| b.is_ascii_uppercase())
                && number.len() == 1
                && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    words.filter(is_id).map(str::to_owned).collect()
}

#[test]
fn every_rule_is_written_tested_and_versioned() {
    let written = include_str!("../RULES.md");
    let defined: BTreeSet<String> = written
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |").map(|(id, _)| id))
        .flat_map(ids_in)
        .collect();
    assert_eq!(defined.len(), 61);
    assert_eq!(ids_in(written), defined, "a rule is mentioned that is not defined");
    let tests =
        [include_str!("rules.rs"), include_str!("rules/statements.rs"), include_str!("rules/medicines.rs")].concat();
    let names: Vec<String> =
        defined.iter().map(|id| format!("fn {}_", id.to_ascii_lowercase().replace('-', "_"))).collect();
    for name in &names {
        assert!(tests.contains(name), "no test {name}");
    }
    for test in tests.split("#[test]\n").skip(1).filter_map(|test| test.lines().next()) {
        let of_a_rule = names.iter().any(|name| test.starts_with(name));
        assert!(of_a_rule || test.starts_with("fn every_"), "{test} is of no rule");
    }
    let code = [
        include_str!("../mod.rs"),
        include_str!("../accept.rs"),
        include_str!("../account.rs"),
        include_str!("../check.rs"),
        include_str!("../as_text.rs"),
        include_str!("../limit.rs"),
        include_str!("../../fanout/ask.rs"),
        include_str!("../heading.rs"),
        include_str!("../discrepancy.rs"),
        include_str!("../statement.rs"),
        include_str!("../medicine/mod.rs"),
        include_str!("../agent.rs"),
        include_str!("../overlap.rs"),
        include_str!("../content.rs"),
        include_str!("../group.rs"),
        include_str!("../relate.rs"),
        include_str!("../conflict.rs"),
        include_str!("../item.rs"),
    ];
    let emitted: BTreeSet<String> = code.into_iter().flat_map(ids_in).collect();
    assert_eq!(emitted, defined, "code and RULES.md name different rules");
    assert!(written.starts_with(&format!("# Merge rules, version {RULES_VERSION}\n")));
}
