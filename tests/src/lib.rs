//! A whole federation in one process, and what the benchmarks run. The tests themselves lie under `tests/tests`.

pub mod bench;
pub mod clients;
pub mod feeder;
pub mod keys;
pub mod linkage;
pub mod merge;
pub mod oracle;
pub mod people;
pub mod policies;
pub mod recorder;
pub mod records;
pub mod region;
pub mod steward;
pub mod world;
