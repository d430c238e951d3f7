//! Who is who, in memory: derived from the events and from nothing else, so that the same events always give the same
//! persons under the same enterprise ids. No store, clock or randomness is known here.
//!
//! **Enterprise ids.** Every registration brings an id of its own; a person goes by the oldest id among its
//! registrations, and the others forward to it. So ids survive joins, and a separation gives back the ids of before.
//! A registration that leaves its person by its source's doing (changed or withdrawn) leaves its ids behind, for they
//! mean the person, not the row at that source.

mod as_at;
mod block;
mod decided;
mod history;
mod person;
mod quality;
mod queue;
mod standing;
mod suspend;
mod saved;
mod upkeep;

#[cfg(test)]
mod tests;

pub use decided::{Decided, Wanted};
pub use saved::{Section, Sections};
pub use upkeep::ModelChanges;

use super::{
    decide::{Decisions, Doubt, Review, Row, Rule},
    event::{About, Event, FeedPosition, RegistrationKey, What},
    evidence::with_identity,
    normalise::{Facts, Profile},
    scoring::ScoringModel,
};
use crate::{
    facts,
    model::{EnterpriseId, SourceId},
};
use block::Block;
use bytes::Bytes;
use decided::Journal;
use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};
use history::Histories;
use prost::Message as _;
use queue::Postponed;
use serde::{Deserialize, Serialize};
use severn_linkage::{decide::Policy, population::Population, superseded::Superseded};
use severn_proto::v1::Registration;
use severn_trust::{NhsNumber, sha256};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Who is who.
pub struct State {
    /// The last event taken.
    pub sequence: u64,
    /// What scores, and from when on a score links.
    scoring: ScoringModel,
    /// The versions of the models that were taken, each with the event since which it scores.
    models: Vec<(u64, Box<str>)>,
    policy: Policy,
    population: Population,
    held: Vec<Held>,
    places: HashMap<RegistrationKey, Row>,
    /// The registrations that give a number, or one that it replaced.
    by_number: HashMap<NhsNumber, Vec<Row>>,
    superseded: Superseded<NhsNumber>,
    /// Persons of two registrations or more, by their first registration.
    clusters: HashMap<Row, Cluster>,
    carriers: HashMap<EnterpriseId, Row>,
    /// Ids beside its oldest, for the few registrations that carry several.
    further_ids: HashMap<Row, Vec<Aged>>,
    decisions: Decisions,
    /// Registrations about which anybody ever decided.
    looked_at: HashSet<Row>,
    journal: Journal,
    postponed: HashMap<[Row; 2], Postponed>,
    reviews: BTreeSet<Review>,
    reviews_of: HashMap<Row, Vec<Review>>,
    review_counts: BTreeMap<Doubt, u64>,
    feeds: BTreeMap<SourceId, Feed>,
    histories: Histories,
    /// Who may see a person, beside the policies; nobody is who they are by it.
    access_facts: facts::Facts,
}

impl Default for State {
    fn default() -> State {
        State {
            sequence: 0,
            scoring: ScoringModel::built_in(),
            models: Vec::new(),
            policy: Policy::default(),
            population: Population::new(),
            held: Vec::new(),
            places: HashMap::new(),
            by_number: HashMap::new(),
            superseded: Superseded::default(),
            clusters: HashMap::new(),
            carriers: HashMap::new(),
            further_ids: HashMap::new(),
            decisions: Decisions::default(),
            looked_at: HashSet::new(),
            journal: Journal::default(),
            postponed: HashMap::new(),
            reviews: BTreeSet::new(),
            reviews_of: HashMap::new(),
            review_counts: BTreeMap::new(),
            feeds: BTreeMap::new(),
            histories: Histories::default(),
            access_facts: facts::Facts::default(),
        }
    }
}

