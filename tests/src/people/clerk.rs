//! Writes a person down as a source does: what was so at the time, less what went wrong. Error rates follow what CRATE
//! (Cardinal, 2023) measured between NHS trusts, as the source's care scales them: given name 2.4% different, family
//! name 1.3% for men (a woman's changes with marriage come on top), birth date .5%, gender .33%, postcode 1% mistyped
//! beside those who moved. A pair has two sides, so that each side has half of it.

use super::{
    draw::Draw,
    names::{Names, Origin, Sex, variants::Variants},
    person::{Home, Person},
    places::{self, Kind, NhsNumbers, PRACTICE_PHONE, PRACTICE_PHONE_SOURCE, SOURCES},
    slips,
};

/// One source's demographics for one local id, as it is written; an empty text is a missing value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The source.
    pub source: &'static str,
    /// The local id, unique within the source.
    pub local_id: String,
    /// Ten digits.
    pub nhs_number: String,
    /// Whether the source has checked the number with the national service.
    pub nhs_number_verified: bool,
    /// Given name.
    pub given: String,
    /// Middle names or initials.
    pub middle: String,
    /// Family name.
    pub family: String,
    /// `1958-03-14`.
    pub birth_date: String,
    /// `F`, `M`, or `U` for unknown.
    pub sex: &'static str,
    /// First line of the address.
    pub line1: String,
    /// Postcode.
    pub postcode: String,
    /// Telephone.
    pub phone: String,
    /// Electronic mail.
    pub email: String,
    /// Death date.
    pub death_date: String,
}

/// What is not as it is on most registrations of the person: one bit each.
pub type Marks = u32;

/// A former address.
pub const FORMER_HOME: Marks = 1;
/// A former family name.
pub const FORMER_NAME: Marks = 1 << 1;
/// The former gender and given name.
pub const FORMER_GENDER: Marks = 1 << 2;
/// Another spelling.
pub const TRANSLITERATED: Marks = 1 << 3;
/// A short form of the given name.
pub const NICKNAME: Marks = 1 << 4;
/// Given and middle name exchanged.
pub const CROSSED_NAMES: Marks = 1 << 5;
/// Given and family name exchanged.
pub const SWAPPED_NAMES: Marks = 1 << 6;
/// The family name absent, or the clan's for Kaur and Singh.
pub const NO_FAMILY_NAME: Marks = 1 << 7;
/// Day and month exchanged.
pub const DATE_SWAPPED: Marks = 1 << 8;
/// The first of January for the birth date.
pub const FIRST_OF_JANUARY: Marks = 1 << 9;
/// No birth date.
pub const DATE_MISSING: Marks = 1 << 10;
/// A superseded NHS number.
pub const OLD_NUMBER: Marks = 1 << 11;
/// Somebody else's NHS number.
pub const OVERLAID: Marks = 1 << 12;
/// The death is known.
pub const DECEASED: Marks = 1 << 13;
/// Called "Baby".
pub const BABY: Marks = 1 << 14;

/// One visit to a source.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// A place in the list of sources.
    pub source: usize,
    /// From 0, long ago, to 1, now.
    pub time: f64,
    /// What goes wrong for certain.
    pub planted: Marks,
    /// Somebody else's number, entered by mistake.
    pub overlaid: Option<&'a str>,
}

/// Who writes.
#[derive(Debug)]
pub struct Clerk {
    /// Chance.
    pub draw: Draw,
    /// Names that replace others.
    pub names: Names,
    /// Names for the same name.
    pub variants: Variants,
    /// Numbers.
    pub numbers: NhsNumbers,
}

impl Clerk {
    /// The registration that a visit leaves behind, and what is wrong with it. The local id is left empty.
    pub fn write(&mut self, person: &Person, homes: &[Home], visit: Visit<'_>) -> (Registration, Marks) {
        let (source, kind) = SOURCES[visit.source];
        let mut scribe = Scribe {
            errors: kind.care().errors,
            marks: visit.planted,
            clerk: self,
            person,
            visit,
            written: Registration { source, ..Registration::default() },
        };
        scribe.names();
        scribe.birth_date();
        scribe.sex();
        scribe.address(homes);
        scribe.contact(homes);
        scribe.number(kind);
        if visit.source.is_multiple_of(3) {
            scribe.in_capitals();
        }
        (scribe.written, scribe.marks)
    }
}

struct Scribe<'a> {
    errors: f64,
    marks: Marks,
    clerk: &'a mut Clerk,
    person: &'a Person,
    visit: Visit<'a>,
    written: Registration,
}

