//! Makes plans, replies and entries for tests: by hand for the rules, at random for the laws.

use crate::merge::Rules;
use crate::model::{LocalId, Plan, PlannedSource, Source, SourceId, Standing};
use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use prost::Message as _;
use severn_policy::{AccessTable, Asker, Decisions, RoleDefinition, Rule};
use severn_proto::v1::{
    Assertion, Coding, Dataset, DatasetOutcome, Demographics, Entry, EntryBatch, EntryHead, EntryStatus, FetchOpened,
    Field, Ledger, OriginIdentifier, Outcome, Provenance, PurposeOfUse, Reason, ReasonCode, Seal, Section,
};
use severn_trust::{Commitments, PersonKeys, SystemEntropy};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};
use uuid::Uuid;

/// A reply with its entries open, for tests to make and to change.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) source: SourceId,
    pub(super) local_id: LocalId,
    pub(super) opened: Option<FetchOpened>,
    pub(super) batches: Vec<EntryBatch>,
    pub(super) outcomes: Vec<DatasetOutcome>,
    pub(super) fault: Option<ReasonCode>,
    pub(super) waited_ms: u32,
}

impl Reply {
    /// As it comes off the wire.
    fn received(self) -> crate::model::Reply {
        let batch = |batch: EntryBatch| severn_proto::v1_passing::EntryBatch {
            dataset: batch.dataset,
            entries: batch.entries.iter().map(|entry| Bytes::from(entry.encode_to_vec())).collect(),
        };
        crate::model::Reply {
            source: self.source,
            local_id: self.local_id,
            opened: self.opened,
            batches: self.batches.into_iter().map(batch).collect(),
            outcomes: self.outcomes,
            policy_version: String::new(),
            fault: self.fault,
            waited_ms: self.waited_ms,
        }
    }
}

/// The rules with the tables that are built in.
/// What a reader may see who sees everything labelled as mental health, and nothing labelled otherwise.
static DECISIONS: LazyLock<Arc<Decisions>> = LazyLock::new(|| {
    let word = |word: &str| vec![word.to_owned()];
    let table = AccessTable {
        roles: vec![RoleDefinition { name: "r".into(), codes: word("r"), labels: word("mental_health") }],
        rules: vec![Rule {
            roles: word("r"),
            purposes: word("direct_care"),
            datasets: word("*"),
            withhold: false,
            reason_opens: false,
        }],
    };
    table.policy().unwrap().decisions(&Asker::new("r", PurposeOfUse::DirectCare), "")
});

pub(super) static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);

/// A merged record with its sections open.
pub(super) struct Opened {
    pub(super) sections: Vec<Section>,
    pub(super) ledger: Ledger,
    pub(super) seal: Seal,
}

pub(super) fn unify(plan: &Plan, replies: Vec<Reply>) -> Opened {
    unify_within(super::limit::LIMITS, plan, replies)
}

pub(super) fn unify_within(limits: super::limit::Limits, plan: &Plan, replies: Vec<Reply>) -> Opened {
    let replies: Vec<_> = replies.into_iter().map(Reply::received).collect();
    let merged = super::super::unify_within(limits, &RULES, plan, &replies);
    let record = merged.record;
    let sections = record.sections.iter().map(as_prost_writes_it).collect();
    Opened { sections, ledger: as_prost_writes_it(&record.ledger), seal: record.seal }
}

/// Reads a message, and holds our own writing of it to that of the library.
fn as_prost_writes_it<M: prost::Message + Default>(bytes: &Bytes) -> M {
    let message = M::decode(bytes.as_ref()).expect("a message");
    assert_eq!(message.encode_to_vec(), bytes.as_ref());
    message
}

static MEANT: LazyLock<(PersonKeys, Commitments)> = LazyLock::new(|| {
    let person = Demographics { nhs_number: "9434765919".into(), ..Demographics::default() };
    let keys = PersonKeys::of(&person);
    let commitments = Commitments::new(&keys, &SystemEntropy::default());
    (keys, commitments)
});

