//! The sets that linkage is measured on, as files in the columns of the linkage tool: people of our own making, or a
//! file that holds its truth in a column `person_id`.

use super::truth::{Truth, rows};
use crate::people::{self, Files, Plan};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// A set on disk with its truth.
#[derive(Debug)]
pub struct Set {
    /// How the report calls it.
    pub name: String,
    /// The files.
    pub files: Files,
    /// Who is who.
    pub truth: Truth,
}

impl Set {
    /// The verified NHS number of each registration, as the superseded map leads to it.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn verified_numbers(&self) -> Result<Vec<Option<u64>>> {
        let mut current = HashMap::new();
        for row in rows(&self.files.superseded, ["old", "new"])? {
            let [old, new] = row?;
            current.insert(old, new);
        }
        let numbers = rows(&self.files.registrations, ["nhs_number", "nhs_number_verified"])?.map(|row| {
            let [number, verified] = row?;
            let number = current.get(&number).unwrap_or(&number);
            Ok((verified == "true").then(|| number.parse().ok()).flatten())
        });
        numbers.collect()
    }
}

/// Where the values of a set come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Made from a seed.
    Made(Plan),
    /// A file with `person_id` inside.
    Given(PathBuf),
}

impl Origin {
    /// Writes the set into a folder, with or without NHS numbers, and reads its truth.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn set(&self, folder: &Path, with_numbers: bool) -> Result<Set> {
        std::fs::create_dir_all(folder)?;
        let files = Files::within(folder);
        let name = match self {
            Origin::Made(plan) => {
                people::write(&people::make(*plan), &files, with_numbers)?;
                format!("{} registrations made from seed {}", plan.registrations, plan.seed)
            }
            Origin::Given(path) => {
                given(path, &files, with_numbers)?;
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        };
        let mut truth = Truth::read(&files.truth)?;
        truth.read_traps(&files.traps)?;
        Ok(Set { name, files, truth })
    }
}

/// Other names of the tool's columns: those of the yardstick's generator.
const ALSO: [(&str, &str); 5] = [
    ("source", "provider"),
    ("local_id", "rec_id"),
    ("nhs_number_verified", "nhs_status"),
    ("birth_date", "dob"),
    ("name_origin", "group"),
];

/// The yardstick's names of traps, and ours.
const TRAPS: [(&str, &str); 13] = [
    ("father_son", "father_and_son"),
    ("same_household", "household"),
    ("namesake_same_dob", "namesakes"),
    ("nhs_overlay_different_person", "overlaid_wrong_person"),
    ("nhs_overlay_true_person", "overlaid_right_person"),
    ("nhs_superseded", "superseded"),
    ("dob_swap", "birth_date_swapped"),
    ("dob_jan1", "first_of_january"),
    ("dob_missing", "birth_date_missing"),
    ("name_change+moved", "name_change_moved"),
    ("translit", "transliterated"),
    ("nick", "nickname"),
    ("middle_swap", "crossed_names"),
];

/// Puts a given file, and the traps and superseded numbers beside it, into our columns.
fn given(path: &Path, files: &Files, with_numbers: bool) -> Result<()> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let header = reader.headers()?.clone();
    let find = |column: &str| {
        let also = ALSO.iter().find(|(ours, _)| *ours == column).map(|(_, theirs)| *theirs);
        header.iter().position(|name| name == column || Some(name) == also)
    };
    let columns: Vec<(&str, Option<usize>)> = people::COLUMNS.split(',').map(|column| (column, find(column))).collect();
    let (Some(source), Some(local_id), Some(person)) = (find("source"), find("local_id"), find("person_id")) else {
        bail!("{} needs the columns source (or provider), local_id (or rec_id) and person_id", path.display());
    };
    let origin = find("name_origin");
    let mut out = csv::Writer::from_path(&files.registrations)?;
    let mut truth = csv::Writer::from_path(&files.truth)?;
    out.write_record(columns.iter().map(|(column, _)| *column))?;
    truth.write_record(["source", "local_id", "person_id", "name_origin"])?;
    let number = find("nhs_number");
    let mut known = HashMap::new();
    for row in reader.records() {
        let row = row?;
        let value = |at: usize| row.get(at).unwrap_or_default();
        out.write_record(columns.iter().map(|&(column, at)| match (column, at.map(value).unwrap_or_default()) {
            ("nhs_number" | "nhs_number_verified", _) if !with_numbers => "",
            // The yardstick's status 01 is "number present and verified" of the NHS Data Dictionary.
            ("nhs_number_verified", "01") => "true",
            ("nhs_number_verified", status) if status != "true" => "false",
            (_, value) => value,
        }))?;
        truth.write_record([value(source), value(local_id), value(person), origin.map(value).unwrap_or("all")])?;
        let number = number.map(value).unwrap_or_default().to_owned();
        known.insert(value(local_id).to_owned(), Known { source: value(source).to_owned(), number });
    }
    out.flush()?;
    truth.flush()?;
    beside(path, files, &known)
}

