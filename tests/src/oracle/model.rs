//! The made-up world as the oracle knows it, and what it expects of a query: nested loops over plain lists.

use super::judge::{Cause, Judged, Moment, Tally};
use super::words::{RuleSet, Verdict};
use jiff::{
    Timestamp,
    civil::{Date, date},
    tz::TimeZone,
};
use severn_proto::v1::{
    CareRelationship, Dataset, Demographics, DirectiveKind, Outcome, PurposeOfUse, ReasonCode, RelationshipKind,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// An entry at a source.
#[derive(Clone, Debug)]
pub struct EntryModel {
    /// Its id, unlike any other's.
    pub id: String,
    /// Its dataset.
    pub dataset: Dataset,
    /// Its labels, by their numbers.
    pub labels: Vec<i32>,
    /// It says where the person is or how to reach them, beside what else it says.
    pub locates: bool,
}

/// What a source knows of a person.
#[derive(Clone, Debug)]
pub struct Known {
    /// Demographics, as it announces them.
    pub demographics: Demographics,
    /// The relationships it lists; `None` if it lists none ever.
    pub relationships: Option<Vec<CareRelationship>>,
    /// The entries.
    pub entries: Vec<EntryModel>,
}

/// A directive.
#[derive(Clone, Debug)]
pub struct DirectiveModel {
    /// Its id at the broker.
    pub id: String,
    /// The kind.
    pub kind: DirectiveKind,
    /// A dissent's source, an organisation's code or a user's id.
    pub of: String,
    /// The datasets kept back.
    pub datasets: Vec<Dataset>,
    /// From when: milliseconds since 1970.
    pub from_ms: i64,
    /// Until when; 0 for no end.
    pub until_ms: i64,
}

/// A person.
#[derive(Clone, Debug)]
pub struct PersonModel {
    /// Who they are, as everybody who asks knows them.
    pub demographics: Demographics,
    /// What sources know, by source id.
    pub at: BTreeMap<String, Known>,
    /// Directives that were entered and not withdrawn.
    pub directives: Vec<DirectiveModel>,
    /// Claims: the organisation and until when.
    pub claims: Vec<(String, i64)>,
    /// Overrides: whose, their ids, until when.
    pub overrides: Vec<(String, Uuid, i64)>,
}

/// A role that somebody may sign in with.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The role code.
    pub role_code: String,
    /// The organisation.
    pub organisation: String,
    /// How well the user is known.
    pub assurance: u8,
    /// Activities.
    pub activities: BTreeSet<String>,
    /// Workgroups.
    pub workgroups: BTreeSet<String>,
}

/// One who asks.
#[derive(Clone, Debug)]
pub struct Staff {
    /// The user's id.
    pub id: String,
    /// The roles they may sign in with.
    pub seats: Vec<Seat>,
}

/// A query.
#[derive(Clone, Debug)]
pub struct Query {
    /// Position of who asks.
    pub staff: usize,
    /// In which of their roles.
    pub seat: usize,
    /// Why.
    pub purpose: PurposeOfUse,
    /// Position of whom it is about.
    pub person: usize,
    /// The datasets.
    pub datasets: Vec<Dataset>,
    /// The override that the app signs.
    pub opening: Option<Uuid>,
}

/// The world.
#[derive(Clone, Debug)]
pub struct Model {
    /// The region's rules.
    pub region: RuleSet,
    /// The owners' rules, by source id.
    pub owners: BTreeMap<String, RuleSet>,
    /// The sources' kinds, by id.
    pub kinds: BTreeMap<String, &'static str>,
    /// Sources that cannot be read.
    pub failing: BTreeSet<String>,
    /// The people.
    pub people: Vec<PersonModel>,
    /// Who asks.
    pub staff: Vec<Staff>,
}

/// What the ledger must say of one source and dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedRow {
    /// The outcome.
    pub outcome: Outcome,
    /// The reason that stands first is one of these; none, if there are none.
    pub reasons: BTreeSet<i32>,
    /// Entries kept back for their labels or because they locate the person.
    pub kept_back: u32,
}

/// What must come of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is refused: nobody knows the role.
    Refused,
    /// Nobody knows the person, or only whom the asker may not know of.
    Unknown,
    /// A whole record.
    Record {
        /// By source and dataset.
        rows: BTreeMap<(String, i32), ExpectedRow>,
        /// Source and id of every entry.
        shown: BTreeSet<(String, String)>,
    },
}