/// Whom a reply about the person meant says it is about.
pub(super) fn opened(local_id: &str) -> FetchOpened {
    let (nhs, _) = MEANT.1.echo(&MEANT.0);
    let nhs_commitment = nhs.map(|digest| digest.to_vec()).unwrap_or_default();
    FetchOpened { local_id: local_id.into(), nhs_commitment, demographics_commitment: Vec::new() }
}

/// A plan that asks every one of `sources` (id, local id) for `datasets`.
pub(super) fn plan(sources: &[(&str, &str)], datasets: &[Dataset]) -> Plan {
    let planned = sources.iter().map(|(id, local_id)| PlannedSource {
        source: Arc::new(Source {
            id: SourceId((*id).into()),
            name: format!("Source {id}"),
            kind: "GP practice".into(),
            ods: (*id).into(),
        }),
        local_id: LocalId((*local_id).into()),
        ask: datasets.to_vec(),
        not_asked: Vec::new(),
        decisions: Arc::clone(&DECISIONS),
        standing: Standing::default(),
        restricted: false,
    });
    Plan {
        query_id: Uuid::nil(),
        datasets: datasets.to_vec(),
        sources: planned.collect(),
        commitments: MEANT.1.clone(),
        hidden: BTreeSet::new(),
        standing: Standing::default(),
        policy_version: String::new(),
    }
}

/// A reply that keeps the contract: `entries` in one batch for each of `datasets`, and their outcomes.
pub(super) fn reply(source: &str, local_id: &str, datasets: &[Dataset], mut entries: Vec<Entry>) -> Reply {
    let mut batches = Vec::new();
    for dataset in datasets {
        let of_dataset = |entry: &Entry| entry.head.as_ref().is_some_and(|head| head.dataset == *dataset as i32);
        let (own, others) = entries.into_iter().partition(of_dataset);
        batches.push(EntryBatch { dataset: *dataset as i32, entries: own });
        entries = others;
    }
    let outcomes = batches.iter().map(|batch| outcome(batch.dataset, batch.entries.len() as u32)).collect();
    Reply {
        source: SourceId(source.into()),
        local_id: LocalId(local_id.into()),
        opened: Some(opened(local_id)),
        batches,
        outcomes,
        fault: None,
        waited_ms: 7,
    }
}

fn outcome(dataset: i32, entries: u32) -> DatasetOutcome {
    let outcome = if entries == 0 { Outcome::AnsweredNone } else { Outcome::Answered };
    DatasetOutcome {
        dataset,
        outcome: outcome as i32,
        reasons: Vec::new(),
        entries,
        as_of_ms: 5,
        obligations: Vec::new(),
    }
}

/// An entry, built up by its methods. It starts as active and present.
#[derive(Clone)]
pub(super) struct Make(EntryHead);

pub(super) fn entry(dataset: Dataset, id: &str) -> Make {
    Make(EntryHead {
        entry_id: id.into(),
        dataset: dataset as i32,
        text: "words".into(),
        assertion: Assertion::Present as i32,
        status: EntryStatus::Active as i32,
        provenance: Some(Provenance { organisation: "Somewhere".into(), ..Provenance::default() }),
        ..EntryHead::default()
    })
}

