//! The state in sections of bytes, and back. What follows from the rest is not written but made again. Every field is
//! named here, on the way out and on the way in: one that is added later does not compile before it has its place.
//!
//! **Invariant:** what is written is a function of the events, and what was read goes on as if it had never been written.

mod journal;

use super::{
    Aged, Cluster, Feed, Held, State,
    history::{HandedOn, Histories, SavedLine},
    oldest,
    queue::Postponed,
};
use crate::{
    facts::{Facts as AccessFacts, Kept},
    index::{
        decide::{Decisions, Doubt, Review, Row, Rule},
        event::RegistrationKey,
        normalise::Facts,
        scoring::ScoringModel,
        snapshot::Odd,
    },
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt as _, HashSet};
use jiff::civil::Date;
use journal::SavedJournal;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use severn_linkage::{
    decide::Policy,
    population::{Population, SavedPostings, SavedRows},
    superseded::Superseded,
};
use severn_trust::NhsNumber;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
    io, thread,
};

/// What a section holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Section {
    /// Everything that there is little of.
    Rest,
    /// The file of the model that scores, if it is not the built-in one.
    Model,
    /// Registrations, so many to a section.
    Registrations,
    /// Words and records of the population.
    Population,
    /// The index of one kind of key.
    Postings,
    /// Lines of histories, so many to a section.
    Lines,
}

/// Where sections are read from, by several threads.
pub trait Sections: Sync {
    /// How many sections of a kind there are.
    fn count(&self, kind: Section) -> usize;

    /// A section of a kind, in the order in which they were written.
    ///
    /// # Errors
    /// [`Odd`] if it is not what was written, or missing.
    fn section(&self, kind: Section, nth: usize) -> Result<Vec<u8>, Odd>;
}

/// Takes sections one after the other.
pub type Put<'a> = dyn FnMut(Section, Vec<u8>) -> io::Result<()> + 'a;

/// Registrations, or lines of histories, to a section.
const IN_A_SECTION: usize = 1 << 16;

/// Registrations whose bytes lie in one piece of memory, which is freed with the last of them.
const IN_A_PIECE: usize = 64;

/// What there is little of.
#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    sequence: u64,
    models: Cow<'a, [(u64, Box<str>)]>,
    superseded: BTreeMap<NhsNumber, NhsNumber>,
    /// The sources of registrations, which name theirs by its place here.
    sources: Vec<String>,
    further_ids: Sorted<'a, Row, Vec<Aged>>,
    journal: SavedJournal<'a>,
    looked_at: BTreeSet<Row>,
    postponed: Sorted<'a, [Row; 2], Postponed>,
    reviews: Cow<'a, BTreeSet<Review>>,
    predecessors: Sorted<'a, Row, Vec<Row>>,
    handed_on: Sorted<'a, EnterpriseId, HandedOn>,
    access_facts: Cow<'a, Kept>,
}

/// A registration.
#[derive(Serialize, Deserialize)]
struct SavedHeld<'a> {
    source: u32,
    local_id: &'a str,
    fingerprint: u128,
    live: bool,
    #[serde(serialize_with = "as_bytes")]
    body: &'a [u8],
    number: Option<NhsNumber>,
    verified: bool,
    birth: Option<(i16, i8, i8)>,
    restricted: bool,
    #[serde(serialize_with = "as_bytes")]
    said: &'a [u8],
    unusable_number: bool,
    changed: u64,
    person: Row,
    rule: Rule,
    id: Option<Aged>,
}

/// A map that is written in the order of its keys.
struct Sorted<'a, K, V>(Cow<'a, HashMap<K, V>>)
where
    HashMap<K, V>: Clone;

impl<K: Serialize + Ord + Clone, V: Serialize + Clone> Serialize for Sorted<'_, K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().collect::<BTreeMap<_, _>>())
    }
}

impl<'de, K, V> Deserialize<'de> for Sorted<'_, K, V>
where
    K: Deserialize<'de> + Eq + Hash + Clone,
    V: Deserialize<'de> + Clone,
{
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Sorted(Cow::Owned(HashMap::deserialize(from)?)))
    }
}

