//! One person's read: which types to search, all at the same time, and what each search means for each dataset.

use super::{FhirSource, is_fhir_id};
use crate::{
    map::{Pool, Resource, bundle::unversioned, datasets_of, homes_of, json::Json, kinds_of, map_resource, subjects},
    rest::{Found, RestError},
};
use futures::future::join_all;
use reqwest::Url;
use severn_adapter_sdk::source::{Reading, SourceError};
use severn_proto::v1::{Dataset, Reason, ReasonCode};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// Resources read one by one for one search, because its answer refers to them without containing them.
const REFERRED_MAX: usize = 50;

/// What a search of one type came to.
enum Searched {
    Found(Found),
    /// The server does not keep this type.
    NotKept,
    Failed(ReasonCode),
}

impl FhirSource {
    pub(super) async fn read_all(
        &self,
        local_id: &str,
        datasets: &[Dataset],
        budget: Duration,
    ) -> Result<Vec<Reading>, SourceError> {
        // A tenth is left for mapping what came, so that one slow search does not cost the good ones.
        let deadline = Instant::now() + budget * 9 / 10;
        let known = timeout_at(deadline, self.patient(local_id)).await.map_err(|_| SourceError::Timeout)?;
        let Some(patient) = known? else {
            return Ok(datasets.iter().map(|dataset| self.blank(*dataset)).collect());
        };
        let held = datasets.iter().filter(|dataset| self.datasets.contains(dataset));
        let kinds: BTreeSet<&'static str> = held.flat_map(|dataset| kinds_of(*dataset)).collect();
        let mut pool = Pool::default();
        pool.add(&patient);
        let searches = kinds.into_iter().map(|kind| {
            let patient = &patient;
            async move {
                let (mut own, found) = (Pool::default(), self.searched(kind, patient));
                let searched = match timeout_at(deadline, found).await {
                    Ok(searched) => searched,
                    Err(_) => Searched::Failed(ReasonCode::Timeout),
                };
                if let Searched::Found(found) = &searched {
                    found.resources.iter().for_each(|resource| own.add(resource));
                    // What is missing after the deadline is missing from the texts only; each such item says so.
                    timeout_at(deadline, self.add_referred(&found.resources, &mut own)).await.ok();
                }
                (kind, searched, own)
            }
        });
        let done = join_all(searches).await;
        Ok(self.assemble(&patient, datasets, done, &pool))
    }

    fn blank(&self, dataset: Dataset) -> Reading {
        Reading { dataset, not_held: !self.datasets.contains(&dataset), ..Reading::default() }
    }

    async fn searched(&self, kind: &'static str, patient: &Resource) -> Searched {
        if kind == "Patient" {
            return Searched::Found(Found { resources: vec![patient.clone()], ..Found::default() });
        }
        let by_person = [("patient", patient.id())];
        let include = included(kind);
        let with_include = [by_person[0], ("_include", include)];
        let mut answer = match include {
            "" => self.rest.search(kind, &by_person).await,
            _ => self.rest.search(kind, &with_include).await,
        };
        if !include.is_empty() && matches!(answer, Err(RestError::NotSupported | RestError::Refused(400))) {
            answer = self.rest.search(kind, &by_person).await;
        }
        match answer {
            Ok(found) => Searched::Found(found),
            Err(RestError::NotFound | RestError::NotSupported) => self.unkept(kind).await,
            Err(error) => {
                let reason = if error == RestError::Timeout { ReasonCode::Timeout } else { ReasonCode::SourceFailed };
                warn!(kind, error = %SourceError::from(error), "search failed");
                Searched::Failed(reason)
            }
        }
    }

    // A refused search may mean an unknown type or only an unknown parameter: the server's own list decides.
    async fn unkept(&self, kind: &'static str) -> Searched {
        let read = || async { self.rest.capabilities().await.map(|capabilities| capabilities.kinds) };
        match self.kinds.get_or_try_init(read).await {
            Ok(kinds) if !kinds.contains(kind) => Searched::NotKept,
            _ => {
                warn!(kind, "the server keeps this type but refuses to search it by patient");
                Searched::Failed(ReasonCode::SourceFailed)
            }
        }
    }

    /// Reads what the resources refer to and the answer did not contain, as far as a reader's text needs it.
    pub(super) async fn add_referred(&self, resources: &[Resource], pool: &mut Pool) {
        let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
        for resource in resources {
            for reference in needed(resource) {
                let target = unversioned(reference.at("reference").text());
                let here = pool.get(target).is_some();
                if let Some((kind, id)) =
                    target.split_once('/').filter(|(kind, id)| !here && is_kind(kind) && is_fhir_id(id))
                {
                    wanted.insert((kind.to_owned(), id.to_owned()));
                }
            }
        }
        let reads = wanted.iter().take(REFERRED_MAX).map(|(kind, id)| self.rest.read(kind, id));
        for resource in join_all(reads).await.into_iter().flatten().flatten() {
            pool.add(&resource);
        }
    }

