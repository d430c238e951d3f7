//! From a row to an entry.

use super::{ID_BYTES_MAX, RowError, SourceContext, knows_absence, status_from_word};
use crate::{
    cells::{Cell, Cells, MappingError, Row},
    dates::Dates,
    detail::{DetailPlan, Oddity},
};
use prost::Message as _;
use serde::Deserialize;
use severn_proto::v1::{
    Assertion, Coding, Dataset, Entry, EntryBody, EntryHead, EntryStatus, Field, OriginIdentifier, Provenance,
    SensitivityLabel,
};
use severn_trust::label_from_word;
use std::collections::{BTreeMap, BTreeSet};

/// How the rows of one dataset become entries. Each value is a column's name, `{ column = … }` or `{ constant = … }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryMapping {
    /// What makes the entry's id: one column, or several that are joined by `/`. Must stay the same for ever.
    pub id: Cells,
    /// What a reader is shown: one column, or several that are joined by `, `.
    pub text: Cells,
    /// Codes, the preferred one first.
    #[serde(default)]
    pub codings: Vec<CodingMapping>,
    /// The state in the source's words, read by `status_values`; or a constant that is one of our words.
    pub status: Cell,
    /// Source's word → `active`, `ended`, `planned`, `suspended`, `preliminary`, `entered_in_error` or `cancelled`;
    /// the key `""` stands for NULL. A value that is not here is shown verbatim as not recognised.
    #[serde(default)]
    pub status_values: BTreeMap<String, String>,
    /// What the entry says of the thing it names, read by `assertion_values`; left out, the thing is present. Allergies
    /// must have it, since "no known allergies" may be among them.
    pub assertion: Option<Cell>,
    /// Source's word → `present`, `none_known` or `refuted`; the key `""` stands for NULL and `"*"` for anything else.
    #[serde(default)]
    pub assertion_values: BTreeMap<String, String>,
    /// When it began, happened, or is planned for.
    pub effective_start: Option<Cell>,
    /// When it ended.
    pub effective_end: Option<Cell>,
    /// When it was written down.
    pub recorded: Option<Cell>,
    /// When it was last changed.
    pub last_changed: Option<Cell>,
    /// Sensitivity: columns read by `label_values`, and constants that are words of ours (`mental_health`).
    #[serde(default)]
    pub labels: Cells,
    /// Source's word → our word. A value that is not here is an unknown label, which means deny.
    #[serde(default)]
    pub label_values: BTreeMap<String, String>,
    /// The fields that tell two statements apart: name → value.
    #[serde(default)]
    pub distinguishing: BTreeMap<String, Cell>,
    /// Identifiers given where the item was first made.
    #[serde(default)]
    pub origins: Vec<OriginMapping>,
    /// Name of the organisation that recorded it, where that may be another than the source's own.
    pub organisation: Option<Cell>,
    /// ODS code of that organisation.
    pub organisation_ods: Option<Cell>,
    /// The professional who is responsible for the statement.
    pub author: Option<Cell>,
    /// The author's role.
    pub author_role: Option<Cell>,
    /// Where it was done.
    pub location: Option<Cell>,
    /// Who wrote it down, where that is somebody else.
    pub recorder: Option<Cell>,
    /// The source's version of the item.
    pub source_version: Option<Cell>,
    /// Free text that belongs to the item.
    pub narrative: Option<Cell>,
    /// The typed detail: field of the contract → source. See [`DetailPlan::compile`].
    #[serde(default)]
    pub detail: toml::Table,
}

/// One code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodingMapping {
    /// Code system as a URI, usually a constant.
    pub system: Cell,
    /// The code.
    pub code: Cell,
    /// Its display text.
    pub display: Option<Cell>,
}

/// An identifier given at origin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginMapping {
    /// Who assigned it: a URI, usually a constant.
    pub system: Cell,
    /// The identifier. A row without one has no such origin.
    pub value: Cell,
    /// ODS code of the organisation where it originated.
    pub organisation_ods: Option<Cell>,
}

/// What is known of the reading, for provenance.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt<'a> {
    /// Who the source is.
    pub context: &'a SourceContext,
    /// When it was read: milliseconds since 1970-01-01T00:00:00Z.
    pub retrieved_at_ms: i64,
}

