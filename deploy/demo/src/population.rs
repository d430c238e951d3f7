//! People and households, from a seed. Who holds what about them is the business of [`crate::world`].

use crate::{
    names::{ORIGINS, Origin, STREETS},
    organisations::{AREAS, Area},
    random::Draw,
};
use jiff::civil::{Date, date};
use severn_proto::v1::Sex;
use severn_trust::NhsNumber;
use std::collections::HashSet;

/// The day on which the made-up world stands still.
pub const TODAY: Date = date(2026, 11, 1);

/// A person who does not exist.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Position in the population, from 0. The first few are the [`CAST`].
    pub number: usize,
    /// NHS number with a right check digit, from 999 000 0000 on.
    pub nhs_number: String,
    /// Title.
    pub title: &'static str,
    /// Family name.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Family name before marriage, where there was another.
    pub former_family: Option<String>,
    /// Birth date.
    pub birth_date: Date,
    /// Sex as registered.
    pub sex: Sex,
    /// The household: index into [`Population::households`].
    pub household: usize,
    /// Mobile number, from 07700 900000 to 07700 900999.
    pub phone: String,
}

impl Person {
    /// Age in whole years on [`TODAY`].
    pub fn age(&self) -> i16 {
        let had_birthday = (TODAY.month(), TODAY.day()) >= (self.birth_date.month(), self.birth_date.day());
        TODAY.year() - self.birth_date.year() - i16::from(!had_birthday)
    }
}

/// People at one address.
#[derive(Clone, PartialEq, Eq)]
pub struct Household {
    /// Number and street, then place.
    pub lines: [String; 2],
    /// Postcode.
    pub postcode: String,
    /// ODS code of the practice.
    pub practice: &'static str,
    /// Code of the council.
    pub council: &'static str,
}

/// Everybody.
#[derive(Clone, PartialEq, Eq)]
pub struct Population {
    /// The people; the cast first.
    pub people: Vec<Person>,
    /// Where they live.
    pub households: Vec<Household>,
}

impl Population {
    /// Where a person lives.
    pub fn home(&self, person: &Person) -> &Household {
        &self.households[person.household]
    }
}

/// A person whom the planted findings are about: the same for every seed.
pub struct Member {
    /// Family name.
    pub family: &'static str,
    /// Given name.
    pub given: &'static str,
    /// Title.
    pub title: &'static str,
    /// Birth date.
    pub birth_date: Date,
    /// Sex.
    pub sex: Sex,
    /// House number, street.
    pub line: &'static str,
    /// Index into [`AREAS`].
    pub area: usize,
    /// Postcode, one of the area's.
    pub postcode: &'static str,
}

/// Known to seven providers.
pub const ROSALIND: usize = 0;
/// Twin of [`ZUZANNA`].
pub const ZOFIA: usize = 1;
/// Twin of [`ZOFIA`].
pub const ZUZANNA: usize = 2;
/// Has another address at every provider.
pub const GURPREET: usize = 3;
/// The prison has no NHS number for him.
pub const DANIEL: usize = 4;

/// The cast, in the order of their numbers.
pub const CAST: [Member; 5] = [
    Member {
        family: "Achebe",
        given: "Rosalind",
        title: "Mrs",
        birth_date: date(1958, 3, 14),
        sex: Sex::Female,
        line: "14 Lockkeeper's Rise",
        area: 0,
        postcode: "B42 1RZ",
    },
    Member {
        family: "Kowalczyk",
        given: "Zofia",
        title: "Miss",
        birth_date: date(2015, 6, 21),
        sex: Sex::Female,
        line: "3 Chainmaker Street",
        area: 6,
        postcode: "B66 1HR",
    },
    Member {
        family: "Kowalczyk",
        given: "Zuzanna",
        title: "Miss",
        birth_date: date(2015, 6, 21),
        sex: Sex::Female,
        line: "3 Chainmaker Street",
        area: 6,
        postcode: "B66 1HR",
    },
    Member {
        family: "Dhaliwal",
        given: "Gurpreet",
        title: "Mr",
        birth_date: date(1984, 11, 2),
        sex: Sex::Male,
        line: "27 Coracle Lane",
        area: 3,
        postcode: "B29 5BA",
    },
    Member {
        family: "Fenwick",
        given: "Daniel",
        title: "Mr",
        birth_date: date(1991, 7, 30),
        sex: Sex::Male,
        line: "8 Foundry Bank",
        area: 2,
        postcode: "B20 1LE",
    },
];

/// Makes `size` people, the cast among them.
pub fn generate(seed: u64, size: usize) -> Population {
    let mut making = Making { seed, people: Vec::new(), households: Vec::new(), taken: HashSet::new() };
    for member in &CAST {
        making.cast(member);
    }
    while making.people.len() < size {
        making.household(size);
    }
    Population { people: making.people, households: making.households }
}

