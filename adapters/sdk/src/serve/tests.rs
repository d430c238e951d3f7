mod hostile;

use super::*;
use crate::{
    conformance::{Bench, BenchParts, Question, everything_for},
    made_up::{HELD, MadeUp, Mood, entry, keys},
};
use severn_policy::Rule;
use severn_proto::v1::{
    Dataset, DatasetOutcome, FetchRequest, ReasonCode, SensitivityLabel, fetch_bytes_response, fetch_response::Part,
};
use severn_trust::MemoryDisk;
use std::time::Duration;
use tonic::Code;

const ROLE: &str = "S8000:G8000:R8000";

async fn bench(source: MadeUp, change: impl FnOnce(&mut BenchParts)) -> Bench {
    let mut parts = BenchParts::new(Arc::new(source), keys());
    change(&mut parts);
    Bench::start(parts).await.unwrap()
}

async fn question(bench: &Bench) -> Question {
    bench.question("p1", &HELD).await.unwrap()
}

/// The answer in short: `opened`, `batch allergies 1`, `outcome allergies answered 1`, `end 4`.
fn short(parts: &[FetchResponse]) -> Vec<String> {
    let word = severn_trust::dataset_word;
    let part = |part: &FetchResponse| match part.part.as_ref().unwrap() {
        Part::Opened(_) => vec!["opened".to_owned()],
        Part::Batch(batch) => vec![format!("batch {} {}", word(batch.dataset()), batch.entries.len())],
        Part::Outcomes(several) => {
            let outcome = |one: &DatasetOutcome| format!("outcome {} {}", word(one.dataset()), said(one));
            several.outcomes.iter().map(outcome).collect()
        }
        Part::End(end) => vec![format!("end {}", end.entries)],
    };
    parts.iter().flat_map(part).collect()
}

fn said(outcome: &DatasetOutcome) -> String {
    let mut text = format!("{} {}", severn_trust::outcome_word(outcome.outcome()), outcome.entries);
    for reason in &outcome.reasons {
        text.push_str(&format!(" {}:{}", severn_trust::reason_word(reason.code()), reason.count));
    }
    text
}

fn of(parts: &[FetchResponse], dataset: Dataset) -> String {
    let several = parts.iter().filter_map(|part| match part.part.as_ref().unwrap() {
        Part::Outcomes(several) => Some(&several.outcomes),
        _ => None,
    });
    let mut outcomes = several.flatten().filter(|outcome| outcome.dataset() == dataset).map(said);
    let found = outcomes.next().unwrap();
    assert_eq!(outcomes.next(), None);
    found
}

fn trail(disk: &MemoryDisk) -> String {
    String::from_utf8(disk.files()["audit.log"].clone()).unwrap()
}

#[tokio::test]
async fn an_answer_has_crisis_datasets_first_and_one_outcome_each() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let question = question(&bench).await;
    let parts = bench.fetch(&question).await.unwrap();
    assert_eq!(
        short(&parts),
        [
            "opened",
            "batch allergies 1",
            "outcome allergies answered 1",
            "outcome crisis_plans answered_none 0",
            "batch medications 2",
            "batch documents 1",
            "outcome medications answered 2",
            "outcome documents answered 1",
            "end 4",
        ]
    );
    let Some(Part::Opened(opened)) = &parts[0].part else { panic!("not opened") };
    assert_eq!((opened.nhs_commitment.len(), opened.demographics_commitment.len()), (32, 32));
    assert_eq!(bench.releases(), 2);
    let trail = trail(bench.disk());
    for word in ["m2", "u-1 (A Clinician)", ROLE, "direct_care", &question.query_id.to_string(), "\"person\":\"p1\""] {
        assert!(trail.contains(word), "{word}");
    }
    assert!(!trail.contains("text of"));
}

