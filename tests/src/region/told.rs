//! How a statement reaches the record: by which routes, and what each route leaves of it. What two entries say is compared
//! here by meaning, before any spelling, so that a label owes nothing to how the merge reads a text.

use super::{
    headings::{GIVEN, INTENT, Named, Time},
    slips,
    sources::{SECOND_REGION, TELLING},
    truth::{Part, Statement},
};
use crate::people::draw::Draw;
use severn_proto::v1::{Assertion, Dataset, EntryHead, EntryStatus};

/// How an entry came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// From whoever made the statement.
    Own,
    /// The same entry again, under a second local id of the same source.
    Again,
    /// A copy that kept the origin's identifier.
    Copy,
    /// A copy seen through a second region, with the origin's identifier and one of that region.
    SecondRegion,
    /// A copy under an identifier that the copying source minted in its own name.
    Minted,
    /// A copy under a new identifier in the name of whoever made the statement.
    Reissued,
    /// Another source's own statement of the same.
    Other,
}

/// What of a code is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coded {
    /// The code of the thing.
    Thing,
    /// A code of a coarser system only.
    Category,
    /// None that names the thing.
    No,
}

/// How exactly a date is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exact {
    /// Not at all.
    No,
    /// The year.
    Year,
    /// The day.
    Day,
    /// The minute.
    Minute,
}

/// A status number that no version of the contract knows.
pub const UNKNOWN_STATUS: i32 = 99;

/// What an entry says of its statement, whatever the spelling.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Which code it gives.
    pub code: Coded,
    /// Whether it has the usual words for the thing, and not another source's.
    pub usual_words: bool,
    /// The distinguishing fields that it gives.
    pub fields: Vec<Option<usize>>,
    /// How exactly it says when.
    pub start: Exact,
    /// Whether it tells of the later part of a stay only, and so of another beginning.
    pub late: bool,
    /// Its status number.
    pub status: i32,
    /// Whether it names the organisation that made the statement by its code.
    pub organisation: bool,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is shown.
    Shown,
    /// It is withheld: the reader may not see its label.
    Withheld,
    /// It is rejected: it breaks the contract.
    Rejected,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it tells of, by place in the region.
    pub statement: usize,
    /// The source that sends it, by place in [`super::sources::SOURCES`].
    pub source: usize,
    /// How it came.
    pub route: Route,
    /// Whether it carries the identifier given at origin, by which copies are known.
    pub linked: bool,
    /// What it says.
    pub said: Said,
    /// What becomes of it.
    pub fate: Fate,
    /// An allergy's reaction as this source saw it.
    pub reaction: Option<&'static str>,
    /// As it is sent.
    pub head: EntryHead,
}

impl Told {
    /// Whether its author withdrew it.
    #[must_use]
    pub const fn in_error(&self) -> bool {
        self.said.status == EntryStatus::EnteredInError as i32
    }

    /// Whether it says that something holds, or will: it is not over, cancelled or withdrawn.
    #[must_use]
    pub fn in_force(&self) -> bool {
        let over = [EntryStatus::Ended, EntryStatus::Cancelled, EntryStatus::EnteredInError];
        !over.iter().any(|status| *status as i32 == self.said.status)
    }
}

/// Whether both say one thing of `statement`, and enough of it (RULES.md, "What makes one item").
#[must_use]
pub fn says_same(statement: &Statement, a: &Said, b: &Said) -> bool {
    let heading = statement.heading;
    let words_agree = a.usual_words == b.usual_words;
    let thing_agrees = match heading.named {
        Named::Code if stands_for_thing(statement, a) || stands_for_thing(statement, b) => {
            stands_for_thing(statement, a) && stands_for_thing(statement, b)
        }
        Named::Code => a.code == b.code && (a.code != Coded::No || words_agree),
        Named::CodeAndWords => a.code == b.code && words_agree,
        Named::Words => words_agree,
        Named::Field => true,
    };
    let when_agrees = heading.time == Time::Any && !is_given(statement, a) || a.start == b.start && a.late == b.late;
    says_enough(statement, a)
        && says_enough(statement, b)
        && thing_agrees
        && when_agrees
        && a.fields == b.fields
        && a.status == b.status
}

