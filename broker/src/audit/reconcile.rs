//! Compares what adapters say that they released with what this broker's trail says that it received: query by query, in
//! counts. What does not agree is told in words; somebody then looks into it.

use serde_json::Value;
use severn_proto::v1::{Dataset, Outcome};
use severn_trust::{Disk, Extract, PublicKey, Released, TrailError, TrailEvent, dataset_word, scan_trail};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds by which a query may stand in one trail earlier or later than in another.
const MARGIN_MS: i64 = 60_000;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Pairs of query and source that were compared.
    pub compared: usize,
    /// What does not agree, in words.
    pub mismatches: Vec<String>,
    /// What was released and came late or not whole, in words: the broker's own ledger says "did not answer", and so were
    /// its readers told.
    pub late: Vec<String>,
}

/// What this broker's trail says of one query.
#[derive(Debug, Default)]
struct Query {
    at_ms: i64,
    /// Who asked.
    organisation: String,
    sealed: bool,
    /// Why it was not answered after all, if it was not.
    refused: Option<String>,
    /// For each source, entries received by dataset; `None` in a seal of an older program.
    received: Option<BTreeMap<String, BTreeMap<String, u32>>>,
    /// Sources of which the ledger says that some dataset was not answered.
    silent: BTreeSet<String>,
    /// For each source, documents that left.
    documents: BTreeMap<String, u32>,
}

/// Compares the trail in `disk` with `extracts` of adapters' trails.
///
/// # Errors
/// [`TrailError`] if the trail cannot be read.
pub fn reconcile(disk: &dyn Disk, key: &PublicKey, extracts: &[Extract]) -> Result<Reconciliation, TrailError> {
    let since_ms = extracts.iter().map(|extract| extract.since_ms).min().unwrap_or_default();
    let until_ms = extracts.iter().map(|extract| extract.until_ms).max().unwrap_or_default();
    let when = since_ms.saturating_sub(MARGIN_MS)..until_ms.saturating_add(MARGIN_MS);
    let mut queries: BTreeMap<String, Query> = BTreeMap::new();
    scan_trail(disk, key, when, |_, at_ms, event| {
        if !event.query_id.is_empty() {
            let query = queries.entry(event.query_id.clone());
            query.or_insert_with(|| Query { at_ms, ..Query::default() }).note(&event);
        }
    })?;
    let mut found = Reconciliation::default();
    for extract in extracts {
        found.compare(extract, &queries);
    }
    Ok(found)
}

impl Query {
    fn note(&mut self, event: &TrailEvent) {
        self.organisation.clone_from(&event.organisation);
        match event.action.as_str() {
            "seal" => {
                self.sealed = true;
                self.received = event.details.get("received_from").as_ref().and_then(received);
                self.silent = event.details.get("outcomes").as_ref().map(silent).unwrap_or_default();
            }
            super::DOCUMENT => {
                let source = event.details.get("source");
                let source = source.as_ref().and_then(Value::as_str).unwrap_or_default();
                *self.documents.entry(source.to_owned()).or_default() += 1;
            }
            "refused" => {
                let why = event.details.get("why");
                self.refused = Some(why.as_ref().and_then(Value::as_str).unwrap_or("no reason given").to_owned());
            }
            _ => {}
        }
    }
}

/// By source: entries by dataset, in its word.
fn received(said: &Value) -> Option<BTreeMap<String, BTreeMap<String, u32>>> {
    let by_number: BTreeMap<String, BTreeMap<i32, u32>> = serde_json::from_value(said.clone()).ok()?;
    let word = |number: i32| dataset_word(Dataset::try_from(number).unwrap_or_default());
    let in_words =
        |counts: BTreeMap<i32, u32>| counts.into_iter().map(|(number, count)| (word(number), count)).collect();
    Some(by_number.into_iter().map(|(source, counts)| (source, in_words(counts))).collect())
}

/// The sources that did not answer, by the ledger: source, then how many datasets had which outcome.
fn silent(outcomes: &Value) -> BTreeSet<String> {
    let none = (Outcome::NoAnswer as i32).to_string();
    let sources = outcomes.as_object().into_iter().flatten();
    sources.filter(|(_, counts)| counts.get(&none).is_some()).map(|(source, _)| source.clone()).collect()
}

impl Reconciliation {
    fn compare(&mut self, extract: &Extract, queries: &BTreeMap<String, Query>) {
        let source = extract.source_id.as_str();
        for (query_id, released) in &extract.released {
            self.compared += 1;
            let query = queries.get(query_id);
            for (dataset, fault) in faults_of_release(source, released, query) {
                let late = dataset && query.is_some_and(|query| query.silent.contains(source));
                let said = format!("{source}, query {query_id}: {fault}");
                if late { self.late.push(said) } else { self.mismatches.push(said) }
            }
        }
        // At both ends the other half of a query may stand outside of what was extracted.
        let inside = extract.since_ms.saturating_add(MARGIN_MS)..extract.until_ms.saturating_sub(MARGIN_MS);
        for (query_id, query) in queries.iter().filter(|(_, query)| inside.contains(&query.at_ms)) {
            let entries = query.received.as_ref().and_then(|received| received.get(source)).map_or(0, sum);
            let documents = query.documents.get(source).copied().unwrap_or_default();
            if (entries > 0 || documents > 0) && !extract.released.contains_key(query_id) {
                self.compared += 1;
                let asker = &query.organisation;
                self.mismatches.push(format!(
                    "{source}, query {query_id}: sealed without a release: the broker says that {entries} entries and \
                     {documents} documents came for {asker}, the source has released nothing to it"
                ));
            }
        }
    }
}

fn sum(counts: &BTreeMap<String, u32>) -> u64 {
    counts.values().map(|count| u64::from(*count)).sum()
}

/// What does not agree between a release and what the broker says of the query; and for each, whether less came of a
/// dataset than was released, as happens where a source is late.
fn faults_of_release(source: &str, released: &Released, query: Option<&Query>) -> Vec<(bool, String)> {
    let entries = sum(&released.entries);
    let Some(query) = query else {
        return vec![(false, format!("{entries} entries were released to a query that this broker does not know"))];
    };
    let mut faults = Vec::new();
    // A document is on record here when its first bytes have come: one that was cut off before is released and not sent.
    let sent = query.documents.get(source).copied().unwrap_or_default();
    if sent != released.documents {
        faults.push((false, format!("counts differ: {} documents were released, {sent} came", released.documents)));
    }
    if !query.sealed {
        let why = query.refused.as_deref().unwrap_or("the broker was stopped, or the asker had gone");
        if !released.entries.is_empty() {
            let what = format!("{entries} entries were released without the broker's seal; no answer left: {why}");
            faults.push((false, what));
        }
        return faults;
    }
    let Some(received) = &query.received else { return faults };
    let none = BTreeMap::new();
    let received = received.get(source).unwrap_or(&none);
    let datasets: BTreeSet<&String> = received.keys().chain(released.entries.keys()).collect();
    for dataset in datasets {
        let count = |of: &BTreeMap<String, u32>| of.get(dataset).copied().unwrap_or_default();
        let (left, came) = (count(&released.entries), count(received));
        if left != came {
            faults
                .push((came < left, format!("counts differ: {left} entries of {dataset} were released, {came} came")));
        }
    }
    faults
}

#[cfg(test)]
mod tests;
