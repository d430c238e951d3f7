//! Back to the owner: what a reader reports lies at the source that said it, the owner's answer is read by the reporter's
//! organisation, and the broker keeps no word of either.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use prost::Message as _;
use severn_adapter_sdk::inbox::{Answered, Held, Inbox};
use severn_broker::model::SourceId;
use severn_client::{Client, ClientError};
use severn_link::{Dialler as _, Identity, ServerLimits, server};
use severn_proto::v1::{
    Challenge, ChallengeKind, ChallengeRequest, ChallengeResponse, ChallengeState, Dataset, Demographics,
    ListChallengesRequest, ListTakenRequest, ListTakenResponse, PurposeOfUse, RegistrationRef, ReportedChallenge,
    RequestContext, TakeChallengeRequest, TakeChallengeResponse, TakenChallenge,
    challenge_inbox_server::{ChallengeInbox, ChallengeInboxServer},
    challenges_client::ChallengesClient,
};
use severn_trust::{Clock as _, Commitments, PersonKeys, Proof, SystemEntropy, new_uuid, sha256, verify_trail};
use std::sync::{Arc, Mutex, PoisonError};
use tests::{
    keys::Seeded,
    records::{allergy, anne, bert, plain},
    world::{MadeUp, TABLE, World},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Response, Status, transport::Channel};

const PENICILLIN: (&str, &str) = ("91936005", "Allergy to penicillin");

/// What no broker may keep: part of the reader's note, and of the owner's answer.
const NOTE: &str = "NOTE-CANARY-7f3a";
const ANSWER: &str = "ANSWER-CANARY-91cc";

fn knowing_anne(id: &str) -> MadeUp {
    let entries = vec![allergy(id, "a1", PENICILLIN), plain(id, "p1", Dataset::Problems, "asthma")];
    MadeUp::new(id).knowing("1", anne(), entries)
}

async fn two_sources() -> World {
    World::start(vec![knowing_anne("A"), knowing_anne("B")], &[]).await
}

fn wrong(source: &str, entry_id: &str) -> Challenge {
    Challenge {
        source_id: source.into(),
        dataset: Dataset::Allergies.into(),
        entry_id: entry_id.into(),
        kind: ChallengeKind::Wrong.into(),
        note: format!("she took it in May {NOTE}"),
    }
}

fn whole_record(source: &str) -> Challenge {
    let kind = ChallengeKind::OtherPerson.into();
    Challenge { dataset: Dataset::Demographics.into(), kind, ..wrong(source, "") }
}

async fn report(world: &World, role: &str, challenge: &Challenge) -> Result<ChallengeResponse, ClientError> {
    let id = world.id_of(&anne()).await;
    world.client(role).challenge(&id, &anne(), challenge).await
}

fn inbox(world: &World, source: &str) -> Inbox {
    Inbox::new(Arc::new(world.adapter_disks[source].clone()))
}

fn held(world: &World, source: &str) -> Vec<Held> {
    inbox(world, source).contents().expect("the inbox can be read").held
}

fn trail(world: &World) -> String {
    String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text")
}

fn refused(result: Result<ChallengeResponse, ClientError>, expected: Code, says: &str) {
    match result {
        Err(ClientError::Refused { code, message }) => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        other => panic!("refused expected: {other:?}"),
    }
}

async fn listed(client: &Client) -> Vec<ReportedChallenge> {
    client.list_challenges(None).await.expect("a list").challenges
}

/// Another user, perhaps of another organisation, with the same app.
fn client_of(world: &World, organisation: &str, user: &str, role: &str) -> Client {
    let app = world.network.party(Identity::App("epr".into()));
    let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
    let (gateway, clock, tokens) = (world.gateway.clone(), world.clock.clone(), Seeded::new(77));
    let mut claims = gateway.claims(role, PurposeOfUse::DirectCare, clock.as_ref(), 0);
    claims.org = organisation.into();
    claims.sub = user.into();
    let token = move || {
        let mut fresh = claims.clone();
        fresh.jti = format!("other-{}", tokens.next());
        Ok(gateway.sign(&fresh))
    };
    let entropy = Arc::new(SystemEntropy::default());
    Client::new(channel, world.gateway.app_key.clone(), token, clock, entropy)
}

