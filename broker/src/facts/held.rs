//! What all changes so far come to, found by whom they are about. Pure: the same events in the same order give the same.

use super::{
    check::{Wanted, Wish},
    relationship::{CareKind, Evidence, Relationship, day_of},
    words::{Actor, Change, ChangeKind, Directive, Override, PersonFacts, Review, Subject, Verdict, Withdrawn},
};
use crate::model::{EnterpriseId, Located, SourceId};
use serde::{Deserialize, Serialize};
use severn_trust::{NhsNumber, User};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Every change, and whom directives are about by now.
#[derive(Clone, Default)]
pub struct Facts {
    kept: Kept,
    /// Directives by the registrations they are anchored to.
    at: HashMap<Located, BTreeSet<Uuid>>,
    /// Directives by the NHS numbers they are anchored to.
    of_number: HashMap<NhsNumber, BTreeSet<Uuid>>,
    /// Directives to their withdrawals.
    withdrawn: HashMap<Uuid, Uuid>,
    /// Claims and overrides to their reviews, oldest first.
    reviews: HashMap<Uuid, Vec<Uuid>>,
    /// Claims by whom they are about.
    claims_about: HashMap<EnterpriseId, Vec<Uuid>>,
    /// Claims and overrides by who made them, oldest first: issuer and user's id.
    made_by: HashMap<(String, String), Vec<Uuid>>,
}

/// What follows from nothing else: all that must be written to go on from.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Every change, in the order in which they were made.
    done: BTreeMap<u64, Done>,
    /// Whom each directive is about by now.
    anchors: BTreeMap<Uuid, Anchors>,
    /// Where the change of a key stands.
    places: BTreeMap<Uuid, u64>,
}

/// A change, and when it was made: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    at_ms: i64,
    change: Change,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Anchors {
    registrations: BTreeSet<Located>,
    numbers: BTreeSet<NhsNumber>,
}

/// Whose entries of the queue are asked for.
#[derive(Clone, Debug)]
pub enum WhoseQueue {
    /// Everybody's.
    All,
    /// Those of users of this organisation, and those about people whom its sources know.
    Organisation {
        /// Its ODS code.
        ods: String,
        /// Its sources.
        sources: BTreeSet<SourceId>,
    },
}

/// Which entries of the queue are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Those that nobody has reviewed for good.
    Only,
    /// Those that were, too.
    And,
}

/// A claim or an override in the queue.
#[derive(Clone)]
pub struct Queued {
    /// What was done.
    pub change: Change,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Its reviews, oldest first.
    pub reviews: Vec<Review>,
}

impl Queued {
    /// Whether nobody has reviewed it for good.
    pub fn is_waiting(&self) -> bool {
        self.reviews.last().is_none_or(|review| review.verdict == Verdict::FollowUp)
    }
}

impl From<Kept> for Facts {
    fn from(kept: Kept) -> Facts {
        let mut facts = Facts::default();
        for done in kept.done.values() {
            facts.note(&done.change);
        }
        for (directive, anchors) in &kept.anchors {
            facts.note_anchors(*directive, anchors);
        }
        Facts { kept, ..facts }
    }
}

impl Facts {
    /// What must be written to go on from.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Takes a change, which is durable as the event `sequence` of `at_ms`.
    pub fn take(&mut self, (sequence, at_ms): (u64, i64), change: &Change) {
        self.note(change);
        if let (ChangeKind::DirectiveEntered { .. }, Some(subject)) = (&change.kind, &change.subject) {
            let Subject { registrations, numbers, .. } = subject.clone();
            let anchors = Anchors { registrations, numbers };
            self.note_anchors(change.key, &anchors);
            self.kept.anchors.insert(change.key, anchors);
        }
        self.kept.places.insert(change.key, sequence);
        self.kept.done.insert(sequence, Done { at_ms, change: change.clone() });
    }

