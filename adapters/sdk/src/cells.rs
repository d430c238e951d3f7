//! Where a mapped value comes from: a column of the source's row, or a constant. Shared by every kind of source whose
//! rows are tables. Nothing here knows what a value means, and nothing here keeps one.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One row of a table, every value as text.
pub trait Row {
    /// The value under a column's name; `None` for NULL and for an empty field.
    fn text(&self, column: &str) -> Option<&str>;
}

impl Row for BTreeMap<String, String> {
    fn text(&self, column: &str) -> Option<&str> {
        self.get(column).map(String::as_str)
    }
}

/// What is wrong with a mapping, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct MappingError {
    /// The key in the configuration, dotted: `entry.detail.dose_text`.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl MappingError {
    /// An error at a key.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> MappingError {
        MappingError { key: key.into(), problem: problem.into() }
    }

    /// The same error, seen from the table that holds the key.
    pub fn within(mut self, table: &str) -> MappingError {
        self.key = format!("{table}.{}", self.key);
        self
    }
}

/// One value: `"dose"` or `{ column = "dose" }` names a column, `{ constant = "mg" }` is the same for every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The value of a column.
    Column(String),
    /// A fixed value.
    Constant(String),
}

impl Cell {
    /// The value in a row, without the blanks around it (fixed-width columns are padded); `None` if nothing is left.
    pub fn read<'a>(&'a self, row: &'a dyn Row) -> Option<&'a str> {
        let text = match self {
            Cell::Column(name) => row.text(name)?,
            Cell::Constant(text) => text,
        };
        Some(text.trim()).filter(|text| !text.is_empty())
    }

    /// The value in a row as owned text, empty if there is none.
    pub fn read_text(&self, row: &dyn Row) -> String {
        self.read(row).unwrap_or_default().to_owned()
    }

    /// Adds the column's name to those a row must have.
    pub fn note_column<'a>(&'a self, columns: &mut BTreeSet<&'a str>) {
        if let Cell::Column(name) = self {
            columns.insert(name);
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

/// One value or several, in order: `"FIRST_NAME"` or `["FIRST_NAME", "MIDDLE_NAME"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells(pub Vec<Cell>);

impl Cells {
    /// The values that a row has, in order.
    pub fn read<'a>(&'a self, row: &'a dyn Row) -> Vec<&'a str> {
        self.0.iter().filter_map(|cell| cell.read(row)).collect()
    }

    /// All values joined; `None` if the row lacks any of them.
    pub fn join_all(&self, row: &dyn Row, separator: &str) -> Option<String> {
        let parts: Option<Vec<&str>> = self.0.iter().map(|cell| cell.read(row)).collect();
        parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join(separator))
    }

    /// Adds the columns' names to those a row must have.
    pub fn note_columns<'a>(&'a self, columns: &mut BTreeSet<&'a str>) {
        self.0.iter().for_each(|cell| cell.note_column(columns));
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellsVisitor)
    }
}

/// A yes or no as databases write it: true, t, yes, y, 1 and false, f, no, n, 0, in any case. `None` for anything else.
pub fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CellTable {
    column: Option<String>,
    constant: Option<String>,
}

impl CellTable {
    fn cell<E: de::Error>(self) -> Result<Cell, E> {
        match (self.column, self.constant) {
            (Some(column), None) => Ok(Cell::Column(column)),
            (None, Some(constant)) => Ok(Cell::Constant(constant)),
            _ => Err(E::custom("give either column or constant")),
        }
    }
}

struct CellVisitor;

const EXPECTED: &str = "a column's name, { column = \"…\" } or { constant = \"…\" }";

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Cell, E> {
        Ok(Cell::Column(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
        CellTable::deserialize(MapAccessDeserializer::new(map))?.cell()
    }
}

struct CellsVisitor;

impl<'de> Visitor<'de> for CellsVisitor {
    type Value = Cells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{EXPECTED}, or a list of these")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Cells, E> {
        Ok(Cells(vec![Cell::Column(name.to_owned())]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cells, A::Error> {
        Ok(Cells(vec![CellTable::deserialize(MapAccessDeserializer::new(map))?.cell()?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cells, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = seq.next_element()? {
            cells.push(cell);
        }
        Ok(Cells(cells))
    }
}
