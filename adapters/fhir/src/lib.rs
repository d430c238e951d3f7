//! Source kind `fhir`: a server of FHIR R4 / UK Core over REST. Reads and maps, nothing else: no policy, no audit and no
//! copy of what was read lives here.

pub mod map;
mod settings;
mod rest;
mod source;

pub use settings::{FhirSettings, Transport};
pub use source::FhirSource;