/// Everything that is logged while it lives, on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        tracing::subscriber::set_default(everything.with_writer(move || log.clone()).finish())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_reaches_its_owner_and_the_answer_its_reporter_and_the_broker_keeps_neither() {
    let log = Log::default();
    let _logging = log.begin();
    let world = two_sources().await;
    let taken = report(&world, "R8000", &wrong("A", "a1")).await.expect("taken");
    assert!(!taken.already_taken);
    let lies = held(&world, "A");
    assert_eq!((lies.len(), held(&world, "B").len()), (1, 0), "only the source that said it is told");
    let owner = &lies[0].taken;
    assert!(owner.note.contains(NOTE));
    assert_eq!(
        (owner.local_id.as_str(), owner.name.as_str(), owner.organisation.as_str()),
        ("1", "Dr Ada Example", "RRK")
    );

    let client = world.client("R8000");
    let before = listed(&client).await;
    assert_eq!(before[0].taken.as_ref().expect("said").state(), ChallengeState::Received);
    let answer = format!("struck out {ANSWER}");
    let answered =
        Answered { id: owner.id, at_ms: world.clock.now_ms(), state: "corrected".into(), note: answer.clone() };
    inbox(&world, "A").answer(&answered).expect("the owner answers");
    let id = world.id_of(&anne()).await;
    for list in [listed(&client).await, client.list_challenges(Some(&id)).await.expect("a list").challenges] {
        let [one] = list.as_slice() else { panic!("{} reported", list.len()) };
        let said = one.taken.as_ref().expect("said");
        assert_eq!((said.state(), said.answer.as_str()), (ChallengeState::Corrected, answer.as_str()));
        assert_eq!((one.enterprise_id.as_str(), one.source_id.as_str()), (id.as_str(), "A"));
        assert_eq!((said.challenge_id.as_str(), said.entry_id.as_str()), (taken.challenge_id.as_str(), "a1"));
    }

    for (name, bytes) in world.disk.files() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(NOTE) && !text.contains(ANSWER), "{name} of the broker keeps a word");
    }
    let own = String::from_utf8_lossy(&world.adapter_disks["A"].files()["audit.log"]).into_owned();
    assert!(!own.contains(NOTE) && !own.contains(ANSWER), "the owner's trail keeps a word");
    assert!(own.contains(&taken.challenge_id), "the owner's trail names the challenge");
    assert!(log.text().contains("a reader challenges an entry"), "the log is heard");
    assert!(!log.text().contains(NOTE) && !log.text().contains(ANSWER), "a log line has a word");
    let trail = trail(&world);
    for said in ["\"action\":\"challenge\"", "\"action\":\"challenge-delivered\"", "\"action\":\"challenges-listed\""] {
        assert!(trail.contains(said), "{said}");
    }
    assert!(trail.find("\"challenge\"") < trail.find("challenge-delivered"), "recorded before it is passed on");
    let report = world.client("R9200").access_report(&id, &anne()).await.expect("a report");
    let actions: Vec<&str> = report.accesses.iter().map(|access| access.action.as_str()).collect();
    assert!(actions.contains(&"challenge") && !actions.contains(&"challenge-delivered"), "{actions:?}");
    let whole = verify_trail(&world.disk, world.trail_key.public()).expect("the trail can be read");
    assert_eq!(whole.faults, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn only_the_reporters_organisation_reads_the_answer() {
    let world = two_sources().await;
    report(&world, "R8000", &wrong("A", "a1")).await.expect("taken");
    assert_eq!(listed(&client_of(&world, "RRK", "u-2", "R8000")).await.len(), 1, "a colleague");
    assert!(listed(&client_of(&world, "RRK", "u-2", "R9001")).await.is_empty(), "who may not see allergies");
    assert!(listed(&client_of(&world, "RBK", "u-1", "R8000")).await.is_empty(), "another organisation");
    let steward = world.client("R9100").list_challenges(None).await;
    assert!(matches!(steward, Err(ClientError::Refused { code: Code::PermissionDenied, .. })), "{steward:?}");
    let of_bert = world.client("R8000").list_challenges(Some("0190b5b0-0000-7000-8000-000000000009")).await;
    assert!(of_bert.expect("a list").challenges.is_empty(), "nothing was reported about somebody else");
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_taken_once() {
    let world = two_sources().await;
    let first = report(&world, "R8000", &wrong("A", "a1")).await.expect("taken");
    let again = report(&world, "R8000", &Challenge { note: "again".into(), ..wrong("A", "a1") }).await.expect("taken");
    assert_eq!((again.already_taken, &again.challenge_id), (true, &first.challenge_id));
    assert_eq!((held(&world, "A").len(), listed(&world.client("R8000")).await.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_is_told_apart_and_nothing_waits_at_the_broker() {
    let world = two_sources().await;
    let delivered = report(&world, "R8000", &wrong("A", "a1")).await.expect("taken");
    reconnect(&world, "A", "nobody");
    refused(
        report(&world, "R8000", &wrong("A", "a1")).await,
        Code::Unavailable,
        "Try again, a repetition is taken once",
    );
    let own = world.client("R8000").list_challenges(None).await.expect("a list");
    assert_eq!(own.silent_source_ids, ["A"]);
    let said = own.challenges[0].taken.as_ref().expect("said");
    assert_eq!((said.state(), &said.challenge_id), (ChallengeState::NoAnswer, &delivered.challenge_id));
    let colleague = client_of(&world, "RRK", "u-2", "R8000").list_challenges(None).await.expect("a list");
    assert!(colleague.challenges.is_empty(), "what a role may see is the source's to say");
    assert_eq!(colleague.silent_source_ids, ["A"]);
    assert!(!trail(&world).contains(NOTE));
    assert_eq!(held(&world, "A").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_takes_no_challenges_is_to_be_telephoned() {
    let world = two_sources().await;
    // An adapter in another language, which does not offer this service.
    let party = world.network.party(Identity::Source("B".into()));
    let incoming = UnboundedReceiverStream::new(party.accept());
    let bare = server(ServerLimits::default()).add_routes(tonic::service::Routes::default());
    tokio::spawn(bare.serve_with_incoming(incoming));
    refused(report(&world, "R8000", &wrong("B", "a1")).await, Code::FailedPrecondition, "telephone it");
    assert!(held(&world, "B").is_empty());
}

/// A source that takes everything and says what it likes.
struct Lying {
    challenge_id: &'static str,
    listed: ListTakenResponse,
}

#[tonic::async_trait]
impl ChallengeInbox for Lying {
    async fn take_challenge(
        &self,
        _: Request<TakeChallengeRequest>,
    ) -> Result<Response<TakeChallengeResponse>, Status> {
        let challenge_id = self.challenge_id.into();
        Ok(Response::new(TakeChallengeResponse { challenge_id, ..TakeChallengeResponse::default() }))
    }

    async fn list_taken(&self, _: Request<ListTakenRequest>) -> Result<Response<ListTakenResponse>, Status> {
        Ok(Response::new(self.listed.clone()))
    }
}

fn lies_at(world: &World, source: &str, lying: Lying) {
    let party = world.network.party(Identity::Source(source.into()));
    let incoming = UnboundedReceiverStream::new(party.accept());
    let inbox = server(ServerLimits::default()).add_service(ChallengeInboxServer::new(lying));
    tokio::spawn(inbox.serve_with_incoming(incoming));
    reconnect(world, source, source);
}

/// From now on the broker reaches `source` where `there` listens.
fn reconnect(world: &World, source: &str, there: &str) {
    let channel = world.network.dial("", &Identity::Source(there.into())).expect("any address will do in memory");
    world.broker.fanout.registry().attach(&SourceId(source.into()), channel);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_breaks_the_contract_harms_nobody_else() {
    let world = two_sources().await;
    report(&world, "R8000", &wrong("A", "a1")).await.expect("taken");
    lies_at(&world, "B", Lying { challenge_id: "no id\u{1b}[2J", listed: ListTakenResponse::default() });
    refused(report(&world, "R8000", &wrong("B", "a1")).await, Code::DataLoss, "broke the contract");
    assert!(!trail(&world).contains("[2J"), "what a source says goes into no trail unchecked");

    // It takes one, and later lists it no more, but lists what nobody sent, in a state that does not exist.
    let strange = TakenChallenge { challenge_id: "strange".into(), state: 99, ..TakenChallenge::default() };
    let listed = ListTakenResponse { challenges: vec![strange], truncated: true };
    let id = "0190b5b0-0000-7000-8000-000000000001";
    lies_at(&world, "B", Lying { challenge_id: id, listed });
    report(&world, "R8000", &wrong("B", "a1")).await.expect("taken");
    let person = world.id_of(&anne()).await;
    let all = world.client("R8000").list_challenges(None).await.expect("a list");
    let said: Vec<(&str, &str, i32)> = all
        .challenges
        .iter()
        .map(|c| (c.source_id.as_str(), c.enterprise_id.as_str(), c.taken.as_ref().expect("said").state))
        .collect();
    assert!(said.contains(&("A", &person, ChallengeState::Received.into())), "{said:?}");
    assert!(said.contains(&("B", &person, ChallengeState::NotListed.into())), "{said:?}");
    assert!(said.contains(&("B", "", 99)), "{said:?}");
    assert!(all.truncated);
    let hers = world.client("R8000").list_challenges(Some(&person)).await.expect("a list");
    assert_eq!(hers.challenges.len(), 2, "what this broker did not pass on is nobody's");

    let endless = TakenChallenge { answer: "x".repeat(5 * 1024 * 1024), ..TakenChallenge::default() };
    let listed = ListTakenResponse { challenges: vec![endless], truncated: false };
    lies_at(&world, "B", Lying { challenge_id: id, listed });
    let all = world.client("R8000").list_challenges(None).await.expect("a list");
    assert_eq!(
        (all.silent_source_ids, all.challenges.len()),
        (vec!["B".to_owned()], 2),
        "more than a message may hold"
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_linked_wrongly_can_be_reported_and_the_answer_outlives_the_link() {
    // Source B keeps Bert's record under Anne's number.
    let mixed_up = MadeUp::new("B").knowing("7", anne(), vec![allergy("B", "b1", PENICILLIN)]);
    let world = World::start(vec![knowing_anne("A"), mixed_up], &[]).await;
    let id = world.id_of(&anne()).await;
    let taken = report(&world, "R8000", &whole_record("B")).await.expect("taken");
    assert!(trail(&world).contains("\"kind\":\"other_person\""));
    let steward = world.client("R9100");
    let decision = steward.decide("a reader says that B means another person").expect("a reason");
    let registration = RegistrationRef { source_id: "B".into(), local_id: "7".into() };
    steward.unlink(registration, &decision).await.expect("unlinked");
    world.sources["B"].know("7", bert(), Vec::new());
    let owner = held(&world, "B").remove(0).taken;
    let answered = Answered { id: owner.id, at_ms: 9, state: "corrected".into(), note: "it was another's".into() };
    inbox(&world, "B").answer(&answered).expect("the owner answers");
    for filter in [None, Some(id.as_str())] {
        let list = world.client("R8000").list_challenges(filter).await.expect("a list").challenges;
        let said = list[0].taken.as_ref().expect("said");
        assert_eq!((said.state(), &said.challenge_id), (ChallengeState::Corrected, &taken.challenge_id));
        assert_eq!(said.entry_id, "");
    }
    refused(report(&world, "R8000", &wrong("B", "b1")).await, Code::NotFound, "no such entry");
}

#[tokio::test(start_paused = true)]
async fn an_entry_under_a_second_local_id_is_found() {
    let twice = knowing_anne("A").knowing("2", anne(), vec![allergy("A", "a2", PENICILLIN)]);
    let world = World::start(vec![twice], &[]).await;
    report(&world, "R8000", &wrong("A", "a2")).await.expect("taken");
    assert_eq!(held(&world, "A")[0].taken.local_id, "2");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_see_an_entry_may_not_challenge_it_and_does_not_learn_whether_it_is_there() {
    let strict = TABLE.replace("datasets = [\"*\"]", "datasets = [\"problems\"]");
    let world = World::start(vec![knowing_anne("A"), knowing_anne("B")], &[("B", &strict)]).await;
    let same = "the source shows you no such entry of this person; retrieve the record again";
    for (role, challenge) in [
        ("R9001", wrong("A", "a1")),
        ("R8000", wrong("B", "a1")),
        ("R8000", wrong("B", "none")),
        ("R8000", wrong("A", "none")),
        ("R8000", wrong("Z", "a1")),
        ("R8000", whole_record("B")),
    ] {
        refused(report(&world, role, &challenge).await, Code::NotFound, same);
    }
    refused(report(&world, "R9100", &wrong("A", "a1")).await, Code::PermissionDenied, "report entries to their owners");
    assert!(held(&world, "A").is_empty() && held(&world, "B").is_empty());
    report(&world, "R8000", &Challenge { dataset: Dataset::Problems.into(), ..wrong("B", "p1") }).await.expect("taken");
}

fn at_the_door(world: &World, own: Identity) -> ChallengesClient<Channel> {
    let broker = Identity::Broker("broker-1".into());
    ChallengesClient::new(world.network.party(own).dial("", &broker).expect("any address will do in memory"))
}

fn context(world: &World, person: &Demographics, datasets: Vec<Dataset>, challenge: Option<&[u8]>) -> RequestContext {
    let (clock, entropy) = (world.clock.as_ref(), SystemEntropy::default());
    let proof = Proof {
        query_id: new_uuid(clock, &entropy),
        issued_s: clock.now_s(),
        datasets,
        purpose: PurposeOfUse::DirectCare,
        person: Commitments::new(&PersonKeys::of(person), &entropy),
        challenge: challenge.map(|bytes| sha256(&[bytes])),
        opening: None,
    };
    let user_token = world.gateway.token("R8000", PurposeOfUse::DirectCare, clock, 1);
    let request_proof = proof.sign(&world.gateway.app_key, &user_token).expect("the app's key signs");
    RequestContext { user_token, request_proof }
}

fn status_of<T>(result: Result<T, Status>, code: Code, says: &str, what: &str) {
    let status = result.err().expect(what);
    assert_eq!(status.code(), code, "{what}: {}", status.message());
    assert!(status.message().contains(says), "{what}: {}", status.message());
    for secret in ["9990000018", "Ash", "1980", NOTE] {
        assert!(!status.message().contains(secret), "{what}: {} tells of a person", status.message());
    }
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_refused_at_the_door_with_the_field_and_what_to_do() {
    let world = two_sources().await;
    let id = world.id_of(&anne()).await;
    let good = wrong("A", "a1").encode_to_vec();
    let allergies = || vec![Dataset::Allergies];
    let signed = |bytes: &[u8]| Some(context(&world, &anne(), allergies(), Some(bytes)));
    let request = |challenge: &[u8]| ChallengeRequest {
        context: signed(challenge),
        enterprise_id: id.clone(),
        challenge: challenge.to_vec(),
    };
    let altered = Challenge { entry_id: "p1".into(), ..wrong("A", "a1") }.encode_to_vec();
    let other_kind = Challenge { kind: 0, ..wrong("A", "a1") }.encode_to_vec();
    let long = Challenge { note: "x".repeat(4097), ..wrong("A", "a1") }.encode_to_vec();
    let bell = Challenge { note: "\u{7}".into(), ..wrong("A", "a1") }.encode_to_vec();
    let problems = || Some(context(&world, &anne(), vec![Dataset::Problems], Some(&good)));
    for (what, request, code, says) in [
        ("no context", ChallengeRequest { context: None, ..request(&good) }, Code::InvalidArgument, "context"),
        ("no person", ChallengeRequest { enterprise_id: "7".into(), ..request(&good) }, Code::InvalidArgument, "UUID"),
        ("no challenge", request(&[]), Code::InvalidArgument, "source_id"),
        ("no message", request(&[0xff]), Code::InvalidArgument, "challenge"),
        ("no kind", request(&other_kind), Code::InvalidArgument, "kind"),
        ("a long note", request(&long), Code::InvalidArgument, "note"),
        ("a bell", request(&bell), Code::InvalidArgument, "note"),
        (
            "another challenge than was signed",
            ChallengeRequest { challenge: altered, ..request(&good) },
            Code::PermissionDenied,
            "does not cover this challenge",
        ),
        (
            "no challenge signed",
            ChallengeRequest { context: Some(context(&world, &anne(), allergies(), None)), ..request(&good) },
            Code::PermissionDenied,
            "does not cover this challenge",
        ),
        (
            "another dataset signed",
            ChallengeRequest { context: problems(), ..request(&good) },
            Code::PermissionDenied,
            "its dataset",
        ),
        (
            "another person",
            ChallengeRequest { context: Some(context(&world, &bert(), allergies(), Some(&good))), ..request(&good) },
            Code::PermissionDenied,
            "find the person again",
        ),
    ] {
        status_of(at_the_door(&world, Identity::App("epr".into())).challenge(request).await, code, says, what);
    }
    let source = at_the_door(&world, Identity::Source("A".into())).challenge(request(&good)).await;
    status_of(source, Code::PermissionDenied, "care apps", "a source at this door");
    let once = request(&good);
    at_the_door(&world, Identity::App("epr".into())).challenge(once.clone()).await.expect("taken");
    let twice = at_the_door(&world, Identity::App("epr".into())).challenge(once).await;
    status_of(twice, Code::Unauthenticated, "answered before", "the same request again");
    let list = ListChallengesRequest { context: signed(&good), enterprise_id: "x".into() };
    let list = at_the_door(&world, Identity::App("epr".into())).list_challenges(list).await;
    status_of(list, Code::InvalidArgument, "enterprise_id", "no id");
    assert_eq!(held(&world, "A").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_trail_nothing_is_passed_on_and_no_answer_is_read() {
    let world = two_sources().await;
    let id = world.id_of(&anne()).await;
    world.disk.set_full(true);
    let client = world.client("R8000");
    refused(client.challenge(&id, &anne(), &wrong("A", "a1")).await, Code::Unavailable, "audit trail");
    assert!(client.list_challenges(None).await.is_err());
    assert!(held(&world, "A").is_empty());
    world.disk.set_full(false);
    client.challenge(&id, &anne(), &wrong("A", "a1")).await.expect("taken when there is room");
}
