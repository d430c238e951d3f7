//! Who looked at a person: every event about them, put together to what a person can read. Ids and counts only; what they
//! are called, and what may not be told, is known where the report leaves.

use super::{ALARM, Audit, DOCUMENT, challenges};
use crate::model::{EnterpriseId, Row};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use severn_proto::v1::{Access, AccessPart, Outcome, ReasonCode};
use severn_trust::{Details, TrailError, TrailEvent, purpose_from_word};
use std::collections::{BTreeMap, VecDeque};

/// Accesses that one page lists.
pub const REPORT_MAX: usize = 1000;

/// What the report calls a search that showed the person among others.
const FOUND_AMONG: &str = "found-among-others";

/// What it calls a question for a record that came to no whole answer: the asker had gone, or the broker was stopped.
const UNANSWERED: &str = "unanswered";

/// For each source, the datasets of which something was kept back, and why.
pub(super) type KeptBack<'r> = BTreeMap<&'r str, BTreeMap<i32, i32>>;

impl Audit {
    /// Makes what reports are looked up in, so that nobody waits for it. Blocks while the trail is read.
    ///
    /// # Errors
    /// [`TrailError`] if it cannot be read, or what is made cannot be written.
    pub fn prepare_reports(&self) -> Result<(), TrailError> {
        self.trail.index_persons()
    }

    /// Who looked at any of `persons`, newest first, before the event `before_seq` (0 for all), at most [`REPORT_MAX`];
    /// and whether older accesses were left out. Complete up to the last event that is durable now. Blocks while it is
    /// looked up.
    ///
    /// # Errors
    /// [`TrailError`] if the trail cannot be read.
    pub fn report(&self, persons: &[EnterpriseId], before_seq: u64) -> Result<(Vec<Access>, bool), TrailError> {
        let persons: Vec<String> = persons.iter().map(EnterpriseId::to_string).collect();
        let mut report = Report { before_seq, ..Report::default() };
        self.trail.scan_persons(&persons, |seq, at_ms, event| {
            if persons.contains(&event.person) {
                report.note((seq, at_ms), event);
            } else {
                let event = TrailEvent { action: FOUND_AMONG.into(), ..event };
                report.note((seq, at_ms), event);
            }
        })?;
        let accesses = report.accesses.into_iter().rev().collect();
        Ok((accesses, report.truncated))
    }
}

/// What was kept back, of the rows of a ledger.
pub(super) fn kept_back<'r>(rows: &[Row<'r>]) -> KeptBack<'r> {
    let mut kept: KeptBack<'r> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.withheld > 0 || row.outcome == Outcome::Withheld) {
        let explains = |code: ReasonCode| {
            use ReasonCode::{ByOwner, ByPerson, Directive, Label, MayBeOpened};
            matches!(code, ByOwner | ByPerson | Directive | Label | MayBeOpened)
        };
        let why = row.reasons.iter().map(|reason| reason.code()).find(|code| explains(*code)).unwrap_or_default();
        kept.entry(&*row.source.id.0).or_default().insert(row.dataset as i32, why.into());
    }
    kept
}

/// A page of accesses, oldest first, as it is put together.
#[derive(Default)]
struct Report {
    before_seq: u64,
    accesses: VecDeque<Access>,
    truncated: bool,
    /// Overrides of the person, and why the glass was broken.
    overrides: BTreeMap<String, String>,
}

impl Report {
    /// Adds an event: a new access, or what became of one listed already.
    fn note(&mut self, (seq, at_ms): (u64, i64), event: TrailEvent) {
        // An act has a reason of its own, a refusal the broker's.
        let reason = text(&event.details, "reason").or_else(|| text(&event.details, "why"));
        if event.action == "override"
            && let Some(id) = text(&event.details, "override")
        {
            self.overrides.insert(id, reason.clone().unwrap_or_default());
        }
        if let Some(access) = self.act_refused(&event) {
            access.action = event.action;
            access.reason = reason.unwrap_or_default();
            return;
        }
        match event.action.as_str() {
            "seal" => self.sealed(&event),
            DOCUMENT => self.document(&event),
            // Part of an access that is listed.
            ALARM | challenges::DELIVERED | challenges::LISTED => {}
            _ if self.before_seq != 0 && seq >= self.before_seq => {}
            _ => self.add(Access {
                at_ms,
                user: event.user,
                role: event.role,
                organisation_ods: event.organisation,
                purpose: purpose_from_word(&event.purpose).unwrap_or_default().into(),
                action: if event.action == "intent" { UNANSWERED.into() } else { event.action },
                query_id: event.query_id,
                reason: reason.unwrap_or_default(),
                seq,
                ..Access::default()
            }),
        }
    }

