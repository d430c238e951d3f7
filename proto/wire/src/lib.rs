//! The contract of Severn, `severn.v1`, generated from the files under `proto/`. No type here is written by hand;
//! the words and their units are documented in the `.proto` files.

/// Version 1 of the contract.
#[allow(missing_docs, reason = "enum variants of `oneof`s carry no comments of their own in generated code")]
#[allow(clippy::all, clippy::pedantic, reason = "generated code is not ours to style")]
pub mod v1 {
    tonic::include_proto!("severn.v1");
}

/// The same contract with entries and sections left as bytes, for those who pass them on: unopened, they are neither
/// copied nor changed, and fields of a newer version survive. All other types are those of [`v1`].
#[allow(missing_docs, reason = "the fields are documented where `v1` has them")]
#[allow(clippy::all, clippy::pedantic, reason = "generated code is not ours to style")]
pub mod v1_passing {
    include!(concat!(env!("OUT_DIR"), "/passing/severn.v1.rs"));
}

/// Name of this version of the contract, as adapters report it.
pub const CONTRACT: &str = "severn.v1";

/// The serialised descriptor set, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/severn.bin"));
