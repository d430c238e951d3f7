//! Source kind `file`: a folder of FHIR R4 bundles (JSON) and of CSV extracts, read again when they change. Reads and
//! maps, nothing else: what is kept in memory is the provider's own data on the provider's own machine.
//!
//! **Invariant:** no name that comes from a query is ever used as a path. The only paths are those that the
//! configuration names and those that the folder itself lists.

mod settings;
mod folder;
mod held;
mod bundles;
mod tables;
mod index;
mod source;

pub use settings::{BundleSettings, CsvDatasetSettings, CsvRegistrationSettings, CsvSettings, Encoding, FileSettings};
pub use source::FileSource;
