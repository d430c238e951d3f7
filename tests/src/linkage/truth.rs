//! Who is who in a set, as the measures need it: registrations by their place in the file, persons and groups as numbers.

use anyhow::{Context as _, Result, ensure};
use std::{collections::HashMap, path::Path};

/// The truth about a set.
#[derive(Debug, Default)]
pub struct Truth {
    places: HashMap<String, u32>,
    /// The person of each registration.
    pub person: Vec<u32>,
    /// The group of each registration, a place in [`Truth::groups`].
    pub group: Vec<u32>,
    /// Names of groups by the origin of names.
    pub groups: Vec<String>,
    /// Labelled pairs.
    pub traps: Vec<Trap>,
}

/// A labelled pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What makes it hard.
    pub kind: String,
    /// One registration.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// Whether they are one person's.
    pub same_person: bool,
}

impl Truth {
    /// Reads `source,local_id,person_id,name_origin`.
    ///
    /// # Errors
    /// If the file cannot be read or lacks a column.
    pub fn read(path: &Path) -> Result<Truth> {
        let mut truth = Truth::default();
        let (mut persons, mut groups) = (HashMap::new(), HashMap::new());
        for row in rows(path, ["source", "local_id", "person_id", "name_origin"])? {
            let [source, local_id, person, group] = row?;
            let place = truth.person.len() as u32;
            ensure!(truth.places.insert(key(&source, &local_id), place).is_none(), "{source} {local_id} stands twice");
            let next = persons.len() as u32;
            truth.person.push(*persons.entry(person).or_insert(next));
            let next = groups.len() as u32;
            truth.group.push(*groups.entry(group.clone()).or_insert(next));
            if truth.groups.len() < groups.len() {
                truth.groups.push(group);
            }
        }
        Ok(truth)
    }

    /// Reads `trap,source_a,local_id_a,source_b,local_id_b,same_person` in addition.
    ///
    /// # Errors
    /// If the file cannot be read, lacks a column or names a registration that is not in the set.
    pub fn read_traps(&mut self, path: &Path) -> Result<()> {
        let columns = ["trap", "source_a", "local_id_a", "source_b", "local_id_b", "same_person"];
        for row in rows(path, columns)? {
            let [kind, source_a, local_id_a, source_b, local_id_b, same] = row?;
            let (a, b) = (self.place(&source_a, &local_id_a)?, self.place(&source_b, &local_id_b)?);
            self.traps.push(Trap { kind, a, b, same_person: same == "true" });
        }
        Ok(())
    }

    /// Where a registration stands in the set.
    ///
    /// # Errors
    /// If it is not in the set.
    pub fn place(&self, source: &str, local_id: &str) -> Result<u32> {
        self.places
            .get(&key(source, local_id))
            .copied()
            .with_context(|| format!("{source} {local_id} is not in the set"))
    }

    /// Registrations in the set.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.person.len()
    }

    /// Every pair of registrations of one person, found or not; by group.
    #[must_use]
    pub fn pairs_by_group(&self) -> Vec<u64> {
        let mut of_person: HashMap<u32, (u64, u32)> = HashMap::new();
        for (&person, &group) in self.person.iter().zip(&self.group) {
            of_person.entry(person).or_insert((0, group)).0 += 1;
        }
        let mut pairs = vec![0; self.groups.len()];
        for (count, group) in of_person.into_values() {
            pairs[group as usize] += count * (count - 1) / 2;
        }
        pairs
    }

    /// Whether two registrations are one person's.
    #[must_use]
    pub fn same(&self, a: u32, b: u32) -> bool {
        self.person[a as usize] == self.person[b as usize]
    }
}

fn key(source: &str, local_id: &str) -> String {
    format!("{source}\n{local_id}")
}

/// The named columns of a file, row by row, in the order asked for.
///
/// # Errors
/// If the file cannot be read or lacks a column.
pub fn rows<const N: usize>(path: &Path, columns: [&str; N]) -> Result<impl Iterator<Item = Result<[String; N]>>> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.trim(csv::Trim::Headers).from_path(path);
    let mut reader = reader.with_context(|| format!("{} cannot be read", path.display()))?;
    let header = reader.headers()?.clone();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let found = header.iter().position(|name| name == column);
        *place = found.with_context(|| format!("{} has no column {column}", path.display()))?;
    }
    let row = move |row: csv::Result<csv::StringRecord>| {
        let row = row?;
        Ok(places.map(|place| row.get(place).unwrap_or_default().to_owned()))
    };
    Ok(reader.into_records().map(row))
}
