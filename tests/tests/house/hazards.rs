//! Rules on the clinical hazard log: every hazard is there once and whole, and every rule, file and test that it names
//! exists. Whether a test shows what it is named for is left to those who sign.

use crate::{Violation, repository};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::Visit;

const LOG: &str = "deploy/safety/hazards.md";
const RULES: &str = "broker/src/merge/RULES.md";
const CONTRACT: &str = "severn.v1";

/// What every hazard says, besides its evidence and what is unproven, of which one may be missing.
const PARTS: [&str; 6] = ["Causes", "Effect", "Controls", "Before", "After", "Organisation"];

/// The words of the standard's matrix.
const SEVERITIES: [&str; 5] = ["Minor", "Significant", "Considerable", "Major", "Catastrophic"];
const LIKELIHOODS: [&str; 5] = ["Very low", "Low", "Medium", "High", "Very high"];

type Files = BTreeMap<String, String>;

/// H1 to H26, the sixth in two.
fn ids() -> Vec<String> {
    let numbers = (1..=26).map(|number| match number {
        6 => vec!["H6a".to_owned(), "H6b".to_owned()],
        _ => vec![format!("H{number}")],
    });
    numbers.flatten().collect()
}

/// One hazard, as it stands in the log.
struct Hazard<'a> {
    id: &'a str,
    title: &'a str,
    line: usize,
    parts: Vec<(&'a str, String)>,
}

impl<'a> Hazard<'a> {
    /// Of the text under a heading, which is the first line.
    fn read(line: usize, text: &'a str) -> Hazard<'a> {
        let (heading, rest) = text.split_once('\n').unwrap_or((text, ""));
        let (id, title) = heading.split_once(" · ").unwrap_or((heading, ""));
        let mut parts: Vec<(&str, String)> = Vec::new();
        for line in rest.lines() {
            if let Some((name, said)) = line.strip_prefix("- ").and_then(|part| part.split_once(':')) {
                parts.push((name, said.trim().to_owned()));
            } else if let Some((_, said)) = parts.last_mut() {
                *said = format!("{said} {}", line.trim()).trim().to_owned();
            }
        }
        Hazard { id, title, line, parts }
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(part, _)| *part == name).map(|(_, said)| said.as_str())
    }

    fn evidence(&self) -> Vec<&str> {
        let quoted = self.said("Evidence").map(quoted).unwrap_or_default();
        quoted.into_iter().filter(|name| name.contains("::")).collect()
    }
}

/// The hazards, in the order of the log.
fn hazards(log: &str) -> Vec<Hazard<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    for (at, text) in log.split("\n## ").enumerate() {
        if at > 0 && text.starts_with('H') {
            found.push(Hazard::read(line, text));
        }
        // The heading's own line, and the empty one that the split took.
        line += text.lines().count() + usize::from(text.ends_with('\n'));
    }
    found
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Every rule that the log breaks; `files` are all those of the repository that it may name.
fn check(files: &Files) -> Vec<Violation> {
    let Some(log) = files.get(LOG) else { return vec![Violation::new(LOG, "is missing")] };
    let hazards = hazards(log);
    let mut violations = faults_of_ids(&hazards);
    violations.extend(hazards.iter().flat_map(faults_of_parts));
    violations.extend(faults_of_names(log, files));
    let versions = versions(files);
    if !words_of(log).contains(&versions) {
        let rule = format!("is to be read and signed anew, and then says `{versions}`");
        violations.push(Violation::new(LOG, rule));
    }
    let bare: Vec<&str> =
        hazards.iter().filter(|hazard| hazard.evidence().is_empty()).map(|hazard| hazard.id).collect();
    let without = format!("Without any evidence: {}.", if bare.is_empty() { "none".into() } else { bare.join(", ") });
    if !words_of(log).contains(&without) {
        violations.push(Violation::new(LOG, format!("does not say in its head `{without}`")));
    }
    violations
}

