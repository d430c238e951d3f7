//! What happened to each registration and where it belonged afterwards: the events, and what followed from them for
//! others. Derived like everything else in the state.

use super::State;
use crate::{
    index::{
        decide::{Evidence, Row, Rule},
        event::{About, Decision, Event, KINDS, RegistrationKey, What},
    },
    model::EnterpriseId,
};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};
use severn_linkage::levels::{ALL_FIELDS, Levels};
use severn_proto::v1::{IndexEvent, RegistrationRef};
use std::{borrow::Cow, collections::BTreeSet};

/// The lines of all histories. Each registration's lines are chained from its last.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Histories {
    lines: Vec<Line>,
    /// By row.
    last: Vec<Option<u32>>,
    /// Registrations that left their ids to another.
    predecessors: HashMap<Row, Vec<Row>>,
    handed_on: HashMap<EnterpriseId, HandedOn>,
}

/// When an id was handed on (milliseconds since 1970), and who carried it until then; oldest first.
pub(super) type HandedOn = Vec<(i64, Row)>;

#[derive(PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sequence: u64,
    pub(super) at_ms: i64,
    pub(super) kind: &'static str,
    why: Why,
    /// The person it belonged to afterwards.
    pub(super) person: Option<EnterpriseId>,
    previous: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Why {
    Source,
    Rule(Rule),
    NoRule,
    Suspended,
    Decision(Box<str>),
}

/// A line as it is written, with the registration whose it is.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedLine<'a> {
    row: Row,
    sequence: u64,
    at_ms: i64,
    kind: &'a str,
    why: Cow<'a, Why>,
    person: Option<EnterpriseId>,
}

