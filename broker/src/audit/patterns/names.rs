//! Names, as far as two can be told to be the same, and how common each is among the persons that were looked at. Pure.

use std::collections::HashMap;

/// Titles that stand before a name and are none.
const TITLES: [&str; 14] =
    ["dr", "mr", "mrs", "ms", "miss", "mx", "prof", "professor", "sir", "dame", "sister", "nurse", "rev", "cllr"];

/// A given and a family name, folded: letters only, in lower case, without accents of Latin letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FullName {
    /// The first given name.
    pub given: String,
    /// The family name.
    pub family: String,
}

impl FullName {
    /// Of a user as the trail names them: "Dr Ada Example (u-1)", "EXAMPLE, Ada (u-1)".
    pub fn of_user(user: &str) -> FullName {
        let name = user.rfind(" (").map_or(user, |at| &user[..at]);
        if let Some((family, given)) = name.split_once(',') {
            return FullName { given: first_word(given), family: fold(family) };
        }
        let words: Vec<&str> = name.split_whitespace().filter(|word| !is_title(word)).collect();
        match words.as_slice() {
            [] => FullName::default(),
            [only] => FullName { given: String::new(), family: fold(only) },
            [given, .., family] => FullName { given: fold(given), family: fold(family) },
        }
    }

    /// Whether both parts are there, so that two can be compared.
    pub fn is_whole(&self) -> bool {
        self.given.len() > 1 && self.family.len() > 1
    }
}

fn is_title(word: &str) -> bool {
    TITLES.contains(&fold(word).as_str())
}

fn first_word(text: &str) -> String {
    text.split_whitespace().find(|word| !is_title(word)).map(fold).unwrap_or_default()
}

/// Letters only, in lower case, without the commonest accents.
pub fn fold(text: &str) -> String {
    let letters = text.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphabetic());
    letters.map(bare).collect()
}

fn bare(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

/// How common names are.
#[derive(Default)]
pub struct Shares {
    given: HashMap<String, u32>,
    family: HashMap<String, u32>,
    persons: u32,
}

impl Shares {
    /// Counts one person.
    pub fn count(&mut self, given: &str, families: &[String]) {
        self.persons += 1;
        *self.given.entry(given.to_owned()).or_default() += 1;
        for family in families {
            *self.family.entry(family.clone()).or_default() += 1;
        }
    }

    /// The share of persons, other than the one at hand, who bear this family name.
    pub fn of_family(&self, family: &str) -> f64 {
        self.share(&self.family, family)
    }

    /// The share of persons, other than the one at hand, who bear both names, if neither goes with the other.
    pub fn of_both(&self, name: &FullName) -> f64 {
        self.share(&self.given, &name.given) * self.share(&self.family, &name.family)
    }

    fn share(&self, counts: &HashMap<String, u32>, name: &str) -> f64 {
        let others = counts.get(name).copied().unwrap_or_default().saturating_sub(1);
        // Of a name that nobody else bears, no more is known than that it is rarer than any.
        f64::from(others).max(0.5) / f64::from(self.persons.max(1))
    }
}