fn says_enough(statement: &Statement, said: &Said) -> bool {
    let heading = statement.heading;
    let placed = match heading.time {
        // What was given is told with its time of day.
        _ if is_given(statement, said) => said.start >= Exact::Minute,
        Time::Any => true,
        Time::Standing => {
            said.start != Exact::No || statement.end.is_some() || said.status == EntryStatus::Active as i32
        }
        Time::Since => said.start != Exact::No,
        Time::Day | Time::Moment => said.start >= Exact::Day,
    };
    !heading.by_origin_only
        && placed
        && said.fields[..heading.must].iter().all(Option::is_some)
        && (said.organisation || !heading.of_one_organisation)
}

/// Whether it stands for a thing of the published tables: by a listed code, or without a code by words that name it.
#[must_use]
pub fn stands_for_thing(statement: &Statement, said: &Said) -> bool {
    let by_words = said.code == Coded::No && said.usual_words;
    statement.listed().is_some() && (said.code == Coded::Thing || by_words)
}

/// Whether it tells that a medicine was given.
#[must_use]
pub fn is_given(statement: &Statement, said: &Said) -> bool {
    statement.heading.dataset == Dataset::Medications && said.fields[INTENT] == Some(GIVEN)
}

/// Whether both name the thing in a way that a reader would see as one: by a code or the words, or by what these stand for.
#[must_use]
pub fn names_alike(statement: &Statement, a: &Said, b: &Said) -> bool {
    let by_code = matches!(statement.heading.named, Named::Code | Named::CodeAndWords);
    let listed = names_substance(statement, a) && names_substance(statement, b);
    listed || (by_code && a.code == b.code && a.code != Coded::No) || a.usual_words == b.usual_words
}

/// Whether it names a substance or agent of the published tables: by a listed code, or by its words.
#[must_use]
pub fn names_substance(statement: &Statement, said: &Said) -> bool {
    statement.listed().is_some() && (said.code == Coded::Thing || said.usual_words)
}

/// All entries that tell of one statement.
pub fn tell(draw: &mut Draw, place: usize, statement: &Statement, next_id: &mut usize) -> Vec<Told> {
    let identified = statement.kept == Some(Part::Origin) || draw.chance(0.85);
    let mut told = Vec::new();
    for (route, source) in routes(draw, statement, identified) {
        if route == Route::Again {
            let again = again(draw, &told[0]);
            told.push(again);
            continue;
        }
        let linked = identified && matches!(route, Route::Own | Route::Copy | Route::SecondRegion);
        let said = slips::said(draw, statement, route);
        let fate = slips::fate(draw);
        let reaction = slips::reaction(draw, statement);
        let head = EntryHead::default();
        let mut one = Told { statement: place, source, route, linked, said, fate, reaction, head };
        *next_id += 1;
        one.head = slips::head(draw, statement, &one, *next_id);
        told.push(one);
    }
    told
}

/// The entry once more; sometimes as withdrawn meanwhile, under the same id.
fn again(draw: &mut Draw, own: &Told) -> Told {
    let mut again = Told { route: Route::Again, ..own.clone() };
    if draw.chance(0.2) {
        again.said.status = EntryStatus::EnteredInError as i32;
        again.head.status = again.said.status;
        again.head.status_verbatim = "entered in error".into();
    }
    again
}

/// One to four routes, the own one first.
fn routes(draw: &mut Draw, statement: &Statement, identified: bool) -> Vec<(Route, usize)> {
    let mut routes = vec![(Route::Own, statement.home)];
    if statement.assertion == Assertion::NoneKnown {
        // Each source states for itself that there is nothing; others only repeat it.
        routes.extend((identified && draw.chance(0.3)).then_some((Route::SecondRegion, SECOND_REGION)));
        return routes;
    }
    let told_apart_by_origin = statement.kept == Some(Part::Origin);
    if draw.chance(0.1) {
        routes.push((Route::Again, statement.home));
    }
    for source in (0..TELLING).filter(|source| *source != statement.home) {
        if routes.len() == 4 || !draw.chance(0.35) {
            continue;
        }
        let mut possible = Vec::with_capacity(4);
        if identified {
            possible.push(if source == SECOND_REGION { Route::SecondRegion } else { Route::Copy });
        }
        if !told_apart_by_origin {
            possible.push(Route::Minted);
            if !routes.iter().any(|(route, _)| *route == Route::Reissued) && draw.chance(0.2) {
                possible.push(Route::Reissued);
            }
            if !statement.heading.of_one_organisation && source != SECOND_REGION {
                possible.extend([Route::Other; 2]);
            }
        }
        routes.push((*draw.of(&possible), source));
    }
    routes
}
