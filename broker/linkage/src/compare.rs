//! Two registrations → the level of every field. Pure: the same two in either order give the same levels.
//!
//! A registration with several names, addresses or contacts is compared by all of them, and the best pair counts:
//! a name that was left behind still tells who somebody is.

use crate::atoms::{Word, Words};
use crate::identity::Sex;
use crate::levels::{Field, Levels, birth, contact, email, family, given, middle, nhs, place, sex};
use crate::normalise::{date::Date, mix};
use crate::record::{Former, NameIds, PlaceIds, Record};
use crate::similarity::{is_number_slip, is_one_slip, jaro_winkler, shared_bigrams};

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub record: &'a Record,
    pub former: Option<&'a Former>,
    pub words: Words<'a>,
}

/// What a comparison found: levels, and for each field that agrees exactly the value it agrees on, as a hash (zero if
/// it does not), since agreeing on a rare value says more. Of a name in two spellings, the value is the name that stands
/// for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The level of every field.
    pub levels: Levels,
    pub(crate) given: u64,
    pub(crate) family: u64,
    pub(crate) birth: u32,
    pub(crate) place: u64,
    pub(crate) phone: u64,
}

/// Compares all that both sides ever held.
pub(crate) fn compare_sides(one: &Side<'_>, two: &Side<'_>) -> Comparison {
    let mut found = Comparison::default();
    names(one, two, &mut found);
    places(one, two, &mut found);
    let (a, b) = (one.record, two.record);
    found.levels = found
        .levels
        .with(Field::Birth, birth_level(a.birth, b.birth))
        .with(Field::Sex, sex_level(a.sex(), b.sex()))
        .with(Field::Nhs, nhs_level(a, b));
    if found.levels.get(Field::Birth) == birth::EXACT {
        found.birth = a.birth.packed();
    }
    phones(one, two, &mut found);
    found.levels = found.levels.with(Field::Email, email_level(one, two));
    found
}

fn email_level(one: &Side<'_>, two: &Side<'_>) -> u8 {
    let former = |side: &Side<'_>, email: u64| side.former.is_some_and(|former| former.emails.contains(&email));
    let (ours, theirs) = (one.record.email, two.record.email);
    if ours == 0 || theirs == 0 {
        return 0;
    }
    let shared_former = || match (one.former, two.former) {
        (Some(own), Some(other)) => own.emails.iter().any(|email| other.emails.contains(email)),
        _ => false,
    };
    let same = ours == theirs || former(one, theirs) || former(two, ours) || shared_former();
    if same { email::SAME } else { email::DIFFERENT }
}

fn all_names<'a>(side: &Side<'a>) -> impl Iterator<Item = NameIds> + Clone + use<'a> {
    [side.record.name].into_iter().chain(side.former.map_or(&[][..], |former| &former.names).iter().copied())
}

fn all_places<'a>(side: &Side<'a>) -> impl Iterator<Item = PlaceIds> + Clone + use<'a> {
    [side.record.place].into_iter().chain(side.former.map_or(&[][..], |former| &former.places).iter().copied())
}

fn names(one: &Side<'_>, two: &Side<'_>, found: &mut Comparison) {
    let mut best = (0, 0, 0);
    for own in all_names(one) {
        for other in all_names(two) {
            let pair = name_pair(NameWords::of(one, own), NameWords::of(two, other));
            let strength = GIVEN_STRENGTH[usize::from(pair.given)]
                + FAMILY_STRENGTH[usize::from(pair.family)]
                + MIDDLE_STRENGTH[usize::from(pair.middle)];
            // Ties are broken by content, so that either order of the two sides finds the same.
            let rank = (strength, pair.given_value ^ pair.family_value, pair.given);
            if rank > best {
                best = rank;
                found.levels = found
                    .levels
                    .with(Field::Given, pair.given)
                    .with(Field::Family, pair.family)
                    .with(Field::Middle, pair.middle);
                (found.given, found.family) = (pair.given_value, pair.family_value);
            }
        }
    }
}

