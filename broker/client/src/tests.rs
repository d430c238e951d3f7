//! The client against a broker that does right, and against brokers that do wrong in every way we could think of.
//! None but the right answer may be complete.

use crate::*;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message as _;
use severn_link::{Dialler as _, Identity, InMemory, ServerLimits, server};
use severn_proto::v1::{
    Heading, HeadingOutcome,
    record_broker_server::{RecordBroker, RecordBrokerServer},
    retrieve_record_response::Part,
    *,
};
use severn_trust::{Clock, Commitments, PersonKeys, RecordDigest, SigningKey, SystemEntropy, sha256};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio_stream::{Stream, StreamExt as _, wrappers::UnboundedReceiverStream};
use tonic::{Code, Request, Response, Status};

const DATASETS: [Dataset; 2] = [Dataset::Allergies, Dataset::Medications];

/// One thing the fake broker does in a stream.
enum Step {
    Send(Box<Part>),
    Fail,
    Hang,
}

/// Makes what is sent for a query.
type Script = Arc<dyn Fn(&str) -> Vec<Step> + Send + Sync>;

struct Fake {
    script: Script,
    document: Vec<fetch_document_response::Part>,
}

type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl RecordBroker for Fake {
    type RetrieveRecordStream = Parts<RetrieveRecordResponse>;
    type FetchDocumentStream = Parts<FetchDocumentResponse>;

    async fn find_person(&self, request: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        let request = request.into_inner();
        assert!(!request.context.unwrap().user_token.is_empty());
        if request.family.is_empty() {
            return Err(Status::invalid_argument("birth_date: give it with nhs_number"));
        }
        let one = Candidate { enterprise_id: "e1".into(), golden: Some(alice()), ..Candidate::default() };
        let resolution = find_person_response::Resolution::One.into();
        Ok(Response::new(FindPersonResponse { resolution, candidates: vec![one] }))
    }

    async fn retrieve_record(
        &self,
        request: Request<RetrieveRecordRequest>,
    ) -> Result<Response<Self::RetrieveRecordStream>, Status> {
        let proof = proof_of(&request.into_inner().context.unwrap());
        let steps = (self.script)(proof["qid"].as_str().unwrap());
        let stream = tokio_stream::iter(steps).then(|step| async {
            match step {
                Step::Send(part) => Ok(RetrieveRecordResponse { part: Some(*part) }),
                Step::Fail => Err(Status::unavailable("gone")),
                Step::Hang => std::future::pending().await,
            }
        });
        Ok(Response::new(Box::pin(stream)))
    }

    async fn retrieve_record_unary(
        &self,
        _: Request<RetrieveRecordUnaryRequest>,
    ) -> Result<Response<RetrieveRecordUnaryResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn fetch_document(
        &self,
        request: Request<FetchDocumentRequest>,
    ) -> Result<Response<Self::FetchDocumentStream>, Status> {
        let proof = proof_of(&request.into_inner().context.unwrap());
        assert_eq!(proof["datasets"], serde_json::json!(["documents"]));
        let commitments: Commitments = serde_json::from_value(proof["person"].clone()).unwrap();
        let parts = self.document.clone().into_iter().map(move |mut part| {
            if let fetch_document_response::Part::Opened(opened) = &mut part {
                let whose = if opened.title == "bob.pdf" { Demographics::default() } else { alice() };
                let (nhs, demographics) = commitments.echo(&PersonKeys::of(&whose));
                opened.nhs_commitment = nhs.map(Vec::from).unwrap_or_default();
                opened.demographics_commitment = demographics.map(Vec::from).unwrap_or_default();
            }
            Ok(FetchDocumentResponse { part: Some(part) })
        });
        let parts: Vec<_> = parts.collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn access_report(&self, _: Request<AccessReportRequest>) -> Result<Response<AccessReportResponse>, Status> {
        Err(Status::permission_denied("the purpose must be audit or subject_access"))
    }

    async fn list_sources(&self, _: Request<ListSourcesRequest>) -> Result<Response<ListSourcesResponse>, Status> {
        std::future::pending().await
    }
}

fn proof_of(context: &RequestContext) -> serde_json::Value {
    let payload = context.request_proof.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

struct FixedClock;

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        1_774_000_000_000
    }
}

