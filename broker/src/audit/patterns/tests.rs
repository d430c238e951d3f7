//! Snoopers planted in a made-up trail are all found, and of those who only work few are told.

use super::*;
use severn_trust::Details;
use std::collections::BTreeMap;

/// 2026-11-02, a Monday, 08:00 UTC.
const BEGAN_MS: i64 = 1_793_606_400_000;

const ORGANISATIONS: usize = 10;
const USERS: usize = 40;
const PEOPLE: usize = 20_000;
const DAYS: usize = 7;

/// A made-up trail: users of ten organisations open the records of people of their own caseload.
struct Made {
    seed: u64,
    events: Vec<(i64, TrailEvent)>,
    people: BTreeMap<String, Known>,
}

impl Made {
    /// A week in which nobody does anything wrong: `opens` records are opened.
    fn clean(opens: usize) -> Made {
        let mut made = Made { seed: 5, events: Vec::new(), people: BTreeMap::new() };
        for n in 0..PEOPLE {
            let (given, family) = made.name();
            let known = Known { given: fold(&given), families: vec![fold(&family)], ..Known::default() };
            made.people.insert(person(n), known);
        }
        let users: Vec<String> = (0..ORGANISATIONS * USERS)
            .map(|n| {
                let (given, family) = made.name();
                format!("Dr {given} {family} (u-{n})")
            })
            .collect();
        for n in 0..opens {
            // Ten hours of work a day.
            let (day, second) = (n * DAYS / opens, (n * DAYS) % opens * 36_000 / opens);
            let at_ms = BEGAN_MS + day as i64 * DAY_MS + second as i64 * 1_000;
            let organisation = made.draw(ORGANISATIONS);
            let user = organisation * USERS + made.draw(USERS);
            let whom = organisation + made.draw(PEOPLE / ORGANISATIONS) * ORGANISATIONS;
            let standing = match made.draw(200) {
                0 => ("", true),
                1..=5 => ("", false),
                6..=8 => ("self_claimed", false),
                _ => ("registered", false),
            };
            made.open(at_ms, (organisation, &users[user]), &person(whom), standing);
        }
        made
    }

    fn draw(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }

    /// A name, the commonest of which every fiftieth to hundredth bears, as in England.
    fn name(&mut self) -> (String, String) {
        let skewed = |made: &mut Made, names: usize| {
            let (a, b) = (made.draw(names) + 1, made.draw(names) + 1);
            (a * b) / names
        };
        let (given, family) = (skewed(self, 400), skewed(self, 8_000));
        (format!("G{}", letters(given)), format!("F{}", letters(family)))
    }

    fn open(
        &mut self,
        at_ms: i64,
        (organisation, user): (usize, &str),
        person: &str,
        (relationship, glass): (&str, bool),
    ) {
        let details = Details::default()
            .with("relationship", &relationship)
            .with("override", &glass.then_some("0190b5b0-0000-7000-8000-000000000001"));
        let event = TrailEvent {
            action: "seal".into(),
            user: user.into(),
            organisation: format!("R{organisation}"),
            person: person.into(),
            details,
            ..TrailEvent::default()
        };
        self.events.push((at_ms, event));
    }

    fn know(&mut self, id: &str, given: &str, family: &str) {
        let known = Known { given: fold(given), families: vec![fold(family)], ..Known::default() };
        self.people.insert(id.into(), known);
    }

    fn read(mut self, organisation: Option<&str>) -> Patterns {
        self.events.sort_by_key(|(at_ms, _)| *at_ms);
        let mut watch = Watch::new(PatternSettings::default(), organisation);
        for (at_ms, event) in &self.events {
            watch.take(*at_ms, event);
        }
        watch.findings(|id| self.people.get(id).cloned())
    }
}

fn person(n: usize) -> String {
    format!("0190b5b0-0000-7000-9000-{n:012}")
}