impl<'a> SavedLine<'a> {
    fn of((line, row): (&'a Line, &Row)) -> SavedLine<'a> {
        let Line { sequence, at_ms, kind, why, person, previous: _ } = line;
        SavedLine { row: *row, sequence: *sequence, at_ms: *at_ms, kind, why: Cow::Borrowed(why), person: *person }
    }
}

impl Histories {
    /// From now on the past of `from` belongs to the past of `heir` too.
    pub(super) fn inherit(&mut self, heir: Row, from: Row) {
        let predecessors = self.predecessors.entry(heir).or_default();
        if !predecessors.contains(&from) {
            predecessors.push(from);
        }
    }

    /// Notes that an id goes from `from` to another.
    pub(super) fn hand_on(&mut self, id: EnterpriseId, from: Row, at_ms: i64) {
        self.handed_on.entry(id).or_default().push((at_ms, from));
    }

    /// Who carried an id at a moment; `None` if it was not handed on since.
    pub(super) fn carrier_at(&self, id: EnterpriseId, at_ms: i64) -> Option<Row> {
        let handed_on = self.handed_on.get(&id)?.iter();
        handed_on.copied().find(|(handed_on_ms, _)| *handed_on_ms > at_ms).map(|(_, row)| row)
    }

    /// The last event of that moment or before it; 0 for none.
    pub(super) fn last_at(&self, at_ms: i64) -> u64 {
        let until = self.lines.partition_point(|line| line.at_ms <= at_ms);
        self.lines[..until].last().map_or(0, |line| line.sequence)
    }

    fn add(&mut self, row: Row, mut line: Line) {
        // Beyond four thousand million lines a history would end; memory does so before.
        let place = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let at = row.0 as usize;
        if at >= self.last.len() {
            self.last.resize(at + 1, None);
        }
        line.previous = self.last[at].replace(place);
        self.lines.push(line);
    }

    /// Registrations that left their ids to another.
    pub(super) fn predecessors(&self) -> &HashMap<Row, Vec<Row>> {
        &self.predecessors
    }

    /// The lines, oldest first, so many at once.
    pub(super) fn lines_to_save(&self, at_once: usize) -> impl Iterator<Item = Vec<SavedLine<'_>>> {
        let Histories { lines, last, predecessors: _, handed_on: _ } = self;
        let mut rows = vec![Row(u32::MAX); lines.len()];
        for row in (0..).map(Row).take(last.len()) {
            self.of(row).for_each(|(place, _)| rows[place as usize] = row);
        }
        let starts = (0..lines.len()).step_by(at_once);
        starts.map(move |from| lines[from..].iter().zip(&rows[from..]).take(at_once).map(SavedLine::of).collect())
    }

    /// Takes over a line after those before it; `None` if it is of an unknown kind.
    pub(super) fn load(&mut self, line: SavedLine<'_>) -> Option<()> {
        let SavedLine { row, sequence, at_ms, kind, why, person } = line;
        let kind = KINDS.into_iter().find(|known| *known == kind)?;
        self.add(row, Line { sequence, at_ms, kind, why: why.into_owned(), person, previous: None });
        Some(())
    }

    /// The ids that were handed on.
    pub(super) fn handed_on(&self) -> &HashMap<EnterpriseId, HandedOn> {
        &self.handed_on
    }

    /// Takes over who left which ids to another.
    pub(super) fn inherited(
        &mut self,
        predecessors: HashMap<Row, Vec<Row>>,
        handed_on: HashMap<EnterpriseId, HandedOn>,
    ) {
        (self.predecessors, self.handed_on) = (predecessors, handed_on);
    }

    pub(super) fn of(&self, row: Row) -> impl Iterator<Item = (u32, &Line)> {
        let line = |place: u32| self.lines.get(place as usize).map(|line| (place, line));
        let last = self.last.get(row.0 as usize).copied().flatten();
        std::iter::successors(last.and_then(line), move |(_, l)| l.previous.and_then(line))
    }
}

impl State {
    /// Notes an event, and for everybody whose person it changed, that it did.
    pub(super) fn write_history(&mut self, event: &Event, seeds: &[Row], before: &[(Row, Option<EnterpriseId>)]) {
        let line = |kind, why, person| Line {
            sequence: event.sequence,
            at_ms: event.at_ms,
            kind,
            why,
            person,
            previous: None,
        };
        let kind = event.about.kind();
        let mut decided = None;
        match &event.about {
            About::Registration(registration, what) => {
                let row = seeds[0];
                let own_before = before.iter().find(|(r, _)| *r == row).and_then(|(_, id)| *id);
                // What is withdrawn belongs to nobody afterwards; its last line is kept under the person it left.
                let own_after = self.id_of(row).or(own_before);
                self.histories.add(row, line(kind, why_of(what), own_after));
                if let What::ToldApart { decision, .. } | What::Postponed { decision, .. } = what {
                    // It is told of both persons, for it joins no history of the other.
                    let why = Why::Decision(told_of(registration, decision));
                    self.histories.add(seeds[1], line(kind, why, self.id_of(seeds[1])));
                }
                decided = Some(row)
                    .filter(|_| matches!(what, What::Linked { .. } | What::Unlinked { .. } | What::TakenBack { .. }));
            }
            About::Superseded { decision, .. } => {
                for row in seeds {
                    self.histories.add(*row, line(kind, Why::Decision(told(decision)), self.id_of(*row)));
                }
            }
            About::ModelTaken(_) | About::FactsChanged(_) => {}
        }
        for (other, id_before) in before {
            let id_after = self.id_of(*other);
            if id_after.is_none() || id_after == *id_before || decided == Some(*other) {
                continue;
            }
            match self.get(*other).rule {
                Rule::Alone if id_before.is_none() => {}
                Rule::Alone if self.decisions.suspended().contains_key(other) => {
                    self.histories.add(*other, line("unlinked", Why::Suspended, id_after));
                }
                Rule::Alone => self.histories.add(*other, line("unlinked", Why::NoRule, id_after)),
                rule => self.histories.add(*other, line("linked", Why::Rule(rule), id_after)),
            }
        }
    }

