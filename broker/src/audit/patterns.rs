//! What an officer should look at: the trail read for what people do who look where they should not. Pure: events in, in
//! their order, findings out; who is who is passed in. A finding is a question to ask and no verdict: a namesake, a
//! well-known patient's whole ward and a locum's first day look the same.
//!
//! What the trail does not say cannot be found: where staff live (so not "same street", nor an ex-partner of another
//! name), who is related to whom, who was on duty. A user is known by the name in their token, a person by what their
//! sources call them. One pass over the events, memory for each (user, person) and no more than [`PAIRS_MAX`] of these.

mod names;
mod rules;
mod settings;

use serde_json::Value;
use severn_trust::TrailEvent;
use std::collections::{HashMap, HashSet};

pub use names::fold;
pub use rules::{Finding, Patterns, Rule};
pub use settings::PatternSettings;

/// Pairs of a user and a person that are remembered; what comes after is not looked at, and said to be left out.
pub const PAIRS_MAX: usize = 5_000_000;

/// Findings in one answer, at most.
pub const FINDINGS_MAX: usize = 1_000;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What is known of a person who was looked at. Names are folded with [`fold`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The first given name.
    pub given: String,
    /// Family names, former ones too.
    pub families: Vec<String>,
    /// The day of death: days since 1970-01-01.
    pub died_on: Option<i64>,
    /// Organisations (ODS codes) that the person has left, and the last day there: days since 1970-01-01.
    pub left: Vec<(String, i64)>,
}

/// Reads events for patterns.
pub struct Watch {
    settings: PatternSettings,
    /// Users of this organisation only.
    organisation: Option<String>,
    users: Vec<UserSeen>,
    user_numbers: HashMap<(u32, Box<str>), u32>,
    organisations: Vec<OrganisationSeen>,
    organisation_numbers: HashMap<Box<str>, u32>,
    persons: Vec<Box<str>>,
    person_numbers: HashMap<Box<str>, u32>,
    pairs: HashMap<(u32, u32), Pair>,
    /// Who looked at whom on the day that is being read: person and organisation to users.
    today: HashMap<(u32, u32), HashSet<u32>>,
    day: i64,
    crowds: Vec<Crowd>,
    events: u64,
    left_out: u64,
}

/// A user, and what they do in the hour that is being read.
struct UserSeen {
    name: Box<str>,
    organisation: u32,
    hour: i64,
    persons: HashSet<u32>,
    searches: u32,
    /// The busiest hours, by persons and by searches: when it began, and how many.
    most_persons: (i64, u32),
    most_searches: (i64, u32),
}

struct OrganisationSeen {
    ods: Box<str>,
    /// Persons looked at, by day, and the users who did: the mean of a crowd.
    person_days: u64,
    user_days: u64,
}

/// What one user did about one person.
#[derive(Clone, Copy)]
struct Pair {
    first_ms: i64,
    last_ms: i64,
    opened: u32,
    searched: u32,
    /// Some time a source's feed joined the person to the organisation.
    related: bool,
    /// Some time the glass was broken.
    overridden: bool,
    /// The last time that it was opened without either, or searched for; `i64::MIN` for never.
    unrelated_ms: i64,
}

/// Many users of one organisation who looked at one person on one day.
struct Crowd {
    person: u32,
    organisation: u32,
    day: i64,
    users: u32,
}

/// What an event means here.
enum Meaning {
    /// A record was opened.
    Opened { related: bool, overridden: bool },
    /// A search found this one person.
    Found,
    /// A search.
    Searched,
}

impl Watch {
    /// Watches users of `organisation` (its ODS code), or all.
    pub fn new(settings: PatternSettings, organisation: Option<&str>) -> Watch {
        Watch {
            settings,
            organisation: organisation.map(str::to_owned),
            users: Vec::new(),
            user_numbers: HashMap::new(),
            organisations: Vec::new(),
            organisation_numbers: HashMap::new(),
            persons: Vec::new(),
            person_numbers: HashMap::new(),
            pairs: HashMap::new(),
            today: HashMap::new(),
            day: i64::MIN,
            crowds: Vec::new(),
            events: 0,
            left_out: 0,
        }
    }

