//! Rules on what a module imports: the broker's modules downwards in the reading order of its `lib.rs`, no stage
//! another stage, and a pure module nothing that reads, writes, waits, tells the time or draws a number.

use crate::{
    Violation,
    sources::{is_for_tests, is_test_file},
};
use syn::{spanned::Spanned as _, visit::Visit};

const BROKER: &str = "broker/src/";
const STAGES: [&str; 5] = ["audit", "access", "index", "fanout", "merge"];

/// Files that are pure whatever they say of themselves; others are where their `//!` says "Pure:".
const PURE: [&str; 9] = [
    "broker/src/merge/",
    "broker/src/model.rs",
    "broker/src/access/decide",
    "broker/src/access/plan",
    "broker/src/index/decide",
    "broker/src/index/normalise",
    "broker/src/index/compare",
    "broker/src/index/score",
    "broker/src/index/resolve",
];

const IMPURE: [&str; 19] = [
    "tokio",
    "tokio_stream",
    "sqlx",
    "reqwest",
    "hyper",
    "moka",
    "tonic::transport",
    "severn_link",
    "severn_trust::SystemClock",
    "severn_trust::SystemEntropy",
    "severn_trust::SystemDisk",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
];

/// The broker's modules in the order in which its `lib.rs` names them.
pub fn reading_order(lib: &str) -> Vec<String> {
    let items = syn::parse_file(lib).map(|file| file.items).unwrap_or_default();
    let modules = items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

/// Every rule on imports that the file breaks.
pub fn check(path: &str, text: &str, order: &[String]) -> Vec<Violation> {
    let pure = is_pure(path, text);
    let module = module_of(path);
    if is_test_file(path) || (!pure && module.is_none()) {
        return Vec::new();
    }
    let Ok(ast) = syn::parse_file(text) else { return Vec::new() };
    let mut imports = Imports { module: module.clone().unwrap_or_default(), found: Vec::new() };
    imports.visit_file(&ast);
    let mut violations = Vec::new();
    for (line, import) in imports.found {
        if let (true, Some(name)) = (pure, impurity(&import)) {
            violations.push(Violation::at(path, line, format!("is pure, but uses `{name}`")));
        }
        if let Some(rule) = module.as_ref().and_then(|module| fault_of_import(module, &import, order)) {
            violations.push(Violation::at(path, line, rule));
        }
    }
    violations
}

fn is_pure(path: &str, text: &str) -> bool {
    let says_so = text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("Pure:"));
    says_so || PURE.iter().any(|start| path.starts_with(start))
}

/// `["index", "store", "sqlite"]` for `broker/src/index/store/sqlite.rs`; `None` outside the broker's library.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(BROKER)?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    let binary = parts[0] == "main" || parts[0] == "bin" || parts[0] == "lib";
    (!binary).then_some(parts)
}

fn impurity(import: &[String]) -> Option<&'static str> {
    let spelt = import.join("::");
    IMPURE.into_iter().find(|name| spelt == *name || spelt.starts_with(&format!("{name}::")))
}

fn fault_of_import(module: &[String], import: &[String], order: &[String]) -> Option<String> {
    let [first, target, ..] = import else { return None };
    if first != "crate" {
        return None;
    }
    let own = &module[0];
    if target == "*" {
        return Some("imports all of the crate; name the modules".into());
    }
    if target == own {
        return None;
    }
    if STAGES.contains(&own.as_str()) && STAGES.contains(&target.as_str()) {
        return Some(format!("stage `{own}` uses stage `{target}`; they share the words of `model` only"));
    }
    let place = |name: &String| order.iter().position(|module| module == name);
    let upward = place(target)? < place(own)?;
    upward.then(|| format!("`{own}` uses `{target}`, which stands above it in lib.rs; imports go downwards"))
}

/// Every path that a file names from a crate's root, with its line; `crate`, `super` and `self` resolved to `crate::…`.
struct Imports {
    module: Vec<String>,
    found: Vec<(usize, Vec<String>)>,
}

impl Imports {
    fn add(&mut self, line: usize, parts: &[String]) {
        let absolute = match parts.first().map(String::as_str) {
            Some("crate") => parts.to_vec(),
            Some("super" | "self") => {
                let ups = parts.iter().take_while(|part| *part == "super").count();
                let skipped = ups.max(1);
                let base = &self.module[..self.module.len().saturating_sub(ups)];
                [&["crate".to_owned()], base, &parts[skipped..]].concat()
            }
            _ => parts.to_vec(),
        };
        self.found.push((line, absolute));
    }

