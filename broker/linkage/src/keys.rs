//! Blocking keys: two registrations are compared only if they share a key. Pure: the keys of a registration depend on
//! that registration alone.
//!
//! A key has three parts, each finer than the one before. Which part counts is decided by how many registrations share
//! it ([`crate::population`]), so that a common value is never dropped but narrowed.

use crate::atoms::Word;
use crate::compare::Side;
use crate::normalise::{date::Date, mix, place::is_telling};
use crate::record::{NameIds, PlaceIds};
use crate::similarity::soundex;

/// Number of kinds of key.
pub(crate) const KINDS: usize = 15;

/// The kinds of key, in the order in which they are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    NhsNumber,
    BirthAndFamily,
    BirthAndGiven,
    BirthAndPostcode,
    BirthAndMiddle,
    Name,
    SoundsAndDay,
    NameAndDistrict,
    PhoneAndGiven,
    PhoneAndYear,
    PostcodeAndGiven,
    PostcodeAndFamily,
    Email,
    ForeignPlace,
    Birth,
}

/// How many registrations may share a key before its next finer part counts.
#[derive(Clone, Copy)]
pub(crate) struct SharedMax {
    wide: usize,
    finest: usize,
}

impl SharedMax {
    const fn of(wide: usize) -> Self {
        Self { wide, finest: wide }
    }

    /// At a width: 0 for the coarse part alone, 2 for the whole key.
    pub const fn at(self, width: usize) -> usize {
        if width < 2 { self.wide } else { self.finest }
    }
}

/// For each kind of key. Names alone are narrowed soon: only a rare name tells anything by itself. One number with one
/// birth date and one given name is one person, who may be known to hundreds of sources.
pub(crate) const SHARED_MAX: [SharedMax; KINDS] = [
    SharedMax { wide: 60, finest: 1_000 },
    SharedMax::of(100),
    SharedMax::of(100),
    SharedMax::of(100),
    SharedMax::of(60),
    SharedMax::of(12),
    SharedMax::of(40),
    SharedMax::of(40),
    SharedMax::of(60),
    SharedMax::of(60),
    SharedMax::of(60),
    SharedMax::of(60),
    SharedMax::of(60),
    SharedMax::of(30),
    SharedMax::of(12),
];

/// One key of a registration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub kind: u8,
    /// What counts first.
    pub coarse: u32,
    /// The finer part in its upper 16 bits, the finest in its lower 16.
    pub finer: u32,
}

/// What the keys of one registration are made of.
struct Values {
    birth: Date,
}

/// All keys of a registration, over all values it ever had; sorted, each once.
pub(crate) fn keys_of(side: &Side<'_>, into: &mut Vec<Key>) {
    into.clear();
    let record = side.record;
    let former = side.former;
    let values = Values { birth: record.birth };
    let word = |id| side.words.get(id);
    if let Some(number) = record.nhs_number() {
        push(into, Kind::NhsNumber, number.get(), [record.birth.hash(), sound(&word(record.name.given))]);
    }
    let names = || [record.name].into_iter().chain(former.map_or(&[][..], |former| &former.names).iter().copied());
    let places = || [record.place].into_iter().chain(former.map_or(&[][..], |former| &former.places).iter().copied());
    let phones = || [record.phone].into_iter().chain(former.map_or(&[][..], |former| &former.phones).iter().copied());
    let emails = || [record.email].into_iter().chain(former.map_or(&[][..], |former| &former.emails).iter().copied());
    for name in names() {
        let name = NameValues::of(side, name);
        name.keys(&values, &record.place, into);
        for place in places() {
            name.keys_with_place(&values, &place, into);
        }
        for phone in phones().filter(|phone| *phone != 0) {
            if name.given != 0 {
                push(into, Kind::PhoneAndGiven, mix(phone) ^ mix(name.given), [values.birth.hash(), name.family]);
            }
        }
    }
    if record.birth.is_whole() {
        let district = u64::from(record.place.postcode.outward());
        let given = sound(&word(record.name.given));
        push(into, Kind::Birth, u64::from(record.birth.canonical()), [district, given]);
    }
    for place in places() {
        foreign_place(side, &place, into);
    }
    for place in places().filter(|place| !place.postcode.is_missing()) {
        if values.birth.is_whole() {
            let code = u64::from(place.postcode.get());
            let birth = u64::from(values.birth.canonical());
            push(into, Kind::BirthAndPostcode, mix(birth) ^ code, [u64::from(place.numbers), record.sex() as u64]);
        }
    }
    for phone in phones().filter(|phone| *phone != 0) {
        if !values.birth.is_missing() {
            let day = u64::from(values.birth.unordered_day_and_month());
            let given = sound(&word(record.name.given));
            push(into, Kind::PhoneAndYear, mix(phone) ^ u64::from(values.birth.year()), [day, given]);
        }
    }
    for email in emails().filter(|email| *email != 0) {
        push(into, Kind::Email, email, [sound(&word(record.name.given)), values.birth.hash()]);
    }
    if into.len() > 12 {
        into.sort_unstable();
        into.dedup();
    }
}

