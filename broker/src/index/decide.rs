//! Decides which registrations are one person. Pure: the same registrations and decisions give the same persons, in
//! whatever order they came. The arithmetic and the hard rules are those of `severn-linkage`; here stands how persons'
//! decisions outrank them:
//!
//! 1. A person's link joins. It rests while it would join two different verified NHS numbers, a number that the person
//!    had not seen to another, or what a person separated; then a human is asked.
//! 2. What a person took out is never again with those it was taken from, and joins nobody by score for as long as it
//!    says what misled.
//! 3. What a person told apart is never one person either, and whoever fits both of the two is left to a person.
//! 4. Who changed into somebody else under one local id stands alone until a person decides, or it changes back; and
//!    again once the link by which a person decided is undone.
//! 5. Everything else by score, with the engine's rules.
//!
//! **Invariant:** no person has two different verified NHS numbers.

mod changed;
mod decisions;

pub use decisions::{Decisions, Effect, Link};

use changed::changed;
use foldhash::{HashMap, HashMapExt as _};
use serde::{Deserialize, Serialize};
use severn_linkage::{
    bulk::ScoredPair,
    decide::{
        Component, LinkRule, Member, PersonsDecision, Policy, ReviewReason, Says,
        rules::{self, judge},
    },
    levels::Levels,
    model::Model,
    population::Population,
};
use severn_trust::NhsNumber;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// The place of a registration in the index's memory, and in the population.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Row(pub u32);

/// Why a registration is with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Rule {
    /// It stands alone.
    #[default]
    Alone,
    /// By score: the levels and the bits of its strongest link.
    Score(Evidence),
    /// By a person's link.
    Person,
}

/// What was compared between two registrations, and how surely that makes them one person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// log2 of the odds that the two are one person, in thousandths.
    pub millibits: i64,
    /// The level of each field, packed.
    pub levels: u64,
}

impl Evidence {
    /// Of a pair's score.
    pub fn of(bits: f64, levels: Levels) -> Evidence {
        Evidence { millibits: (bits * 1000.0).round() as i64, levels: levels.packed() }
    }
}

/// Why a human should look at a pair; what harms most if it is wrong comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Doubt {
    /// Its source changed a registration into somebody else, and this is whose it was.
    ChangedFrom,
    /// Its source changed a registration into somebody else, and this is whom it fits now.
    ChangedInto,
    /// One NHS number on two people.
    NumberOverlaid,
    /// A person's link rests, because the numbers contradict it now.
    LinkRests,
    /// A person linked them, but what they have come to say since is plainly of two people.
    LinkDisagrees,
    /// Dates of death do not fit.
    DatesOfDeath,
    /// One person under two verified NHS numbers, it seems.
    NumbersDiffer,
    /// People's decisions contradict each other.
    DecisionsContradict,
    /// Would join two persons who do not fit together.
    PersonsDisagree,
    /// Another person fits nearly as well.
    LeadTooSmall,
    /// Possibly twins.
    PossibleTwins,
    /// Possibly one person.
    Possible,
    /// Nothing but names and birth date agrees.
    NamesAndBirthOnly,
}

impl Doubt {
    fn of(reason: ReviewReason) -> Doubt {
        match reason {
            ReviewReason::Possible => Doubt::Possible,
            ReviewReason::NumbersDiffer => Doubt::NumbersDiffer,
            ReviewReason::NumberOverlaid => Doubt::NumberOverlaid,
            ReviewReason::LeadTooSmall => Doubt::LeadTooSmall,
            ReviewReason::PossibleTwins => Doubt::PossibleTwins,
            ReviewReason::NamesAndBirthOnly => Doubt::NamesAndBirthOnly,
            ReviewReason::DatesOfDeath => Doubt::DatesOfDeath,
            ReviewReason::PersonsDisagree => Doubt::PersonsDisagree,
            ReviewReason::DecisionsContradict => Doubt::DecisionsContradict,
        }
    }
}

/// A pair for a human. Pairs stand in the order in which they should be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Review {
    /// Why.
    pub doubt: Doubt,
    /// Registrations of both persons together: how many sources a decision reaches.
    pub reach: Reverse<usize>,
    /// What was compared; the likeliest first.
    pub evidence: Reverse<Evidence>,
    /// One registration.
    pub a: Row,
    /// The other.
    pub b: Row,
}

/// A digest of who a registration says it is: number, names, birth date and sex.
pub type Said = [u8; 16];

