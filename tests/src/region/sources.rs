//! The sources of a region, what is asked of them, and how their entries come as replies.

use super::told::Told;
use crate::policies::everything_labelled;
use bytes::Bytes;
use prost::Message as _;
use severn_broker::model::{LocalId, Plan, PlannedSource, Reply, Source, SourceId, Standing};
use severn_policy::Decisions;
use severn_proto::{
    v1::{
        AllergyDetail, Dataset, DatasetOutcome, Demographics, Entry, EntryBody, FetchOpened, Outcome, Reaction,
        ReasonCode, SensitivityLabel, entry_body::Detail,
    },
    v1_passing::EntryBatch,
};
use severn_trust::{Commitments, PersonKeys, SystemEntropy};
use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};
use uuid::Uuid;

/// Id and name of every source. The last knows the person and never answers.
pub const SOURCES: [(&str, &str); 7] = [
    ("Y00001", "Tower Hill Partnership"),
    ("RRK00", "University Hospitals Birmingham"),
    ("RXT00", "Birmingham and Solihull Mental Health"),
    ("E08000025", "Birmingham City Council"),
    ("8HX42", "St Mary's Hospice"),
    ("XR002", "The exchange of another region"),
    ("RYA00", "West Midlands Ambulance Service"),
];

/// Sources that answer: the first so many.
pub const TELLING: usize = 6;

/// The source through which a second region is seen.
pub const SECOND_REGION: usize = 5;

/// The label of what the reader may not see.
pub const UNSEEN: SensitivityLabel = SensitivityLabel::SexualHealth;

/// What the only source that is not asked for everything is not asked for.
const NOT_ASKED: Dataset = Dataset::Research;

/// Names under which a source knows the person. Most have one.
const LOCAL_IDS: [&str; 2] = ["1", "2"];

/// Whom everything is about, as the app commits to it.
static MEANT: LazyLock<Commitments> =
    LazyLock::new(|| Commitments::new(&PersonKeys::of(&person()), &SystemEntropy::default()));

/// What the reader may see.
static SEEN: LazyLock<Arc<Decisions>> = LazyLock::new(|| everything_labelled(&["mental_health"]));

/// What is asked: `datasets`, of every source under both its local ids; but not about research at the silent one.
#[must_use]
pub fn plan(datasets: &[Dataset]) -> Plan {
    let planned = |(id, name): &(&str, &str), local_id: &str| PlannedSource {
        source: Arc::new(Source {
            id: SourceId((*id).into()),
            name: (*name).into(),
            kind: "made up".into(),
            ods: (*id).into(),
        }),
        local_id: LocalId(local_id.into()),
        ask: datasets.to_vec(),
        not_asked: Vec::new(),
        decisions: Arc::clone(&SEEN),
        standing: Standing::default(),
        restricted: false,
    };
    let telling = SOURCES[..TELLING].iter().flat_map(|source| LOCAL_IDS.map(|local_id| planned(source, local_id)));
    let mut silent = planned(&SOURCES[TELLING], LOCAL_IDS[0]);
    if datasets.contains(&NOT_ASKED) {
        silent.ask.retain(|dataset| *dataset != NOT_ASKED);
        silent.not_asked.push((NOT_ASKED, Outcome::NotAsked, ReasonCode::Role));
    }
    Plan {
        query_id: Uuid::nil(),
        datasets: datasets.to_vec(),
        sources: telling.chain([silent]).collect(),
        commitments: MEANT.clone(),
        hidden: BTreeSet::new(),
        standing: Standing::default(),
        policy_version: String::new(),
    }
}

fn person() -> Demographics {
    Demographics { nhs_number: "9990000018".into(), ..Demographics::default() }
}

/// The entries as they come: one reply for each source and local id, and a silence.
#[must_use]
pub fn replies<'t>(plan: &Plan, told: &(impl Iterator<Item = &'t Told> + Clone)) -> Vec<Reply> {
    let (nhs, _) = plan.commitments.echo(&PersonKeys::of(&person()));
    let nhs_commitment = nhs.map(Vec::from).unwrap_or_default();
    let reply = |planned: &PlannedSource| {
        let (source, local_id) = (planned.source.id.clone(), planned.local_id.clone());
        let silent = *source.0 == *SOURCES[TELLING].0;
        let own = told.clone().filter(|one| *SOURCES[one.source].0 == *source.0 && *one.local_id() == *local_id.0);
        let batches = if silent { Vec::new() } else { batches(&planned.ask, own) };
        let opened = FetchOpened {
            local_id: local_id.0.to_string(),
            nhs_commitment: nhs_commitment.clone(),
            demographics_commitment: Vec::new(),
        };
        Reply {
            outcomes: if silent { Vec::new() } else { outcomes(&planned.ask, &batches) },
            opened: (!silent).then_some(opened),
            policy_version: String::new(),
            fault: silent.then_some(ReasonCode::Timeout),
            source,
            local_id,
            batches,
            waited_ms: 1,
        }
    };
    plan.sources.iter().map(reply).collect()
}

fn batches<'t>(asked: &[Dataset], told: impl Iterator<Item = &'t Told>) -> Vec<EntryBatch> {
    let batch = |dataset: &Dataset| EntryBatch { dataset: (*dataset).into(), entries: Vec::new() };
    let mut batches: Vec<EntryBatch> = asked.iter().map(batch).collect();
    for one in told {
        if let Some(batch) = batches.iter_mut().find(|batch| batch.dataset == one.head.dataset) {
            batch.entries.push(one.bytes());
        }
    }
    batches.retain(|batch| !batch.entries.is_empty());
    batches
}

/// What a source that answers whole says became of every dataset that it was asked for.
fn outcomes(asked: &[Dataset], batches: &[EntryBatch]) -> Vec<DatasetOutcome> {
    let outcome = |dataset: &Dataset| {
        let own = batches.iter().filter(|batch| batch.dataset == *dataset as i32);
        let entries = own.map(|batch| batch.entries.len() as u32).sum();
        let outcome = if entries == 0 { Outcome::AnsweredNone } else { Outcome::Answered };
        DatasetOutcome { dataset: (*dataset).into(), outcome: outcome.into(), entries, ..DatasetOutcome::default() }
    };
    asked.iter().map(outcome).collect()
}

impl Told {
    /// The local id under which its source sends it.
    #[must_use]
    pub const fn local_id(&self) -> &'static str {
        LOCAL_IDS[matches!(self.route, super::told::Route::Again) as usize]
    }

    /// As it comes off the wire.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let reaction = |words: &str| Reaction { manifestation: words.into(), ..Reaction::default() };
        let detail = self.reaction.map(|words| {
            Detail::Allergy(AllergyDetail { reactions: vec![reaction(words)], ..AllergyDetail::default() })
        });
        let body = EntryBody { detail, ..EntryBody::default() };
        Entry { head: Some(self.head.clone()), body: body.encode_to_vec().into() }.encode_to_vec().into()
    }
}