#[tokio::test]
async fn the_owners_table_decides() {
    let bench = bench(MadeUp::new(), |parts| {
        parts.policy = everything_for(ROLE);
        let rule = |dataset: &str, purpose: &str, withhold| Rule {
            roles: vec!["clinician".into()],
            purposes: vec![purpose.into()],
            datasets: vec![dataset.into()],
            withhold,
            reason_opens: false,
        };
        parts.policy.rules = vec![
            rule("allergies", "direct_care", false),
            rule("allergies", "direct_care", true),
            rule("medications", "emergency", false),
        ];
    })
    .await;
    let mut question = question(&bench).await;
    question.datasets.push(Dataset::Research);
    question.proof_datasets.push(Dataset::Research);
    let parts = bench.fetch(&question).await.unwrap();
    assert_eq!(of(&parts, Dataset::Allergies), "withheld 0 by_owner:0");
    assert_eq!(of(&parts, Dataset::Medications), "not_shared 0 agreement:0");
    assert_eq!(of(&parts, Dataset::Documents), "not_shared 0 agreement:0");
    assert_eq!(of(&parts, Dataset::Research), "not_held 0");
    assert_eq!(short(&parts).last().unwrap(), "end 0");
    let described = bench.client().describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!(described.datasets, [i32::from(Dataset::Medications)]);
}

#[tokio::test]
async fn an_entry_with_a_label_that_may_not_be_seen_stays() {
    let source = MadeUp::new();
    source.add("p1", entry("m3", Dataset::Medications, &[SensitivityLabel::SexualHealth]));
    let mut unknown = entry("m4", Dataset::Medications, &[]);
    unknown.head.as_mut().unwrap().labels = vec![99];
    source.add("p1", unknown);
    source.add_under("p1", Dataset::Allergies, entry("m5", Dataset::Medications, &[]));
    let bench = bench(source, |parts| parts.policy.roles[0].labels.clear()).await;
    let parts = bench.fetch(&question(&bench).await).await.unwrap();
    assert_eq!(of(&parts, Dataset::Medications), "withheld 2 label:2");
    assert_eq!(of(&parts, Dataset::Allergies), "answered_partial 1 unreadable:1");
    let sent = format!("{parts:?}");
    assert!(sent.contains("m2") && !sent.contains("m3") && !sent.contains("m4") && !sent.contains("m5"));
}

#[tokio::test]
async fn what_names_another_person_is_left_out_and_said() {
    for (other_person, failed, said) in [
        (2, false, "answered_partial 2 other_person:2"),
        (1, true, "no_answer 0 other_person:0"),
        (0, true, "no_answer 0 source_failed:0"),
    ] {
        let source = MadeUp::new();
        source.feel(Mood::MixesUp { other_person, failed });
        let bench = bench(source, |_| ()).await;
        let parts = bench.fetch(&question(&bench).await).await.unwrap();
        assert_eq!(of(&parts, Dataset::Medications), said);
    }
}

#[tokio::test]
async fn what_the_source_keeps_back_is_withheld_and_what_it_lacks_is_a_part() {
    for (why, said) in [
        (ReasonCode::ByOwner, "withheld 2 by_owner:0"),
        (ReasonCode::TransferIncomplete, "answered_partial 2 transfer_incomplete:0"),
    ] {
        let source = MadeUp::new();
        source.gives_a_part(why);
        let bench = bench(source, |_| ()).await;
        let parts = bench.fetch(&question(&bench).await).await.unwrap();
        assert_eq!(of(&parts, Dataset::Medications), said);
    }
}