// Which of several names fits best must not depend on a model: half bits for each level, roughly, over a base.
const GIVEN_STRENGTH: [i32; 12] = [100, 116, 114, 112, 113, 110, 112, 106, 106, 104, 102, 92];
const FAMILY_STRENGTH: [i32; 9] = [100, 118, 115, 113, 112, 112, 108, 104, 92];
const MIDDLE_STRENGTH: [i32; 6] = [100, 108, 107, 104, 92, 92];

#[derive(Clone, Copy)]
struct NameWords<'a> {
    given: Word<'a>,
    middle: Word<'a>,
    family: Word<'a>,
}

impl<'a> NameWords<'a> {
    fn of(side: &Side<'a>, name: NameIds) -> Self {
        let word = |id| side.words.get(id);
        Self { given: word(name.given), middle: word(name.middle), family: word(name.family) }
    }
}

struct NamePair {
    given: u8,
    family: u8,
    middle: u8,
    given_value: u64,
    family_value: u64,
}

fn name_pair(one: NameWords<'_>, two: NameWords<'_>) -> NamePair {
    let same = |a: &Word<'_>, b: &Word<'_>| a.atom.root != 0 && a.atom.root == b.atom.root;
    let mut pair = NamePair {
        given: given_level(&one.given, &two.given),
        family: family_level(&one.family, &two.family),
        middle: middle_level(&one.middle, &two.middle),
        given_value: 0,
        family_value: 0,
    };
    let straight =
        pair.given <= given::SPELLING && pair.given != 0 || pair.family <= family::SPELLING && pair.family != 0;
    if !straight {
        exchanged(&one, &two, &mut pair);
    }
    let crossed = same(&one.given, &two.middle) || same(&one.middle, &two.given);
    if crossed && pair.given > given::NICKNAME && pair.given != given::SWAPPED {
        pair.given = given::MIDDLE;
        // One name cannot speak twice.
        pair.middle = if same(&one.given, &two.middle) && same(&one.middle, &two.given) { middle::EXACT } else { 0 };
    }
    pair.given_value = match pair.given {
        given::EXACT => one.given.atom.whole,
        given::SPELLING => one.given.atom.root,
        _ => 0,
    };
    pair.family_value = match pair.family {
        family::EXACT => one.family.atom.whole,
        family::SPELLING => one.family.atom.root,
        _ => 0,
    };
    pair
}

/// Given and family name written in each other's place, both or one of them.
fn exchanged(one: &NameWords<'_>, two: &NameWords<'_>, pair: &mut NamePair) {
    let alike = |a: &Word<'_>, b: &Word<'_>| {
        a.atom.root != 0 && (a.atom.root == b.atom.root || (a.text.len() > 3 && is_one_slip(a.text, b.text)))
    };
    let (across, back) = (alike(&one.given, &two.family), alike(&one.family, &two.given));
    if across && back {
        // One exchange is one thing, and counts once.
        (pair.given, pair.family) = (given::SWAPPED, 0);
    } else if across || back {
        // One of them wandered; the other is missing or another.
        pair.family = family::SWAPPED;
    }
}

fn given_level(one: &Word<'_>, two: &Word<'_>) -> u8 {
    let (a, b) = (one.atom, two.atom);
    if a.whole == 0 || b.whole == 0 {
        return 0;
    }
    if a.whole == b.whole {
        return if a.is_initial() { given::INITIAL } else { given::EXACT };
    }
    if a.root == b.root {
        return given::SPELLING;
    }
    if a.is_nickname_of(b) {
        return given::NICKNAME;
    }
    if a.is_initial() || b.is_initial() {
        return if a.initial == b.initial { given::INITIAL } else { given::DIFFERENT };
    }
    if is_one_slip(one.text, two.text) {
        return given::SLIP;
    }
    if begins_like(one, two) || begins_like(two, one) || shares_part(one, two) {
        return given::PART;
    }
    let similarity = jaro_winkler(one.text, two.text);
    if similarity >= 0.90 {
        given::ALIKE
    } else if a.sound == b.sound || similarity >= 0.84 {
        given::SOUND
    } else {
        given::DIFFERENT
    }
}