impl State {
    /// Writes everything that does not follow from the rest.
    ///
    /// # Errors
    /// As `put` gives them.
    pub fn save(&self, put: &mut Put<'_>) -> io::Result<()> {
        let State {
            sequence,
            scoring,
            models,
            // Part of the rules, which are told apart by a digest.
            policy: _,
            population,
            held,
            // Made again from the registrations.
            places: _,
            by_number: _,
            superseded,
            clusters: _,
            carriers: _,
            further_ids,
            // What the journal comes to.
            decisions: _,
            looked_at,
            journal,
            postponed,
            reviews,
            reviews_of: _,
            review_counts: _,
            // Their positions are the store's, and the rest is counted again.
            feeds: _,
            histories,
            access_facts,
        } = self;
        let sources: BTreeSet<&SourceId> = held.iter().map(|held| &held.key.source).collect();
        let place = |key: &RegistrationKey| self.places.get(key).copied().unwrap_or(Row(u32::MAX));
        let rest = Rest {
            sequence: *sequence,
            models: Cow::Borrowed(models),
            superseded: superseded.replaced().collect(),
            sources: sources.iter().map(ToString::to_string).collect(),
            further_ids: Sorted(Cow::Borrowed(further_ids)),
            journal: SavedJournal::of(journal, place),
            looked_at: looked_at.iter().copied().collect(),
            postponed: Sorted(Cow::Borrowed(postponed)),
            reviews: Cow::Borrowed(reviews),
            predecessors: Sorted(Cow::Borrowed(histories.predecessors())),
            handed_on: Sorted(Cow::Borrowed(histories.handed_on())),
            access_facts: Cow::Borrowed(access_facts.kept()),
        };
        put(Section::Rest, bytes(&rest)?)?;
        if *scoring != ScoringModel::built_in() {
            put(Section::Model, scoring.file().to_vec())?;
        }
        let numbers: HashMap<&SourceId, u32> = sources.into_iter().zip(0..).collect();
        for rows in held.chunks(IN_A_SECTION) {
            let rows: Vec<SavedHeld<'_>> = rows.iter().map(|held| SavedHeld::of(held, &numbers)).collect();
            put(Section::Registrations, bytes(&rows)?)?;
        }
        put(Section::Population, bytes(&population.rows_to_save())?)?;
        population.postings_to_save().try_for_each(|postings| put(Section::Postings, bytes(&postings)?))?;
        histories.lines_to_save(IN_A_SECTION).try_for_each(|lines| put(Section::Lines, bytes(&lines)?))
    }

    /// What was written.
    ///
    /// # Errors
    /// [`Odd`] if it cannot be read.
    pub fn load(from: &impl Sections) -> Result<State, Odd> {
        let rest: Rest<'_> = read(&from.section(Section::Rest, 0)?)?;
        let sources: Vec<SourceId> = rest.sources.iter().map(|id| SourceId(id.as_str().into())).collect();
        let (population, held) = both(|| load_population(from), || load_held(from, &sources))?;
        let (places, (mut histories, by_number, carriers)) = both(
            || Ok(held.iter().zip(0..).map(|(held, row)| (held.key.clone(), Row(row))).collect()),
            || Ok((load_histories(from)?, by_number(&held), carriers(&held, &rest.further_ids.0))),
        )?;
        histories.inherited(rest.predecessors.0.into_owned(), rest.handed_on.0.into_owned());
        let key = |row: Row| held.get(row.0 as usize).map(|held| held.key.clone()).ok_or(Odd::Damaged);
        let journal = rest.journal.journal(key)?;
        let mut state = State {
            sequence: rest.sequence,
            scoring: load_scoring(from)?,
            models: rest.models.into_owned(),
            policy: Policy::default(),
            population,
            clusters: clusters(&held),
            feeds: feeds(sources, &held),
            places,
            by_number,
            superseded: superseded(rest.superseded)?,
            carriers,
            further_ids: rest.further_ids.0.into_owned(),
            decisions: Decisions::default(),
            looked_at: rest.looked_at.into_iter().collect::<HashSet<_>>(),
            journal,
            postponed: rest.postponed.0.into_owned(),
            reviews_of: reviews_of(&rest.reviews),
            review_counts: review_counts(&rest.reviews),
            reviews: rest.reviews.into_owned(),
            histories,
            held,
            access_facts: AccessFacts::from(rest.access_facts.into_owned()),
        };
        state.decisions = state.derive_all();
        Ok(state)
    }
}

