//! Medicines by product and substance, allergies by agent, and the tables that say so.

use super::*;
use crate::merge::Rules;

/// A medicine in force with a dose in words, as practices give it.
fn taken(id: &str, text: &str) -> Make {
    entry(Dataset::Medications, id).text(text).field("dose", "one in the morning")
}

fn coded(id: &str, code: &str) -> Make {
    taken(id, &format!("As on screen {code}")).code("https://dmd.nhs.uk", code)
}

fn substance(code: &str) -> Make {
    entry(Dataset::Allergies, code).snomed(code).text(&format!("As on screen {code}"))
}

fn said(text: &str) -> Make {
    entry(Dataset::Allergies, text).text(text)
}

/// Whether both items name each other as possibly the same, and nothing else.
fn possibly(merged: &Opened) -> bool {
    items(merged).len() == 2 && items(merged).iter().all(|i| i.possibly_same.len() == 1 && i.conflicts.is_empty())
}

#[test]
fn medicine_2_one_product_whatever_its_code_brand_or_words() {
    for (one, other) in [
        (coded("a", "317972000"), coded("b", "42294811000001108")),
        (coded("a", "183311000001101"), coded("b", "322225002")),
        (coded("a", "317972000"), taken("b", "Furosemide 40mg tablets")),
        (taken("a", "FUROSEMIDE TABS 40 MG"), taken("b", "Furosemide 40 mg oral tablet")),
        (taken("a", "Digoxin 125 mcg tablets"), taken("b", "Digoxin 0.125mg tablets")),
        (taken("a", "Lipitor 20mg tablets"), coded("b", "320030001")),
        (taken("a", "Unheardof 5 mg capsules"), taken("b", "unheardof caps 5mg")),
    ] {
        assert_eq!(grouping(&pair(Dataset::Medications, one, other)), (1, "MEDICINE-1"));
    }
    let form = |id: &str, form: &str| coded(id, "317972000").field("form", form);
    assert_eq!(grouping(&pair(Dataset::Medications, form("a", "Tablet"), form("b", "tablets"))).0, 1);
    // A code that is degraded in transfer names nothing: the words do.
    let degraded = taken("a", "Furosemide 40mg tablets").snomed("196421000000109");
    assert_eq!(grouping(&pair(Dataset::Medications, degraded, coded("b", "317972000"))).0, 1);
}

#[test]
fn medicine_2_of_one_substance_items_find_each_other() {
    for (one, other) in [
        // Tablets, and tablets that dissolve.
        (coded("a", "319775004"), coded("b", "319773006")),
        // The substance alone, or a brand of which the table gives no strength.
        (coded("a", "777067000"), coded("b", "322280009")),
        (taken("a", "Paracetamol"), coded("b", "322280009")),
        (taken("a", "Qvar 50 Autohaler"), coded("b", "320537007")),
        // A code that is not listed stands for itself, whatever its words.
        (taken("a", "Furosemide 40mg tablets").snomed("900000001"), coded("b", "317972000")),
        // In brackets stands a maker, or something else.
        (taken("a", "Metformin 500mg tablets (Any Maker (UK) Ltd)").snomed("900000001"), coded("b", "325278007")),
        (taken("a", "Metformin 500mg tablets (as needed)"), taken("b", "Metformin 500mg tablets")),
        // A known number and form, and more: not understood, and so not the same.
        (coded("a", "38897011000001107"), coded("b", "11933011000001106")),
        // Equal in all but the salt.
        (coded("a", "324179001"), taken("b", "Erythromycin 500mg tablets")),
    ] {
        let merged = pair(Dataset::Medications, one, other);
        assert!(possibly(&merged), "{:?}", items(&merged));
    }
    for (one, other) in [
        (taken("a", "Furosemide 40mg tablets"), taken("b", "Torasemide 40mg tablets")),
        (taken("a", "Furosemide"), taken("b", "Furosemide with amiloride")),
    ] {
        let merged = pair(Dataset::Medications, one, other);
        assert!(items(&merged).len() == 2 && items(&merged).iter().all(|item| item.possibly_same.is_empty()));
    }
}

