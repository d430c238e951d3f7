//! From a row to what joins the person to organisations that care for them. Whatever cannot be read is left out: a
//! relationship opens a record to somebody, so none is ever guessed.

use crate::{
    cells::{Cell, MappingError, Row},
    dates::Dates,
};
use serde::Deserialize;
use severn_proto::v1::{CareRelationship, RelationshipKind};
use std::collections::{BTreeMap, BTreeSet};

/// One relationship. It is announced for a row in which none of the columns `kind`, `organisation_ods` and `since` that
/// it names is empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationshipMapping {
    /// The kind: a constant (`registered`, `admitted`, `caseload`, `referred`), or a column read by
    /// `relationship_values`.
    pub kind: Cell,
    /// ODS code of the organisation; this source's own if left out.
    pub organisation_ods: Option<Cell>,
    /// Team, ward or workgroup.
    pub team: Option<Cell>,
    /// The first day.
    pub since: Option<Cell>,
    /// The last day; empty while it lasts.
    pub until: Option<Cell>,
}

/// What a source calls the kinds.
pub(super) type Kinds = BTreeMap<String, RelationshipKind>;

fn kind_from_word(word: &str) -> Option<RelationshipKind> {
    match word {
        "registered" => Some(RelationshipKind::Registered),
        "admitted" => Some(RelationshipKind::Admitted),
        "caseload" => Some(RelationshipKind::Caseload),
        "referred" => Some(RelationshipKind::Referred),
        _ => None,
    }
}

/// Checks the mappings, and reads what the source calls the kinds.
pub(super) fn compile(
    mappings: &[RelationshipMapping],
    values: &BTreeMap<String, String>,
) -> Result<Kinds, MappingError> {
    const WORDS: &str = "give registered, admitted, caseload or referred";
    for mapping in mappings {
        match &mapping.kind {
            Cell::Constant(word) if kind_from_word(word).is_none() => {
                return Err(MappingError::new("relationships.kind", WORDS));
            }
            Cell::Column(_) if values.is_empty() => {
                let problem = "missing; say what each value of the column means";
                return Err(MappingError::new("relationship_values", problem));
            }
            Cell::Constant(_) | Cell::Column(_) => {}
        }
    }
    let kind = |(value, word): (&String, &String)| {
        let problem = || MappingError::new(format!("relationship_values.{value}"), WORDS);
        Ok((value.trim().to_owned(), kind_from_word(word).ok_or_else(problem)?))
    };
    values.iter().map(kind).collect()
}

impl RelationshipMapping {
    pub(super) fn note_columns<'a>(&'a self, columns: &mut BTreeSet<&'a str>) {
        let options = [&self.organisation_ods, &self.team, &self.since, &self.until];
        let cells = options.into_iter().flatten().chain([&self.kind]);
        cells.for_each(|cell| cell.note_column(columns));
    }

    /// The relationship in a row; `None` if there is none, or it cannot be read.
    pub(super) fn read(&self, row: &dyn Row, (kinds, dates): (&Kinds, &Dates)) -> Option<CareRelationship> {
        let word = self.kind.read(row)?;
        let kind = match &self.kind {
            Cell::Constant(_) => kind_from_word(word)?,
            Cell::Column(_) => *kinds.get(word)?,
        };
        let until = self.until.as_ref().and_then(|cell| cell.read(row));
        Some(CareRelationship {
            kind: kind.into(),
            organisation_ods: named(self.organisation_ods.as_ref(), row)?.to_owned(),
            team: self.team.as_ref().map(|cell| cell.read_text(row)).unwrap_or_default(),
            since: day(named(self.since.as_ref(), row)?, dates)?,
            until: day(until.unwrap_or_default(), dates)?,
        })
    }
}

/// The value of a cell: empty if it is not mapped, `None` if it is and the row has none.
fn named<'a>(cell: Option<&'a Cell>, row: &'a dyn Row) -> Option<&'a str> {
    cell.map_or(Some(""), |cell| cell.read(row))
}

/// The day of a date or a time; `None` if it cannot be read.
fn day(text: &str, dates: &Dates) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let read = dates.read(text)?;
    read.split('T').next().map(str::to_owned)
}
