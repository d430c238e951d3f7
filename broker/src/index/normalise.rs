//! Makes names, postcodes and dates comparable, and takes from a registration what the search and persons' decisions
//! look at. Pure. What the score looks at is the linkage engine's own.

use super::decide::Said;
use jiff::civil::Date;
use severn_proto::v1::{Demographics, HumanName, human_name::Use};
use severn_trust::{NhsNumber, sha256};
use std::fmt;

/// What persons' decisions and the search by number look at. Its `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The NHS number, if its check digit is right.
    pub number: Option<NhsNumber>,
    /// Whether the source traced that number.
    pub verified: bool,
    /// The birth date, if it is whole and no placeholder.
    pub birth: Option<Date>,
    /// Whether the source holds the person as restricted.
    pub restricted: bool,
    /// A digest of who it says it is.
    pub said: Said,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts(…)")
    }
}

/// Everything the index remembers of a registration beside its bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// What persons' decisions and the search by number look at.
    pub facts: Facts,
    /// The source gave an NHS number that is none.
    pub unusable_number: bool,
}

/// A name as it is compared: upper-case letters without accents.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The family name, in one word.
    pub family: String,
    /// All given names, in one word.
    pub given: String,
}

impl Profile {
    /// Reads `demographics`.
    pub fn of(demographics: &Demographics) -> Profile {
        let number = NhsNumber::parse(&demographics.nhs_number).ok();
        let birth = whole_date(&demographics.birth_date).filter(|date| !is_placeholder_date(*date));
        let facts = Facts {
            number,
            verified: number.is_some() && demographics.nhs_number_verified,
            birth,
            restricted: demographics.restricted,
            said: said(demographics),
        };
        Profile { facts, unusable_number: number.is_none() && !demographics.nhs_number.trim().is_empty() }
    }
}

/// Number, names, birth date and sex; where somebody lives does not say who they are.
fn said(demographics: &Demographics) -> Said {
    let mut parts =
        vec![demographics.nhs_number.clone(), demographics.birth_date.clone(), demographics.sex.to_string()];
    for name in demographics.names.iter().filter(|name| !matches!(name.r#use(), Use::Old | Use::Alias)) {
        let Name { family, given, .. } = Name::of(name);
        parts.extend([family, given]);
    }
    // Parts hold letters, digits and hyphens only, so the separator keeps them apart.
    let digest = sha256(&[parts.join("|").as_bytes()]);
    let mut said = Said::default();
    said.copy_from_slice(&digest[..16]);
    said
}

impl Name {
    /// Reads a name. Where only the whole text is kept, its last word is the family name.
    pub fn of(name: &HumanName) -> Name {
        if !name.family.trim().is_empty() || !name.given.is_empty() {
            return Name::from_parts(&name.family, name.given.iter().map(String::as_str));
        }
        let words: Vec<&str> = name.text.split_whitespace().filter(|word| !is_title(word)).collect();
        match words.split_last() {
            Some((family, given)) => Name::from_parts(family, given.iter().copied()),
            None => Name::default(),
        }
    }

    /// Reads a name from its parts.
    pub fn from_parts<'a>(family: &str, given: impl IntoIterator<Item = &'a str>) -> Name {
        Name { family: letters(family), given: given.into_iter().map(letters).collect() }
    }
}

fn is_title(word: &str) -> bool {
    matches!(letters(word).as_str(), "MR" | "MRS" | "MS" | "MISS" | "MX" | "DR" | "PROF" | "SIR" | "REV" | "MASTER")
}

/// Upper-case letters without accents; all else is dropped.
pub fn letters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_uppercase) {
        match base(c) {
            Some(plain) => out.push_str(plain),
            None => out.push(c),
        }
    }
    out
}