/// A registration to be decided about.
#[derive(Clone, Copy)]
pub struct Known {
    /// Where it stands.
    pub row: Row,
    /// What tells it apart for ever: ties are broken by it.
    pub key: u128,
    /// Its NHS number, and whether that is verified.
    pub number: Option<(NhsNumber, bool)>,
    /// What it says of itself.
    pub said: Said,
}

/// What scores, and where the registrations stand.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// All registrations.
    pub population: &'a Population,
    /// The model.
    pub model: &'a Model,
    /// When a score links.
    pub policy: &'a Policy,
}

/// What was decided.
#[derive(Clone, Default)]
pub struct Verdict {
    /// The persons: each a sorted list of registrations, and why each of them is there; ordered by their first.
    pub persons: Vec<Vec<(Row, Rule)>>,
    /// What a human should look at.
    pub doubted: Vec<Doubted>,
}

/// Two registrations that a human should look at.
#[derive(Clone, Copy)]
pub struct Doubted {
    /// Why.
    pub doubt: Doubt,
    /// What was compared.
    pub evidence: Evidence,
    /// One registration.
    pub a: Row,
    /// The other, which stands later; of one that was changed into somebody else, it stands anywhere.
    pub b: Row,
}

impl Doubted {
    fn of(doubt: Doubt, pair: &ScoredPair) -> Doubted {
        let evidence = Evidence::of(pair.score.bits, pair.comparison.levels);
        Doubted { doubt, evidence, a: Row(pair.one), b: Row(pair.two) }
    }
}

/// Decides over a set that is closed: whoever may be linked with one of `known` is in `known` too, whoever else has a
/// pair of concern with one is in `near`, and `pairs` are theirs.
pub fn decide(means: Means<'_>, [known, near]: [&[Known]; 2], pairs: &[ScoredPair], decisions: &Decisions) -> Verdict {
    let member = |known: &Known| Member { row: known.row.0, key: known.key };
    let members: Vec<Member> = known.iter().map(member).collect();
    let outside: Vec<Member> = near.iter().map(member).collect();
    let disputed: BTreeSet<u32> = known
        .iter()
        .chain(near)
        .filter(|known| decisions.disputes(known.row, &known.said))
        .map(|known| known.row.0)
        .collect();
    let undisputed = pairs.iter().filter(|pair| !disputed.contains(&pair.one) && !disputed.contains(&pair.two));
    let is_suspended = |row: u32| decisions.suspended().contains_key(&Row(row));
    let (suspended, pairs): (Vec<ScoredPair>, Vec<ScoredPair>) =
        undisputed.copied().partition(|pair| is_suspended(pair.one) || is_suspended(pair.two));
    let (linked, resting) = links(known, decisions);
    let persons_decisions: Vec<PersonsDecision> = linked
        .iter()
        .map(|link| PersonsDecision { one: link.a.0, two: link.b.0, says: Says::Same })
        .chain(known.iter().chain(near).flat_map(|known| separations(known, decisions)))
        .collect();
    let component = Component {
        population: means.population,
        model: means.model,
        members: &members,
        outside: &outside,
        pairs: &pairs,
        decisions: &persons_decisions,
    };
    let decided = severn_linkage::decide::decide(&component, means.policy);
    let persons = persons(&decided);
    let home: HashMap<Row, usize> =
        persons.iter().enumerate().flat_map(|(at, rows)| rows.iter().map(move |(row, _)| (*row, at))).collect();
    let doubted = decided.reviews.iter().map(|review| Doubted {
        doubt: Doubt::of(review.reason),
        evidence: Evidence::of(review.bits, review.levels),
        a: Row(review.one.min(review.two)),
        b: Row(review.one.max(review.two)),
    });
    let resting = resting.into_iter().map(|link| {
        let comparison = means.population.compare(link.a.0, link.b.0);
        let evidence = Evidence::of(means.model.score(&comparison).bits, comparison.levels);
        Doubted { doubt: Doubt::LinkRests, evidence, a: link.a.min(link.b), b: link.a.max(link.b) }
    });
    let changed = changed(means, &suspended, &home, decisions);
    let open = |d: &Doubted| home.get(&d.a) != home.get(&d.b) && !decisions.separates(d.a, d.b);
    let disagreeing = disagreeing(means, known, &linked);
    let doubted = doubted.chain(resting).chain(changed).filter(open).chain(disagreeing).collect();
    Verdict { persons, doubted }
}

