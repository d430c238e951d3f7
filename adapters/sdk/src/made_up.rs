//! A made-up source for the tests of this crate: a few people in memory, and moods in which it misbehaves.

use crate::{
    conformance::Keys,
    source::{Document, Finding, Reading, Source, SourceError},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use prost::Message as _;
use severn_proto::v1::{
    AllergyDetail, Dataset, Demographics, DocumentDetail, Entry, EntryBody, EntryHead, HumanName, LocalId,
    MedicationDetail, Provenance, Reason, ReasonCode, Registration, SensitivityLabel, entry_body::Detail,
};
use severn_trust::SigningKey;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

/// How the source behaves when it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// Panics when it is read.
    Panics,
    /// Never comes back when this dataset is read.
    HangsOn(Dataset),
    /// Cannot be reached.
    Down,
    /// Says nothing of the last dataset asked.
    ForgetsOne,
    /// Finds so many items of another person beside, or trusts nothing that it finds because of them.
    MixesUp { other_person: u32, failed: bool },
}

#[derive(Default)]
struct State {
    mood: Mood,
    people: BTreeMap<String, Demographics>,
    entries: BTreeMap<(String, Dataset), Vec<Entry>>,
    as_of_ms: Option<i64>,
    partial: Vec<Reason>,
    unreadable_rows: usize,
    looks: usize,
}

#[derive(Default)]
pub(crate) struct MadeUp(Mutex<State>);

/// The datasets that the made-up source keeps.
pub(crate) const HELD: [Dataset; 4] =
    [Dataset::Allergies, Dataset::CrisisPlans, Dataset::Medications, Dataset::Documents];

impl MadeUp {
    /// Two people; the first has an allergy, two medications and a document.
    pub fn new() -> MadeUp {
        let source = MadeUp::default();
        source.put("p1", "9434765919", "1980-02-01", "Brien");
        source.put("p2", "", "1990-03-04", "Okafor");
        source.add("p1", entry("a1", Dataset::Allergies, &[]));
        source.add("p1", entry("m1", Dataset::Medications, &[]));
        source.add("p1", entry("m2", Dataset::Medications, &[]));
        source.add("p1", entry("d1", Dataset::Documents, &[]));
        source
    }

    pub fn put(&self, local_id: &str, nhs: &str, born: &str, family: &str) {
        let name = HumanName { family: family.into(), ..HumanName::default() };
        let demographics = Demographics {
            nhs_number: nhs.into(),
            birth_date: born.into(),
            names: vec![name],
            ..Demographics::default()
        };
        self.lock().people.insert(local_id.into(), demographics);
    }

    pub fn restrict(&self, local_id: &str) {
        self.lock().people.get_mut(local_id).unwrap().restricted = true;
    }

    pub fn remove(&self, local_id: &str) {
        self.lock().people.remove(local_id);
    }

    pub fn add(&self, local_id: &str, entry: Entry) {
        let dataset = entry.head.as_ref().unwrap().dataset();
        self.add_under(local_id, dataset, entry);
    }

    /// Adds an entry under a dataset that need not be its own.
    pub fn add_under(&self, local_id: &str, dataset: Dataset, entry: Entry) {
        self.lock().entries.entry((local_id.into(), dataset)).or_default().push(entry);
    }

    pub fn feel(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    pub fn is_of(&self, as_of_ms: i64) {
        self.lock().as_of_ms = Some(as_of_ms);
    }

    /// What it says of each dataset that it does not give in whole.
    pub fn gives_a_part(&self, why: ReasonCode) {
        self.lock().partial = vec![Reason { code: why.into(), count: 0 }];
    }

    pub fn unreadable_rows(&self, count: usize) {
        self.lock().unreadable_rows = count;
    }

    /// How often all registrations were read.
    pub fn looks(&self) -> usize {
        self.lock().looks
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn up(&self) -> Result<(), SourceError> {
        match self.lock().mood {
            Mood::Down => Err(SourceError::Unreachable("made-up".into())),
            _ => Ok(()),
        }
    }
}

fn registration(local_id: &str, demographics: &Demographics) -> Registration {
    let id = LocalId { assigning_authority: "SUBJECT".into(), value: local_id.into() };
    Registration {
        source_id: "SUBJECT".into(),
        local_id: Some(id),
        demographics: Some(demographics.clone()),
        ..Registration::default()
    }
}

/// A whole entry of one of the datasets that the source keeps.
pub(crate) fn entry(id: &str, dataset: Dataset, labels: &[SensitivityLabel]) -> Entry {
    let detail = match dataset {
        Dataset::Allergies => Some(Detail::Allergy(AllergyDetail::default())),
        Dataset::Medications => Some(Detail::Medication(MedicationDetail::default())),
        Dataset::Documents => Some(Detail::Document(DocumentDetail::default())),
        _ => None,
    };
    let provenance = Provenance {
        organisation: "Subject".into(),
        system: "made up".into(),
        retrieved_at_ms: 1,
        ..Provenance::default()
    };
    let head = EntryHead {
        entry_id: id.into(),
        dataset: dataset.into(),
        text: format!("text of {id}"),
        labels: labels.iter().map(|label| i32::from(*label)).collect(),
        provenance: Some(provenance),
        ..EntryHead::default()
    };
    let body = EntryBody { detail, ..EntryBody::default() };
    Entry { head: Some(head), body: body.encode_to_vec().into() }
}

#[tonic::async_trait]
impl Source for MadeUp {
    fn datasets(&self) -> Vec<Dataset> {
        HELD.to_vec()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        self.up()?;
        let mut state = self.lock();
        state.looks += 1;
        let people: Vec<_> = state.people.iter().map(|(id, person)| Ok(registration(id, person))).collect();
        let unreadable = (0..state.unreadable_rows).map(|_| Err(SourceError::Mapping("made-up row".into())));
        Ok(stream::iter(people.into_iter().chain(unreadable).collect::<Vec<_>>()).boxed())
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        self.up()?;
        Ok(self.lock().people.get(local_id).map(|person| registration(local_id, person)))
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], _: Duration) -> Result<Vec<Reading>, SourceError> {
        self.up()?;
        let mood = self.lock().mood;
        match mood {
            Mood::Panics => panic!("made-up panic"),
            Mood::HangsOn(dataset) if datasets.contains(&dataset) => std::future::pending::<()>().await,
            _ => {}
        }
        let state = self.lock();
        let reading = |dataset: &Dataset| Reading {
            dataset: *dataset,
            entries: state.entries.get(&(local_id.to_owned(), *dataset)).cloned().unwrap_or_default(),
            as_of_ms: state.as_of_ms,
            partial: state.partial.clone(),
            other_person: if let Mood::MixesUp { other_person, .. } = mood { other_person } else { 0 },
            failed: matches!(mood, Mood::MixesUp { failed: true, .. }),
            ..Reading::default()
        };
        let asked =
            if mood == Mood::ForgetsOne { datasets.split_last().map_or(datasets, |(_, rest)| rest) } else { datasets };
        Ok(asked.iter().map(reading).collect())
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        let state = self.lock();
        let listed = state.entries.get(&(local_id.to_owned(), Dataset::Documents));
        let found = listed.is_some_and(|all| all.iter().any(|e| e.head.as_ref().unwrap().entry_id == entry_id));
        let bytes = Bytes::from(vec![7; 600 * 1024]);
        Ok(found.then(|| Document { media_type: "text/plain".into(), title: "letter.txt".into(), bytes }))
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Throw-away keys.
pub(crate) fn keys() -> Keys {
    let key = || SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    Keys { issuer: key(), app: key(), broker: key(), trail: key() }
}
