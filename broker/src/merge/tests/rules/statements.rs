//! What makes one statement, dataset by dataset: each rule in each of its datasets, both ways.

use super::*;
use prost::Message as _;
use severn_proto::v1::{
    Address, Demographics, DemographicsDetail, EntryBody, HumanName, Said, Sex, entry_body::Detail,
};
use severn_trust::ALL_DATASETS;

const DAY: &str = "2024-01-03";

/// An entry of A&E's own, of one day.
fn dated(dataset: Dataset, id: &str) -> Make {
    entry(dataset, id).snomed("1").text("Words").period(DAY, "").with(|head| {
        head.provenance.get_or_insert_default().organisation_ods = "RJ1".into();
    })
}

/// In each of the datasets two such entries are one item, and two that differ in any of the ways are two.
fn check(datasets: &[Dataset], rule: &str, same: impl Fn(Make) -> Make, others: &[fn(Make) -> Make]) {
    for dataset in datasets {
        let make = |id| same(dated(*dataset, id));
        assert_eq!(grouping(&pair(*dataset, make("a"), make("b"))), (1, rule), "{dataset:?}");
        let ever: [fn(Make) -> Make; 4] = [
            |make| make.assertion(Assertion::Refuted),
            |make| make.status(EntryStatus::Ended),
            |make| make.field("site", "left"),
            |make| make.status(EntryStatus::Unspecified).with(|head| head.status_verbatim = "odd".into()),
        ];
        for (at, other) in ever.iter().chain(others).enumerate() {
            let merged = pair(*dataset, make("a"), other(make("b")));
            assert_eq!(grouping(&merged).0, 2, "{dataset:?}, way {at}: {:?}", items(&merged));
        }
    }
}

fn unchanged(make: Make) -> Make {
    make
}

fn without_code(make: Make) -> Make {
    make.with(|head| head.codings.clear())
}

fn reworded(make: Make) -> Make {
    make.text("Other words")
}

fn of_another_day(make: Make) -> Make {
    make.period("2024-01-04", "")
}

fn undated(make: Make) -> Make {
    make.period("", "")
}

fn of_a_year(make: Make) -> Make {
    make.period("2024", "")
}

fn ended(make: Make) -> Make {
    make.period(DAY, "2024-02-01")
}

fn of_another_organisation(make: Make) -> Make {
    make.with(|head| head.provenance.get_or_insert_default().organisation_ods = "RRK".into())
}

/// Two that both lack something which the rule needs are never grouped by what they say.
fn never(dataset: Dataset, less: fn(Make) -> Make) {
    let both = pair(dataset, less(dated(dataset, "a")), less(dated(dataset, "b")));
    assert_eq!(grouping(&both).0, 2, "{dataset:?}");
}

#[test]
fn safety_1_code_words_and_period() {
    let datasets = [Dataset::Risks, Dataset::Safeguarding, Dataset::LegalStatus, Dataset::EndOfLife];
    check(&datasets, "SAFETY-1", unchanged, &[without_code, reworded, of_another_day, undated, ended]);
    datasets.into_iter().for_each(|dataset| never(dataset, undated));
}

#[test]
fn plan_1_plans_of_different_days_are_different_plans() {
    let datasets = [Dataset::CrisisPlans, Dataset::CarePlans, Dataset::Goals];
    check(&datasets, "PLAN-1", unchanged, &[without_code, reworded, of_another_day, undated, ended]);
    datasets.into_iter().for_each(|dataset| never(dataset, undated));
}

#[test]
fn procedure_1_code_and_day() {
    let datasets = [Dataset::Procedures, Dataset::Immunisations];
    check(&datasets, "PROCEDURE-1", reworded, &[without_code, of_another_day, undated, ended]);
    for dataset in datasets {
        never(dataset, undated);
        never(dataset, of_a_year);
    }
}

