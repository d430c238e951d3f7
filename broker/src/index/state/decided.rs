//! Stewards' decisions: what each does is worked out when it is taken, kept in a journal, and derived anew without one
//! that is taken back. So taking back restores exactly what was, however much was decided about others since.
//!
//! **Invariant:** what is decided is what the journal's effects come to, in order.

use super::{Postponed, State};
use crate::index::{
    decide::{Decisions, Effect, Link, Row},
    event::{Decision, Event, RegistrationKey, Undone, What},
};
use foldhash::HashMap;
use severn_proto::v1::{RegistrationRef, StewardDecision};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What a steward asked for, to know a retry from another request.
#[derive(Clone, PartialEq, Eq)]
pub enum Decided {
    /// A link of these two.
    Link(RegistrationKey, RegistrationKey),
    /// An unlink.
    Unlink(RegistrationKey),
    /// That these two are not one person.
    TellApart(RegistrationKey, RegistrationKey),
    /// That these two are decided later: milliseconds since 1970-01-01T00:00:00Z.
    Postpone(RegistrationKey, RegistrationKey, i64),
    /// That the decision of this event is taken back.
    TakeBack(u64),
}

/// A decision that was taken.
pub struct Taken {
    pub(super) at_ms: i64,
    pub(super) kind: &'static str,
    pub(super) decision: Decision,
    /// The registration concerned, and then the others.
    pub(super) rows: Vec<Row>,
    pub(super) until_ms: i64,
    /// The decision that this one took back.
    pub(super) takes_back: Option<u64>,
    pub(super) taken_back_by: Option<u64>,
}

impl Taken {
    /// Who decided.
    pub fn by(&self) -> &str {
        &self.decision.by
    }

    /// Whether it holds: it can be taken back, and was not.
    pub fn stands(&self) -> bool {
        self.is_reversible() && self.taken_back_by.is_none()
    }

    /// Whether it is of a kind that can be taken back.
    pub fn is_reversible(&self) -> bool {
        matches!(self.kind, "linked" | "unlinked" | "told-apart")
    }
}

/// Which decisions are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this steward only: the whole of what names them, or the user's id alone; empty for all.
    pub by: String,
    /// Not before this: milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: i64,
    /// Before this.
    pub until_ms: i64,
    /// Before this event; 0 for the newest.
    pub before: u64,
    /// So many at most.
    pub limit: usize,
}

impl Wanted {
    fn is_by(&self, by: &str) -> bool {
        self.by.is_empty() || by == self.by || by.contains(&format!(" ({}) at ", self.by))
    }
}

/// Everything that was decided, and what it did.
#[derive(Default)]
pub(super) struct Journal {
    pub(super) effects: BTreeMap<u64, Effect>,
    pub(super) effects_of: HashMap<Row, BTreeSet<u64>>,
    pub(super) taken: BTreeMap<u64, Taken>,
    pub(super) asked: HashMap<Uuid, Decided>,
}

impl Journal {
    fn add(&mut self, sequence: u64, effect: Effect) {
        for row in effect.rows() {
            self.effects_of.entry(row).or_default().insert(sequence);
        }
        self.effects.insert(sequence, effect);
    }

    fn remove(&mut self, sequence: u64) {
        for row in self.effects.remove(&sequence).iter().flat_map(Effect::rows) {
            if let Some(effects) = self.effects_of.get_mut(&row) {
                effects.remove(&sequence);
            }
        }
    }

    /// The effects of a decision: an unlink is followed by whom it parts from.
    fn parts(&self, decided: u64) -> Vec<u64> {
        let Some(Effect::Unlink { row: own, .. }) = self.effects.get(&decided) else { return vec![decided] };
        let follows =
            |sequence: &u64| matches!(self.effects.get(sequence), Some(Effect::Part { row, .. }) if row == own);
        std::iter::once(decided).chain((decided + 1..).take_while(follows)).collect()
    }

    /// Everybody whom decisions bind to `rows`, and the effects on them.
    fn connected(&self, rows: impl IntoIterator<Item = Row>) -> (BTreeSet<Row>, BTreeSet<u64>) {
        let mut open: Vec<Row> = rows.into_iter().collect();
        let mut found: BTreeSet<Row> = open.iter().copied().collect();
        let mut sequences = BTreeSet::new();
        while let Some(row) = open.pop() {
            for sequence in self.effects_of.get(&row).into_iter().flatten() {
                if sequences.insert(*sequence) {
                    let rows = self.effects.get(sequence).map(Effect::rows).unwrap_or_default();
                    open.extend(rows.into_iter().filter(|other| found.insert(*other)));
                }
            }
        }
        (found, sequences)
    }
}

