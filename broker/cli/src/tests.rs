//! The commands, against a broker made up in this process.

use crate::{
    args::Cli,
    command::perform,
    made,
    said::{Exit, Failure, Said},
    show::Style,
};
use clap::{CommandFactory as _, Parser as _};
use severn_client::{Client, FixedToken};
use severn_link::{Dialler as _, Identity, InMemory, ServerLimits, server};
use severn_proto::v1::{
    find_person_response::Resolution,
    governance_server::GovernanceServer,
    oversight_server::OversightServer,
    patient_index_server::{PatientIndex, PatientIndexServer},
    record_broker_server::{RecordBroker, RecordBrokerServer},
    retrieve_record_response::Part,
    *,
};
use severn_trust::{Commitments, PersonKeys, SigningKey, SystemClock, SystemEntropy, sha256};
use std::sync::{Arc, LazyLock};
use tokio_stream::{Iter, wrappers::UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming};

mod governance;
mod oversight;

/// A broker that knows one person, and can leave out the seal.
#[derive(Clone, Copy)]
struct Fake {
    resolution: Resolution,
    seals: Seals,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seals {
    Always,
    Never,
}

const SOUND: Fake = Fake { resolution: Resolution::One, seals: Seals::Always };

type Parts<T> = Iter<std::vec::IntoIter<Result<T, Status>>>;

#[tonic::async_trait]
impl RecordBroker for Fake {
    type RetrieveRecordStream = Parts<RetrieveRecordResponse>;
    type FetchDocumentStream = Parts<FetchDocumentResponse>;

    async fn find_person(&self, _: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        let one =
            || Candidate { enterprise_id: made::PERSON.into(), golden: Some(made::alice()), ..Candidate::default() };
        let count = match self.resolution {
            Resolution::One => 1,
            Resolution::Possible => 2,
            _ => 0,
        };
        let candidates = std::iter::repeat_with(one).take(count).collect();
        Ok(Response::new(FindPersonResponse { resolution: self.resolution.into(), candidates }))
    }

    async fn retrieve_record(
        &self,
        request: Request<RetrieveRecordRequest>,
    ) -> Result<Response<Self::RetrieveRecordStream>, Status> {
        let query_id = query_id(&request.into_inner().context.unwrap());
        let mut parts = made::parts(&query_id);
        if self.seals == Seals::Never {
            parts.retain(|part| !matches!(part, Part::Seal(_)));
        }
        let responses: Vec<_> = parts.into_iter().map(|p| Ok(RetrieveRecordResponse { part: Some(p) })).collect();
        Ok(Response::new(tokio_stream::iter(responses)))
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
        let commitments: Commitments =
            serde_json::from_value(proof(&request.into_inner().context.unwrap())["person"].clone()).unwrap();
        let (nhs, demographics) = commitments.echo(&PersonKeys::of(&made::alice()));
        let opened = DocumentOpened {
            size: 4,
            sha256: sha256(&[b"%PDF"]).to_vec(),
            nhs_commitment: nhs.map(Vec::from).unwrap_or_default(),
            demographics_commitment: demographics.map(Vec::from).unwrap_or_default(),
            ..DocumentOpened::default()
        };
        let parts =
            [fetch_document_response::Part::Opened(opened), fetch_document_response::Part::Chunk(b"%PDF".to_vec())];
        let responses: Vec<_> = parts.into_iter().map(|p| Ok(FetchDocumentResponse { part: Some(p) })).collect();
        Ok(Response::new(tokio_stream::iter(responses)))
    }

    async fn access_report(
        &self,
        asked: Request<AccessReportRequest>,
    ) -> Result<Response<AccessReportResponse>, Status> {
        let asked = asked.into_inner();
        let access = Access {
            at_ms: 1_774_000_000_000,
            user: "u1".into(),
            role: "R1".into(),
            organisation_ods: "RBK".into(),
            purpose: PurposeOfUse::DirectCare.into(),
            action: "retrieve".into(),
            shown: 7,
            withheld: 3,
            ..Access::default()
        };
        Ok(Response::new(oversight::page(&asked, access)))
    }

    async fn list_sources(&self, _: Request<ListSourcesRequest>) -> Result<Response<ListSourcesResponse>, Status> {
        Err(Status::permission_denied("no token, no answer\u{1b}[2J"))
    }
}

#[tonic::async_trait]
impl PatientIndex for Fake {
    type FeedStream = Parts<FeedResponse>;

