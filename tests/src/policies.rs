//! Policies for tests, made from tables.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_policy::{AccessTable, Asker, BundleRole, CurrentPolicy, Decisions, Policy, RoleDefinition, Rule};
use severn_proto::v1::PurposeOfUse;
use std::sync::Arc;

/// The policy that stays in force for a table.
///
/// # Panics
/// If the table makes no sense.
pub fn in_force(table: &AccessTable) -> Arc<CurrentPolicy> {
    table.check().expect("the table makes sense");
    Arc::new(CurrentPolicy::fixed(table.policy().expect("a table can be written in Cedar")))
}

/// The roles of [`crate::world::TABLE`], by the same names and codes.
const ROLES: [(&str, &str); 4] =
    [("clinician", "R8000"), ("social worker", "R9001"), ("steward", "R9100"), ("privacy officer", "R9200")];

/// The policy that stays in force for a table in TOML, or for policies in Cedar that speak of the roles of
/// [`crate::world::TABLE`].
///
/// # Panics
/// If it makes no sense.
pub fn written(policy: &str) -> Arc<CurrentPolicy> {
    if !policy.contains("@id(") {
        return in_force(&toml::from_str(policy).expect("the table can be read"));
    }
    let role = |(name, code): (&str, &str)| BundleRole { name: name.to_owned(), codes: vec![code.to_owned()] };
    let read = Policy::read("test/1", ROLES.map(role).to_vec(), policy);
    Arc::new(CurrentPolicy::fixed(read.expect("the policies keep to the laws")))
}

/// What is said to somebody who may see every dataset, and entries with these labels beside ordinary ones.
///
/// # Panics
/// If a label is none.
pub fn everything_labelled(labels: &[&str]) -> Arc<Decisions> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let table = AccessTable {
        roles: vec![RoleDefinition { name: "clinician".into(), codes: words(&["R8000"]), labels: words(labels) }],
        rules: vec![Rule {
            roles: words(&["clinician"]),
            purposes: words(&["direct_care"]),
            datasets: words(&["*"]),
            withhold: false,
            reason_opens: false,
        }],
    };
    in_force(&table).at(0).decisions(&Asker::new("R8000", PurposeOfUse::DirectCare), "")
}