/// The plain letters of an accented Latin capital. Combining accents are no letters, so both spellings of É agree.
fn base(c: char) -> Option<&'static str> {
    Some(match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'Æ' => "AE",
        'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'Ð' | 'Ď' | 'Đ' => "D",
        'È'..='Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'Ĥ' | 'Ħ' => "H",
        'Ì'..='Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' => "I",
        'Ĵ' => "J",
        'Ķ' => "K",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ŀ' | 'Ł' => "L",
        'Ñ' | 'Ń' | 'Ņ' | 'Ň' => "N",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'Œ' => "OE",
        'Ŕ' | 'Ŗ' | 'Ř' => "R",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'Ţ' | 'Ť' | 'Ŧ' | 'Ț' => "T",
        'Þ' => "TH",
        'Ù'..='Ü' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'Ŵ' => "W",
        'Ý' | 'Ŷ' | 'Ÿ' => "Y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        _ => return None,
    })
}

/// A British postcode without its space; `None` for another shape, and for ZZ99, which stands for "no fixed abode",
/// "not known" and countries abroad (NHS Data Dictionary).
pub fn postcode(text: &str) -> Option<String> {
    let code: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let inward = code.get(code.len().checked_sub(3)?..)?.as_bytes();
    let shaped = (5..=7).contains(&code.len())
        && inward[0].is_ascii_digit()
        && inward[1..].iter().all(u8::is_ascii_uppercase)
        && code.starts_with(|c: char| c.is_ascii_uppercase());
    (shaped && !code.starts_with("ZZ99")).then_some(code)
}

/// A whole date, YYYY-MM-DD; `None` for anything else.
pub fn whole_date(text: &str) -> Option<Date> {
    let shaped = text.len() == 10 && text.bytes().enumerate().all(|(i, b)| (b == b'-') == (i == 4 || i == 7));
    if shaped { text.parse().ok() } else { None }
}

/// Whether the text is a date, whole or partial: YYYY, YYYY-MM, YYYY-MM-DD.
pub fn is_partial_date(text: &str) -> bool {
    match text.len() {
        4 => whole_date(&format!("{text}-01-01")).is_some(),
        7 => whole_date(&format!("{text}-01")).is_some(),
        _ => whole_date(text).is_some(),
    }
}

/// 1 January 1900 is what systems write when they do not know; nobody alive was born before 1890.
fn is_placeholder_date(date: Date) -> bool {
    date == Date::constant(1900, 1, 1) || date.year() < 1890
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_accents_case_and_marks() {
        for (a, b) in
            [("O'Brien", "O’BRIEN"), ("Müller", "Mu\u{308}ller"), ("Smith-Jones", "smith jones"), ("Łukasz", "LUKASZ")]
        {
            assert_eq!(letters(a), letters(b), "{a}");
        }
        assert_ne!(letters("Anne"), letters("Anna"));
        assert_eq!(letters("Иванова"), "ИВАНОВА");
        let from_text = Name::of(&HumanName { text: "Mrs Mary Ann Smith".into(), ..HumanName::default() });
        assert!(from_text == Name::from_parts("Smith", ["Mary", "Ann"]));
    }

    #[test]
    fn postcodes_and_dates() {
        assert_eq!(postcode("b15 2th").as_deref(), Some("B152TH"));
        for none in ["", "B15", "ZZ99 3VZ", "12345", "B15 2T1", "é1"] {
            assert_eq!(postcode(none), None, "{none}");
        }
        for good in ["1980", "1980-02", "1980-02-29"] {
            assert!(is_partial_date(good), "{good}");
        }
        for bad in ["", "80", "1980-13", "1981-02-29", "19800229", "1980-2-29", "1980-02-29T00:00", "abcd", "-980"] {
            assert!(!is_partial_date(bad), "{bad}");
        }
        let born =
            |text: &str| Profile::of(&Demographics { birth_date: text.into(), ..Demographics::default() }).facts.birth;
        assert!(born("1980-02-29").is_some());
        assert!(born("1900-01-01").is_none());
        assert!(born("1980").is_none());
    }
}
