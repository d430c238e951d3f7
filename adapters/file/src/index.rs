//! Everybody whom the files speak of, by local id. Made anew from the last good version of each file; no file is opened
//! here.

use crate::{
    held::{Loaded, Registered, Whose},
    settings::Plan,
};
use severn_proto::v1::{Dataset, Entry, Registration};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The last good version of one file.
pub(crate) struct Version {
    pub loaded: Arc<Loaded>,
    /// When the file was last changed: milliseconds since 1970-01-01T00:00:00Z.
    pub modified_ms: i64,
    pub is_table: bool,
}

/// One person.
#[derive(Default)]
pub(crate) struct Person {
    /// Who it is; `None` where two different persons are registered under this local id.
    pub registration: Option<Registration>,
    pub datasets: BTreeMap<i32, Shelf>,
    /// The oldest bundle that speaks of the person: milliseconds since 1970; `None` without bundles.
    pub bundles_of_ms: Option<i64>,
}

/// What is held of one dataset for one person.
#[derive(Default)]
pub(crate) struct Shelf {
    pub entries: Vec<Held>,
    pub unreadable: u32,
    /// Why the files themselves say that this is only a part: numbers of `ReasonCode`.
    pub warnings: BTreeSet<i32>,
    /// Entry id → its place among the entries.
    places: BTreeMap<String, usize>,
}

/// One entry with the file it is from.
pub(crate) struct Held {
    pub entry: Arc<Entry>,
    pub file: Arc<str>,
}

/// Everybody.
#[derive(Default)]
pub(crate) struct Index {
    pub people: BTreeMap<String, Person>,
    /// What may be missing for anybody.
    pub anybody: BTreeMap<i32, u32>,
    /// Persons who could not be read.
    pub people_lost: u32,
    /// Items about persons whom no file registers.
    pub orphans: u32,
    /// The time of each extract that was read: milliseconds since 1970.
    pub tables_of_ms: BTreeMap<String, i64>,
    /// The oldest bundle: milliseconds since 1970.
    pub bundles_of_ms: Option<i64>,
}

/// Makes the index. The result does not depend on anything but the versions.
pub(crate) fn build(versions: &BTreeMap<String, Version>) -> Index {
    let mut index = Index::default();
    let names = local_ids(versions);
    register(&mut index, versions);
    for (file, version) in versions {
        if version.is_table {
            index.tables_of_ms.insert(file.clone(), version.modified_ms);
        } else {
            index.bundles_of_ms = earlier(index.bundles_of_ms, version.modified_ms);
        }
        index.people_lost += version.loaded.people_lost;
        let file: Arc<str> = file.as_str().into();
        for item in &version.loaded.items {
            let Some(person) = person_of(&mut index, &names, version, &item.key) else {
                index.orphans += 1;
                continue;
            };
            let shelf = person.datasets.entry(item.dataset as i32).or_default();
            shelf.add(Held { entry: Arc::clone(&item.entry), file: Arc::clone(&file) });
        }
        for warning in &version.loaded.warnings {
            if let Some(person) = person_of(&mut index, &names, version, &warning.key) {
                let shelf = person.datasets.entry(warning.dataset as i32).or_default();
                shelf.warnings.insert(warning.reason as i32);
            }
        }
        for missing in &version.loaded.unreadable {
            let dataset = missing.dataset as i32;
            match &missing.whose {
                Whose::Anybody => *index.anybody.entry(dataset).or_default() += 1,
                Whose::Person(key) => {
                    if let Some(person) = person_of(&mut index, &names, version, key) {
                        person.datasets.entry(dataset).or_default().unreadable += 1;
                    }
                }
            }
        }
    }
    index
}

impl Shelf {
    // The same entry from two files is one entry: its later version, by what the source itself says of it. Where that
    // is not said and the two differ, one is kept and the other counted as missing.
    fn add(&mut self, held: Held) {
        let Some(head) = &held.entry.head else { return };
        let Some(at) = self.places.get(&head.entry_id).copied() else {
            self.places.insert(head.entry_id.clone(), self.entries.len());
            return self.entries.push(held);
        };
        let known = &mut self.entries[at];
        if same(&known.entry, &held.entry) {
            return;
        }
        let old = known.entry.head.as_ref().map_or("", |head| head.last_changed.as_str());
        let is_said = !old.is_empty() && !head.last_changed.is_empty() && old != head.last_changed;
        self.unreadable += u32::from(!is_said);
        if is_said && head.last_changed.as_str() > old {
            *known = held;
        }
    }
}

