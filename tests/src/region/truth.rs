//! What is so of one person: statements, and beside many of them a twin that differs in one thing only, which a merge must
//! not take for the same.

use super::headings::{GIVEN, HEADINGS, Heading, INTENT, Listed, Time};
use crate::people::draw::Draw;
use severn_proto::v1::{Assertion, Dataset, EntryStatus};

/// One part of a statement that tells it apart from others about the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A distinguishing field, by its place in the heading.
    Field(usize),
    /// The day on which it began or happened.
    Start,
    /// The time of day.
    Minute,
    /// Whether it is in force or over.
    Status,
    /// Whether it is so or ruled out.
    Assertion,
    /// Nothing but the identifier that its maker gave it: two issues of one prescription on one day.
    Origin,
}

/// What is so, or was said by somebody as if it were.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Where it stands.
    pub heading: &'static Heading,
    /// What it is about, by its place in the heading.
    pub thing: usize,
    /// What each distinguishing field of the heading says, by its place in the heading's list; `None` if the thing has no
    /// such field.
    pub fields: Vec<Option<usize>>,
    /// When it began or happened: minutes since 2010 began.
    pub start: i64,
    /// When it was over: minutes since 2010 began.
    pub end: Option<i64>,
    /// Whether it is in force.
    pub status: EntryStatus,
    /// Whether it is so, ruled out, or a statement that there is nothing of the kind.
    pub assertion: Assertion,
    /// The source that made it, by its place in the region.
    pub home: usize,
    /// What tells it apart from its twin. Every route tells this: what no reader could tell apart is no test of a merge.
    pub kept: Option<Part>,
}

impl Statement {
    /// What the published tables say of what it is about.
    #[must_use]
    pub fn listed(&self) -> Option<&'static Listed> {
        self.heading.listed(self.thing)
    }

    /// Whether a medicine was given, once.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.heading.dataset == Dataset::Medications && self.fields[INTENT] == Some(GIVEN)
    }
}

/// Minutes of a day.
pub const DAY: i64 = 24 * 60;

/// Headings under which somebody may state that there is nothing.
const ABSENCES: [Dataset; 6] = [
    Dataset::Alerts,
    Dataset::Allergies,
    Dataset::Risks,
    Dataset::Safeguarding,
    Dataset::Medications,
    Dataset::Problems,
];

/// About `size` statements under headings drawn from `among`, each thing of a heading once and sometimes with a twin.
/// `homes` is the number of sources that make statements.
pub fn statements(draw: &mut Draw, among: &[Dataset], size: usize, homes: usize) -> Vec<Statement> {
    let headings: Vec<&'static Heading> = HEADINGS.iter().filter(|h| among.contains(&h.dataset)).collect();
    let mut drawn = vec![0; headings.len()];
    let mut made = Vec::with_capacity(size + 1);
    while made.len() < size {
        let at = draw.below(headings.len());
        let home = draw.below(homes);
        if ABSENCES.contains(&headings[at].dataset) && draw.chance(0.1) {
            made.push(Statement { assertion: Assertion::NoneKnown, ..statement(draw, headings[at], usize::MAX, home) });
            continue;
        }
        let one = statement(draw, headings[at], drawn[at], home);
        drawn[at] += 1;
        match if draw.chance(0.5) { twin(draw, &one) } else { None } {
            Some((kept, twin)) => made.extend([Statement { kept: Some(kept), ..one }, twin]),
            None => made.push(one),
        }
    }
    made
}

fn statement(draw: &mut Draw, heading: &'static Heading, thing: usize, home: usize) -> Statement {
    let field = |(at, (_, values)): (usize, &(&str, &[&str]))| {
        (at < heading.must || draw.chance(0.7)).then(|| draw.below(values.len()))
    };
    let fields = heading.fields.iter().enumerate().map(field).collect();
    let start = draw.between(0, 5_000) * DAY + draw.between(0, DAY - 1);
    let over = heading.time != Time::Any && draw.chance(0.2);
    Statement {
        heading,
        thing,
        fields,
        start,
        end: over.then(|| start + draw.between(1, 300) * DAY),
        status: if over { EntryStatus::Ended } else { EntryStatus::Active },
        assertion: Assertion::Present,
        home,
        kept: None,
    }
}

/// A statement about the same thing that differs in one part, and which part.
fn twin(draw: &mut Draw, one: &Statement) -> Option<(Part, Statement)> {
    let fields = (0..one.fields.len()).filter(|at| one.fields[*at].is_some()).map(Part::Field);
    let mut parts: Vec<Part> = fields.chain([Part::Status, Part::Origin]).collect();
    match one.heading.time {
        Time::Any => {}
        Time::Standing | Time::Since | Time::Day => parts.push(Part::Start),
        Time::Moment => parts.extend([Part::Start, Part::Minute]),
    }
    if matches!(one.heading.dataset, Dataset::Allergies | Dataset::Problems | Dataset::Immunisations) {
        parts.push(Part::Assertion);
    }
    if one.heading.by_origin_only {
        return None;
    }
    let part = *draw.of(&parts);
    let mut twin = Statement { kept: Some(part), ..one.clone() };
    match part {
        Part::Field(at) => {
            let values = one.heading.fields[at].1.len();
            twin.fields[at] =
                one.fields[at].map(|value| (value + draw.between(1, values as i64 - 1) as usize) % values);
        }
        Part::Start => twin.start += draw.between(1, 400) * DAY,
        Part::Minute => {
            let minute = one.start % DAY;
            twin.start += (minute + draw.between(1, DAY - 1)) % DAY - minute;
        }
        Part::Status if one.status == EntryStatus::Ended => (twin.status, twin.end) = (EntryStatus::Active, None),
        Part::Status => (twin.status, twin.end) = (EntryStatus::Ended, Some(one.start + draw.between(1, 300) * DAY)),
        Part::Assertion => twin.assertion = Assertion::Refuted,
        Part::Origin => {}
    }
    if matches!(part, Part::Start | Part::Minute) {
        twin.end = one.end.map(|end| end - one.start + twin.start);
    }
    Some((part, twin))
}
