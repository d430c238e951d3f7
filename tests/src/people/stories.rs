//! What happens seldom, and decides whether an index can be trusted: namesakes, newborns, people without a name, an
//! adoption, and places where hundreds live under one address and one phone.

use super::{
    Truth,
    clerk::{BABY, Registration, Visit},
    homes::{elsewhere, home, origin, sex, somebody},
    names::{Origin, Sex},
    person::{Changed, Person, THIS_YEAR, date_in},
    places::{EMERGENCY, MATERNITY, PRISON, Street},
    register::Register,
    traps,
};

type Story = fn(&mut Register);

/// Every story, and how many households go by for one of it: about as often as it happens. No demographics tell
/// namesakes apart, so that more of them than there are would measure them and nothing else.
const STORIES: [(Story, f64); 9] = [
    (namesakes, 6000.0),
    (namesakes_bare, 7000.0),
    (first_of_january_strangers, 6000.0),
    (newborn, 90.0),
    (newborn_strangers, 8000.0),
    (newborn_twins, 4000.0),
    (unidentified, 700.0),
    (adoption, 2500.0),
    (empty, 1500.0),
];

/// Everybody lives at one address and is called on one phone.
struct Institution {
    kind: traps::Kind,
    name: &'static str,
    residents: u32,
    ages: (i64, i64),
    /// One for so many persons, the first among the first so many.
    persons_apart: u32,
    first_after: u32,
}

const INSTITUTIONS: [Institution; 3] = [
    Institution {
        kind: traps::Kind::CareHome,
        name: "Care Home",
        residents: 40,
        ages: (72, 100),
        persons_apart: 1500,
        first_after: 100,
    },
    Institution {
        kind: traps::Kind::StudentHall,
        name: "Hall of Residence",
        residents: 250,
        ages: (18, 22),
        persons_apart: 15_000,
        first_after: 1500,
    },
    Institution {
        kind: traps::Kind::Prison,
        name: "HM Prison",
        residents: 400,
        ages: (19, 65),
        persons_apart: 50_000,
        first_after: 3000,
    },
];

/// After a household: perhaps a story. The first households are followed by each story in turn.
pub fn maybe(register: &mut Register) {
    if let Some((story, _)) = STORIES.get(register.households) {
        story(register);
    }
    register.households += 1;
    for (story, apart) in STORIES {
        if register.clerk.draw.chance(1.0 / apart) {
            story(register);
        }
    }
    for (built, institution) in INSTITUTIONS.iter().enumerate() {
        let due = register.persons.saturating_sub(institution.first_after) / institution.persons_apart
            + u32::from(register.persons >= institution.first_after);
        if register.institutions[built] < due {
            register.institutions[built] += 1;
            house(register, institution);
        }
    }
}

fn house(register: &mut Register, institution: &Institution) {
    let street = Street::draw(&mut register.clerk.draw);
    let place = home(register, &street, format!("{} {}", institution.name, street.name));
    let phone = register.homes[place].landline.clone();
    let practice = register.clerk.draw.below(super::places::PRACTICES);
    let mut before = None;
    for _ in 0..institution.residents {
        let (first, last) = institution.ages;
        let age = register.clerk.draw.between(first, last) as f64;
        let prison = institution.kind == traps::Kind::Prison;
        let who = (origin(register), if prison { Sex::Male } else { sex(register) });
        let mut person = somebody(register, who, age, place);
        person.former_home = Some(Changed { from: elsewhere(register), at: 0.3 + 0.5 * register.clerk.draw.unit() });
        person.phone.clone_from(&phone);
        person.former_phone = None;
        person.practice = if prison { PRISON } else { practice };
        let first = register.enrol(&mut person);
        if let Some(neighbour) = before.replace(first) {
            register.trap(institution.kind, neighbour, first);
        }
    }
}

fn adult(register: &mut Register, origin: Origin) -> Person {
    let (sex, age) = (sex(register), register.clerk.draw.between(20, 80) as f64);
    let home = elsewhere(register);
    somebody(register, (origin, sex), age, home)
}

/// Two people who agree in name, sex and birth date and in nothing else.
fn two_namesakes(register: &mut Register, origin: Origin) -> [Person; 2] {
    let one = adult(register, origin);
    let mut other = adult(register, origin);
    other.sex = one.sex;
    other.born = one.born;
    other.given.clone_from(&one.given);
    other.family.clone_from(&one.family);
    [one, other]
}

fn namesakes(register: &mut Register) {
    let origin = origin(register);
    let firsts = two_namesakes(register, origin).map(|mut person| register.enrol(&mut person));
    register.trap(traps::Kind::Namesakes, firsts[0], firsts[1]);
}

