//! Reading which NHS numbers were replaced by which: a CSV file with the columns `old` and `current`.

use crate::offline::OfflineError;
use crate::superseded::Superseded;
use std::hash::Hash;
use std::io::Read;

/// What stands in such a file.
#[derive(Debug)]
pub struct SupersededFile<N> {
    /// What was not known: each old number and the one that replaced it.
    pub news: Vec<[N; 2]>,
    /// Lines that said what was known already.
    pub known: usize,
    /// Lines that were not taken.
    pub refused: Vec<RefusedLine>,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its number in the file.
    pub line: u64,
    /// Why, without repeating what stands there.
    pub why: String,
}

/// Reads such a file and adds what it says to `known`. `parse` reads a number and refuses one whose check digit is
/// wrong. The order of lines does not matter for what is known in the end, unless they contradict each other: then the
/// first counts.
///
/// # Errors
/// If it is no such file.
pub fn read_superseded<N: Copy + Eq + Hash>(
    input: impl Read,
    known: &mut Superseded<N>,
    parse: impl Fn(&str) -> Option<N>,
) -> Result<SupersededFile<N>, OfflineError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(input);
    let header = reader.headers()?.clone();
    let place = |column: &'static str| {
        let named = |name: &str| name.trim_start_matches('\u{feff}').eq_ignore_ascii_case(column);
        header.iter().position(named).ok_or(OfflineError::Column(column))
    };
    let places = [place("old")?, place("current")?];
    let mut file = SupersededFile { news: Vec::new(), known: 0, refused: Vec::new() };
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let mut refuse = |why: String| file.refused.push(RefusedLine { line, why });
        let numbers = places.map(|place| parse(row.get(place).unwrap_or_default()));
        let [Some(old), Some(current)] = numbers else {
            let column = if numbers[0].is_none() { "old" } else { "current" };
            refuse(format!("`{column}` is no NHS number: ten digits, the last of which checks the others"));
            continue;
        };
        match known.replace(old, current) {
            Ok(true) => file.news.push([old, current]),
            Ok(false) => file.known += 1,
            Err(error) => refuse(error.to_string()),
        }
    }
    Ok(file)
}