    fn note(&mut self, change: &Change) {
        let made_by = || (change.by.issuer.clone(), change.by.id.clone());
        match &change.kind {
            ChangeKind::DirectiveEntered { .. } => {}
            ChangeKind::DirectiveWithdrawn { directive, .. } => drop(self.withdrawn.insert(*directive, change.key)),
            ChangeKind::RelationshipClaimed { .. } => {
                self.made_by.entry(made_by()).or_default().push(change.key);
                if let Some(subject) = &change.subject {
                    self.claims_about.entry(subject.person).or_default().push(change.key);
                }
            }
            ChangeKind::OverrideOpened { .. } => self.made_by.entry(made_by()).or_default().push(change.key),
            ChangeKind::Reviewed { of, .. } => self.reviews.entry(*of).or_default().push(change.key),
        }
    }

    fn note_anchors(&mut self, directive: Uuid, anchors: &Anchors) {
        for registration in &anchors.registrations {
            self.at.entry(registration.clone()).or_default().insert(directive);
        }
        for number in &anchors.numbers {
            self.of_number.entry(*number).or_default().insert(directive);
        }
    }

    /// From now on these directives are anchored to this registration, too.
    pub fn anchor(&mut self, directives: impl Iterator<Item = Uuid>, registration: &Located) {
        for directive in directives {
            self.kept.anchors.entry(directive).or_default().registrations.insert(registration.clone());
            self.at.entry(registration.clone()).or_default().insert(directive);
        }
    }

    /// An NHS number was replaced: whoever had the old one goes by the new.
    pub fn renumber(&mut self, old: NhsNumber, new: NhsNumber) {
        let Some(directives) = self.of_number.get(&old).cloned() else { return };
        for directive in &directives {
            self.kept.anchors.entry(*directive).or_default().numbers.insert(new);
        }
        self.of_number.entry(new).or_default().extend(directives);
    }

    /// What the change of a key was, and when; `None` if there is none.
    pub fn change(&self, key: Uuid) -> Option<(i64, &Change)> {
        let done = self.kept.done.get(self.kept.places.get(&key)?)?;
        Some((done.at_ms, &done.change))
    }

    /// Whether a change is what this wish asked for.
    pub fn answers(change: &Change, wish: &Wish) -> bool {
        let same = match (&change.kind, &wish.what) {
            (
                ChangeKind::DirectiveEntered { kind, from_ms, until_ms, reason },
                Wanted::Directive { kind: asked, from_ms: from, until_ms: until, reason: why },
            ) => (kind, reason, from_ms) == (asked, why, from) && until_ms.unwrap_or_default() == *until,
            (
                ChangeKind::DirectiveWithdrawn { directive, reason },
                Wanted::Withdrawal { directive: asked, reason: why },
            ) => (directive, reason) == (asked, why),
            (ChangeKind::RelationshipClaimed { reason, .. }, Wanted::Claim { reason: why, .. }) => reason == why,
            (ChangeKind::OverrideOpened { reason, text, .. }, Wanted::Override { reason: code, text: words, .. }) => {
                (reason, text) == (code, words)
            }
            (ChangeKind::Reviewed { of, verdict, note }, Wanted::Review { of: asked, verdict: found, note: words }) => {
                (of, verdict, note) == (asked, found, words)
            }
            _ => false,
        };
        same && change.by.is(&wish.by)
    }

    /// A directive, as it is now.
    pub fn directive(&self, id: Uuid) -> Option<Directive> {
        let (entered_at_ms, change) = self.change(id)?;
        let ChangeKind::DirectiveEntered { kind, from_ms, until_ms, reason } = &change.kind else { return None };
        let withdrawn = self.withdrawn.get(&id).and_then(|key| self.change(*key)).and_then(|(at_ms, change)| {
            let ChangeKind::DirectiveWithdrawn { reason, .. } = &change.kind else { return None };
            Some(Withdrawn { by: change.by.clone(), at_ms, reason: reason.clone() })
        });
        Some(Directive {
            id,
            kind: kind.clone(),
            from_ms: *from_ms,
            until_ms: *until_ms,
            entered_by: change.by.clone(),
            entered_at_ms,
            reason: reason.clone(),
            version: if withdrawn.is_some() { 2 } else { 1 },
            withdrawn,
        })
    }