    fn add(&mut self, access: Access) {
        self.accesses.push_back(access);
        if self.accesses.len() > REPORT_MAX {
            self.accesses.pop_front();
            self.truncated = true;
        }
    }

    fn of_query(&mut self, query_id: &str) -> Option<&mut Access> {
        self.accesses.iter_mut().rev().find(|access| !query_id.is_empty() && access.query_id == query_id)
    }

    /// What was recorded before it was done, and what this event says was refused after all: an act by its name, a question
    /// by its query.
    fn act_refused(&mut self, event: &TrailEvent) -> Option<&mut Access> {
        if event.action != "refused" {
            return None;
        }
        let refused = event.details.get("refused");
        let is_refused =
            |access: &&mut Access| refused.as_ref().is_none_or(|refused| refused == access.action.as_str());
        let of_query = |access: &&mut Access| !event.query_id.is_empty() && access.query_id == event.query_id;
        self.accesses.iter_mut().rev().filter(of_query).find(is_refused)
    }

    fn sealed(&mut self, event: &TrailEvent) {
        let why = text(&event.details, "override").map(|id| self.overrides.get(&id).cloned().unwrap_or_default());
        let Some(access) = self.of_query(&event.query_id) else { return };
        let count = |key: &str| {
            event.details.get(key).as_ref().and_then(Value::as_u64).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX))
        };
        access.action = "retrieve".into();
        access.shown = count("shown").saturating_add(count("grouped"));
        access.withheld = count("withheld");
        access.sources = read(&event.details, "asked");
        access.relationship = text(&event.details, "relationship").unwrap_or_default();
        access.glass_broken = why.is_some();
        access.reason = why.unwrap_or_default();
        access.parts = parts(&event.details);
    }

    fn document(&mut self, event: &TrailEvent) {
        let Some(access) = self.of_query(&event.query_id) else { return };
        access.shown = 1;
        access.sources = text(&event.details, "source").into_iter().collect();
    }
}

/// What a seal says of one section.
#[derive(Deserialize)]
struct Section {
    dataset: i32,
    /// Entry ids by source, of which only the number counts.
    entries: BTreeMap<String, Vec<IgnoredAny>>,
}

/// What was shown and what was kept back, by dataset, then source.
fn parts(details: &Details) -> Vec<AccessPart> {
    let mut parts: BTreeMap<(i32, String), AccessPart> = BTreeMap::new();
    let sections: Vec<Section> = read(details, "sections");
    for Section { dataset, entries } in sections {
        for (source, entries) in entries {
            let shown = u32::try_from(entries.len()).unwrap_or(u32::MAX);
            let part = parts.entry((dataset, source)).or_default();
            part.shown = part.shown.saturating_add(shown);
        }
    }
    let kept_back: BTreeMap<String, BTreeMap<i32, i32>> = read(details, "kept_back");
    for (source, datasets) in kept_back {
        for (dataset, why) in datasets {
            let part = parts.entry((dataset, source.clone())).or_default();
            (part.kept_back, part.why) = (true, why);
        }
    }
    let named = |((dataset, source_id), part)| AccessPart { dataset, source_id, ..part };
    parts.into_iter().map(named).collect()
}

fn text(details: &Details, name: &str) -> Option<String> {
    details.get(name).and_then(|value| value.as_str().map(str::to_owned))
}

fn read<T: for<'de> Deserialize<'de> + Default>(details: &Details, name: &str) -> T {
    details.get(name).and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