/// A registration.
struct Held {
    key: RegistrationKey,
    /// A digest of `key`, by which ties are broken.
    fingerprint: u128,
    live: bool,
    body: Bytes,
    facts: Facts,
    unusable_number: bool,
    /// The event that brought this content.
    changed: u64,
    /// The first registration of its person.
    person: Row,
    rule: Rule,
    /// The oldest id it carries; `None` for one that has handed on its ids.
    id: Option<Aged>,
}

/// An enterprise id and the event that brought it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Aged {
    since: u64,
    id: EnterpriseId,
}

struct Cluster {
    rows: Vec<Row>,
    id: Option<Aged>,
}

/// A source's feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// Epoch and last durable cursor; `None` before the first announcement.
    pub position: Option<(Uuid, u64)>,
    /// When the feed was last heard: milliseconds since 1970-01-01T00:00:00Z; 0 for never.
    pub heard_at_ms: i64,
    /// Registrations known from the source.
    pub registrations: u64,
    /// Registrations with an NHS number that is none.
    pub unusable_numbers: u64,
    /// Registrations the source holds by its own count; `None` until its first heartbeat since the start.
    pub source_counts: Option<u64>,
}

impl State {
    /// Takes one event. Events come in sequence, each once, and are durable.
    pub fn apply(&mut self, event: &Event) {
        self.sequence = event.sequence;
        match &event.about {
            About::Registration(registration, what) => self.apply_to(registration, what, event),
            About::Superseded { number, by, .. } => self.supersede(event, *number, *by),
            About::ModelTaken(model) => self.take_model(event, model),
            About::FactsChanged(change) => self.access_facts.take((event.sequence, event.at_ms), change),
        }
    }

    fn apply_to(&mut self, registration: &RegistrationKey, what: &What, event: &Event) {
        let is_new = matches!(what, What::Registered { .. }) && !self.places.contains_key(registration);
        let row = self.place(registration);
        let mut seeds = vec![row];
        seeds.extend(self.others_of(what));
        let own_before = self.id_of(row);
        let companions: Vec<Row> = self.members(row).iter().filter(|r| **r != row).copied().collect();
        let at_stake = self.directives_at_stake(what, row);
        let touched = self.block(&seeds);
        let rivals = touched.rivals(&seeds, &self.policy);
        let affected = self.take(registration, what, event, &seeds);
        let joined = if is_new && affected.is_empty() { self.join_at_once(row) } else { None };
        let before = joined.unwrap_or_else(|| {
            let mut before = self.settle_around(&seeds, touched.rows.into_iter().chain(rivals), &affected);
            before.iter_mut().filter(|(other, _)| *other == row).for_each(|(_, id)| *id = own_before);
            before
        });
        self.hand_over(what, event, row, &companions);
        self.keep_directives(what, (row, own_before, at_stake), &before);
        self.write_history(event, &seeds, &before);
    }

    /// Takes a feed's position. The events it covers are applied already.
    pub fn apply_feed(&mut self, position: &FeedPosition) {
        let feed = self.feeds.entry(position.source.clone()).or_default();
        feed.position = Some((position.epoch, position.cursor));
        feed.heard_at_ms = feed.heard_at_ms.max(position.heard_at_ms);
    }

    /// Notes that a source was heard, and how many registrations it says it holds.
    pub fn heard(&mut self, source: &SourceId, at_ms: i64, source_counts: Option<u64>) {
        let feed = self.feeds.entry(source.clone()).or_default();
        feed.heard_at_ms = feed.heard_at_ms.max(at_ms);
        feed.source_counts = source_counts.or(feed.source_counts);
    }

    /// Where a registration lies, if its source knows it now.
    pub fn find(&self, key: &RegistrationKey) -> Option<Row> {
        self.places.get(key).copied().filter(|row| self.get(*row).live)
    }

    /// The bytes of a registration its source knows now.
    pub fn body(&self, key: &RegistrationKey) -> Option<&Bytes> {
        self.find(key).map(|row| &self.get(row).body)
    }

