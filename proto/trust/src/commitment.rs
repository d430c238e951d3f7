//! A salted commitment to who is meant. The asking app makes it from what it knows of the person in front of the
//! user; broker and adapters compare it with their own records, so that nobody on the way can swap the person.
//!
//! It hides the person from somebody who sees the proof and does not know the person; it is no secret against
//! somebody who tries all NHS numbers, and nothing here relies on that.

use crate::{
    clock::Entropy,
    digest::{Digest, sha256},
    nhs_number::NhsNumber,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use severn_proto::v1::{Demographics, human_name::Use};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// What identifies a person for a commitment, normalised: an NHS number, those it replaced, and birth date with family name.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonKeys {
    nhs: Option<NhsNumber>,
    replaced: Vec<NhsNumber>,
    demographics: Vec<String>,
}

impl PersonKeys {
    /// Takes what `demographics` says. Every family name counts, former ones too.
    pub fn of(demographics: &Demographics) -> PersonKeys {
        let nhs = NhsNumber::parse(&demographics.nhs_number).ok();
        let mut families: Vec<String> = Vec::new();
        let current_first = demographics.names.iter().filter(|name| name.r#use() != Use::Old);
        let former = demographics.names.iter().filter(|name| name.r#use() == Use::Old);
        for name in current_first.chain(former) {
            let whole =
                if name.family.is_empty() { name.text.split_whitespace().last().unwrap_or("") } else { &name.family };
            let family: String = whole.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_uppercase).collect();
            if !family.is_empty() && !families.contains(&family) {
                families.push(family);
            }
        }
        let whole_date = demographics.birth_date.len() == 10;
        let keys = families.into_iter().filter(|_| whole_date).map(|f| format!("{}|{f}", demographics.birth_date));
        let replaced = demographics.replaced_nhs_numbers.iter().filter_map(|number| NhsNumber::parse(number).ok());
        PersonKeys { nhs, replaced: replaced.collect(), demographics: keys.collect() }
    }
}

/// The commitments as a proof carries them. Texts are base64url without padding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitments {
    /// 16 random bytes.
    pub salt: String,
    /// SHA-256 of "severn-nhs", salt, ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs: Option<String>,
    /// The same of each number that this one replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<String>,
    /// SHA-256 of "severn-dem", salt, "YYYY-MM-DD|FAMILY" (letters only, upper case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demographics: Option<String>,
}

impl Commitments {
    /// Commits to `person` under a fresh salt.
    pub fn new(person: &PersonKeys, entropy: &dyn Entropy) -> Commitments {
        let mut salt = [0; SALT_BYTES];
        entropy.fill(&mut salt);
        let digest = |number| URL_SAFE_NO_PAD.encode(nhs_digest(&salt, number));
        Commitments {
            salt: URL_SAFE_NO_PAD.encode(salt),
            nhs: person.nhs.map(digest),
            replaced: person.replaced.iter().copied().map(digest).collect(),
            demographics: person.demographics.first().map(|d| URL_SAFE_NO_PAD.encode(demographics_digest(&salt, d))),
        }
    }

    /// Whether `own` may be the person meant: an NHS number on both sides must agree; where one side still holds a number
    /// that was replaced, or a side holds none, birth date and family name must. A commitment that cannot be compared never
    /// agrees.
    pub fn agrees_with(&self, own: &PersonKeys) -> bool {
        let Some(salt) = self.salt_bytes() else { return false };
        let digest = |number| nhs_digest(&salt, number);
        let replaced = || own.replaced.iter().any(|number| self.names_number(&digest(*number)));
        match own.nhs.map(digest) {
            Some(nhs) if self.names_number(&nhs) => return true,
            // Whoever searched by a number that was replaced knows no more yet.
            Some(_) if replaced() && self.demographics.is_none() => return true,
            Some(nhs) if self.nhs.is_some() && !self.names_replaced(&nhs) && !replaced() => return false,
            _ => {}
        }
        own.demographics.iter().any(|d| self.names_demographics(&demographics_digest(&salt, d)))
    }

    /// The digests of `own` under this salt, as an adapter echoes them: NHS number, then birth date and family name.
    /// Of several family names the one that agrees is echoed.
    pub fn echo(&self, own: &PersonKeys) -> (Option<Digest>, Option<Digest>) {
        let Some(salt) = self.salt_bytes() else { return (None, None) };
        let mut demographics = own.demographics.iter().map(|d| demographics_digest(&salt, d));
        let first = demographics.next();
        let agreeing = first.into_iter().chain(demographics).find(|d| self.names_demographics(d));
        (own.nhs.map(|n| nhs_digest(&salt, n)), agreeing.or(first))
    }