/// A mapping that was checked.
#[derive(Clone, Debug)]
pub struct EntryPlan {
    dataset: Dataset,
    mapping: EntryMapping,
    statuses: BTreeMap<String, EntryStatus>,
    fixed_status: Option<EntryStatus>,
    assertions: BTreeMap<String, Assertion>,
    labels: BTreeMap<String, SensitivityLabel>,
    detail: DetailPlan,
    dates: Dates,
}

impl EntryMapping {
    /// Checks the mapping for a dataset.
    ///
    /// # Errors
    /// The key, below `entry`, and what to write instead.
    pub fn compile(&self, dataset: Dataset, dates: &Dates) -> Result<EntryPlan, MappingError> {
        self.compile_parts(dataset, dates).map_err(|error| error.within("entry"))
    }

    fn compile_parts(&self, dataset: Dataset, dates: &Dates) -> Result<EntryPlan, MappingError> {
        for (key, cells) in [("id", &self.id), ("text", &self.text)] {
            if cells.0.is_empty() {
                return Err(MappingError::new(key, "name at least one column"));
            }
        }
        if !self.id.0.iter().any(|cell| matches!(cell, Cell::Column(_))) {
            return Err(MappingError::new("id", "name a column; a constant is no identifier"));
        }
        let (fixed_status, statuses) = self.compile_status()?;
        let assertions = self.compile_assertions(dataset)?;
        let labels = self.compile_labels()?;
        let detail = DetailPlan::compile(dataset, &self.detail)?;
        let (mapping, dates) = (self.clone(), dates.clone());
        Ok(EntryPlan { dataset, mapping, statuses, fixed_status, assertions, labels, detail, dates })
    }

    fn compile_status(&self) -> Result<(Option<EntryStatus>, BTreeMap<String, EntryStatus>), MappingError> {
        let words = "active, ended, planned, suspended, preliminary, entered_in_error or cancelled";
        let statuses = words_of("status_values", &self.status_values, words, status_from_word)?;
        if statuses.contains_key("*") {
            let problem = "\"*\" is not allowed: a status that nobody foresaw must be seen as such";
            return Err(MappingError::new("status_values", problem));
        }
        match &self.status {
            Cell::Constant(word) => {
                let status = status_from_word(word)
                    .ok_or_else(|| MappingError::new("status", format!("a constant must be {words}")))?;
                Ok((Some(status), statuses))
            }
            Cell::Column(_) if statuses.is_empty() => {
                Err(MappingError::new("status_values", "missing; say what each value of the status column means"))
            }
            Cell::Column(_) => Ok((None, statuses)),
        }
    }

    fn compile_assertions(&self, dataset: Dataset) -> Result<BTreeMap<String, Assertion>, MappingError> {
        if self.assertion.is_none() && knows_absence(dataset) {
            let problem = "missing; name the column that tells \"no known allergies\" from an allergy, such as the \
                           code, with assertion_values = { \"716186003\" = \"none_known\", \"*\" = \"present\" }";
            return Err(MappingError::new("assertion", problem));
        }
        if self.assertion.is_some() && self.assertion_values.is_empty() {
            return Err(MappingError::new("assertion_values", "missing; say what each value of the column means"));
        }
        words_of("assertion_values", &self.assertion_values, "present, none_known or refuted", |word| match word {
            "present" => Some(Assertion::Present),
            "none_known" => Some(Assertion::NoneKnown),
            "refuted" => Some(Assertion::Refuted),
            _ => None,
        })
    }

    fn compile_labels(&self) -> Result<BTreeMap<String, SensitivityLabel>, MappingError> {
        let words =
            "normal, mental_health, sexual_health, substance_use, safeguarding, third_party, location or custody";
        for cell in &self.labels.0 {
            if let Cell::Constant(word) = cell
                && label_from_word(word).is_none()
            {
                return Err(MappingError::new("labels", format!("a constant must be {words}")));
            }
        }
        if self.label_values.contains_key("*") {
            let problem = "\"*\" is not allowed: a label that nobody foresaw means deny";
            return Err(MappingError::new("label_values", problem));
        }
        words_of("label_values", &self.label_values, words, label_from_word)
    }