#[test]
fn medicine_2_the_table_can_be_replaced_and_is_in_the_version() {
    let built_in = Rules::built_in();
    let (rules, digest) = built_in.version().split_once('+').unwrap();
    assert_eq!((rules, digest.len()), (RULES_VERSION, 8));
    let the_same =
        Rules::with_medicines(include_str!("../../data/medicines.csv")).map(|rules| rules.version().to_owned());
    assert_eq!(the_same.as_deref(), Ok(built_in.version()));
    let row = "317972000,VMP,furosemide,40mg,tablets,Furosemide 40mg tablets\n";
    let other = Rules::with_medicines(&format!("# Ours.\n{row}")).unwrap();
    assert_ne!(other.version(), built_in.version());
    let sealed = record(Dataset::Medications, vec![vec![coded("a", "317972000").done()]]);
    assert_eq!(sealed.seal.rules_version, built_in.version());
    for (bad, said) in [
        ("", "line 1: the table has no rows"),
        ("# Ours.\n317972000,VMP,furosemide\n", "line 2: write six cells"),
        ("31797,VMP,furosemide,40mg,tablets,Furosemide 40mg tablets", "code: write a dm+d identifier"),
        ("317972000,VPM,furosemide,40mg,tablets,Furosemide 40mg tablets", "level: write VTM, VMP or AMP"),
        ("317972000,VMP,,40mg,tablets,Furosemide 40mg tablets", "substance, words: write both"),
        ("317972000,VTM,furosemide,40mg,,Furosemide", "leave both empty for a VTM"),
        ("317972000,VMP,furosemide,forty,tablets,Furosemide 40mg tablets", "strength: write it as 40mg"),
        ("317972000,VMP,furosemide,40mg,tabloids,Furosemide 40mg tablets", "form: write it as in dm+d"),
        ("317972000,VMP,furosemide,20mg,tablets,Furosemide 40mg tablets", "strength: the words give another"),
        (&format!("{row}{row}"), "line 2: code: stands in a row above"),
        (&format!("{row}317971007,VMP,torasemide,20mg,tablets,Furosemide 20mg tablets"), "to another substance"),
    ] {
        let error = Rules::with_medicines(bad).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(said), "{bad}: {error}");
    }
}

#[test]
fn medicine_3_ordered_planned_taken_and_given_are_apart() {
    let order = |id: &str| medicine(id).period("2024-01-03", "").field("intent", "order");
    let other = |intent: &str| medicine("b").period("2024-01-03", "").field("intent", intent);
    assert_eq!(grouping(&pair(Dataset::Medications, order("a"), other("Order"))), (1, "MEDICINE-1"));
    for intent in ["plan", "statement", ""] {
        assert!(possibly(&pair(Dataset::Medications, order("a"), other(intent))), "{intent}");
    }
    let given = |id: &str, at: &str| {
        medicine(id).period(at, "").field("intent", "given").status(EntryStatus::Ended).field("place", "ward")
    };
    let at_8 = "2024-01-03T08:00:00Z";
    assert_eq!(grouping(&pair(Dataset::Medications, given("a", at_8), given("b", "2024-01-03T08:00:00Z"))).0, 1);
    for at in ["2024-01-03T12:00:00Z", "2024-01-03"] {
        assert!(possibly(&pair(Dataset::Medications, given("a", at_8), given("b", at))), "{at}");
    }
    assert_eq!(grouping(&pair(Dataset::Medications, given("a", "2024-01-03"), given("b", "2024-01-03"))).0, 2);
    // Neither a dose that is over nor one that was withheld says anything against the order, and none is another day's.
    for other in [given("b", at_8), given("b", at_8).assertion(Assertion::Refuted), given("b", "2024-01-04T08:00:00Z")]
    {
        let merged = pair(Dataset::Medications, order("a"), other);
        assert!(items(&merged).iter().all(|item| item.possibly_same.is_empty() && item.conflicts.is_empty()));
    }
    // A copy under another code of the product is no other version; one of another product is.
    for (code, expected) in [("42294811000001108", BTreeSet::new()), ("317971007", ["CONFLICT-5"].into())] {
        let merged = pair(Dataset::Medications, coded("a", "317972000").origin("7"), coded("b", code).origin("7"));
        assert_eq!((grouping(&merged), rules(&merged)), ((1, "ORIGIN-1"), expected));
    }
    // One regimen, told as a plan and as its order: the origin says so, and that is no difference.
    let merged = pair(Dataset::Medications, order("a").origin("7"), other("plan").origin("7"));
    assert_eq!((grouping(&merged), rules(&merged)), ((1, "ORIGIN-1"), BTreeSet::new()));
}

