//! One dataset: its query, its mapping, and how its rows become one reading.

use crate::{
    engine::{Bind, Engine, Statement, TextRow},
    settings::{DatasetSettings, DocumentSettings, IdType, SqlSettings},
    statement::{Dialect, Parameter, Query},
};
use bytes::Bytes;
use severn_adapter_sdk::{
    cells::{Cell, MappingError, Row},
    dates::Dates,
    mapping::{EntryPlan, ReadAt},
    source::{Document, Reading, SourceError},
};
use severn_proto::v1::{Dataset, Entry, Reason, ReasonCode};
use severn_trust::dataset_from_word;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tracing::warn;

/// A dataset that is read through a query.
pub(crate) struct MappedDataset {
    pub(crate) dataset: Dataset,
    pub(crate) statement: Arc<Statement>,
    pub(crate) plan: EntryPlan,
    pub(crate) document: Option<MappedDocument>,
    person: String,
    rows_max: usize,
}

/// Where the bytes of documents are.
pub(crate) struct MappedDocument {
    pub(crate) statement: Arc<Statement>,
    pub(crate) entry_id_type: IdType,
    person: String,
    media_type: Cell,
    title: Cell,
}

impl MappedDataset {
    /// Checks one `[[sql.datasets]]`.
    pub(crate) fn compile(
        own: &DatasetSettings,
        settings: &SqlSettings,
        dialect: Dialect,
        dates: &Dates,
    ) -> Result<MappedDataset, MappingError> {
        let name = format!("sql.datasets.{}", own.dataset);
        let dataset = dataset_from_word(&own.dataset).ok_or_else(|| {
            MappingError::new(format!("{name}.dataset"), "unknown dataset; see the list of datasets in the contract")
        })?;
        let plan = own.entry.compile(dataset, dates).map_err(|error| error.within(&name))?;
        let query_name = format!("{name}.query");
        let query = Query::parse(dialect, &own.query, &[Parameter::LocalId])
            .map_err(|problem| MappingError::new(&query_name, problem))?;
        let columns = with_column(plan.columns(), &own.person);
        let mut statement = Statement::new(query_name, query, columns);
        // One more than is shown, to know that there are more.
        statement.rows_max = u64::from(settings.rows_max) + 1;
        let document = own.document.as_ref().map(|document| {
            if dataset != Dataset::Documents {
                return Err(MappingError::new(format!("{name}.document"), "only the dataset documents has bytes"));
            }
            MappedDocument::compile(document, settings, dialect, &format!("{name}.document"))
        });
        Ok(MappedDataset {
            dataset,
            statement: Arc::new(statement),
            plan,
            document: document.transpose()?,
            person: own.person.clone(),
            rows_max: usize::try_from(settings.rows_max).unwrap_or(usize::MAX),
        })
    }

    /// Reads one person's entries.
    pub(crate) async fn read(
        &self,
        engine: &Engine,
        local_id: (&str, Bind),
        at: ReadAt<'_>,
    ) -> Result<Reading, SourceError> {
        let (local_id, bind) = local_id;
        let mut rows = engine.rows(&self.statement, &BTreeMap::from([(Parameter::LocalId, bind)]));
        let mut gathered = Gathered::default();
        while let Some(row) = rows.next().await {
            let row = row?;
            if !self.is_about(&row, local_id) {
                // Who asks for one person and is given another cannot trust the other rows either.
                warn!(statement = %self.statement.name, "the query gave a row of another person");
                return Ok(Reading { dataset: self.dataset, failed: true, other_person: 1, ..Reading::default() });
            }
            if gathered.rows == self.rows_max {
                gathered.over_limit = true;
                break;
            }
            gathered.rows += 1;
            match self.plan.map_row(&row, &at) {
                Ok(entry) => gathered.entries.push(entry),
                Err(_) => gathered.unreadable += 1,
            }
        }
        Ok(gathered.reading(self.dataset))
    }

    /// Whether a row is about the person asked for.
    pub(crate) fn is_about(&self, row: &TextRow, local_id: &str) -> bool {
        is_about(row, &self.person, local_id)
    }
}

