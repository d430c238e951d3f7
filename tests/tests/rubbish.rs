//! Adapters that break the contract: what a reader is told, and that a healthy source beside them is not touched.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use severn_client::{Answer, Record};
use severn_link::{Identity, ServerLimits, server};
use severn_proto::v1::{
    Dataset, DatasetOutcome, DatasetOutcomes, DescribeRequest, DescribeResponse, Entry, EntryBatch, FetchBytesRequest,
    FetchBytesResponse, FetchEnd, FetchOpened, FetchRequest, FetchResponse, Outcome, Reason, ReasonCode,
    fetch_response::Part,
    source_adapter_server::{SourceAdapter, SourceAdapterServer},
};
use severn_trust::ALL_DATASETS;
use std::time::Duration;
use tests::{
    bench::canned::opened_about,
    records::{allergy, anne, bert, plain},
    world::{MadeUp, World},
};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status};

const PENICILLIN: (&str, &str) = ("91936005", "Allergy to penicillin");
const THREE_SECONDS: Duration = Duration::from_secs(3);

type Parts = Vec<Result<FetchResponse, Status>>;

type Script = fn(FetchOpened) -> Parts;

/// An adapter that says what a script says, and then ends or hangs.
struct Scripted {
    script: Script,
    hangs: bool,
}

fn part(part: Part) -> Result<FetchResponse, Status> {
    Ok(FetchResponse { part: Some(part) })
}

fn entries(dataset: Dataset, entries: Vec<Entry>) -> Result<FetchResponse, Status> {
    part(Part::Batch(EntryBatch { dataset: dataset.into(), entries }))
}

fn end(entries: u32) -> Result<FetchResponse, Status> {
    part(Part::End(FetchEnd { entries, ..FetchEnd::default() }))
}

/// One outcome for every dataset: ANSWERED with `count` for `dataset`, ANSWERED_NONE for the others.
fn outcomes(dataset: Dataset, count: u32) -> Parts {
    outcomes_of(&ALL_DATASETS, dataset, count)
}

fn outcomes_of(datasets: &[Dataset], dataset: Dataset, count: u32) -> Parts {
    let outcome = |of: Dataset| {
        let (outcome, entries) =
            if of == dataset && count > 0 { (Outcome::Answered, count) } else { (Outcome::AnsweredNone, 0) };
        DatasetOutcome { dataset: of.into(), outcome: outcome.into(), entries, ..DatasetOutcome::default() }
    };
    vec![part(Part::Outcomes(DatasetOutcomes { outcomes: datasets.iter().copied().map(outcome).collect() }))]
}

fn one_allergy() -> Vec<Entry> {
    vec![allergy("B", "b1", PENICILLIN)]
}

#[tonic::async_trait]
impl SourceAdapter for Scripted {
    type FetchStream = BoxStream<'static, Result<FetchResponse, Status>>;
    type FetchBytesStream = BoxStream<'static, Result<FetchBytesResponse, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse::default()))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let asked = request.get_ref();
        let about = (asked.context.as_ref(), asked.statement.as_ref());
        let (_, echo) = opened_about(about, &anne()).expect("a statement and a proof");
        let said = stream::iter((self.script)(echo));
        Ok(Response::new(if self.hangs { said.chain(stream::pending()).boxed() } else { said.boxed() }))
    }

    async fn fetch_bytes(&self, _: Request<FetchBytesRequest>) -> Result<Response<Self::FetchBytesStream>, Status> {
        Err(Status::not_found("none"))
    }
}

/// What a reader is told when source B says what `script` says, beside a healthy source A.
async fn told(script: Script, hangs: bool) -> Record {
    heard(script, hangs).await.0
}

/// The same, and the broker's trail.
async fn heard(script: Script, hangs: bool) -> (Record, String) {
    let knowing = |id: &str| MadeUp::new(id).knowing("1", anne(), vec![allergy(id, "a1", PENICILLIN)]);
    let world = World::start(vec![knowing("A"), knowing("B")], &[]).await;
    let party = world.network.party(Identity::Source("B".into()));
    let incoming = UnboundedReceiverStream::new(party.accept());
    let adapter = SourceAdapterServer::new(Scripted { script, hangs });
    tokio::spawn(server(ServerLimits::default()).add_service(adapter).serve_with_incoming(incoming));
    let client = world.client("R8000");
    let id = world.id_of(&anne()).await;
    let asked = Instant::now();
    let answer = client.retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    assert!(asked.elapsed() <= THREE_SECONDS + Duration::from_millis(100));
    let Answer::Complete(record) = answer else { panic!("not sealed") };
    let of_a = record.ledger().rows.iter().filter(|row| row.source_id == "A");
    assert_eq!(of_a.map(|row| row.shown + row.grouped).sum::<u32>(), 1, "the healthy source is not touched");
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    (*record, trail)
}

