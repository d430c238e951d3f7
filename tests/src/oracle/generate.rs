//! Makes a world from a seed: sources of several kinds, people whom they know with dates and labels of every sort, and
//! staff in several roles. The rules are made in `rules`.

use super::{
    dice::Dice,
    model::{EntryModel, Known, Model, PersonModel, Query, Seat, Staff, today},
    rules::{owners, region},
    words::ROLES,
};
use jiff::{ToSpan as _, civil::Date};
use severn_proto::v1::{CareRelationship, Dataset, Demographics, HumanName, PurposeOfUse, RelationshipKind};
use severn_trust::ALL_DATASETS;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of sources.
pub const KINDS: [&str; 5] = ["GP practice", "acute trust", "mental health trust", "council", "prison"];

/// Workgroups and activities that some have.
pub const WORKGROUPS: [&str; 2] = ["crisis team", "sexual health"];
/// The same of activities.
pub const ACTIVITIES: [&str; 2] = ["B0370", "B0380"];

/// Organisations that only ask.
const ELSEWHERE: [&str; 2] = ["RRK", "RXX"];

/// The datasets that most queries of a world ask for, and most of its rules are about.
pub const HOT: [Dataset; 10] = [
    Dataset::Alerts,
    Dataset::Allergies,
    Dataset::Safeguarding,
    Dataset::CrisisPlans,
    Dataset::Medications,
    Dataset::Observations,
    Dataset::Encounters,
    Dataset::GpPractice,
    Dataset::Contacts,
    Dataset::Assessments,
];

/// A world of this many sources, people and staff.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Sources.
    pub sources: usize,
    /// People.
    pub people: usize,
    /// Staff.
    pub staff: usize,
}

/// Makes a world as it stands at `now_ms`.
pub fn world(dice: &Dice, size: Size, now_ms: i64) -> Model {
    let ids: Vec<String> = (1..=size.sources).map(|number| format!("S{number:02}")).collect();
    let first = dice.below(KINDS.len());
    let kinds = ids.iter().enumerate().map(|(at, id)| (id.clone(), KINDS[(first + at) % KINDS.len()]));
    let kinds: BTreeMap<String, &'static str> = kinds.collect();
    let organisations: Vec<String> = ids.iter().cloned().chain(ELSEWHERE.map(str::to_owned)).collect();
    let mut entries = 0;
    let people = (0..size.people).map(|number| person(dice, (number, &ids, &organisations), now_ms, &mut entries));
    Model {
        people: people.collect(),
        staff: (0..size.staff).map(|number| staff(dice, number, &organisations)).collect(),
        region: region(dice, &organisations, &kinds.values().copied().collect::<Vec<_>>()),
        owners: owners(dice, &ids, &organisations),
        failing: ids.iter().filter(|_| dice.percent(6)).cloned().collect(),
        kinds,
    }
}

/// A valid NHS number of the range for tests.
fn nhs_number(number: usize) -> String {
    let mut left = number;
    for candidate in 0.. {
        let digits = format!("999{:06}", 123_400 + candidate);
        let sum: u32 = digits.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        let check = (11 - sum % 11) % 11;
        if check == 10 {
            continue;
        }
        if left == 0 {
            return format!("{digits}{check}");
        }
        left -= 1;
    }
    String::new()
}

fn day(dice: &Dice, around: Date, from: i64, to: i64) -> String {
    let days = from + i64::try_from(dice.below(usize::try_from(to - from + 1).unwrap_or(1))).unwrap_or_default();
    around.checked_add(days.days()).unwrap_or(around).to_string()
}

fn person(
    dice: &Dice,
    (number, ids, organisations): (usize, &[String], &[String]),
    now_ms: i64,
    entries: &mut usize,
) -> PersonModel {
    let today = today(now_ms);
    let years = *dice.one(&[9, 14, 15, 16, 17, 18, 35, 52, 78, 90]);
    let born = today.checked_sub(years.years()).unwrap_or(today);
    let name = format!(
        "{}{}",
        (b'A' + u8::try_from(number % 26).unwrap_or_default()) as char,
        "shworth".repeat(1 + number / 26)
    );
    let demographics = Demographics {
        nhs_number: nhs_number(number),
        nhs_number_verified: true,
        names: vec![HumanName { family: name, given: vec!["Kim".into()], ..HumanName::default() }],
        birth_date: day(dice, born, -3, 3),
        ..Demographics::default()
    };
    let died = if dice.percent(15) { day(dice, today, -120, -1) } else { String::new() };
    let restricted = dice.percent(15);
    let how_many = dice.between(1, 3);
    let at = dice.some(ids, how_many).into_iter().map(|source| {
        let died = if dice.percent(70) { died.clone() } else { String::new() };
        let own = Demographics {
            restricted: restricted && dice.percent(60),
            deceased: !died.is_empty() && dice.percent(80),
            death_date: died,
            ..demographics.clone()
        };
        let known = Known {
            demographics: own,
            relationships: dice.percent(80).then(|| relationships(dice, organisations, today)),
            entries: make_entries(dice, entries),
        };
        (source, known)
    });
    PersonModel { at: at.collect(), demographics, directives: vec![], claims: vec![], overrides: vec![] }
}