    /// The id by which a registration's person goes; `None` if its source does not know it any more.
    pub fn id_of(&self, row: Row) -> Option<EnterpriseId> {
        let held = self.get(row);
        let id = match self.clusters.get(&held.person) {
            Some(cluster) => cluster.id,
            None => held.id,
        };
        id.filter(|_| held.live).map(|aged| aged.id)
    }

    /// Every feed, by source.
    pub fn feeds(&self) -> &BTreeMap<SourceId, Feed> {
        &self.feeds
    }

    fn get(&self, row: Row) -> &Held {
        &self.held[row.0 as usize]
    }

    fn get_mut(&mut self, row: Row) -> &mut Held {
        &mut self.held[row.0 as usize]
    }

    /// The registrations of one person.
    fn members(&self, row: Row) -> &[Row] {
        let held = self.get(row);
        match self.clusters.get(&held.person) {
            Some(cluster) => &cluster.rows,
            None => std::slice::from_ref(&held.person),
        }
    }

    /// The place of a registration, made where it was never heard of.
    fn place(&mut self, key: &RegistrationKey) -> Row {
        if let Some(row) = self.places.get(key) {
            return *row;
        }
        // Four thousand million registrations would fill any memory long before.
        let row = Row(u32::try_from(self.held.len()).unwrap_or(u32::MAX));
        // One copy of the source's id serves all its registrations.
        let source = match self.feeds.get_key_value(&key.source) {
            Some((known, _)) => known.clone(),
            None => {
                self.feeds.insert(key.source.clone(), Feed::default());
                key.source.clone()
            }
        };
        let key = RegistrationKey { source, local_id: key.local_id.clone() };
        let fingerprint = fingerprint(&key);
        self.places.insert(key.clone(), row);
        self.held.push(Held {
            key,
            fingerprint,
            live: false,
            body: Bytes::new(),
            facts: Facts::default(),
            unusable_number: false,
            changed: 0,
            person: row,
            rule: Rule::Alone,
            id: None,
        });
        row
    }

    /// Changes content and decisions as the event says; who is who is settled afterwards. Returns the registrations
    /// for which a value became too common to be followed, or is no longer.
    fn take(&mut self, registration: &RegistrationKey, what: &What, event: &Event, seeds: &[Row]) -> Vec<u32> {
        let (row, sequence) = (seeds[0], event.sequence);
        let before = self.get(row).body.clone();
        let mut affected = Vec::new();
        match what {
            What::Registered { body, person } => {
                affected.extend(self.drop_content(row));
                affected.extend(self.set_content(row, body, sequence));
                self.watch(row, &before, sequence);
                if self.get(row).id.is_none() {
                    self.give(row, Aged { since: sequence, id: *person });
                }
            }
            What::Changed { body, .. } if is_same_identity(&before, body) => self.get_mut(row).body = body.clone(),
            What::Changed { body, .. } => {
                affected.extend(self.drop_content(row));
                affected.extend(self.set_content(row, body, sequence));
                self.watch(row, &before, sequence);
            }
            What::Withdrawn => affected.extend(self.drop_content(row)),
            _ => self.take_decision(registration, what, event, seeds),
        }
        affected
    }

    fn drop_content(&mut self, row: Row) -> Vec<u32> {
        let held = &mut self.held[row.0 as usize];
        if !held.live {
            return Vec::new();
        }
        held.live = false;
        let (facts, unusable) = (held.facts, held.unusable_number);
        held.body = Bytes::new();
        if let Some(feed) = self.feeds.get_mut(&held.key.source) {
            feed.registrations = feed.registrations.saturating_sub(1);
            feed.unusable_numbers = feed.unusable_numbers.saturating_sub(u64::from(unusable));
        }
        if let Some(number) = facts.number {
            remove(&mut self.by_number, &number, row);
        }
        self.population.remove(row.0).affected
    }