/// "ALEX" begins like "ALEXIS", and "KA" like "KA HUI"; two letters alone begin like too much.
fn begins_like(short: &Word<'_>, long: &Word<'_>) -> bool {
    let rest = long.text.strip_prefix(short.text);
    rest.is_some_and(|rest| short.text.len() >= 3 || rest.first() == Some(&b' '))
}

fn shares_part(one: &Word<'_>, two: &Word<'_>) -> bool {
    (one.has_parts() || two.has_parts()) && one.parts().any(|part| two.parts().any(|other| part == other))
}

fn family_level(one: &Word<'_>, two: &Word<'_>) -> u8 {
    let (a, b) = (one.atom, two.atom);
    if a.whole == 0 || b.whole == 0 {
        return 0;
    }
    if a.whole == b.whole {
        return family::EXACT;
    }
    if a.root == b.root {
        return family::SPELLING;
    }
    if shares_part(one, two) {
        return family::PART;
    }
    if is_one_slip(one.text, two.text) {
        return family::SLIP;
    }
    let similarity = jaro_winkler(one.text, two.text);
    if similarity >= 0.92 {
        family::ALIKE
    } else if a.sound == b.sound || similarity >= 0.85 {
        family::SOUND
    } else {
        family::DIFFERENT
    }
}

fn middle_level(one: &Word<'_>, two: &Word<'_>) -> u8 {
    let (a, b) = (one.atom, two.atom);
    if a.whole == 0 || b.whole == 0 {
        return 0;
    }
    if a.is_initial() || b.is_initial() {
        return if a.initial == b.initial { middle::INITIAL } else { middle::OTHER_INITIAL };
    }
    if a.root == b.root {
        return middle::EXACT;
    }
    let alike = a.is_nickname_of(b) || is_one_slip(one.text, two.text) || shares_part(one, two);
    if alike || jaro_winkler(one.text, two.text) >= 0.92 { middle::ALIKE } else { middle::DIFFERENT }
}

fn birth_level(one: Date, two: Date) -> u8 {
    if one.is_missing() || two.is_missing() {
        return 0;
    }
    if one == two {
        return if one.is_whole() { birth::EXACT } else { birth::PARTIAL };
    }
    let years = one.year().abs_diff(two.year());
    if !one.is_whole() || !two.is_whole() {
        let months = one.month() == 0 || two.month() == 0 || one.month() == two.month();
        return if years == 0 && months { birth::PARTIAL } else { distance(years) };
    }
    if one.swapped() == two {
        return birth::SWAPPED;
    }
    if is_one_digit_slip(one.digits(), two.digits()) {
        return birth::SLIP;
    }
    if years == 0 && (one.is_first_of_january() || two.is_first_of_january()) {
        return birth::JANUARY;
    }
    let agreeing = [years == 0, one.month() == two.month(), one.day() == two.day()];
    if agreeing.iter().filter(|agrees| **agrees).count() == 2 { birth::TWO_OF_THREE } else { distance(years) }
}

const fn distance(years: u32) -> u8 {
    if years <= 12 { birth::NEAR } else { birth::FAR }
}

/// One digit wrong, or two adjacent digits exchanged.
fn is_one_digit_slip(one: [u8; 8], two: [u8; 8]) -> bool {
    let mut differing = (0..8).filter(|place| one[*place] != two[*place]);
    match (differing.next(), differing.next(), differing.next()) {
        (Some(_), None, None) => true,
        (Some(first), Some(second), None) => {
            second == first + 1 && one[first] == two[second] && one[second] == two[first]
        }
        _ => false,
    }
}

const fn sex_level(one: Sex, two: Sex) -> u8 {
    match (one, two) {
        (Sex::Unknown, _) | (_, Sex::Unknown) => 0,
        (Sex::Female, Sex::Female) => sex::BOTH_FEMALE,
        _ if one as u8 == two as u8 => sex::SAME,
        (Sex::Other, _) | (_, Sex::Other) => 0,
        _ => sex::DIFFERENT,
    }
}

