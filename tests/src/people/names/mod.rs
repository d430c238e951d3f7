//! What people are called, by where their names come from. The names are those of the world; no person is.

mod asian;
mod british;
mod european;
pub mod variants;

use super::draw::{Draw, Ranked};

/// Where a person's names come from: the groups by which recall is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// White British, and Black Caribbean, whose names are mostly the same.
    British,
    /// Irish.
    Irish,
    /// Pakistani and Bangladeshi: Begum, Bibi, Khan, and people without a family name.
    SouthAsianMuslim,
    /// Sikh: Singh and Kaur, with or without the clan's name.
    Sikh,
    /// Hindu.
    Hindu,
    /// Polish, with feminine endings.
    Polish,
    /// Romanian.
    Romanian,
    /// West African.
    WestAfrican,
    /// Chinese, family name first.
    Chinese,
    /// Arab and Somali.
    Arab,
}

/// Every origin, with its share of the population: roughly that of the West Midlands in the census of 2021.
pub const ORIGINS: [(Origin, f64); 10] = [
    (Origin::British, 0.705),
    (Origin::Irish, 0.025),
    (Origin::SouthAsianMuslim, 0.095),
    (Origin::Sikh, 0.035),
    (Origin::Hindu, 0.04),
    (Origin::Polish, 0.025),
    (Origin::Romanian, 0.015),
    (Origin::WestAfrican, 0.03),
    (Origin::Chinese, 0.012),
    (Origin::Arab, 0.018),
];

impl Origin {
    /// As the truth file writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Origin::British => "white_british",
            Origin::Irish => "irish",
            Origin::SouthAsianMuslim => "south_asian_muslim",
            Origin::Sikh => "sikh",
            Origin::Hindu => "hindu",
            Origin::Polish => "polish",
            Origin::Romanian => "romanian",
            Origin::WestAfrican => "west_african",
            Origin::Chinese => "chinese",
            Origin::Arab => "arab",
        }
    }
}

/// Administrative gender as sources register it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

impl Sex {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Sex {
        match self {
            Sex::Female => Sex::Male,
            Sex::Male => Sex::Female,
        }
    }
}

/// Given names of one origin: by sex, and for British people by generation.
#[derive(Debug)]
struct Given {
    male: Vec<Ranked>,
    female: Vec<Ranked>,
}

/// The tables, read once.
#[derive(Debug)]
pub struct Names {
    given: Vec<Given>,
    family: Vec<Ranked>,
    muslim_women: Ranked,
    places: Ranked,
    clans: Ranked,
    western: Ranked,
}

impl Names {
    /// Reads the tables.
    #[must_use]
    pub fn new() -> Names {
        let stems = words(british::PLACE_STEMS);
        let places: Vec<String> = words(british::PLACE_ENDINGS)
            .iter()
            .flat_map(|ending| stems.iter().map(move |stem| format!("{stem}{ending}")))
            .collect();
        Names {
            given: ORIGINS.iter().map(|&(origin, _)| given_of(origin)).collect(),
            family: ORIGINS.iter().map(|&(origin, _)| family_of(origin)).collect(),
            muslim_women: ranked(asian::MUSLIM_FAMILY_FEMALE, 1.0, 1.0),
            places: Ranked::new(places, 400.0, 0.9),
            clans: ranked(asian::SIKH_CLAN, 4.0, 0.8),
            western: ranked(asian::CHINESE_WESTERN, 4.0, 0.5),
        }
    }

    /// A given name for somebody born in a year.
    pub fn given(&self, draw: &mut Draw, origin: Origin, sex: Sex, born: i16) -> String {
        if origin == Origin::Chinese {
            return self.chinese_given(draw);
        }
        let given = &self.given[origin as usize];
        let tables = if sex == Sex::Male { &given.male } else { &given.female };
        let generation = usize::from(born >= 1965) + usize::from(born >= 1995);
        // One in eight is called as another generation was.
        let generation = if draw.chance(0.12) { draw.below(3) } else { generation };
        tables[generation.min(tables.len() - 1)].draw(draw).to_owned()
    }

    /// A family name as a man of the family bears it; empty for somebody who has none.
    pub fn family(&self, draw: &mut Draw, origin: Origin, sex: Sex) -> String {
        match origin {
            Origin::British if draw.chance(0.45) => self.places.draw(draw).to_owned(),
            Origin::SouthAsianMuslim if sex == Sex::Female => match draw.unit() {
                alone if alone < 0.03 => String::new(),
                _ => self.muslim_women.draw(draw).to_owned(),
            },
            Origin::Sikh if draw.chance(0.45) => self.clans.draw(draw).to_owned(),
            Origin::Sikh if sex == Sex::Female => "Kaur".into(),
            Origin::Sikh => "Singh".into(),
            _ => self.family[origin as usize].draw(draw).to_owned(),
        }
    }

