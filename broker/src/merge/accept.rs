//! From replies to entries that may be shown: whom a reply is about, whether it keeps the contract, and what it says
//! became of each dataset. A reply that breaks the contract as a whole is rejected as a whole (REPLY-1 to REPLY-4).

use super::{
    Accepted, ENTRIES_PER_SOURCE_MAX,
    account::{Accounts, Scope, Verdict, combine, reason},
    as_text::as_text,
    check::{self, Worth},
    head::{self, Head},
};
use crate::model::{Plan, PlannedSource, Reply};
use foldhash::HashSet;
use severn_proto::v1::{Assertion, Dataset, DatasetOutcome, EntryStatus, FetchOpened, Outcome, Reason, ReasonCode};
use severn_proto::v1_passing::EntryBatch;
use severn_trust::Obligations;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Origin identifiers of entries that their author retracted, whether or not these may be shown themselves: a copy
/// must not read as active because the retraction is withheld (RETRACT-1).
#[derive(Default)]
pub(super) struct Retractions<'e>(HashSet<Origin<'e>>);

#[derive(PartialEq, Eq, Hash)]
struct Origin<'e> {
    dataset: i32,
    none_known: bool,
    system: &'e str,
    value: &'e str,
    organisation_ods: &'e str,
}

impl<'e> Retractions<'e> {
    fn add(&mut self, head: &Head<'e>) {
        if head.status() == EntryStatus::EnteredInError {
            self.0.extend(origins(head));
        }
    }

    /// Whether the entry shares an origin with one that was retracted.
    pub(super) fn cover(&self, head: &Head<'_>) -> bool {
        !self.0.is_empty() && origins(head).any(|origin| self.0.contains(&origin))
    }
}

fn origins<'h, 'e>(head: &'h Head<'e>) -> impl Iterator<Item = Origin<'e>> + use<'h, 'e> {
    head.origins.iter().filter(|origin| !origin.system.is_empty() && !origin.value.is_empty()).map(|origin| Origin {
        dataset: head.dataset,
        none_known: head.assertion() == Assertion::NoneKnown,
        system: origin.system,
        value: origin.value,
        organisation_ods: origin.organisation_ods,
    })
}

/// What came of all replies.
pub(super) struct Heard<'e> {
    /// Where every entry went so far.
    pub(super) accounts: Accounts,
    /// Entries that may be shown, by position of their dataset in the scope.
    pub(super) entries: Vec<Vec<Accepted<'e>>>,
    /// What was retracted.
    pub(super) retractions: Retractions<'e>,
}

/// Hears every reply to `plan` and gives every (source, dataset) its outcome.
pub(super) fn accept<'e>(plan: &Plan, scope: &Scope<'_>, replies: &'e [Reply]) -> Heard<'e> {
    let mut by_ask: Vec<Vec<&Reply>> = Vec::new();
    by_ask.resize_with(plan.sources.len(), Vec::new);
    for reply in replies {
        if let Some(ask) = scope.ask(&reply.source.0, &reply.local_id.0) {
            by_ask[ask].push(reply);
        }
    }
    let mut counts = vec![0; scope.datasets.len()];
    for batch in by_ask.iter().flatten().flat_map(|reply| &reply.batches) {
        if let Some(at) = scope.dataset(batch.dataset) {
            counts[at] += batch.entries.len();
        }
    }
    // Room for what may be shown; what is more than that is not made room for before it was looked at.
    let entries =
        counts.into_iter().map(|count: usize| Vec::with_capacity(count.min(ENTRIES_PER_SOURCE_MAX))).collect();
    let heard = Heard { accounts: Accounts::of(scope), entries, retractions: Retractions::default() };
    let mut hearing = Hearing { plan, scope, heard };
    for (planned, replies) in plan.sources.iter().zip(by_ask) {
        hearing.hear(planned, replies);
    }
    hearing.heard
}

struct Hearing<'p, 'e> {
    plan: &'p Plan,
    scope: &'p Scope<'p>,
    heard: Heard<'e>,
}

/// Mostly one, of which each dataset has its own.
type Few<T> = SmallVec<[T; 1]>;