    /// Every directive of a person, in the order in which they were entered; those that are over or withdrawn, too.
    pub fn directives(&self, located: &[Located], numbers: &[NhsNumber]) -> Vec<Directive> {
        let ids = self.anchored(located, numbers);
        let in_order: BTreeSet<(u64, Uuid)> =
            ids.into_iter().filter_map(|id| Some((*self.kept.places.get(&id)?, id))).collect();
        in_order.into_iter().filter_map(|(_, id)| self.directive(id)).collect()
    }

    /// The directives that are anchored to one of these.
    pub fn anchored(&self, located: &[Located], numbers: &[NhsNumber]) -> BTreeSet<Uuid> {
        if self.kept.anchors.is_empty() {
            return BTreeSet::new();
        }
        let at = located.iter().filter_map(|registration| self.at.get(registration));
        let of_number = numbers.iter().filter_map(|number| self.of_number.get(number));
        at.chain(of_number).flatten().copied().collect()
    }

    /// Whether there is any directive at all.
    pub fn has_directives(&self) -> bool {
        !self.kept.anchors.is_empty()
    }

    /// What is known at `now_ms` of a user's standing with a person, but for what sources announce.
    pub fn of(
        &self,
        person: EnterpriseId,
        (located, numbers): (&[Located], &[NhsNumber]),
        user: &User,
        now_ms: i64,
    ) -> PersonFacts {
        let mut directives = self.directives(located, numbers);
        directives.retain(|directive| in_force(directive, now_ms));
        let still = |change: &Change| {
            let subject = change.subject.as_ref();
            subject.is_some_and(|s| s.person == person && located.iter().any(|l| s.registrations.contains(l)))
        };
        let claims = self.claims_about.get(&person).into_iter().flatten().filter_map(|id| {
            let (at_ms, change) = self.change(*id).filter(|(_, change)| still(change))?;
            let own = change.by.organisation_ods.eq_ignore_ascii_case(&user.organisation_ods);
            self.claim(at_ms, change).filter(|(until_ms, _)| own && now_ms < *until_ms).map(|(_, claim)| claim)
        });
        let own = self.made_by.get(&(user.issuer.clone(), user.id.clone())).into_iter().flatten();
        let own = own.filter_map(|id| self.change(*id)).filter(|(_, change)| still(change));
        let overrides = own.filter_map(|(at_ms, change)| self.opened(at_ms, change));
        PersonFacts {
            directives,
            relationships: claims.collect(),
            overrides: overrides.filter(|o| now_ms < o.expires_ms).collect(),
        }
    }

    /// A claim that no review ended, and until when it lasts.
    fn claim(&self, at_ms: i64, change: &Change) -> Option<(i64, Relationship)> {
        let ChangeKind::RelationshipClaimed { until_ms, .. } = &change.kind else { return None };
        let evidence = Evidence::Claim { id: change.key, by: change.by.clone(), until_ms: *until_ms };
        let relationship = Relationship {
            kind: CareKind::SelfClaimed,
            organisation_ods: change.by.organisation_ods.clone(),
            team: String::new(),
            since: day_of(at_ms),
            until: day_of(*until_ms),
            evidence,
        };
        (!self.is_ended(change.key)).then_some((*until_ms, relationship))
    }

    /// An override that no review ended.
    fn opened(&self, opened_ms: i64, change: &Change) -> Option<Override> {
        let ChangeKind::OverrideOpened { reason, expires_ms, authenticated_s, .. } = change.kind else { return None };
        let opened = Override { id: change.key, reason, opened_ms, expires_ms, authenticated_s };
        (!self.is_ended(change.key)).then_some(opened)
    }

    /// Whether a privacy officer has found it not justified. It stays closed, whatever is found later.
    fn is_ended(&self, id: Uuid) -> bool {
        self.reviews_of(id).iter().any(|review| review.verdict == Verdict::NotJustified)
    }