    async fn feed(&self, _: Request<Streaming<FeedRequest>>) -> Result<Response<Self::FeedStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn link(&self, _: Request<LinkRequest>) -> Result<Response<LinkResponse>, Status> {
        Ok(Response::new(LinkResponse { enterprise_id: made::PERSON.into() }))
    }

    async fn unlink(&self, _: Request<UnlinkRequest>) -> Result<Response<UnlinkResponse>, Status> {
        Ok(Response::new(UnlinkResponse { enterprise_id: made::PERSON.into() }))
    }

    async fn tell_apart(&self, request: Request<TellApartRequest>) -> Result<Response<TellApartResponse>, Status> {
        let request = request.into_inner();
        let named = [request.a.unwrap(), request.b.unwrap()].map(|r| format!("{} {}", r.source_id, r.local_id));
        match named == ["M91 4417", "RBK H-00093"] {
            true => Ok(Response::new(TellApartResponse {})),
            false => Err(Status::failed_precondition("these two are one person now; unlink one of them first")),
        }
    }

    async fn postpone(&self, asked: Request<PostponeRequest>) -> Result<Response<PostponeResponse>, Status> {
        match asked.into_inner().until_ms > 1_774_000_000_000 {
            true => Ok(Response::new(PostponeResponse {})),
            false => Err(Status::failed_precondition("these two are not in the review queue")),
        }
    }

    async fn take_back(&self, asked: Request<TakeBackRequest>) -> Result<Response<TakeBackResponse>, Status> {
        match asked.into_inner().decision {
            7 => Ok(Response::new(TakeBackResponse {})),
            _ => Err(Status::failed_precondition("decision 9 by Bo (s2) at RBK came later")),
        }
    }

    async fn decisions(&self, asked: Request<DecisionsRequest>) -> Result<Response<DecisionsResponse>, Status> {
        let asked = asked.into_inner();
        let all = made::decisions().into_iter().filter(|d| asked.before == 0 || d.sequence < asked.before);
        let of_one = all.filter(|d| asked.by.is_empty() || d.by.contains(&asked.by));
        let mut decisions: Vec<StewardDecision> = of_one.collect();
        // So few at once that a client has to read on.
        let truncated = decisions.len() > 2;
        decisions.truncate(2);
        Ok(Response::new(DecisionsResponse { decisions, truncated }))
    }

    async fn review_queue(&self, asked: Request<ReviewQueueRequest>) -> Result<Response<ReviewQueueResponse>, Status> {
        let kinds = asked.into_inner().kinds;
        let pairs = Some(made::pair()).filter(|pair| kinds.is_empty() || kinds.contains(&pair.kind));
        Ok(Response::new(made::queue(pairs.into_iter().collect())))
    }

    async fn source_quality(
        &self,
        asked: Request<SourceQualityRequest>,
    ) -> Result<Response<SourceQualityResponse>, Status> {
        match asked.into_inner().source_id.as_str() {
            "" | "M91" => Ok(Response::new(SourceQualityResponse { sources: vec![made::quality()] })),
            _ => Err(Status::not_found("source_id: the index never heard of this source")),
        }
    }

    async fn own_quality(&self, _: Request<OwnQualityRequest>) -> Result<Response<OwnQualityResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn history(&self, _: Request<HistoryRequest>) -> Result<Response<HistoryResponse>, Status> {
        Ok(Response::new(HistoryResponse::default()))
    }
}

/// The query a proof names.
fn query_id(context: &RequestContext) -> String {
    proof(context)["qid"].as_str().unwrap().to_owned()
}

fn proof(context: &RequestContext) -> serde_json::Value {
    APP_KEY.public().verify(&["severn-proof+jwt"], &context.request_proof).unwrap()
}

/// The app's key, made anew for each run.
static APP_KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap());

/// {"alg":"none"} . {"purpose":"direct_care"} . -
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJwdXJwb3NlIjoiZGlyZWN0X2NhcmUifQ.c2ln";

/// Runs one command line, split at spaces.
async fn run(fake: Fake, line: &str) -> Result<Said, Failure> {
    let network = InMemory::new(Identity::Broker("b1".into()));
    let accepted = UnboundedReceiverStream::new(network.accept());
    tokio::spawn(
        server(ServerLimits::default())
            .add_service(RecordBrokerServer::new(fake))
            .add_service(PatientIndexServer::new(fake))
            .add_service(GovernanceServer::new(fake))
            .add_service(OversightServer::new(fake))
            .serve_with_incoming(accepted),
    );
    let app = network.party(Identity::App("cli".into()));
    let channel = app.dial("broker:1", &Identity::Broker("b1".into())).unwrap();
    let key = APP_KEY.clone();
    let entropy = Arc::new(SystemEntropy::default());
    let client = Client::new(channel, key, FixedToken(TOKEN.into()), Arc::new(SystemClock), entropy);
    let cli = Cli::try_parse_from(std::iter::once("severn").chain(line.split(' '))).unwrap();
    perform(&cli, &client, &Style::default()).await
}

