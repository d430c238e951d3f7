//! Which column holds what: the header decides.

use crate::offline::OfflineError;

/// The columns that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Source,
    LocalId,
    NhsNumber,
    NhsNumberVerified,
    Given,
    Middle,
    Family,
    BirthDate,
    Sex,
    Line1,
    Postcode,
    Phone,
    Email,
    DeathDate,
}

const NAMES: [(&str, Column); 14] = [
    ("source", Column::Source),
    ("local_id", Column::LocalId),
    ("nhs_number", Column::NhsNumber),
    ("nhs_number_verified", Column::NhsNumberVerified),
    ("given", Column::Given),
    ("middle", Column::Middle),
    ("family", Column::Family),
    ("birth_date", Column::BirthDate),
    ("sex", Column::Sex),
    ("line1", Column::Line1),
    ("postcode", Column::Postcode),
    ("phone", Column::Phone),
    ("email", Column::Email),
    ("death_date", Column::DeathDate),
];

/// Where each column stands.
pub(crate) struct Columns([Option<usize>; NAMES.len()]);

impl Columns {
    /// Reads a header; case, gaps and a byte order mark do not matter.
    pub fn of(header: &csv::ByteRecord) -> Result<Self, OfflineError> {
        let mut places = [None; NAMES.len()];
        for (field, place) in header.iter().zip(0..) {
            let text = String::from_utf8_lossy(field);
            let name = text.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
            if let Some((name, column)) = NAMES.iter().find(|(own, _)| *own == name) {
                let own = &mut places[*column as usize];
                if own.is_some() {
                    return Err(OfflineError::ColumnTwice(name));
                }
                *own = Some(place);
            }
        }
        if places[Column::LocalId as usize].is_none() {
            return Err(OfflineError::Column("local_id"));
        }
        Ok(Self(places))
    }

    pub const fn has(&self, column: Column) -> bool {
        self.0[column as usize].is_some()
    }

    /// What a row holds under a column; empty if it is missing.
    pub fn get<'a>(&self, row: &'a csv::ByteRecord, column: Column) -> &'a [u8] {
        self.0[column as usize].and_then(|place| row.get(place)).unwrap_or_default()
    }
}
