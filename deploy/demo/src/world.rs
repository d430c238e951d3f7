//! Who holds what: each organisation's share of the population, as it would hold it.
//!
//! The cast has nothing here but what [`crate::truth`] plants, so that all of it is known.

use crate::{
    facts::Fact,
    ordinary,
    organisations::{self, ORGANISATIONS, Organisation, Shape},
    population::{self, CAST, Person, Population},
    random::Draw,
    truth,
};
use severn_proto::v1::Sex;

/// A person as one source holds them.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// NHS number; empty where the source has none.
    pub nhs_number: String,
    /// Title.
    pub title: &'static str,
    /// Family name.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Birth date: ISO 8601.
    pub birth_date: String,
    /// Sex.
    pub sex: Sex,
    /// Lines of the address.
    pub lines: [String; 2],
    /// Postcode.
    pub postcode: String,
    /// Telephone number; empty for none.
    pub phone: String,
    /// ODS code of the practice.
    pub practice: &'static str,
}

/// What one source holds about one person.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The person's number in the population: the truth, which no source knows.
    pub person: usize,
    /// The source's own identifier of the person.
    pub local_id: String,
    /// Whom the source takes the person for.
    pub identity: Identity,
    /// The facts; their ids are set when the world is complete.
    pub facts: Vec<Fact>,
}

/// What one source holds.
#[derive(Clone)]
pub struct Holding {
    /// Whose source it is.
    pub organisation: &'static Organisation,
    /// One for each person it knows, ordered by the person's number.
    pub records: Vec<Record>,
}

/// Everybody, and what is held about them.
#[derive(Clone)]
pub struct World {
    /// Everybody.
    pub population: Population,
    /// One for each of [`ORGANISATIONS`], in that order.
    pub holdings: Vec<Holding>,
}

/// Builds the world: ordinary people first, then the planted findings.
pub fn build(seed: u64, size: usize) -> World {
    let population = population::generate(seed, size.max(CAST.len()));
    let mut holdings: Vec<Holding> =
        ORGANISATIONS.iter().map(|organisation| Holding { organisation, records: Vec::new() }).collect();
    for person in population.people.iter().skip(CAST.len()) {
        let health = ordinary::health(seed, person);
        for holding in &mut holdings {
            let organisation = holding.organisation;
            let mut draw = Draw::new(seed, organisation.ods, person.number);
            if !draw.chance(ordinary::percent_known(organisation, person, population.home(person))) {
                continue;
            }
            let mut identity = identity(&population, person);
            ordinary::blur(organisation, person, &mut identity, &mut draw);
            let facts = ordinary::facts(organisation, person, &health, &mut draw);
            holding.records.push(Record {
                person: person.number,
                local_id: local_id(organisation, person.number),
                identity,
                facts,
            });
        }
    }
    let mut world = World { population, holdings };
    truth::plant(&mut world);
    for holding in &mut world.holdings {
        holding.records.sort_by_key(|record| record.person);
        number_facts(holding);
    }
    world
}

impl World {
    /// The holding of one organisation.
    pub fn holding(&self, ods: &str) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.organisation.ods == ods)
    }

    /// What one organisation holds about one person.
    pub fn record(&self, ods: &str, person: usize) -> Option<&Record> {
        self.holding(ods)?.records.iter().find(|record| record.person == person)
    }

    /// Makes a person known to an organisation, with these facts. Gives the identity, to be changed where the source
    /// is to be mistaken.
    pub fn make_known(&mut self, ods: &str, person: usize, facts: Vec<Fact>) -> Option<&mut Identity> {
        let organisation = organisations::organisation(ods)?;
        let identity = identity(&self.population, &self.population.people[person]);
        let holding = self.holdings.iter_mut().find(|holding| holding.organisation.ods == ods)?;
        holding.records.push(Record { person, local_id: local_id(organisation, person), identity, facts });
        holding.records.last_mut().map(|record| &mut record.identity)
    }
}

fn identity(population: &Population, person: &Person) -> Identity {
    let home = population.home(person);
    Identity {
        nhs_number: person.nhs_number.clone(),
        title: person.title,
        family: person.family.clone(),
        given: person.given.clone(),
        birth_date: person.birth_date.to_string(),
        sex: person.sex,
        lines: home.lines.clone(),
        postcode: home.postcode.clone(),
        phone: person.phone.clone(),
        practice: home.practice,
    }
}

/// The identifier a source of this shape would give. It tells nothing about the person's other identifiers.
fn local_id(organisation: &Organisation, person: usize) -> String {
    let shuffled = person * 37 % 9973 + 1 + person / 9973 * 9973;
    match organisation.shape {
        Shape::GpDatabase => format!("{}", 20_000 + shuffled),
        Shape::HospitalDatabase => format!("X{:07}", 410_000 + shuffled),
        Shape::CouncilDatabase => format!("{}", 700_000 + shuffled),
        Shape::MentalHealthDatabase => format!("{}", 5_100_000 + shuffled),
        Shape::PrisonDatabase => {
            let letter = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
            format!("A{:04}{}{}", shuffled % 10_000, letter(shuffled / 26), letter(shuffled / 10_000 + shuffled))
        }
        Shape::FhirBundles => format!("{}-{:06}", organisation.ods.to_ascii_lowercase(), 100_000 + shuffled),
        Shape::AmbulanceExtracts => format!("P{:06}", 300_000 + shuffled),
        Shape::HospiceExtracts => format!("KH{:04}", 1000 + shuffled),
    }
}

/// Numbers the facts of a holding in the order in which they stand.
fn number_facts(holding: &mut Holding) {
    let facts = holding.records.iter_mut().flat_map(|record| record.facts.iter_mut());
    for (number, fact) in (1_usize..).zip(facts) {
        fact.id = number.to_string();
    }
}