fn namesakes_bare(register: &mut Register) {
    let origin = origin(register);
    let bare = two_namesakes(register, origin).map(|person| {
        let bare = Registration {
            given: person.given.clone(),
            family: person.family.clone(),
            birth_date: person.born.to_string(),
            sex: super::slips::written(person.sex),
            ..Registration::default()
        };
        register.file(EMERGENCY, bare, Truth { person: person.number, origin: person.origin })
    });
    register.trap(traps::Kind::NamesakesBare, bare[0], bare[1]);
}

/// Two people of common names, whose birth dates nobody knows: every register has the first of January of one year.
fn first_of_january_strangers(register: &mut Register) {
    let mut strangers = two_namesakes(register, Origin::SouthAsianMuslim);
    let (given, family) = if strangers[0].sex == Sex::Female { ("Fatima", "Begum") } else { ("Mohammed", "Khan") };
    let firsts = strangers.each_mut().map(|person| {
        (person.given, person.family) = (given.into(), family.into());
        person.born = person.born.first_of_year();
        register.enrol(person)
    });
    register.trap(traps::Kind::FirstOfJanuaryStrangers, firsts[0], firsts[1]);
}

/// A child of this year, whose mother is of an origin and lives somewhere.
fn baby(register: &mut Register, origin: Origin) -> Person {
    let (sex, home) = (sex(register), elsewhere(register));
    let mut baby = somebody(register, (origin, sex), 0.0, home);
    baby.born = date_in(&mut register.clerk.draw, THIS_YEAR - 1);
    baby.phone = super::places::mobile(&mut register.clerk.draw);
    baby
}

/// Registers a child at birth, before it has a name. Returns the place.
fn at_birth(register: &mut Register, baby: &Person, called: &str) -> usize {
    let unnamed = Person { given: called.into(), middle: String::new(), ..baby.clone() };
    register.visit(&unnamed, Visit { source: MATERNITY, time: 1.0, planted: BABY, overlaid: None })
}

/// "Baby Smith" at birth under the mother's name, and later by name under the father's or the mother's.
fn newborn(register: &mut Register) {
    let origin = origin(register);
    let mut child = baby(register, origin);
    let birth = at_birth(register, &child, "Baby");
    if register.clerk.draw.chance(0.45) {
        let clerk = &mut register.clerk;
        child.family = clerk.names.family(&mut clerk.draw, origin, Sex::Male);
    }
    let later = register.enrol(&mut child);
    register.trap(traps::Kind::Newborn, birth, later);
}

fn newborn_strangers(register: &mut Register) {
    let (one, other) = (baby(register, Origin::British), baby(register, Origin::British));
    let other = Person { born: one.born, sex: one.sex, family: one.family.clone(), ..other };
    let births = [one, other].map(|child| at_birth(register, &child, "Baby"));
    register.trap(traps::Kind::NewbornStrangers, births[0], births[1]);
}

fn newborn_twins(register: &mut Register) {
    let (one, other) = (baby(register, Origin::British), baby(register, Origin::British));
    let second = Person { number: other.number, nhs_number: other.nhs_number, ..one.clone() };
    let births = [at_birth(register, &one, "Twin One"), at_birth(register, &second, "Twin Two")];
    register.trap(traps::Kind::NewbornTwins, births[0], births[1]);
}

/// Two patients whom nobody knows, as emergency departments register them.
fn unidentified(register: &mut Register) {
    let unknown = [0, 1].map(|_| {
        register.persons += 1;
        let unknown = Registration {
            given: "Unknown".into(),
            family: "Male".into(),
            birth_date: "1900-01-01".into(),
            sex: "M",
            line1: "Not known".into(),
            postcode: "ZZ99 3WZ".into(),
            ..Registration::default()
        };
        register.file(EMERGENCY, unknown, Truth { person: register.persons, origin: Origin::British })
    });
    register.trap(traps::Kind::Unidentified, unknown[0], unknown[1]);
}

/// A child before and after adoption: another family name, address and NHS number, and often the same given name and
/// always the same birth date. The two identities are two persons.
fn adoption(register: &mut Register) {
    let origin = origin(register);
    let age = register.clerk.draw.between(1, 9) as f64;
    let (sex, first_home, second_home) = (sex(register), elsewhere(register), elsewhere(register));
    let mut before = somebody(register, (origin, sex), age, first_home);
    let mut after = somebody(register, (origin, sex), age, second_home);
    after.born = before.born;
    if register.clerk.draw.chance(0.6) {
        after.given.clone_from(&before.given);
        after.middle.clone_from(&before.middle);
    }
    let firsts = [&mut before, &mut after].map(|person| register.enrol(person));
    register.trap(traps::Kind::Adoption, firsts[0], firsts[1]);
}

fn empty(register: &mut Register) {
    let empty = [0, 1].map(|_| {
        register.persons += 1;
        let truth = Truth { person: register.persons, origin: Origin::British };
        register.file(EMERGENCY, Registration::default(), truth)
    });
    register.trap(traps::Kind::Empty, empty[0], empty[1]);
}
