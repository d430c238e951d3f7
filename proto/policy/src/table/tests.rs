use super::*;
use crate::{
    facts::Asker,
    ruling::{Missing, Verdict},
};
use Dataset::{Alerts, Allergies, Medications, Research, Safeguarding};
use PurposeOfUse::{DirectCare, Emergency, SubjectAccess};
use severn_proto::v1::{Dataset, PurposeOfUse, SensitivityLabel};
use severn_trust::ALL_DATASETS;

const PURPOSES: [PurposeOfUse; 6] =
    [PurposeOfUse::Unspecified, DirectCare, Emergency, PurposeOfUse::Safeguarding, PurposeOfUse::Audit, SubjectAccess];

/// Datasets that rules name, and one that only `*` means.
const SOME: [Dataset; 4] = [Alerts, Safeguarding, Dataset::GpPractice, Medications];

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn role(name: &str, codes: &[&str], labels: &[&str]) -> RoleDefinition {
    RoleDefinition { name: name.into(), codes: words(codes), labels: words(labels) }
}

fn allow(roles: &[&str], purposes: &[&str], datasets: &[&str]) -> Rule {
    Rule {
        roles: words(roles),
        purposes: words(purposes),
        datasets: words(datasets),
        withhold: false,
        reason_opens: false,
    }
}

fn withhold(roles: &[&str], purposes: &[&str], datasets: &[&str]) -> Rule {
    Rule { withhold: true, reason_opens: false, ..allow(roles, purposes, datasets) }
}

fn table() -> AccessTable {
    AccessTable {
        roles: vec![
            role("doctor", &["R8000", "R8001"], &["mental_health", "safeguarding"]),
            role("clerk", &["R8008"], &[]),
            role("consultant", &["R9000"], &["*"]),
        ],
        rules: vec![
            allow(&["doctor", "consultant"], &["direct_care", "emergency"], &["*"]),
            allow(&["clerk"], &["direct_care"], &["alerts", "gp_practice"]),
            withhold(&["doctor"], &["direct_care"], &["safeguarding"]),
        ],
    }
}

/// What the table says of one (role, purpose, dataset), in the words of a reader of tables.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Decision {
    Allow,
    Withhold,
    DenyRole,
    DenyPurpose,
}

struct Read(Policy);

impl Read {
    fn new(table: &AccessTable) -> Read {
        table.check().unwrap();
        Read(table.policy().unwrap())
    }

    fn decide(&self, code: &str, purpose: PurposeOfUse, dataset: Dataset) -> Decision {
        let decisions = self.0.decisions(&Asker::new(code, purpose), "");
        match decisions.of(dataset).verdict {
            Verdict::Permit => Decision::Allow,
            Verdict::Withheld => Decision::Withhold,
            Verdict::Denied if decisions.missing(dataset, SensitivityLabel::Normal) == Missing::Purpose => {
                Decision::DenyPurpose
            }
            Verdict::Denied => Decision::DenyRole,
            Verdict::MayBeOpened => panic!("a table has no word for this"),
        }
    }
}

#[test]
fn decides_as_the_table_says() {
    let table = Read::new(&table());
    for (code, purpose, dataset, expected) in [
        ("R8000", DirectCare, Allergies, Decision::Allow),
        ("R8001", Emergency, Research, Decision::Allow),
        ("R8000", SubjectAccess, Allergies, Decision::DenyPurpose),
        ("R8000", PurposeOfUse::Unspecified, Allergies, Decision::DenyPurpose),
        ("R8000", DirectCare, Safeguarding, Decision::Withhold),
        ("R8000", Emergency, Safeguarding, Decision::Allow),
        ("R9000", DirectCare, Safeguarding, Decision::Allow),
        ("R8008", DirectCare, Alerts, Decision::Allow),
        ("R8008", Emergency, Alerts, Decision::DenyPurpose),
        ("R8008", DirectCare, Medications, Decision::DenyRole),
        ("R800", DirectCare, Allergies, Decision::DenyRole),
        ("r8000", DirectCare, Allergies, Decision::DenyRole),
        ("S8000:G8000:R8000", DirectCare, Allergies, Decision::DenyRole),
        ("doctor", DirectCare, Allergies, Decision::DenyRole),
        ("", DirectCare, Allergies, Decision::DenyRole),
        ("*", DirectCare, Allergies, Decision::DenyRole),
    ] {
        assert_eq!(table.decide(code, purpose, dataset), expected, "{code} {purpose:?} {dataset:?}");
    }
}

#[test]
fn no_rule_covers_an_unknown_dataset() {
    let table = Read::new(&table());
    for purpose in PURPOSES {
        assert_ne!(table.decide("R8000", purpose, Dataset::Unspecified), Decision::Allow);
    }
}

#[test]
fn an_empty_table_denies_everything() {
    let empty = Read::new(&AccessTable::default());
    for purpose in PURPOSES {
        for dataset in ALL_DATASETS {
            assert_eq!(empty.decide("R8000", purpose, dataset), Decision::DenyRole);
        }
    }
}

