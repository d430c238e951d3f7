//! Judges the merge on made-up records whose truth is known: laws that hold for every record, how well entries are
//! grouped, what other keys would lose on the same entries, and what merging costs. `merge-report` prints it.

pub mod laws;
pub mod shown;
