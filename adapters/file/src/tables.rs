//! From the bytes of one extract to what its rows say of whom. A bad row is reported by its line and costs only itself;
//! an extract whose header does not fit the mapping is refused as a whole.

use crate::{
    held::{Item, Loaded, Registered, Unreadable, Whose},
    settings::{CsvPlan, Encoding, PeoplePlan, TablePlan},
};
use csv::{ByteRecord, ReaderBuilder};
use severn_adapter_sdk::{
    cells::Row,
    mapping::{ReadAt, demographics_entry},
};
use severn_proto::v1::Dataset;
use std::collections::BTreeMap;

/// Largest row that is read, in bytes. A quote that is never closed makes one row of all that follows.
const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Remarks kept for one extract.
const REMARKS_MAX: usize = 20;

/// Reads one extract. `file` is its name; every table that the configuration takes from it is mapped.
///
/// # Errors
/// Why it cannot be read at all: the encoding, the header.
pub(crate) fn load(bytes: &[u8], file: &str, plan: &CsvPlan, at: &ReadAt<'_>) -> Result<Loaded, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("{file} is UTF-16; save it as UTF-8, or as code page 1252 with file.csv.encoding"));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().delimiter(plan.delimiter).flexible(true).from_reader(bytes);
    let header = reader.byte_headers().map_err(|_| format!("{file} has no readable header line"))?;
    let header =
        decoded(header, plan.encoding).ok_or_else(|| format!("{file}: the header is not in file.csv.encoding"))?;
    let columns = columns(&header, file)?;
    let tables: Vec<&TablePlan> = plan.tables.iter().filter(|table| table.file == file).collect();
    let people = Some(&plan.people).filter(|people| people.file == file);
    for table in &tables {
        let wanted = table.entry.columns().into_iter().chain([table.person.as_str()]);
        has_columns(wanted, &columns, file)?;
    }
    if let Some(people) = people {
        has_columns(people.person.columns(), &columns, file)?;
    }
    let mut loading = Loading { file, columns, tables, people, at, loaded: Loaded::default(), bad_rows: 0 };
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => loading.add(&record, plan.encoding),
            // Only the reader's own limits bring it here: what follows in the file is not known.
            Err(_) => {
                loading.lost(None, "the rest cannot be read");
                break;
            }
        }
    }
    Ok(loading.finish())
}

struct Loading<'a> {
    file: &'a str,
    columns: BTreeMap<String, usize>,
    tables: Vec<&'a TablePlan>,
    people: Option<&'a PeoplePlan>,
    at: &'a ReadAt<'a>,
    loaded: Loaded,
    bad_rows: u64,
}

struct CsvRow<'a> {
    columns: &'a BTreeMap<String, usize>,
    values: Vec<String>,
}

impl Row for CsvRow<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        let value = self.values.get(*self.columns.get(column)?)?;
        Some(value.as_str()).filter(|text| !text.is_empty())
    }
}