fn nhs_level(one: &Record, two: &Record) -> u8 {
    let (Some(a), Some(b)) = (one.nhs_number(), two.nhs_number()) else { return 0 };
    let verified = one.is_verified() && two.is_verified();
    if a == b {
        return if verified { nhs::VERIFIED } else { nhs::SAME };
    }
    if verified {
        return nhs::VERIFIED_DIFFERENT;
    }
    if is_number_slip(a.get(), b.get()) { nhs::SLIP } else { nhs::DIFFERENT }
}

const fn contact_level(one: u64, two: u64) -> u8 {
    if one == 0 || two == 0 {
        0
    } else if one == two {
        contact::SAME
    } else {
        contact::DIFFERENT
    }
}

fn phones(one: &Side<'_>, two: &Side<'_>, found: &mut Comparison) {
    let (mut best, mut value) = (0, 0);
    let former = |side: &Side<'_>| side.former.map_or(&[][..], |former| &former.phones).to_vec();
    let pairs = |a: u64, b: u64, best: &mut u8, value: &mut u64| {
        let mut level = contact_level(a, b);
        if level == contact::DIFFERENT && is_number_slip(a, b) {
            level = contact::SLIP;
        }
        if level != 0 && (*best == 0 || level < *best) {
            *best = level;
            *value = if level == contact::SAME { a } else { 0 };
        }
    };
    if one.former.is_none() && two.former.is_none() {
        pairs(one.record.phone, two.record.phone, &mut best, &mut value);
    } else {
        for own in former(one).into_iter().chain([one.record.phone]) {
            for other in former(two).into_iter().chain([two.record.phone]) {
                pairs(own, other, &mut best, &mut value);
            }
        }
    }
    found.levels = found.levels.with(Field::Phone, best);
    found.phone = value;
}

fn places(one: &Side<'_>, two: &Side<'_>, found: &mut Comparison) {
    let mut best = 0;
    for own in all_places(one) {
        for other in all_places(two) {
            let level = place_level(one, &own, two, &other);
            if level != 0 && (best == 0 || level < best) {
                best = level;
                let same_code = !own.postcode.is_missing() && own.postcode == other.postcode;
                let value = |side: &Side<'_>, own: &PlaceIds| place_value(own, side.words.get(own.street).atom.whole);
                let same = same_code && level <= place::POSTCODE_AND_NUMBER && value(one, &own) == value(two, &other);
                found.place = if same { value(one, &own) } else { 0 };
            }
        }
    }
    found.levels = found.levels.with(Field::Place, best);
}

/// The hash by which a house is known. In a UK postcode the number says which house it is, and the street, which is
/// spelt in many ways, is left out.
pub(crate) fn place_value(own: &PlaceIds, street: u64) -> u64 {
    let street = if own.postcode.is_foreign() || own.postcode.is_missing() { street } else { 0 };
    mix(street ^ mix(u64::from(own.numbers) << 32 | u64::from(own.postcode.get()))).max(1)
}