#[test]
fn result_1_code_moment_value_and_unit() {
    let datasets = [Dataset::Investigations, Dataset::Observations];
    let measured = |make: Make| make.field("value", "4.1").field("unit", "mmol/L").period("2024-01-03T10:15:00Z", "");
    let value = |make: Make, value: &str| {
        let value = value.to_owned();
        make.with(|head| head.distinguishing[0].value = value)
    };
    let others: [fn(Make) -> Make; 5] = [
        without_code,
        |make| make.period("2024-01-03T10:16:00Z", ""),
        |make| make.period(DAY, ""),
        |make| make.with(|head| head.distinguishing[0].value = "4.2".into()),
        |make| make.with(|head| head.distinguishing[1].value = "mg/dL".into()),
    ];
    check(&datasets, "RESULT-1", measured, &others);
    for dataset in datasets {
        let make = |id| measured(dated(dataset, id));
        let elsewhere = make("b").period("2024-01-03T11:15:00+01:00", "");
        assert_eq!(grouping(&pair(dataset, make("a"), elsewhere)).0, 1, "one moment in two zones");
        for (text, agrees) in [("4.10", true), ("4.100", true), ("04.1", false), ("4.1.0", false), ("4,1", false)] {
            let merged = pair(dataset, make("a"), value(make("b"), text));
            assert_eq!(grouping(&merged).0 == 1, agrees, "{text}");
            let shown = format!("{:?}", items(&merged));
            assert!(shown.contains(&format!("{text:?}")), "each laboratory's digits are kept");
        }
        never(dataset, unchanged);
        never(dataset, |make| make.field("value", "4.1").period("", ""));
        never(dataset, |make| make.field("value", "4.1").period("2024-01", ""));
    }
}

#[test]
fn history_1_code_and_words() {
    let datasets = [Dataset::Pregnancy, Dataset::FamilyHistory];
    check(&datasets, "HISTORY-1", unchanged, &[without_code, reworded, of_another_day, undated]);
    never(Dataset::FamilyHistory, |make| undated(make).status(EntryStatus::Ended));
}

#[test]
fn document_1_equal_bytes() {
    let hashed = |make: Make| make.field("sha256", "ab12");
    let others: [fn(Make) -> Make; 1] = [|make| make.with(|head| head.distinguishing[0].value = "cd34".into())];
    check(&[Dataset::Documents], "DOCUMENT-1", hashed, &others);
    let renamed = pair(
        Dataset::Documents,
        hashed(dated(Dataset::Documents, "a")),
        of_another_day(reworded(hashed(dated(Dataset::Documents, "b")))),
    );
    assert_eq!(grouping(&renamed).0, 1, "equal bytes under another title");
    never(Dataset::Documents, unchanged);
}

#[test]
fn event_1_kind_organisation_and_start() {
    let datasets = [Dataset::Encounters, Dataset::Appointments, Dataset::Referrals];
    let others: [fn(Make) -> Make; 6] =
        [without_code, reworded, of_another_day, undated, ended, of_another_organisation];
    check(&datasets, "EVENT-1", unchanged, &others);
    datasets.into_iter().for_each(|dataset| {
        never(dataset, |make| make.with(|head| head.provenance.get_or_insert_default().organisation_ods.clear()));
        never(dataset, of_a_year);
    });
}

#[test]
fn practice_1_the_practice_s_code() {
    check(&[Dataset::GpPractice], "PRACTICE-1", |make| of_another_day(reworded(make)), &[without_code]);
}

#[test]
fn team_1_name_and_role() {
    let nurse = |make: Make| make.field("name", "Lee Fox").field("role", "nurse");
    let others: [fn(Make) -> Make; 2] = [
        |make| make.with(|head| head.distinguishing[0].value = "Lee Fax".into()),
        |make| make.with(|head| head.distinguishing[1].value = "care coordinator".into()),
    ];
    check(&[Dataset::CareTeam], "TEAM-1", nurse, &others);
    never(Dataset::CareTeam, |make| make.field("name", "Lee Fox"));
}

#[test]
fn care_1_service_organisation_and_start() {
    let datasets = [Dataset::Services, Dataset::Assessments, Dataset::PrimarySupportReason, Dataset::Equipment];
    let others: [fn(Make) -> Make; 6] =
        [without_code, reworded, of_another_day, undated, ended, of_another_organisation];
    check(&datasets, "CARE-1", unchanged, &others);
    datasets.into_iter().for_each(|dataset| never(dataset, undated));
    never(Dataset::Assessments, of_a_year);
}

#[test]
fn person_1_the_same_words() {
    let datasets = [Dataset::SocialContext, Dataset::AboutMe, Dataset::IndividualRequirements, Dataset::Research];
    check(&datasets, "PERSON-1", unchanged, &[without_code, reworded, of_another_day, undated]);
    never(Dataset::AboutMe, |make| undated(make).status(EntryStatus::Ended));
}

