//! Nothing stays behind (law 1): every clinical text of a federation is marked, the federation is driven through answers
//! and faults with every log line of every library written down, and then logs, the broker's disk and the adapters' disks
//! are searched for the marks, as they are, in hexadecimal and in base64, and for tokens and proofs.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use severn_client::Answer;
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    Coding, Dataset, Entry, EntryBody, EntryHead, EntryStatus, Field, OriginIdentifier, Provenance, PurposeOfUse,
    RequestContext, RetrieveRecordRequest, RetrieveRecordUnaryRequest, SensitivityLabel,
    record_broker_client::RecordBrokerClient,
};
use severn_trust::{ALL_DATASETS, Clock as _, Commitments, PersonKeys, Proof, SystemEntropy, hex, new_uuid};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tests::{
    records::anne,
    world::{Behaviour, MadeUp, World},
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// Stands in every clinical text, and nowhere else.
const MARK: &str = "quixotry";

const THREE_SECONDS: Duration = Duration::from_secs(3);

/// All that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;

    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}

/// An entry of which every text is marked, but its id: the trail names it.
fn marked(entry_id: &str, dataset: Dataset) -> Entry {
    let text = |of: &str| format!("{of} {MARK}");
    let provenance = Provenance {
        organisation: text("organisation"),
        organisation_ods: text("code"),
        system: text("system"),
        author: text("author"),
        author_role: text("role"),
        location: text("location"),
        recorder: text("recorder"),
        retrieved_at_ms: 0,
        source_version: text("version"),
    };
    let head = EntryHead {
        entry_id: entry_id.into(),
        dataset: dataset.into(),
        codings: vec![Coding { system: text("system"), code: text("code"), display: text("display") }],
        text: text("words"),
        status: EntryStatus::Active.into(),
        status_verbatim: text("status"),
        effective_start: text("start"),
        effective_end: text("end"),
        recorded: text("recorded"),
        last_changed: text("changed"),
        distinguishing: vec![Field { name: text("name"), value: text("value") }],
        provenance: Some(provenance),
        origins: vec![OriginIdentifier {
            system: text("system"),
            value: text("origin"),
            organisation_ods: text("organisation"),
        }],
        ..EntryHead::default()
    };
    let body = EntryBody { narrative: text("narrative"), ..EntryBody::default() };
    Entry { head: Some(head), body: body.encode_to_vec().into() }
}

fn changed(entry_id: &str, change: impl FnOnce(&mut EntryHead)) -> Entry {
    let mut entry = marked(entry_id, Dataset::Allergies);
    change(entry.head.as_mut().expect("a head"));
    entry
}

/// One entry of every dataset, and some that break every rule there is.
fn entries() -> Vec<Entry> {
    let sound = ALL_DATASETS.into_iter().map(|dataset| marked(&format!("e{}", dataset as i32), dataset));
    let broken = [
        changed("twice", |head| head.text.push('!')),
        changed("twice", |head| head.text.push('?')),
        changed("withheld", |head| head.labels = vec![SensitivityLabel::SexualHealth.into()]),
        changed("label", |head| head.labels = vec![99]),
        changed("assertion", |head| head.assertion = 99),
        changed("nobody", |head| head.provenance = None),
        changed("long", |head| head.recorded = MARK.repeat(1_000)),
        changed("longer", |head| head.text = MARK.repeat(10_000)),
        changed("status", |head| head.status = 99),
        changed("withdrawn", |head| head.status = EntryStatus::EnteredInError.into()),
    ];
    sound.chain(broken).collect()
}

/// Token and proof of one query, which is asked by hand so that both are known.
async fn ask_by_hand(world: &World, id: &str) -> [String; 2] {
    let (entropy, clock) = (SystemEntropy::default(), world.clock.as_ref());
    let proof = Proof {
        query_id: new_uuid(clock, &entropy),
        issued_s: clock.now_s(),
        datasets: ALL_DATASETS.to_vec(),
        purpose: PurposeOfUse::DirectCare,
        person: Commitments::new(&PersonKeys::of(&anne()), &entropy),
        challenge: None,
        opening: None,
    };
    let user_token = world.gateway.token("R8000", PurposeOfUse::DirectCare, clock, 4711);
    let request_proof = proof.sign(&world.gateway.app_key, &user_token).expect("the app's key signs");
    let context = RequestContext { user_token: user_token.clone(), request_proof: request_proof.clone() };
    let broker = Identity::Broker("broker-1".into());
    let channel = world.network.party(Identity::App("epr".into())).dial("", &broker).expect("a channel in memory");
    let mut app = RecordBrokerClient::new(channel);
    let ask = |context: RequestContext| RetrieveRecordUnaryRequest {
        request: Some(RetrieveRecordRequest {
            context: Some(context),
            enterprise_id: id.to_owned(),
            ..RetrieveRecordRequest::default()
        }),
    };
    app.retrieve_record_unary(ask(context.clone())).await.expect("an answer");
    let forged = RequestContext { request_proof: request_proof.replace('.', ".x"), ..context.clone() };
    assert!(app.retrieve_record_unary(ask(forged)).await.is_err());
    assert!(app.retrieve_record_unary(ask(context)).await.is_err(), "a proof is good once");
    [user_token, request_proof]
}