    /// The clan's name, for a Sikh person who is registered elsewhere as Singh or Kaur.
    pub fn clan(&self, draw: &mut Draw) -> String {
        self.clans.draw(draw).to_owned()
    }

    /// The Western name that a Chinese person goes by.
    pub fn western(&self, draw: &mut Draw) -> String {
        self.western.draw(draw).to_owned()
    }

    fn chinese_given(&self, draw: &mut Draw) -> String {
        let syllables = &self.given[Origin::Chinese as usize].male[0];
        let first = syllables.draw(draw).to_owned();
        match draw.unit() {
            one if one < 0.25 => first,
            spaced if spaced < 0.65 => format!("{first} {}", syllables.draw(draw)),
            _ => format!("{first}{}", syllables.draw(draw).to_lowercase()),
        }
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::new()
    }
}

/// A family name as a woman bears it: Kowalska for Kowalski, Kaur for Singh.
#[must_use]
pub fn of_a_woman(origin: Origin, family: &str) -> String {
    match origin {
        Origin::Polish if ["ski", "cki", "dzki"].iter().any(|ending| family.ends_with(ending)) => {
            format!("{}a", &family[..family.len() - 1])
        }
        Origin::Sikh if family == "Singh" => "Kaur".into(),
        _ => family.to_owned(),
    }
}

fn words(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

fn ranked(list: &str, offset: f64, exponent: f64) -> Ranked {
    Ranked::new(words(list), offset, exponent)
}

fn given_of(origin: Origin) -> Given {
    let few = |list: &str| vec![ranked(list, 4.0, 0.8)];
    let generations = |lists: [&str; 3]| lists.iter().map(|list| ranked(list, 4.0, 0.75)).collect();
    let (male, female) = match origin {
        Origin::British => return Given { male: generations(british::MALE), female: generations(british::FEMALE) },
        Origin::Irish => (few(british::IRISH_MALE), few(british::IRISH_FEMALE)),
        // Mohammed, in its spellings, is one man in five or six.
        Origin::SouthAsianMuslim => (vec![ranked(asian::MUSLIM_MALE, 1.0, 0.95)], few(asian::MUSLIM_FEMALE)),
        Origin::Sikh => (few(asian::SIKH_MALE), few(asian::SIKH_FEMALE)),
        Origin::Hindu => (few(asian::HINDU_MALE), few(asian::HINDU_FEMALE)),
        Origin::Polish => (few(european::POLISH_MALE), few(european::POLISH_FEMALE)),
        Origin::Romanian => (few(european::ROMANIAN_MALE), few(european::ROMANIAN_FEMALE)),
        Origin::WestAfrican => (few(european::AFRICAN_MALE), few(european::AFRICAN_FEMALE)),
        Origin::Chinese => (vec![ranked(asian::CHINESE_SYLLABLES, 8.0, 0.5)], few(asian::CHINESE_WESTERN)),
        Origin::Arab => (vec![ranked(asian::ARAB_MALE, 1.5, 0.9)], few(asian::ARAB_FEMALE)),
    };
    Given { male, female }
}

fn family_of(origin: Origin) -> Ranked {
    match origin {
        Origin::British => ranked(british::FAMILY, 8.0, 0.85),
        Origin::Irish => ranked(british::IRISH_FAMILY, 6.0, 0.7),
        Origin::SouthAsianMuslim => ranked(asian::MUSLIM_FAMILY_MALE, 1.5, 1.0),
        Origin::Sikh => ranked(asian::SIKH_CLAN, 4.0, 0.8),
        Origin::Hindu => ranked(asian::HINDU_FAMILY, 0.5, 1.0),
        Origin::Polish => ranked(european::POLISH_FAMILY, 8.0, 0.8),
        Origin::Romanian => ranked(european::ROMANIAN_FAMILY, 5.0, 0.8),
        Origin::WestAfrican => ranked(european::AFRICAN_FAMILY, 8.0, 0.6),
        Origin::Chinese => ranked(asian::CHINESE_FAMILY, 2.0, 0.9),
        Origin::Arab => ranked(asian::ARAB_FAMILY, 2.0, 0.9),
    }
}
