//! Streets, and the households that live in them: who shares a name, an address and a phone with whom.

use super::{
    names::{ORIGINS, Origin, Sex, of_a_woman},
    person::{Born, Changed, Home, Person, date_of_birth},
    places::Street,
    register::Register,
    stories, traps,
};

/// Households of each kind, as the census of 2021 counted them, roughly.
const HOUSEHOLDS: [(Household, f64); 5] = [
    (Household::Alone, 0.29),
    (Household::Couple, 0.26),
    (Household::Family, 0.31),
    (Household::LoneParent, 0.1),
    (Household::Sharers, 0.04),
];

#[derive(Clone, Copy)]
enum Household {
    Alone,
    Couple,
    Family,
    LoneParent,
    Sharers,
}

/// Fills a street with households and, now and then, a story or an institution.
pub fn street(register: &mut Register) {
    let street = Street::draw(&mut register.clerk.draw);
    for nth in 0..register.clerk.draw.between(9, 25) {
        if register.is_full() {
            return;
        }
        let number = nth * 2 + register.clerk.draw.between(1, 2);
        let flat = if register.clerk.draw.chance(0.12) {
            format!("Flat {} ", register.clerk.draw.between(1, 12))
        } else {
            String::new()
        };
        let home = home(register, &street, format!("{flat}{number} {}", street.name));
        household(register, home);
        stories::maybe(register);
    }
}

/// A home in a street.
pub fn home(register: &mut Register, street: &Street, line1: String) -> usize {
    let landline = street.landline(&mut register.clerk.draw);
    register.homes.push(Home { line1, postcode: street.postcode.clone(), landline });
    register.homes.len() - 1
}

/// A home somewhere else: half of the time one in which others live now.
pub fn elsewhere(register: &mut Register) -> usize {
    let draw = &mut register.clerk.draw;
    if register.homes.len() > 50 && draw.chance(0.5) {
        return draw.below(register.homes.len());
    }
    let street = Street::draw(draw);
    let number = draw.between(1, 90);
    home(register, &street, format!("{number} {}", street.name))
}

/// An origin, as often as it is found.
pub fn origin(register: &mut Register) -> Origin {
    *register.clerk.draw.weighted(&ORIGINS)
}

/// A man or a woman.
pub fn sex(register: &mut Register) -> Sex {
    *register.clerk.draw.of(&[Sex::Female, Sex::Male])
}

/// Somebody of an age who lives in a home, under a family name of their own if none is given.
pub fn somebody(register: &mut Register, (origin, sex): (Origin, Sex), age: f64, home: usize) -> Person {
    let clerk = &mut register.clerk;
    let date = date_of_birth(&mut clerk.draw, origin, age);
    let family = clerk.names.family(&mut clerk.draw, origin, sex);
    register.person(Born { origin, sex, date, home }, &family)
}

fn household(register: &mut Register, home: usize) {
    let origin = origin(register);
    let kind = *register.clerk.draw.weighted(&HOUSEHOLDS);
    let mut members = match kind {
        Household::Alone => {
            let (sex, age) = (sex(register), skewed(register, 19.0, 97.0));
            vec![somebody(register, (origin, sex), age, home)]
        }
        Household::Couple => couple(register, origin, home).into(),
        Household::Family => {
            let [man, woman] = couple(register, origin, home);
            let mut members = vec![man, woman];
            children(register, &mut members);
            members
        }
        Household::LoneParent => {
            let sex = if register.clerk.draw.chance(0.85) { Sex::Female } else { Sex::Male };
            let age = register.clerk.draw.between(22, 55) as f64;
            let mut members = vec![somebody(register, (origin, sex), age, home)];
            children(register, &mut members);
            members
        }
        Household::Sharers => {
            let sharer = |register: &mut Register| {
                let who = (self::origin(register), sex(register));
                let age = register.clerk.draw.between(18, 38) as f64;
                somebody(register, who, age, home)
            };
            (0..register.clerk.draw.between(2, 5)).map(|_| sharer(register)).collect()
        }
    };
    move_in(register, &mut members);
    for person in &mut members {
        old_age(register, person);
    }
    let firsts: Vec<usize> = members.iter_mut().map(|person| register.enrol(person)).collect();
    label(register, &members, &firsts);
}

/// Ages from `youngest` to `oldest`, most in the middle.
fn skewed(register: &mut Register, youngest: f64, oldest: f64) -> f64 {
    let draw = &mut register.clerk.draw;
    youngest + (oldest - youngest) * (draw.unit() + draw.unit()) / 2.0
}

fn couple(register: &mut Register, origin: Origin, home: usize) -> [Person; 2] {
    let age = skewed(register, 22.0, 92.0);
    let man = somebody(register, (origin, Sex::Male), age, home);
    let younger = register.clerk.draw.between(-4, 8) as f64;
    let mut woman = somebody(register, (origin, Sex::Female), (age - younger).max(19.0), home);
    let takes_name = match origin {
        Origin::British | Origin::Irish => 0.74,
        Origin::Polish | Origin::Romanian | Origin::Hindu => 0.82,
        Origin::WestAfrican => 0.6,
        Origin::Sikh => 0.5,
        Origin::SouthAsianMuslim => 0.35,
        Origin::Chinese | Origin::Arab => 0.1,
    };
    let draw = &mut register.clerk.draw;
    if draw.chance(takes_name) && !man.family.is_empty() {
        let at = draw.unit() * 3.0 - 2.0;
        let married = if draw.chance(0.06) && !woman.family.is_empty() {
            format!("{}-{}", woman.family, man.family)
        } else {
            of_a_woman(origin, &man.family)
        };
        let from = std::mem::replace(&mut woman.family, married);
        woman.former_family = Some(Changed { from, at });
    }
    [man, woman]
}

