//! Compiles `severn.v1` in pure Rust: no `protoc` is needed on the machine.

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 12] = [
    "severn/v1/dataset.proto",
    "severn/v1/person.proto",
    "severn/v1/entry.proto",
    "severn/v1/detail.proto",
    "severn/v1/ledger.proto",
    "severn/v1/patient_index.proto",
    "severn/v1/source_adapter.proto",
    "severn/v1/challenge.proto",
    "severn/v1/audit_witness.proto",
    "severn/v1/governance.proto",
    "severn/v1/enrolment.proto",
    "severn/v1/oversight.proto",
];

/// Fields that `v1_passing` leaves as bytes: message and field. Bytes and messages look the same on the wire.
const PASSED_ON: [(&str, &str); 6] = [
    ("EntryBatch", "entries"),
    ("Contribution", "entry"),
    ("RetrieveRecordResponse", "section"),
    ("RetrieveRecordResponse", "ledger"),
    ("RetrieveRecordUnaryResponse", "sections"),
    ("RetrieveRecordUnaryResponse", "ledger"),
];

/// Messages that `v1_passing` has of its own: those above, and those that hold them.
const OWN: [&str; 7] = [
    "EntryBatch",
    "FetchResponse",
    "Section",
    "Item",
    "Contribution",
    "RetrieveRecordResponse",
    "RetrieveRecordUnaryResponse",
];

/// Services that speak of them.
const SERVICES: [&str; 2] = ["RecordBroker", "SourceAdapter"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("severn.bin"), descriptors.encode_to_vec())?;
    let passing = out.join("passing");
    fs::create_dir_all(&passing)?;
    let mut config = tonic_prost_build::configure().out_dir(passing).bytes(".");
    for shared in shared(&descriptors) {
        config = config.extern_path(format!(".severn.v1.{shared}"), format!("crate::v1::{shared}"));
    }
    config.compile_fds(passing_on(descriptors.clone()))?;
    tonic_prost_build::configure().bytes(".severn.v1.Entry.body").compile_fds(descriptors)?;
    Ok(())
}

/// Names of all messages and enums that both modules share.
fn shared(descriptors: &FileDescriptorSet) -> Vec<String> {
    let messages = descriptors.file.iter().flat_map(|file| file.message_type.iter().map(DescriptorProto::name));
    let enums = descriptors.file.iter().flat_map(|file| file.enum_type.iter().map(|e| e.name()));
    messages.chain(enums).filter(|name| !OWN.contains(name)).map(str::to_owned).collect()
}

fn passing_on(mut descriptors: FileDescriptorSet) -> FileDescriptorSet {
    for file in &mut descriptors.file {
        file.service.retain(|service| SERVICES.contains(&service.name()));
        // Comments are found by position, and positions have changed.
        file.source_code_info = None;
        for message in &mut file.message_type {
            let name = message.name().to_owned();
            for field in &mut message.field {
                if PASSED_ON.contains(&(&name, field.name())) {
                    field.set_type(Type::Bytes);
                    field.type_name = None;
                }
            }
        }
    }
    descriptors
}