/// What the files beside a given one need to know of a registration.
struct Known {
    source: String,
    number: String,
}

fn beside(path: &Path, files: &Files, known: &HashMap<String, Known>) -> Result<()> {
    let stem = path.with_extension("");
    let neighbour = |ending: &str| PathBuf::from(format!("{}_{ending}.csv", stem.display()));
    let mut traps = csv::Writer::from_path(&files.traps)?;
    traps.write_record(["trap", "source_a", "local_id_a", "source_b", "local_id_b", "same_person"])?;
    if neighbour("traps").exists() {
        for row in rows(&neighbour("traps"), ["rec_a", "rec_b", "kind", "same_person"])? {
            let [a, b, kind, same] = row?;
            let kind = TRAPS.iter().find(|(theirs, _)| *theirs == kind).map_or(&*kind, |(_, ours)| ours);
            let source = |id: &str| known.get(id).map(|known| &*known.source).unwrap_or_default();
            let number = |id: &str| known.get(id).map(|known| &*known.number).unwrap_or_default();
            // The yardstick also names pairs of which one lost the number: nothing is overlaid there.
            if kind == "overlaid_wrong_person" && number(&a) != number(&b) {
                continue;
            }
            let same = if same == "1" { "true" } else { "false" };
            traps.write_record([kind, source(&a), &*a, source(&b), &*b, same])?;
        }
    }
    traps.flush()?;
    let mut superseded = BufWriter::new(File::create(&files.superseded)?);
    writeln!(superseded, "old,new")?;
    if neighbour("superseded").exists() {
        for row in rows(&neighbour("superseded"), ["old_nhs", "new_nhs"])? {
            let [old, new] = row?;
            writeln!(superseded, "{old},{new}")?;
        }
    }
    superseded.flush()?;
    Ok(())
}

/// Splits a set for tracing: a clean index of one registration, at a practice, of nineteen in twenty persons, and all
/// other registrations as queries, of people who are in the index and of people who are not. Returns who is in it.
///
/// # Errors
/// If a file cannot be read or written.
pub fn split(set: &Set, index: &Path, queries: &Path) -> Result<Vec<bool>> {
    let mut reader = csv::Reader::from_path(&set.files.registrations)?;
    let (mut index, mut queries) = (csv::Writer::from_path(index)?, csv::Writer::from_path(queries)?);
    let header = reader.byte_headers()?.clone();
    index.write_byte_record(&header)?;
    queries.write_byte_record(&header)?;
    let mut indexed = vec![false; set.truth.registrations()];
    let mut row = csv::ByteRecord::new();
    for &person in &set.truth.person {
        if !reader.read_byte_record(&mut row)? {
            bail!("{} is shorter than its truth", set.files.registrations.display());
        }
        let at_practice = row.get(0).is_some_and(|source| source.to_ascii_lowercase().starts_with(b"gp"));
        let is_indexed = &mut indexed[person as usize];
        if at_practice && !*is_indexed && !is_absent(person) {
            *is_indexed = true;
            index.write_byte_record(&row)?;
        } else {
            queries.write_byte_record(&row)?;
        }
    }
    index.flush()?;
    queries.flush()?;
    Ok(indexed)
}

/// Whether a person is kept out of the index: one in twenty.
#[must_use]
const fn is_absent(person: u32) -> bool {
    person.wrapping_mul(2_654_435_761) >> 16 & 0xff < 13
}