impl State {
    /// The other registrations that an event concerns, each made where it was never heard of.
    pub(super) fn others_of(&mut self, what: &What) -> Vec<Row> {
        match what {
            What::Linked { with, .. }
            | What::DoNotLink { with }
            | What::ToldApart { with, .. }
            | What::Postponed { with, .. } => vec![self.place(with)],
            What::TakenBack { decided, .. } => {
                let effects = self.journal.parts(*decided).into_iter();
                let rows = effects.filter_map(|sequence| self.journal.effects.get(&sequence)).flat_map(Effect::rows);
                self.journal.connected(rows).0.into_iter().collect()
            }
            What::Registered { .. } | What::Changed { .. } | What::Withdrawn | What::Unlinked { .. } => Vec::new(),
        }
    }

    /// Takes a decision about `seeds`, the first of which is `registration`.
    pub(super) fn take_decision(&mut self, registration: &RegistrationKey, what: &What, event: &Event, seeds: &[Row]) {
        let (sequence, row) = (event.sequence, seeds[0]);
        let key = registration.clone();
        self.looked_at.extend(seeds);
        match what {
            What::Linked { with, decision } => {
                self.note(event, what, seeds, (Decided::Link(key, with.clone()), decision));
                self.take_effect(sequence, self.effect_of_link(row, seeds[1]));
            }
            What::Unlinked { undone, decision } => {
                self.note(event, what, seeds, (Decided::Unlink(key), decision));
                let misled = (*undone == Undone::Rule).then(|| self.get(row).facts.said);
                self.take_effect(sequence, Effect::Unlink { row, misled });
            }
            What::DoNotLink { .. } => {
                // It belongs to the unlink before it.
                if let Some(unlink) = self.journal.taken.values_mut().next_back() {
                    unlink.rows.push(seeds[1]);
                }
                self.take_effect(sequence, Effect::Part { row, other: seeds[1] });
            }
            What::ToldApart { with, decision } => {
                self.note(event, what, seeds, (Decided::TellApart(key, with.clone()), decision));
                self.take_effect(sequence, self.effect_of_telling_apart(row, seeds[1]));
            }
            What::Postponed { with, until_ms, decision } => {
                self.note(event, what, seeds, (Decided::Postpone(key, with.clone(), *until_ms), decision));
                self.postpone(row, seeds[1], *until_ms);
            }
            What::TakenBack { decided, decision } => {
                self.note(event, what, &seeds[..1], (Decided::TakeBack(*decided), decision));
                self.derive_without(*decided, sequence);
            }
            What::Registered { .. } | What::Changed { .. } | What::Withdrawn => {}
        }
    }

    fn note(&mut self, event: &Event, what: &What, rows: &[Row], (decided, decision): (Decided, &Decision)) {
        self.journal.asked.insert(decision.idempotency_key, decided);
        let taken = Taken {
            at_ms: event.at_ms,
            kind: what.kind(),
            decision: decision.clone(),
            rows: rows.to_vec(),
            until_ms: if let What::Postponed { until_ms, .. } = what { *until_ms } else { 0 },
            takes_back: if let What::TakenBack { decided, .. } = what { Some(*decided) } else { None },
            taken_back_by: None,
        };
        self.journal.taken.insert(event.sequence, taken);
    }

    /// Takes what an event does to what was decided, and keeps it.
    pub(super) fn take_effect(&mut self, sequence: u64, effect: Effect) {
        self.looked_at.extend(effect.rows());
        self.decisions.take(sequence, &effect);
        self.journal.add(sequence, effect);
    }

    fn derive_without(&mut self, decided: u64, by: u64) {
        let parts = self.journal.parts(decided);
        let rows: Vec<Row> =
            parts.iter().filter_map(|part| self.journal.effects.get(part)).flat_map(Effect::rows).collect();
        let (rows, sequences) = self.journal.connected(rows);
        parts.iter().for_each(|part| self.journal.remove(*part));
        let derived = self.derive(&sequences);
        self.decisions.replace(&rows, derived);
        if let Some(taken) = self.journal.taken.get_mut(&decided) {
            taken.taken_back_by = Some(by);
        }
    }

    fn derive(&self, sequences: &BTreeSet<u64>) -> Decisions {
        let mut derived = Decisions::default();
        for (sequence, effect) in sequences.iter().filter_map(|sequence| self.journal.effects.get_key_value(sequence)) {
            derived.take(*sequence, effect);
        }
        derived.renumber(|number| self.superseded.current(number));
        derived
    }

