//! The readable views, on a made-up answer.

use super::*;
use crate::made::{self, alice, answer};
use severn_client::{Found, is_deceptive};
use severn_proto::v1::{
    Candidate, Contribution, Dataset, Entry, EntryHead, EntryStatus, Field, HeadingOutcome, Item, Outcome, ReviewPair,
    ReviewQueueResponse, SourceState, retrieve_record_response::Part,
};

const GOLDEN: &str = "\
════════════════════════════════════════════════════════════════════════════════════════════════════
BRIGGS, Alice May · born 03-Mar-1951 · NHS 943 476 5919 · female
7 Canal Row, WS2 9XA
Severnside Ambulance did not answer. Items are withheld at Pleck Road Surgery.

── WHO THIS IS: the sources do not agree ───────────────────────────────────────────────────────────
birth date: 03-Mar-1951 (Dudley Council, Pleck Road Surgery); 13-Mar-1951 (Walsall Manor Hospital)

── CONFLICTS: the sources do not agree ─────────────────────────────────────────────────────────────
⚠ An allergy is recorded, and elsewhere that none is known.
  • Allergies: Penicillin (criticality high, reactions anaphylaxis, severity severe, onset Jul-1999,
    active, since Jul-1999) — Pleck Road Surgery (Dr Jones), recorded 03-Mar-2019; also Dudley
    Council, recorded 03-Mar-2019
  • Allergies: States: No known allergies (active) — Walsall Manor Hospital (Sister Okafor),
    recorded 03-Mar-2019
⚠ The same medicine in two doses.
  • Medicines: Metformin (dose 500 mg, route oral, frequency twice a day, active) — Pleck Road
    Surgery (Dr Jones), recorded 03-Mar-2019
  • Medicines: Metformin (dose 1 g, route oral, frequency twice a day, active) — Walsall Manor
    Hospital (Dr Shah), recorded 03-Mar-2019

── Allergies ───────────────────────────────────────────────────────────────────────────────────────
! Severnside Ambulance did not answer: not known what it holds here
⚠ Penicillin
    criticality: high · reactions: anaphylaxis, severity severe, onset Jul-1999 · active, since
    Jul-1999
    said by Pleck Road Surgery (Dr Jones), recorded 03-Mar-2019
    also said by Dudley Council, recorded 03-Mar-2019
        there: active, since 2001 · criticality not given
    CONFLICT: An allergy is recorded, and elsewhere that none is known. See “States: No known
    allergies” (Walsall Manor Hospital)
⚠ States: No known allergies
    active
    said by Walsall Manor Hospital (Sister Okafor), recorded 03-Mar-2019
    CONFLICT: An allergy is recorded, and elsewhere that none is known. See “Penicillin” (Pleck Road
    Surgery)
Corrections: withdrawn by whoever recorded them. Do not rely on these:
✗ RETRACTED: entered in error: Aspirin
    ENTERED IN ERROR
    said by Walsall Manor Hospital (Dr Shah), recorded 03-Mar-2019

