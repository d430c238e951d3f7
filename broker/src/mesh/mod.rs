//! Who belongs to the mesh, on record: whom its operator cut off. Nothing here lets anybody in; that is decided where
//! connections are accepted.

mod denials;

pub use denials::record_denials;