    /// What a link of `a` and `b`, decided now, does.
    pub(super) fn effect_of_link(&self, a: Row, b: Row) -> Effect {
        let both = self.members(a).iter().chain(self.members(b));
        let said = |row: Row| self.get(row).facts.said;
        let seen = both.filter_map(|row| self.get(*row).facts.number).collect();
        let link = Link { a, b, seen, said: [said(a), said(b)] };
        let (mut resumed, mut dismissed) = (Vec::new(), Vec::new());
        for (row, other) in [(a, b), (b, a)] {
            match self.decisions.suspended().get(&row).map(|suspended| suspended.was_with(self.members(other))) {
                Some(true) => resumed.push((row, said(row))),
                Some(false) => dismissed.push(row),
                None => {}
            }
        }
        Effect::Link { link, separations: self.separations(a, b), resumed, dismissed }
    }

    /// The separations that a link of `a` and `b` takes back: those of one from the other's person, if a person
    /// separated just these two. Any other separation between the two persons stands, and the link is refused.
    fn separations(&self, a: Row, b: Row) -> Vec<(Row, BTreeSet<Row>)> {
        let mut separations = Vec::new();
        for (row, other) in [(a, b), (b, a)] {
            let apart: BTreeSet<Row> = self.decisions.separated_from(row).copied().collect();
            if apart.contains(&other) {
                let person = self.members(other).iter();
                separations.push((row, person.filter(|member| apart.contains(member)).copied().collect()));
            }
        }
        separations
    }

    fn effect_of_telling_apart(&self, a: Row, b: Row) -> Effect {
        let was_of = |row: Row, other: Row| {
            self.decisions.suspended().get(&row).is_some_and(|suspended| suspended.was_with(self.members(other)))
        };
        let dismissed = [(a, b), (b, a)].into_iter().filter(|(row, other)| was_of(*row, *other)).map(|(row, _)| row);
        Effect::TellApart { a, b, dismissed: dismissed.collect() }
    }

    fn postpone(&mut self, a: Row, b: Row, until_ms: i64) {
        let pair = [a.min(b), a.max(b)];
        let changed = pair.map(|row| self.get(row).changed);
        self.postponed.insert(pair, Postponed { until_ms, changed });
    }

    /// What a steward asked for under this idempotency key.
    pub fn decided(&self, idempotency_key: &Uuid) -> Option<&Decided> {
        self.journal.asked.get(idempotency_key)
    }

    /// The decision of an event.
    pub fn taken(&self, sequence: u64) -> Option<&Taken> {
        self.journal.taken.get(&sequence)
    }

    /// The registration that a decision of an event concerns.
    pub fn registration_of(&self, sequence: u64) -> Option<RegistrationKey> {
        let row = self.taken(sequence)?.rows.first()?;
        Some(self.get(*row).key.clone())
    }

    /// A later decision that holds and is about one of the same registrations.
    pub fn rests_on(&self, sequence: u64) -> Option<(u64, &Taken)> {
        let rows = self.taken(sequence)?.rows.as_slice();
        let mut later = self.journal.taken.range(sequence + 1..).map(|(later, taken)| (*later, taken));
        later.find(|(_, taken)| taken.stands() && taken.rows.iter().any(|row| rows.contains(row)))
    }

    /// Stewards' decisions, newest first, and whether there are more.
    pub fn decisions_taken(&self, wanted: &Wanted) -> (Vec<StewardDecision>, bool) {
        let before = if wanted.before == 0 { u64::MAX } else { wanted.before };
        let of_time = |taken: &Taken| (wanted.since_ms..wanted.until_ms).contains(&taken.at_ms);
        let newest = self.journal.taken.range(..before).rev();
        let mut found = newest.filter(|(_, taken)| of_time(taken) && wanted.is_by(taken.by()));
        let decisions =
            found.by_ref().take(wanted.limit).map(|(sequence, taken)| self.shown(*sequence, taken)).collect();
        (decisions, found.next().is_some())
    }

    fn shown(&self, sequence: u64, taken: &Taken) -> StewardDecision {
        let key = |row: &Row| {
            let key = &self.get(*row).key;
            RegistrationRef { source_id: key.source.to_string(), local_id: key.local_id.0.to_string() }
        };
        StewardDecision {
            sequence,
            at_ms: taken.at_ms,
            kind: taken.kind.into(),
            registrations: taken.rows.iter().map(key).collect(),
            by: taken.decision.by.clone(),
            reason: taken.decision.reason.clone(),
            taken_back_by: taken.taken_back_by.unwrap_or_default(),
            takes_back: taken.takes_back.unwrap_or_default(),
            until_ms: taken.until_ms,
            can_be_taken_back: taken.stands(),
        }
    }

    /// What the whole journal comes to.
    pub(super) fn derive_all(&self) -> Decisions {
        self.derive(&self.journal.effects.keys().copied().collect())
    }
}
