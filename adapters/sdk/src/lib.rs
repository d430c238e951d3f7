//! What every adapter is built on. A kind of source implements [`Source`](source::Source): it reads and maps, nothing
//! else. Serving, verification, the owner's policy, audit and the feed are done here, once.
//!
//! The modules are in the order in which a reader, and then a query, meets them.
//!
//! **Invariant:** no entry leaves before (1) the user's token, the app's proof and the broker's statement were verified
//! here, (2) the owner's table allowed it, (3) the release is durable in the adapter's own trail.

pub mod settings;
pub mod conformance;
pub mod preview;
pub mod serve;
mod verify;
mod policy;
mod release;
mod restricted;
mod answer;
mod reading;
pub mod inbox;
pub mod notices;
pub mod feed;
pub mod witness;
pub mod quality;
pub mod limits;
pub mod sensitive;
pub mod source;
pub mod mapping;
pub mod detail;
pub mod dates;
pub mod cells;

#[cfg(test)]
mod made_up;

pub use answer::Answer;
pub use verify::Refusal;
