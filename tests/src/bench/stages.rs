//! What each stage of a query costs by itself, in this process, over the canned slices: microseconds of one thread.

use super::canned;
use crate::policies::everything_labelled;
use bytes::Bytes;
use prost::Message as _;
use severn_broker::{
    merge::{self, Rules},
    model::{LocalId, Plan, PlannedSource, Reply, Source, SourceId, Standing},
};
use severn_proto::{
    v1::{DatasetOutcome, FetchOpened, Outcome},
    v1_passing::EntryBatch,
};
use severn_trust::{ALL_DATASETS, Commitments, PersonKeys, RecordDigest, SystemEntropy};
use std::{collections::BTreeSet, hint::black_box, io::Write as _, sync::Arc};
use tokio::time::Instant;
use uuid::Uuid;

const TURNS: u32 = 200;

fn timed<T>(name: &str, prepare: impl Fn() -> T, mut work: impl FnMut(T)) -> std::io::Result<()> {
    let mut prepared: Vec<T> = (0..TURNS).map(|_| prepare()).collect();
    let started = Instant::now();
    for input in prepared.drain(..) {
        work(input);
    }
    let each = started.elapsed().as_secs_f64() * 1e6 / f64::from(TURNS);
    writeln!(std::io::stdout(), "  {name:<28} {each:>8.0} µs")
}

fn plan(sources: usize, commitments: &Commitments) -> Plan {
    let decisions = everything_labelled(&[]);
    let planned = |n: usize| PlannedSource {
        source: Arc::new(Source {
            id: SourceId(format!("S{n:03}").into()),
            name: format!("Source {n}"),
            kind: "canned".into(),
            ods: format!("S{n:03}"),
        }),
        local_id: LocalId("1".into()),
        ask: ALL_DATASETS.to_vec(),
        not_asked: Vec::new(),
        decisions: Arc::clone(&decisions),
        standing: Standing::default(),
        restricted: false,
    };
    Plan {
        query_id: Uuid::nil(),
        datasets: ALL_DATASETS.to_vec(),
        sources: (0..sources).map(planned).collect(),
        commitments: commitments.clone(),
        hidden: BTreeSet::new(),
        standing: Standing::default(),
        policy_version: String::new(),
    }
}

fn reply(n: usize, batches: Vec<EntryBatch>, commitments: &Commitments) -> Reply {
    let (nhs, demographics) = commitments.echo(&PersonKeys::of(&canned::person()));
    let outcome = |dataset: &severn_proto::v1::Dataset| {
        let entries = batches.iter().filter(|b| b.dataset() == *dataset).map(|b| b.entries.len() as u32).sum();
        let outcome = if entries == 0 { Outcome::AnsweredNone } else { Outcome::Answered };
        DatasetOutcome { dataset: (*dataset).into(), outcome: outcome.into(), entries, ..DatasetOutcome::default() }
    };
    Reply {
        policy_version: String::new(),
        source: SourceId(format!("S{n:03}").into()),
        local_id: LocalId("1".into()),
        opened: Some(FetchOpened {
            local_id: "1".into(),
            nhs_commitment: nhs.map(Vec::from).unwrap_or_default(),
            demographics_commitment: demographics.map(Vec::from).unwrap_or_default(),
        }),
        outcomes: ALL_DATASETS.iter().map(outcome).collect(),
        batches,
        fault: None,
        waited_ms: 1,
    }
}

/// Prints the cost of decoding, merging and digesting for 8 and 32 sources.
///
/// # Errors
/// If standard output is closed.
pub fn run() -> std::io::Result<()> {
    let commitments = Commitments::new(&PersonKeys::of(&canned::person()), &SystemEntropy::default());
    let rules = Rules::built_in();
    for sources in [8, 32] {
        writeln!(std::io::stdout(), "{sources} sources, 40 entries each")?;
        let serialised = |batch: &severn_proto::v1::EntryBatch| Bytes::from(batch.encode_to_vec());
        let wire: Vec<Vec<Bytes>> =
            (0..sources).map(|n| canned::slice(&format!("S{n:03}")).iter().map(serialised).collect()).collect();
        let decode = || -> Vec<Vec<EntryBatch>> {
            let batch = |bytes: &Bytes| EntryBatch::decode(bytes.clone()).unwrap_or_default();
            wire.iter().map(|source| source.iter().map(batch).collect()).collect()
        };
        let plan = plan(sources, &commitments);
        let replies = || -> Vec<Reply> {
            decode().into_iter().enumerate().map(|(n, batches)| reply(n, batches, &commitments)).collect()
        };
        timed("decode batches", || (), |()| drop(black_box(decode())))?;
        timed("merge, serialise and seal", replies, |replies| drop(black_box(merge::unify(&rules, &plan, &replies))))?;
        let replies = replies();
        let record = merge::unify(&rules, &plan, &replies).record;
        let digest = |()| {
            let mut digest = RecordDigest::default();
            for section in &record.sections {
                digest.add_section(section);
            }
            black_box(digest.finish_encoded(&record.ledger));
        };
        timed("digest alone", || (), digest)?;
    }
    Ok(())
}