impl Make {
    pub(super) fn with(mut self, change: impl FnOnce(&mut EntryHead)) -> Make {
        change(&mut self.0);
        self
    }
    pub(super) fn text(self, text: &str) -> Make {
        self.with(|head| head.text = text.into())
    }
    pub(super) fn snomed(self, code: &str) -> Make {
        self.code("http://snomed.info/sct", code)
    }
    pub(super) fn code(self, system: &str, code: &str) -> Make {
        let coding = Coding { system: system.into(), code: code.into(), display: String::new() };
        self.with(|head| head.codings.push(coding))
    }
    pub(super) fn status(self, status: EntryStatus) -> Make {
        self.with(|head| head.status = status as i32)
    }
    pub(super) fn assertion(self, assertion: Assertion) -> Make {
        self.with(|head| head.assertion = assertion as i32)
    }
    pub(super) fn field(self, name: &str, value: &str) -> Make {
        self.with(|head| head.distinguishing.push(Field { name: name.into(), value: value.into() }))
    }
    pub(super) fn origin(self, value: &str) -> Make {
        let origin = OriginIdentifier { system: "urn:a".into(), value: value.into(), organisation_ods: String::new() };
        self.with(|head| head.origins.push(origin))
    }
    pub(super) fn period(self, start: &str, end: &str) -> Make {
        self.with(|head| (head.effective_start, head.effective_end) = (start.into(), end.into()))
    }
    pub(super) fn label(self, label: i32) -> Make {
        self.with(|head| head.labels.push(label))
    }
    pub(super) fn done(self) -> Entry {
        Entry { head: Some(self.0), body: bytes::Bytes::from_static(b"body") }
    }
}

/// A plan with replies to it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) plan: Plan,
    pub(super) replies: Vec<Reply>,
}

impl Case {
    /// The same entries in replies that keep the contract.
    pub(super) fn believed(self) -> Case {
        let mut heard: Vec<(SourceId, LocalId)> = Vec::new();
        let mut replies = self.replies;
        replies.retain(|r| {
            let key = (r.source.clone(), r.local_id.clone());
            let new = !heard.contains(&key);
            heard.push(key);
            new
        });
        for reply in &mut replies {
            let asked = self.plan.sources.iter().find(|p| p.source.id == reply.source && p.local_id == reply.local_id);
            let asked: Vec<i32> = asked.map(|p| p.ask.iter().map(|d| *d as i32).collect()).unwrap_or_default();
            reply.batches.retain(|batch| asked.contains(&batch.dataset));
            reply.opened = Some(opened(&reply.local_id.0));
            reply.fault = None;
            recount(reply, &asked);
        }
        Case { plan: self.plan, replies }
    }

    /// Leaves entries out, from replies that keep the contract.
    pub(super) fn drop_entries(&mut self, leave_out: impl Fn(&EntryHead) -> bool) {
        for reply in &mut self.replies {
            for batch in &mut reply.batches {
                batch.entries.retain(|entry| !entry.head.as_ref().is_some_and(&leave_out));
            }
            let asked: Vec<i32> = reply.outcomes.iter().map(|o| o.dataset).collect();
            recount(reply, &asked);
        }
    }
}

fn recount(reply: &mut Reply, asked: &[i32]) {
    let count = |dataset: i32| {
        let of_dataset = reply.batches.iter().filter(|b| b.dataset == dataset);
        of_dataset.map(|b| b.entries.len() as u32).sum()
    };
    reply.outcomes = asked.iter().map(|dataset| outcome(*dataset, count(*dataset))).collect();
}

/// Plans with replies of which most are sound. Values come from small sets, so that entries meet.
pub(super) fn cases() -> impl Strategy<Value = Case> {
    (plans(), vec(replies(), 5)).prop_map(|(plan, mut replies)| {
        for (at, reply) in replies.iter_mut().enumerate() {
            // What is left over goes to nobody who was planned, or comes a second time.
            let again = plan.sources.first().filter(|_| reply.waited_ms == 8);
            let Some(planned) = plan.sources.get(at).or(again) else { continue };
            reply.source = planned.source.id.clone();
            reply.local_id = planned.local_id.clone();
            if let Some(opened) = &mut reply.opened {
                opened.local_id = planned.local_id.0.to_string();
            }
            let asked: Vec<i32> = planned.ask.iter().map(|d| *d as i32).collect();
            if reply.outcomes.is_empty() && !asked.is_empty() {
                file(&mut reply.batches, &asked);
                let told = reply.waited_ms;
                if told >= 5 {
                    reply.batches.iter_mut().for_each(send_some_twice);
                }
                recount(reply, &asked);
                for outcome in reply.outcomes.iter_mut().filter(|o| o.outcome == Outcome::Answered as i32) {
                    outcome.outcome = match told {
                        1 => Outcome::Stale,
                        2 => Outcome::Withheld,
                        3 => Outcome::AnsweredPartial,
                        _ => Outcome::Answered,
                    } as i32;
                }
                for outcome in reply.outcomes.iter_mut().filter(|o| o.outcome == Outcome::AnsweredNone as i32) {
                    let outcome_told = if told == 4 { Outcome::NotHeld } else { Outcome::AnsweredNone };
                    outcome.outcome = outcome_told as i32;
                }
            }
        }
        // Some sources do not reply at all.
        replies.retain(|reply| reply.waited_ms != 7);
        Case { plan, replies }
    })
}

