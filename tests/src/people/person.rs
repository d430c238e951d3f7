//! One person as they are, which no source knows whole: what was so before, what is so now, and when it changed.

use super::{
    draw::Draw,
    names::{Names, Origin, Sex, of_a_woman},
    places,
};
use jiff::civil::Date;

/// The year that the registrations end with.
pub const THIS_YEAR: i16 = 2026;

/// A home: what a registration says of where somebody lives.
#[derive(Clone, Debug)]
pub struct Home {
    /// `14 Acorn Grove`.
    pub line1: String,
    /// `B42 1RZ`.
    pub postcode: String,
    /// The landline, shared by everybody there.
    pub landline: String,
}

/// Something that was otherwise before. Time runs from 0, when the oldest registrations were made, to 1, which is now.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    /// What it was.
    pub from: T,
    /// When it changed.
    pub at: f64,
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// In the truth file.
    pub number: u32,
    /// Where the names come from.
    pub origin: Origin,
    /// Administrative gender.
    pub sex: Sex,
    /// Given name.
    pub given: String,
    /// Middle name; often none.
    pub middle: String,
    /// Family name; a few people have none.
    pub family: String,
    /// The family name before marriage, or before a divorce.
    pub former_family: Option<Changed<String>>,
    /// Given name and gender before a change of gender.
    pub former_gender: Option<Changed<String>>,
    /// Birth date.
    pub born: Date,
    /// Death date.
    pub died: Option<Date>,
    /// Where they live: a place in the list of homes.
    pub home: usize,
    /// Where they lived.
    pub former_home: Option<Changed<usize>>,
    /// Mobile; a child's is a parent's.
    pub phone: String,
    /// The mobile before.
    pub former_phone: Option<Changed<String>>,
    /// Electronic mail; often none.
    pub email: String,
    /// NHS number.
    pub nhs_number: String,
    /// The number that was given to the same person by mistake, and is superseded.
    pub old_number: Option<String>,
    /// The practice, a place in the list of sources.
    pub practice: usize,
}

/// What is decided about a person before the rest is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Born {
    /// Where the names come from.
    pub origin: Origin,
    /// Administrative gender.
    pub sex: Sex,
    /// Birth date.
    pub date: Date,
    /// Where they live.
    pub home: usize,
}

/// A date in a year, every day as likely as another.
pub fn date_in(draw: &mut Draw, year: i16) -> Date {
    let first = Date::new(year, draw.between(1, 12) as i8, 1).unwrap_or(Date::ZERO);
    let day = draw.between(1, i64::from(first.days_in_month())) as i8;
    Date::new(year, first.month(), day).unwrap_or(first)
}

/// The birth date of somebody of an age. Who came from a country without birth registers is often on the first of
/// January, in every register.
pub fn date_of_birth(draw: &mut Draw, origin: Origin, age: f64) -> Date {
    let year = THIS_YEAR - 1 - age as i16;
    let unregistered = matches!(origin, Origin::SouthAsianMuslim | Origin::Arab | Origin::WestAfrican) && age > 18.0;
    let date = date_in(draw, year.max(1918));
    if unregistered && draw.chance(0.05) { date.first_of_year() } else { date }
}

impl Person {
    /// Age in whole years, more or less.
    #[must_use]
    pub fn age(&self) -> i16 {
        THIS_YEAR - 1 - self.born.year()
    }

    /// A person of a family: name, phone and number are drawn, all else is as it stays through life.
    pub fn draw(draw: &mut Draw, names: &Names, born: Born, family: &str) -> Person {
        let Born { origin, sex, date, home } = born;
        let given = names.given(draw, origin, sex, date.year());
        let has_middle = origin != Origin::Chinese && draw.chance(0.6);
        let mut middle = if has_middle { names.given(draw, origin, sex, date.year()) } else { String::new() };
        if middle == given {
            middle.clear();
        }
        let family = if sex == Sex::Female { of_a_woman(origin, family) } else { family.to_owned() };
        let adult = THIS_YEAR - 1 - date.year() > 15;
        let phone = if adult { places::mobile(draw) } else { String::new() };
        let former_phone = (adult && draw.chance(0.5)).then(|| Changed { from: places::mobile(draw), at: draw.unit() });
        let email = if adult && draw.chance(0.3) { email(draw, &given, &family) } else { String::new() };
        Person {
            number: 0,
            origin,
            sex,
            given,
            middle,
            family,
            former_family: None,
            former_gender: None,
            born: date,
            died: None,
            home,
            former_home: None,
            phone,
            former_phone,
            email,
            nhs_number: String::new(),
            old_number: None,
            practice: 0,
        }
    }

    /// What was so at a time, of something that may have changed.
    pub fn then<'a, T>(now: &'a T, former: Option<&'a Changed<T>>, time: f64) -> (&'a T, bool) {
        match former {
            Some(former) if time < former.at => (&former.from, true),
            _ => (now, false),
        }
    }
}

/// An address of the person's own: names alone would give one to all of a name.
fn email(draw: &mut Draw, given: &str, family: &str) -> String {
    let plain = |name: &str| -> String { name.chars().filter(char::is_ascii_alphabetic).collect() };
    let host = draw.of(&["example.com", "example.org", "example.net"]);
    format!("{}.{}{}@{host}", plain(given), plain(family), draw.below(1_000_000)).to_lowercase()
}