/// A client of a fake broker in this process.
fn client(script: Script, document: Vec<fetch_document_response::Part>) -> Client {
    let network = InMemory::new(Identity::Broker("b1".into()));
    let accepted = UnboundedReceiverStream::new(network.accept());
    let broker = RecordBrokerServer::new(Fake { script, document });
    tokio::spawn(server(ServerLimits::default()).add_service(broker).serve_with_incoming(accepted));
    let app = network.party(Identity::App("app".into()));
    let channel = app.dial("broker:1", &Identity::Broker("b1".into())).unwrap();
    let key = SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"purpose":"direct_care"}"#));
    Client::new(channel, key, FixedToken(token), Arc::new(FixedClock), Arc::new(SystemEntropy::default()))
}

fn alice() -> Demographics {
    Demographics {
        nhs_number: "9434765919".into(),
        birth_date: "1951-03-03".into(),
        names: vec![HumanName { family: "Briggs".into(), given: vec!["Alice".into()], ..HumanName::default() }],
        ..Demographics::default()
    }
}

/// An answer before it is sealed.
struct Made {
    opened: Opened,
    sections: Vec<Section>,
    ledger: Ledger,
}

fn entry(source: &str, dataset: Dataset, id: &str) -> Contribution {
    let provenance = Provenance { organisation: source.into(), retrieved_at_ms: 5, ..Provenance::default() };
    let head = EntryHead {
        entry_id: id.into(),
        dataset: dataset.into(),
        text: format!("{id} text"),
        provenance: Some(provenance),
        ..EntryHead::default()
    };
    Contribution { source_id: source.into(), entry: Some(Entry { head: Some(head), body: "".into() }) }
}

fn item(id: &str, contributions: Vec<Contribution>) -> Item {
    Item { item_id: id.into(), contributions, ..Item::default() }
}

fn row(source: &str, dataset: Dataset, outcome: Outcome, counts: [u32; 5]) -> LedgerRow {
    let [received, shown, grouped, withheld, rejected] = counts;
    LedgerRow {
        source_id: source.into(),
        source_name: format!("Source {source}"),
        dataset: dataset.into(),
        outcome: outcome.into(),
        received,
        shown,
        grouped,
        withheld,
        rejected,
        waited_ms: 7,
        ..LedgerRow::default()
    }
}

fn made(query_id: &str) -> Made {
    let (a, m) = (Dataset::Allergies, Dataset::Medications);
    let opened = Opened {
        query_id: query_id.into(),
        enterprise_id: "e1".into(),
        golden: Some(alice()),
        datasets: DATASETS.iter().map(|d| *d as i32).collect(),
        sources_asked: 2,
        deadline_ms: 3000,
    };
    let allergies = vec![item("1", vec![entry("A", a, "a1")]), item("2", vec![entry("B", a, "b1")])];
    let medications = vec![item("3", vec![entry("A", m, "a2"), entry("B", m, "b2")])];
    let sections =
        vec![Section { dataset: a.into(), items: allergies }, Section { dataset: m.into(), items: medications }];
    let rows = vec![
        row("A", a, Outcome::Answered, [1, 1, 0, 0, 0]),
        row("B", a, Outcome::Withheld, [2, 1, 0, 1, 0]),
        row("A", m, Outcome::Answered, [1, 1, 0, 0, 0]),
        row("B", m, Outcome::Answered, [1, 0, 1, 0, 0]),
    ];
    let heading = |dataset: &i32| Heading {
        dataset: *dataset,
        outcome: HeadingOutcome::Items.into(),
        whole: *dataset == m as i32,
        ..Heading::default()
    };
    let headings = opened.datasets.iter().map(heading).collect();
    Made {
        opened,
        sections,
        ledger: Ledger { rows, summary: "Nothing is missing.".into(), headings, ..Ledger::default() },
    }
}

fn seal(made: &Made) -> Seal {
    let mut digest = RecordDigest::default();
    for section in &made.sections {
        digest.add_section(&section.encode_to_vec());
    }
    let sum = |of: fn(&LedgerRow) -> u32| made.ledger.rows.iter().map(|row| u64::from(of(row))).sum();
    Seal {
        query_id: made.opened.query_id.clone(),
        sections: u32::try_from(made.sections.len()).unwrap(),
        rows: u32::try_from(made.ledger.rows.len()).unwrap(),
        received: sum(|r| r.received),
        shown: sum(|r| r.shown),
        grouped: sum(|r| r.grouped),
        withheld: sum(|r| r.withheld),
        rejected: sum(|r| r.rejected),
        digest: digest.finish(&mut made.ledger.clone()).to_vec(),
        rules_version: "1".into(),
    }
}

