//! From a row of a table to an entry or a registration: the one mapping language of every kind of source whose data
//! are tables. A mapping is data in the owner's configuration, checked when it is read; rows are mapped one by one and
//! nothing is kept. No query, no file and no connection is known here.

mod entry;
mod registration;
mod relationship;

pub use entry::{CodingMapping, EntryMapping, EntryPlan, OriginMapping, ReadAt};
pub use registration::{
    AddressMapping, NameMapping, RegistrationMapping, RegistrationPlan, TelecomMapping, demographics_entry,
};
pub use relationship::RelationshipMapping;

use severn_proto::v1::{Dataset, EntryStatus};

/// Who the source is: what every entry's provenance says unless the row itself says more.
#[derive(Clone, Debug)]
pub struct SourceContext {
    /// The source's id in the federation.
    pub source_id: String,
    /// Name of the organisation.
    pub organisation: String,
    /// ODS code of the organisation.
    pub ods: String,
    /// Name of the system that is read.
    pub system: String,
}

/// Why a row is no entry or no registration. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// No id, or one of over 256 bytes.
    #[error("a row has no usable id")]
    NoId,
    /// Nothing that a reader could be shown.
    #[error("a row has no text")]
    NoText,
}

/// Bytes of an identifier at most, by the contract.
pub const ID_BYTES_MAX: usize = 256;

/// `active` → the status; `None` for a word that is none. `unspecified` is none: it is what an unknown value becomes.
fn status_from_word(word: &str) -> Option<EntryStatus> {
    let known = [
        ("active", EntryStatus::Active),
        ("ended", EntryStatus::Ended),
        ("planned", EntryStatus::Planned),
        ("suspended", EntryStatus::Suspended),
        ("preliminary", EntryStatus::Preliminary),
        ("entered_in_error", EntryStatus::EnteredInError),
        ("cancelled", EntryStatus::Cancelled),
    ];
    known.into_iter().find(|(known, _)| *known == word).map(|(_, status)| status)
}

/// Whether an entry of this dataset could say that there is none of the thing, so that its mapping must say how.
fn knows_absence(dataset: Dataset) -> bool {
    dataset == Dataset::Allergies
}

#[cfg(test)]
mod tests;
