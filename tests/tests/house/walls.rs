//! Rules on crates: who may depend on whom, one version per dependency, one set of lints, and names.

use crate::Violation;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The repository's crates: name to folder.
pub fn crates(manifests: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = manifests.iter().filter_map(|(path, text)| {
        let folder = path.strip_suffix("/Cargo.toml")?;
        let manifest: Table = text.parse().ok()?;
        Some((manifest.get("package")?.get("name")?.as_str()?.to_owned(), folder.to_owned()))
    });
    named.collect()
}

/// Every rule that a manifest breaks; a file that is no crate's manifest breaks none.
pub fn check(path: &str, text: &str, crates: &BTreeMap<String, String>) -> Vec<Violation> {
    let Some(folder) = path.strip_suffix("/Cargo.toml") else { return Vec::new() };
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(_) => return vec![Violation::new(path, "cannot be read as TOML")],
    };
    let mut violations = Vec::new();
    let mut refuse = |rule: String| violations.push(Violation::new(path, rule));
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Value::as_str).unwrap_or_default();
    let vague = ["common", "util", "utils", "helper", "helpers", "misc"];
    if name.split(['-', '_']).any(|part| vague.contains(&part)) {
        refuse(format!("no crate is called `{name}`: name it for what lives in it"));
    }
    if !is_true(manifest.get("lints").and_then(|lints| lints.get("workspace"))) {
        refuse("inherits the workspace's lints: `[lints] workspace = true`".into());
    }
    for (dependency, how) in dependencies(&manifest) {
        if !is_true(how.get("workspace")) {
            refuse(format!("takes `{dependency}` from the workspace, which gives it one version: `workspace = true`"));
        }
        if let Some(other) = crates.get(&dependency).filter(|other| !may_use(folder, other)) {
            refuse(format!(
                "must not depend on `{dependency}` ({other}): broker and adapters share only what is under proto/"
            ));
        }
    }
    violations
}

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool) == Some(true)
}

/// Of every kind, for every platform: name and how it is given.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(platforms.filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let named = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            found.extend(named.map(|(name, how)| {
                let renamed = how.get("package").and_then(Value::as_str);
                (renamed.unwrap_or(name).to_owned(), how.clone())
            }));
        }
    }
    found
}

fn may_use(folder: &str, other: &str) -> bool {
    let side = |folder: &str| folder.split('/').next().unwrap_or_default().to_owned();
    match side(folder).as_str() {
        own @ ("proto" | "broker" | "adapters") => side(other) == "proto" || side(other) == own,
        // The tests and the demonstration put both sides together.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{rest}")
    }

    fn rules(path: &str, text: &str) -> String {
        let known = [
            ("broker/Cargo.toml", manifest("b", "")),
            ("broker/client/Cargo.toml", manifest("c", "")),
            ("adapters/sdk/Cargo.toml", manifest("a", "")),
            ("proto/wire/Cargo.toml", manifest("w", "")),
            ("tests/Cargo.toml", manifest("tests", "")),
        ];
        let manifests = known.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        check(path, text, &crates(&manifests)).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    #[test]
    fn what_keeps_to_its_side_is_left_alone() {
        let all = "[dependencies]\na.workspace = true\nb.workspace = true\nw.workspace = true\n";
        for (path, rest) in [
            ("broker/client/Cargo.toml", "[dependencies]\nb.workspace = true\nw = { workspace = true }\n"),
            ("adapters/sql/Cargo.toml", "[dependencies]\na.workspace = true\nw.workspace = true\n"),
            ("tests/Cargo.toml", all),
            ("deploy/demo/Cargo.toml", all),
        ] {
            assert_eq!(rules(path, &manifest("x", rest)), "", "{path}");
        }
        assert_eq!(rules("deny.toml", "[bans]\n"), "");
    }

    #[test]
    fn planted_violations_are_found() {
        let on = |table: &str, name: &str| manifest("x", &format!("[{table}]\n{name}.workspace = true\n"));
        let renamed = manifest("x", "[dependencies]\nother = { workspace = true, package = \"a\" }\n");
        for (path, text, rule) in [
            ("broker/Cargo.toml", on("dependencies", "a"), "must not depend on `a`"),
            ("broker/Cargo.toml", on("dev-dependencies", "a"), "must not depend on `a`"),
            ("broker/Cargo.toml", on("target.'cfg(unix)'.dependencies", "a"), "must not depend on `a`"),
            ("broker/Cargo.toml", renamed, "must not depend on `a`"),
            ("adapters/sql/Cargo.toml", on("dependencies", "c"), "must not depend on `c`"),
            ("adapters/sql/Cargo.toml", on("build-dependencies", "tests"), "must not depend on `tests`"),
            ("proto/wire/Cargo.toml", on("dependencies", "b"), "must not depend on `b`"),
            ("broker/Cargo.toml", manifest("x", "[dependencies]\nserde = \"1\"\n"), "takes `serde` from the workspace"),
            ("broker/Cargo.toml", manifest("severn-common", ""), "no crate is called"),
            ("broker/Cargo.toml", "[package]\nname = \"x\"\n".into(), "inherits the workspace's lints"),
            ("broker/Cargo.toml", "[package".into(), "cannot be read as TOML"),
        ] {
            let found = rules(path, &text);
            assert!(found.contains(rule), "{path} {rule:?}: {found}");
        }
    }
}
