//! Rules on the README: short, and its code map leads to every folder.

use crate::Violation;

const LINES_MAX: usize = 150;

/// Every rule that the README breaks; `folders` are those it must name, by path from the root.
pub fn check(readme: Option<&str>, folders: &[String]) -> Vec<Violation> {
    let file = "README.md";
    let Some(text) = readme else { return vec![Violation::new(file, "is missing")] };
    let mut violations = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        violations.push(Violation::new(file, format!("has {lines} lines; {LINES_MAX} at most")));
    }
    for folder in folders {
        let name = folder.rsplit('/').next().unwrap_or(folder);
        if !text.contains(&format!("{name}/")) {
            violations.push(Violation::new(file, format!("does not name `{name}/` ({folder}) in its code map")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(readme: Option<&str>) -> String {
        let folders = ["broker".to_owned(), "broker/src/merge".to_owned()];
        check(readme, &folders).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    #[test]
    fn planted_violations_are_found() {
        assert_eq!(rules(Some("broker/\n  src/merge/  makes one record\n")), "");
        assert!(rules(None).contains("is missing"));
        assert!(rules(Some("broker/ merge\n")).contains("does not name `merge/`"));
        assert!(rules(Some(&"broker/ merge/\n".repeat(151))).contains("has 151 lines"));
    }
}