/// What a reply says of one dataset.
#[derive(Default)]
struct SaidOf<'e> {
    outcomes: Few<&'e DatasetOutcome>,
    batches: Few<&'e EntryBatch>,
}

/// One planned source, and which datasets of the scope it was asked for.
struct Asked<'p> {
    planned: &'p PlannedSource,
    source: usize,
    datasets: Vec<bool>,
}

impl<'e> Hearing<'_, 'e> {
    fn hear(&mut self, planned: &PlannedSource, mut replies: Vec<&'e Reply>) {
        let Some(source) = self.scope.source(&planned.source.id.0) else { return };
        let asked = Asked { planned, source, datasets: self.asked_datasets(planned) };
        self.say_not_asked(&asked);
        let waited_ms = replies.iter().map(|reply| reply.waited_ms).max().unwrap_or(0);
        for at in (0..asked.datasets.len()).filter(|at| asked.datasets[*at]) {
            let account = self.heard.accounts.of_pair(source, at);
            account.waited_ms = account.waited_ms.max(waited_ms);
        }
        if replies.len() > 1 {
            // Neither can be preferred without the order of arrival deciding (REPLY-3).
            return replies.into_iter().for_each(|reply| self.refuse(&asked, reply, &[ReasonCode::Invalid]));
        }
        let Some(reply) = replies.pop() else {
            return self.say_each(&asked, |_| Verdict::because(Outcome::NoAnswer, ReasonCode::Internal));
        };
        let faults = self.faults_of_whole(&asked, reply);
        if faults.is_empty() { self.take(&asked, reply) } else { self.refuse(&asked, reply, &faults) }
    }

    /// A dataset that is both to be asked and not to be asked counts as not asked.
    fn asked_datasets(&self, planned: &PlannedSource) -> Vec<bool> {
        let not_asked = |dataset| planned.not_asked.iter().any(|(not, _, _)| *not == dataset);
        self.scope.datasets.iter().map(|dataset| planned.ask.contains(dataset) && !not_asked(*dataset)).collect()
    }

    fn say_not_asked(&mut self, asked: &Asked<'_>) {
        for (at, dataset) in self.scope.datasets.iter().enumerate().filter(|(at, _)| !asked.datasets[*at]) {
            let account = self.heard.accounts.of_pair(asked.source, at);
            let mut planned = asked.planned.not_asked.iter().filter(|(not, _, _)| not == dataset).peekable();
            if planned.peek().is_none() {
                account.say(Verdict::because(Outcome::NoAnswer, ReasonCode::Internal));
            }
            for (_, outcome, code) in planned {
                let outcome = if *outcome == Outcome::Unspecified { Outcome::NoAnswer } else { *outcome };
                account.say(Verdict::because(outcome, *code));
            }
        }
    }

    fn say_each(&mut self, asked: &Asked<'_>, verdict: impl Fn(Dataset) -> Verdict) {
        for at in (0..asked.datasets.len()).filter(|at| asked.datasets[*at]) {
            self.heard.accounts.of_pair(asked.source, at).say(verdict(self.scope.datasets[at]));
        }
    }

    /// Why the whole reply cannot be believed (REPLY-1, REPLY-2); empty if it can.
    fn faults_of_whole(&self, asked: &Asked<'_>, reply: &Reply) -> Vec<ReasonCode> {
        let mut faults: Vec<ReasonCode> = reply.fault.filter(|fault| rejects(*fault)).into_iter().collect();
        match &reply.opened {
            Some(opened) if !self.is_about_the_person(asked, opened) && !knows_nobody(asked, opened, reply) => {
                faults.push(ReasonCode::OtherPerson);
            }
            None if !reply.outcomes.is_empty() || reply.batches.iter().any(|batch| !batch.entries.is_empty()) => {
                faults.push(ReasonCode::Invalid);
            }
            _ => {}
        }
        let numbers = reply.batches.iter().map(|batch| batch.dataset).chain(reply.outcomes.iter().map(|o| o.dataset));
        let mut unasked = numbers.filter(|number| !self.scope.dataset(*number).is_some_and(|at| asked.datasets[at]));
        if unasked.next().is_some() {
            faults.push(ReasonCode::Invalid);
        }
        faults
    }

    fn is_about_the_person(&self, asked: &Asked<'_>, opened: &FetchOpened) -> bool {
        opened.local_id == *asked.planned.local_id.0
            && self.plan.commitments.agrees_with_echo(&opened.nhs_commitment, &opened.demographics_commitment)
    }

    /// Rejects the whole reply. Entries count under their own dataset, or under the first in scope if theirs is not.
    fn refuse(&mut self, asked: &Asked<'_>, reply: &Reply, faults: &[ReasonCode]) {
        let verdict = || Verdict {
            outcome: Outcome::Rejected,
            reasons: faults.iter().map(|code| reason(*code, 0)).collect(),
            as_of_ms: 0,
        };
        self.say_each(asked, |_| verdict());
        for batch in reply.batches.iter().filter(|batch| !batch.entries.is_empty()) {
            let at = self.scope.dataset(batch.dataset).unwrap_or(0);
            if at >= self.scope.datasets.len() {
                continue;
            }
            let account = self.heard.accounts.of_pair(asked.source, at);
            let count = count(batch.entries.len());
            account.received += count;
            account.refused += count;
            if !asked.datasets[at] {
                account.say(verdict());
            }
        }
    }

    /// Takes a reply that is believed as a whole, dataset by dataset.
    fn take(&mut self, asked: &Asked<'_>, reply: &'e Reply) {
        let mut said: Vec<SaidOf<'e>> = Vec::new();
        said.resize_with(self.scope.datasets.len(), SaidOf::default);
        for batch in &reply.batches {
            if let Some(at) = self.scope.dataset(batch.dataset) {
                said[at].batches.push(batch);
            }
        }
        for outcome in &reply.outcomes {
            if let Some(at) = self.scope.dataset(outcome.dataset) {
                said[at].outcomes.push(outcome);
            }
        }
        let silent = reply.opened.is_none() && reply.fault.is_none();
        let fault = if silent { Some(ReasonCode::Internal) } else { reply.fault };
        for (at, SaidOf { outcomes: stated, batches }) in said.into_iter().enumerate() {
            if !asked.datasets[at] {
                continue;
            }
            let received = count(batches.iter().map(|batch| batch.entries.len()).sum());
            let verdict = judge(&stated, received, fault);
            let account = self.heard.accounts.of_pair(asked.source, at);
            account.received += received;
            let believed = verdict.outcome != Outcome::Rejected;
            account.say(verdict);
            if believed {
                let said = stated.iter().map(|outcome| Obligations::said(&outcome.obligations));
                account.obligations = said.fold(account.obligations, Obligations::and);
                self.take_entries(asked, at, batches);
            } else {
                account.refused += received;
            }
        }
    }

    fn take_entries(&mut self, asked: &Asked<'_>, at: usize, batches: Few<&'e EntryBatch>) {
        let source = asked.source;
        let dataset = self.scope.datasets[at];
        let account = self.heard.accounts.of_pair(source, at);
        let position = count(source);
        let entries = &mut self.heard.entries[at];
        for bytes in batches.into_iter().flat_map(|batch| &batch.entries) {
            let place = entries.len();
            entries.push(Accepted { source: position, head: Head::default(), bytes: Cow::Borrowed(bytes) });
            let entry = &mut entries[place];
            let frame = head::read(&mut entry.head, bytes);
            let worth = frame.map_or(Worth::Nothing, |frame| check::worth(&entry.head, frame, dataset));
            if worth == Worth::Nothing {
                account.failed += 1;
                entries.truncate(place);
                continue;
            }
            self.heard.retractions.add(&entry.head);
            // No label means ordinary; one that is not understood means no (CHECK-2). What comes with it adds up (OWED-1).
            let ruling = asked.planned.decisions.of_entry(dataset, &entry.head.labels);
            if !ruling.permits() {
                account.withheld += 1;
                entries.truncate(place);
                continue;
            }
            account.obligations = account.obligations.and(ruling.obligations);
            if worth == Worth::Words {
                account.as_text += 1;
                entry.head.as_text = true;
                entry.bytes = Cow::Owned(as_text(bytes, self.scope.sources[source]));
            }
        }
    }
}

