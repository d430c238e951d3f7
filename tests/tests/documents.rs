//! Documents: whose bytes reach whom, what the trail says of it, and what a source that lies about one achieves.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use severn_client::{ClientError, Document};
use severn_link::{Identity, ServerLimits, server};
use severn_proto::v1::{
    Dataset, Demographics, DescribeRequest, DescribeResponse, DocumentOpened, FetchBytesRequest, FetchBytesResponse,
    FetchRequest, FetchResponse, PurposeOfUse,
    fetch_bytes_response::Part,
    source_adapter_server::{SourceAdapter, SourceAdapterServer},
};
use severn_trust::sha256;
use std::time::Duration;
use tests::{
    bench::canned::opened_about,
    records::{anne, bert, plain},
    world::{MadeUp, World},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Response, Status};

const LETTER: &[u8] = b"Dear colleague";

/// A source that says of its one document what a script makes of the truth.
struct Scripted {
    whose: Demographics,
    script: Script,
    /// Before every part but the first.
    pause: Duration,
}

type Script = fn(DocumentOpened) -> Vec<Option<Part>>;

#[tonic::async_trait]
impl SourceAdapter for Scripted {
    type FetchStream = BoxStream<'static, Result<FetchResponse, Status>>;
    type FetchBytesStream = BoxStream<'static, Result<FetchBytesResponse, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse::default()))
    }

    async fn fetch(&self, _: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        Err(Status::unavailable("documents only"))
    }

    async fn fetch_bytes(
        &self,
        request: Request<FetchBytesRequest>,
    ) -> Result<Response<Self::FetchBytesStream>, Status> {
        let asked = request.get_ref();
        let about = (asked.context.as_ref(), asked.statement.as_ref());
        let (_, echo) = opened_about(about, &self.whose).expect("a statement and a proof");
        let opened = DocumentOpened {
            media_type: "text/plain".into(),
            size: LETTER.len() as u64,
            sha256: sha256(&[LETTER]).to_vec(),
            title: "letter.txt".into(),
            nhs_commitment: echo.nhs_commitment,
            demographics_commitment: echo.demographics_commitment,
        };
        let pause = self.pause;
        let parts = stream::iter((self.script)(opened)).enumerate().then(move |(at, part)| async move {
            tokio::time::sleep(if at == 0 { Duration::ZERO } else { pause }).await;
            Ok(FetchBytesResponse { part })
        });
        Ok(Response::new(parts.boxed()))
    }
}

fn letter_of(source: &str) -> MadeUp {
    MadeUp::new(source).knowing("1", anne(), vec![plain(source, "letter", Dataset::Documents, "Clinic letter")])
}