#[test]
fn an_empty_or_restricting_rule_never_shows_more() {
    let table = table();
    let before = Read::new(&table);
    let additions = [
        allow(&[], &["direct_care"], &["*"]),
        allow(&["clerk"], &[], &["*"]),
        allow(&["clerk"], &["direct_care"], &[]),
        withhold(&["doctor", "clerk"], &["direct_care", "emergency"], &["*"]),
    ];
    for rule in additions {
        for at in 0..=table.rules.len() {
            let mut after = table.clone();
            after.rules.insert(at, rule.clone());
            let after = Read::new(&after);
            for (code, purpose, dataset) in every_question().filter(|(_, _, dataset)| SOME.contains(dataset)) {
                let allowed = after.decide(code, purpose, dataset) == Decision::Allow;
                let was = before.decide(code, purpose, dataset) == Decision::Allow;
                assert!(was || !allowed, "{rule:?} opened {dataset:?} to {code} for {purpose:?}");
            }
        }
    }
}

#[test]
fn the_order_of_rules_does_not_matter() {
    let forwards = Read::new(&table());
    let mut backwards = table();
    backwards.rules.reverse();
    let backwards = Read::new(&backwards);
    for (code, purpose, dataset) in every_question() {
        assert_eq!(forwards.decide(code, purpose, dataset), backwards.decide(code, purpose, dataset));
    }
}

fn every_question() -> impl Iterator<Item = (&'static str, PurposeOfUse, Dataset)> {
    ["R8000", "R8008", "R9000", "R1"].into_iter().flat_map(|code| {
        PURPOSES
            .into_iter()
            .flat_map(move |purpose| ALL_DATASETS.into_iter().map(move |dataset| (code, purpose, dataset)))
    })
}

#[test]
fn labels_are_seen_by_those_who_may() {
    use SensitivityLabel::{Custody, MentalHealth, Normal, Unspecified};
    let policy = table().policy().unwrap();
    for (code, labels, expected) in [
        ("R8000", vec![], true),
        ("R8000", vec![Normal as i32], true),
        ("R8000", vec![Normal as i32, MentalHealth as i32], true),
        ("R8000", vec![MentalHealth as i32, Custody as i32], false),
        ("R8008", vec![], false),
        ("R9000", vec![MentalHealth as i32, Custody as i32], true),
        ("R9000", vec![Unspecified as i32], false),
        ("R9000", vec![99], false),
        ("R9000", vec![-1], false),
        ("R1", vec![], false),
    ] {
        let decisions = policy.decisions(&Asker::new(code, Emergency), "");
        assert_eq!(decisions.of_entry(Allergies, &labels).permits(), expected, "{code} {labels:?}");
    }
}

#[test]
fn a_misspelt_table_is_refused_by_key() {
    let mut cases: Vec<(&str, AccessTable)> = Vec::new();
    let mut with = |key, change: fn(&mut AccessTable)| {
        let mut changed = table();
        change(&mut changed);
        cases.push((key, changed));
    };
    with("roles[1]", |t| t.roles[1].name = "doctor".into());
    with("roles[1]", |t| t.roles[1].codes = words(&["R8001"]));
    with("roles[0]", |t| t.roles[0].codes = words(&[""]));
    with("roles[0]", |t| t.roles[0].name = " ".into());
    with("roles[0].labels", |t| t.roles[0].labels = words(&["secret"]));
    with("roles[0].labels", |t| t.roles[0].labels = words(&["unspecified"]));
    with("rules[0].roles", |t| t.rules[0].roles = words(&["nurse"]));
    with("rules[0].roles", |t| t.rules[0].roles = words(&["*"]));
    with("rules[1].purposes", |t| t.rules[1].purposes = words(&["directcare"]));
    with("rules[1].purposes", |t| t.rules[1].purposes = words(&["*"]));
    with("rules[1].reason_opens", |t| t.rules[1].reason_opens = true);
    with("rules[2].datasets", |t| t.rules[2].datasets = words(&["Alerts"]));
    // An empty list would withhold nothing: what was withheld before would be seen.
    with("rules[2].roles", |t| t.rules[2].roles = words(&[]));
    with("rules[2].purposes", |t| t.rules[2].purposes = words(&[]));
    with("rules[2].datasets", |t| t.rules[2].datasets = words(&[]));
    with("rules[2].datasets", |t| t.rules[2].datasets = words(&["unspecified"]));
    for (key, table) in cases {
        assert_eq!(table.check().map_err(|e| e.place), Err(key.to_owned()));
    }
}

#[test]
fn what_a_reason_opens_is_withheld_without_one() {
    let mut table = table();
    table.rules[2].reason_opens = true;
    table.check().unwrap();
    let policy = table.policy().unwrap();
    let asker = Asker::new("R8000", DirectCare);
    let closed = policy.decisions(&asker, "").of(Safeguarding);
    assert_eq!(closed.verdict, Verdict::MayBeOpened);
    assert!(policy.decisions(&Asker { breaking_glass: true, ..asker }, "").of(Safeguarding).permits());
}

#[test]
fn an_unknown_key_is_refused() {
    for json in [r#"{"role":[]}"#, r#"{"rules":[{"roles":[],"purposes":[],"datasets":[],"allow":true}]}"#] {
        assert!(serde_json::from_str::<AccessTable>(json).is_err(), "{json}");
    }
}