fn place_level(one: &Side<'_>, own: &PlaceIds, two: &Side<'_>, other: &PlaceIds) -> u8 {
    if own.is_missing() || other.is_missing() {
        return 0;
    }
    let (street, other_street) = (one.words.get(own.street), two.words.get(other.street));
    let streets_known = street.atom.whole != 0 && other_street.atom.whole != 0;
    let numbers_known = own.numbers != 0 && other.numbers != 0;
    let same_numbers = own.numbers == other.numbers;
    let codes_known = !own.postcode.is_missing() && !other.postcode.is_missing();
    let same_code = codes_known && own.postcode == other.postcode;
    // The street needs a look only where the postcode, the number or its own length leave room for the same house.
    let long = street.text.len() > LONG_STREET && other_street.text.len() > LONG_STREET;
    let nearly = own.postcode.nearly(other.postcode);
    let one_number = same_numbers && numbers_known;
    // The more of the rest agrees, the less of a long street must.
    let bigrams_min = match (one_number, same_code || nearly) {
        (true, true) => BIGRAMS_MIN,
        (false, false) => f64::INFINITY,
        _ => BIGRAMS_ALONE_MIN,
    };
    let same_street = streets_known
        && if long {
            long_streets_alike(&street, &other_street, bigrams_min)
        } else {
            (same_numbers || same_code) && streets_alike(&street, &other_street)
                || (one_number && same_code && is_within(&street, &other_street))
        };
    let same_house = same_street && same_numbers;
    if same_house && (same_code || (!codes_known && numbers_known)) {
        return if same_code { place::SAME } else { place::SAME_POSTCODE_UNSURE };
    }
    // Such a street holds its town: the house or the postcode was mistyped.
    let foreign = own.postcode.is_foreign() && other.postcode.is_foreign();
    if foreign && long && one_number && nearly && long_streets_alike(&street, &other_street, BIGRAMS_ALONE_MIN) {
        return place::SAME;
    }
    if same_street && long && !same_house && foreign {
        return if same_code { place::NEIGHBOUR } else { place::LONG_STREET };
    }
    if same_code {
        let house_known = numbers_known || (streets_known && own.numbers == 0 && other.numbers == 0);
        return match (house_known, same_numbers && numbers_known) {
            (true, true) => place::POSTCODE_AND_NUMBER,
            (true, false) if same_street => place::NEIGHBOUR,
            (true, false) => place::OTHER_STREET,
            (false, _) => place::POSTCODE,
        };
    }
    if same_house && (numbers_known || long) {
        return if nearly { place::SAME_POSTCODE_UNSURE } else { place::STREET };
    }
    if same_street && long {
        return if nearly { place::NEARLY_POSTCODE } else { place::LONG_STREET };
    }
    if !codes_known {
        return if streets_known && numbers_known { place::DIFFERENT } else { 0 };
    }
    far_level(own, other, nearly)
}

/// Letters from which on a street, its town perhaps included, is not found twice by chance.
const LONG_STREET: usize = 18;
/// Share of pairs of letters from which on two long streets are one, its words perhaps in another order or some left
/// out, where number and postcode agree as well: of random Australian addresses 1 in 2,000 share so many.
const BIGRAMS_MIN: f64 = 0.5;
/// The same where only one of the two agrees: of random addresses 1 in 100,000 share so many.
const BIGRAMS_ALONE_MIN: f64 = 0.65;
/// Share of the pairs of letters of the shorter one from which on it is the longer one with words left out: of random
/// addresses 1 in 500,000.
const BIGRAMS_WITHIN_MIN: f64 = 0.85;

fn far_level(own: &PlaceIds, other: &PlaceIds, nearly: bool) -> u8 {
    let (one, two) = (own.postcode, other.postcode);
    if nearly && own.numbers == other.numbers {
        place::NEARLY_POSTCODE
    } else if one.sector() == two.sector() || (nearly && one.is_foreign()) {
        place::SECTOR
    } else if one.outward() == two.outward() {
        place::DISTRICT
    } else if one.area() == two.area() {
        place::AREA
    } else {
        place::DIFFERENT
    }
}

fn long_streets_alike(one: &Word<'_>, two: &Word<'_>, bigrams_min: f64) -> bool {
    let alike = || {
        let shared = shared_bigrams(one.text, two.text);
        shared.of_all >= bigrams_min || shared.of_shorter >= BIGRAMS_WITHIN_MIN
    };
    one.atom.whole == two.atom.whole || is_one_slip(one.text, two.text) || (bigrams_min <= 1.0 && alike())
}

/// Whether one street is the other with words left out before or behind ("SANDY BAY" of "MILL LANE SANDY BAY").
fn is_within(one: &Word<'_>, two: &Word<'_>) -> bool {
    let (short, long) = if one.text.len() <= two.text.len() { (one.text, two.text) } else { (two.text, one.text) };
    short.len() >= PART_MIN && (long.starts_with(short) || long.ends_with(short))
}

/// Letters of a street that are enough to know it by.
const PART_MIN: usize = 6;

fn streets_alike(one: &Word<'_>, two: &Word<'_>) -> bool {
    one.atom.whole == two.atom.whole || is_one_slip(one.text, two.text) || jaro_winkler(one.text, two.text) >= 0.92
}