fn send(part: Part) -> Step {
    Step::Send(Box::new(part))
}

fn sent(made: Made) -> Vec<Step> {
    let seal = seal(&made);
    let mut steps = vec![send(Part::Opened(made.opened))];
    steps.extend(made.sections.into_iter().map(|s| send(Part::Section(s))));
    steps.extend([send(Part::Ledger(made.ledger)), send(Part::Seal(seal))]);
    steps
}

fn sealed(steps: &mut [Step]) -> &mut Seal {
    match steps.last_mut() {
        Some(Step::Send(part)) => match part.as_mut() {
            Part::Seal(seal) => seal,
            _ => panic!("the last part is no seal"),
        },
        _ => panic!("there is no part"),
    }
}

async fn ask(script: Script) -> Answer {
    let client = client(script, Vec::new());
    client.retrieve("e1", &alice(), &DATASETS, Duration::from_secs(3)).await.unwrap()
}

#[tokio::test]
async fn the_right_answer_is_complete() {
    let answer = ask(Arc::new(|query| sent(made(query)))).await;
    let Answer::Complete(record) = answer else { panic!("{answer:?}") };
    assert_eq!(record.sections().len(), 2);
    assert_eq!(record.summary(), "Nothing is missing.");
    assert_eq!((record.headings().len(), record.discrepancies().len()), (2, 0));
    assert!(record.heading(Dataset::Medications).is_some_and(|heading| heading.whole));
    assert!(record.heading(Dataset::Problems).is_none(), "it was not asked for");
    assert_eq!(record.missing().map(|row| row.source_id.as_str()).collect::<Vec<_>>(), ["B"]);
    assert_eq!(record.person(), Some(&alice()));
    // Content is handed over as it came: clearing times for the digest left no trace.
    let head = record.sections()[0].items[0].contributions[0].entry.as_ref().unwrap().head.as_ref().unwrap();
    assert_eq!(head.provenance.as_ref().unwrap().retrieved_at_ms, 5);
    assert!(!format!("{record:?}").contains("Briggs"));
}