impl Model {
    /// What must come of a query at `now_ms`. What it asked of every rule is counted.
    pub fn expect(&self, query: &Query, now_ms: i64, tally: &mut Tally) -> Expected {
        let person = &self.people[query.person];
        let asker = self.asker(query, |_| true, now_ms);
        if !self.region.knows(&asker) {
            return Expected::Refused;
        }
        // What hidden sources say decides what is hidden, and nothing else but whether the person is restricted.
        let hides = |asker: &Moment, source: &String| {
            self.region.hides(&Moment { kind: self.kinds[source].to_owned(), ..asker.clone() })
        };
        let seeing = self.asker(query, |source| !hides(&asker, source), now_ms);
        let (mut rows, mut shown) = (BTreeMap::new(), BTreeSet::new());
        for (source, known) in &person.at {
            let at_region = Moment { kind: self.kinds[source].to_owned(), ..asker.clone() };
            self.region.count(&Moment { glass: false, ..at_region.clone() }, (Dataset::Unspecified, &[]), tally);
            if hides(&asker, source) || hides(&seeing, source) {
                continue;
            }
            let (asker, at_region) = (&seeing, Moment { kind: at_region.kind, ..seeing.clone() });
            let at_owner = self.as_owner_sees(source, known, asker, now_ms);
            for dataset in &query.datasets {
                let directive = self.directive(query, source, *dataset, now_ms);
                let place = Place { source, known, dataset: *dataset };
                let moments = (&Moment { directive, ..at_region.clone() }, &at_owner);
                let row = self.row(&place, moments, &mut shown, tally);
                rows.insert((source.clone(), *dataset as i32), row);
            }
        }
        if rows.is_empty() { Expected::Unknown } else { Expected::Record { rows, shown } }
    }

    /// The sources of which who asks may not know that they know the person.
    pub fn hidden(&self, query: &Query, now_ms: i64) -> BTreeSet<String> {
        let asker = self.asker(query, |_| true, now_ms);
        let hides =
            |source: &&String| self.region.hides(&Moment { kind: self.kinds[*source].to_owned(), ..asker.clone() });
        self.people[query.person].at.keys().filter(hides).cloned().collect()
    }

    /// Who asks, as the region sees them by what these sources say, for a source of no kind and without directive.
    fn asker(&self, query: &Query, may_know: impl Fn(&String) -> bool, now_ms: i64) -> Moment {
        let (staff, person) = (&self.staff[query.staff], &self.people[query.person]);
        let seat = &staff.seats[query.seat];
        let opened = |(user, id, until): &(String, Uuid, i64)| {
            *user == staff.id && Some(*id) == query.opening && now_ms < *until
        };
        let seen = person.at.iter().filter(|(source, _)| may_know(source));
        let deaths: Vec<&Demographics> = seen.map(|(_, known)| &known.demographics).collect();
        let died = deaths.iter().map(|known| known.death_date.as_str()).find(|day| !day.is_empty()).unwrap_or_default();
        Moment {
            role_code: seat.role_code.clone(),
            organisation: seat.organisation.clone(),
            assurance: seat.assurance,
            activities: seat.activities.clone(),
            workgroups: seat.workgroups.clone(),
            purpose: query.purpose,
            relationship: self.relationship(person, &seat.organisation, now_ms),
            age: age(&person.demographics.birth_date, today(now_ms)),
            restricted: person.at.values().any(|known| known.demographics.restricted),
            deceased: deaths.iter().any(|known| known.deceased || !known.death_date.is_empty()),
            dead_for: days_since(died, today(now_ms)),
            directive: 0,
            glass: person.overrides.iter().any(opened),
            kind: String::new(),
        }
    }

    /// The same as an owner sees it: it knows its own record of the person, and is told of relationships, of what
    /// restricts and of broken glass. Its own staff have a relationship that it need not be told of.
    fn as_owner_sees(&self, source: &str, known: &Known, asker: &Moment, now_ms: i64) -> Moment {
        let own = asker.organisation == source;
        Moment {
            relationship: if own { ("registered", "own") } else { asker.relationship },
            age: age(&known.demographics.birth_date, today(now_ms)),
            deceased: known.demographics.deceased || !known.demographics.death_date.is_empty(),
            dead_for: days_since(&known.demographics.death_date, today(now_ms)),
            directive: 0,
            kind: String::new(),
            ..asker.clone()
        }
    }