/// Whether the source only says that it does not know the local id: it says nothing about anybody, so there is no
/// other person it could be about.
fn knows_nobody(asked: &Asked<'_>, opened: &FetchOpened, reply: &Reply) -> bool {
    let unknown = |reason: &Reason| reason.code == ReasonCode::UnknownLocalId as i32;
    opened.local_id == *asked.planned.local_id.0
        && opened.nhs_commitment.is_empty()
        && opened.demographics_commitment.is_empty()
        && reply.batches.iter().all(|batch| batch.entries.is_empty())
        && !reply.outcomes.is_empty()
        && reply.outcomes.iter().all(|outcome| outcome.entries == 0 && outcome.reasons.iter().any(unknown))
}

/// What became of one dataset: what its source says, as far as that fits what was received (REPLY-4, REPLY-5).
fn judge(stated: &[&DatasetOutcome], received: u32, fault: Option<ReasonCode>) -> Verdict {
    let invalid = || Verdict::because(Outcome::Rejected, ReasonCode::Invalid);
    match (stated, fault) {
        ([], None) => invalid(),
        ([], Some(fault)) => Verdict::because(cut_off(received), known(fault)),
        ([one], fault) => {
            let Some(mut verdict) = believe(one) else { return invalid() };
            match fault {
                _ if one.entries == received => fits(verdict, received).unwrap_or_else(invalid),
                Some(fault) if received < one.entries => {
                    verdict.outcome = combine(verdict.outcome, cut_off(received));
                    verdict.reasons.insert(0, reason(known(fault), 0));
                    verdict
                }
                _ => invalid(),
            }
        }
        _ => invalid(),
    }
}