#[tokio::test]
async fn a_wrong_stream_is_never_complete() {
    type Spoil = fn(&mut Vec<Step>);
    let cases: [(&str, Flaw, Spoil); 20] = [
        ("no seal", Flaw::NoSeal, |s| drop(s.pop())),
        ("only opened", Flaw::NoSeal, |s| s.truncate(1)),
        ("ledger missing", Flaw::OutOfOrder, |s| drop(s.remove(3))),
        ("opened missing", Flaw::OutOfOrder, |s| drop(s.remove(0))),
        ("opened twice", Flaw::OutOfOrder, |s| s.insert(1, send(Part::Opened(made("x").opened)))),
        ("section lost", Flaw::WrongCounts, |s| drop(s.remove(1))),
        ("section twice", Flaw::OutOfOrder, |s| s.insert(1, send(Part::Section(made("").sections.remove(0))))),
        ("sections swapped", Flaw::WrongDigest, |s| s.swap(1, 2)),
        ("section after ledger", Flaw::OutOfOrder, |s| s.swap(2, 3)),
        ("section after seal", Flaw::AfterSeal, |s| {
            let section = s.remove(2);
            s.push(section);
        }),
        ("seal twice", Flaw::AfterSeal, |s| {
            let again = sealed(s).clone();
            s.push(send(Part::Seal(again)));
        }),
        ("wrong digest", Flaw::WrongDigest, |s| sealed(s).digest[0] ^= 1),
        ("empty digest", Flaw::WrongDigest, |s| sealed(s).digest.clear()),
        ("seal of another query", Flaw::OtherQuery, |s| sealed(s).query_id = "other".into()),
        ("counts do not add up", Flaw::WrongCounts, |s| sealed(s).received += 1),
        ("counts differ from the rows", Flaw::WrongCounts, |s| {
            sealed(s).received += 1;
            sealed(s).withheld += 1;
        }),
        ("counts overflow", Flaw::WrongCounts, |s| sealed(s).withheld = u64::MAX),
        ("wrong number of sections", Flaw::WrongCounts, |s| sealed(s).sections += 1),
        ("wrong number of rows", Flaw::WrongCounts, |s| sealed(s).rows -= 1),
        ("breaks off after two sections", Flaw::BrokenOff, |s| {
            s.truncate(3);
            s.push(Step::Fail);
        }),
    ];
    for (name, flaw, spoil) in cases {
        let answer = ask(Arc::new(move |query| {
            let mut steps = sent(made(query));
            spoil(&mut steps);
            steps
        }))
        .await;
        assert_eq!(answer.flaw(), Some(flaw), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_answer_is_never_complete_though_it_is_sealed() {
    type Spoil = fn(&mut Made);
    let cases: [(&str, Flaw, Spoil); 20] = [
        ("another person", Flaw::OtherPerson, |m| m.opened.golden.as_mut().unwrap().nhs_number = "9990000018".into()),
        ("another enterprise id", Flaw::OtherPerson, |m| m.opened.enterprise_id = "e2".into()),
        ("nobody", Flaw::Malformed, |m| m.opened.golden = None),
        ("another query", Flaw::OtherQuery, |m| m.opened.query_id = "other".into()),
        ("fewer datasets", Flaw::OtherScope, |m| m.opened.datasets.truncate(1)),
        ("a dataset not asked for", Flaw::OtherScope, |m| m.sections[0].dataset = Dataset::Problems.into()),
        ("an entry of another dataset", Flaw::Malformed, |m| {
            m.sections[0].items[0].contributions = vec![entry("A", Dataset::Problems, "x")];
        }),
        ("an item without an entry", Flaw::Malformed, |m| m.sections[0].items[0].contributions.clear()),
        ("an entry without a head", Flaw::Malformed, |m| {
            m.sections[0].items[0].contributions[0].entry = Some(Entry::default());
        }),
        ("an item id twice", Flaw::Malformed, |m| m.sections[0].items[1].item_id = "1".into()),
        ("a row missing", Flaw::Unaccounted, |m| drop(m.ledger.rows.remove(3))),
        ("a row twice", Flaw::Unaccounted, |m| m.ledger.rows.push(m.ledger.rows[0].clone())),
        ("no summary", Flaw::Unaccounted, |m| m.ledger.summary.clear()),
        ("a heading left out", Flaw::Unaccounted, |m| drop(m.ledger.headings.pop())),
        ("a heading twice", Flaw::Unaccounted, |m| m.ledger.headings[1].dataset = m.ledger.headings[0].dataset),
        ("a heading that says none where there is one", Flaw::Contradicted, |m| {
            m.ledger.headings[0].outcome = HeadingOutcome::NoneKnown.into();
        }),
        ("a heading that calls a part the whole", Flaw::Contradicted, |m| m.ledger.headings[0].whole = true),
        ("more sources asked than accounted for", Flaw::Unaccounted, |m| m.opened.sources_asked = 3),
        ("a row that does not add up", Flaw::WrongCounts, |m| m.ledger.rows[0].grouped = 1),
        ("an item that no row counts", Flaw::WrongCounts, |m| drop(m.sections[0].items.pop())),
    ];
    for (name, flaw, spoil) in cases {
        let answer = ask(Arc::new(move |query| {
            let mut answer = made(query);
            spoil(&mut answer);
            sent(answer)
        }))
        .await;
        assert_eq!(answer.flaw(), Some(flaw), "{name}");
        if matches!(flaw, Flaw::OtherPerson | Flaw::OtherQuery) {
            let received = answer.received();
            assert!(received.opened.is_none() && received.sections.is_empty(), "{name}: another's content was kept");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_broker_is_left_one_second_after_the_deadline() {
    let client = client(
        Arc::new(|query| {
            let mut steps = sent(made(query));
            steps.truncate(2);
            steps.push(Step::Hang);
            steps
        }),
        Vec::new(),
    );
    let begun = tokio::time::Instant::now();
    let answer = client.retrieve("e1", &alice(), &DATASETS, Duration::from_secs(3)).await.unwrap();
    let waited = begun.elapsed();
    assert_eq!(answer.flaw(), Some(Flaw::TimedOut));
    assert_eq!(answer.received().sections.len(), 1, "what came is kept");
    assert!((4000..4100).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!(client.list_sources().await, Err(ClientError::Timeout));
}

#[tokio::test]
async fn parts_come_as_they_are_sent() {
    let client = client(Arc::new(|query| sent(made(query))), Vec::new());
    let mut retrieval = client.retrieve_stream("e1", &alice(), &DATASETS, DEADLINE_DEFAULT).await.unwrap();
    let mut seen = Vec::new();
    while let Some(part) = retrieval.next().await {
        seen.push(format!("{part:?}"));
    }
    assert_eq!(seen, ["Opened(…)", "Section(…)", "Section(…)", "Ledger(…)"]);
    assert_eq!(retrieval.finish().await.unwrap().flaw(), None);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_not_sent() {
    let client = client(Arc::new(|_| panic!("it was sent")), Vec::new());
    let nobody = Demographics::default();
    let day = Duration::from_secs(86_400);
    assert!(matches!(client.retrieve("e1", &nobody, &[], DEADLINE_MAX).await, Err(ClientError::Question(_))));
    assert!(matches!(client.retrieve("e1", &alice(), &[], day).await, Err(ClientError::Question(_))));
    assert!(matches!(client.retrieve("e1", &alice(), &[], Duration::ZERO).await, Err(ClientError::Question(_))));
    assert!(matches!(client.decide("because"), Err(ClientError::Question(_))));
}

#[tokio::test]
async fn a_search_finds_and_a_refusal_says_what_to_do() {
    let client = client(Arc::new(|_| Vec::new()), Vec::new());
    let by_name = Search::Demographics {
        family: "Briggs".into(),
        given: "Alice".into(),
        birth_date: "1951-03-03".into(),
        sex: Sex::Unspecified,
        postcode: String::new(),
        phone: String::new(),
    };
    assert!(matches!(client.find(by_name).await, Ok(Found::One(person)) if person.enterprise_id == "e1"));
    let by_number = Search::NhsNumber { nhs_number: "9434765919".into(), birth_date: String::new() };
    let refused = client.find(by_number).await.unwrap_err().to_string();
    assert_eq!(refused, "the broker refused: birth_date: give it with nhs_number (InvalidArgument)");
    assert!(matches!(
        client.access_report("e1", &alice()).await,
        Err(ClientError::Refused { code: Code::PermissionDenied, .. })
    ));
}

#[tokio::test]
async fn nobody_listening_is_said_plainly() {
    let network = InMemory::new(Identity::App("app".into()));
    let channel = network.dial("broker:1", &Identity::Broker("b1".into())).unwrap();
    let key = SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"purpose":"direct_care"}"#));
    let client = Client::new(channel, key, FixedToken(token), Arc::new(FixedClock), Arc::new(SystemEntropy::default()));
    let error = client.retrieve("e1", &alice(), &[], DEADLINE_DEFAULT).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_document_is_handed_over_only_as_announced() {
    use fetch_document_response::Part::{Chunk, Opened};
    let bytes = b"%PDF-1.7 letter".to_vec();
    let titled = |title: &str, size: usize, of: &[u8]| {
        Opened(DocumentOpened {
            media_type: "application/pdf".into(),
            size: size as u64,
            sha256: sha256(&[of]).to_vec(),
            title: title.into(),
            ..DocumentOpened::default()
        })
    };
    let opened = |size: usize, of: &[u8]| titled("letter.pdf", size, of);
    let chunks = [Chunk(bytes[..4].to_vec()), Chunk(bytes[4..].to_vec())];
    let with = |first: fetch_document_response::Part| [vec![first], chunks.to_vec()].concat();
    let right = with(opened(bytes.len(), &bytes));
    let too_large = usize::try_from(DOCUMENT_BYTES_MAX).unwrap() + 1;
    for (name, parts, error) in [
        ("right", right.clone(), None),
        (
            "another's",
            with(titled("bob.pdf", bytes.len(), &bytes)),
            Some(ClientError::WrongDocument("it is of another person")),
        ),
        ("longer", with(opened(3, &bytes)), Some(ClientError::WrongDocument("it is longer"))),
        ("shorter", right[..2].to_vec(), Some(ClientError::WrongDocument("it is shorter"))),
        ("other", with(opened(bytes.len(), b"x")), Some(ClientError::WrongDocument("its digest differs"))),
        ("too large", with(opened(too_large, &bytes)), Some(ClientError::TooLarge(DOCUMENT_BYTES_MAX))),
        ("unopened", chunks.to_vec(), Some(ClientError::Invalid("a document must begin with what it is"))),
        (
            "twice",
            [right.clone(), right.clone()].concat(),
            Some(ClientError::Invalid("a document must be opened once")),
        ),
    ] {
        let client = client(Arc::new(|_| Vec::new()), parts);
        let got = client.fetch_document("e1", &alice(), "A", "d1").await;
        match error {
            None => assert_eq!(got.unwrap().bytes, bytes, "{name}"),
            Some(error) => assert_eq!(got.unwrap_err(), error, "{name}"),
        }
    }
}
