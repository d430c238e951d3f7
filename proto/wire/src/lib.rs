//! The contract of Severn, `severn.v1`, generated from the files under `proto/`. No type here is written by hand;
//! the words and their units are documented in the `.proto` files.

/// Version 1 of the contract.
#[allow(missing_docs, reason = "enum variants of `oneof`s carry no comments of their own in generated code")]
#[allow(clippy::all, clippy::pedantic, reason = "generated code is not ours to style")]
pub mod v1 {
    tonic::include_proto!("severn.v1");
}

/// Name of this version of the contract, as adapters report it.
pub const CONTRACT: &str = "severn.v1";

/// The serialised descriptor set, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/severn.bin"));