/// The first entries once more, the second time as read later.
fn send_some_twice(batch: &mut EntryBatch) {
    let mut again: Vec<Entry> = batch.entries.iter().take(2).cloned().collect();
    for provenance in again.iter_mut().filter_map(|entry| entry.head.as_mut()?.provenance.as_mut()) {
        provenance.retrieved_at_ms += 1;
    }
    batch.entries.extend(again);
}

/// Files batches under the datasets asked for; an entry that names another dataset than its batch keeps doing so.
fn file(batches: &mut [EntryBatch], asked: &[i32]) {
    for (at, batch) in batches.iter_mut().enumerate() {
        let before = std::mem::replace(&mut batch.dataset, asked[at % asked.len()]);
        for head in batch.entries.iter_mut().filter_map(|entry| entry.head.as_mut()) {
            if head.dataset == before {
                head.dataset = batch.dataset;
            }
        }
    }
}

const DATASETS: [Dataset; 6] = [
    Dataset::Alerts,
    Dataset::Allergies,
    Dataset::Medications,
    Dataset::Problems,
    Dataset::Observations,
    Dataset::Contacts,
];

fn plans() -> impl Strategy<Value = Plan> {
    let sources = proptest::sample::subsequence(vec![("A", "1"), ("A", "2"), ("B", "1"), ("C", "9")], 0..=4);
    let datasets = proptest::sample::subsequence(DATASETS.to_vec(), 0..=3);
    let not_asked = select(vec![
        None,
        None,
        None,
        Some((Dataset::Allergies, Outcome::NotAsked, ReasonCode::Role)),
        Some((Dataset::Problems, Outcome::NotShared, ReasonCode::Agreement)),
        Some((Dataset::Contacts, Outcome::NoAnswer, ReasonCode::BreakerOpen)),
    ]);
    (sources, datasets, vec(not_asked, 5)).prop_map(|(sources, datasets, not_asked)| {
        let mut plan = plan(&sources, &datasets);
        for (source, not) in plan.sources.iter_mut().zip(not_asked) {
            if let Some(not) = not {
                source.ask.retain(|dataset| *dataset != not.0);
                source.not_asked.push(not);
            }
        }
        plan
    })
}

fn replies() -> impl Strategy<Value = Reply> {
    let batch = (select(DATASETS.to_vec()), vec(heads(), 0..8)).prop_map(|(dataset, heads)| EntryBatch {
        dataset: dataset as i32,
        entries: heads.into_iter().map(|head| filed(head, dataset)).collect(),
    });
    let about = prop_oneof![
        18 => Just(Some(opened("1"))),
        1 => Just(None),
        1 => Just(Some(FetchOpened { local_id: "1".into(), nhs_commitment: vec![1; 32], ..FetchOpened::default() })),
    ];
    let fault = prop_oneof![
        18 => Just(None),
        1 => select(vec![ReasonCode::Timeout, ReasonCode::AdapterRefused, ReasonCode::Unspecified]).prop_map(Some),
        1 => select(vec![ReasonCode::Invalid, ReasonCode::TooLarge]).prop_map(Some),
    ];
    let stray = (0..70i32, 0..12i32, 0..95i32, 0..4u32).prop_map(|(dataset, outcome, code, entries)| DatasetOutcome {
        dataset,
        outcome,
        reasons: vec![Reason { code, count: 1 }],
        entries,
        as_of_ms: 3,
        obligations: vec![code % 7],
    });
    // No outcomes means: those that fit, see `cases`.
    let outcomes = prop_oneof![12 => Just(Vec::new()), 1 => vec(stray, 1..4)];
    (about, vec(batch, 0..4), outcomes, fault, 0..9u32).prop_map(|(opened, batches, outcomes, fault, waited_ms)| {
        Reply {
            source: SourceId("Z".into()),
            local_id: LocalId("1".into()),
            opened,
            batches,
            outcomes,
            fault,
            waited_ms,
        }
    })
}