#[test]
fn origin_2_whoever_made_them_told_them_apart() {
    let issue = |id: &str, number: &str| medicine(id).origin(number);
    let apart = record(
        Dataset::Medications,
        vec![vec![issue("a", "1").done(), issue("b", "2").done()], vec![medicine("c").done()]],
    );
    assert_eq!(items(&apart).len(), 3, "nobody knows which of the two the third is");
    assert!(items(&apart).iter().all(|item| item.possibly_same.len() == 2 && item.grouped_by.is_empty()));
    // Another organisation's own numbers say nothing of this one's.
    let of = |make: Make, organisation: &str| {
        let organisation = organisation.to_owned();
        make.with(|head| head.origins[0].organisation_ods = organisation)
    };
    let merged = pair(Dataset::Medications, of(issue("a", "1"), "RJ1"), of(issue("b", "2"), "RRK"));
    assert_eq!(grouping(&merged), (1, "MEDICINE-1"));
    // One statement by three routes, one of which gave it a number of its own.
    let routes = record(
        Dataset::Medications,
        vec![vec![issue("a", "1").done()], vec![issue("b", "1").done()], vec![issue("c", "9").done()]],
    );
    let lengths: BTreeSet<usize> = items(&routes).iter().map(|item| item.contributions.len()).collect();
    assert_eq!(lengths, [1, 2].into());
    assert!(items(&routes).iter().all(|item| item.possibly_same.len() == 1));
}

#[test]
fn origin_3_a_copy_under_a_number_of_its_own_is_possibly_the_same() {
    let recorded = |make: Make, organisation: &str| {
        let organisation = organisation.to_owned();
        make.with(|head| head.provenance.get_or_insert_default().organisation_ods = organisation)
    };
    let numbered = |id: &str, system: &str, number: &str| {
        let system = system.to_owned();
        allergy(id).origin(number).with(|head| head.origins[0].system = system)
    };
    let practice = || recorded(numbered("a", "urn:practice", "1"), "Y01234");
    let minted = || recorded(numbered("b", "urn:hospital", "7"), "Y01234");
    for both in [[practice(), minted()], [minted(), practice()]] {
        let [one, other] = both.map(Make::done);
        let merged = record(Dataset::Allergies, vec![vec![one], vec![other]]);
        assert_eq!(grouping(&merged), (2, ""));
        assert!(items(&merged).iter().all(|item| item.possibly_same.len() == 1));
    }
    let kept = minted().origin("1").with(|head| head.origins[1].system = "urn:practice".into());
    assert_eq!(
        grouping(&pair(Dataset::Allergies, practice(), kept)),
        (1, "ORIGIN-1"),
        "the origin's number came along"
    );
    let bare = recorded(allergy("c"), "Y01234");
    assert_eq!(
        grouping(&pair(Dataset::Allergies, practice(), bare)),
        (1, "ALLERGY-1"),
        "one number tells nothing apart"
    );
    for (organisation, grouped) in [("RRK", 1), ("", 1)] {
        let merged = pair(Dataset::Allergies, practice(), recorded(minted(), organisation));
        assert_eq!(items(&merged).len(), grouped, "what {organisation:?} recorded itself is its own statement");
    }
    let third = || recorded(allergy("d"), "RJ1");
    let merged = record(Dataset::Allergies, vec![vec![practice().done()], vec![minted().done()], vec![third().done()]]);
    assert_eq!(items(&merged).len(), 3, "nobody knows which of the two the third is");
}

#[test]
fn retract_2_what_was_sent_under_a_withdrawn_id() {
    let active = || allergy("a").with(|head| head.last_changed = "2024-01-03".into()).done();
    let withdrawn = || allergy("a").status(EntryStatus::EnteredInError).done();
    for entries in [vec![active(), withdrawn()], vec![withdrawn(), active()]] {
        let merged = record(Dataset::Allergies, vec![entries, vec![allergy("a").done()]]);
        let retracted = items(&merged).iter().filter(|item| item.retracted).count();
        assert_eq!((items(&merged).len(), retracted), (3, 2), "another source's id is another thing");
        assert!(rules(&merged).contains("CONFLICT-6"), "a version still reads as current");
    }
}

#[test]
fn conflict_8_resuscitation_and_none() {
    let coded = |id: &str, code: &str| entry(Dataset::EndOfLife, id).snomed(code).text("CPR decision");
    let said = |id: &str, text: &str| entry(Dataset::EndOfLife, id).text(text);
    let (attempted, not) = (|id| coded(id, "450475007"), |id| coded(id, "450476008"));
    for (one, other, conflict) in [
        (attempted("a"), not("b"), true),
        (attempted("a"), said("b", "DNACPR form in place"), true),
        (said("a", "For CPR"), said("b", "Not for attempted CPR"), true),
        (attempted("a"), attempted("b"), false),
        (attempted("a"), not("b").status(EntryStatus::Ended), false),
        (attempted("a"), not("b").status(EntryStatus::EnteredInError), false),
        (attempted("a"), said("b", "Discussed DNACPR with family"), false),
    ] {
        let merged = pair(Dataset::EndOfLife, one, other);
        assert_eq!(rules(&merged).contains("CONFLICT-8"), conflict, "{:?}", items(&merged));
    }
}

