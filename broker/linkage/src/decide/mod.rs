//! Scored pairs → who is one person, and what a steward must look at. Pure: a function of the set of registrations and
//! of what people decided; the order in which anything arrived never matters, and neither do row numbers.
//!
//! The order of rank: what a person decided; then the hard rules ([`rules`], those on one home in `home`); then the
//! score, with a lead over the second-best person; and nothing joins two persons unless all of their registrations agree
//! to it.

pub mod rules;
mod changed;
mod closure;
mod home;
mod persons;
mod trace;

pub use changed::is_somebody_else;
pub(crate) use closure::firsts;
pub use closure::{Closure, closure, components};
pub use trace::trace;

use crate::bulk::ScoredPair;
use crate::levels::Levels;
use crate::model::{Model, Thresholds};
use crate::population::Population;
use persons::Joining;
use rules::{Verdict, judge};

/// When registrations are linked, and when a person must look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Linked automatically from this probability on.
    pub automatic_min: f64,
    /// Reviewed from this probability on; a possible change of name from half of it, where one side holds a number.
    pub review_min: f64,
    /// Two with one NHS number are a number overlaid if the rest makes them less likely than this to be one person.
    /// Far below even: who marries and moves at once still has her birth date, given name and number.
    pub overlaid_below: f64,
    /// By how many bits a link must beat the second-best person.
    pub lead_bits: f64,
    /// Two persons are joined only if each two of their registrations are at least this likely to be one person.
    pub joined_min: f64,
    /// Whether names and birth date alone may link.
    pub corroboration: Corroboration,
}

/// Whether something beside names and birth date must agree before a link is automatic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corroboration {
    /// An address, telephone number, e-mail address, NHS number or middle name must agree, if only by its initial or but
    /// for one digit.
    Needed,
    /// The registrations hold nothing but names, birth date and sex, and whoever asked for linking knows that.
    NotHeld,
}

impl Default for Policy {
    fn default() -> Self {
        Self::from(Thresholds::default())
    }
}

impl From<Thresholds> for Policy {
    fn from(thresholds: Thresholds) -> Self {
        let Thresholds { automatic_min, review_min, overlaid_below, lead_bits, joined_min } = thresholds;
        let corroboration = Corroboration::Needed;
        Self { automatic_min, review_min, overlaid_below, lead_bits, joined_min, corroboration }
    }
}

/// One registration of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its row in the population.
    pub row: u32,
    /// What tells it apart for ever, whatever its row: a hash of source and local id, for instance. Ties are broken
    /// by it.
    pub key: u128,
}

/// What a person decided about two registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonsDecision {
    /// One row.
    pub one: u32,
    /// The other row.
    pub two: u32,
    /// What was decided.
    pub says: Says,
}

/// What a person can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The two are one person.
    Same,
    /// The two are not one person; this outlives every score, and whoever fits both is left to a steward.
    Different,
    /// A person's link of the two was undone: they are never joined again, and nothing else changes by it.
    Undone,
}

/// A closed set of registrations: no registration outside it may be linked with one inside ([`closure`]).
#[derive(Clone, Copy)]
pub struct Component<'a> {
    /// Where the registrations stand.
    pub population: &'a Population,
    /// What scores them.
    pub model: &'a Model,
    /// The registrations, in any order.
    pub members: &'a [Member],
    /// Registrations outside that have a pair of concern with one inside. They are joined to nobody here, but where
    /// they fit nearly as well nothing is linked, and a steward looks at them.
    pub outside: &'a [Member],
    /// The pairs of concern of the members, in any order.
    pub pairs: &'a [ScoredPair],
    /// What people decided about them, the latest decision on each pair only.
    pub decisions: &'a [PersonsDecision],
}

/// Why two registrations are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRule {
    /// By score, with every rule kept.
    Automatic,
    /// Because a person said so.
    Person,
}