    fn reviews_of(&self, id: Uuid) -> Vec<Review> {
        let reviews = self.reviews.get(&id).into_iter().flatten().filter_map(|key| self.change(*key));
        let review = |(at_ms, change): (i64, &Change)| {
            let ChangeKind::Reviewed { verdict, note, .. } = &change.kind else { return None };
            Some(Review { by: change.by.clone(), at_ms, verdict: *verdict, note: note.clone() })
        };
        reviews.filter_map(review).collect()
    }

    /// The queue of claims and overrides, newest first, at most `limit`; and how many more there are.
    pub fn queue(&self, whose: &WhoseQueue, waiting: Waiting, limit: usize) -> (Vec<Queued>, usize) {
        let newest = self.kept.done.values().rev().filter(|done| is_reviewed(&done.change.kind));
        let asked = newest.filter(|done| whose.includes(&done.change)).map(|done| Queued {
            change: done.change.clone(),
            at_ms: done.at_ms,
            reviews: self.reviews_of(done.change.key),
        });
        let mut asked = asked.filter(|queued| waiting == Waiting::And || queued.is_waiting());
        (asked.by_ref().take(limit).collect(), asked.count())
    }

    /// Claims and overrides since the change `after` that were made after `since_ms`, oldest first, at most `limit`; and
    /// the last change that was looked at.
    pub fn reviewable_since(&self, after: u64, since_ms: i64, limit: usize) -> (u64, Vec<Change>) {
        let (mut last, mut found) = (after, Vec::new());
        for (sequence, done) in self.kept.done.range(after.saturating_add(1)..) {
            if found.len() == limit {
                break;
            }
            last = *sequence;
            if is_reviewed(&done.change.kind) && done.at_ms > since_ms {
                found.push(done.change.clone());
            }
        }
        (last, found)
    }

    /// A claim or an override.
    pub fn reviewable(&self, id: Uuid) -> Option<&Change> {
        self.change(id).map(|(_, change)| change).filter(|change| is_reviewed(&change.kind))
    }

    pub(super) fn overrides_since(&self, by: &Actor, since_ms: i64) -> usize {
        let is_override = |change: &Change| matches!(change.kind, ChangeKind::OverrideOpened { .. });
        self.made_by(by).filter(|(at_ms, change)| *at_ms > since_ms && is_override(change)).count()
    }

    pub(super) fn claims_since(&self, by: &Actor, since_ms: i64) -> usize {
        let is_claim = |change: &Change| matches!(change.kind, ChangeKind::RelationshipClaimed { .. });
        self.made_by(by).filter(|(at_ms, change)| *at_ms > since_ms && is_claim(change)).count()
    }

    /// The words of a user's last override.
    pub(super) fn last_text(&self, by: &Actor) -> Option<&str> {
        let texts = self.made_by(by).filter_map(|(_, change)| match &change.kind {
            ChangeKind::OverrideOpened { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.last()
    }

    fn made_by(&self, by: &Actor) -> impl Iterator<Item = (i64, &Change)> {
        let made = self.made_by.get(&(by.issuer.clone(), by.id.clone()));
        made.into_iter().flatten().filter_map(|id| self.change(*id))
    }
}

impl WhoseQueue {
    /// Whether an entry is asked for.
    pub fn includes(&self, change: &Change) -> bool {
        match self {
            WhoseQueue::All => true,
            WhoseQueue::Organisation { ods, sources } => {
                let known = |subject: &Subject| subject.registrations.iter().any(|l| sources.contains(&l.source));
                change.by.organisation_ods.eq_ignore_ascii_case(ods) || change.subject.as_ref().is_some_and(known)
            }
        }
    }
}

/// Whether a directive holds at a moment: milliseconds since 1970-01-01T00:00:00Z.
pub fn in_force(directive: &Directive, now_ms: i64) -> bool {
    directive.withdrawn.is_none()
        && directive.from_ms <= now_ms
        && directive.until_ms.is_none_or(|until_ms| now_ms < until_ms)
}

fn is_reviewed(kind: &ChangeKind) -> bool {
    matches!(kind, ChangeKind::RelationshipClaimed { .. } | ChangeKind::OverrideOpened { .. })
}