impl Scribe<'_> {
    /// Whether an error happens: with this probability at a source of ordinary care.
    fn errs(&mut self, probability: f64) -> bool {
        self.clerk.draw.chance(probability * self.errors)
    }

    /// Whether something is wrong, by plan or by chance; it is marked.
    fn marked(&mut self, mark: Marks, probability: f64) -> bool {
        if self.visit.planted & mark != 0 || self.errs(probability) {
            self.marks |= mark;
            return true;
        }
        false
    }

    fn names(&mut self) {
        let person = self.person;
        let (family, is_former) = Person::then(&person.family, person.former_family.as_ref(), self.visit.time);
        if is_former {
            self.marks |= FORMER_NAME;
        }
        let (given, was_other) = Person::then(&person.given, person.former_gender.as_ref(), self.visit.time);
        if was_other {
            self.marks |= FORMER_GENDER;
        }
        let (mut given, mut family, mut middle) = (given.clone(), family.clone(), person.middle.clone());
        self.family_of_custom(&mut given, &mut middle, &mut family);
        self.spellings(&mut given, &mut family);
        self.given_name(&mut given, &mut middle);
        self.family_name(&mut family);
        match self.clerk.draw.unit() {
            absent if absent < 0.4 && self.marks & CROSSED_NAMES == 0 => middle.clear(),
            initial if initial < 0.58 => middle.truncate(middle.chars().next().map_or(0, char::len_utf8)),
            _ => {}
        }
        let swapped = if person.origin == Origin::Chinese { 0.05 } else { 0.002 };
        if self.marked(SWAPPED_NAMES, swapped) {
            std::mem::swap(&mut given, &mut family);
        }
        // Most systems have no letters beyond those of English.
        if self.visit.source % 4 != 1 {
            for name in [&mut given, &mut middle, &mut family] {
                if !name.is_ascii() {
                    *name = slips::folded(name);
                }
            }
        }
        (self.written.given, self.written.middle, self.written.family) = (given, middle, family);
    }

    /// What custom does with family names: Kaur here and the clan there, a name that is no family name left out or
    /// written twice, a Western given name.
    fn family_of_custom(&mut self, given: &mut String, middle: &mut String, family: &mut String) {
        let person = self.person;
        let of_custom = match person.origin {
            Origin::Sikh => 0.06,
            Origin::SouthAsianMuslim if person.sex == Sex::Female => 0.03,
            _ => 0.0,
        };
        if of_custom > 0.0 && !family.is_empty() && self.marked(NO_FAMILY_NAME, of_custom) {
            if person.origin == Origin::Sikh {
                *middle = if person.sex == Sex::Male { "Singh".into() } else { "Kaur".into() };
                let was_clan = family != middle;
                *family = if was_clan { std::mem::take(middle) } else { self.clerk.names.clan(&mut self.clerk.draw) };
            } else if self.clerk.draw.chance(0.5) {
                *middle = std::mem::take(family);
            } else {
                family.clear();
            }
        } else if family.is_empty() && self.clerk.draw.chance(0.4) {
            // A field that must be filled is filled.
            *family = if self.clerk.draw.chance(0.6) { given.clone() } else { "Unknown".into() };
        }
        if person.origin == Origin::Chinese && self.errs(0.03) {
            *given = self.clerk.names.western(&mut self.clerk.draw);
            self.marks |= NICKNAME;
        }
    }

    fn spellings(&mut self, given: &mut String, family: &mut String) {
        if self.person.origin == Origin::British {
            return;
        }
        for (name, probability) in [(given, 0.09), (family, 0.06)] {
            if !self.errs(probability) {
                continue;
            }
            if let Some(other) = self.clerk.variants.spelling(&mut self.clerk.draw, name) {
                *name = other;
                self.marks |= TRANSLITERATED;
            }
        }
    }

    fn given_name(&mut self, given: &mut String, middle: &mut String) {
        if self.errs(0.03)
            && let Some(short) = self.clerk.variants.nickname(&mut self.clerk.draw, given)
        {
            *given = short;
            self.marks |= NICKNAME;
        } else if self.errs(0.008) {
            *given = slips::typed(&mut self.clerk.draw, given);
        } else if self.errs(0.003) {
            given.truncate(given.chars().next().map_or(0, char::len_utf8));
        } else if !middle.is_empty() && self.marked(CROSSED_NAMES, 0.005) {
            std::mem::swap(given, middle);
        } else if self.errs(0.0015) {
            given.clear();
        }
        if given.contains(' ') && self.errs(0.25) {
            let first = given.split(' ').next().unwrap_or_default().to_owned();
            *given = match self.clerk.draw.below(3) {
                0 => first,
                1 => given.replace(' ', "-"),
                _ => given.replace(' ', ""),
            };
        }
    }

    fn family_name(&mut self, family: &mut String) {
        if let Some((first, last)) = family.split_once('-')
            && self.errs(0.15)
        {
            *family = match self.clerk.draw.below(3) {
                0 => first.to_owned(),
                1 => last.to_owned(),
                _ => format!("{first} {last}"),
            };
        } else if family.contains('\'') && self.errs(0.25) {
            *family = family.replace('\'', if self.clerk.draw.chance(0.6) { "" } else { " " });
        } else if family.starts_with("Mc") && self.errs(0.08) {
            *family = family.replacen("Mc", if self.clerk.draw.chance(0.5) { "Mac" } else { "Mc " }, 1);
        } else if self.errs(0.007) && !family.is_empty() {
            *family = slips::typed(&mut self.clerk.draw, family);
        }
    }

    fn birth_date(&mut self) {
        let born = self.person.born;
        let mut written = born;
        if self.marked(DATE_MISSING, 0.001) {
            // Left out, or what a screen puts in when nothing is typed.
            let placeholder = self.clerk.draw.chance(0.2);
            self.written.birth_date = if placeholder { "1900-01-01".into() } else { String::new() };
            return;
        } else if self.marked(DATE_SWAPPED, 0.0015) {
            match slips::swapped(born) {
                Some(swapped) => written = swapped,
                None => self.marks &= !DATE_SWAPPED,
            }
        } else if self.marked(FIRST_OF_JANUARY, 0.0008) {
            written = born.first_of_year();
        } else if self.errs(0.003) {
            written = slips::mistyped_date(&mut self.clerk.draw, born);
        }
        if written == born {
            self.marks &= !FIRST_OF_JANUARY;
        }
        self.written.birth_date = written.to_string();
        if let Some(died) = self.person.died.filter(|_| self.visit.time > 0.7) {
            self.written.death_date = died.to_string();
            self.marks |= DECEASED;
        }
    }

    fn sex(&mut self) {
        let was_other = self.marks & FORMER_GENDER != 0;
        let sex = if was_other { self.person.sex.other() } else { self.person.sex };
        self.written.sex = if self.errs(0.0016) {
            slips::written(sex.other())
        } else if self.errs(0.01) {
            "U"
        } else {
            slips::written(sex)
        };
    }

    fn address(&mut self, homes: &[Home]) {
        let (&home, moved) = Person::then(&self.person.home, self.person.former_home.as_ref(), self.visit.time);
        if moved {
            self.marks |= FORMER_HOME;
        }
        let Home { line1, postcode, .. } = &homes[home];
        let (mut line1, mut postcode) = (line1.clone(), postcode.clone());
        if self.clerk.draw.chance(0.3) {
            line1 = slips::abbreviated(&line1);
        }
        if self.errs(0.01) {
            line1 = slips::typed(&mut self.clerk.draw, &line1);
        } else if self.errs(0.012) {
            line1.clear();
        }
        if self.errs(0.005) {
            postcode = slips::mistyped_digits(&mut self.clerk.draw, &postcode);
        } else if self.errs(0.01) {
            postcode.clear();
        } else if self.errs(0.0015) {
            // No fixed abode, and address not known, as the national directory of postcodes codes them.
            let homeless = self.clerk.draw.chance(0.5);
            postcode = if homeless { "ZZ99 3VZ".into() } else { "ZZ99 3WZ".into() };
            line1 = if homeless { "NO FIXED ABODE".into() } else { String::new() };
        }
        if self.visit.source.is_multiple_of(5) {
            postcode = postcode.replace(' ', "");
        }
        (self.written.line1, self.written.postcode) = (line1, postcode);
    }

    fn contact(&mut self, homes: &[Home]) {
        if self.visit.source == PRACTICE_PHONE_SOURCE {
            self.written.phone = PRACTICE_PHONE.into();
            return;
        }
        let (mobile, _) = Person::then(&self.person.phone, self.person.former_phone.as_ref(), self.visit.time);
        let (&home, _) = Person::then(&self.person.home, self.person.former_home.as_ref(), self.visit.time);
        let mut phone = match self.clerk.draw.unit() {
            share if share < 0.55 => mobile.clone(),
            share if share < 0.8 => homes[home].landline.clone(),
            _ => String::new(),
        };
        if !phone.is_empty() && self.errs(0.006) {
            phone = slips::mistyped_digits(&mut self.clerk.draw, &phone);
        }
        if phone.starts_with('0') && self.clerk.draw.chance(0.1) {
            phone = format!("+44{}", &phone[1..]);
        }
        self.written.phone = phone;
        if self.clerk.draw.chance(0.5) {
            self.written.email.clone_from(&self.person.email);
        }
    }

    fn number(&mut self, kind: places::Kind) {
        let care = Kind::care(kind);
        let certain = self.visit.planted & (OLD_NUMBER | BABY) != 0 || self.visit.overlaid.is_some();
        if !certain && self.clerk.draw.chance(care.number_absent) {
            return;
        }
        self.written.nhs_number_verified = certain || self.clerk.draw.chance(care.number_verified);
        self.written.nhs_number = match (self.visit.overlaid, &self.person.old_number) {
            (Some(other), _) => {
                self.marks |= OVERLAID;
                other.to_owned()
            }
            (None, Some(old)) if self.visit.planted & OLD_NUMBER != 0 => old.clone(),
            _ => self.person.nhs_number.clone(),
        };
        if !certain && self.errs(0.001) {
            self.written.nhs_number = slips::mistyped_digits(&mut self.clerk.draw, &self.written.nhs_number);
            self.written.nhs_number_verified = false;
        }
    }

    fn in_capitals(&mut self) {
        for text in [&mut self.written.given, &mut self.written.middle, &mut self.written.family] {
            *text = text.to_uppercase();
        }
    }
}