/// Where there is no UK postcode, which says nearly which house it is, the postcode as text and the house with its
/// street stand for themselves.
fn foreign_place(side: &Side<'_>, place: &PlaceIds, into: &mut Vec<Key>) {
    let street_sound = sound(&side.words.get(place.street));
    let street = side.words.get(place.street).atom.whole;
    let name = &side.record.name;
    let finer = [sound(&side.words.get(name.family)), sound(&side.words.get(name.given))];
    let birth = side.record.birth;
    if place.postcode.is_foreign() {
        let [family, given] = finer;
        if family != 0 && given != 0 {
            let day = u64::from(birth.unordered_day_and_month());
            push(into, Kind::ForeignPlace, mix(family << 32) ^ given, [u64::from(birth.year()), day]);
        }
        push(into, Kind::ForeignPlace, u64::from(place.postcode.get()), finer);
    }
    if street != 0 && place.postcode.is_foreign() {
        for name in finer.into_iter().filter(|name| *name != 0) {
            let street = mix(street_sound << 32) ^ mix(name);
            push(into, Kind::ForeignPlace, street, [u64::from(place.postcode.get()), side.record.birth.hash()]);
        }
    }
    words_of_street(side, place, into);
    if place.numbers == 0 || !(place.postcode.is_foreign() || place.postcode.is_missing()) {
        return;
    }
    let number = u64::from(place.numbers);
    if street != 0 {
        push(into, Kind::ForeignPlace, mix(street) ^ number, finer);
    }
    if birth.is_whole() {
        push(into, Kind::ForeignPlace, mix(number ^ mix(u64::from(birth.canonical()))), finer);
    }
    // Either name, so that exchanged ones meet.
    for name in finer.into_iter().filter(|name| *name != 0) {
        push(into, Kind::ForeignPlace, mix(number ^ mix(name)), [birth.hash(), u64::from(place.postcode.get())]);
    }
}

/// Words of one address that make keys.
const STREET_WORDS_MAX: usize = 6;

/// Where next to nothing but a foreign address is known, and that is mistyped, some word of it, its town perhaps, is
/// still the same beside the digits of the postcode or the number of the house.
fn words_of_street(side: &Side<'_>, place: &PlaceIds, into: &mut Vec<Key>) {
    if !place.postcode.is_foreign() {
        return;
    }
    let word = |id| sound(&side.words.get(id));
    let finer = [word(side.record.name.family), word(side.record.name.given)];
    let digits = mix(u64::from(place.postcode.unordered()));
    let street = side.words.get(place.street);
    for word in street.parts().filter(|word| is_telling(word)).take(STREET_WORDS_MAX) {
        let word = mix(u64::from(soundex(word)) << 32);
        push(into, Kind::ForeignPlace, word ^ digits, finer);
        if place.numbers != 0 {
            push(into, Kind::ForeignPlace, word ^ mix(u64::from(place.numbers)), finer);
        }
    }
}

