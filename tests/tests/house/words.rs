//! Rules on words: British spelling, one word for one thing, and no character that makes a text read as another.

use crate::Violation;

/// Words that are not used here, and what is said instead.
const BANNED: [(&str, &str); 26] = [
    ("patient_id", "local id, or enterprise id: a person has no one id"),
    ("patientid", "local id, or enterprise id: a person has no one id"),
    ("whitelist", "allow-list"),
    ("blacklist", "deny-list"),
    ("leverage", "use"),
    ("utilise", "use"),
    ("utilize", "use"),
    ("behavior", "behaviour"),
    ("behaviors", "behaviours"),
    ("color", "colour"),
    ("colors", "colours"),
    ("center", "centre"),
    ("canceled", "cancelled"),
    ("labeled", "labelled"),
    ("modeled", "modelled"),
    ("traveled", "travelled"),
    ("catalog", "catalogue"),
    ("favor", "favour"),
    ("honor", "honour"),
    ("neighbor", "neighbour"),
    ("gray", "grey"),
    ("analyze", "analyse"),
    ("defense", "defence"),
    ("fulfill", "fulfil"),
    ("artifact", "artefact"),
    ("practise_id", "practice id"),
];

/// American endings and the British ones.
const ENDINGS: [(&str, &str); 7] = [
    ("ization", "isation"),
    ("izations", "isations"),
    ("izing", "ising"),
    ("ized", "ised"),
    ("izes", "ises"),
    ("izer", "iser"),
    ("ize", "ise"),
];

/// Words that end so in Britain too, those of FHIR and HTTP, and what serde calls a parameter.
const RIGHT: [&str; 17] = [
    "Organization",
    "Immunization",
    "Authorization",
    "serializer",
    "deserializer",
    "size",
    "sizes",
    "sized",
    "sizing",
    "resize",
    "resized",
    "oversized",
    "prize",
    "prizes",
    "seize",
    "seized",
    "citizen",
];

/// Characters that change the order of what is read, or cannot be seen.
const UNSEEN: [char; 19] = [
    '\u{61c}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}',
    '\u{202d}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{ad}', '\u{180e}',
    '\u{feff}',
];

/// Every rule on words that a text breaks.
pub fn check(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut in_code = false;
    for (line, number) in text.lines().zip(1..) {
        if let Some(unseen) = line.chars().find(|c| UNSEEN.contains(c)) {
            let code = u32::from(unseen);
            violations.push(Violation::at(
                path,
                number,
                format!("has the unseen character U+{code:04X}; write an escape"),
            ));
        }
        let fence = line.trim_start_matches(['/', '!', ' ', '#']).starts_with("```");
        in_code ^= fence;
        // The house rules have to name what they ban.
        if in_code || fence || path.starts_with("tests/tests/house/") {
            continue;
        }
        let prose = prose_of(path, line);
        let words = prose.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        for word in words {
            if let Some(instead) = instead_of(word) {
                violations.push(Violation::at(path, number, format!("says `{word}`; here it is {instead}")));
            }
        }
    }
    violations
}

/// What is wrong with a name that is ours to choose.
pub fn fault_of_name(path: &str, name: &str) -> Option<String> {
    if path.starts_with("tests/tests/house/") {
        return None;
    }
    let banned = |(word, instead): &(&str, &str)| (name.to_ascii_lowercase() == *word).then(|| (*instead).to_owned());
    if let Some(instead) = BANNED.iter().find_map(banned) {
        return Some(format!("`{name}` is not said; here it is {instead}"));
    }
    let parts = split_name(name);
    // FHIR's resources, in the code that reads or writes FHIR.
    let writes_fhir = !path.starts_with("broker/") && !path.starts_with("proto/");
    let theirs = |word: &str| writes_fhir && ["organization", "immunization"].contains(&word);
    let mut ours = parts.iter().map(String::as_str).filter(|word| !theirs(word));
    let (word, instead) = ours.find_map(|word| Some((word, instead_of(word)?)))?;
    Some(format!("`{name}` says `{word}`; here it is {instead}"))
}