fn row(record: &Record, dataset: Dataset) -> (Outcome, Option<ReasonCode>, [u32; 3]) {
    let rows = &record.ledger().rows;
    let row = rows.iter().find(|row| row.source_id == "B" && row.dataset() == dataset).expect("a row");
    assert_eq!(row.received, row.shown + row.grouped + row.withheld + row.rejected);
    (row.outcome(), row.reasons.first().map(|r| r.code()), [row.received, row.shown + row.grouped, row.rejected])
}

#[tokio::test(start_paused = true)]
async fn the_good_script_is_answered() {
    let good = told(
        |echo| {
            [
                vec![part(Part::Opened(echo)), entries(Dataset::Allergies, one_allergy())],
                outcomes(Dataset::Allergies, 1),
                vec![end(1)],
            ]
            .concat()
        },
        false,
    );
    assert_eq!(row(&good.await, Dataset::Allergies), (Outcome::Answered, None, [1, 1, 0]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_the_contract_is_rejected_whole() {
    let scripts: [(&str, Script); 7] = [
        ("entries before the opening", |echo| {
            vec![entries(Dataset::Allergies, one_allergy()), part(Part::Opened(echo)), end(1)]
        }),
        ("two openings", |echo| vec![part(Part::Opened(echo.clone())), part(Part::Opened(echo)), end(0)]),
        ("entries after the end", |echo| {
            [
                vec![part(Part::Opened(echo))],
                outcomes(Dataset::Allergies, 0),
                vec![end(0), entries(Dataset::Allergies, one_allergy())],
            ]
            .concat()
        }),
        ("two ends", |echo| {
            [vec![part(Part::Opened(echo))], outcomes(Dataset::Allergies, 0), vec![end(0), end(0)]].concat()
        }),
        ("an end that counts wrong", |echo| {
            [vec![part(Part::Opened(echo))], outcomes(Dataset::Allergies, 0), vec![end(3)]].concat()
        }),
        ("an empty part", |echo| vec![part(Part::Opened(echo)), Ok(FetchResponse { part: None }), end(0)]),
        ("another local id", |echo| {
            let echo = FetchOpened { local_id: "2".into(), ..echo };
            [
                vec![part(Part::Opened(echo)), entries(Dataset::Allergies, one_allergy())],
                outcomes(Dataset::Allergies, 1),
                vec![end(1)],
            ]
            .concat()
        }),
    ];
    for (name, script) in scripts {
        let record = told(script, false).await;
        let (outcome, reason, [received, shown, rejected]) = row(&record, Dataset::Allergies);
        assert_eq!((outcome, shown, received), (Outcome::Rejected, 0, rejected), "{name}");
        assert!(matches!(reason, Some(ReasonCode::Invalid | ReasonCode::OtherPerson)), "{name}: {reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_names_another_person_is_rejected_and_raises_an_alarm() {
    let (record, trail) = heard(
        |echo| {
            let nhs_commitment = vec![7; 32];
            let echo = FetchOpened { nhs_commitment, ..echo };
            let other = vec![plain("B", "x", Dataset::Problems, &format!("of {}", bert().names[0].family))];
            [
                vec![part(Part::Opened(echo)), entries(Dataset::Problems, other)],
                outcomes(Dataset::Problems, 1),
                vec![end(1)],
            ]
            .concat()
        },
        false,
    )
    .await;
    assert_eq!(row(&record, Dataset::Problems), (Outcome::Rejected, Some(ReasonCode::OtherPerson), [1, 0, 1]));
    assert!(!format!("{:?}", record.sections()).contains("Birch"));
    assert_eq!(trail.matches("alarm-other-person").count(), 1, "one alarm for the source, durable");
    assert!(trail.find("alarm-other-person") < trail.find("\"seal\""), "before anything leaves");
    assert!(!trail.contains("Birch"));
}

#[tokio::test(start_paused = true)]
async fn items_of_another_person_that_the_source_left_out_raise_an_alarm_too() {
    let (record, trail) = heard(
        |echo| {
            let mut parts = vec![part(Part::Opened(echo)), entries(Dataset::Allergies, one_allergy())];
            parts.extend(outcomes(Dataset::Allergies, 1));
            if let Some(Ok(FetchResponse { part: Some(Part::Outcomes(said)) })) = parts.last_mut() {
                let allergies = said.outcomes.iter_mut().filter(|outcome| outcome.entries == 1);
                for outcome in allergies {
                    outcome.outcome = Outcome::AnsweredPartial.into();
                    outcome.reasons = vec![Reason { code: ReasonCode::OtherPerson.into(), count: 1 }];
                }
            }
            parts.push(end(1));
            parts
        },
        false,
    )
    .await;
    let told = (Outcome::AnsweredPartial, Some(ReasonCode::OtherPerson), [1, 1, 0]);
    assert_eq!(row(&record, Dataset::Allergies), told);
    assert_eq!(trail.matches("alarm-other-person").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_end_is_no_answer_but_keeps_what_was_whole() {
    let record = told(
        |echo| {
            let mut parts = vec![part(Part::Opened(echo)), entries(Dataset::Allergies, one_allergy())];
            parts.extend(outcomes_of(&ALL_DATASETS[..2], Dataset::Allergies, 1));
            parts.push(entries(Dataset::Problems, vec![plain("B", "p", Dataset::Problems, "asthma")]));
            parts
        },
        false,
    )
    .await;
    assert_eq!(row(&record, Dataset::Allergies), (Outcome::Answered, None, [1, 1, 0]), "whole before the break");
    assert_eq!(row(&record, Dataset::Problems), (Outcome::AnsweredPartial, Some(ReasonCode::BrokenStream), [1, 1, 0]));
    assert_eq!(row(&record, Dataset::Research), (Outcome::NoAnswer, Some(ReasonCode::BrokenStream), [0, 0, 0]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_hangs_midway_is_cut_at_the_deadline() {
    let record = told(|echo| vec![part(Part::Opened(echo)), entries(Dataset::Allergies, one_allergy())], true).await;
    assert_eq!(row(&record, Dataset::Allergies), (Outcome::AnsweredPartial, Some(ReasonCode::Timeout), [1, 1, 0]));
    assert_eq!(row(&record, Dataset::Problems), (Outcome::NoAnswer, Some(ReasonCode::Timeout), [0, 0, 0]));
}

#[tokio::test(start_paused = true)]
async fn bad_entries_cost_only_themselves() {
    let record = told(
        |echo| {
            let mut nameless = allergy("B", "", PENICILLIN);
            nameless.body = vec![1, 2, 3].into();
            let mut odd = allergy("B", "b2", PENICILLIN);
            odd.head.as_mut().expect("a head").assertion = 99;
            let all = [one_allergy(), vec![nameless, odd, Entry::default()]].concat();
            [
                vec![part(Part::Opened(echo)), entries(Dataset::Allergies, all)],
                outcomes(Dataset::Allergies, 4),
                vec![end(4)],
            ]
            .concat()
        },
        false,
    )
    .await;
    let (outcome, reason, counts) = row(&record, Dataset::Allergies);
    assert_eq!((outcome, reason, counts), (Outcome::AnsweredPartial, Some(ReasonCode::EntriesRejected), [4, 2, 2]));
    assert!(format!("{:?}", record.sections()).contains("assertion 99 is not recognised"));
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_cut_at_its_limit_and_what_came_before_stands() {
    let record = told(
        |echo| {
            let big = "x".repeat(60_000);
            let batch = |n: usize| {
                let entry = |m: usize| plain("B", &format!("{n}-{m}"), Dataset::Problems, &big);
                entries(Dataset::Problems, (0..10).map(entry).collect())
            };
            [vec![part(Part::Opened(echo))], (0..40).map(batch).collect()].concat()
        },
        true,
    )
    .await;
    let (outcome, reason, [received, shown, _]) = row(&record, Dataset::Problems);
    assert_eq!((outcome, reason), (Outcome::AnsweredPartial, Some(ReasonCode::OverLimit)));
    // Batches of ten entries of 60 kB each, as many as fit into 16 MiB.
    assert_eq!((received, shown), (270, 270));
}