// When they were read says nothing of the entries.
fn same(a: &Entry, b: &Entry) -> bool {
    let untimed = |entry: &Entry| {
        let mut entry = entry.clone();
        if let Some(provenance) = entry.head.as_mut().and_then(|head| head.provenance.as_mut()) {
            provenance.retrieved_at_ms = 0;
        }
        entry
    };
    untimed(a) == untimed(b)
}

fn local_id(registered: &Registered) -> String {
    registered.registration.local_id.as_ref().map(|id| id.value.clone()).unwrap_or_default()
}

// What bundles call a person, and the local id. One name with two local ids is nobody's.
fn local_ids(versions: &BTreeMap<String, Version>) -> BTreeMap<String, Option<String>> {
    let mut names: BTreeMap<String, Option<String>> = BTreeMap::new();
    for registered in versions.values().filter(|v| !v.is_table).flat_map(|version| &version.loaded.people) {
        let id = Some(local_id(registered));
        names
            .entry(registered.key.clone())
            .and_modify(|known| *known = known.take().filter(|k| Some(k) == id.as_ref()))
            .or_insert(id);
    }
    names
}

// The registration that counts: of an extract before one of a bundle, the later before the earlier. Two persons of one
// kind of file under one local id are nobody.
fn register(index: &mut Index, versions: &BTreeMap<String, Version>) {
    let mut best: BTreeMap<String, (bool, &str, i64, &Registered)> = BTreeMap::new();
    let mut ambiguous: BTreeSet<String> = BTreeSet::new();
    for version in versions.values() {
        for registered in &version.loaded.people {
            let id = local_id(registered);
            let rank = (version.is_table, registered.last_changed.as_str(), version.modified_ms);
            let Some((is_table, changed, modified_ms, known)) = best.get(&id).copied() else {
                best.insert(id, (rank.0, rank.1, rank.2, registered));
                continue;
            };
            let other_person = if version.is_table {
                known.registration != registered.registration
            } else {
                known.key != registered.key
            };
            if is_table == version.is_table && other_person {
                ambiguous.insert(id);
            } else if rank > (is_table, changed, modified_ms) {
                best.insert(id, (rank.0, rank.1, rank.2, registered));
            }
        }
    }
    for (id, (_, _, _, registered)) in best {
        let registration = Some(registered.registration.clone()).filter(|_| !ambiguous.contains(&id));
        index.people.insert(id, Person { registration, ..Person::default() });
    }
}

// Somebody whom no file registers has no place: nothing can ask about them.
fn person_of<'a>(
    index: &'a mut Index,
    names: &BTreeMap<String, Option<String>>,
    version: &Version,
    key: &str,
) -> Option<&'a mut Person> {
    if version.is_table {
        return index.people.get_mut(key);
    }
    let person = index.people.get_mut(names.get(key)?.as_ref()?)?;
    person.bundles_of_ms = earlier(person.bundles_of_ms, version.modified_ms);
    Some(person)
}

fn earlier(known: Option<i64>, time: i64) -> Option<i64> {
    Some(known.map_or(time, |known| known.min(time)))
}

impl Index {
    /// The time that the data of one person's dataset is of; `None` if no file of it was read.
    pub(crate) fn as_of_ms(&self, plan: &Plan, person: Option<&Person>, dataset: Dataset) -> Option<i64> {
        let bundles =
            plan.in_bundles(dataset).then(|| person.and_then(|p| p.bundles_of_ms).or(self.bundles_of_ms)).flatten();
        let tables = self.tables_of(plan, dataset).into_iter().filter_map(|file| self.tables_of_ms.get(file).copied());
        tables.chain(bundles).min()
    }

    /// Whether every extract of the dataset was read at some time.
    pub(crate) fn has_tables(&self, plan: &Plan, dataset: Dataset) -> bool {
        self.tables_of(plan, dataset).into_iter().all(|file| self.tables_of_ms.contains_key(file))
    }

    fn tables_of<'a>(&self, plan: &'a Plan, dataset: Dataset) -> Vec<&'a str> {
        let Some(csv) = &plan.csv else { return Vec::new() };
        let own = csv.tables.iter().filter(|table| table.dataset == dataset).map(|table| table.file.as_str());
        let shown = csv.people.show_as_demographics && dataset == Dataset::Demographics;
        own.chain(shown.then_some(csv.people.file.as_str())).collect()
    }
}