    /// Whether an echo is about the person meant, by the same rule as [`Commitments::agrees_with`].
    pub fn agrees_with_echo(&self, nhs: &[u8], demographics: &[u8]) -> bool {
        if self.nhs.is_some() && !nhs.is_empty() && !self.names_replaced(nhs) {
            return self.names_number(nhs);
        }
        !demographics.is_empty() && self.names_demographics(demographics)
    }

    /// Whether anybody is meant at all: a search commits to nobody.
    pub fn is_empty(&self) -> bool {
        self.nhs.is_none() && self.demographics.is_none()
    }

    fn names_number(&self, digest: &[u8]) -> bool {
        self.nhs.as_ref().is_some_and(|meant| *meant == URL_SAFE_NO_PAD.encode(digest))
    }

    fn names_replaced(&self, digest: &[u8]) -> bool {
        let digest = URL_SAFE_NO_PAD.encode(digest);
        self.replaced.contains(&digest)
    }

    fn names_demographics(&self, digest: &[u8]) -> bool {
        self.demographics.as_ref().is_some_and(|meant| *meant == URL_SAFE_NO_PAD.encode(digest))
    }

    fn salt_bytes(&self) -> Option<[u8; SALT_BYTES]> {
        URL_SAFE_NO_PAD.decode(&self.salt).ok()?.try_into().ok()
    }
}

fn nhs_digest(salt: &[u8], nhs: NhsNumber) -> Digest {
    sha256(&[b"severn-nhs", salt, nhs.digits().as_bytes()])
}

fn demographics_digest(salt: &[u8], key: &str) -> Digest {
    sha256(&[b"severn-dem", salt, key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use severn_proto::v1::HumanName;

    fn person(nhs: &str, born: &str, families: &[&str]) -> PersonKeys {
        let names = families.iter().map(|f| HumanName { family: (*f).into(), ..HumanName::default() }).collect();
        PersonKeys::of(&Demographics {
            nhs_number: nhs.into(),
            birth_date: born.into(),
            names,
            ..Demographics::default()
        })
    }

    #[test]
    fn agrees_with_the_same_person_only() {
        let meant = person("943 476 5919", "1980-02-01", &["O'Brien"]);
        let commitments = Commitments::new(&meant, &SystemEntropy::default());
        for (own, agrees) in [
            (person("9434765919", "1980-02-01", &["OBRIEN"]), true),
            (person("9434765919", "1999-01-01", &["Smith"]), true),
            (person("9990000018", "1980-02-01", &["O'Brien"]), false),
            (person("", "1980-02-01", &["o’brien"]), true),
            (person("", "1980-02-01", &["Smith", "O'Brien"]), true),
            (person("", "1980-02-02", &["O'Brien"]), false),
            (person("", "1980", &["O'Brien"]), false),
            (person("", "", &[]), false),
        ] {
            assert_eq!(commitments.agrees_with(&own), agrees);
            let (nhs, demographics) = commitments.echo(&own);
            let bytes = |d: Option<Digest>| d.map(|d| d.to_vec()).unwrap_or_default();
            assert_eq!(commitments.agrees_with_echo(&bytes(nhs), &bytes(demographics)), agrees);
        }
    }

    #[test]
    fn a_number_that_was_replaced_counts_with_birth_date_and_name() {
        let current = PersonKeys {
            replaced: vec![NhsNumber::parse("9990000018").unwrap()],
            ..person("9434765919", "1980-02-01", &["O'Brien"])
        };
        let old = |born| person("9990000018", born, &["O'Brien"]);
        for (meant, own, agrees) in [
            (&current, old("1980-02-01"), true),
            (&current, old("1980-02-02"), false),
            (&current, person("9990000018", "", &[]), false),
            (&old("1980-02-01"), current.clone(), true),
            (&old("1980-02-02"), current.clone(), false),
            (&person("9990000018", "", &[]), current.clone(), true),
            (&old("1980-02-01"), person("9434765919", "1980-02-01", &["O'Brien"]), false),
        ] {
            let commitments = Commitments::new(meant, &SystemEntropy::default());
            assert_eq!(commitments.agrees_with(&own), agrees);
        }
        let commitments = Commitments::new(&current, &SystemEntropy::default());
        for (born, agrees) in [("1980-02-01", true), ("1980-02-02", false)] {
            let (nhs, demographics) = commitments.echo(&old(born));
            let bytes = |d: Option<Digest>| d.map(|d| d.to_vec()).unwrap_or_default();
            assert_eq!(commitments.agrees_with_echo(&bytes(nhs), &bytes(demographics)), agrees);
        }
    }

    #[test]
    fn a_commitment_to_nobody_agrees_with_nobody() {
        let nobody = Commitments::new(&PersonKeys::default(), &SystemEntropy::default());
        assert!(nobody.is_empty());
        assert!(!nobody.agrees_with(&person("9434765919", "1980-02-01", &["O'Brien"])));
    }
}