    /// What happened to a person, oldest first; empty for an id that never was.
    pub fn history(&self, person: EnterpriseId) -> Vec<IndexEvent> {
        let Some(carrier) = self.carriers.get(&person).copied() else { return Vec::new() };
        let members: BTreeSet<Row> = self.members(carrier).iter().copied().collect();
        let mut rows = members.clone();
        let mut open: Vec<Row> = members.iter().copied().collect();
        while let Some(row) = open.pop() {
            let predecessors = self.histories.predecessors.get(&row).into_iter().flatten();
            open.extend(predecessors.filter(|p| rows.insert(**p)).copied().collect::<Vec<_>>());
        }
        let here = |id: EnterpriseId| self.carriers.get(&id).is_some_and(|row| members.contains(row));
        let mut found: Vec<(u32, Row, &Line)> = Vec::new();
        for row in rows {
            // Of one that has gone elsewhere since, only its time with this person counts.
            let lines = self.histories.of(row).filter(|(_, l)| members.contains(&row) || l.person.is_some_and(here));
            found.extend(lines.map(|(place, line)| (place, row, line)));
        }
        found.sort_unstable_by_key(|(place, ..)| *place);
        found.into_iter().map(|(_, row, line)| self.show_line(row, line)).collect()
    }

    pub(super) fn show_line(&self, row: Row, line: &Line) -> IndexEvent {
        show(&self.get(row).key, line, self.model_version_at(line.sequence))
    }
}

fn why_of(what: &What) -> Why {
    match what {
        What::Registered { .. } | What::Changed { .. } | What::Withdrawn => Why::Source,
        What::Linked { decision, .. } | What::Unlinked { decision, .. } => Why::Decision(told(decision)),
        What::DoNotLink { .. } => Why::Rule(Rule::Person),
        What::ToldApart { with, decision } | What::Postponed { with, decision, .. } => {
            Why::Decision(told_of(with, decision))
        }
        What::TakenBack { decided, decision } => {
            Why::Decision(format!("decision {decided}, {}", told(decision)).into())
        }
    }
}

fn told(decision: &Decision) -> Box<str> {
    format!("{}: {}", decision.by, decision.reason).into()
}

fn told_of(with: &RegistrationKey, decision: &Decision) -> Box<str> {
    format!("from {} {}, {}", with.source, with.local_id.0, told(decision)).into()
}

/// "score 23.4 bits (NHS number: same; ...), model uk-1".
fn by_score(evidence: &Evidence, model_version: &str) -> String {
    let levels = Levels::from_packed(evidence.levels);
    let known = ALL_FIELDS.into_iter().filter(|field| levels.get(*field) != 0);
    let fields: Vec<String> = known.map(|f| format!("{}: {}", f.name(), f.words(levels.get(f)))).collect();
    let bits = evidence.millibits as f64 / 1000.0;
    format!("score {bits:.1} bits ({}), model {model_version}", fields.join("; "))
}

fn show(key: &RegistrationKey, line: &Line, model_version: &str) -> IndexEvent {
    let why = match &line.why {
        Why::Source if line.kind == "withdrawn" => "its source no longer knows it",
        Why::Source => "its source announced it",
        Why::Rule(Rule::Score(evidence)) => &by_score(evidence, model_version),
        Why::Rule(Rule::Person) => "follows from a person's decision",
        Why::Rule(Rule::Alone) | Why::NoRule => &format!("nothing joins it to others any more, model {model_version}"),
        Why::Suspended => "its source changed it into somebody else; a person decides whose it is",
        Why::Decision(text) => text,
    };
    IndexEvent {
        sequence: line.sequence,
        at_ms: line.at_ms,
        kind: line.kind.into(),
        registration: Some(RegistrationRef { source_id: key.source.to_string(), local_id: key.local_id.0.to_string() }),
        enterprise_id: line.person.map(|id| id.to_string()).unwrap_or_default(),
        why: why.into(),
    }
}
