//! The benchmark's parts: canned adapters, the floors, the processes they run in, the load, the report.

pub mod audit;
mod oversight;
pub mod canned;
pub mod floor;
pub mod load;
pub mod report;
pub mod roles;
pub mod rig;
pub mod stages;