fn cut_off(received: u32) -> Outcome {
    if received > 0 { Outcome::AnsweredPartial } else { Outcome::NoAnswer }
}

/// What an adapter says, if it is something that an adapter may say.
fn believe(stated: &DatasetOutcome) -> Option<Verdict> {
    let outcome = Outcome::try_from(stated.outcome).ok()?;
    let may_be_said = !matches!(outcome, Outcome::Unspecified | Outcome::NotAsked | Outcome::Rejected);
    let left_out = matches!(outcome, Outcome::AnsweredPartial | Outcome::Withheld | Outcome::NoAnswer);
    let reason_may_be_said = |reason: &Reason| match ReasonCode::try_from(reason.code) {
        // The source itself found items of another person, and left them out.
        Ok(ReasonCode::OtherPerson) => left_out,
        Ok(code) => code != ReasonCode::Unspecified && !rejects(code),
        Err(_) => false,
    };
    let fine = may_be_said && stated.reasons.iter().all(reason_may_be_said);
    fine.then(|| Verdict { outcome, reasons: stated.reasons.clone(), as_of_ms: stated.as_of_ms })
}

/// "Answered" means with entries; "nothing recorded", "not kept", "not shared" and "no answer" mean without.
fn fits(verdict: Verdict, received: u32) -> Option<Verdict> {
    let contradicts = match verdict.outcome {
        Outcome::Answered => received == 0,
        Outcome::AnsweredNone | Outcome::NotShared | Outcome::NotHeld | Outcome::NoAnswer => received > 0,
        _ => false,
    };
    (!contradicts).then_some(verdict)
}

fn rejects(code: ReasonCode) -> bool {
    matches!(code, ReasonCode::OtherPerson | ReasonCode::Invalid | ReasonCode::TooLarge)
}

fn known(fault: ReasonCode) -> ReasonCode {
    if fault == ReasonCode::Unspecified { ReasonCode::Internal } else { fault }
}

/// Counts are of 32 bits in the contract; a reply of more entries cannot be held in memory.
fn count(entries: usize) -> u32 {
    u32::try_from(entries).unwrap_or(u32::MAX)
}
