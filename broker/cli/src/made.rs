//! A made-up answer about a made-up person, with one of everything that a reader must be shown. For tests.

use prost::Message as _;
use severn_client::{Answer, Asked, judge};
use severn_proto::v1::{entry_body::Detail, retrieve_record_response::Part, *};
use severn_trust::{Commitments, PersonKeys, RecordDigest, SystemEntropy};

pub(crate) const QUERY: &str = "0195b4c0-0000-7000-8000-000000000001";
pub(crate) const PERSON: &str = "0195b4c0-0000-7000-8000-0000000000aa";
pub(crate) const DATASETS: [Dataset; 5] =
    [Dataset::Alerts, Dataset::Allergies, Dataset::Safeguarding, Dataset::Medications, Dataset::Documents];

pub(crate) fn alice() -> Demographics {
    let address = Address { lines: vec!["7 Canal Row".into()], postcode: "WS2 9XA".into(), ..Address::default() };
    let name = HumanName { family: "Briggs".into(), given: vec!["Alice".into(), "May".into()], ..HumanName::default() };
    Demographics {
        nhs_number: "9434765919".into(),
        nhs_number_verified: true,
        names: vec![name],
        birth_date: "1951-03-03".into(),
        sex: Sex::Female.into(),
        addresses: vec![address],
        ..Demographics::default()
    }
}

/// Alice, twice: at her practice, and at a hospital that knows her by another name.
pub(crate) fn pair() -> ReviewPair {
    let registration = |source: &str, local_id: &str, person: Demographics| Registration {
        source_id: source.into(),
        local_id: Some(LocalId { value: local_id.into(), ..LocalId::default() }),
        demographics: Some(person),
        ..Registration::default()
    };
    let name = |family: &str, given: &str, r#use: human_name::Use| HumanName {
        family: family.into(),
        given: vec![given.into()],
        r#use: r#use.into(),
        ..HumanName::default()
    };
    let phone = |value: &str| vec![Telecom { value: value.into(), ..Telecom::default() }];
    let practice = Demographics { telecoms: phone("01922 555 044"), ..alice() };
    let ward = Demographics {
        nhs_number: String::new(),
        names: vec![name("Okonkwo-Briggs", "Ali", human_name::Use::Usual), name("Briggs", "Ali", human_name::Use::Old)],
        birth_date: "1951-03-30".into(),
        telecoms: phone("01922 555 010"),
        ..alice()
    };
    let reason = |field: &str, level: &str, weight_bits: f64| FieldReason {
        field: field.into(),
        level: level.into(),
        weight_bits,
    };
    ReviewPair {
        a: Some(registration("M91", "4417", practice)),
        b: Some(registration("RBK", "H-00093", ward)),
        why: "possibly one person".into(),
        probability: 0.9731,
        bits: 5.18,
        reasons: vec![
            reason("given name", "one begins like the other", -1.2),
            reason("family name", "part of a double name", 4.3),
            reason("birth date", "one digit differs", 4.91),
            reason("sex", "both female", 0.96),
            reason("address", "the same house and street, postcode missing or nearly the same", 15.6),
            reason("phone", "different", -9.0),
        ],
        model_version: "uk-1".into(),
        kind: ReviewKind::PossibleDuplicate.into(),
    }
}

/// A queue of these pairs, and one more that was not asked for.
pub(crate) fn queue(pairs: Vec<ReviewPair>) -> ReviewQueueResponse {
    let overlaid = ReviewCount { kind: ReviewKind::NumberOverlaid.into(), pairs: 1 };
    let possible = ReviewCount { kind: ReviewKind::PossibleDuplicate.into(), pairs: pairs.len() as u64 };
    ReviewQueueResponse { pairs, counts: vec![overlaid, possible], postponed: 0 }
}