    fn dates(&self) -> [(&'static str, Option<&Cell>); 4] {
        [
            ("start", self.effective_start.as_ref()),
            ("end", self.effective_end.as_ref()),
            ("recorded", self.recorded.as_ref()),
            ("last changed", self.last_changed.as_ref()),
        ]
    }
}

fn words_of<T>(
    key: &str,
    values: &BTreeMap<String, String>,
    words: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<BTreeMap<String, T>, MappingError> {
    let mut read_values = BTreeMap::new();
    for (value, word) in values {
        let meaning = read(word)
            .ok_or_else(|| MappingError::new(format!("{key}.{value}"), format!("\"{word}\" is not {words}")))?;
        read_values.insert(value.trim().to_owned(), meaning);
    }
    Ok(read_values)
}

impl EntryPlan {
    /// The kind of content.
    pub fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// The columns that a row must have.
    pub fn columns(&self) -> BTreeSet<&str> {
        let m = &self.mapping;
        let mut columns = BTreeSet::new();
        [&m.id, &m.text, &m.labels].into_iter().for_each(|cells| cells.note_columns(&mut columns));
        m.status.note_column(&mut columns);
        let codes = m.codings.iter().flat_map(|c| [Some(&c.system), Some(&c.code), c.display.as_ref()]);
        let origins = m.origins.iter().flat_map(|o| [Some(&o.system), Some(&o.value), o.organisation_ods.as_ref()]);
        let people = [&m.organisation, &m.organisation_ods, &m.author, &m.author_role, &m.location, &m.recorder];
        let others = [&m.assertion, &m.source_version, &m.narrative].into_iter().chain(people).map(Option::as_ref);
        let dates = m.dates().into_iter().map(|(_, cell)| cell);
        let cells = codes.chain(origins).chain(others).chain(dates).flatten().chain(m.distinguishing.values());
        cells.for_each(|cell| cell.note_column(&mut columns));
        self.detail.note_columns(&mut columns);
        columns
    }

    /// Maps one row.
    ///
    /// # Errors
    /// [`RowError`] if the row is unreadable as an entry.
    pub fn map_row(&self, row: &dyn Row, at: &ReadAt<'_>) -> Result<Entry, RowError> {
        let m = &self.mapping;
        let entry_id = m.id.join_all(row, "/").filter(|id| id.len() <= ID_BYTES_MAX).ok_or(RowError::NoId)?;
        let codings = self.codings(row);
        let text = m.text.read(row).join(", ");
        if text.is_empty() && codings.iter().all(|coding| coding.display.is_empty()) {
            return Err(RowError::NoText);
        }
        let (status, status_verbatim) = self.status(row);
        let assertion = self.assertion(row);
        let mut head = EntryHead {
            entry_id,
            dataset: self.dataset as i32,
            codings,
            text,
            assertion: assertion.unwrap_or_default() as i32,
            status: status as i32,
            status_verbatim,
            labels: self.labels(row),
            distinguishing: self.distinguishing(row),
            provenance: Some(self.provenance(row, at)),
            origins: self.origins(row),
            // Said neither to be present nor absent: a reader must know that the mapping did not foresee it.
            not_validated: assertion.is_none(),
            ..Default::default()
        };
        self.read_dates(row, &mut head);
        let body = self.body(row, &mut head);
        Ok(Entry { head: Some(head), body: body.into() })
    }

    /// The value of a row's status that the mapping does not know, for a check.
    pub fn unknown_status<'a>(&'a self, row: &'a dyn Row) -> Option<&'a str> {
        let text = self.mapping.status.read(row).unwrap_or_default();
        let known = self.fixed_status.is_some() || self.statuses.contains_key(text);
        if known { None } else { Some(text) }
    }

    fn status(&self, row: &dyn Row) -> (EntryStatus, String) {
        if let Some(status) = self.fixed_status {
            return (status, String::new());
        }
        let verbatim = self.mapping.status.read_text(row);
        (self.statuses.get(&verbatim).copied().unwrap_or_default(), verbatim)
    }

    fn assertion(&self, row: &dyn Row) -> Option<Assertion> {
        let Some(cell) = &self.mapping.assertion else { return Some(Assertion::Present) };
        let text = cell.read(row).unwrap_or_default();
        // NULL is its own key, so that "*" never covers it unseen.
        let otherwise = if text.is_empty() { None } else { self.assertions.get("*") };
        self.assertions.get(text).or(otherwise).copied()
    }

    fn labels(&self, row: &dyn Row) -> Vec<i32> {
        let mut labels = BTreeSet::new();
        for cell in &self.mapping.labels.0 {
            let Some(text) = cell.read(row) else { continue };
            let label = match cell {
                Cell::Constant(word) => label_from_word(word),
                Cell::Column(_) => self.labels.get(text).copied(),
            };
            labels.insert(label.unwrap_or_default() as i32);
        }
        labels.into_iter().collect()
    }

    fn codings(&self, row: &dyn Row) -> Vec<Coding> {
        let mut codings = Vec::new();
        for mapping in &self.mapping.codings {
            let display = read_option(mapping.display.as_ref(), row);
            match (mapping.system.read(row), mapping.code.read(row)) {
                (Some(system), Some(code)) => {
                    codings.push(Coding { system: system.to_owned(), code: code.to_owned(), display });
                }
                // By the contract, system and code are both there or neither.
                _ if !display.is_empty() => codings.push(Coding { display, ..Default::default() }),
                _ => {}
            }
        }
        codings
    }

    fn distinguishing(&self, row: &dyn Row) -> Vec<Field> {
        let fields = self.mapping.distinguishing.iter();
        let fields = fields.filter_map(|(name, cell)| Some((name.clone(), cell.read(row)?.to_owned())));
        fields.map(|(name, value)| Field { name, value }).collect()
    }

    fn origins(&self, row: &dyn Row) -> Vec<OriginIdentifier> {
        let origin = |mapping: &OriginMapping| {
            Some(OriginIdentifier {
                system: mapping.system.read(row)?.to_owned(),
                value: mapping.value.read(row)?.to_owned(),
                organisation_ods: read_option(mapping.organisation_ods.as_ref(), row),
            })
        };
        self.mapping.origins.iter().filter_map(origin).collect()
    }

    fn provenance(&self, row: &dyn Row, at: &ReadAt<'_>) -> Provenance {
        let m = &self.mapping;
        let or_own =
            |cell: &Option<Cell>, own: &str| cell.as_ref().and_then(|cell| cell.read(row)).unwrap_or(own).to_owned();
        let organisation = or_own(&m.organisation, &at.context.organisation);
        // The own code belongs to the own name: it is not put beside another's.
        let own_ods = if organisation == at.context.organisation { at.context.ods.as_str() } else { "" };
        Provenance {
            organisation_ods: or_own(&m.organisation_ods, own_ods),
            organisation,
            system: at.context.system.clone(),
            author: read_option(m.author.as_ref(), row),
            author_role: read_option(m.author_role.as_ref(), row),
            location: read_option(m.location.as_ref(), row),
            recorder: read_option(m.recorder.as_ref(), row),
            retrieved_at_ms: at.retrieved_at_ms,
            source_version: read_option(m.source_version.as_ref(), row),
        }
    }

    fn read_dates(&self, row: &dyn Row, head: &mut EntryHead) {
        for (name, cell) in self.mapping.dates() {
            let Some(text) = cell.and_then(|cell| cell.read(row)) else { continue };
            let date = self.dates.read(text);
            if date.is_none() {
                head.not_validated = true;
                if head.text.is_empty() {
                    head.text = head.codings.first().map(|coding| coding.display.clone()).unwrap_or_default();
                }
                head.text.push_str(&format!(" ({name} as recorded: {text})"));
            }
            let field = match name {
                "start" => &mut head.effective_start,
                "end" => &mut head.effective_end,
                "recorded" => &mut head.recorded,
                _ => &mut head.last_changed,
            };
            *field = date.unwrap_or_default();
        }
    }

    fn body(&self, row: &dyn Row, head: &mut EntryHead) -> Vec<u8> {
        let mut body = Vec::new();
        let oddities = self.detail.write(row, &self.dates, &mut body);
        head.not_validated |= !oddities.is_empty();
        let told = self.mapping.narrative.as_ref().and_then(|cell| cell.read(row)).map(str::to_owned);
        let noted = oddities.iter().map(|Oddity { field, value }| format!("({field} as recorded: {value})"));
        let narrative = told.into_iter().chain(noted).collect::<Vec<_>>().join("\n");
        body.extend(EntryBody { narrative, ..Default::default() }.encode_to_vec());
        body
    }
}

fn read_option(cell: Option<&Cell>, row: &dyn Row) -> String {
    cell.map(|cell| cell.read_text(row)).unwrap_or_default()
}