    fn add_tree(&mut self, line: usize, before: &[String], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(line, &with(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(line, before),
            syn::UseTree::Name(name) => self.add(line, &with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(line, &with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(line, &[before, &["*".to_owned()]].concat()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(line, before, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.add_tree(item.span().start().line, &[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.add(path.span().start().line, &parts);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_for_tests(&module.attrs) {
            return;
        }
        self.module.push(module.ident.to_string());
        syn::visit::visit_item_mod(self, module);
        self.module.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Vec<String> {
        let lib = "pub mod retrieve;\npub mod audit;\npub mod index;\npub mod merge;\npub mod model;\nmod inside {}\n";
        reading_order(lib)
    }

    fn rules(path: &str, text: &str) -> String {
        check(path, text, &order()).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    #[test]
    fn the_reading_order_is_that_of_the_file() {
        assert_eq!(order(), ["retrieve", "audit", "index", "merge", "model"]);
    }

    #[test]
    fn imports_that_go_down_or_stay_are_left_alone() {
        for (path, text) in [
            ("broker/src/retrieve.rs", "use crate::{audit, merge::merge, model::Plan};\nuse std::fs;\n"),
            ("broker/src/index/mod.rs", "use crate::model;\nuse self::store::Store;\nmod store;\n"),
            ("broker/src/index/store/sqlite.rs", "use super::super::link;\nuse sqlx::Row;\n"),
            ("broker/src/merge/mod.rs", "use std::{collections::BTreeMap, time::Duration};\nuse crate::model::Item;\n"),
            ("broker/src/merge/mod.rs", "#[cfg(test)]\nmod tests { use crate::retrieve; use tokio::test; }\n"),
            ("broker/src/merge/tests.rs", "use crate::retrieve;\n"),
            ("broker/src/main.rs", "use severn_broker::merge;\nuse tokio::main;\n"),
            ("adapters/sql/src/map.rs", "//! Maps.\nuse crate::audit;\nuse tokio::fs;\n"),
        ] {
            assert_eq!(rules(path, text), "", "{path}: {text}");
        }
    }

    #[test]
    fn planted_violations_are_found() {
        for (path, text, rule) in [
            ("broker/src/model.rs", "use crate::retrieve::Question;\n", "`model` uses `retrieve`"),
            ("broker/src/audit/mod.rs", "use super::retrieve;\n", "`audit` uses `retrieve`"),
            ("broker/src/audit/file.rs", "use super::super::retrieve as r;\n", "`audit` uses `retrieve`"),
            ("broker/src/audit/mod.rs", "mod a { use super::super::retrieve; }\n", "`audit` uses `retrieve`"),
            ("broker/src/audit/mod.rs", "fn f() { crate::retrieve::run(); }\n", "`audit` uses `retrieve`"),
            ("broker/src/audit/mod.rs", "fn f(x: &crate::retrieve::X) {}\n", "`audit` uses `retrieve`"),
            ("broker/src/audit/mod.rs", "use crate::{model, index::Index};\n", "stage `audit` uses stage `index`"),
            ("broker/src/index/link.rs", "use crate::merge;\n", "stage `index` uses stage `merge`"),
            ("broker/src/audit/mod.rs", "use crate::*;\n", "imports all"),
            ("broker/src/merge/group.rs", "use std::{collections::BTreeMap, fs};\n", "pure, but uses `std::fs`"),
            ("broker/src/merge/group.rs", "use tokio::time::sleep;\n", "pure, but uses `tokio`"),
            (
                "broker/src/merge/group.rs",
                "fn f() { std::time::Instant::now(); }\n",
                "pure, but uses `std::time::Instant`",
            ),
            ("broker/src/access/decide.rs", "use sqlx::Row;\n", "pure, but uses `sqlx`"),
            ("broker/src/model.rs", "use std::time::{Duration, SystemTime};\n", "`std::time::SystemTime`"),
            ("adapters/sql/src/map.rs", "//! Pure: maps rows.\nuse reqwest::Client;\n", "pure, but uses `reqwest`"),
        ] {
            let found = rules(path, text);
            assert!(found.contains(rule), "{path} {rule:?}: {found}");
        }
    }
}