fn filed(mut head: EntryHead, dataset: Dataset) -> Entry {
    if head.dataset == 0 {
        head.dataset = dataset as i32;
    }
    let body = bytes::Bytes::from_static(if head.recorded.is_empty() { b"one" } else { b"two" });
    Entry { head: Some(head), body }
}

pub(super) fn heads() -> impl Strategy<Value = EntryHead> {
    let what = (
        prop_oneof![20 => (1..16u32).prop_map(|n| format!("e{n}")), 1 => Just(String::new())],
        select(vec!["Penicillin", "penicillin ", "Penicillin", "Aspirin", "Aspirin", "aspirin", " "]),
        select(vec![vec![], vec!["111"], vec!["111"], vec!["222"], vec!["111", "222"], vec!["419199007"]]),
        prop_oneof![20 => Just(1), 6 => 0..4i32, 1 => Just(77)],
        prop_oneof![20 => Just(1), 6 => Just(2), 3 => Just(6), 4 => 0..8i32, 1 => Just(99)],
    );
    let how = (
        select(vec![vec![], vec![("dose", "5 mg"), ("phone", "1")], vec![("dose", "10 mg"), ("phone", "2")]]),
        prop_oneof![3 => Just(vec![]), 1 => proptest::sample::subsequence(vec!["o1", "o2", "o3"], 1..=2)],
        select(vec!["", "", "", "2020-01-01", "2020", "2021-05-05"]),
        select(vec!["", "", "2020-06-01"]),
        prop_oneof![8 => Just(vec![]), 1 => proptest::sample::subsequence(vec![1, 2, 3, 0, 99], 1..=2)],
        prop_oneof![20 => Just(0), 1 => Just(33)],
        prop_oneof![20 => Just(true), 1 => Just(false)],
        0..3i64,
    );
    (what, how).prop_map(|((id, text, codes, assertion, status), how)| {
        let (fields, origins, start, recorded, labels, dataset, provenance, read_at) = how;
        let mut made = entry(Dataset::Unspecified, &id).text(text).period(start, "").with(|head| {
            (head.assertion, head.status, head.dataset) = (assertion, status, dataset);
            (head.recorded, head.labels) = (recorded.into(), labels);
            let place = Provenance { organisation: "X".into(), retrieved_at_ms: read_at, ..Provenance::default() };
            head.provenance = provenance.then_some(place);
        });
        for code in codes {
            made = made.snomed(code);
        }
        for (name, value) in fields {
            made = made.field(name, value);
        }
        for origin in origins {
            made = made.origin(origin);
        }
        made.0
    })
}

/// The replies in another order, and their batches and entries too.
pub(super) fn shuffled(replies: &[Reply], seed: u64) -> Vec<Reply> {
    let mut replies = replies.to_vec();
    let mut seed = shuffle(&mut replies, seed);
    for reply in &mut replies {
        seed = shuffle(&mut reply.batches, seed);
        seed = shuffle(&mut reply.outcomes, seed);
        for batch in &mut reply.batches {
            seed = shuffle(&mut batch.entries, seed);
        }
    }
    replies
}

fn shuffle<T>(list: &mut [T], mut seed: u64) -> u64 {
    for at in (1..list.len()).rev() {
        seed = next(seed);
        list.swap(at, (seed % (at as u64 + 1)) as usize);
    }
    seed
}

/// The next of a sequence of numbers that look random.
pub(super) fn next(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 31)
}