fn trail(world: &World) -> String {
    String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_document_is_fetched_from_its_owner_and_on_record_before_it_leaves() {
    let world = World::start(vec![letter_of("A")], &[]).await;
    let client = world.client("R8000");
    let id = world.id_of(&anne()).await;
    let document = client.fetch_document(&id, &anne(), "A", "letter").await.expect("the document");
    assert_eq!(document.bytes.len(), "the document letter".len() * 50_000);
    let trail = trail(&world);
    let sent = trail.lines().find(|line| line.contains("\"document-sent\"")).expect("what left is in the trail");
    for word in ["\"entry\":\"letter\"", "\"size\":950000", "\"source\":\"A\"", "\"digest\":"] {
        assert!(sent.contains(word), "{word} is missing: {sent}");
    }
    assert!(!trail.contains("the document letter"), "the trail holds no content");
    let report = world.client_for("R9200", PurposeOfUse::Audit).access_report(&id, &anne()).await.expect("a report");
    let access = report.accesses.iter().find(|access| access.action == "document").expect("the access is reported");
    assert_eq!((access.shown, access.sources.as_slice()), (1, ["A".to_owned()].as_slice()));

    for (client, source, entry) in
        [(&client, "A", "another"), (&client, "B", "letter"), (&world.client("R9001"), "A", "letter")]
    {
        let refused = client.fetch_document(&id, &anne(), source, entry).await;
        assert!(matches!(refused, Err(ClientError::Refused { .. })), "{source} {entry}: {refused:?}");
    }
    let (sent, refused) = ("\"document-sent\"", "\"refused\"");
    let trail = self::trail(&world);
    assert_eq!((trail.matches(sent).count(), trail.matches(refused).count()), (1, 3), "each has its outcome");
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_recorded_does_not_leave() {
    let world = World::start(vec![letter_of("A")], &[]).await;
    let client = world.client("R8000");
    let id = world.id_of(&anne()).await;
    world.disk.set_full(true);
    let refused = client.fetch_document(&id, &anne(), "A", "letter").await;
    assert!(matches!(refused, Err(ClientError::Refused { code: Code::Unavailable, .. })), "{refused:?}");
}

/// What a reader gets when source B says of the document what `script` makes of the truth, and the broker's trail.
async fn got(whose: Demographics, script: Script) -> (Result<Document, ClientError>, String) {
    got_slowly(whose, script, Duration::ZERO).await
}

/// The same, of a source that pauses before every part but the first.
async fn got_slowly(whose: Demographics, script: Script, pause: Duration) -> (Result<Document, ClientError>, String) {
    let world = World::start(vec![letter_of("B")], &[]).await;
    let party = world.network.party(Identity::Source("B".into()));
    let incoming = UnboundedReceiverStream::new(party.accept());
    let adapter = SourceAdapterServer::new(Scripted { whose, script, pause });
    tokio::spawn(server(ServerLimits::default()).add_service(adapter).serve_with_incoming(incoming));
    let client = world.client("R8000");
    let id = world.id_of(&anne()).await;
    let document = client.fetch_document(&id, &anne(), "B", "letter").await;
    (document, trail(&world))
}

fn opened(opened: DocumentOpened) -> Option<Part> {
    Some(Part::Opened(opened))
}

fn chunk(bytes: &[u8]) -> Option<Part> {
    Some(Part::Chunk(bytes.to_vec()))
}

#[tokio::test(start_paused = true)]
async fn a_source_that_says_the_truth_is_passed_on() {
    let (document, trail) =
        got(anne(), |as_it_is| vec![opened(as_it_is), chunk(&LETTER[..4]), chunk(&LETTER[4..])]).await;
    assert_eq!(document.expect("the document").bytes, LETTER);
    assert!(!trail.contains("alarm"));
}

#[tokio::test(start_paused = true)]
async fn another_persons_document_is_not_shown_and_raises_an_alarm() {
    let (document, trail) = got(bert(), |as_it_is| vec![opened(as_it_is), chunk(LETTER)]).await;
    let Err(ClientError::Refused { code, message }) = document else { panic!("refused: {document:?}") };
    assert_eq!(code, Code::DataLoss);
    assert!(message.contains("another person"), "{message}");
    assert_eq!(trail.matches("alarm-other-person").count(), 1, "durable");
    assert!(!trail.contains("document-sent"));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_breaks_the_contract_is_not_passed_on() {
    let scripts: [(&str, Script); 6] = [
        ("nothing", |_| vec![]),
        ("an empty part", |_| vec![None]),
        ("bytes before the opening", |as_it_is| vec![chunk(LETTER), opened(as_it_is)]),
        ("64 MiB and a byte", |as_it_is| {
            vec![opened(DocumentOpened { size: (64 << 20) + 1, ..as_it_is }), chunk(LETTER)]
        }),
        ("more than announced", |as_it_is| vec![opened(as_it_is), chunk(LETTER), chunk(b"!")]),
        ("opened twice", |as_it_is| vec![opened(as_it_is.clone()), opened(as_it_is), chunk(LETTER)]),
    ];
    for (name, script) in scripts {
        let (document, trail) = got(anne(), script).await;
        assert!(matches!(document, Err(ClientError::Refused { .. })), "{name}: {document:?}");
        let begun = matches!(name, "more than announced" | "opened twice");
        assert_eq!(trail.contains("document-sent"), begun, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_document_arrives_and_one_that_stands_still_is_given_up() {
    let letter: Script = |as_it_is| {
        let chunks = LETTER.iter().map(|byte| chunk(&[*byte]));
        std::iter::once(opened(as_it_is)).chain(chunks).collect()
    };
    for (pause, arrives) in [(2, true), (11, false), (5, false)] {
        let (document, _) = got_slowly(anne(), letter, Duration::from_secs(pause)).await;
        assert_eq!(document.is_ok(), arrives, "a byte each {pause} s: {document:?}");
    }
}