impl Key {
    /// Whether its finer part, or at width 2 the finest, is of a value that the registration does not give. Narrowed to
    /// that, a key meets only who does not give it either.
    pub fn is_blind(finer: u32, width: usize) -> bool {
        let missing = half(0);
        width > 0 && finer >> 16 == missing || width > 1 && finer & 0xffff == missing
    }
}

fn half(value: u64) -> u32 {
    (mix(value ^ 0x5e7e) >> 48) as u32
}

fn push(into: &mut Vec<Key>, kind: Kind, coarse: u64, [finer, finest]: [u64; 2]) {
    let coarse = (mix(coarse ^ (kind as u64) << 56) >> 32) as u32;
    into.push(Key { kind: kind as u8, coarse, finer: half(finer) << 16 | half(finest) });
}

fn sound(word: &Word<'_>) -> u64 {
    u64::from(word.atom.sound)
}

struct NameValues {
    given: u64,
    middle: u64,
    family: u64,
    /// Sounds of the parts of a double family name, each of which the person may use alone.
    family_parts: [u64; 2],
    given_root: u64,
    family_root: u64,
}

impl NameValues {
    fn of(side: &Side<'_>, name: NameIds) -> Self {
        let (given, middle, family) =
            (side.words.get(name.given), side.words.get(name.middle), side.words.get(name.family));
        let mut family_parts = [0; 2];
        if family.has_parts() {
            for (part, own) in family.parts().zip(&mut family_parts) {
                *own = u64::from(soundex(part));
            }
        }
        Self {
            given: sound(&given),
            middle: sound(&middle),
            family: sound(&family),
            family_parts,
            given_root: given.atom.root,
            family_root: family.atom.root,
        }
    }

    fn keys(&self, values: &Values, place: &PlaceIds, into: &mut Vec<Key>) {
        let birth = values.birth;
        let year = u64::from(birth.year());
        let day = u64::from(birth.unordered_day_and_month());
        if birth.is_whole() {
            let canonical = mix(u64::from(birth.canonical()));
            let code = u64::from(place.postcode.outward());
            for family in [self.family].into_iter().chain(self.family_parts).filter(|family| *family != 0) {
                push(into, Kind::BirthAndFamily, canonical ^ family, [self.given, code]);
            }
            if self.given != 0 {
                push(into, Kind::BirthAndGiven, canonical ^ self.given, [self.family, code]);
                // The first and a further given name may be exchanged: both stand under one kind.
                push(into, Kind::BirthAndMiddle, canonical ^ self.given, [self.family, code]);
            }
            if self.middle != 0 && self.middle != self.given {
                push(into, Kind::BirthAndMiddle, canonical ^ self.middle, [self.family, code]);
            }
        }
        if self.given_root == 0 && self.family_root == 0 {
            return;
        }
        // Sorted, so that exchanged names meet.
        let name = mix(self.given_root) ^ mix(self.family_root.rotate_left(1));
        push(into, Kind::Name, name, [year, day]);
        if birth.is_whole() {
            let sounds = mix(self.given.min(self.family)) ^ self.given.max(self.family).rotate_left(20);
            push(into, Kind::SoundsAndDay, mix(sounds) ^ day, [self.given_root ^ self.family_root, year / 10]);
        }
    }

    fn keys_with_place(&self, values: &Values, place: &PlaceIds, into: &mut Vec<Key>) {
        if place.postcode.is_missing() {
            return;
        }
        let code = mix(u64::from(place.postcode.get()));
        let year = u64::from(values.birth.year());
        if self.given != 0 {
            push(into, Kind::PostcodeAndGiven, code ^ self.given, [year, u64::from(place.numbers)]);
        }
        if self.family != 0 && year != 0 {
            push(into, Kind::PostcodeAndFamily, code ^ mix(self.family) ^ year, [u64::from(place.numbers), self.given]);
        }
        if self.given_root != 0 && self.family_root != 0 {
            let outward = mix(u64::from(place.postcode.outward()));
            let day = u64::from(values.birth.unordered_day_and_month());
            let name = mix(self.given_root) ^ mix(self.family_root.rotate_left(1));
            push(into, Kind::NameAndDistrict, name ^ outward, [year, day]);
        }
    }
}