/// Two registrations of one person.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// One row.
    pub one: u32,
    /// The other row.
    pub two: u32,
    /// Why.
    pub rule: LinkRule,
    /// What was compared. The model's version stands beside it in the event.
    pub levels: Levels,
    /// How surely, in bits.
    pub bits: f64,
}

/// Why a steward must look at two registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReviewReason {
    /// They may be one person, but not surely enough.
    Possible,
    /// Demographics say one person, but two different NHS numbers are verified: possible duplicate NHS numbers.
    NumbersDiffer,
    /// One NHS number, but demographics say two people: the number was overlaid.
    NumberOverlaid,
    /// Another person fits nearly as well.
    LeadTooSmall,
    /// Born on one day, at one address, but the given names do not quite agree: possible twins.
    PossibleTwins,
    /// Nothing but names and birth date agrees: possible namesakes.
    NamesAndBirthOnly,
    /// Their dates of death differ, or one was born after the other died.
    DatesOfDeath,
    /// Linking them would join two persons some of whose registrations do not fit together.
    PersonsDisagree,
    /// People's decisions contradict each other.
    DecisionsContradict,
}

impl ReviewReason {
    /// The reason in words, for a steward.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Possible => "possibly one person",
            Self::NumbersDiffer => "possible duplicate NHS numbers",
            Self::NumberOverlaid => "NHS number overlaid",
            Self::LeadTooSmall => "another person fits nearly as well",
            Self::PossibleTwins => "possibly twins",
            Self::NamesAndBirthOnly => "nothing but names and birth date agrees",
            Self::DatesOfDeath => "dates of death do not fit",
            Self::PersonsDisagree => "would join two persons who do not fit together",
            Self::DecisionsContradict => "people's decisions contradict each other",
        }
    }
}

/// Two registrations that a steward must look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Review {
    /// One row.
    pub one: u32,
    /// The other row.
    pub two: u32,
    /// Why.
    pub reason: ReviewReason,
    /// What was compared.
    pub levels: Levels,
    /// How surely they are one person, in bits.
    pub bits: f64,
}

/// What was decided about a component.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided {
    /// The persons: the rows of each, by key; persons by their least key. Every member stands in exactly one.
    pub persons: Vec<Vec<u32>>,
    /// Every link, by key.
    pub links: Vec<Link>,
    /// Every pair to look at, by key.
    pub reviews: Vec<Review>,
}

/// Decides a component.
#[must_use]
pub fn decide(component: &Component<'_>, policy: &Policy) -> Decided {
    let mut members = component.members.to_vec();
    members.sort_unstable_by_key(|member| member.key);
    members.extend(component.outside);
    let mut places: Vec<(u32, usize)> = members.iter().zip(0..).map(|(member, place)| (member.row, place)).collect();
    places.sort_unstable();
    let place = |row: u32| places.binary_search_by_key(&row, |(row, _)| *row).ok().map(|at| places[at].1);
    let judged = component.pairs.iter().filter_map(|pair| {
        let (one, two) = (place(pair.one)?, place(pair.two)?);
        let verdict = judge(component.population, component.model, pair, policy);
        Some(Judged { ends: (one.min(two), one.max(two)), pair: *pair, verdict })
    });
    let mut judged: Vec<Judged> = judged.collect();
    // The strongest first; equal ones by the keys of their ends, which no order of arrival changes.
    judged.sort_unstable_by(|a, b| b.pair.score.bits.total_cmp(&a.pair.score.bits).then(a.ends.cmp(&b.ends)));
    let mut joining = Joining::new(component, policy, &members, &judged);
    for decision in component.decisions {
        if let (Some(one), Some(two)) = (place(decision.one), place(decision.two)) {
            joining.heed(one, two, decision.says);
        }
    }
    joining.join()
}

/// A pair with its verdict; ends are places in the order of keys.
#[derive(Clone, Copy)]
pub(crate) struct Judged {
    pub ends: (usize, usize),
    pub pair: ScoredPair,
    pub verdict: Verdict,
}

#[cfg(test)]
mod tests;