    /// Reads one event of `at_ms`.
    pub fn take(&mut self, at_ms: i64, event: &TrailEvent) {
        let other = |own: &String| !own.eq_ignore_ascii_case(&event.organisation);
        if event.user.is_empty() || self.organisation.as_ref().is_some_and(other) {
            return;
        }
        let Some(meaning) = meaning(event) else { return };
        self.events += 1;
        self.end_day(at_ms.div_euclid(DAY_MS));
        let organisation = self.organisation(&event.organisation);
        let user = self.user(organisation, &event.user);
        if let Meaning::Searched = meaning {
            self.users[user as usize].search(at_ms);
            return;
        }
        let person = self.person(&event.person);
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&(user, person)) {
            self.left_out += 1;
            return;
        }
        let pair = self.pairs.entry((user, person)).or_insert_with(|| Pair::new(at_ms));
        pair.last_ms = at_ms;
        match meaning {
            Meaning::Opened { related, overridden } => {
                pair.opened += 1;
                pair.related |= related;
                pair.overridden |= overridden;
                if !related && !overridden {
                    pair.unrelated_ms = at_ms;
                }
                self.users[user as usize].open(at_ms, person);
                self.today.entry((person, organisation)).or_default().insert(user);
            }
            Meaning::Found | Meaning::Searched => pair.searched += 1,
        }
    }

    /// What was found. `known` tells who a person is, once for each; `None` for one whom nobody knows any more.
    pub fn findings(mut self, known: impl FnMut(&str) -> Option<Known>) -> Patterns {
        self.end_day(i64::MAX);
        self.users.iter_mut().for_each(|user| user.end_hour(i64::MAX));
        rules::findings(&self, known)
    }

    fn organisation(&mut self, ods: &str) -> u32 {
        if let Some(number) = self.organisation_numbers.get(ods) {
            return *number;
        }
        let number = number(self.organisations.len());
        self.organisations.push(OrganisationSeen { ods: ods.into(), person_days: 0, user_days: 0 });
        self.organisation_numbers.insert(ods.into(), number);
        number
    }

    fn user(&mut self, organisation: u32, name: &str) -> u32 {
        let key = (organisation, name.into());
        if let Some(number) = self.user_numbers.get(&key) {
            return *number;
        }
        let number = number(self.users.len());
        self.users.push(UserSeen::new(name, organisation));
        self.user_numbers.insert(key, number);
        number
    }

    fn person(&mut self, id: &str) -> u32 {
        if let Some(number) = self.person_numbers.get(id) {
            return *number;
        }
        let number = number(self.persons.len());
        self.persons.push(id.into());
        self.person_numbers.insert(id.into(), number);
        number
    }

    /// Counts the day that was read, where another begins.
    fn end_day(&mut self, day: i64) {
        if day == self.day {
            return;
        }
        for ((person, organisation), users) in self.today.drain() {
            let users = number(users.len());
            let seen = &mut self.organisations[organisation as usize];
            seen.person_days += 1;
            seen.user_days += u64::from(users);
            if users >= self.settings.crowd_users_min {
                self.crowds.push(Crowd { person, organisation, day: self.day, users });
            }
        }
        self.day = day;
    }
}

impl UserSeen {
    fn new(name: &str, organisation: u32) -> UserSeen {
        UserSeen {
            name: name.into(),
            organisation,
            hour: i64::MIN,
            persons: HashSet::new(),
            searches: 0,
            most_persons: (0, 0),
            most_searches: (0, 0),
        }
    }

    fn open(&mut self, at_ms: i64, person: u32) {
        self.end_hour(at_ms.div_euclid(HOUR_MS));
        self.persons.insert(person);
    }

    fn search(&mut self, at_ms: i64) {
        self.end_hour(at_ms.div_euclid(HOUR_MS));
        self.searches += 1;
    }

    fn end_hour(&mut self, hour: i64) {
        if hour == self.hour {
            return;
        }
        let began_ms = self.hour.saturating_mul(HOUR_MS);
        let persons = number(self.persons.len());
        if persons > self.most_persons.1 {
            self.most_persons = (began_ms, persons);
        }
        if self.searches > self.most_searches.1 {
            self.most_searches = (began_ms, self.searches);
        }
        self.persons = HashSet::new();
        (self.searches, self.hour) = (0, hour);
    }
}

impl Pair {
    fn new(at_ms: i64) -> Pair {
        let (opened, searched, unrelated_ms) = (0, 0, i64::MIN);
        Pair { first_ms: at_ms, last_ms: at_ms, opened, searched, related: false, overridden: false, unrelated_ms }
    }
}

/// What an event means; `None` for one that says nothing of looking at people. A refusal shows nothing.
fn meaning(event: &TrailEvent) -> Option<Meaning> {
    let said = |name: &str| event.details.get(name);
    match event.action.as_str() {
        "seal" => {
            let word = said("relationship").as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            // What somebody claims of themselves is no evidence.
            let related = !word.is_empty() && word != "self_claimed";
            Some(Meaning::Opened { related, overridden: said("override").is_some_and(|id| id.is_string()) })
        }
        "found" if !event.person.is_empty() => Some(Meaning::Found),
        "find" => Some(Meaning::Searched),
        _ => None,
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