/// The engine's persons, and why each registration is where it is.
fn persons(decided: &severn_linkage::decide::Decided) -> Vec<Vec<(Row, Rule)>> {
    let mut rules: HashMap<u32, Rule> = HashMap::new();
    for link in &decided.links {
        for row in [link.one, link.two] {
            let rule = rules.entry(row).or_default();
            *rule = match (link.rule, *rule) {
                (LinkRule::Person, _) | (_, Rule::Person) => Rule::Person,
                (LinkRule::Automatic, Rule::Alone) => Rule::Score(Evidence::of(link.bits, link.levels)),
                (LinkRule::Automatic, Rule::Score(known)) => {
                    Rule::Score(known.max(Evidence::of(link.bits, link.levels)))
                }
            };
        }
    }
    let rule = |row: &u32| (Row(*row), rules.get(row).copied().unwrap_or_default());
    let mut persons: Vec<Vec<(Row, Rule)>> =
        decided.persons.iter().map(|rows| rows.iter().map(rule).collect::<Vec<_>>()).collect();
    persons.iter_mut().for_each(|rows| rows.sort_unstable_by_key(|(row, _)| *row));
    persons.sort_unstable_by_key(|rows| rows.first().map(|(row, _)| *row));
    persons
}

fn separations<'a>(known: &'a Known, decisions: &'a Decisions) -> impl Iterator<Item = PersonsDecision> + 'a {
    let separation = |says| move |other: &Row| PersonsDecision { one: known.row.0, two: other.0, says };
    // Who was taken out of what a score made was told apart; where a person's link was undone, nothing was said.
    let says = if decisions.was_misled(known.row) { Says::Different } else { Says::Undone };
    let apart = decisions.apart_from(known.row).map(separation(says));
    apart.chain(decisions.different_from(known.row).map(separation(Says::Different)))
}

/// The ends of persons' links that hold, of which one has come to say something else since, and that are plainly two
/// people by what they say now. The latest decision on a pair speaks for it.
fn disagreeing(means: Means<'_>, known: &[Known], linked: &[&Link]) -> Vec<Doubted> {
    let latest: BTreeMap<(Row, Row), &Link> =
        linked.iter().map(|link| ((link.a.min(link.b), link.a.max(link.b)), *link)).collect();
    let says = |row: Row| known.iter().find(|known| known.row == row).map(|known| known.said);
    let moved = latest.into_values().filter(|link| [says(link.a), says(link.b)] != link.said.map(Some));
    let pairs = moved.map(|link| ScoredPair::of(means.population, means.model, link.a.0, link.b.0));
    let against = |pair: &ScoredPair| {
        let never = matches!(judge(means.population, means.model, pair, means.policy), rules::Verdict::Never(_));
        never || pair.score.probability < means.policy.joined_min
    };
    pairs.filter(against).map(|pair| Doubted::of(Doubt::LinkDisagrees, &pair)).collect()
}

/// Persons' links, in the order in which they were decided: those that hold, and those that rest.
fn links<'a>(known: &[Known], decisions: &'a Decisions) -> (Vec<&'a Link>, Vec<&'a Link>) {
    let (mut holding, mut resting) = (Vec::new(), Vec::new());
    if decisions.links().is_empty() {
        return (holding, resting);
    }
    let by_row: HashMap<Row, &Known> = known.iter().map(|known| (known.row, known)).collect();
    let mut groups: Vec<BTreeSet<Row>> = known.iter().map(|known| BTreeSet::from([known.row])).collect();
    for link in decisions.links().values().filter(|link| by_row.contains_key(&link.a) && by_row.contains_key(&link.b)) {
        let at = |row| groups.iter().position(|group| group.contains(&row));
        let (Some(a), Some(b)) = (at(link.a), at(link.b)) else { continue };
        if a != b && !may_join(link, [&groups[a], &groups[b]], &by_row, decisions) {
            resting.push(link);
            continue;
        }
        holding.push(link);
        if a != b {
            let moved = std::mem::take(&mut groups[b]);
            groups[a].extend(moved);
        }
    }
    (holding, resting)
}

fn may_join(link: &Link, sides: [&BTreeSet<Row>; 2], known: &HashMap<Row, &Known>, decisions: &Decisions) -> bool {
    let both = || sides.into_iter().flatten().filter_map(|row| known.get(row)?.number);
    let verified: BTreeSet<NhsNumber> = both().filter(|(_, verified)| *verified).map(|(number, _)| number).collect();
    let numbers: BTreeSet<NhsNumber> = both().map(|(number, _)| number).collect();
    let agreed = verified.len() <= 1 && (numbers.len() <= 1 || numbers.is_subset(&link.seen));
    let separated = |x: &BTreeSet<Row>, y: &BTreeSet<Row>| {
        x.iter().flat_map(|row| decisions.separated_from(*row)).any(|other| y.contains(other))
    };
    agreed && !separated(sides[0], sides[1]) && !separated(sides[1], sides[0])
}
