//! What was decided, as it is written: the journal's effects, from which everything decided is derived again, who took
//! each decision, and what was asked for under which key.

use super::Odd;
use crate::index::{
    decide::{Effect, Row},
    event::{Decision, KINDS, RegistrationKey},
    state::decided::{Decided, Journal, Taken},
};
use foldhash::{HashMap, HashMapExt as _};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use uuid::Uuid;

/// The journal.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedJournal<'a> {
    effects: Cow<'a, BTreeMap<u64, Effect>>,
    taken: Vec<(u64, SavedTaken<'a>)>,
    asked: BTreeMap<Uuid, SavedDecided>,
}

#[derive(Serialize, Deserialize)]
struct SavedTaken<'a> {
    at_ms: i64,
    kind: Cow<'a, str>,
    decision: Cow<'a, Decision>,
    rows: Cow<'a, [Row]>,
    until_ms: i64,
    takes_back: Option<u64>,
    taken_back_by: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum SavedDecided {
    Link(Row, Row),
    Unlink(Row),
    TellApart(Row, Row),
    Postpone(Row, Row, i64),
    TakeBack(u64),
}

impl<'a> SavedJournal<'a> {
    /// `place` says where a registration lies.
    pub(super) fn of(journal: &'a Journal, place: impl Fn(&RegistrationKey) -> Row) -> SavedJournal<'a> {
        // Made again from the effects.
        let Journal { effects, effects_of: _, taken, asked } = journal;
        SavedJournal {
            effects: Cow::Borrowed(effects),
            taken: taken.iter().map(|(sequence, taken)| (*sequence, SavedTaken::of(taken))).collect(),
            asked: asked.iter().map(|(key, wanted)| (*key, SavedDecided::of(wanted, &place))).collect(),
        }
    }

    /// What was written; `key` names the registration that lies at a place.
    pub(super) fn journal(self, key: impl Fn(Row) -> Result<RegistrationKey, Odd>) -> Result<Journal, Odd> {
        let SavedJournal { effects, taken, asked } = self;
        let mut effects_of = HashMap::<Row, BTreeSet<u64>>::new();
        for (sequence, effect) in effects.iter() {
            for row in effect.rows() {
                effects_of.entry(row).or_default().insert(*sequence);
            }
        }
        let taken: Result<BTreeMap<u64, Taken>, Odd> =
            taken.into_iter().map(|(sequence, saved)| Ok((sequence, saved.taken()?))).collect();
        let asked: Result<HashMap<Uuid, Decided>, Odd> =
            asked.into_iter().map(|(id, wanted)| Ok((id, wanted.decided(&key)?))).collect();
        Ok(Journal { effects: effects.into_owned(), effects_of, taken: taken?, asked: asked? })
    }
}

impl<'a> SavedTaken<'a> {
    fn of(taken: &'a Taken) -> SavedTaken<'a> {
        let Taken { at_ms, kind, decision, rows, until_ms, takes_back, taken_back_by } = taken;
        SavedTaken {
            at_ms: *at_ms,
            kind: Cow::Borrowed(kind),
            decision: Cow::Borrowed(decision),
            rows: Cow::Borrowed(rows),
            until_ms: *until_ms,
            takes_back: *takes_back,
            taken_back_by: *taken_back_by,
        }
    }

    fn taken(self) -> Result<Taken, Odd> {
        let SavedTaken { at_ms, kind, decision, rows, until_ms, takes_back, taken_back_by } = self;
        Ok(Taken {
            at_ms,
            kind: KINDS.into_iter().find(|known| *known == kind).ok_or(Odd::Damaged)?,
            decision: decision.into_owned(),
            rows: rows.into_owned(),
            until_ms,
            takes_back,
            taken_back_by,
        })
    }
}

impl SavedDecided {
    fn of(wanted: &Decided, place: impl Fn(&RegistrationKey) -> Row) -> SavedDecided {
        match wanted {
            Decided::Link(a, b) => SavedDecided::Link(place(a), place(b)),
            Decided::Unlink(registration) => SavedDecided::Unlink(place(registration)),
            Decided::TellApart(a, b) => SavedDecided::TellApart(place(a), place(b)),
            Decided::Postpone(a, b, until_ms) => SavedDecided::Postpone(place(a), place(b), *until_ms),
            Decided::TakeBack(sequence) => SavedDecided::TakeBack(*sequence),
        }
    }

    fn decided(&self, key: impl Fn(Row) -> Result<RegistrationKey, Odd>) -> Result<Decided, Odd> {
        Ok(match *self {
            SavedDecided::Link(a, b) => Decided::Link(key(a)?, key(b)?),
            SavedDecided::Unlink(registration) => Decided::Unlink(key(registration)?),
            SavedDecided::TellApart(a, b) => Decided::TellApart(key(a)?, key(b)?),
            SavedDecided::Postpone(a, b, until_ms) => Decided::Postpone(key(a)?, key(b)?, until_ms),
            SavedDecided::TakeBack(sequence) => Decided::TakeBack(sequence),
        })
    }
}
