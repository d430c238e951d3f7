//! Names: titles and placeholders left out, whole-text names parted.

use crate::identity::Name;
use crate::normalise::fold;

const TITLES: [&str; 22] = [
    "MR", "MRS", "MS", "MISS", "MX", "DR", "DOCTOR", "PROF", "PROFESSOR", "REV", "REVD", "SIR", "DAME", "LORD", "LADY",
    "MASTER", "MSTR", "CAPT", "FR", "SISTER", "HON", "CLLR",
];

/// Words that are written where no name is known.
const PLACEHOLDERS: [&str; 28] = [
    "UNKNOWN", "UNIDENTIFIED", "NOTKNOWN", "NOTGIVEN", "NOTRECORDED", "NOTSTATED", "NONAME", "NOFORENAME", "NOSURNAME",
    "NONE", "NULL", "NA", "NK", "UNK", "NFN", "TEST", "TESTPATIENT", "PATIENT", "BABY", "BABYBOY", "BABYGIRL", "INFANT",
    "NEWBORN", "MALE", "FEMALE", "XXX", "ANON", "ANONYMOUS",
];

/// The three parts that are compared, each folded; an empty part is missing.
#[derive(Default)]
pub(crate) struct NameParts {
    /// First given name.
    pub given: String,
    /// All further given names.
    pub middle: String,
    /// Family name.
    pub family: String,
}

impl NameParts {
    fn clear(&mut self) {
        self.given.clear();
        self.middle.clear();
        self.family.clear();
    }

    /// Reads one name into these parts, whose memory is used again.
    pub fn read(&mut self, name: &Name<'_>) {
        self.clear();
        if name.family.trim().is_empty() && name.given.iter().all(|part| part.trim().is_empty()) {
            self.read_text(name.text);
        } else {
            fold(name.family, &mut self.family);
            // A first given name that is empty is missing: the second does not move up into its place.
            if let Some((first, further)) = name.given.split_first() {
                fold(first, &mut self.given);
                further.iter().for_each(|part| self.add_middle(part));
            }
        }
        for part in [&mut self.given, &mut self.middle, &mut self.family] {
            without_digits(part);
            without_titles(part);
            without_placeholders(part);
        }
    }

    fn add_middle(&mut self, part: &str) {
        if !self.middle.is_empty() && !part.trim().is_empty() {
            self.middle.push(' ');
        }
        fold(part, &mut self.middle);
    }

    /// "FAMILY, Given Middle" or "Given Middle Family".
    fn read_text(&mut self, text: &str) {
        if let Some((family, given)) = text.split_once(',') {
            fold(family, &mut self.family);
            let mut words = given.split_whitespace();
            fold(words.next().unwrap_or_default(), &mut self.given);
            for word in words {
                self.add_middle(word);
            }
            return;
        }
        let mut whole = String::new();
        fold(text, &mut whole);
        without_titles(&mut whole);
        let mut words: Vec<&str> = whole.split(' ').filter(|word| !word.is_empty()).collect();
        if let Some(family) = words.pop() {
            self.family.push_str(family);
        }
        if let Some((first, rest)) = words.split_first() {
            self.given.push_str(first);
            self.middle.push_str(&rest.join(" "));
        }
    }
}

fn without_digits(part: &mut String) {
    if part.bytes().any(|byte| byte.is_ascii_digit()) {
        part.retain(|letter| !letter.is_ascii_digit());
        let words: Vec<&str> = part.split(' ').filter(|word| !word.is_empty()).collect();
        *part = words.join(" ");
    }
}

fn without_titles(part: &mut String) {
    while let Some((first, rest)) = part.split_once(' ') {
        if !TITLES.contains(&first) || rest.is_empty() {
            break;
        }
        *part = rest.to_owned();
    }
}

fn without_placeholders(part: &mut String) {
    // "BABY" alone and "BABY GIRL" are no names; "TWIN" with a number lost its number already.
    let joined = || part.bytes().filter(|byte| *byte != b' ').map(char::from).collect::<String>();
    let suspicious = part.len() <= 14 && part.as_bytes().first().is_some_and(|first| b"UNTPBIMFXA".contains(first));
    if suspicious && (PLACEHOLDERS.contains(&joined().as_str()) || part == "TWIN") {
        part.clear();
    } else if part.len() > 1 && part.bytes().all(|byte| byte == b'X' || byte == b' ') {
        part.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(family: &str, given: &[&str], text: &str) -> (String, String, String) {
        let mut parts = NameParts::default();
        parts.read(&Name { family, given, text, ..Name::default() });
        (parts.given, parts.middle, parts.family)
    }

    fn expected(given: &str, middle: &str, family: &str) -> (String, String, String) {
        (given.into(), middle.into(), family.into())
    }

    #[test]
    fn names_are_parted_and_cleaned() {
        assert_eq!(read("O'Brien", &["Mary", "Jane", "Ann"], ""), expected("MARY", "JANE ANN", "OBRIEN"));
        assert_eq!(read("", &[], "SMITH, John Paul"), expected("JOHN", "PAUL", "SMITH"));
        assert_eq!(read("", &[], "Dr John Paul Smith"), expected("JOHN", "PAUL", "SMITH"));
        assert_eq!(read("Smith", &["Mrs Ann"], ""), expected("ANN", "", "SMITH"));
        assert_eq!(read("", &[], "Suharto"), expected("", "", "SUHARTO"));
        assert_eq!(read("Smith2", &["", "Ann"], ""), expected("", "ANN", "SMITH"));
    }

    #[test]
    fn placeholders_are_missing() {
        assert_eq!(read("Smith", &["Baby Girl"], ""), expected("", "", "SMITH"));
        assert_eq!(read("UNKNOWN", &["Unknown"], ""), expected("", "", ""));
        assert_eq!(read("Smith", &["Twin 1"], ""), expected("", "", "SMITH"));
        assert_eq!(read("Test", &["XXXX"], ""), expected("", "", ""));
    }
}
