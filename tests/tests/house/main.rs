//! The house rules, kept over the whole repository: a broken one names the file and the rule. What a compiler or a lint
//! can say is left to them; here is what they cannot. Nothing here is about what the programs do.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

mod hazards;
mod order;
mod readme;
mod repository;
mod sources;
mod walls;
mod words;

use std::fmt;

/// A rule that a file breaks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    rule: String,
}

impl Violation {
    fn new(file: &str, rule: impl Into<String>) -> Violation {
        Violation { file: file.to_owned(), rule: rule.into() }
    }

    fn at(file: &str, line: usize, rule: impl Into<String>) -> Violation {
        Violation { file: format!("{file}:{line}"), rule: rule.into() }
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.rule)
    }
}

fn refuse(mut violations: Vec<Violation>) {
    violations.sort();
    violations.dedup();
    let list: Vec<String> = violations.iter().map(|violation| format!("  {violation:?}\n")).collect();
    assert!(list.is_empty(), "house rules are broken:\n{}", list.concat());
}

#[test]
fn every_source_file_keeps_the_rules() {
    let files = repository::files(&["rs"]);
    assert!(files.len() > 30, "only {} source files were found", files.len());
    refuse(files.iter().flat_map(|(path, text)| sources::check(path, text)).collect());
}

#[test]
fn modules_import_downwards_and_pure_modules_no_input_or_output() {
    let files = repository::files(&["rs"]);
    let lib = &files["broker/src/lib.rs"];
    let order = order::reading_order(lib);
    assert!(order.len() > 5, "the reading order of the broker was not found in its lib.rs");
    refuse(files.iter().flat_map(|(path, text)| order::check(path, text, &order)).collect());
}

#[test]
fn crates_keep_their_walls() {
    let manifests = repository::files(&["toml"]);
    let crates = walls::crates(&manifests);
    assert!(crates.len() > 10, "only {} crates were found", crates.len());
    refuse(manifests.iter().flat_map(|(path, text)| walls::check(path, text, &crates)).collect());
}

#[test]
fn every_text_uses_the_words_of_the_house() {
    let texts = repository::files(&["rs", "toml", "proto", "md", "py", "sh", "sql", "yaml", "yml", ""]);
    refuse(texts.iter().flat_map(|(path, text)| words::check(path, text)).collect());
}

#[test]
fn the_readme_is_short_and_maps_the_tree() {
    let files = repository::files(&["md"]);
    refuse(readme::check(files.get("README.md").map(String::as_str), &repository::folders()));
}
