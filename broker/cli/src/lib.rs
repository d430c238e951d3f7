//! The `severn` command line: ask, report, steward, from a terminal. Also a library, so that other programs show a
//! record with the same words.
//!
//! **Invariant:** everything that is shown to a reader goes through `severn_client::neutralise`: `show::page` does it
//! for readable views, `json::write` escapes it in JSON. An answer without a valid seal is never shown as a whole one.

mod program;
mod command;
mod challenge;
mod governance;
mod oversight;
mod steward;
mod undo;
mod said;
mod args;
mod config;
mod login;
mod person;
mod json;
mod show;
mod detail;
mod dates;

pub use json::record_json;
pub use program::run;
pub use show::{Colour, Style, render_candidates, render_record, render_sources};

#[cfg(test)]
mod made;
#[cfg(test)]
mod tests;