impl<'a> SavedHeld<'a> {
    fn of(held: &'a Held, sources: &HashMap<&SourceId, u32>) -> SavedHeld<'a> {
        let Held { key, fingerprint, live, body, facts, unusable_number, changed, person, rule, id } = held;
        let Facts { number, verified, birth, restricted, said } = facts;
        SavedHeld {
            source: sources.get(&key.source).copied().unwrap_or(u32::MAX),
            local_id: &key.local_id.0,
            fingerprint: *fingerprint,
            live: *live,
            body,
            number: *number,
            verified: *verified,
            restricted: *restricted,
            birth: birth.map(|date| (date.year(), date.month(), date.day())),
            said,
            unusable_number: *unusable_number,
            changed: *changed,
            person: *person,
            rule: *rule,
            id: *id,
        }
    }

    fn held(&self, sources: &[SourceId], body: Bytes) -> Result<Held, Odd> {
        let source = sources.get(self.source as usize).ok_or(Odd::Damaged)?.clone();
        let birth = self.birth.map(|(year, month, day)| Date::new(year, month, day));
        Ok(Held {
            key: RegistrationKey { source, local_id: LocalId(self.local_id.into()) },
            fingerprint: self.fingerprint,
            live: self.live,
            body,
            facts: Facts {
                number: self.number,
                verified: self.verified,
                restricted: self.restricted,
                birth: birth.transpose().map_err(|_| Odd::Damaged)?,
                said: self.said.try_into().map_err(|_| Odd::Damaged)?,
            },
            unusable_number: self.unusable_number,
            changed: self.changed,
            person: self.person,
            rule: self.rule,
            id: self.id,
        })
    }
}

fn load_population(from: &impl Sections) -> Result<Population, Odd> {
    let postings = (0..from.count(Section::Postings)).map(|nth| read(&from.section(Section::Postings, nth)?));
    let postings: Vec<SavedPostings> = postings.collect::<Result<_, Odd>>()?;
    let rows: SavedRows = read(&from.section(Section::Population, 0)?)?;
    Population::from_saved(rows, postings).ok_or(Odd::Damaged)
}

fn load_held(from: &impl Sections, sources: &[SourceId]) -> Result<Vec<Held>, Odd> {
    let sections = from.count(Section::Registrations);
    let mut held = Vec::with_capacity(sections * IN_A_SECTION);
    for nth in 0..sections {
        let section = from.section(Section::Registrations, nth)?;
        let rows: Vec<SavedHeld<'_>> = postcard::from_bytes(&section).map_err(|_| Odd::Damaged)?;
        for rows in rows.chunks(IN_A_PIECE) {
            let piece = Bytes::from(rows.iter().map(|row| row.body).collect::<Vec<_>>().concat());
            let mut from = 0;
            for row in rows {
                let to = from + row.body.len();
                held.push(row.held(sources, piece.slice(from..to))?);
                from = to;
            }
        }
    }
    Ok(held)
}

fn load_scoring(from: &impl Sections) -> Result<ScoringModel, Odd> {
    match from.count(Section::Model) {
        0 => Ok(ScoringModel::built_in()),
        _ => ScoringModel::read(from.section(Section::Model, 0)?.into()).map_err(|_| Odd::Damaged),
    }
}

fn superseded(replaced: BTreeMap<NhsNumber, NhsNumber>) -> Result<Superseded<NhsNumber>, Odd> {
    let mut superseded = Superseded::default();
    replaced.into_iter().try_for_each(|(old, new)| superseded.replace(old, new).map(drop)).map_err(|_| Odd::Damaged)?;
    Ok(superseded)
}

fn load_histories(from: &impl Sections) -> Result<Histories, Odd> {
    let mut histories = Histories::default();
    for nth in 0..from.count(Section::Lines) {
        let section = from.section(Section::Lines, nth)?;
        let lines: Vec<SavedLine<'_>> = postcard::from_bytes(&section).map_err(|_| Odd::Damaged)?;
        lines.into_iter().try_for_each(|line| histories.load(line)).ok_or(Odd::Damaged)?;
    }
    Ok(histories)
}

fn live(held: &[Held]) -> impl Iterator<Item = (Row, &Held)> {
    (0..).map(Row).zip(held).filter(|(_, held)| held.live)
}

fn by_number(held: &[Held]) -> HashMap<NhsNumber, Vec<Row>> {
    let mut by_number = HashMap::<_, Vec<Row>>::with_capacity(held.len() / 2);
    for (row, held) in live(held) {
        if let Some(number) = held.facts.number {
            by_number.entry(number).or_default().push(row);
        }
    }
    by_number
}

fn carriers(held: &[Held], further: &HashMap<Row, Vec<Aged>>) -> HashMap<EnterpriseId, Row> {
    let mut carriers = HashMap::with_capacity(held.len());
    for (row, held) in (0..).map(Row).zip(held) {
        carriers.extend(held.id.map(|aged| (aged.id, row)));
    }
    carriers.extend(further.iter().flat_map(|(row, ids)| ids.iter().map(|aged| (aged.id, *row))));
    carriers
}

fn clusters(held: &[Held]) -> HashMap<Row, Cluster> {
    let mut clusters = HashMap::<Row, Cluster>::new();
    for (row, held) in (0..).map(Row).zip(held).filter(|(row, held)| held.person != *row) {
        let alone = || Cluster { rows: vec![held.person], id: None };
        clusters.entry(held.person).or_insert_with(alone).rows.push(row);
    }
    clusters.values_mut().for_each(|cluster| cluster.id = oldest(held, &cluster.rows));
    clusters
}

fn reviews_of(reviews: &BTreeSet<Review>) -> HashMap<Row, Vec<Review>> {
    let mut of = HashMap::<Row, Vec<Review>>::new();
    for review in reviews {
        of.entry(review.a).or_default().push(*review);
        of.entry(review.b).or_default().push(*review);
    }
    of
}

fn review_counts(reviews: &BTreeSet<Review>) -> BTreeMap<Doubt, u64> {
    let mut counts = BTreeMap::new();
    reviews.iter().for_each(|review| *counts.entry(review.doubt).or_default() += 1);
    counts
}

fn feeds(sources: Vec<SourceId>, held: &[Held]) -> BTreeMap<SourceId, Feed> {
    let mut feeds: BTreeMap<SourceId, Feed> = sources.into_iter().map(|source| (source, Feed::default())).collect();
    for (_, held) in live(held) {
        if let Some(feed) = feeds.get_mut(&held.key.source) {
            feed.registrations += 1;
            feed.unusable_numbers += u64::from(held.unusable_number);
        }
    }
    feeds
}

/// Both at once, on a thread each.
fn both<A: Send, B: Send>(
    a: impl FnOnce() -> Result<A, Odd> + Send,
    b: impl FnOnce() -> Result<B, Odd> + Send,
) -> Result<(A, B), Odd> {
    thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        let a = a.join().unwrap_or(Err(Odd::Damaged));
        Ok((a?, b?))
    })
}

fn read<T: DeserializeOwned>(section: &[u8]) -> Result<T, Odd> {
    postcard::from_bytes(section).map_err(|_| Odd::Damaged)
}

fn bytes(content: &impl Serialize) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(content).map_err(io::Error::other)
}

fn as_bytes<S: Serializer>(bytes: &&[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}
