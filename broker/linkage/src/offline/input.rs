//! Reading the file: rows into a population, and their own identifiers beside it.

use crate::identity::{Address, Identity, Name, NhsNumber, Sex};
use crate::normalise::hash_bytes;
use crate::offline::columns::{Column, Columns};
use crate::offline::{OfflineError, Progress, report::Quality};
use crate::population::Population;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::io::{Read, Write};

/// What was read.
pub(crate) struct Load {
    pub population: Population,
    pub people: People,
    pub quality: Quality,
    pub holds: Holds,
}

/// What the file has columns for.
#[derive(Clone, Copy)]
pub(crate) struct Holds {
    /// Anything beside names, birth date and sex.
    pub corroboration: bool,
}

/// The rows' own identifiers, kept in one piece.
#[derive(Default)]
pub(crate) struct People {
    sources: Vec<String>,
    source_of: Vec<u16>,
    ids: Vec<u8>,
    ends: Vec<u64>,
    numbers: FxHashMap<Vec<u8>, u16>,
}

const ROWS_MAX: usize = 1 << 31;
/// Sources beyond this many share the last number; their names are then wrong in no file that anybody has.
const SOURCES_MAX: usize = u16::MAX as usize;
const PROGRESS_ROWS: usize = 50_000;

pub(crate) fn load(input: impl Read, progress: &(dyn Fn(Progress) + Sync)) -> Result<Load, OfflineError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input);
    let columns = Columns::of(reader.byte_headers()?)?;
    let mut population = Population::new();
    let mut people = People::default();
    let mut quality = Quality::default();
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row)? {
        let number = people.len();
        if number >= ROWS_MAX {
            return Err(OfflineError::TooLong(ROWS_MAX));
        }
        let local_id = columns.get(&row, Column::LocalId);
        if local_id.is_empty() {
            return Err(OfflineError::LocalId(row.position().map_or(0, csv::Position::line)));
        }
        people.add(columns.get(&row, Column::Source), local_id);
        insert(&mut population, number as u32, &columns, &row, &mut quality);
        if (number + 1) % PROGRESS_ROWS == 0 {
            progress(Progress::Read(number + 1));
        }
    }
    progress(Progress::Read(people.len()));
    let beside = [Column::NhsNumber, Column::Line1, Column::Postcode, Column::Phone, Column::Email];
    let holds = Holds { corroboration: beside.iter().any(|column| columns.has(*column)) };
    Ok(Load { population, people, quality, holds })
}

fn insert(population: &mut Population, number: u32, columns: &Columns, row: &csv::ByteRecord, quality: &mut Quality) {
    let text = |column| String::from_utf8_lossy(columns.get(row, column));
    let (given, middle, family): (Cow<'_, str>, _, _) =
        (text(Column::Given), text(Column::Middle), text(Column::Family));
    let (line, postcode) = (text(Column::Line1), text(Column::Postcode));
    let (phone, email) = (text(Column::Phone), text(Column::Email));
    let (birth_date, death_date, written) = (text(Column::BirthDate), text(Column::DeathDate), text(Column::NhsNumber));
    let nhs_number = NhsNumber::parse(&written);
    quality.count(&written, nhs_number.is_some(), &birth_date, &family);
    let identity = Identity {
        nhs_number,
        nhs_number_verified: is_yes(columns.get(row, Column::NhsNumberVerified)),
        names: &[Name { family: &family, given: &[&given, &middle], ..Name::default() }],
        birth_date: &birth_date,
        sex: Sex::parse(&text(Column::Sex)),
        addresses: &[Address { lines: &[&line], postcode: &postcode }],
        phones: &[&phone],
        emails: &[&email],
        death_date: &death_date,
    };
    population.insert_bulk(number, &identity);
}

/// `1`, `true`, `yes`, `verified`, and `01`, the NHS Data Dictionary's "number present and verified".
fn is_yes(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    [&b"1"[..], b"01", b"t", b"true", b"y", b"yes", b"verified"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
}

impl People {
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    fn add(&mut self, source: &[u8], local_id: &[u8]) {
        let number = self.numbers.get(source).copied().unwrap_or_else(|| {
            let number = self.sources.len().min(SOURCES_MAX) as u16;
            self.sources.push(String::from_utf8_lossy(source).into_owned());
            self.numbers.insert(source.to_vec(), number);
            number
        });
        self.source_of.push(number);
        self.ids.extend_from_slice(local_id);
        self.ends.push(self.ids.len() as u64);
    }

    fn source(&self, row: u32) -> &[u8] {
        self.sources[usize::from(self.source_of[row as usize])].as_bytes()
    }

    fn local_id(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.ids[start..self.ends[row] as usize]
    }

    /// What tells a registration apart, whatever its row: a hash of source and local id.
    pub fn key(&self, row: u32) -> u128 {
        let source = hash_bytes(self.source(row), 11);
        let id = self.local_id(row);
        u128::from(hash_bytes(id, source)) << 64 | u128::from(hash_bytes(id, !source))
    }

    /// Writes `source,local_id`, quoted where CSV needs it.
    pub fn write_id(&self, to: &mut impl Write, row: u32) -> std::io::Result<()> {
        write_field(to, self.source(row))?;
        to.write_all(b",")?;
        write_field(to, self.local_id(row))
    }
}

fn write_field(to: &mut impl Write, field: &[u8]) -> std::io::Result<()> {
    if !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return to.write_all(field);
    }
    to.write_all(b"\"")?;
    for part in field.split_inclusive(|byte| *byte == b'"') {
        to.write_all(part)?;
        if part.ends_with(b"\"") {
            to.write_all(b"\"")?;
        }
    }
    to.write_all(b"\"")
}