    /// The best relationship of an organisation with a person today.
    fn relationship(&self, person: &PersonModel, ods: &str, now_ms: i64) -> (&'static str, &'static str) {
        let mut kinds: Vec<(u8, &'static str)> = Vec::new();
        for (source, known) in &person.at {
            match &known.relationships {
                None if source == ods => kinds.push((0, "registered")),
                None => {}
                Some(listed) => {
                    for said in listed {
                        let of = if said.organisation_ods.is_empty() { source } else { &said.organisation_ods };
                        if of == ods && holds_on(said, today(now_ms)) {
                            kinds.extend(ranked(said.kind()));
                        }
                    }
                }
            }
        }
        let claimed = person.claims.iter().any(|(organisation, until)| organisation == ods && now_ms < *until);
        match kinds.into_iter().min() {
            Some((_, kind)) => (kind, "feed"),
            None if claimed => ("self_claimed", "claimed"),
            None => ("none", "none"),
        }
    }

    /// What a person's directives say of a dataset of a source to who asks: 0 nothing, 1 kept back, 2 dissent.
    fn directive(&self, query: &Query, source: &str, dataset: Dataset, now_ms: i64) -> u8 {
        let staff = &self.staff[query.staff];
        let mut strictest = 0;
        for held in &self.people[query.person].directives {
            let in_force = held.from_ms <= now_ms && (held.until_ms == 0 || now_ms < held.until_ms);
            let (said, level) = match held.kind {
                DirectiveKind::OptOut => (true, 1),
                DirectiveKind::Dissent => (held.of == source, 2),
                DirectiveKind::Organisation => (held.of == staff.seats[query.seat].organisation, 1),
                DirectiveKind::User => (held.of == staff.id, 1),
                DirectiveKind::Datasets => (held.datasets.contains(&dataset), 1),
                DirectiveKind::Unspecified => (false, 0),
            };
            if in_force && said {
                strictest = strictest.max(level);
            }
        }
        strictest
    }

    fn row(
        &self,
        place: &Place<'_>,
        (at_region, at_owner): (&Moment, &Moment),
        shown: &mut BTreeSet<(String, String)>,
        tally: &mut Tally,
    ) -> ExpectedRow {
        let owner = &self.owners[place.source];
        self.region.count(at_region, (place.dataset, &[]), tally);
        let of_region = self.region.judge(at_region, place.dataset, &[]);
        if of_region.verdict != Verdict::Permit {
            return self.not_asked(&of_region, at_region, place.dataset);
        }
        owner.count(at_owner, (place.dataset, &[]), tally);
        let of_owner = owner.judge(at_owner, place.dataset, &[]);
        match of_owner.verdict {
            Verdict::Permit => {}
            Verdict::MayBeOpened | Verdict::Withheld => return withheld(&of_owner),
            Verdict::Denied => return bare(Outcome::NotShared, &[ReasonCode::Agreement]),
        }
        if self.failing.contains(place.source) {
            return bare(Outcome::NoAnswer, &[ReasonCode::SourceFailed, ReasonCode::Unreachable]);
        }
        let (mut kept_back, mut less, mut sent) = (0, 0, 0_u32);
        for entry in place.known.entries.iter().filter(|entry| entry.dataset == place.dataset) {
            owner.count(at_owner, (place.dataset, &entry.labels), tally);
            let leaves = owner.judge(at_owner, place.dataset, &entry.labels).verdict == Verdict::Permit;
            if !leaves || (at_region.restricted && place.dataset == Dataset::GpPractice) {
                kept_back += 1;
                continue;
            }
            self.region.count(at_region, (place.dataset, &entry.labels), tally);
            less += u32::from(at_region.restricted && entry.locates);
            if self.region.judge(at_region, place.dataset, &entry.labels).verdict == Verdict::Permit {
                sent += 1;
                shown.insert((place.source.to_owned(), entry.id.clone()));
            } else {
                kept_back += 1;
            }
        }
        let (outcome, reasons): (_, &[ReasonCode]) = match (kept_back, less, sent) {
            (1.., ..) => (Outcome::Withheld, &[ReasonCode::Label]),
            (0, 1.., _) => (Outcome::AnsweredPartial, &[ReasonCode::Label]),
            (0, 0, 0) => (Outcome::AnsweredNone, &[]),
            (0, 0, 1..) => (Outcome::Answered, &[]),
        };
        ExpectedRow { kept_back: kept_back + less, ..bare(outcome, reasons) }
    }

    /// What the ledger says of what the region does not permit.
    fn not_asked(&self, judged: &Judged, moment: &Moment, dataset: Dataset) -> ExpectedRow {
        if judged.verdict != Verdict::Denied {
            return withheld(judged);
        }
        let related = Moment { relationship: ("registered", "own"), ..moment.clone() };
        let purposes = [
            PurposeOfUse::DirectCare,
            PurposeOfUse::Emergency,
            PurposeOfUse::Safeguarding,
            PurposeOfUse::Audit,
            PurposeOfUse::SubjectAccess,
        ];
        let mut otherwise = purposes.into_iter().map(|purpose| Moment { purpose, ..related.clone() });
        let missing = if self.region.would_permit(&related, dataset) {
            ReasonCode::NoRelationship
        } else if otherwise.any(|moment| self.region.would_permit(&moment, dataset)) {
            ReasonCode::Purpose
        } else {
            ReasonCode::Role
        };
        let reasons = judged.causes.iter().map(|cause| match cause {
            Cause::Unpermitted => missing,
            Cause::Rule | Cause::Person | Cause::Fault => ReasonCode::Agreement,
        });
        bare(Outcome::NotAsked, &reasons.collect::<Vec<_>>())
    }
}

/// A dataset of a person at a source.
struct Place<'a> {
    source: &'a str,
    known: &'a Known,
    dataset: Dataset,
}