#[test]
fn conflict_8_whatever_heading_a_decision_was_filed_under() {
    let filed = |dataset: Dataset, code: &str, day: &str| entry(dataset, day).snomed(code).text("CPR").period(day, "");
    let (attempted, not) = ("450475007", "450476008");
    let observed = |code, day| filed(Dataset::Observations, code, day).status(EntryStatus::Ended);
    let form = filed(Dataset::EndOfLife, attempted, "2024-01-03");
    for (others, conflicts) in [
        (vec![observed(not, "2024-02-01")], 2),
        (vec![filed(Dataset::Alerts, not, "2024-02-01")], 2),
        (vec![observed(attempted, "2024-02-01")], 0),
        (vec![observed(not, "2024-02-01").status(EntryStatus::EnteredInError)], 0),
        (vec![observed(not, "2024-02-01").assertion(Assertion::Refuted)], 0),
        (vec![filed(Dataset::Alerts, not, "2024-02-01").status(EntryStatus::Ended)], 0),
        // What was observed before is history; on one day both count.
        (vec![observed(not, "2020-02-01"), observed(attempted, "2024-02-01")], 0),
        (vec![observed(not, "2024-02-01"), observed(attempted, "2024-02-01")], 3),
        (vec![observed(not, "")], 0),
    ] {
        let datasets = [Dataset::Alerts, Dataset::EndOfLife, Dataset::Observations];
        let entries =
            others.into_iter().enumerate().map(|(at, other)| other.with(|head| head.entry_id = at.to_string()).done());
        let replies =
            vec![reply("A", "1", &datasets, vec![form.clone().done()]), reply("B", "1", &datasets, entries.collect())];
        let merged = unify(&plan(&[("A", "1"), ("B", "1")], &datasets), replies);
        let all = merged.sections.iter().flat_map(|section| &section.items);
        let found = all.filter(|item| item.conflicts.iter().any(|conflict| conflict.rule == "CONFLICT-8"));
        assert_eq!(found.count(), conflicts);
    }
}

#[test]
fn who_1_of_whom_any_source_restricts_nothing_that_locates_them_is_compared() {
    let living = |postcode: &str, practice: &str, born: &str| Demographics {
        addresses: vec![Address { postcode: postcode.into(), ..Address::default() }],
        gp_practice_ods: practice.into(),
        birth_date: born.into(),
        ..Demographics::default()
    };
    let (one, other) = (living("B6 5PE", "M91", "1980-02-01"), living("B7 1AA", "M92", "1980-01-02"));
    let fields = |one, other| who(one, other).into_iter().map(|(field, _)| field).collect::<Vec<_>>();
    assert_eq!(fields(one.clone(), other.clone()), ["birth date", "address", "GP practice"]);
    assert_eq!(fields(one, Demographics { restricted: true, ..other }), ["birth date"]);
}

#[test]
fn who_1_one_id_for_two_contents_gives_the_same_list_in_any_order() {
    let named = |family: &str| Demographics {
        names: vec![HumanName { family: family.into(), ..HumanName::default() }],
        ..Demographics::default()
    };
    let [one, other, third] = ["O'Brien", "OBRIEN", "Birch"].map(|family| demographics_entry(named(family)));
    let forward = record(Dataset::Demographics, vec![vec![one.clone(), other.clone(), third.clone()]]);
    let backward = record(Dataset::Demographics, vec![vec![third, other, one]]);
    assert_eq!(forward.ledger.discrepancies.len(), 1);
    assert_eq!(forward.ledger.discrepancies, backward.ledger.discrepancies);
    assert_eq!(forward.seal.digest, backward.seal.digest);
}

fn demographics_entry(demographics: Demographics) -> Entry {
    let detail = Detail::Demographics(DemographicsDetail { demographics: Some(demographics) });
    let body = EntryBody { detail: Some(detail), ..EntryBody::default() }.encode_to_vec().into();
    Entry { body, ..entry(Dataset::Demographics, "1").done() }
}

