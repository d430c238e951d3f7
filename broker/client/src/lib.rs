//! What a care app uses to ask the broker. A [`Client`] signs every question with the app's key; an [`Answer`] is
//! [`Answer::Complete`] only when a valid seal closes it, so that an app cannot show part of a record as the whole.
//!
//! **Invariant:** no content is altered here, none is kept after the caller drops it, and none is written to a log.
//! What a reader is shown goes through [`neutralise`] first.

mod ask;
mod record;
mod document;
mod challenge;
mod governance;
mod oversight;
mod steward;
mod client;
mod token;
mod assembly;
mod headings;
mod answer;
mod neutralise;

pub use answer::{Answer, Flaw, Incomplete, Received, Record};
pub use ask::{Found, Search};
pub use assembly::{Asked, RECORD_BYTES_MAX, judge};
pub use client::{Client, ClientError};
pub use document::{DOCUMENT_BYTES_MAX, Document};
pub use governance::{ActKey, Glass};
pub use neutralise::{Shown, characters, for_html, is_deceptive, neutralise};
pub use record::{DEADLINE_DEFAULT, DEADLINE_MAX, Provisional, Retrieval};
pub use steward::Decision;
pub use token::{FixedToken, TokenSource, TokenUnavailable};

#[cfg(test)]
mod tests;