#[tokio::test]
async fn of_a_restricted_person_leaves_nothing_that_locates_them() {
    let made_up = || {
        let source = MadeUp::new();
        let mut located = entry("m3", Dataset::Medications, &[]);
        located.head.as_mut().unwrap().provenance.as_mut().unwrap().location = "Refuge Lane Clinic".into();
        source.add("p1", located);
        source
    };
    let open = bench(made_up(), |_| ()).await;
    let parts = open.fetch(&question(&open).await).await.unwrap();
    assert_eq!(of(&parts, Dataset::Medications), "answered 3");
    assert!(format!("{parts:?}").contains("Refuge Lane"), "nobody restricted this person");
    let told = Question { restricted: true, ..question(&open).await };
    let parts = open.fetch(&told).await.unwrap();
    assert_eq!(of(&parts, Dataset::Medications), "answered_partial 3 label:1", "another source does");
    assert!(!format!("{parts:?}").contains("Refuge Lane"));

    let restricted = made_up();
    restricted.restrict("p1");
    let closed = bench(restricted, |_| ()).await;
    let parts = closed.fetch(&question(&closed).await).await.unwrap();
    assert_eq!(of(&parts, Dataset::Medications), "answered_partial 3 label:1", "the reader is told");
    assert!(!format!("{parts:?}").contains("Refuge Lane"));
}

#[tokio::test]
async fn nothing_leaves_that_is_not_on_record() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let question = question(&bench).await;
    bench.disk().set_full(true);
    let status = bench.fetch(&question).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let (context, statement) = bench.signed(&bench.renewed(&question)).unwrap();
    let request = FetchRequest { context: Some(context), statement: Some(statement) };
    let mut parts = bench.client().fetch(request).await.unwrap().into_inner();
    let first = parts.message().await.unwrap().unwrap();
    assert!(matches!(first.part, Some(Part::Opened(_))));
    assert_eq!(parts.message().await.unwrap_err().code(), Code::Unavailable);
    bench.disk().set_full(false);
    assert!(bench.fetch(&bench.renewed(&question)).await.is_ok());
}

#[tokio::test]
async fn every_refusal_is_on_record_and_reveals_nothing() {
    type Change = fn(&mut Question);
    let cases: [(Change, Code); 9] = [
        (|q| q.claims.aud = "other".into(), Code::Unauthenticated),
        (|q| q.claims.iss = "other".into(), Code::Unauthenticated),
        (|q| q.claims.role = String::new(), Code::Unauthenticated),
        (|q| q.issued_s += 3600, Code::PermissionDenied),
        (|q| q.proof_datasets.retain(|d| *d != Dataset::Allergies), Code::PermissionDenied),
        (|q| q.datasets.push(Dataset::Unspecified), Code::PermissionDenied),
        (|q| q.datasets.push(Dataset::Allergies), Code::PermissionDenied),
        (|q| q.statement_query.clear(), Code::PermissionDenied),
        (|q| q.local_id = "p2".into(), Code::PermissionDenied),
    ];
    let bench = bench(MadeUp::new(), |_| ()).await;
    for (at, (change, code)) in cases.into_iter().enumerate() {
        let mut attack = bench.renewed(&question(&bench).await);
        change(&mut attack);
        let status = bench.fetch(&attack).await.unwrap_err();
        assert_eq!(status.code(), code, "case {at}");
        assert!(!status.message().contains("p2") && !status.message().contains("Okafor"));
        assert_eq!(bench.refusals(), at + 1, "case {at}");
    }
    assert_eq!(bench.releases(), 0);
    let nothing = bench.fetch_signed(FetchRequest::default()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::Unauthenticated);
    assert!(trail(bench.disk()).contains("\"person\":\"p2\""));
}

#[tokio::test]
async fn two_requests_cannot_be_mixed() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let question = question(&bench).await;
    let (context, _) = bench.signed(&question).unwrap();
    let (_, statement) = bench.signed(&bench.renewed(&question)).unwrap();
    let mixed = FetchRequest { context: Some(context), statement: Some(statement) };
    assert_eq!(bench.fetch_signed(mixed).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(bench.refusals(), 1);
}

#[tokio::test]
async fn nobody_but_the_broker_may_ask() {
    for caller in [Identity::Broker("other".into()), Identity::App("conformance".into())] {
        let bench = bench(MadeUp::new(), |parts| parts.caller = caller).await;
        let status = bench.fetch(&question(&bench).await).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(bench.refusals(), 1);
    }
}