/// Children of the adults at the head of the list.
fn children(register: &mut Register, members: &mut Vec<Person>) {
    let parents = members.len();
    let (head, mother) = (members[0].clone(), members[parents - 1].clone());
    let oldest = (mother.age() - 19).min(24);
    if oldest < 0 || mother.age() > 70 {
        return;
    }
    for _ in 0..*register.clerk.draw.weighted(&[(1, 0.42), (2, 0.4), (3, 0.13), (4, 0.05)]) {
        let age = register.clerk.draw.between(0, i64::from(oldest)) as f64;
        let sex = sex(register);
        let mut child = child(register, (&head, &mother), sex, age);
        let draw = &mut register.clerk.draw;
        if sex == Sex::Male && parents == 2 && draw.chance(0.02) {
            child.given.clone_from(&head.given);
        }
        if draw.chance(0.016) {
            let twin_sex = if draw.chance(0.66) { sex } else { sex.other() };
            let twin = twin(register, (&head, &mother), &mut child, twin_sex);
            members.push(twin);
        }
        members.push(child);
    }
}

fn child(register: &mut Register, (head, mother): (&Person, &Person), sex: Sex, age: f64) -> Person {
    let date = date_of_birth(&mut register.clerk.draw, head.origin, age);
    let born = Born { origin: head.origin, sex, date, home: head.home };
    let mut child = register.person(born, &head.family);
    if child.phone.is_empty() {
        child.phone.clone_from(&mother.phone);
        child.former_phone.clone_from(&mother.former_phone);
    }
    child.practice = mother.practice;
    child
}

/// A twin of a child. One pair in eight has names that sound alike, and many Muslim brothers are both Mohammed.
fn twin(register: &mut Register, parents: (&Person, &Person), child: &mut Person, sex: Sex) -> Person {
    let mut twin = self::child(register, parents, sex, f64::from(child.age()));
    twin.born = child.born;
    let clerk = &mut register.clerk;
    let mut another = |person: &Person| {
        let alike = clerk.draw.chance(0.12);
        let drawn = (0..40).map(|_| clerk.names.given(&mut clerk.draw, person.origin, sex, person.born.year()));
        let names: Vec<String> = drawn.filter(|name| *name != child.given).collect();
        let sounds = names.iter().find(|name| name.chars().take(2).eq(child.given.chars().take(2)));
        sounds.filter(|_| alike).or(names.first()).cloned()
    };
    twin.given = another(&twin).unwrap_or_else(|| "Alex".into());
    let both_boys = sex == Sex::Male && child.sex == Sex::Male;
    if both_boys && twin.origin == Origin::SouthAsianMuslim && register.clerk.draw.chance(0.3) {
        child.middle = std::mem::replace(&mut child.given, "Mohammed".into());
        twin.middle = std::mem::replace(&mut twin.given, "Mohammed".into());
    }
    twin
}

/// Where they lived before. Three in four moved since the oldest registrations were made: a third of pairs straddle a
/// move, so that a quarter of them has different addresses.
fn move_in(register: &mut Register, members: &mut [Person]) {
    if !register.clerk.draw.chance(0.74) {
        return;
    }
    let together = Changed { from: elsewhere(register), at: register.clerk.draw.unit() };
    for person in members {
        let married = person.former_family.as_ref().map(|former| former.at).filter(|at| *at > 0.0);
        let draw = &mut register.clerk.draw;
        // Who married moved in then, from a home of her own; the rest came together.
        person.former_home = match married.filter(|_| draw.chance(0.6)) {
            Some(at) => Some(Changed { from: elsewhere(register), at }),
            None => Some(together.clone()),
        };
    }
}

fn old_age(register: &mut Register, person: &mut Person) {
    let draw = &mut register.clerk.draw;
    if person.age() > 68 && draw.chance(0.1) {
        person.died = Some(super::person::date_in(draw, super::person::THIS_YEAR - 1));
    }
    let divorced = person.sex == Sex::Female && person.former_family.is_none() && person.age() > 28;
    if divorced && draw.chance(0.12) {
        let clerk = &mut register.clerk;
        let married = clerk.names.family(&mut clerk.draw, person.origin, Sex::Male);
        person.former_family = Some(Changed { from: married, at: clerk.draw.unit() * 2.0 - 1.0 });
    }
}

/// Labels twins, father and son of one name, and a sample of the other pairs of a household.
fn label(register: &mut Register, members: &[Person], firsts: &[usize]) {
    for (nth, a) in members.iter().enumerate() {
        for (b, &second) in members.iter().zip(firsts).skip(nth + 1) {
            let kind = if a.born == b.born && a.age() < 25 {
                if a.sex == b.sex { traps::Kind::TwinsSameSex } else { traps::Kind::TwinsMixed }
            } else if a.given == b.given && a.sex == b.sex && a.family == b.family {
                traps::Kind::FatherAndSon
            } else if register.clerk.draw.chance(0.08) {
                traps::Kind::Household
            } else {
                continue;
            };
            register.trap(kind, firsts[nth], second);
        }
    }
}