/// A number in letters: names have no digits.
fn letters(n: usize) -> String {
    n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn of(patterns: &Patterns, rule: Rule) -> Vec<&Finding> {
    patterns.findings.iter().filter(|finding| finding.rule == rule).collect()
}

#[test]
fn planted_snoopers_are_all_found() {
    let mut made = Made::clean(20_000);
    let at = |day: i64, minute: i64| BEGAN_MS + day * DAY_MS + minute * 60_000;
    let admitted = ("admitted", false);
    // An aunt, whom the ward knows.
    made.know("aunt", "Vera", "Featherstone");
    made.open(at(1, 1), (0, "Nurse Joan Featherstone (s-1)"), "aunt", admitted);
    // A colleague on another ward of the same hospital.
    made.know("colleague", "Ottilie", "Quennell");
    made.open(at(1, 2), (1, "Ottilie Quennell (s-2)"), &person(1), admitted);
    made.open(at(1, 3), (1, "Sister Maud Trelawney (s-3)"), "colleague", admitted);
    // Their own record.
    made.know("self", "Maud", "Trelawney");
    made.open(at(1, 4), (1, "Sister Maud Trelawney (s-3)"), "self", admitted);
    // A person in the news.
    for n in 0..25 {
        made.open(at(2, n), (2, &format!("Dr Curious Number{} (c-{n})", letters(n as usize))), &person(2), admitted);
    }
    // Long after somebody left, and died.
    let left = BEGAN_MS / DAY_MS - 200;
    let gone = Known {
        given: "una".into(),
        families: vec!["gone".into()],
        left: vec![("r3".into(), left)],
        ..Known::default()
    };
    made.people.insert("left".into(), gone.clone());
    made.open(at(3, 1), (3, "Dr Late Reader (s-4)"), "left", ("", false));
    made.people.insert("dead".into(), Known { died_on: Some(left), left: vec![], ..gone });
    made.open(at(3, 2), (3, "Dr Late Reader (s-4)"), "dead", admitted);
    // One who breaks the glass every day, one whom nobody referred anybody to, one who lists a town.
    for n in 0..20 {
        made.open(at(4, n), (4, "Dr Glass Breaker (s-5)"), &person(n as usize * 10 + 4), ("", n < 10));
        made.open(at(4, n), (5, "Mr No Body (s-6)"), &person(n as usize * 10 + 5), ("self_claimed", false));
    }
    for n in 0..70 {
        made.open(at(5, n / 2), (6, "Ms Lists All (s-7)"), &person(n as usize * 10 + 6), admitted);
    }
    let found = made.read(None);
    let users = |rule| of(&found, rule).iter().map(|finding| finding.user.as_str()).collect::<Vec<_>>();
    assert!(users(Rule::SameFamilyName).contains(&"Nurse Joan Featherstone (s-1)"), "{found:?}");
    let colleagues = of(&found, Rule::Colleague);
    let colleague = colleagues.iter().find(|finding| finding.persons == ["colleague"]);
    let colleague = colleague.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(colleague.user, "Sister Maud Trelawney (s-3)");
    assert!(colleague.words.contains("Ottilie Quennell (s-2)") && colleague.words.contains("namesake"));
    assert!(users(Rule::OwnName).contains(&"Sister Maud Trelawney (s-3)"));
    let [crowd] = of(&found, Rule::Crowd)[..] else { panic!("{found:?}") };
    assert!(crowd.count >= 25 && crowd.baseline < 2.0 && crowd.organisation == "R2", "{crowd:?}");
    assert_eq!(users(Rule::AfterLeaving), ["Dr Late Reader (s-4)"]);
    assert_eq!(users(Rule::AfterDeath), ["Dr Late Reader (s-4)"]);
    assert!(users(Rule::Overrides).contains(&"Dr Glass Breaker (s-5)"));
    assert!(users(Rule::NoRelationship).contains(&"Mr No Body (s-6)"));
    assert_eq!(users(Rule::Enumeration), ["Ms Lists All (s-7)"]);
    let glass = of(&found, Rule::Overrides)[0];
    assert_eq!((glass.count, glass.persons.len()), (10, 10), "{glass:?}");
    assert!(glass.words.starts_with("of 20 people opened, 10 were opened with broken glass: 50%"), "{}", glass.words);
}

#[test]
fn of_those_who_only_work_few_are_told() {
    let opens = 100_000;
    let found = Made::clean(opens).read(None);
    let mut by_rule: BTreeMap<Rule, usize> = BTreeMap::new();
    found.findings.iter().for_each(|finding| *by_rule.entry(finding.rule).or_default() += 1);
    assert_eq!((found.events, found.left_out, found.more), (opens as u64, 0, 0));
    for rule in [Rule::Enumeration, Rule::Crowd, Rule::AfterDeath, Rule::AfterLeaving] {
        assert_eq!(by_rule.get(&rule), None, "{rule:?}");
    }
    // Namesakes and chance: 5 for each 10,000 records opened, and for one in a hundred users a share that is chance.
    assert!(found.findings.len() <= opens / 10_000 * 5, "{by_rule:?}");
    let shares = of(&found, Rule::Overrides).len() + of(&found, Rule::NoRelationship).len();
    assert!(shares <= ORGANISATIONS * USERS / 100, "{by_rule:?}");
}

#[test]
fn an_officer_sees_their_own_organisation_only() {
    let mut made = Made::clean(1_000);
    made.know("aunt", "Vera", "Featherstone");
    for organisation in [0, 1] {
        made.open(BEGAN_MS, (organisation, "Joan Featherstone (s-1)"), "aunt", ("", false));
    }
    let found = made.read(Some("r1"));
    assert!(found.findings.iter().all(|finding| finding.organisation == "R1"), "{found:?}");
    assert_eq!(of(&found, Rule::SameFamilyName).iter().filter(|f| f.user.starts_with("Joan")).count(), 1);
    assert!(found.events < 300);
}

#[test]
fn a_search_for_one_person_is_looking_at_them() {
    let mut made = Made::clean(1_000);
    made.know("ex", "Vera", "Featherstone");
    let event = TrailEvent {
        action: "found".into(),
        user: "Joan Featherstone (s-1)".into(),
        organisation: "R1".into(),
        person: "ex".into(),
        ..TrailEvent::default()
    };
    made.events.push((BEGAN_MS, event.clone()));
    for n in 0..120 {
        let find = TrailEvent {
            action: "find".into(),
            user: "Ms Lists All (s-7)".into(),
            person: String::new(),
            ..event.clone()
        };
        made.events.push((BEGAN_MS + n, find));
    }
    let found = made.read(None);
    assert!(of(&found, Rule::SameFamilyName).iter().any(|finding| finding.persons == ["ex"]), "{found:?}");
    let [listing] = of(&found, Rule::Enumeration)[..] else { panic!("{found:?}") };
    assert_eq!((listing.user.as_str(), listing.count), ("Ms Lists All (s-7)", 120));
    assert!(listing.words.starts_with("searched 120 times within one hour"), "{}", listing.words);
}

#[test]
fn what_is_refused_shows_nothing_and_what_is_no_look_is_not_counted() {
    let mut watch = Watch::new(PatternSettings::default(), None);
    for action in ["intent", "refused", "override", "report", "queue"] {
        let event = TrailEvent {
            action: action.into(),
            user: "Joan Featherstone (s-1)".into(),
            person: "p".into(),
            ..TrailEvent::default()
        };
        watch.take(BEGAN_MS, &event);
    }
    assert_eq!(watch.findings(|_| None), Patterns::default());
}

#[test]
fn names_are_read_as_people_write_them() {
    let name = |user: &str| {
        let name = names::FullName::of_user(user);
        (name.given, name.family)
    };
    let ada = ("ada".to_owned(), "example".to_owned());
    for user in ["Dr Ada Example (u-1)", "EXAMPLE, Ada (u-1)", "EXAMPLE, Dr Ada Jane (u(1))", "Ada M. Example"] {
        assert_eq!(name(user), ada, "{user}");
    }
    assert_eq!(name("Prof. Renée O'Brien-Núñez (x)"), ("renee".to_owned(), "obriennunez".to_owned()));
    assert_eq!(name("Madonna (m)"), (String::new(), "madonna".to_owned()));
    assert_eq!(name(" (m)"), (String::new(), String::new()));
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    assert_eq!(PatternSettings::default().check(), Ok(()));
    let crowd = PatternSettings { crowd_users_min: 1, ..PatternSettings::default() };
    assert_eq!(crowd.check().unwrap_err().0, "crowd_users_min");
    let factor = PatternSettings { override_factor: f64::NAN, ..PatternSettings::default() };
    assert_eq!(factor.check().unwrap_err().0, "override_factor");
    let chance = PatternSettings { colleague_chance_max: -1.0, ..PatternSettings::default() };
    assert_eq!(chance.check().unwrap_err().0, "colleague_chance_max");
}