#[tokio::test]
async fn a_person_known_twice_is_answered_twice_in_one_query() {
    let source = MadeUp::new();
    source.put("p1-again", "9434765919", "1980-02-01", "Brien");
    let bench = bench(source, |_| ()).await;
    let question = question(&bench).await;
    assert!(bench.fetch(&question).await.is_ok());
    let mut again = question.clone();
    again.local_id = "p1-again".into();
    assert!(bench.fetch(&again).await.is_ok());
    assert!(bench.fetch(&again).await.is_err());
}

#[tokio::test]
async fn a_panic_in_the_source_costs_one_answer() {
    let source = Arc::new(MadeUp::new());
    let bench = Bench::start(BenchParts::new(Arc::clone(&source) as Arc<dyn Source>, keys())).await.unwrap();
    let question = question(&bench).await;
    for mood in [Mood::Panics, Mood::ForgetsOne] {
        source.feel(mood);
        let parts = bench.fetch(&bench.renewed(&question)).await.unwrap();
        assert_eq!(of(&parts, Dataset::Documents), "no_answer 0 source_failed:0");
    }
    source.feel(Mood::Down);
    let parts = bench.fetch(&bench.renewed(&question)).await.unwrap();
    assert_eq!(of(&parts, Dataset::Allergies), "no_answer 0 source_failed:0");
    source.feel(Mood::Well);
    let parts = bench.fetch(&bench.renewed(&question)).await.unwrap();
    assert_eq!(of(&parts, Dataset::Documents), "answered 1");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_read_in_time_does_not_hold_up_the_rest() {
    let source = Arc::new(MadeUp::new());
    let bench = Bench::start(BenchParts::new(Arc::clone(&source) as Arc<dyn Source>, keys())).await.unwrap();
    let question = question(&bench).await;
    for (slow, quick) in [(Dataset::Documents, Dataset::Allergies), (Dataset::Allergies, Dataset::Medications)] {
        source.feel(Mood::HangsOn(slow));
        let asked = Instant::now();
        let parts = bench.fetch(&bench.renewed(&question)).await.unwrap();
        assert_eq!(of(&parts, slow), "no_answer 0 timeout:0");
        assert!(of(&parts, quick).starts_with("answered"), "{}", of(&parts, quick));
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(3000) && took < Duration::from_millis(3200), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_too_many_is_told_at_once() {
    let source = Arc::new(MadeUp::new());
    let mut parts = BenchParts::new(Arc::clone(&source) as Arc<dyn Source>, keys());
    parts.limits.concurrent_max = 1;
    let bench = Bench::start(parts).await.unwrap();
    let question = question(&bench).await;
    source.feel(Mood::HangsOn(Dataset::Allergies));
    let (context, statement) = bench.signed(&question).unwrap();
    let request = FetchRequest { context: Some(context), statement: Some(statement) };
    let under_way = bench.client().fetch(request).await.unwrap();
    let status = bench.fetch(&bench.renewed(&question)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    // A reader that goes away gives its place back.
    drop(under_way);
    tokio::time::sleep(Duration::from_millis(100)).await;
    source.feel(Mood::Well);
    assert!(bench.fetch(&bench.renewed(&question)).await.is_ok());
}

#[tokio::test]
async fn limits_cut_visibly() {
    let source = MadeUp::new();
    (0..30).for_each(|n| source.add("p1", entry(&format!("m-{n}"), Dataset::Medications, &[])));
    let mut large = entry("large", Dataset::Allergies, &[]);
    large.body = vec![0; 70 * 1024].into();
    source.add("p1", large);
    let bench = bench(source, |parts| {
        parts.limits.entries_max = 20;
        parts.limits.batch_bytes_max = 64 * 1024;
    })
    .await;
    let parts = bench.fetch(&question(&bench).await).await.unwrap();
    assert_eq!(of(&parts, Dataset::Allergies), "answered_partial 1 over_limit:1");
    assert_eq!(of(&parts, Dataset::Medications), "answered_partial 19 over_limit:13");
    assert_eq!(of(&parts, Dataset::Documents), "answered_partial 0 over_limit:1");
    assert_eq!(short(&parts).last().unwrap(), "end 20");
}

#[tokio::test]
async fn batches_keep_to_their_size() {
    let source = MadeUp::new();
    for n in 0..10 {
        let mut entry = entry(&format!("big-{n}"), Dataset::Medications, &[]);
        entry.body = vec![0; 20 * 1024].into();
        source.add("p1", entry);
    }
    let bench = bench(source, |parts| parts.limits.batch_bytes_max = 64 * 1024).await;
    let parts = bench.fetch(&question(&bench).await).await.unwrap();
    let batches = short(&parts).into_iter().filter(|line| line.starts_with("batch medications"));
    assert_eq!(batches.collect::<Vec<_>>().len(), 4);
    assert!(parts.iter().all(|part| prost::Message::encoded_len(part) <= 64 * 1024));
    assert_eq!(of(&parts, Dataset::Medications), "answered 12");
}

#[tokio::test]
async fn old_data_says_so() {
    for (as_of_ms, said) in [(1_000, "stale 1 as_of:0"), (i64::MAX, "answered 1")] {
        let source = MadeUp::new();
        source.is_of(as_of_ms);
        let bench = bench(source, |_| ()).await;
        let parts = bench.fetch(&question(&bench).await).await.unwrap();
        assert_eq!(of(&parts, Dataset::Allergies), said);
    }
}

#[tokio::test]
async fn a_document_leaves_whole_and_on_record() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let question = bench.question("p1", &[Dataset::Documents]).await.unwrap();
    let parts = bench.fetch_bytes(&question, "d1").await.unwrap();
    let (mut bytes, mut opened) = (Vec::new(), None);
    for part in parts {
        match part.part.unwrap() {
            fetch_bytes_response::Part::Opened(first) => opened = Some(first),
            fetch_bytes_response::Part::Chunk(chunk) => {
                assert!(chunk.len() <= 256 * 1024);
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    let opened = opened.unwrap();
    assert_eq!((opened.size, bytes.len()), (600 * 1024, 600 * 1024));
    assert_eq!(opened.sha256, severn_trust::sha256(&[&bytes]));
    assert_eq!(bench.releases(), 1);
}

#[tokio::test]
async fn a_document_leaves_only_as_its_entry_may() {
    let source = MadeUp::new();
    source.add("p1", entry("secret", Dataset::Documents, &[SensitivityLabel::MentalHealth]));
    let bench = bench(source, |parts| parts.policy.roles[0].labels.clear()).await;
    let question = bench.question("p1", &[Dataset::Documents]).await.unwrap();
    for (entry_id, code) in [("secret", Code::PermissionDenied), ("none", Code::PermissionDenied)] {
        assert_eq!(bench.fetch_bytes(&bench.renewed(&question), entry_id).await.unwrap_err().code(), code);
    }
    let wide = bench.question("p1", &HELD).await.unwrap();
    assert_eq!(bench.fetch_bytes(&wide, "d1").await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!((bench.releases(), bench.refusals()), (0, 3));
    bench.disk().set_full(true);
    assert_eq!(bench.fetch_bytes(&bench.renewed(&question), "d1").await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn who_takes_too_many_records_waits_and_it_is_on_record() {
    for (limits, why) in [
        ("user_per_minute = 2", "the user's"),
        ("organisation_per_minute = 2", "the organisation's"),
        ("person_per_minute = 2", "the person's"),
    ] {
        let bench = bench(MadeUp::new(), |parts| parts.limits.records = toml::from_str(limits).ok()).await;
        for _ in 0..2 {
            bench.fetch(&question(&bench).await).await.unwrap();
        }
        let released = bench.releases();
        let refused = bench.fetch(&question(&bench).await).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{why}: {refused}");
        assert!(refused.message().contains("wait 30 s"), "{why}: {refused}");
        assert_eq!(bench.releases(), released);
        let trail = trail(bench.disk());
        assert!(trail.contains("refused") && trail.contains("only so many records in a minute"), "{why}: {trail}");
    }
}