    fn assemble(
        &self,
        patient: &Resource,
        datasets: &[Dataset],
        done: Vec<(&'static str, Searched, Pool)>,
        shared: &Pool,
    ) -> Vec<Reading> {
        let context = self.map_context();
        let mut readings: BTreeMap<i32, Reading> = datasets.iter().map(|d| (*d as i32, self.blank(*d))).collect();
        let mut tally = Tally::default();
        for (kind, searched, mut pool) in done {
            pool.merge(shared);
            match searched {
                Searched::NotKept => {}
                Searched::Failed(reason) => tally.failed(kind, reason),
                Searched::Found(found) => {
                    tally.kept(kind);
                    for resource in found.resources.iter().filter(|resource| resource.kind() == kind) {
                        if !is_about(resource, patient, self.rest.base()) {
                            // Never another person's: the item is missing here, and that is said.
                            warn!(kind, "the server answered with a resource about somebody else");
                            each(&mut readings, datasets_of(kind), |reading| reading.other_person += 1);
                            continue;
                        }
                        let mapped = map_resource(resource, &pool, &context);
                        count(&mut readings, &mapped.unreadable);
                        add_partial(&mut readings, &mapped.partial);
                        for (dataset, entry) in mapped.entries {
                            if let Some(reading) = readings.get_mut(&(dataset as i32)) {
                                reading.entries.push(entry);
                            }
                        }
                    }
                    for broken in &found.broken {
                        let of_kind = broken.kind.as_deref().map(datasets_of).unwrap_or_default();
                        count(&mut readings, if of_kind.is_empty() { datasets_of(kind) } else { of_kind });
                    }
                    if found.incomplete {
                        count(&mut readings, datasets_of(kind));
                    }
                    if found.over_limit {
                        tally.over_limit(kind);
                    }
                }
            }
        }
        let finish = |dataset: &Dataset| tally.finish(readings.remove(&(*dataset as i32)).unwrap_or_default());
        datasets.iter().map(finish).collect()
    }
}

/// What the searches mean for the datasets.
#[derive(Default)]
struct Tally {
    kept: BTreeSet<&'static str>,
    failed: BTreeMap<&'static str, ReasonCode>,
    over_limit: BTreeSet<&'static str>,
}

impl Tally {
    fn kept(&mut self, kind: &'static str) {
        self.kept.insert(kind);
    }

    fn failed(&mut self, kind: &'static str, reason: ReasonCode) {
        self.failed.insert(kind, reason);
    }

    fn over_limit(&mut self, kind: &'static str) {
        self.over_limit.insert(kind);
    }

    fn finish(&self, mut reading: Reading) -> Reading {
        if reading.not_held {
            return reading;
        }
        let left_out = reading.unreadable + reading.other_person;
        let is_blank = reading.entries.is_empty() && reading.partial.is_empty() && left_out == 0;
        let is_there = |kind: &str| self.kept.contains(kind) || self.failed.contains_key(kind);
        if is_blank && !homes_of(reading.dataset).any(is_there) {
            reading.not_held = true;
            return reading;
        }
        let reason = |code: ReasonCode| Reason { code: code as i32, count: 0 };
        let failure = |kind: &str| self.failed.get(kind).map(|code| *code as i32);
        // Where one of two types failed, what the other brought is shown as a part; with nothing to show it is no answer.
        if reading.entries.is_empty() && homes_of(reading.dataset).any(|kind| failure(kind).is_some()) {
            reading.failed = true;
            return reading;
        }
        // Without its lists, too, it is a part: they might have warned.
        let failures: BTreeSet<i32> = kinds_of(reading.dataset).filter_map(failure).collect();
        reading.partial.extend(failures.into_iter().map(|code| Reason { code, count: 0 }));
        if kinds_of(reading.dataset).any(|kind| self.over_limit.contains(kind)) {
            reading.partial.push(reason(ReasonCode::OverLimit));
        }
        reading
    }
}

/// Whether a resource is about this person and nobody else. One that names nobody is taken at the search's word.
pub(super) fn is_about(resource: &Resource, patient: &Resource, base: &Url) -> bool {
    let own = patient.reference();
    subjects(resource).iter().all(|subject| subject.strip_prefix(base.as_str()).unwrap_or(subject) == own)
}

fn count(readings: &mut BTreeMap<i32, Reading>, datasets: &[Dataset]) {
    each(readings, datasets, |reading| reading.unreadable += 1);
}

fn each(readings: &mut BTreeMap<i32, Reading>, datasets: &[Dataset], change: impl Fn(&mut Reading)) {
    for dataset in datasets {
        if let Some(reading) = readings.get_mut(&(*dataset as i32)) {
            change(reading);
        }
    }
}

fn add_partial(readings: &mut BTreeMap<i32, Reading>, missing: &[(Dataset, ReasonCode)]) {
    for (dataset, code) in missing {
        let reason = Reason { code: *code as i32, count: 0 };
        if let Some(reading) = readings.get_mut(&(*dataset as i32)).filter(|known| !known.partial.contains(&reason)) {
            reading.partial.push(reason);
        }
    }
}

fn included(kind: &str) -> &'static str {
    match kind {
        "MedicationStatement" => "MedicationStatement:medication",
        "MedicationRequest" => "MedicationRequest:medication",
        "CareTeam" => "CareTeam:participant",
        "DeviceUseStatement" => "DeviceUseStatement:device",
        _ => "",
    }
}

// The references without which an item has no name of its own.
fn needed(resource: &Resource) -> Vec<&Json> {
    let json = resource.json();
    let unnamed = |reference: &&Json| reference.at("display").text().is_empty();
    match resource.kind() {
        "MedicationStatement" | "MedicationRequest" => json.at("medicationReference").items().iter().collect(),
        "DeviceUseStatement" => json.at("device").items().iter().collect(),
        "CareTeam" => json.at("participant").items().iter().map(|p| p.at("member")).filter(unnamed).collect(),
        "Patient" => json.at("generalPractitioner").items().iter().collect(),
        _ => Vec::new(),
    }
}

fn is_kind(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