const ALICE: &str =
    "--nhs 9434765919 --born 03-Mar-1951 --datasets alerts,allergies,safeguarding,medications,documents";

#[tokio::test]
async fn a_record_is_found_and_shown() {
    let said = run(SOUND, &format!("record {ALICE}")).await.unwrap();
    assert_eq!(said.exit, Exit::Done);
    assert!(said.text.contains("BRIGGS, Alice May") && said.text.contains("COMPLETE. 11 entries"), "{}", said.text);
    let by_id = run(SOUND, &format!("record {} {ALICE}", made::PERSON)).await.unwrap();
    assert_eq!(by_id.exit, Exit::Done);
    let mark = "source, dataset and entry: ";
    assert!(!said.text.contains(mark));
    let with_ids = run(SOUND, &format!("record {ALICE} --ids")).await.unwrap().text;
    assert_eq!(with_ids.matches(mark).count(), with_ids.matches("said by ").count(), "{with_ids}");
}

#[tokio::test]
async fn json_holds_everything_and_no_terminal_command() {
    let said = run(SOUND, &format!("record --json {ALICE}")).await.unwrap();
    assert!(!said.text.contains('\u{1b}') && said.text.contains("suspected\\u001b[8m"), "{}", said.text);
    let json: serde_json::Value = serde_json::from_str(&said.text).unwrap();
    assert_eq!(json["complete"], true);
    assert_eq!(json["incomplete_because"], serde_json::Value::Null);
    assert_eq!(json["ledger"].as_array().unwrap().len(), 20);
    assert_eq!(json["ledger"][3]["outcome"], "no_answer");
    assert_eq!(json["ledger"][3]["reasons"][0]["code"], "timeout");
    let penicillin = &json["sections"][0]["items"][0];
    assert_eq!(penicillin["conflicts"][0]["other_item_ids"][0], "02");
    let detail = &penicillin["contributions"][0]["body"]["detail"];
    assert_eq!(detail["reactions"][0]["manifestation"], "anaphylaxis");
    assert_eq!(json["sections"][1]["items"][0]["contributions"][0]["entry"]["status"], "unspecified");
    assert_eq!(json["seal"]["received"], 11);
    let deceptive = |section: usize| json["sections"][section]["items"][0]["contributions"][0]["deceptive"].clone();
    assert_eq!((&json["deceptive"], deceptive(1), deceptive(0)), (&true.into(), true.into(), false.into()));
}

#[tokio::test]
async fn without_a_seal_it_is_incomplete_in_every_view() {
    let fake = Fake { seals: Seals::Never, ..SOUND };
    let said = run(fake, &format!("record {ALICE}")).await.unwrap();
    assert_eq!(said.exit, Exit::Incomplete);
    assert!(said.text.contains("INCOMPLETE"), "{}", said.text);
    let said = run(fake, &format!("record --json {ALICE}")).await.unwrap();
    assert_eq!(said.exit, Exit::Incomplete);
    let json: serde_json::Value = serde_json::from_str(&said.text).unwrap();
    assert_eq!(json["complete"], false);
    assert!(json["incomplete_because"].as_str().unwrap().contains("seal"));
}

#[tokio::test]
async fn nobody_is_guessed() {
    for resolution in [Resolution::Possible, Resolution::Nobody, Resolution::TooMany] {
        let fake = Fake { resolution, ..SOUND };
        for command in ["find --nhs 9434765919 --born 03-Mar-1951".to_owned(), format!("record {ALICE}")] {
            let said = run(fake, &command).await.unwrap();
            assert_eq!(said.exit, Exit::NotOne, "{command}");
            assert!(!said.text.contains("Penicillin"), "{}", said.text);
        }
    }
    assert_eq!(run(SOUND, "find --nhs 9434765919 --born 03-Mar-1951").await.unwrap().exit, Exit::Done);
}

