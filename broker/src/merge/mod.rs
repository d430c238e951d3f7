//! Makes one record out of many replies: checks them, groups what says the same, marks what cannot both be right, and
//! accounts for every entry. What groups with what is written in `RULES.md`, for a clinical-safety officer to sign.
//!
//! **Invariant:** pure. No clock, no network, no disk; the same replies in any order give the same record and digest.
//! Hash maps are looked up, never iterated, so that their random keys cannot show. Bodies are passed on as they came; those of
//! demographics alone are read.

mod accept;
mod account;
mod check;
mod as_text;
mod limit;
mod canon;
mod fold;
mod statement;
mod medicine;
mod agent;
mod rules;
mod content;
mod group;
mod relate;
mod resuscitation;
mod dose;
mod overlap;
mod conflict;
mod item;
mod summary;
mod heading;
mod discrepancy;
mod head;
mod write;
#[cfg(test)]
mod tests;

use crate::model::{Listed, Merged, Plan, Reply, Row, SealedRecord, Source};
use head::Head;
use item::Ids;
use resuscitation::Decisions;
use severn_proto::v1::{Dataset, Seal};
use severn_trust::{Digest, RecordDigest};
use std::borrow::Cow;

pub use {medicine::TableError, rules::Rules};

/// Version of the rules in `RULES.md`. A change to a rule changes it.
pub const RULES_VERSION: &str = "2.2.0";

/// Entries of one source that are shown at most, over all its datasets (LIMIT-1).
pub const ENTRIES_PER_SOURCE_MAX: usize = 10_000;

/// Entries of one query that are shown at most, over all sources (LIMIT-2).
pub const ENTRIES_PER_QUERY_MAX: usize = 100_000;

/// Other items that a conflict or a "possibly the same" names at most (LIMIT-3).
pub const RELATED_MAX: usize = 32;

/// Makes one sealed record out of `replies` to `plan`. Every (source, dataset) of the plan has one row, whatever the
/// replies hold. A reply that nobody planned is outside the scope: it is neither shown nor counted.
pub fn unify<'r>(rules: &Rules, plan: &'r Plan, replies: &'r [Reply]) -> Merged<'r> {
    unify_within(limit::LIMITS, rules, plan, replies)
}

fn unify_within<'r>(limits: limit::Limits, rules: &Rules, plan: &'r Plan, replies: &'r [Reply]) -> Merged<'r> {
    let scope = account::Scope::of(plan);
    let mut heard = accept::accept(plan, &scope, replies);
    limit::enforce(limits, &mut heard.entries, &mut heard.accounts);
    let decisions = Decisions::of(&heard.entries, &heard.retractions);
    let mut ids = Ids::default();
    let mut digest = RecordDigest::default();
    let (mut sections, mut listed) = (Vec::new(), Vec::new());
    let mut discrepancies = Vec::new();
    let mut found: Vec<heading::Found<'_>> = scope.datasets.iter().map(|_| heading::Found::default()).collect();
    for (at, entries) in heard.entries.into_iter().enumerate().filter(|(_, entries)| !entries.is_empty()) {
        let dataset = Scoped {
            dataset: scope.datasets[at],
            at,
            rules,
            sources: &scope.sources,
            retractions: &heard.retractions,
            decisions: &decisions,
        };
        let shapes = shapes(&dataset, &entries, &mut ids);
        let section = item::section(&dataset, &entries, &shapes, &mut heard.accounts);
        if dataset.dataset == Dataset::Demographics {
            discrepancies = discrepancy::discrepancies(&dataset, &entries);
        }
        found[at] = heading::found(&dataset, &entries, &shapes);
        listed.push(Listed { digest: digest.add_section(&section), ..item::listed(&dataset, &entries, &shapes) });
        sections.push(section);
    }
    let rows = heard.accounts.into_rows(&scope);
    let summary = summary::summary(&rows, scope.datasets.len());
    let headings = heading::headings(&scope.datasets, &rows, &found);
    let ledger = account::ledger(&rows, &summary, (&headings, &discrepancies));
    let seal = seal(rules, plan, (sections.len(), &rows), digest.finish_encoded(&ledger.digested));
    Merged { record: SealedRecord { sections, ledger: ledger.sent, seal }, listed, rows }
}

/// An entry that passed every check and may be shown.
struct Accepted<'e> {
    /// Position of its source in the scope.
    source: u32,
    /// What the rules read of it.
    head: Head<'e>,
    /// The whole, as its source sent it, or as text (CHECK-3).
    bytes: Cow<'e, [u8]>,
}

/// One dataset of the scope, and what is needed to make its section.
struct Scoped<'s, 'r> {
    /// The dataset.
    dataset: Dataset,
    /// Its position in the scope.
    at: usize,
    /// The rules' tables.
    rules: &'s Rules,
    /// The sources, by position.
    sources: &'s [&'r Source],
    /// What was retracted, over all datasets.
    retractions: &'s accept::Retractions<'r>,
    /// What is decided on resuscitation, over all datasets.
    decisions: &'s Decisions<'r>,
}

fn shapes(scoped: &Scoped<'_, '_>, entries: &[Accepted<'_>], ids: &mut Ids) -> Vec<item::Shape> {
    let canon = canon::Canon::of(entries);
    let groups = group::groups(scoped, &canon);
    let relations = conflict::relations(scoped, &canon, &groups);
    item::shapes(scoped, &canon, groups, &relations, ids)
}

fn seal(rules: &Rules, plan: &Plan, (sections, rows): (usize, &[Row<'_>]), digest: Digest) -> Seal {
    let sum = |count: fn(&Row<'_>) -> u32| rows.iter().map(|row| u64::from(count(row))).sum();
    Seal {
        query_id: plan.query_id.to_string(),
        sections: u32::try_from(sections).unwrap_or(u32::MAX),
        rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        received: sum(|row| row.received),
        shown: sum(|row| row.shown),
        grouped: sum(|row| row.grouped),
        withheld: sum(|row| row.withheld),
        rejected: sum(|row| row.rejected),
        digest: digest.to_vec(),
        rules_version: rules.version().to_owned(),
    }
}