impl MappedDocument {
    fn compile(
        own: &DocumentSettings,
        settings: &SqlSettings,
        dialect: Dialect,
        name: &str,
    ) -> Result<MappedDocument, MappingError> {
        let needs = [Parameter::LocalId, Parameter::EntryId];
        let query_name = format!("{name}.query");
        let query =
            Query::parse(dialect, &own.query, &needs).map_err(|problem| MappingError::new(&query_name, problem))?;
        let mut columns = BTreeSet::new();
        own.media_type.note_column(&mut columns);
        own.title.note_column(&mut columns);
        let mut statement = Statement::new(query_name, query, with_column(columns, &own.person));
        statement.bytes = Some((own.content.clone(), settings.document_bytes_max));
        statement.rows_max = 2;
        Ok(MappedDocument {
            statement: Arc::new(statement),
            entry_id_type: own.entry_id_type,
            person: own.person.clone(),
            media_type: own.media_type.clone(),
            title: own.title.clone(),
        })
    }

    /// Reads one document.
    pub(crate) async fn read(
        &self,
        engine: &Engine,
        local_id: (&str, Bind),
        entry_id: Bind,
    ) -> Result<Option<Document>, SourceError> {
        let (local_id, bind) = local_id;
        let values = BTreeMap::from([(Parameter::LocalId, bind), (Parameter::EntryId, entry_id)]);
        let mut rows = engine.rows(&self.statement, &values);
        let Some(mut row) = rows.next().await.transpose()? else { return Ok(None) };
        let problem = |text: &str| SourceError::Mapping(format!("{}: {text}", self.statement.name));
        if !is_about(&row, &self.person, local_id) {
            return Err(problem("the query gave a document of another person"));
        }
        if rows.next().await.transpose()?.is_some() {
            return Err(problem("the query gave more than one row for one entry"));
        }
        let (size, content) = row.content.take().unwrap_or_default();
        match content {
            Some(content) => Ok(Some(Document {
                media_type: self.media_type.read_text(&row),
                title: self.title.read_text(&row),
                bytes: Bytes::from(content),
            })),
            None if size > 0 => Err(problem("the document is larger than document_bytes_max")),
            // The row is there, the bytes are not.
            None => Ok(None),
        }
    }
}

#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    rows: usize,
    unreadable: u32,
    over_limit: bool,
}

impl Gathered {
    fn reading(mut self, dataset: Dataset) -> Reading {
        // A database gives rows in any order; the same rows must always give the same reading.
        self.entries.sort_by(|a, b| entry_id(a).cmp(entry_id(b)).then_with(|| a.body.cmp(&b.body)));
        let before = self.entries.len();
        // Two rows with one id cannot be told apart later: the second counts as unreadable, and is seen to be missing.
        self.entries.dedup_by(|b, a| entry_id(a) == entry_id(b));
        let doubled = before - self.entries.len();
        if doubled > 0 {
            warn!(dataset = dataset.as_str_name(), doubled, "rows with an id that is taken");
        }
        let unreadable = self.unreadable.saturating_add(u32::try_from(doubled).unwrap_or(u32::MAX));
        let over_limit = Reason { code: ReasonCode::OverLimit as i32, ..Default::default() };
        let partial = if self.over_limit { vec![over_limit] } else { Vec::new() };
        Reading { dataset, entries: self.entries, unreadable, partial, ..Default::default() }
    }
}

fn entry_id(entry: &Entry) -> &str {
    entry.head.as_ref().map(|head| head.entry_id.as_str()).unwrap_or_default()
}

fn is_about(row: &TextRow, person: &str, local_id: &str) -> bool {
    row.text(person).map(str::trim) == Some(local_id.trim())
}

fn with_column(columns: BTreeSet<&str>, person: &str) -> Vec<String> {
    let mut columns: BTreeSet<String> = columns.into_iter().map(str::to_owned).collect();
    columns.insert(person.to_owned());
    columns.into_iter().collect()
}