#[tokio::test]
async fn a_person_found_who_is_not_the_one_typed_is_refused() {
    let failure = run(SOUND, "record --nhs 9990000018 --born 1951-03-03").await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Failed);
    assert!(failure.to_string().contains("not the ones given"), "{failure}");
    let said = run(SOUND, &format!("record {} --nhs 9990000018 --datasets alerts", made::PERSON)).await.unwrap();
    assert_eq!(said.exit, Exit::Incomplete);
    assert!(said.text.contains("another person") && !said.text.contains("BRIGGS"), "{}", said.text);
}

#[tokio::test]
async fn a_document_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("letter.pdf");
    let line = format!("document {} RBK h4 --out {} --nhs 9434765919", made::PERSON, out.display());
    let said = run(SOUND, &line).await.unwrap();
    assert!(said.text.starts_with("Wrote 4 bytes"), "{}", said.text);
    assert_eq!(std::fs::read(&out).unwrap(), b"%PDF");
    assert_eq!(run(SOUND, &line).await.unwrap_err().exit(), Exit::Usage);
}

#[tokio::test]
async fn a_report_says_who_looked_and_that_more_did() {
    let said = run(SOUND, "report --nhs 9434765919 --born 1951-03-03").await.unwrap();
    assert!(said.text.contains("20-Mar-2026 09:46  u1") || said.text.contains("20-Mar-2026 09:46 u1"), "{}", said.text);
    assert!(
        said.text.contains("7 entries were shown") && said.text.contains("3 entries were kept back"),
        "{}",
        said.text
    );
    assert!(said.text.contains("2 accesses\nThere are older ones"), "{}", said.text);
}

#[tokio::test]
async fn a_steward_sees_all_of_a_pair_and_tells_it_apart() {
    let said = run(SOUND, "review").await.unwrap();
    assert!(said.text.contains("OKONKWO-BRIGGS, Ali") && said.text.contains("1 pair to decide"), "{}", said.text);
    let said = run(SOUND, "review --json").await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&said.text).unwrap();
    let pair = &json["pairs"][0];
    assert_eq!(pair["a"]["local_id"], "4417");
    assert_eq!(pair["b"]["person"]["birth_date"], "1951-03-30");
    assert_eq!((pair["probability"].as_f64(), pair["bits"].as_f64()), (Some(0.9731), Some(5.18)));
    assert_eq!((&pair["why"], &pair["model_version"]), (&"possibly one person".into(), &"uk-1".into()));
    assert_eq!(pair["kind"], "possible_duplicate");
    assert_eq!(json["waiting"], serde_json::json!({ "number_overlaid": 1, "possible_duplicate": 1 }));
    let overlaid = run(SOUND, "review --kind number_overlaid").await.unwrap();
    assert!(overlaid.text.starts_with("No pair waits"), "{}", overlaid.text);
    assert!(overlaid.text.contains("Waiting in all: number overlaid 1, possible"), "{}", overlaid.text);
    let phone = serde_json::json!({ "field": "phone", "level": "different", "weight_bits": -9.0 });
    assert_eq!(pair["reasons"][5], phone);
    let line = "different M91 4417 RBK H-00093 --reason seen-them-both";
    assert!(run(SOUND, line).await.unwrap().text.starts_with("Told apart."));
    assert_eq!(run(SOUND, &format!("{line} --json")).await.unwrap().text, "{\n  \"told_apart\": true\n}\n");
    let refused = run(SOUND, "different M91 4417 RBK 7 --reason seen-them-both").await.unwrap_err();
    assert!(refused.to_string().contains("unlink one of them first"), "{refused}");
}

#[tokio::test]
async fn a_pair_is_decided_later() {
    let said = run(SOUND, "later M91 4417 RBK 7 --until 2026-12-24 --reason asked-the-practice").await.unwrap();
    assert!(said.text.starts_with("Later. The pair comes back on 24-Dec-2026 00:00"), "{}", said.text);
    assert!(run(SOUND, "later M91 4417 RBK 7 --days 3 --reason asked-the-practice").await.is_ok());
    let refused = run(SOUND, "later M91 4417 RBK 7 --until 2001-01-01 --reason asked-the-practice").await.unwrap_err();
    assert!(refused.to_string().contains("not in the review queue"));
    let wrong = run(SOUND, "later M91 4417 RBK 7 --until soon --reason asked-the-practice").await.unwrap_err();
    assert_eq!((wrong.exit(), wrong.to_string().contains("--until: give a day")), (Exit::Usage, true));
    for line in ["later A 1 B 2 --reason asked-the-practice", "later A 1 B 2 --days 3 --until 2026-12-24 --reason x"] {
        assert!(Cli::try_parse_from(std::iter::once("severn").chain(line.split(' '))).is_err(), "{line}");
    }
}