/// What must not be found, named: the mark in all its forms; the parts of a token or proof that are not its header.
fn secrets(signed: &[String]) -> Vec<(String, Vec<u8>)> {
    let mut secrets = vec![("the mark".to_owned(), MARK.as_bytes().to_vec())];
    secrets.push(("the mark in hexadecimal".to_owned(), hex(MARK.as_bytes()).into_bytes()));
    for before in 0..3 {
        let text = [&b"..."[..before], MARK.as_bytes()].concat();
        let encoded = STANDARD.encode(&text).trim_end_matches('=').to_owned();
        // The first and the last letters depend on what stands beside.
        let inner = encoded[4..encoded.len() - 2].to_owned();
        secrets.push((format!("the mark in base64, {before} on"), inner.into_bytes()));
    }
    for (number, whole) in signed.iter().enumerate() {
        for part in whole.split('.').skip(1) {
            secrets.push((format!("part of signature {number}"), part.as_bytes().to_vec()));
        }
    }
    secrets
}

/// The secrets that stand in a text, whatever the case.
fn found(text: &[u8], secrets: &[(String, Vec<u8>)]) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let stands = |secret: &[u8]| {
        let secret = secret.to_ascii_lowercase();
        text.windows(secret.len()).any(|window| window[0] == secret[0] && window == secret)
    };
    secrets.iter().filter(|(_, secret)| stands(secret)).map(|(what, _)| what.clone()).collect()
}

/// Drives one federation through one behaviour of its second source.
async fn drive(behaviour: Behaviour) -> (World, Vec<String>) {
    let knowing = |id: &str| MadeUp::new(id).knowing("1", anne(), entries());
    let world = World::start(vec![knowing("A"), knowing("B").behaving(behaviour)], &[]).await;
    let (doctor, social_worker) = (world.client("R8000"), world.client("R9001"));
    let id = world.id_of(&anne()).await;
    let answer = doctor.retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    let Answer::Complete(record) = answer else { unreachable!("the answer is sealed") };
    assert!(format!("{:?}", record.sections()).contains(MARK), "it is about something");
    let document = format!("e{}", Dataset::Documents as i32);
    for source in ["A", "B"] {
        drop(doctor.fetch_document(&id, &anne(), source, &document).await);
        drop(doctor.fetch_document(&id, &anne(), source, "none").await);
    }
    drop(social_worker.retrieve(&id, &anne(), &[Dataset::Medications], THREE_SECONDS).await);
    let signed = ask_by_hand(&world, &id).await;
    for disk in [&world.disk, &world.adapter_disks["B"]] {
        disk.set_full(true);
        drop(doctor.retrieve(&id, &anne(), &[], THREE_SECONDS).await);
        disk.set_full(false);
    }
    (world, signed.to_vec())
}

#[tokio::test(start_paused = true)]
async fn no_clinical_text_no_token_and_no_proof_is_left_in_a_log_or_on_a_disk() {
    let log = Log::default();
    tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false).with_writer(log.clone()).init();
    let mut left = Vec::new();
    let mut signed_by_all = Vec::new();
    for behaviour in [
        Behaviour::Answers,
        Behaviour::Slow(Duration::from_secs(5)),
        Behaviour::Hangs,
        Behaviour::Panics,
        Behaviour::Fails,
        Behaviour::Down,
    ] {
        let (world, signed) = drive(behaviour).await;
        let disks = world.adapter_disks.iter().map(|(id, disk)| (id.as_str(), disk)).chain([("broker", &world.disk)]);
        for (owner, disk) in disks {
            for (file, bytes) in disk.files() {
                let found = found(&bytes, &secrets(&signed));
                left.extend(found.iter().map(|what| format!("{what} in {file} of {owner}, source B {behaviour:?}")));
            }
        }
        signed_by_all.extend(signed);
    }
    let logged = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for said in ["reading the source panicked", "source cannot be read", "audit trail not writable", "h2::"] {
        assert!(!found(&logged, &[(String::new(), said.as_bytes().to_vec())]).is_empty(), "the log says {said}");
    }
    left.extend(found(&logged, &secrets(&signed_by_all)).iter().map(|what| format!("{what} in the log")));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn what_is_left_is_found() {
    let signed = ["header.claims.signature".to_owned()];
    let hidden = |text: &str| found(text.as_bytes(), &secrets(&signed)).len();
    assert_eq!(hidden("nothing at all"), 0);
    assert_eq!(hidden("a word of QUIXOTRY"), 1);
    assert_eq!(hidden("claims"), 1);
    assert_eq!(hidden(&hex(b"a quixotry b")), 1);
    for before in ["", "a", "ab"] {
        assert_eq!(hidden(&STANDARD.encode(format!("{before}quixotry of it"))), 1, "{before:?}");
    }
}