impl Loading<'_> {
    fn add(&mut self, record: &ByteRecord, encoding: Encoding) {
        let line = record.position().map(csv::Position::line);
        // With a value too many or too few, every column after it may be another: whose row it is cannot be told.
        if record.len() != self.columns.len() {
            return self.lost(line, "another number of values than the header");
        }
        if record.as_slice().len() > ROW_BYTES_MAX {
            return self.lost(line, "larger than 1 MiB; is a quote never closed?");
        }
        let Some(values) = decoded(record, encoding) else {
            return self.lost(line, "not in file.csv.encoding");
        };
        let columns = std::mem::take(&mut self.columns);
        let row = CsvRow { columns: &columns, values };
        self.add_person(&row, line);
        for table in self.tables.clone() {
            self.add_entry(table, &row, line);
        }
        self.columns = columns;
    }

    fn add_person(&mut self, row: &CsvRow<'_>, line: Option<u64>) {
        let Some(people) = self.people else { return };
        let Ok(registration) = people.person.map_row(row, self.at.context) else {
            self.loaded.people_lost += 1;
            return self.remark(line, "no usable local id");
        };
        if people.person.has_wrong_nhs_number(row) {
            self.remark(line, "the NHS number is wrong and is left out");
        }
        let key = registration.local_id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
        if people.show_as_demographics {
            match demographics_entry(&registration, self.at) {
                Some(entry) => self.loaded.items.push(Item {
                    key: key.clone(),
                    dataset: Dataset::Demographics,
                    entry: entry.into(),
                }),
                None => self.missing(Whose::Person(key.clone()), Dataset::Demographics),
            }
        }
        self.loaded.people.push(Registered { key, registration, last_changed: String::new() });
    }

    fn add_entry(&mut self, table: &TablePlan, row: &CsvRow<'_>, line: Option<u64>) {
        let Some(key) = row.text(&table.person).map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned) else {
            self.remark(line, "nobody is named whom the row is about");
            return self.missing(Whose::Anybody, table.dataset);
        };
        match table.entry.map_row(row, self.at) {
            Ok(entry) => {
                if table.entry.unknown_status(row).is_some() {
                    self.remark(line, "the status is not among status_values");
                }
                self.loaded.items.push(Item { key, dataset: table.dataset, entry: entry.into() });
            }
            Err(error) => {
                self.remark(line, &error.to_string());
                self.missing(Whose::Person(key), table.dataset);
            }
        }
    }

    fn lost(&mut self, line: Option<u64>, why: &str) {
        self.remark(line, why);
        self.loaded.people_lost += u32::from(self.people.is_some());
        for table in self.tables.clone() {
            self.missing(Whose::Anybody, table.dataset);
        }
    }

    fn missing(&mut self, whose: Whose, dataset: Dataset) {
        self.loaded.unreadable.push(Unreadable { whose, dataset });
    }

    fn remark(&mut self, line: Option<u64>, why: &str) {
        self.bad_rows += 1;
        if self.loaded.remarks.len() < REMARKS_MAX {
            let line = line.map_or_else(|| "end".to_owned(), |line| format!("line {line}"));
            self.loaded.remarks.push(format!("{} {line}: {why}", self.file));
        }
    }

    fn finish(mut self) -> Loaded {
        let more = self.bad_rows.saturating_sub(REMARKS_MAX as u64);
        if more > 0 {
            self.loaded.remarks.push(format!("{}: {more} more rows like these", self.file));
        }
        self.loaded
    }
}

fn columns(header: &[String], file: &str) -> Result<BTreeMap<String, usize>, String> {
    let mut columns = BTreeMap::new();
    for (at, name) in header.iter().enumerate() {
        if columns.insert(name.trim().to_owned(), at).is_some() {
            return Err(format!("{file}: two columns have the same name; give each its own"));
        }
    }
    Ok(columns)
}

fn has_columns<'a>(
    wanted: impl IntoIterator<Item = &'a str>,
    columns: &BTreeMap<String, usize>,
    file: &str,
) -> Result<(), String> {
    match wanted.into_iter().find(|name| !columns.contains_key(*name)) {
        Some(name) => Err(format!("{file} has no column {name}; correct the mapping or file.csv.delimiter")),
        None => Ok(()),
    }
}

fn decoded(record: &ByteRecord, encoding: Encoding) -> Option<Vec<String>> {
    let decode = |bytes: &[u8]| match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Encoding::Cp1252 => bytes.iter().map(|byte| cp1252(*byte)).collect(),
    };
    record.iter().map(decode).collect()
}

/// Code page 1252 (Unicode consortium, CP1252.TXT): Latin-1 but for 0x80 to 0x9f, of which five are not used.
fn cp1252(byte: u8) -> Option<char> {
    const MIDDLE: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”',
        '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => Some(MIDDLE[usize::from(byte - 0x80)]).filter(|c| *c != '\0'),
        other => Some(char::from(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_page_1252() {
        assert_eq!(cp1252(b'a'), Some('a'));
        assert_eq!(cp1252(0xe9), Some('é'));
        assert_eq!(cp1252(0x92), Some('’'));
        assert_eq!(cp1252(0x80), Some('€'));
        assert_eq!(cp1252(0x9f), Some('Ÿ'));
        assert_eq!(cp1252(0x81), None);
    }
}
