//! Readable views for a terminal: words a tired doctor understands at 3 a.m. Pure: the same answer and style give the
//! same text.

mod challenges;
mod decisions;
mod governance;
mod oversight;
mod lists;
mod quality;
mod review;
mod record;
mod discrepancies;
mod conflicts;
mod medicines;
mod owed;
mod item;
mod ledger;
mod book;
mod words;
mod page;

pub(crate) use challenges::{render_challenges, render_delivered};
pub(crate) use decisions::{render_decisions, render_undone};
pub(crate) use governance::{render_broken, render_claimed, render_directives, render_queue};
pub use lists::{render_candidates, render_sources};
pub(crate) use lists::{render_document, render_history};
pub(crate) use oversight::{render_patterns, render_report};
pub use page::{Colour, Style};
pub(crate) use quality::render_quality;
pub use record::render_record;
pub(crate) use review::{REVIEW_KINDS, render_review};

#[cfg(test)]
mod tests;