── Safeguarding ────────────────────────────────────────────────────────────────────────────────────
! Dudley Council gave only a part here
! Severnside Ambulance did not answer: not known what it holds here
• Financial abuse suspected␛[8m
    plan type: adult section 42 · lead phone: 01384 555 010 · review date: 01-May-2026 · status not
    recognised: “S42-OPEN”
    Sensitive: safeguarding
    said by Dudley Council (K. Lee), recorded 03-Mar-2019
    ⚑ Characters in this text were replaced: they could hide or reorder what it says.

── Medicines ───────────────────────────────────────────────────────────────────────────────────────
! Walsall Manor Hospital gave old data here
! Severnside Ambulance did not answer: not known what it holds here
In force
⚠ Metformin
    dose: 500 mg · route: oral · frequency: twice a day · last issued: 14-Feb-2026 · active
    said by Pleck Road Surgery (Dr Jones), recorded 03-Mar-2019
    CONFLICT: The same medicine in two doses. See “Metformin” (Walsall Manor Hospital)
    possibly the same as “Metformin” (Walsall Manor Hospital)
⚠ Metformin
    dose: 1 g · route: oral · frequency: twice a day · last issued: 14-Feb-2026 · active
    said by Walsall Manor Hospital (Dr Shah), recorded 03-Mar-2019
    CONFLICT: The same medicine in two doses. See “Metformin” (Pleck Road Surgery)
    possibly the same as “Metformin” (Pleck Road Surgery)

── Documents ───────────────────────────────────────────────────────────────────────────────────────
! Not every source answered whole here: there may be more.
• Discharge letter
    media type: application/pdf · size: 48213 · ended
    Not checked by its source: read with care
    said by Walsall Manor Hospital (Dr Shah), recorded 03-Mar-2019
    to read it: severn document 0195b4c0-0000-7000-8000-0000000000aa RBK h4

── Headings without any item, and why ──────────────────────────────────────────────────────────────
Alerts: DID NOT ANSWER: Severnside Ambulance; not asked: Walsall Manor Hospital; nothing recorded:
        Dudley Council, Pleck Road Surgery

── What every source said ──────────────────────────────────────────────────────────────────────────
! Severnside Ambulance DID NOT ANSWER (took too long). Do not assume there is nothing. Missing from
  it: everything.
! Pleck Road Surgery: 3 items WITHHELD (by the owner's policy). There is more than you see.
  Headings: Documents.
! Dudley Council: ONLY A PART came (1 item could not be read). Headings: Safeguarding.
! Walsall Manor Hospital: OLD DATA, of 20-Mar-2026 09:46 (its data is of an earlier time). Newer
  changes are missing. Headings: Medicines.
Dudley Council (council), data of 20-Mar-2026 09:46
  answered: Allergies 1, Safeguarding 1 (a part)
  nothing recorded: Alerts
  not kept there: Medicines
  not shared, may exist there (the local agreement does not cover it): Documents
Pleck Road Surgery (GP practice), data of 20-Mar-2026 09:46
  answered: Allergies 1, Medicines 1
  withheld: Documents
  nothing recorded: Alerts, Safeguarding
Walsall Manor Hospital (hospital trust), data of 20-Mar-2026 09:46
  answered: Allergies 2, Medicines 1 (old), Documents 1
  not asked (your role may not see it): Alerts, Safeguarding
Severnside Ambulance (ambulance service)
  DID NOT ANSWER: everything that was asked
════════════════════════════════════════════════════════════════════════════════════════════════════
COMPLETE. 11 entries received = 7 shown + 1 grouped + 3 withheld + 0 rejected.
Sealed: query 0195b4c0-0000-7000-8000-000000000001, digest 0956aa807977cdde, merge rules 1.
";

#[test]
fn a_record_reads_as_it_should() {
    let shown = render_record(&answer(|_| ()), &Style::default());
    assert_eq!(shown, GOLDEN, "\n{shown}");
}

#[test]
fn a_heading_that_no_source_keeps_takes_no_room_from_those_that_are_not_known() {
    let mut parts = made::parts("q");
    for part in &mut parts {
        let Part::Ledger(ledger) = part else { continue };
        let of_alerts = |dataset: i32| dataset == Dataset::Alerts as i32;
        for row in ledger.rows.iter_mut().filter(|row| of_alerts(row.dataset)) {
            (row.outcome, row.reasons) = (Outcome::NotHeld.into(), vec![]);
        }
        for heading in ledger.headings.iter_mut().filter(|heading| of_alerts(heading.dataset)) {
            heading.outcome = HeadingOutcome::NotHeld.into();
        }
    }
    let shown = render_record(&made::judged("q", parts), &Style::default());
    assert!(shown.contains("and why ──") && shown.contains("\nKept by no source: Alerts\n"), "{shown}");
}

#[test]
fn what_tells_two_items_apart_is_shown_though_no_detail_has_it() {
    let mut parts = made::parts("q");
    for part in &mut parts {
        let Part::Section(section) = part else { continue };
        for item in section.items.iter_mut().filter(|_| section.dataset == Dataset::Medications as i32) {
            let head = item.contributions[0].entry.as_mut().unwrap().head.as_mut().unwrap();
            let field = |name: &str, value: &str| Field { name: name.into(), value: value.into() };
            head.distinguishing =
                vec![field("route", "Oral"), field("course_length", "7 days"), field("sha256", "00ff")];
        }
    }
    let shown = render_record(&made::judged("q", parts), &Style::default());
    let line =
        "dose: 1 g · route: oral · frequency: twice a day · last issued: 14-Feb-2026 · course length: 7\n    days";
    assert!(shown.contains(line) && !shown.contains("00ff"), "{shown}");
}

#[test]
fn a_copy_of_what_was_withdrawn_never_reads_as_in_force() {
    let mut parts = made::parts("q");
    for part in &mut parts {
        let Part::Section(section) = part else { continue };
        for item in section.items.iter_mut().filter(|item| item.retracted) {
            let head = item.contributions[0].entry.as_mut().unwrap().head.as_mut().unwrap();
            head.status = EntryStatus::Active.into();
            item.contributions.push(item.contributions[0].clone());
            let copy = item.contributions[1].entry.as_mut().unwrap().head.as_mut().unwrap();
            copy.effective_start = "1999".into();
        }
    }
    let shown = render_record(&made::judged("q", parts), &Style::default());
    let (_, item) = shown.split_once("✗ RETRACTED: entered in error: Aspirin\n").expect("it is listed");
    assert!(item.starts_with("    WITHDRAWN, though this copy still says “active”\n"), "{shown}");
    assert!(item.contains("        a copy that still says: active, since 1999\n"), "{shown}");
    let corrections = shown.find("Corrections: withdrawn").expect("it is called what it is");
    assert!(shown.find("States: No known allergies\n") < Some(corrections), "after all that stands:\n{shown}");
}

#[test]
fn medicines_in_force_given_and_past_stand_apart() {
    let entry = |status: EntryStatus, intent: &str| {
        let field = Field { name: "Intent".into(), value: intent.into() };
        let head = EntryHead { status: status.into(), distinguishing: vec![field], ..EntryHead::default() };
        Contribution { entry: Some(Entry { head: Some(head), ..Entry::default() }), ..Contribution::default() }
    };
    let stage = |contributions| medicines::stage(&Item { contributions, ..Item::default() });
    for (status, expected) in [
        (EntryStatus::Active, "In force"),
        (EntryStatus::Planned, "To come, on hold or unclear"),
        (EntryStatus::Unspecified, "To come, on hold or unclear"),
        (EntryStatus::Ended, "Past"),
        (EntryStatus::Cancelled, "Past"),
    ] {
        assert_eq!(stage(vec![entry(status, "order")]), expected);
        assert_eq!(stage(vec![entry(status, "given")]), "Given");
        assert_eq!(stage(vec![entry(status, ""), entry(EntryStatus::Active, "plan")]), "In force");
    }
}

#[test]
fn an_answer_without_a_seal_says_so_first_and_last() {
    let shown = render_record(&answer(|parts| drop(parts.pop())), &Style::default());
    let said: Vec<_> = shown.lines().filter(|line| line.starts_with("INCOMPLETE: ")).collect();
    assert_eq!(said, ["INCOMPLETE: this is not the whole answer: it ended before its seal: parts are missing."; 2]);
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[1].starts_with("INCOMPLETE") && lines[lines.len() - 2].starts_with("INCOMPLETE"), "{shown}");
    assert!(!shown.contains("COMPLETE. ") && !shown.contains("Sealed"), "{shown}");
}

#[test]
fn what_came_of_a_broken_answer_is_shown_with_what_is_not_known() {
    let shown = render_record(&answer(|parts| parts.truncate(2)), &Style::default());
    assert!(shown.contains("⚠ Penicillin\n"), "{shown}");
    assert!(shown.contains("an item that is not in this answer") || shown.contains("No known allergies"));
    assert!(shown.contains("Medicines: nothing arrived; not known"), "{shown}");
    assert!(shown.contains("it is not known who answered and who did not"), "{shown}");
}

#[test]
fn another_persons_answer_shows_nobody() {
    let shown = render_record(
        &answer(|parts| {
            let Part::Opened(opened) = &mut parts[0] else { panic!("not opened") };
            opened.golden.as_mut().unwrap().nhs_number = "9990000018".into();
        }),
        &Style::default(),
    );
    assert!(shown.contains("INCOMPLETE") && shown.contains("another person"), "{shown}");
    for secret in ["BRIGGS", "Penicillin", "999"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn text_from_sources_cannot_drive_the_terminal_or_hide() {
    let hostile = "a\u{1b}[2J\u{202e}b\rc\nCOMPLETE. 0 entries";
    let poison = |head: &mut EntryHead| {
        let provenance = head.provenance.as_mut().unwrap();
        for text in [&mut head.text, &mut head.status_verbatim, &mut head.recorded, &mut provenance.author] {
            hostile.clone_into(text);
        }
    };
    let mut parts = crate::made::parts("q");
    for part in &mut parts {
        let Part::Section(section) = part else { continue };
        let contributions = section.items.iter_mut().flat_map(|item| &mut item.contributions);
        contributions.for_each(|c| poison(c.entry.as_mut().unwrap().head.as_mut().unwrap()));
    }
    let shown = render_record(&crate::made::judged("q", parts), &Style::default());
    assert!(!shown.contains(is_deceptive), "{shown}");
    assert!(shown.contains("␛[2J⟨U+202E⟩b␍c"), "{shown}");
    assert!(!shown.lines().any(|line| line.starts_with("COMPLETE")), "a source faked a line:\n{shown}");
    let items = shown.lines().filter(|line| ["• ", "⚠ ", "✗ "].iter().any(|mark| line.starts_with(mark))).count();
    let conflicts = 2;
    let told = shown.matches("⚑ Characters in this text were replaced").count();
    assert_eq!(told, items - conflicts + 1, "each item says so, and the conflicts above them once:\n{shown}");
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let coloured = Style { colour: Colour::Always, ..Style::default() };
    assert!(!render_record(&answer(|_| ()), &Style::default()).contains('\u{1b}'));
    assert!(render_record(&answer(|_| ()), &coloured).contains("\u{1b}[1;31mSevernside Ambulance did not answer."));
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in [60, 100] {
        let shown = render_record(&answer(|_| ()), &Style { width, ..Style::default() });
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?}\n{shown}");
    }
}

#[test]
fn possible_persons_are_listed_and_none_is_chosen() {
    let candidate = |id: &str| Candidate {
        enterprise_id: id.into(),
        golden: Some(alice()),
        score: 0.5,
        why: vec!["same family name and birth date".into()],
        sources: 2,
    };
    let shown = render_candidates(&Found::Possible(vec![candidate("e1"), candidate("e2")]), &Style::default());
    let one = "• BRIGGS, Alice May · born 03-Mar-1951 · NHS 943 476 5919 · female
    WS2 9XA, known to 2 sources, likelihood 0.50
    - same family name and birth date
    enterprise id ";
    assert!(shown.contains("None was chosen"), "{shown}");
    assert!(shown.contains(&format!("{one}e1\n{one}e2\n")), "{shown}");
    assert!(render_candidates(&Found::Nobody, &Style::default()).contains("does not mean that no source knows"));
}

#[test]
fn sources_are_listed_with_how_they_are_doing() {
    let up = SourceState {
        source_id: "M91".into(),
        name: "Pleck Road Surgery".into(),
        kind: "GP practice".into(),
        reachable: true,
        feed_heard_at_ms: 1_774_000_000_000,
        registrations: 812,
        datasets: vec![Dataset::Allergies.into(), Dataset::Medications.into()],
        last_outcome: Outcome::Answered.into(),
        last_called_at_ms: 1_774_000_000_000,
        ..SourceState::default()
    };
    let down = SourceState { source_id: "RYA".into(), name: "Severnside Ambulance".into(), ..SourceState::default() };
    let expected = "\
M91 Pleck Road Surgery (GP practice): reachable
    feed last heard: 20-Mar-2026 09:46; 812 registrations
    last call: answered, 20-Mar-2026 09:46
    datasets: Allergies, Medicines
RYA Severnside Ambulance (kind not known): NOT REACHABLE
    feed last heard: NEVER; 0 registrations
    last call: not called yet
    datasets: not known
1 of 2 sources reachable
";
    assert_eq!(render_sources(&[up, down], &Style::default()), expected);
}

#[test]
fn a_pair_to_decide_stands_side_by_side_with_what_speaks_for_and_against() {
    let expected = "\
── 1 of 1 ──────────────────────────────────────────────────────────────────────
? possibly one person
  By score alone 97.31% likely one person (+5.2 bits, model uk-1).

                 M91 4417                         RBK H-00093
  name ≠         BRIGGS, Alice May                OKONKWO-BRIGGS, Ali
  other names    –                                BRIGGS, Ali
  born ≠         03-Mar-1951                      30-Mar-1951
  NHS number     943 476 5919                     –
  sex            female                           female
  address        7 Canal Row, WS2 9XA             7 Canal Row, WS2 9XA
  phone ≠        01922 555 044                    01922 555 010

  compared                                    bits      against  for one
  given name     one begins like the other    -1.2            █
  family name    part of a double name        +4.3               ███
  birth date     one digit differs            +4.9               ███
  sex            both female                  +1.0               █
  address        the same house and          +15.6               ███████████
                 street, postcode missing
                 or nearly the same
  phone          different                    -9.0       ██████

1 pair to decide
One person: severn link SOURCE ID SOURCE ID --reason …
Two people: severn different SOURCE ID SOURCE ID --reason …
Not now: severn later SOURCE ID SOURCE ID --days … --reason …
Waiting in all: number overlaid 1, possible duplicate 1
";
    let shown = render_review(&made::queue(vec![made::pair()]), &Style::default());
    assert_eq!(shown, expected, "\n{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let none = "No pair waits to be decided.\n";
    assert_eq!(render_review(&ReviewQueueResponse::default(), &Style::default()), none);
}

#[test]
fn a_pair_is_never_said_to_be_certain_and_its_bars_stay_in_proportion() {
    let sure = ReviewPair { probability: 1.0, bits: 140.2, reasons: vec![], ..made::pair() };
    let shown = render_review(&made::queue(vec![sure]), &Style::default());
    assert!(shown.contains("more than 99.99% likely") && shown.contains("Nothing of the two could be"), "{shown}");
    let mut pair = made::pair();
    pair.a = None;
    pair.reasons.iter_mut().zip([0.0, 0.1, 50.0, -25.0, f64::NAN, 0.0]).for_each(|(r, bits)| r.weight_bits = bits);
    let shown = render_review(&made::queue(vec![pair]), &Style::default());
    let blocks: Vec<usize> = shown.lines().map(|line| line.matches('█').count()).filter(|count| *count > 0).collect();
    assert_eq!(blocks, [1, 11, 6, 1], "{shown}");
}

#[test]
fn who_a_person_was_is_shown_with_since_when_and_why() {
    use severn_proto::v1::{Demographics, HistoryResponse, LocalId, PersonThen, Registration, RegistrationThen};
    let registration = Registration {
        source_id: "RRK".into(),
        local_id: Some(LocalId { value: "4711".into(), ..LocalId::default() }),
        ..Registration::default()
    };
    let registration = RegistrationThen {
        registration: Some(registration),
        since_ms: 1_772_500_000_000,
        why: "Dr B: seen both passports".into(),
    };
    let then = PersonThen {
        enterprise_id: "0197".into(),
        golden: Some(Demographics { birth_date: "1951-02-03".into(), ..Demographics::default() }),
        registrations: vec![registration],
    };
    let history = HistoryResponse { events: vec![], then: Some(then) };
    let shown = render_history(&history, Some(1_772_582_399_999), &Style::default());
    for line in [
        "At 03-Mar-2026 23:59 this was person 0197:",
        "born 03-Feb-1951",
        "RRK 4711, since 03-Mar-2026 01:06: Dr B: seen both passports",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let nobody = HistoryResponse { then: None, ..history };
    assert!(render_history(&nobody, Some(1), &Style::default()).contains("no source knew a person of this id"));
    assert!(!render_history(&nobody, None, &Style::default()).contains("At "), "nothing was asked of the past");
}
