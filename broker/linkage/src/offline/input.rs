//! Reading the file: rows into a population, and their own identifiers beside it.

use crate::identity::{Address, Identity, Name, NhsNumber, Sex};
use crate::normalise::hash_bytes;
use crate::offline::columns::{Column, Columns};
use crate::offline::{OfflineError, Progress, report::Quality};
use crate::population::{Desk, Dictionary, Population, Understood};
use crate::superseded::Superseded;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

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
    /// A hash of each source.
    hashes: Vec<u64>,
    source_of: Vec<u16>,
    ids: Vec<u8>,
    ends: Vec<u64>,
    numbers: FxHashMap<Vec<u8>, u16>,
}

const ROWS_MAX: usize = 1 << 31;
/// Sources beyond this many share the last number; their names are then wrong in no file that anybody has.
const SOURCES_MAX: usize = u16::MAX as usize;
const PROGRESS_ROWS: usize = 50_000;

/// Rows handed from the thread that reads to one that understands.
const ROWS_AT_ONCE: usize = 1024;
/// Batches that may wait for one thread.
const BATCHES_MAX: usize = 8;

/// Opens a file of people: its reader, and where its columns stand.
fn open<R: Read>(input: R) -> Result<(csv::Reader<R>, Columns), OfflineError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input);
    let columns = Columns::of(reader.byte_headers()?)?;
    Ok((reader, columns))
}

/// One line of a file of people, as written; what is missing is empty.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the fields are the columns of [`crate::offline::link`]")]
pub struct Row {
    /// Its number in the file.
    pub line: u64,
    pub source: String,
    pub local_id: String,
    pub nhs_number: String,
    /// Whether the number was traced.
    pub nhs_number_verified: bool,
    pub given: String,
    pub middle: String,
    pub family: String,
    pub birth_date: String,
    pub sex: Sex,
    pub line1: String,
    pub postcode: String,
    pub phone: String,
    pub email: String,
    pub death_date: String,
}

/// Reads a file of people, line by line, for whoever wants them as they stand there.
///
/// # Errors
/// If it is no such file, at once or at the line at which it ceases to be one.
pub fn read_rows<R: Read>(input: R) -> Result<impl Iterator<Item = Result<Row, OfflineError>>, OfflineError> {
    let (reader, columns) = open(input)?;
    Ok(reader.into_byte_records().map(move |row| {
        let row = row?;
        let text = |column| String::from_utf8_lossy(columns.get(&row, column)).trim().to_owned();
        Ok(Row {
            line: row.position().map_or(0, csv::Position::line),
            source: text(Column::Source),
            local_id: text(Column::LocalId),
            nhs_number: text(Column::NhsNumber),
            nhs_number_verified: is_yes(columns.get(&row, Column::NhsNumberVerified)),
            given: text(Column::Given),
            middle: text(Column::Middle),
            family: text(Column::Family),
            birth_date: text(Column::BirthDate),
            sex: Sex::parse(&text(Column::Sex)),
            line1: text(Column::Line1),
            postcode: text(Column::Postcode),
            phone: text(Column::Phone),
            email: text(Column::Email),
            death_date: text(Column::DeathDate),
        })
    }))
}

/// Reads a file of people, which so many threads understand.
pub(crate) fn load(
    input: impl Read,
    superseded: &Superseded<NhsNumber>,
    threads: usize,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Load, OfflineError> {
    let (mut reader, columns) = open(input)?;
    let beside = [Column::NhsNumber, Column::Line1, Column::Postcode, Column::Phone, Column::Email];
    let holds = Holds { corroboration: beside.iter().any(|column| columns.has(*column)) };
    let mut load =
        Load { population: Population::new(), people: People::default(), quality: Quality::default(), holds };
    std::thread::scope(|scope| {
        let reading = Reading { columns: &columns, superseded };
        let mut clerks: Vec<Clerk> = (0..threads.max(1)).map(|_| Clerk::start(scope, reading)).collect();
        // Clerks with a batch, the oldest batch first: rows stay in order.
        let mut busy = VecDeque::new();
        let mut used = Vec::new();
        let mut turns = (0..clerks.len()).cycle();
        let mut more = Ok(true);
        loop {
            while busy.len() < BATCHES_MAX * clerks.len() && matches!(more, Ok(true)) {
                let mut batch = used.pop().unwrap_or_default();
                more = read_batch(&mut reader, &mut batch);
                let turn = turns.next().unwrap_or_default();
                // A clerk leaves only if its thread panics, which the scope does then.
                let _ = clerks[turn].full.send(batch);
                busy.push_back(turn);
            }
            let Some(clerk) = busy.pop_front().map(|turn| &mut clerks[turn]) else { break };
            let Ok(done) = clerk.done.recv() else { break };
            used.push(load.take(&columns, done, &mut clerk.dictionary)?);
            if load.people.len() % PROGRESS_ROWS < ROWS_AT_ONCE {
                progress(Progress::Read(load.people.len()));
            }
        }
        more?;
        Ok(load)
    })
}

/// Reads rows into memory that was used before. Says whether more may come; with an error, the rows before it are there.
fn read_batch<R: Read>(reader: &mut csv::Reader<R>, batch: &mut Vec<csv::ByteRecord>) -> Result<bool, csv::Error> {
    batch.resize_with(ROWS_AT_ONCE, csv::ByteRecord::new);
    let mut count = 0;
    let mut more = Ok(true);
    while let (Ok(true), Some(row)) = (&more, batch.get_mut(count)) {
        more = reader.read_byte_record(row);
        count += usize::from(matches!(more, Ok(true)));
    }
    batch.truncate(count);
    more
}

/// What understanding a row needs.
#[derive(Clone, Copy)]
struct Reading<'a> {
    columns: &'a Columns,
    superseded: &'a Superseded<NhsNumber>,
}