/// What A and B say of who somebody is.
fn who(one: Demographics, other: Demographics) -> Vec<(String, Vec<(String, String)>)> {
    let merged = record(Dataset::Demographics, vec![vec![demographics_entry(one)], vec![demographics_entry(other)]]);
    let said = |said: Said| (said.value, said.source_ids.join(" "));
    let list = merged.ledger.discrepancies.into_iter();
    list.map(|one| (one.field, one.said.into_iter().map(said).collect())).collect()
}

#[test]
fn who_1_everybody_s_word_for_who_somebody_is() {
    let anne = || Demographics {
        nhs_number: "9990000018".into(),
        names: vec![HumanName { family: "O'Brien".into(), given: vec!["Anne".into()], ..HumanName::default() }],
        birth_date: "1980-02-01".into(),
        sex: Sex::Female.into(),
        addresses: vec![Address { lines: vec!["1 High St".into()], postcode: "B6 5PE".into(), ..Address::default() }],
        gp_practice_ods: "M91".into(),
        ..Demographics::default()
    };
    assert_eq!(who(anne(), anne()), []);
    type Change = fn(&mut Demographics);
    let alike: [Change; 6] = [
        |who| who.names[0].family = "OBRIEN".into(),
        |who| who.names[0].given.push("Mary".into()),
        |who| who.birth_date = "1980".into(),
        |who| who.sex = Sex::Unknown.into(),
        |who| who.addresses[0].postcode = "b65pe".into(),
        |who| who.addresses.clear(),
    ];
    for (at, change) in alike.iter().enumerate() {
        let mut other = anne();
        change(&mut other);
        assert_eq!(who(anne(), other), [], "way {at}");
    }
    let different: [(&str, &str, Change); 8] = [
        ("name", "Anne Birch", |who| who.names[0].family = "Birch".into()),
        ("birth date", "1980-01-02", |who| who.birth_date = "1980-01-02".into()),
        ("birth date", "1981", |who| who.birth_date = "1981".into()),
        ("sex", "male", |who| who.sex = Sex::Male.into()),
        ("NHS number", "9990000026", |who| who.nhs_number = "9990000026".into()),
        ("address", "1 High St, B7 1AA", |who| who.addresses[0].postcode = "B7 1AA".into()),
        ("GP practice", "M92", |who| who.gp_practice_ods = "M92".into()),
        ("death", "died 2024-01-03", |who| who.death_date = "2024-01-03".into()),
    ];
    for (field, value, change) in different {
        let mut other = anne();
        change(&mut other);
        let [(found, said)] = &who(anne(), other)[..] else { panic!("{field}") };
        assert_eq!(found, field);
        assert!(said.contains(&(value.to_owned(), "B".to_owned())), "{said:?}");
        assert_eq!(said.len(), 2);
    }
}

#[test]
fn every_dataset_but_demographics_has_a_rule() {
    let written = include_str!("../../RULES.md");
    for dataset in ALL_DATASETS {
        match crate::merge::statement::content_rule(dataset) {
            Some(rule) => assert!(written.contains(&format!("| {} |", rule.id)), "{dataset:?}"),
            None => assert_eq!(dataset, Dataset::Demographics),
        }
    }
}

#[test]
fn plan_2_an_older_plan_that_reads_as_current() {
    let plan = |id: &str, text: &str, since: &str| entry(Dataset::CrisisPlans, id).text(text).period(since, "");
    let old = || plan("a", "Crisis plan", "2024-02-17");
    for (other, conflict) in [
        (plan("b", "crisis  plan", "2026-02-17"), true),
        (plan("b", "Crisis plan", "2024-02-17T09:00:00Z").field("agreed", "no"), false),
        (plan("b", "Crisis plan", "2026"), false),
        (plan("b", "Crisis plan", "2026-02-17").status(EntryStatus::Ended), false),
        (plan("b", "Contingency: carer is ill", "2026-02-17"), false),
    ] {
        let merged = pair(Dataset::CrisisPlans, old(), other);
        assert_eq!(rules(&merged).contains("PLAN-2"), conflict);
        assert_eq!(items(&merged).len(), 2);
    }
    let merged = pair(Dataset::CrisisPlans, old(), plan("b", "Crisis plan", "2026-02-17"));
    assert_eq!(items(&merged)[0].contributions[0].entry.as_ref().unwrap().head.as_ref().unwrap().entry_id, "b");
    let care = |id, since| entry(Dataset::CarePlans, id).text("Care plan").period(since, "");
    let merged = pair(Dataset::CarePlans, care("a", "2024-02-17"), care("b", "2026-02-17"));
    assert!(rules(&merged).is_empty(), "of care plans somebody may well have several");
}