/// The text on one line, so that it does not matter where its lines end.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the log must say that it is for.
fn versions(files: &Files) -> String {
    let text = |path: &str| files.get(path).map(String::as_str).unwrap_or_default();
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap_or_default();
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let program = package.and_then(|package| package.get("version")?.as_str()).unwrap_or("?");
    let first = text(RULES).lines().next().unwrap_or_default();
    let rules = first.strip_prefix("# Merge rules, version ").unwrap_or("?");
    format!("For Severn {program}, contract {CONTRACT}, merge rules {rules}.")
}

fn faults_of_ids(hazards: &[Hazard<'_>]) -> Vec<Violation> {
    let expected = ids();
    let mut violations = Vec::new();
    for id in &expected {
        match hazards.iter().filter(|hazard| hazard.id == id).count() {
            1 => {}
            0 => violations.push(Violation::new(LOG, format!("{id} is missing"))),
            times => violations.push(Violation::new(LOG, format!("{id} is there {times} times"))),
        }
    }
    let unknown = hazards.iter().filter(|hazard| !expected.iter().any(|id| id == hazard.id));
    violations
        .extend(unknown.map(|hazard| Violation::at(LOG, hazard.line, format!("{} is no known hazard", hazard.id))));
    violations
}

fn faults_of_parts(hazard: &Hazard<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |rule: String| violations.push(Violation::at(LOG, hazard.line, format!("{} {rule}", hazard.id)));
    for part in PARTS {
        if hazard.said(part).is_none_or(str::is_empty) {
            refuse(format!("does not say `{part}`"));
        }
    }
    for (at, (name, _)) in hazard.parts.iter().enumerate() {
        if !PARTS.contains(name) && !["Evidence", "Unproven"].contains(name) {
            refuse(format!("says `{name}`, which is no part of a hazard"));
        }
        if hazard.parts[..at].iter().any(|(before, _)| before == name) {
            refuse(format!("says `{name}` twice"));
        }
    }
    if hazard.evidence().is_empty() && hazard.said("Unproven").is_none_or(str::is_empty) {
        refuse("has neither evidence nor a word on what is unproven".into());
    }
    for part in ["Before", "After"] {
        let rating = hazard.said(part).unwrap_or_default();
        let (severity, likelihood) = rating.split_once(" × ").unwrap_or_default();
        if !SEVERITIES.contains(&severity) || !LIKELIHOODS.contains(&likelihood) {
            refuse(format!("is rated `{rating}`, which are not the words of the standard"));
        }
    }
    violations
}

/// Files, tests and rules that are named, wherever it is, and are not there.
fn faults_of_names(log: &str, files: &Files) -> Vec<Violation> {
    let defined = defined_rules(files.get(RULES).map(String::as_str).unwrap_or_default());
    let mut violations = Vec::new();
    for (line, number) in log.lines().zip(1..) {
        let mut refuse = |rule: String| violations.push(Violation::at(LOG, number, rule));
        for name in quoted(line).into_iter().filter(|name| name.contains('/')) {
            let (path, test) = name.split_once("::").map_or((name, None), |(path, test)| (path, Some(test)));
            match (files.get(path), test) {
                (None, _) => refuse(format!("names the file `{path}`, which is not there")),
                (Some(text), Some(test)) if !tests_in(text).contains(test) => {
                    refuse(format!("names the test `{test}`, which {path} does not run"));
                }
                _ => {}
            }
        }
        for id in rule_ids(line).difference(&defined) {
            refuse(format!("names {id}, which is no rule of {RULES}"));
        }
    }
    violations
}

/// The ids that begin a row of the table of rules.
fn defined_rules(rules: &str) -> BTreeSet<&str> {
    let rows = rules.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    rows.flat_map(|(id, _)| rule_ids(id)).collect()
}

/// Words that look like the id of a rule: capitals, a hyphen, digits.
fn rule_ids(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let is_id = |word: &&str| {
        word.split_once('-').is_some_and(|(name, number)| {
            name.len() > 2
                && name.bytes().all(|b| b.is_ascii_uppercase())
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    words.filter(is_id).collect()
}

/// The tests that a Rust file runs.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut reader = Reader::default();
    if let Ok(ast) = syn::parse_file(text) {
        reader.visit_file(&ast);
    }
    reader.0
}

#[derive(Default)]
struct Reader(BTreeSet<String>);

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let has = |name: &str| {
            let last = |attribute: &syn::Attribute| attribute.path().segments.last().is_some_and(|s| s.ident == name);
            function.attrs.iter().any(last)
        };
        if has("test") && !has("ignore") {
            self.0.insert(function.sig.ident.to_string());
        }
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if called.path.segments.last().is_some_and(|segment| segment.ident == "proptest") {
            self.0.extend(tests_in_tokens(called.tokens.clone()));
        }
    }
}

/// The functions in the body of a `proptest!` that are marked as tests.
fn tests_in_tokens(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let (mut attributes, mut after_fn) = (Vec::new(), false);
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                attributes.push(group.stream().to_string());
            }
            TokenTree::Ident(name) if after_fn => {
                let has = |name: &str| attributes.iter().any(|attribute| attribute == name);
                if has("test") && !has("ignore") {
                    found.push(name.to_string());
                }
                attributes.clear();
                after_fn = false;
            }
            TokenTree::Ident(word) => after_fn = word == "fn",
            _ => {}
        }
    }
    found
}

