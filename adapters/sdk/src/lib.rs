//! What every adapter is built on. A kind of source implements [`Source`]: it reads and maps, nothing else. Serving,
//! verification, the owner's policy, audit and the feed are done here, once.

pub mod source;
pub mod mapping;
pub mod detail;
pub mod dates;
pub mod cells;
