//! From the bytes of one bundle to what it says of whom. Mapping a resource is done by the FHIR kind.

use crate::{
    held::{Item, Loaded, Registered, Unreadable, Warning, Whose},
    settings::BundlePlan,
};
use severn_adapter_fhir::map::{
    Bundle, MapContext, Pool, Resource, datasets_of, document_here, local_id, map_resource, mapped_datasets,
    read_bundle, registration, subjects,
};
use severn_adapter_sdk::source::Document;
use severn_proto::v1::Dataset;
use std::collections::BTreeMap;

/// Reads one bundle. `file` is its name.
///
/// # Errors
/// Why it is no bundle, without a value.
pub(crate) fn load(bytes: &[u8], file: &str, plan: &BundlePlan, context: &MapContext) -> Result<Loaded, String> {
    let bundle = read_bundle(bytes).map_err(|error| format!("{file} is no FHIR bundle: {error}"))?;
    let mut loaded = Loaded::default();
    let (pool, names) = names(&bundle, file);
    for patient in bundle.resources.iter().filter(|resource| resource.kind() == "Patient") {
        let key = names.get(&patient.reference()).cloned().unwrap_or_default();
        match local_id(patient, plan.identifier_system.as_deref()).filter(|_| !key.is_empty()) {
            Some(id) => loaded.people.push(Registered {
                key,
                registration: registration(patient, &pool, &id, context),
                last_changed: patient.json().at("meta").at("lastUpdated").text().to_owned(),
            }),
            None => {
                loaded.people_lost += 1;
                loaded.remarks.push(format!("{file}: a Patient has no local id, or several that differ"));
            }
        }
    }
    for resource in &bundle.resources {
        add_resource(&mut loaded, resource, (&pool, &names), context);
    }
    for broken in &bundle.broken {
        let of_kind = broken.kind.as_deref().map(datasets_of).unwrap_or_default();
        // A type that is not mapped costs nothing; a resource without a readable type may be anything.
        let datasets = if broken.kind.is_none() { mapped_datasets() } else { of_kind.to_vec() };
        count(&mut loaded, &everybody_in(&names), &datasets);
        // What calls itself a type may be anything: only types that are mapped are named.
        let kind = broken.kind.as_deref().filter(|_| !of_kind.is_empty()).unwrap_or("resource");
        loaded.people_lost += u32::from(matches!(broken.kind.as_deref(), None | Some("Patient")));
        loaded.remarks.push(format!("{file}: a {kind} is unreadable"));
    }
    if bundle.incomplete {
        count(&mut loaded, &everybody_in(&names), &mapped_datasets());
        loaded.remarks.push(format!("{file}: the bundle itself says that something was left out"));
    }
    Ok(loaded)
}

/// The document that an entry lists, from the bytes of the bundle that holds the entry. `None` if it is not in there.
pub(crate) fn document(bytes: &[u8], entry_id: &str) -> Option<Document> {
    let bundle = read_bundle(bytes).ok()?;
    let mut pool = Pool::default();
    bundle.resources.iter().for_each(|resource| pool.add(resource));
    let wanted = entry_id.split('#').next().unwrap_or_default();
    let of_name = |resource: &&Resource| resource.kind() == "DocumentReference" && resource.reference() == wanted;
    let resource = bundle.resources.iter().find(of_name)?;
    document_here(resource, entry_id, &pool).ok().flatten()
}

type Names = BTreeMap<String, String>;

// Every name by which this bundle may call a person, and the person's key. An id holds in the whole folder, a name that
// only the bundle gives (a URN) holds only in it.
fn names(bundle: &Bundle, file: &str) -> (Pool, Names) {
    let (mut pool, mut names) = (Pool::default(), Names::new());
    for resource in &bundle.resources {
        pool.add(resource);
        if resource.kind() != "Patient" {
            continue;
        }
        let own = resource.reference();
        let key = if resource.id().is_empty() { format!("{file}#{own}") } else { own.clone() };
        if own.is_empty() {
            continue;
        }
        if !resource.full_url().is_empty() {
            names.insert(resource.full_url().to_owned(), key.clone());
        }
        names.insert(own, key);
    }
    (pool, names)
}

fn add_resource(loaded: &mut Loaded, resource: &Resource, (pool, names): (&Pool, &Names), context: &MapContext) {
    let datasets = datasets_of(resource.kind());
    if datasets.is_empty() {
        return;
    }
    let about: Vec<Whose> = subjects(resource).iter().map(|subject| whose(subject, names)).collect();
    // About nobody or about several: whose it is cannot be told without guessing, so it is missing and counted.
    let [Whose::Person(key)] = about.as_slice() else {
        let concerned = if about.is_empty() || about.contains(&Whose::Anybody) { everybody_in(names) } else { about };
        return count(loaded, &concerned, datasets);
    };
    let mapped = map_resource(resource, pool, context);
    count(loaded, &[Whose::Person(key.clone())], &mapped.unreadable);
    let warning = |(dataset, reason)| Warning { key: key.clone(), dataset, reason };
    loaded.warnings.extend(mapped.partial.into_iter().map(warning));
    for (dataset, entry) in mapped.entries {
        loaded.items.push(Item { key: key.clone(), dataset, entry: entry.into() });
    }
}

fn whose(subject: &str, names: &Names) -> Whose {
    match names.get(subject) {
        Some(key) => Whose::Person(key.clone()),
        // Perhaps registered by another file of the folder.
        None if subject.starts_with("Patient/") => Whose::Person(subject.to_owned()),
        None => Whose::Anybody,
    }
}

fn everybody_in(names: &Names) -> Vec<Whose> {
    let mut keys: Vec<&String> = names.values().collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() { vec![Whose::Anybody] } else { keys.into_iter().cloned().map(Whose::Person).collect() }
}

fn count(loaded: &mut Loaded, concerned: &[Whose], datasets: &[Dataset]) {
    for whose in concerned {
        let missing = datasets.iter().map(|dataset| Unreadable { whose: whose.clone(), dataset: *dataset });
        loaded.unreadable.extend(missing);
    }
}