/// What is unproven, hazard by hazard; first whether all of it is.
fn unproven(log: &str) -> Vec<String> {
    let said = hazards(log).into_iter().filter_map(|hazard| {
        let why = hazard.said("Unproven")?;
        let extent = if hazard.evidence().is_empty() { "unproven" } else { "unproven in part" };
        Some(format!("{} {}: {extent}: {why}", hazard.id, hazard.title))
    });
    said.collect()
}

#[test]
fn the_hazard_log_is_whole_and_names_what_exists() {
    let files = repository::files(&["rs", "md", "toml", "py", "proto", ""]);
    let unproven = files.get(LOG).map(|log| unproven(log)).unwrap_or_default();
    unproven.iter().for_each(|hazard| println!("{hazard}"));
    crate::refuse(check(&files));
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = r#"
        #[test] fn plain() {}
        #[tokio::test(start_paused = true)] async fn awaited() {}
        #[test] #[ignore = "slow"] fn ignored() {}
        fn no_test() {}
        mod tests {
            #[test] fn within() {}
            proptest::proptest! {
                #![proptest_config(cases(1))]
                /// Drawn.
                #[test] fn drawn(x in [0, 1]) { fn inner() {} }
                #[test] fn drawn_too(x in 0..1) {}
                fn drawn_by_nobody(x in 0..1) {}
            }
        }
        macro_rules! made { ($name:ident) => { #[test] fn $name() {} } }
    "#;

    fn section(id: &str) -> String {
        format!(
            "## {id} · Something\n\n- Causes: many,\n  and more\n- Effect: harm\n- Controls: REPLY-1, `a/src/a.rs`\n\
             - Evidence:\n  - `a/src/a.rs::plain`\n- Unproven: a half\n- Before: Major × Very high\n\
             - After: Major × Low\n- Organisation: to do\n\n"
        )
    }

    fn log() -> String {
        let sections: String = ids().iter().map(|id| section(id)).collect();
        format!(
            "# Log\n\nFor Severn 0.1.0, contract severn.v1, merge rules 1.0.0. Without any\nevidence: none.\n\n{sections}## Signed\n\nH1\n"
        )
    }

    fn rules(log: &str) -> String {
        let files = [
            (LOG, log),
            (RULES, "# Merge rules, version 1.0.0\n| REPLY-1 | a rule |\nSee OUT-1.\n"),
            ("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n"),
            ("a/src/a.rs", CODE),
        ];
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        check(&files).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    #[test]
    fn a_whole_log_is_left_alone() {
        assert_eq!(rules(&log()), "");
        for test in ["awaited", "within", "drawn", "drawn_too"] {
            assert_eq!(rules(&log().replace("::plain", &format!("::{test}"))), "", "{test}");
        }
        let without = log().replace("evidence: none", "evidence: H1");
        assert_eq!(rules(&without.replacen("- Evidence:\n  - `a/src/a.rs::plain`\n", "", 1)), "");
        assert_eq!(rules(&log().replacen("- Unproven: a half\n", "", 1)), "");
    }

    #[test]
    fn planted_violations_are_found() {
        let evidence = "- Evidence:\n  - `a/src/a.rs::plain`\n";
        for (from, to, rule) in [
            (&*section("H7"), "", "H7 is missing"),
            (&*section("H6b"), "", "H6b is missing"),
            ("## H7 ·", "## H8 ·", "H8 is there 2 times"),
            ("## H26 ·", "## H27 ·", "H27 is no known hazard"),
            ("- Causes: many,\n  and more\n", "", "H1 does not say `Causes`"),
            ("- Organisation: to do", "- Organisation:", "H1 does not say `Organisation`"),
            ("- Effect: harm", "- Effect: harm\n- Effect: none", "H1 says `Effect` twice"),
            ("- Effect:", "- Efect:", "`Efect`, which is no part"),
            ("Major × Low", "Major × Unlikely", "rated `Major × Unlikely`"),
            ("Major × Low", "Grave × Low", "rated `Grave × Low`"),
            ("Major × Low", "Low", "rated `Low`"),
            ("a/src/a.rs::plain", "a/src/b.rs::plain", "names the file `a/src/b.rs`, which is not there"),
            ("`a/src/a.rs`", "`a/src/b.rs`", "names the file `a/src/b.rs`, which is not there"),
            ("::plain", "::plane", "names the test `plane`, which a/src/a.rs does not run"),
            ("::plain", "::no_test", "names the test `no_test`"),
            ("::plain", "::ignored", "names the test `ignored`"),
            ("::plain", "::drawn_by_nobody", "names the test `drawn_by_nobody`"),
            ("::plain", "::inner", "names the test `inner`"),
            ("REPLY-1", "REPLY-2", "names REPLY-2, which is no rule"),
            ("REPLY-1", "OUT-1", "names OUT-1, which is no rule"),
            (&*format!("{evidence}- Unproven: a half\n"), "", "H1 has neither evidence"),
            (&*format!("{evidence}- Unproven: a half\n"), "- Evidence: none\n", "H1 has neither evidence"),
            (&*format!("{evidence}- Unproven: a half\n"), "- Unproven:\n", "H1 has neither evidence"),
            (evidence, "", "does not say in its head `Without any evidence: H1.`"),
            ("evidence: none", "evidence: H3", "does not say in its head `Without any evidence: none.`"),
            ("Severn 0.1.0", "Severn 0.0.9", "signed anew"),
            ("merge rules 1.0.0", "merge rules 0.9.0", "signed anew"),
        ] {
            assert!(log().contains(from), "{from}");
            let found = rules(&log().replacen(from, to, 1));
            assert!(found.contains(rule), "{rule:?}: {found}");
        }
        assert!(format!("{:?}", check(&Files::new())).contains("is missing"));
    }

    #[test]
    fn what_is_unproven_is_told_with_its_extent_and_its_line() {
        let log = log().replacen("- Evidence:\n  - `a/src/a.rs::plain`\n", "", 1);
        let told = unproven(&log);
        assert_eq!(told[0], "H1 Something: unproven: a half");
        assert_eq!(told[1], "H2 Something: unproven in part: a half");
        assert_eq!(told.len(), ids().len());
        for hazard in hazards(&log) {
            let heading = format!("## {} · Something", hazard.id);
            assert_eq!(log.lines().nth(hazard.line - 1), Some(heading.as_str()));
        }
    }
}
