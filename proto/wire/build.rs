//! Compiles `severn.v1` in pure Rust: no `protoc` is needed on the machine.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 7] = [
    "severn/v1/dataset.proto",
    "severn/v1/person.proto",
    "severn/v1/entry.proto",
    "severn/v1/detail.proto",
    "severn/v1/ledger.proto",
    "severn/v1/patient_index.proto",
    "severn/v1/source_adapter.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("severn.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".severn.v1.Entry.body")
        .bytes(".severn.v1.FetchDocumentResponse.part.chunk")
        .bytes(".severn.v1.FetchBytesResponse.part.chunk")
        .compile_fds(descriptors)?;
    Ok(())
}