/// Relationships that a source lists: some are over, some begin within the days of a run.
pub fn relationships(dice: &Dice, organisations: &[String], today: Date) -> Vec<CareRelationship> {
    let kinds = [
        RelationshipKind::Registered,
        RelationshipKind::Admitted,
        RelationshipKind::Caseload,
        RelationshipKind::Referred,
    ];
    let one = |_| {
        let since = match dice.below(4) {
            0 => String::new(),
            1 => day(dice, today, -2000, -400)[..7].to_owned(),
            _ => day(dice, today, -3, 3),
        };
        let until = match dice.below(4) {
            0 => day(dice, today, -2, 4),
            1 => day(dice, today, 10, 400)[..7].to_owned(),
            _ => String::new(),
        };
        CareRelationship {
            kind: (*dice.one(&kinds)).into(),
            organisation_ods: if dice.percent(40) { String::new() } else { dice.one(organisations).clone() },
            team: String::new(),
            until: if until < since { String::new() } else { until },
            since,
        }
    };
    (0..dice.below(4)).map(one).collect()
}

fn make_entries(dice: &Dice, made: &mut usize) -> Vec<EntryModel> {
    let mut entries = Vec::new();
    for dataset in ALL_DATASETS {
        let most = if HOT.contains(&dataset) { dice.below(4) } else { usize::from(dice.percent(25)) };
        for _ in 0..most {
            *made += 1;
            let labels = if dice.percent(50) { 0 } else { dice.between(1, 3) };
            // The numbers of every label but `normal`, and now and then one that nobody knows.
            let numbers: Vec<i32> = (2..=9).collect();
            let mut labels = dice.some(&numbers, labels);
            if dice.percent(2) {
                labels.push(77);
            }
            let locates = dataset == Dataset::Contacts && dice.percent(50);
            entries.push(EntryModel { id: format!("e{made}"), dataset, labels, locates });
        }
    }
    entries
}

fn staff(dice: &Dice, number: usize, organisations: &[String]) -> Staff {
    let seat = |_| Seat {
        role_code: if dice.percent(2) { "R0000".into() } else { ROLES[dice.below(3)].1.to_owned() },
        organisation: dice.one(organisations).clone(),
        assurance: u8::try_from(dice.below(4)).unwrap_or_default(),
        activities: words(dice, &ACTIVITIES),
        workgroups: words(dice, &WORKGROUPS),
    };
    Staff { id: format!("u-{number}"), seats: (0..dice.between(1, 3)).map(seat).collect() }
}

fn words(dice: &Dice, of: &[&str]) -> BTreeSet<String> {
    of.iter().filter(|_| dice.percent(40)).map(|word| (*word).to_owned()).collect()
}

/// A query of somebody about somebody.
pub fn query(dice: &Dice, model: &Model, now_ms: i64) -> Query {
    let staff = dice.below(model.staff.len());
    let person = dice.below(model.people.len());
    let purposes = [
        PurposeOfUse::DirectCare,
        PurposeOfUse::DirectCare,
        PurposeOfUse::DirectCare,
        PurposeOfUse::Emergency,
        PurposeOfUse::Safeguarding,
        PurposeOfUse::Audit,
        PurposeOfUse::SubjectAccess,
    ];
    let datasets = match dice.below(50) {
        0 => ALL_DATASETS.to_vec(),
        1..10 => dice.some(&ALL_DATASETS, 3),
        _ => dice.some(&HOT, dice.between(2, 5)),
    };
    let own: Vec<_> = model.people[person].overrides.iter().filter(|held| held.2 + 600_000 > now_ms).collect();
    let opening = (!own.is_empty() && dice.percent(60)).then(|| dice.one(&own).1);
    // Whoever broke the glass asks under it; now and then somebody else tries to.
    let holder = own.iter().find(|held| Some(held.1) == opening).map(|held| held.0.clone());
    let holder = holder.and_then(|id| model.staff.iter().position(|staff| staff.id == id));
    let staff = holder.filter(|_| dice.percent(85)).unwrap_or(staff);
    let seat = dice.below(model.staff[staff].seats.len());
    Query { staff, seat, purpose: *dice.one(&purposes), person, datasets, opening }
}
