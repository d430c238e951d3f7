//! People as files, for programs that are given files: the registrations, and apart from them the truth, the traps and
//! the superseded numbers.

use super::People;
use std::{
    fs::File,
    io::{BufWriter, Result, Write},
    path::{Path, PathBuf},
};

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The registrations, in the columns of the linkage tool.
    pub registrations: PathBuf,
    /// `source,local_id,person_id,name_origin`.
    pub truth: PathBuf,
    /// `trap,source_a,local_id_a,source_b,local_id_b,same_person`.
    pub traps: PathBuf,
    /// `old,new`.
    pub superseded: PathBuf,
}

impl Files {
    /// The four files in a folder.
    #[must_use]
    pub fn within(folder: &Path) -> Files {
        let file = |name| folder.join(name);
        Files {
            registrations: file("people.csv"),
            truth: file("truth.csv"),
            traps: file("traps.csv"),
            superseded: file("superseded.csv"),
        }
    }
}

/// The columns of the registrations.
pub const COLUMNS: &str = "source,local_id,nhs_number,nhs_number_verified,given,middle,family,birth_date,sex,line1,\
     postcode,phone,email,death_date";

/// Writes the four files. `with_numbers` is false for a set without NHS numbers.
///
/// # Errors
/// If a file cannot be written.
pub fn write(people: &People, files: &Files, with_numbers: bool) -> Result<()> {
    registrations(people, &files.registrations, with_numbers)?;
    let mut truth = BufWriter::new(File::create(&files.truth)?);
    writeln!(truth, "source,local_id,person_id,name_origin")?;
    for (registration, of) in people.registrations.iter().zip(&people.truth) {
        writeln!(truth, "{},{},P{:07},{}", registration.source, registration.local_id, of.person, of.origin.name())?;
    }
    let mut traps = BufWriter::new(File::create(&files.traps)?);
    writeln!(traps, "trap,source_a,local_id_a,source_b,local_id_b,same_person")?;
    for trap in &people.traps {
        let (a, b) = (&people.registrations[trap.a], &people.registrations[trap.b]);
        let ids = format!("{},{},{},{}", a.source, a.local_id, b.source, b.local_id);
        writeln!(traps, "{},{ids},{}", trap.kind.name(), trap.kind.same_person())?;
    }
    let mut superseded = BufWriter::new(File::create(&files.superseded)?);
    writeln!(superseded, "old,new")?;
    for (old, new) in &people.superseded {
        writeln!(superseded, "{old},{new}")?;
    }
    truth.flush()?;
    traps.flush()?;
    superseded.flush()
}

fn registrations(people: &People, path: &Path, with_numbers: bool) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "{COLUMNS}")?;
    for r in &people.registrations {
        let (number, verified) = match (with_numbers && !r.nhs_number.is_empty(), r.nhs_number_verified) {
            (false, _) => ("", ""),
            (true, true) => (&*r.nhs_number, "true"),
            (true, false) => (&*r.nhs_number, "false"),
        };
        // No value holds a comma, a quote or a line end, so that none needs quoting.
        let fields = [
            r.source,
            &r.local_id,
            number,
            verified,
            &r.given,
            &r.middle,
            &r.family,
            &r.birth_date,
            r.sex,
            &r.line1,
            &r.postcode,
            &r.phone,
            &r.email,
            &r.death_date,
        ];
        for (nth, field) in fields.iter().enumerate() {
            if nth > 0 {
                out.write_all(b",")?;
            }
            out.write_all(field.as_bytes())?;
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}