#[test]
fn conflict_9_one_medicine_in_two_strengths() {
    let (twenty, forty) = ("317971007", "317972000");
    let dosed = |id: &str, code: &str, dose: &str| {
        entry(Dataset::Medications, id).code("https://dmd.nhs.uk", code).text("Furosemide").field("dose", dose)
    };
    for (one, other, expected) in [
        (coded("a", twenty), coded("b", forty), ["CONFLICT-9"].into()),
        (taken("a", "Furosemide 20mg tablets"), coded("b", forty), ["CONFLICT-9"].into()),
        (dosed("a", twenty, "40 mg"), coded("b", forty), ["CONFLICT-9"].into()),
        (dosed("a", twenty, "2 tablets"), dosed("b", forty, "40 mg"), ["CONFLICT-9"].into()),
        // Two of 20 mg are one of 40 mg, and 0.04 g is 40 mg.
        (dosed("a", forty, "40 mg"), dosed("b", forty, "0.04 g"), BTreeSet::new()),
        (dosed("a", twenty, "40 mg"), dosed("b", forty, "40 mg"), BTreeSet::new()),
        (dosed("a", twenty, "20 mg"), dosed("b", forty, "40 mg"), ["CONFLICT-3"].into()),
        (coded("a", twenty), coded("b", forty).status(EntryStatus::Ended), ["CONFLICT-4"].into()),
        (coded("a", twenty), coded("b", forty).status(EntryStatus::Cancelled), BTreeSet::new()),
        // Another form is another thing to take.
        (coded("a", "319775004"), coded("b", "322225002"), BTreeSet::new()),
        (taken("a", "Furosemide 20mg tablets"), taken("b", "Furosemide 40mg"), BTreeSet::new()),
    ] {
        let merged = pair(Dataset::Medications, one, other);
        assert_eq!(rules(&merged), expected, "{:?}", items(&merged));
        assert_eq!(items(&merged).len(), 2);
    }
    let many = record(
        Dataset::Medications,
        (0..3)
            .map(|source| (0..4).map(|n| coded(&format!("{source}{n}"), [twenty, forty][n % 2]).done()).collect())
            .collect(),
    );
    assert!(items(&many).iter().all(|item| item.conflicts.iter().all(|c| c.rule == "CONFLICT-9")));
}

#[test]
fn order_3_in_force_to_come_given_past() {
    let one = |id: &str, status: EntryStatus, start: &str| {
        medicine(id).text(id).with(|head| head.codings.clear()).status(status).period(start, "")
    };
    let merged = record(
        Dataset::Medications,
        vec![vec![
            one("past", EntryStatus::Ended, "2024-05-01").done(),
            one("given", EntryStatus::Ended, "2024-06-01T08:00:00Z").field("intent", "given").done(),
            one("planned", EntryStatus::Planned, "2024-04-01").done(),
            one("unclear", EntryStatus::Unspecified, "2024-03-01").done(),
            one("in error", EntryStatus::EnteredInError, "2024-07-01").done(),
            one("taken", EntryStatus::Active, "2020-01-01").done(),
            one("cancelled", EntryStatus::Cancelled, "2024-01-01").done(),
        ]],
    );
    let order: Vec<&str> = items(&merged)
        .iter()
        .map(|item| item.contributions[0].entry.as_ref().unwrap().head.as_ref().unwrap().entry_id.as_str())
        .collect();
    assert_eq!(order, ["taken", "planned", "unclear", "given", "past", "cancelled", "in error"]);
}

#[test]
fn allergy_2_one_agent_whatever_code_or_words() {
    let words = [
        "Penicillin",
        "Penicillin allergy",
        "Allergy to PENICILLIN",
        "Adverse reaction to penicillins",
        "H/O: penicillin allergy",
        "[V]Personal history of penicillin allergy",
    ];
    for code in ["91936005", "764146007", "292954005"] {
        assert_eq!(
            grouping(&pair(
                Dataset::Allergies,
                substance("91936005"),
                substance(code).with(|h| h.entry_id = "b".into())
            )),
            (1, "ALLERGY-1")
        );
        for text in words {
            assert_eq!(grouping(&pair(Dataset::Allergies, substance(code), said(text))), (1, "ALLERGY-1"), "{text}");
        }
    }
    assert_eq!(grouping(&pair(Dataset::Allergies, said("Madeup allergy"), said("H/O: madeup allergy"))).0, 1);
    for (one, other) in [
        (substance("91936005"), substance("372687004")),
        (said("Penicillin allergy"), said("Adverse reaction to amoxycillin")),
        // A code that is not listed names itself.
        (said("Penicillin allergy"), said("Penicillin allergy ").snomed("900000001")),
        (substance("91936005").status(EntryStatus::Unspecified), said("Penicillin")),
    ] {
        let merged = pair(Dataset::Allergies, one, other);
        assert!(possibly(&merged), "{:?}", items(&merged));
    }
    for text in ["Family history of penicillin allergy", "Amoxicillin", "No penicillin allergy", "Allergy"] {
        let other = if text == "Amoxicillin" { "292971006" } else { "91936005" };
        let merged = pair(Dataset::Allergies, substance(other), said(text));
        assert!(items(&merged).len() == 2 && items(&merged).iter().all(|item| item.possibly_same.is_empty()), "{text}");
    }
    // De-labelled under another code than the one that still stands.
    let ended = pair(Dataset::Allergies, substance("91936005"), said("Penicillin").status(EntryStatus::Ended));
    assert_eq!(rules(&ended), ["CONFLICT-4"].into());
    let refuted =
        pair(Dataset::Allergies, substance("764146007"), said("H/O: penicillin allergy").assertion(Assertion::Refuted));
    assert_eq!(rules(&refuted), ["CONFLICT-2"].into());
    // What is ruled out of a class says nothing of the class.
    let member = pair(Dataset::Allergies, substance("91936005"), substance("372687004").assertion(Assertion::Refuted));
    assert!(rules(&member).is_empty());
}