fn bare(outcome: Outcome, reasons: &[ReasonCode]) -> ExpectedRow {
    ExpectedRow { outcome, reasons: reasons.iter().map(|code| *code as i32).collect(), kept_back: 0 }
}

fn withheld(judged: &Judged) -> ExpectedRow {
    let reasons = judged.causes.iter().map(|cause| match (cause, judged.verdict) {
        (Cause::Person, _) => ReasonCode::ByPerson,
        (_, Verdict::MayBeOpened) => ReasonCode::MayBeOpened,
        _ => ReasonCode::ByOwner,
    });
    bare(Outcome::Withheld, &reasons.collect::<Vec<_>>())
}

/// The kinds that sources may announce, the best first.
fn ranked(kind: RelationshipKind) -> Option<(u8, &'static str)> {
    Some(match kind {
        RelationshipKind::Registered => (0, "registered"),
        RelationshipKind::Admitted => (1, "admitted"),
        RelationshipKind::Caseload => (2, "caseload"),
        RelationshipKind::Referred => (3, "referred"),
        RelationshipKind::Unspecified | RelationshipKind::SelfClaimed => return None,
    })
}

/// The day of a moment.
pub fn today(now_ms: i64) -> Date {
    Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

/// The first and the last day that a whole or partial date stands for.
fn span(text: &str) -> Option<(Date, Date)> {
    let numbers: Vec<i16> = text.split('-').map_while(|part| part.parse().ok()).collect();
    let month = |year, month: i16| Date::new(year, i8::try_from(month).ok()?, 1).ok();
    Some(match numbers[..] {
        [year] => (date(year, 1, 1), date(year, 12, 31)),
        [year, of_year] => (month(year, of_year)?, month(year, of_year)?.last_of_month()),
        [year, of_year, day] => {
            let day = Date::new(year, i8::try_from(of_year).ok()?, i8::try_from(day).ok()?).ok()?;
            (day, day)
        }
        _ => return None,
    })
}

fn holds_on(said: &CareRelationship, today: Date) -> bool {
    span(&said.since).is_none_or(|(first, _)| first <= today) && span(&said.until).is_none_or(|(_, last)| today <= last)
}

/// Whole years, of the youngest that somebody with this birth date may be; -1 if it is not known.
fn age(born: &str, today: Date) -> i64 {
    let Some((_, born)) = span(born).filter(|(_, born)| *born <= today) else { return -1 };
    let had_birthday = (today.month(), today.day()) >= (born.month(), born.day());
    i64::from(today.year()) - i64::from(born.year()) - i64::from(!had_birthday)
}

fn days_since(died: &str, today: Date) -> i64 {
    let Some((_, mut day)) = span(died) else { return -1 };
    let mut days = 0;
    while day < today {
        day = day.tomorrow().unwrap_or(today);
        days += 1;
    }
    days
}