#[tokio::test]
async fn decisions_are_listed_to_the_last() {
    let said = run(SOUND, "decisions").await.unwrap();
    let expected = "\
9 20-Mar-2026 09:55 postponed: M91 4417, RBK H-00093
    Bo (s2) at RBK: same face on both cards
    until 31-Mar-2026 23:33
7 20-Mar-2026 09:53 linked: M91 4417, RBK H-00093
    Ann (s1) at M91: same face on both cards
5 20-Mar-2026 09:51 unlinked: M91 4417, RBK H-00093
    Ann (s1) at M91: same face on both cards
    taken back by decision 8
3 20-Mar-2026 09:49 told-apart: M91 4417, RBK H-00093
    Ann (s1) at M91: same face on both cards
4 decisions
";
    assert_eq!(said.text, expected, "\n{}", said.text);
    let said = run(SOUND, "decisions --by s2 --since 2026-01-01 --json").await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&said.text).unwrap();
    assert_eq!((json["decisions"].as_array().unwrap().len(), &json["decisions"][0]["sequence"]), (1, &9.into()));
}

#[tokio::test]
async fn undoing_says_first_what_it_would_do_and_then_what_stays() {
    let line = "undo --by s1 --since 2026-03-20 --reason all-seen-through-a-wrong-list";
    let dry = run(SOUND, &format!("{line} --dry-run")).await.unwrap();
    assert!(dry.text.ends_with("2 decisions would be taken back; nothing was changed\n"), "{}", dry.text);
    let said = run(SOUND, line).await.unwrap();
    assert_eq!(said.exit, Exit::Failed, "not all of it could be done");
    let (first, second) = (said.text.find("7 20-Mar").unwrap(), said.text.find("3 20-Mar").unwrap());
    assert!(first < second, "the newest first");
    assert!(said.text.contains("    taken back\n"), "{}", said.text);
    assert!(said.text.contains("STAYS: decision 9 by Bo (s2) at RBK came later"), "{}", said.text);
    assert!(said.text.ends_with("1 decisions taken back, 1 stay\n"), "{}", said.text);
    let json: serde_json::Value =
        serde_json::from_str(&run(SOUND, &format!("{line} --json")).await.unwrap().text).unwrap();
    assert_eq!((&json["undone"][0]["became"], &json["undone"][1]["became"]), (&"taken_back".into(), &"stays".into()));
}

#[tokio::test]
async fn a_steward_sees_how_good_a_source_is() {
    let said = run(SOUND, "quality M91").await.unwrap();
    let shown: Vec<&str> = said.text.lines().map(str::trim).collect();
    assert_eq!(shown[0], "M91: 40000 registrations, 20-Mar-2026 09:46");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(shown[2]), "NHS number missing 2 4 50.00%");
    assert_eq!(shown[3], "local ids: 17, 4417");
    assert_eq!(words(shown[4]), "sex unknown 1 40000 <0.01%", "what was not found is left out");
    let json: serde_json::Value = serde_json::from_str(&run(SOUND, "quality --json").await.unwrap().text).unwrap();
    let rate = serde_json::json!({ "finding": "nhs_number_missing", "count": 2, "of": 4, "local_ids": ["17", "4417"] });
    assert_eq!(json["sources"][0]["rates"][0], rate);
    assert!(run(SOUND, "quality Z99").await.unwrap_err().to_string().contains("never heard"));
}

#[tokio::test]
async fn mistakes_are_usage_and_refusals_are_said() {
    for (line, message) in [
        ("record", "say who is meant"),
        ("record e1", "so that no other person can be shown"),
        (
            "record --nhs 9434765919 --born 1951-03-03 --datasets allergys",
            "\"allergys\" is no dataset; there are alerts",
        ),
        ("review --kind overlaid", "\"overlaid\" is no kind of task; there are changed_into_somebody_else"),
        ("link A 1 B 2 --reason because", "at least 10 characters"),
        ("different A 1 B 2 --reason because", "at least 10 characters"),
    ] {
        let failure = run(SOUND, line).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{line}");
        assert!(failure.to_string().contains(message), "{failure}");
    }
    let refused = run(SOUND, "sources").await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Failed);
    assert!(refused.to_string().contains("no token, no answer"), "{refused}");
    assert!(Cli::try_parse_from(["severn", "record", "--deadline-ms", "10001"]).is_err());
    Cli::command().debug_assert();
}