/// A batch, understood.
struct Done {
    batch: Vec<csv::ByteRecord>,
    understood: Understood,
    quality: Quality,
}

/// A thread that understands rows, batch after batch.
struct Clerk {
    full: Sender<Vec<csv::ByteRecord>>,
    done: Receiver<Done>,
    dictionary: Dictionary,
}

impl Clerk {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, reading: Reading<'scope>) -> Self {
        let (full, batches) = channel::<Vec<csv::ByteRecord>>();
        let (finished, done) = channel();
        scope.spawn(move || {
            let mut desk = Desk::new();
            for batch in batches {
                let (mut understood, mut quality) = (Understood::default(), Quality::default());
                batch.iter().for_each(|row| reading.understand(row, &mut desk, (&mut understood, &mut quality)));
                if finished.send(Done { batch, understood, quality }).is_err() {
                    return;
                }
            }
        });
        Self { full, done, dictionary: Dictionary::new() }
    }
}

impl Reading<'_> {
    fn understand(&self, row: &csv::ByteRecord, desk: &mut Desk, into: (&mut Understood, &mut Quality)) {
        let text = |column| String::from_utf8_lossy(self.columns.get(row, column));
        let (given, middle, family): (Cow<'_, str>, _, _) =
            (text(Column::Given), text(Column::Middle), text(Column::Family));
        let (line, postcode) = (text(Column::Line1), text(Column::Postcode));
        let (phone, email) = (text(Column::Phone), text(Column::Email));
        let (birth_date, death_date, written) =
            (text(Column::BirthDate), text(Column::DeathDate), text(Column::NhsNumber));
        let nhs_number = NhsNumber::parse(&written);
        let (understood, quality) = into;
        quality.count(&written, nhs_number.is_some(), &birth_date, &family);
        let identity = Identity {
            nhs_number: nhs_number.map(|number| self.superseded.current(number)),
            nhs_number_verified: is_yes(self.columns.get(row, Column::NhsNumberVerified)),
            names: &[Name { family: &family, given: &[&given, &middle], ..Name::default() }],
            birth_date: &birth_date,
            sex: Sex::parse(&text(Column::Sex)),
            addresses: &[Address { lines: &[&line], postcode: &postcode }],
            phones: &[&phone],
            emails: &[&email],
            death_date: &death_date,
        };
        desk.read(&identity, understood);
    }
}

impl Load {
    /// Takes a batch, whose memory it gives back.
    fn take(
        &mut self,
        columns: &Columns,
        done: Done,
        dictionary: &mut Dictionary,
    ) -> Result<Vec<csv::ByteRecord>, OfflineError> {
        let first = self.people.len();
        if first + done.batch.len() > ROWS_MAX {
            return Err(OfflineError::TooLong(ROWS_MAX));
        }
        for row in &done.batch {
            let local_id = columns.get(row, Column::LocalId);
            if local_id.is_empty() {
                return Err(OfflineError::LocalId(row.position().map_or(0, csv::Position::line)));
            }
            self.people.add(columns.get(row, Column::Source), local_id);
        }
        self.quality.add(&done.quality);
        self.population.insert_understood(first as u32, done.understood, dictionary);
        Ok(done.batch)
    }
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
            let name = String::from_utf8_lossy(source).into_owned();
            self.hashes.push(hash_bytes(name.as_bytes(), 11));
            self.sources.push(name);
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
        let source = self.hashes[usize::from(self.source_of[row as usize])];
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