#[test]
fn possible_2_stays_that_overlap() {
    let stay = |id: &str, start: &str, end: &str| {
        entry(Dataset::Encounters, id).text("Ward admission").status(EntryStatus::Ended).period(start, end).with(
            |head| {
                head.provenance.get_or_insert_default().organisation_ods = "RRK".into();
            },
        )
    };
    let whole = || stay("a", "2024-01-03", "2024-01-09");
    for (other, overlaps) in [
        (stay("b", "2024-01-04T10:00:00Z", "2024-01-09"), true),
        (stay("b", "2024-01-09", "2024-01-12"), true),
        (stay("b", "2024-01-05", ""), true),
        (stay("b", "2023-12-01", "").status(EntryStatus::Active), true),
        (stay("b", "2024-01-10", "2024-01-12"), false),
        (stay("b", "2024-01", "2024-01-12"), false),
        (stay("b", "2024-01-04", "").text("Attendance"), false),
        (stay("b", "2024-01-04", "").assertion(Assertion::Refuted), false),
        (stay("b", "2024-01-04", "").status(EntryStatus::EnteredInError), false),
        (
            stay("b", "2024-01-04", "")
                .with(|head| head.provenance.get_or_insert_default().organisation_ods = "RJ1".into()),
            false,
        ),
    ] {
        let merged = pair(Dataset::Encounters, whole(), other);
        assert_eq!(possibly(&merged), overlaps, "{:?}", items(&merged));
    }
    assert_eq!(grouping(&pair(Dataset::Encounters, whole(), stay("b", "2024-01-03", "2024-01-09"))), (1, "EVENT-1"));
    let many = (0..100).map(|n| stay(&n.to_string(), &format!("2024-01-{:02}", 1 + n % 28), "2024-03-01").done());
    let many: Vec<Entry> = many.collect();
    let told_apart = record(Dataset::Encounters, vec![many.clone()]);
    assert!(items(&told_apart).iter().all(|item| item.possibly_same.is_empty()), "by whoever recorded them");
    let merged = record(Dataset::Encounters, vec![many[..50].to_vec(), many[50..].to_vec()]);
    assert!(
        items(&merged).iter().all(|item| item.possibly_same.len() <= RELATED_MAX && !item.possibly_same.is_empty())
    );
}

#[test]
fn every_heading_of_the_standard_has_a_dataset_and_every_dataset_a_heading() {
    let written = include_str!("../../RULES.md");
    let (_, table) = written.split_once("## Where each heading stands").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")).skip(1);
    let (beside, standard): (Vec<_>, Vec<_>) = rows.partition(|(heading, _)| heading.starts_with("beside these"));
    assert_eq!((standard.len(), beside.len()), (38, 2));
    let words: BTreeSet<String> = severn_trust::ALL_DATASETS.into_iter().map(severn_trust::dataset_word).collect();
    let named: BTreeSet<String> =
        standard.iter().chain(&beside).flat_map(|(_, datasets)| datasets.split(", ")).map(str::to_owned).collect();
    assert_eq!(named, words);
}

#[test]
fn conflict_4_one_source_that_changes_a_strength_contradicts_nobody() {
    let (twenty, forty) = ("317971007", "317972000");
    let ended = |id: &str, code: &str| coded(id, code).status(EntryStatus::Ended).done();
    let current = || coded("a", twenty).done();
    for (entries, conflict) in [
        (vec![vec![current(), ended("b", forty)]], false),
        (vec![vec![current(), ended("b", twenty)]], true),
        (vec![vec![current()], vec![ended("b", forty)]], true),
        (vec![vec![current(), ended("b", forty)], vec![ended("c", forty)]], true),
    ] {
        let merged = record(Dataset::Medications, entries);
        assert_eq!(rules(&merged).contains("CONFLICT-4"), conflict, "{:?}", items(&merged));
    }
}
