//! Who may see what, as a table that a Caldicott guardian can read and sign: `tests/golden/who_may_see_what.txt`. It is
//! worked out from the configurations that the demo writes, the region's and every owner's; a change of a rule shows
//! as a change of the table. To accept one, run with `SEVERN_ACCEPT=1` and have the new table signed.

#![expect(clippy::unwrap_used, reason = "a test ends where something it relies on is not so")]

use demo::{
    organisations::ORGANISATIONS,
    settings::{Addresses, Layout, write},
};
use serde::Deserialize;
use severn_broker::config::Config;
use severn_policy::{
    Asker, Evidence, LABELS, Missing, Policy, PolicySettings, Relationship, RelationshipKind, Verdict,
};
use severn_proto::v1::{Dataset, PurposeOfUse, SensitivityLabel};
use severn_trust::{ALL_DATASETS, dataset_word, label_word, purpose_word};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

const PURPOSES: [PurposeOfUse; 5] = [
    PurposeOfUse::DirectCare,
    PurposeOfUse::Emergency,
    PurposeOfUse::Safeguarding,
    PurposeOfUse::Audit,
    PurposeOfUse::SubjectAccess,
];

#[derive(Deserialize)]
struct OwnersTable {
    policy: PolicySettings,
}

/// What somebody in this role sees of a dataset of a person whom their organisation cares for.
fn cell(policy: &Policy, asker: &Asker, dataset: Dataset) -> &'static str {
    let decisions = policy.decisions(asker, "");
    match decisions.of(dataset).verdict {
        Verdict::Permit => "yes",
        Verdict::MayBeOpened => "reason",
        Verdict::Withheld => "withheld",
        Verdict::Denied if decisions.missing(dataset, SensitivityLabel::Normal) == Missing::Purpose => "-",
        Verdict::Denied => ".",
    }
}

fn asker(code: &str, purpose: PurposeOfUse) -> Asker {
    let relationship = Relationship { kind: RelationshipKind::Registered, evidence: Evidence::Feed };
    Asker { relationship, ..Asker::new(code, purpose) }
}

/// The labels of which the role sees entries, of any dataset.
fn labels(policy: &Policy, asker: &Asker) -> String {
    let decisions = policy.decisions(asker, "");
    let sees = |label: i32| ALL_DATASETS.into_iter().any(|dataset| decisions.of_entry(dataset, &[label]).permits());
    let seen = LABELS.into_iter().skip(1).filter(|label| sees(*label as i32));
    let words: Vec<String> = seen.map(label_word).collect();
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

/// One line for each dataset, one column for each role and purpose for which anything may be seen.
fn table_of(policy: &Policy) -> String {
    let mut columns = Vec::new();
    for role in policy.roles() {
        for purpose in PURPOSES {
            let asker = asker(role.codes.first().unwrap(), purpose);
            let sees = |dataset: &Dataset| !["-", "."].contains(&cell(policy, &asker, *dataset));
            if ALL_DATASETS.iter().any(sees) {
                columns.push((format!("{} / {}", role.name, purpose_word(purpose)), asker));
            }
        }
    }
    let mut text = String::new();
    for (at, (name, asker)) in columns.iter().enumerate() {
        writeln!(text, "  {}: {name}; sensitive entries: {}", at + 1, labels(policy, asker)).unwrap();
    }
    let numbers: String = (1..=columns.len()).map(|number| format!("{number:<10}")).collect();
    writeln!(text, "\n  {:<26}{}", "", numbers.trim_end()).unwrap();
    for dataset in ALL_DATASETS {
        let cells: String = columns.iter().map(|(_, asker)| format!("{:<10}", cell(policy, asker, dataset))).collect();
        writeln!(text, "  {:<26}{}", dataset_word(dataset), cells.trim_end()).unwrap();
    }
    text
}

#[test]
fn who_may_see_what_is_as_signed() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().to_owned());
    let address = |port: u16| ([127, 0, 0, 1], port).into();
    let adapters = (0..ORGANISATIONS.len()).map(|n| address(7101 + n as u16)).collect();
    write(&layout, &Addresses { broker: address(7000), gateway: address(7001), adapters }).unwrap();
    let region = Config::load(&layout.broker()).unwrap().access.policy.table().policy().unwrap();
    let mut owners: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for organisation in &ORGANISATIONS {
        let text = fs::read_to_string(layout.adapter(organisation.ods)).unwrap();
        let text = text.parse::<toml::Table>().unwrap();
        let policy: OwnersTable = toml::Table::try_into(text).unwrap();
        owners.entry(table_of(&policy.policy.table().policy().unwrap())).or_default().push(organisation.name);
    }
    let mut actual = format!(
        "Who may see what in the demo's federation. Both tables must say yes: the region's, at the broker, and the\n\
         owner's, at the adapter.\n\n  yes       seen\n  withheld  not seen; the reader is told that it exists and is withheld\n  \
         reason    the same, and may be opened with a reason\n  \
         -         not for this purpose\n  .         not for this role\n\nThe region\n\n{}",
        table_of(&region)
    );
    for (table, names) in owners {
        write!(actual, "\n{}\n\n{table}", names.join("\n")).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/who_may_see_what.txt");
    if std::env::var_os("SEVERN_ACCEPT").is_some() {
        fs::write(&file, &actual).unwrap();
    }
    let signed = fs::read_to_string(&file).unwrap();
    assert!(actual == signed, "the rules and the signed table differ; the rules now say:\n{actual}");
}