/// The `n`th NHS number from 999 000 0000 on: nine digits counted up, those that can have no check digit left out.
pub fn nhs_number(n: usize) -> String {
    let candidates = (999_000_001_u64..).flat_map(|nine| (0..=9).map(move |check| format!("{nine}{check}")));
    candidates.filter(|text| NhsNumber::parse(text).is_ok()).nth(n).unwrap_or_default()
}

struct Making {
    seed: u64,
    people: Vec<Person>,
    households: Vec<Household>,
    /// Family, given name and birth date, so that nobody is anybody's namesake by accident.
    taken: HashSet<(String, String, Date)>,
}

impl Making {
    fn cast(&mut self, member: &Member) {
        let area = &AREAS[member.area];
        let home = household(member.line.to_owned(), area, member.postcode);
        let known = self.households.iter().position(|h| *h == home);
        let household = known.unwrap_or_else(|| {
            self.households.push(home);
            self.households.len() - 1
        });
        let number = self.people.len();
        self.add(Person {
            number,
            nhs_number: nhs_number(number),
            title: member.title,
            family: member.family.to_owned(),
            given: member.given.to_owned(),
            former_family: None,
            birth_date: member.birth_date,
            sex: member.sex,
            household,
            phone: format!("07700 9000{:02}", number + 10),
        });
    }

    fn household(&mut self, size: usize) {
        let at = self.households.len();
        let mut draw = Draw::new(self.seed, "household", at);
        let area = draw.pick(&AREAS);
        let line = format!("{} {}", draw.between(1, 198), draw.pick(&STREETS));
        let postcode = draw.pick(area.postcodes);
        self.households.push(household(line, area, postcode));
        let origin = origin(&mut draw);
        let family = *draw.pick(origin.families);
        let adults = if draw.chance(35) { 1 } else { 2 };
        let children = if draw.chance(40) { draw.below(4) } else { 0 };
        let eldest = draw.between(24, 92);
        for place in 0..(adults + children).min(size - self.people.len()) {
            let age = if place < adults { (eldest + draw.between(-5, 3)).max(19) } else { draw.between(0, 18) };
            self.person(&mut draw, origin, family, age);
        }
    }

    fn person(&mut self, draw: &mut Draw, origin: &Origin, family: &str, age: i64) {
        let sex = if draw.chance(51) { Sex::Female } else { Sex::Male };
        let given = *draw.pick(if sex == Sex::Female { origin.female } else { origin.male });
        let changed_name = sex == Sex::Female && age > 25 && draw.chance(30);
        let former_family = changed_name.then(|| (*draw.pick(origin.families)).to_owned()).filter(|f| f != family);
        let birth_date = loop {
            let year = i16::try_from(i64::from(TODAY.year()) - 1 - age).unwrap_or(1970);
            let day = i16::try_from(draw.between(1, 365)).unwrap_or(1);
            let candidate = date(year, 1, 1).with().day_of_year(day).build().unwrap_or(date(year, 1, 1));
            if !self.taken.contains(&(family.to_owned(), given.to_owned(), candidate)) {
                break candidate;
            }
        };
        let number = self.people.len();
        self.add(Person {
            number,
            nhs_number: nhs_number_from(self.people.last(), number),
            title: title(sex, age, draw),
            family: family.to_owned(),
            given: given.to_owned(),
            former_family,
            birth_date,
            sex,
            household: self.households.len() - 1,
            phone: format!("07700 900{:03}", draw.below(1000)),
        });
    }

    fn add(&mut self, person: Person) {
        self.taken.insert((person.family.clone(), person.given.clone(), person.birth_date));
        self.people.push(person);
    }
}

/// The next number after the last person's, so that a population takes one pass.
fn nhs_number_from(last: Option<&Person>, number: usize) -> String {
    let Some(nine) = last.and_then(|person| person.nhs_number.get(..9)?.parse::<u64>().ok()) else {
        return nhs_number(number);
    };
    let mut candidates = (nine + 1..).flat_map(|nine| (0..=9).map(move |check| format!("{nine}{check}")));
    candidates.find(|text| NhsNumber::parse(text).is_ok()).unwrap_or_default()
}

fn household(line: String, area: &Area, postcode: &str) -> Household {
    Household {
        lines: [line, area.place.to_owned()],
        postcode: postcode.to_owned(),
        practice: area.practice,
        council: area.council,
    }
}

fn origin(draw: &mut Draw) -> &'static Origin {
    let mut left = draw.below(100);
    for origin in &ORIGINS {
        if left < origin.share {
            return origin;
        }
        left -= origin.share;
    }
    &ORIGINS[0]
}

fn title(sex: Sex, age: i64, draw: &mut Draw) -> &'static str {
    match (sex, age) {
        (_, 0..=15) if sex == Sex::Male => "Master",
        (_, 0..=15) => "Miss",
        (Sex::Male, _) => "Mr",
        _ => ["Mrs", "Ms", "Miss"][draw.below(3)],
    }
}