    fn set_content(&mut self, row: Row, body: &Bytes, sequence: u64) -> Vec<u32> {
        // Bytes that do not decode were never written; should they be, the registration stays and links with nobody.
        let registration = Registration::decode(body.clone()).unwrap_or_default();
        let mut demographics = registration.demographics.unwrap_or_default();
        let mut profile = Profile::of(&demographics);
        if let Some(given) = profile.facts.number {
            let number = self.superseded.current(given);
            if number != given {
                profile.facts.number = Some(number);
                demographics.nhs_number = number.digits();
            }
            let rows = self.by_number.entry(number).or_default();
            rows.insert(rows.partition_point(|other| *other < row), row);
        }
        let held = &mut self.held[row.0 as usize];
        held.live = true;
        held.body = body.clone();
        held.facts = profile.facts;
        held.unusable_number = profile.unusable_number;
        held.changed = sequence;
        if let Some(feed) = self.feeds.get_mut(&held.key.source) {
            feed.registrations += 1;
            feed.unusable_numbers += u64::from(profile.unusable_number);
        }
        with_identity(&demographics, |identity| self.population.insert(row.0, identity)).affected
    }

    /// Leaves the ids of a registration that left with those it left, or gives it its first.
    fn hand_over(&mut self, what: &What, event: &Event, row: Row, companions: &[Row]) {
        let fresh = match what {
            What::Withdrawn => None,
            What::Changed { person, .. } => Some(Aged { since: event.sequence, id: *person }),
            _ => return,
        };
        let stayed = fresh.is_some() && companions.iter().any(|other| self.get(*other).person == self.get(row).person);
        let Some(heir) = companions.iter().copied().min_by_key(|r| self.get(*r).id) else { return };
        if stayed {
            return;
        }
        let ids = self.further_ids.remove(&row).unwrap_or_default();
        for id in ids.into_iter().chain(self.get_mut(row).id.take()) {
            self.histories.hand_on(id.id, row, event.at_ms);
            self.give(heir, id);
        }
        self.histories.inherit(heir, row);
        if let Some(fresh) = fresh {
            self.give(row, fresh);
        }
        self.name_cluster(heir);
        self.name_cluster(row);
    }

    fn give(&mut self, row: Row, id: Aged) {
        self.carriers.insert(id.id, row);
        let held = self.get_mut(row);
        match held.id.replace(id) {
            None => {}
            Some(other) => {
                held.id = Some(id.min(other));
                self.further_ids.entry(row).or_default().push(id.max(other));
            }
        }
    }

    fn name_cluster(&mut self, row: Row) {
        let first = self.get(row).person;
        let Some(cluster) = self.clusters.get(&first) else { return };
        let id = oldest(&self.held, &cluster.rows);
        if let Some(cluster) = self.clusters.get_mut(&first) {
            cluster.id = id;
        }
    }
}

/// Whether two bodies say the same of who somebody is, though they differ in what joins them to organisations.
fn is_same_identity(before: &Bytes, body: &Bytes) -> bool {
    let said = |body: &Bytes| Registration::decode(body.clone()).map(|r| (r.local_id, r.demographics));
    matches!((said(before), said(body)), (Ok(before), Ok(now)) if before == now)
}

fn fingerprint(key: &RegistrationKey) -> u128 {
    let mut digest = [0; 16];
    digest.copy_from_slice(&sha256(&[key.source.0.as_bytes(), &[0], key.local_id.0.as_bytes()])[..16]);
    u128::from_be_bytes(digest)
}

fn oldest(held: &[Held], rows: &[Row]) -> Option<Aged> {
    rows.iter().filter_map(|row| held[row.0 as usize].id).min()
}

fn remove<K: Eq + std::hash::Hash>(map: &mut HashMap<K, Vec<Row>>, key: &K, row: Row) {
    let Some(rows) = map.get_mut(key) else { return };
    rows.retain(|other| *other != row);
    if rows.is_empty() {
        map.remove(key);
    }
}