/// Four decisions of two stewards, the newest first.
pub(crate) fn decisions() -> Vec<StewardDecision> {
    let registration =
        |source: &str, local_id: &str| RegistrationRef { source_id: source.into(), local_id: local_id.into() };
    let decision = |sequence: u64, kind: &str, by: &str| StewardDecision {
        sequence,
        at_ms: 1_774_000_000_000 + sequence.cast_signed() * 60_000,
        kind: kind.into(),
        registrations: vec![registration("M91", "4417"), registration("RBK", "H-00093")],
        by: by.into(),
        reason: "same face on both cards".into(),
        can_be_taken_back: true,
        ..StewardDecision::default()
    };
    vec![
        StewardDecision {
            can_be_taken_back: false,
            until_ms: 1_775_000_000_000,
            ..decision(9, "postponed", "Bo (s2) at RBK")
        },
        decision(7, "linked", "Ann (s1) at M91"),
        StewardDecision { taken_back_by: 8, can_be_taken_back: false, ..decision(5, "unlinked", "Ann (s1) at M91") },
        decision(3, "told-apart", "Ann (s1) at M91"),
    ]
}

/// A practice in which two of four have no number.
pub(crate) fn quality() -> QualityReport {
    let rate = |finding: QualityFinding, count: u64, of: u64, local_ids: &[&str]| QualityRate {
        finding: finding.into(),
        count,
        of,
        local_ids: local_ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let rates = vec![
        rate(QualityFinding::NhsNumberMissing, 2, 4, &["17", "4417"]),
        rate(QualityFinding::NhsNumberMalformed, 0, 2, &[]),
        rate(QualityFinding::SexUnknown, 1, 40_000, &[]),
    ];
    QualityReport { source_id: "M91".into(), registrations: 40_000, at_ms: 1_774_000_000_000, rates }
}

/// The answer, sealed, as its parts are sent for `query_id`.
pub(crate) fn parts(query_id: &str) -> Vec<Part> {
    let opened = Opened {
        query_id: query_id.into(),
        enterprise_id: PERSON.into(),
        golden: Some(alice()),
        datasets: DATASETS.map(i32::from).to_vec(),
        sources_asked: 4,
        deadline_ms: 3000,
    };
    let sections = [allergies(), safeguarding(), medications(), documents()];
    let summary = "Severnside Ambulance did not answer. Items are withheld at Pleck Road Surgery.".into();
    let has_items = |dataset: Dataset| sections.iter().any(|section| section.dataset == dataset as i32);
    let heading = |dataset| Heading {
        dataset: i32::from(dataset),
        outcome: if has_items(dataset) { HeadingOutcome::Items } else { HeadingOutcome::NoAnswer }.into(),
        ..Heading::default()
    };
    let said = |value: &str, ids: &[&str]| Said {
        value: value.into(),
        source_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let said = vec![said("1951-03-03", &["DUD", "M91"]), said("1951-03-13", &["RBK"])];
    let discrepancies = vec![Discrepancy { field: "birth date".into(), said }];
    let ledger = Ledger { rows: rows(), summary, headings: DATASETS.map(heading).to_vec(), discrepancies };
    let seal = seal(query_id, &sections, &ledger);
    let mut parts = vec![Part::Opened(opened)];
    parts.extend(sections.map(Part::Section));
    parts.extend([Part::Ledger(ledger), Part::Seal(seal)]);
    parts
}

/// The answer as a client judges it, after `spoil` had its way with the parts.
pub(crate) fn answer(spoil: fn(&mut Vec<Part>)) -> Answer {
    let mut parts = parts(QUERY);
    spoil(&mut parts);
    judged(QUERY, parts)
}

/// What a client makes of these parts.
pub(crate) fn judged(query_id: &str, parts: Vec<Part>) -> Answer {
    let person = Commitments::new(&PersonKeys::of(&alice()), &SystemEntropy::default());
    let asked = Asked { query_id: query_id.into(), enterprise_id: PERSON.into(), datasets: DATASETS.into(), person };
    judge(asked, parts)
}

fn seal(query_id: &str, sections: &[Section], ledger: &Ledger) -> Seal {
    let mut digest = RecordDigest::default();
    for section in sections {
        digest.add_section(&section.encode_to_vec());
    }
    let sum = |of: fn(&LedgerRow) -> u32| ledger.rows.iter().map(|row| u64::from(of(row))).sum();
    Seal {
        query_id: query_id.into(),
        sections: u32::try_from(sections.len()).unwrap(),
        rows: u32::try_from(ledger.rows.len()).unwrap(),
        received: sum(|r| r.received),
        shown: sum(|r| r.shown),
        grouped: sum(|r| r.grouped),
        withheld: sum(|r| r.withheld),
        rejected: sum(|r| r.rejected),
        digest: digest.finish(&mut ledger.clone()).to_vec(),
        rules_version: "1".into(),
    }
}

fn said(source: &str, dataset: Dataset, detail: Detail, head: EntryHead) -> Contribution {
    let body = EntryBody { detail: Some(detail), ..EntryBody::default() };
    let head = EntryHead { dataset: dataset.into(), ..head };
    let entry = Entry { head: Some(head), body: body.encode_to_vec().into() };
    Contribution { source_id: source.into(), entry: Some(entry) }
}

fn head(id: &str, text: &str, status: EntryStatus, author: &str) -> EntryHead {
    EntryHead {
        entry_id: id.into(),
        text: text.into(),
        assertion: Assertion::Present.into(),
        status: status.into(),
        recorded: "2019-03-03".into(),
        provenance: Some(Provenance { author: author.into(), ..Provenance::default() }),
        ..EntryHead::default()
    }
}

fn item(id: &str, contributions: Vec<Contribution>, conflict: Option<(&str, &str)>) -> Item {
    let conflicts = conflict.into_iter().map(|(text, other)| Conflict {
        rule: "C1".into(),
        text: text.into(),
        other_item_ids: vec![other.into()],
    });
    Item { item_id: id.into(), contributions, conflicts: conflicts.collect(), ..Item::default() }
}

fn allergies() -> Section {
    let reaction = Reaction { manifestation: "anaphylaxis".into(), severity: "severe".into(), onset: "1999-07".into() };
    let high = AllergyDetail { criticality: "high".into(), reactions: vec![reaction.clone()], ..Default::default() };
    let unsaid = AllergyDetail { reactions: vec![reaction], ..Default::default() };
    let since = |head: EntryHead, date: &str| EntryHead { effective_start: date.into(), ..head };
    let (allergies, active) = (Dataset::Allergies, EntryStatus::Active);
    let conflict = "An allergy is recorded, and elsewhere that none is known.";
    let nothing = AllergyDetail::default();
    let none_known = EntryHead {
        assertion: Assertion::NoneKnown.into(),
        ..head("h1", "No known allergies", active, "Sister Okafor")
    };
    let penicillin = vec![
        said("M91", allergies, Detail::Allergy(high), since(head("g1", "Penicillin", active, "Dr Jones"), "1999-07")),
        said("DUD", allergies, Detail::Allergy(unsaid), since(head("c1", "Penicillin", active, ""), "2001")),
    ];
    let none = vec![said("RBK", allergies, Detail::Allergy(nothing.clone()), none_known)];
    let wrong = head("h2", "Aspirin", EntryStatus::EnteredInError, "Dr Shah");
    let retracted =
        Item { retracted: true, ..item("03", vec![said("RBK", allergies, Detail::Allergy(nothing), wrong)], None) };
    let items =
        vec![item("01", penicillin, Some((conflict, "02"))), item("02", none, Some((conflict, "01"))), retracted];
    Section { dataset: allergies.into(), items }
}

fn safeguarding() -> Section {
    let detail = SafeguardingDetail {
        plan_type: "adult section 42".into(),
        lead_phone: "01384 555 010".into(),
        review_date: "2026-05-01".into(),
        ..SafeguardingDetail::default()
    };
    let head = EntryHead {
        status_verbatim: "S42-OPEN".into(),
        labels: vec![SensitivityLabel::Safeguarding.into()],
        ..head("c2", "Financial abuse suspected\u{1b}[8m", EntryStatus::Unspecified, "K. Lee")
    };
    let said = said("DUD", Dataset::Safeguarding, Detail::Safeguarding(detail), head);
    Section { dataset: Dataset::Safeguarding.into(), items: vec![item("04", vec![said], None)] }
}

fn medications() -> Section {
    let detail = |dose: &str, times: &str| {
        Detail::Medication(MedicationDetail {
            dose_text: dose.into(),
            route: "oral".into(),
            frequency: times.into(),
            last_issued: "2026-02-14".into(),
            ..MedicationDetail::default()
        })
    };
    let conflict = "The same medicine in two doses.";
    let medicine = |id: &str, author: &str| head(id, "Metformin", EntryStatus::Active, author);
    let gp = said("M91", Dataset::Medications, detail("500 mg", "twice a day"), medicine("g2", "Dr Jones"));
    let ward = said("RBK", Dataset::Medications, detail("1 g", "twice a day"), medicine("h3", "Dr Shah"));
    let mut items = vec![item("05", vec![gp], Some((conflict, "06"))), item("06", vec![ward], Some((conflict, "05")))];
    items[0].possibly_same = vec!["06".into()];
    items[1].possibly_same = vec!["05".into()];
    Section { dataset: Dataset::Medications.into(), items }
}

fn documents() -> Section {
    let detail = DocumentDetail { media_type: "application/pdf".into(), size: 48_213, ..DocumentDetail::default() };
    let head = EntryHead { not_validated: true, ..head("h4", "Discharge letter", EntryStatus::Ended, "Dr Shah") };
    let said = said("RBK", Dataset::Documents, Detail::Document(detail), head);
    Section { dataset: Dataset::Documents.into(), items: vec![item("07", vec![said], None)] }
}

fn rows() -> Vec<LedgerRow> {
    use Dataset::{Alerts, Allergies, Documents, Medications, Safeguarding};
    use ReasonCode as Why;
    let of = 1_774_000_000_000;
    let plain = [0, 0, 0, 0];
    [
        ("DUD", Alerts, Outcome::AnsweredNone, None, plain),
        ("M91", Alerts, Outcome::AnsweredNone, None, plain),
        ("RBK", Alerts, Outcome::NotAsked, Some((Why::Role, 0)), plain),
        ("RYA", Alerts, Outcome::NoAnswer, Some((Why::Timeout, 0)), plain),
        ("DUD", Allergies, Outcome::Answered, None, [1, 0, 1, 0]),
        ("M91", Allergies, Outcome::Answered, None, [1, 1, 0, 0]),
        ("RBK", Allergies, Outcome::Answered, None, [2, 2, 0, 0]),
        ("RYA", Allergies, Outcome::NoAnswer, Some((Why::Timeout, 0)), plain),
        ("DUD", Safeguarding, Outcome::AnsweredPartial, Some((Why::Unreadable, 1)), [1, 1, 0, 0]),
        ("M91", Safeguarding, Outcome::AnsweredNone, None, plain),
        ("RBK", Safeguarding, Outcome::NotAsked, Some((Why::Role, 0)), plain),
        ("RYA", Safeguarding, Outcome::NoAnswer, Some((Why::Timeout, 0)), plain),
        ("DUD", Medications, Outcome::NotHeld, None, plain),
        ("M91", Medications, Outcome::Answered, None, [1, 1, 0, 0]),
        ("RBK", Medications, Outcome::Stale, Some((Why::AsOf, 0)), [1, 1, 0, 0]),
        ("RYA", Medications, Outcome::NoAnswer, Some((Why::Timeout, 0)), plain),
        ("DUD", Documents, Outcome::NotShared, Some((Why::Agreement, 0)), plain),
        ("M91", Documents, Outcome::Withheld, Some((Why::ByOwner, 0)), [3, 0, 0, 3]),
        ("RBK", Documents, Outcome::Answered, None, [1, 1, 0, 0]),
        ("RYA", Documents, Outcome::NoAnswer, Some((Why::Timeout, 0)), plain),
    ]
    .map(|(source, dataset, outcome, reason, [received, shown, grouped, withheld])| {
        let (name, kind) = match source {
            "DUD" => ("Dudley Council", "council"),
            "M91" => ("Pleck Road Surgery", "GP practice"),
            "RBK" => ("Walsall Manor Hospital", "hospital trust"),
            _ => ("Severnside Ambulance", "ambulance service"),
        };
        LedgerRow {
            source_id: source.into(),
            source_name: name.into(),
            source_kind: kind.into(),
            dataset: dataset.into(),
            outcome: outcome.into(),
            reasons: reason.into_iter().map(|(code, count)| Reason { code: code.into(), count }).collect(),
            received,
            shown,
            grouped,
            withheld,
            as_of_ms: if outcome == Outcome::NoAnswer { 0 } else { of },
            waited_ms: 42,
            ..LedgerRow::default()
        }
    })
    .into()
}
