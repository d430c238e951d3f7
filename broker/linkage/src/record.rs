//! One registration as the index keeps it: fixed in size, every word a number. Former names, addresses and contacts
//! stand beside it in [`Former`], for the few registrations that have any.

use crate::atoms::{AtomId, Atoms, Layer};
use crate::identity::{Identity, NhsNumber, Sex};
use crate::normalise::{
    contact,
    date::Date,
    name::NameParts,
    place::{PlaceParts, Postcode},
};
use serde::{Deserialize, Serialize};

/// The current values of one registration.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// NHS number, its top bit set if verified; zero if missing.
    nhs: u64,
    pub phone: u64,
    pub email: u64,
    pub birth: Date,
    pub death: Date,
    pub name: NameIds,
    pub place: PlaceIds,
    sex: u8,
    /// Whether a registration stands in this row.
    pub present: bool,
    /// Whether [`Former`] holds more of it.
    pub has_former: bool,
}

/// The words of one name.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameIds {
    pub given: AtomId,
    pub middle: AtomId,
    pub family: AtomId,
}

/// One address.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceIds {
    pub numbers: u32,
    pub street: AtomId,
    pub postcode: Postcode,
}

impl PlaceIds {
    pub fn is_missing(&self) -> bool {
        *self == Self::default()
    }
}

/// Every value beyond the current ones that a registration ever had.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Former {
    pub names: Vec<NameIds>,
    pub places: Vec<PlaceIds>,
    pub phones: Vec<u64>,
    pub emails: Vec<u64>,
}

/// How many names, addresses, phones or e-mail addresses of one registration are kept, the first ones.
const FORMER_MAX: usize = 15;

const VERIFIED: u64 = 1 << 63;

impl Record {
    pub fn nhs_number(&self) -> Option<NhsNumber> {
        let number = self.nhs & !VERIFIED;
        (number != 0).then(|| NhsNumber::from_checked(number))
    }

    pub const fn is_verified(&self) -> bool {
        self.nhs & VERIFIED != 0
    }

    pub const fn sex(&self) -> Sex {
        Sex::from_code(self.sex)
    }
}

/// Gives words their numbers.
pub(crate) trait Intern {
    /// The number of a word.
    fn intern(&mut self, word: &str) -> AtomId;
}

impl Intern for Atoms {
    fn intern(&mut self, word: &str) -> AtomId {
        Self::intern(self, word)
    }
}

impl Intern for Layer<'_> {
    fn intern(&mut self, word: &str) -> AtomId {
        Self::intern(self, word)
    }
}

/// Normalises identities, using its memory again from one to the next.
#[derive(Default)]
pub(crate) struct Reader {
    name: NameParts,
    place: PlaceParts,
}

impl Reader {
    pub fn read(&mut self, identity: &Identity<'_>, words: &mut impl Intern) -> (Record, Option<Former>) {
        let mut former = Former::default();
        let mut record = Record {
            nhs: identity
                .nhs_number
                .map_or(0, |number| number.get() | if identity.nhs_number_verified { VERIFIED } else { 0 }),
            birth: Date::parse(identity.birth_date),
            death: Date::parse(identity.death_date),
            sex: identity.sex as u8,
            present: true,
            ..Record::default()
        };
        for name in identity.names.iter().take(FORMER_MAX) {
            self.name.read(name);
            let own = NameIds {
                given: words.intern(&self.name.given),
                middle: words.intern(&self.name.middle),
                family: words.intern(&self.name.family),
            };
            keep(own, &mut record.name, &mut former.names);
        }
        for address in identity.addresses.iter().take(FORMER_MAX) {
            self.place.read(address);
            let own = PlaceIds {
                numbers: self.place.numbers,
                street: words.intern(&self.place.street),
                postcode: self.place.postcode,
            };
            keep(own, &mut record.place, &mut former.places);
        }
        for phone in identity.phones.iter().take(FORMER_MAX) {
            keep(contact::phone(phone), &mut record.phone, &mut former.phones);
        }
        for email in identity.emails.iter().take(FORMER_MAX) {
            keep(contact::email(email), &mut record.email, &mut former.emails);
        }
        record.has_former = former != Former::default();
        let former = record.has_former.then_some(former);
        (record, former)
    }
}

/// The first value that is not missing is the current one; each further one is kept once.
fn keep<T: Copy + Default + PartialEq>(value: T, current: &mut T, former: &mut Vec<T>) {
    let missing = T::default();
    if value == missing || value == *current || former.contains(&value) {
        return;
    }
    if *current == missing { *current = value } else { former.push(value) }
}