/// The part of a line that is prose: comments, and all of a Markdown text; without code in backticks and addresses.
fn prose_of(path: &str, line: &str) -> String {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let trimmed = line.trim_start();
    let is_prose = match extension {
        "rs" | "proto" => trimmed.starts_with("//"),
        "md" => true,
        "sql" => trimmed.starts_with("--"),
        _ => trimmed.starts_with('#'),
    };
    if !is_prose {
        return String::new();
    }
    let outside_code: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let words = outside_code.split_whitespace().filter(|word| !word.contains("://") && !word.contains('"'));
    words.collect::<Vec<_>>().join(" ")
}

fn instead_of(word: &str) -> Option<String> {
    if let Some((_, instead)) = BANNED.iter().find(|(banned, _)| *banned == word) {
        return Some((*instead).to_owned());
    }
    if RIGHT.contains(&word) || word.len() < 6 {
        return None;
    }
    let (stem, british) =
        ENDINGS.iter().find_map(|(american, british)| Some((word.strip_suffix(american)?, british)))?;
    Some(format!("{stem}{british}"))
}

/// `["patient", "id"]` for `patient_id`, `PATIENT_ID` and `PatientId`.
fn split_name(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && after_lower) {
            parts.push(String::new());
        }
        after_lower = c.is_lowercase();
        if let (true, Some(part)) = (c != '_', parts.last_mut()) {
            part.extend(c.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> String {
        check(path, text).iter().map(|violation| format!("{violation:?}\n")).collect()
    }

    #[test]
    fn british_words_code_and_other_peoples_names_are_left_alone() {
        for (path, text) in [
            ("a/src/a.rs", "// Normalises the size of a prize, `serialize`d; see https://a.example/behavior/color\n"),
            ("a/src/a.rs", "let x = serialize(organization);\n"),
            ("a/src/a.rs", "/// ```\n/// // color\n/// ```\n"),
            ("a/src/a.rs", "// The Organization resource, \"color\" in JSON.\n"),
            ("README.md", "Sized and seized.\n```\ncolor\n```\n"),
            ("Cargo.toml", "color = 1\n"),
        ] {
            assert_eq!(rules(path, text), "", "{text}");
        }
        assert_eq!(fault_of_name("adapters/fhir/src/a.rs", "managing_organization"), None);
        for name in ["page_size", "sizes_max", "resize", "deserializer", "patient", "id"] {
            assert_eq!(fault_of_name("broker/src/a.rs", name), None);
        }
    }

    #[test]
    fn planted_violations_are_found() {
        for (path, text, rule) in [
            ("a/src/a.rs", "    // Normalizes: we normalize\n", "says `normalize`; here it is normalise"),
            ("a/src/a.rs", "/// The authorization of it.\n", "here it is authorisation"),
            ("a/a.proto", "  // The color.\n", "colour"),
            ("README.md", "We leverage it.\n", "here it is use"),
            ("deploy/broker.example.toml", "# The whitelist.\n", "allow-list"),
            ("tests/run", "# Initialized.\n# it was initialized\n", "initialised"),
            ("a/src/a.rs", "//! One.\nlet x = \"a\u{202e}b\";\n", "U+202E"),
            ("a/src/a.rs", "let zero\u{200b}width = 1;\n", "U+200B"),
            ("a.md", "\u{2066}text\u{2069}\n", "U+2066"),
        ] {
            let found = rules(path, text);
            assert!(found.contains(rule), "{path} {rule:?}: {found}");
        }
    }

    #[test]
    fn names_are_read_in_every_case() {
        for name in ["patient_id", "PATIENT_ID", "PatientId", "the_color", "TheColor", "normalizeName", "organization"]
        {
            assert!(fault_of_name("broker/src/a.rs", name).is_some(), "{name}");
        }
    }
}
