//! Bad input at every door of the broker: each is refused with the field and what to do, none is half done, and no
//! refusal says anything of a person.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    AccessReportRequest, Dataset, DecisionsRequest, FeedAnnounce, FeedHello, FeedRequest, FetchDocumentRequest,
    FindPersonRequest, HistoryRequest, LinkRequest, ListSourcesRequest, OwnQualityRequest, PostponeRequest,
    PurposeOfUse, RegistrationRef, RequestContext, RetrieveRecordRequest, RetrieveRecordUnaryRequest,
    ReviewQueueRequest, SourceQualityRequest, TakeBackRequest, TellApartRequest, UnlinkRequest, feed_announce::Change,
    feed_request::Message, patient_index_client::PatientIndexClient, record_broker_client::RecordBrokerClient,
};
use severn_trust::{ALL_DATASETS, Clock as _, Commitments, PersonKeys, Proof, SystemEntropy, new_uuid};
use tests::{
    records::{allergy, anne, registration},
    world::{MadeUp, World},
};
use tonic::{Code, Request, Status, transport::Channel};

const SOMEBODY: &str = "0190b5b0-0000-7000-8000-000000000009";

async fn world() -> World {
    let entries = vec![allergy("A", "a1", ("91936005", "Allergy to penicillin"))];
    World::start(vec![MadeUp::new("A").knowing("1", anne(), entries)], &[]).await
}

fn channel(world: &World, own: Identity) -> Channel {
    let broker = Identity::Broker("broker-1".into());
    world.network.party(own).dial("", &broker).expect("any address will do in memory")
}

fn app(world: &World) -> RecordBrokerClient<Channel> {
    RecordBrokerClient::new(channel(world, Identity::App("epr".into())))
}

fn steward(world: &World) -> PatientIndexClient<Channel> {
    PatientIndexClient::new(channel(world, Identity::App("epr".into())))
}

/// A context that is good once, for a user with `role`.
fn context(world: &World, role: &str) -> Option<RequestContext> {
    context_for(world, role, ALL_DATASETS.to_vec())
}

fn context_for(world: &World, role: &str, datasets: Vec<Dataset>) -> Option<RequestContext> {
    let entropy = SystemEntropy::default();
    let clock = world.clock.as_ref();
    let proof = Proof {
        query_id: new_uuid(clock, &entropy),
        issued_s: clock.now_s(),
        datasets,
        purpose: PurposeOfUse::DirectCare,
        person: Commitments::new(&PersonKeys::of(&anne()), &entropy),
        challenge: None,
        opening: None,
    };
    let user_token = world.gateway.token(role, PurposeOfUse::DirectCare, clock, 1);
    let request_proof = proof.sign(&world.gateway.app_key, &user_token).expect("the app's key signs");
    Some(RequestContext { user_token, request_proof })
}

fn refused<T>(result: Result<T, Status>, code: Code, names: &str, what: &str) {
    let status = result.err().expect(what);
    assert_eq!(status.code(), code, "{what}: {}", status.message());
    assert!(status.message().contains(names), "{what}: {:?} does not name {names:?}", status.message());
    for secret in ["9990000018", "Ash", "Anne", "1980"] {
        assert!(!status.message().contains(secret), "{what}: {} tells of a person", status.message());
    }
}

fn by_number(nhs_number: &str, birth_date: &str) -> FindPersonRequest {
    let (nhs_number, birth_date) = (nhs_number.into(), birth_date.into());
    FindPersonRequest { nhs_number, birth_date, ..FindPersonRequest::default() }
}

fn by_local_id(source_id: &str, local_id: &str) -> FindPersonRequest {
    let (source_id, local_id) = (source_id.into(), local_id.into());
    FindPersonRequest { source_id, local_id, ..FindPersonRequest::default() }
}

fn by_name(family: &str, given: &str, postcode: &str) -> FindPersonRequest {
    let (family, given, postcode) = (family.into(), given.into(), postcode.into());
    FindPersonRequest { family, given, postcode, birth_date: "1980-02-01".into(), ..FindPersonRequest::default() }
}

#[tokio::test(start_paused = true)]
async fn a_search_says_which_field_is_wrong() {
    let world = world().await;
    let born = "1980-02-01";
    for (what, request, names) in [
        ("nothing", FindPersonRequest::default(), "give nhs_number and birth_date"),
        ("a wrong check digit", by_number("9990000019", born), "check digit"),
        ("nine digits", by_number("999000001", born), "ten digits"),
        ("a placeholder", by_number("0000000000", born), "placeholder"),
        ("no birth date", by_number("9990000018", ""), "birth_date"),
        ("a partial date", by_number("9990000018", "1980-02"), "birth_date"),
        ("31 February", by_number("9990000018", "1980-02-31"), "birth_date"),
        ("a date in another order", by_number("9990000018", "01/02/1980"), "birth_date"),
        ("a source without local id", by_local_id("A", ""), "give both"),
        ("a local id of 300 bytes", by_local_id("A", &"9".repeat(300)), "local_id"),
        ("a control character", by_name("A\u{1b}[2J", "B", ""), "family"),
        ("a name of 500 characters", by_name(&"x".repeat(500), "B", ""), "family"),
        ("no name", by_name("", "", "B15 2TH"), "family"),
        ("initials", by_name("A", "B", ""), "an initial is not enough"),
        ("a wildcard", by_name("Ash", "A*", ""), "wildcards are not read"),
        ("an area", by_name("Ash", "Anne", "B"), "postcode"),
        (
            "a name and a district",
            FindPersonRequest { birth_date: String::new(), ..by_name("Ash", "", "B15") },
            "birth_date",
        ),
        ("six years", FindPersonRequest { birth_date: "1980/1986".into(), ..by_name("Ash", "", "") }, "five years"),
        (
            "years turned round",
            FindPersonRequest { birth_date: "1986/1984".into(), ..by_name("Ash", "", "") },
            "five years",
        ),
        ("a long postcode", by_name("Ash", "B", &"B".repeat(40)), "postcode"),
        ("a long phone", FindPersonRequest { phone: "9".repeat(40), ..by_name("A", "B", "") }, "phone"),
        ("no phone", FindPersonRequest { phone: "ask Anne".into(), ..by_name("A", "B", "") }, "phone"),
        ("no date to a name", FindPersonRequest { birth_date: String::new(), ..by_name("Ash", "B", "") }, "birth_date"),
        ("the 13th month", FindPersonRequest { birth_date: "1980-13".into(), ..by_name("Ash", "B", "") }, "birth_date"),
        ("two digits", FindPersonRequest { birth_date: "80".into(), ..by_name("Ash", "B", "") }, "birth_date"),
    ] {
        let request = FindPersonRequest { context: context(&world, "R8000"), ..request };
        refused(app(&world).find_person(request).await, Code::InvalidArgument, names, what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retrieval_says_which_field_is_wrong() {
    let world = world().await;
    let good =
        RetrieveRecordRequest { context: context(&world, "R8000"), enterprise_id: SOMEBODY.into(), deadline_ms: 0 };
    for (what, request, names) in [
        ("no context", RetrieveRecordRequest { context: None, ..good.clone() }, "context"),
        ("no person", RetrieveRecordRequest { enterprise_id: String::new(), ..good.clone() }, "enterprise_id"),
        ("a path", RetrieveRecordRequest { enterprise_id: "../../etc/passwd".into(), ..good.clone() }, "enterprise_id"),
        ("an hour", RetrieveRecordRequest { deadline_ms: 3_600_000, ..good.clone() }, "deadline_ms"),
        ("a millisecond", RetrieveRecordRequest { deadline_ms: 1, ..good.clone() }, "deadline_ms"),
    ] {
        refused(app(&world).retrieve_record(request).await, Code::InvalidArgument, names, what);
    }
    let nothing = RetrieveRecordRequest {
        context: context_for(&world, "R8000", Vec::new()),
        enterprise_id: SOMEBODY.into(),
        deadline_ms: 0,
    };
    let answer = app(&world).retrieve_record(nothing).await.expect("a stream").into_inner().message().await;
    refused(answer, Code::InvalidArgument, "no dataset", "a proof that names no dataset");
    let empty = RetrieveRecordUnaryRequest { request: None };
    refused(app(&world).retrieve_record_unary(empty).await, Code::InvalidArgument, "request", "an empty request");
    let unknown = RetrieveRecordUnaryRequest { request: Some(good) };
    refused(app(&world).retrieve_record_unary(unknown).await, Code::NotFound, "find the person again", "nobody");
}

#[tokio::test(start_paused = true)]
async fn without_an_acceptable_token_and_proof_no_door_opens() {
    let world = world().await;
    let good = context(&world, "R8000").expect("a context");
    let other = context(&world, "R8000").expect("a context");
    let find = |context: Option<RequestContext>| FindPersonRequest {
        context,
        nhs_number: "9990000018".into(),
        birth_date: "1980-02-01".into(),
        ..FindPersonRequest::default()
    };
    let none = "eyJhbGciOiJub25lIn0.e30.";
    for (what, context, names) in [
        ("no token", RequestContext { user_token: String::new(), ..good.clone() }, "user token"),
        ("alg none", RequestContext { user_token: none.into(), ..good.clone() }, "user token"),
        ("a cut token", RequestContext { user_token: good.user_token[..40].into(), ..good.clone() }, "user token"),
        ("a huge token", RequestContext { user_token: "x".repeat(100_000), ..good.clone() }, "user token"),
        ("no proof", RequestContext { request_proof: String::new(), ..good.clone() }, "request proof"),
        (
            "a proof that is the token",
            RequestContext { request_proof: good.user_token.clone(), ..good.clone() },
            "request proof",
        ),
    ] {
        refused(app(&world).find_person(find(Some(context))).await, Code::Unauthenticated, names, what);
    }
    app(&world).find_person(find(Some(other.clone()))).await.expect("good once");
    refused(app(&world).find_person(find(Some(other))).await, Code::Unauthenticated, "answered before", "a replay");
    let unknown_role = find(context(&world, "R0000"));
    refused(app(&world).find_person(unknown_role).await, Code::PermissionDenied, "role", "a role that nobody gave");
    let list = ListSourcesRequest { context: context(&world, "R0000") };
    refused(app(&world).list_sources(list).await, Code::PermissionDenied, "role", "a role that nobody gave");
    let (asked, enterprise_id) = (context(&world, "R8000"), SOMEBODY.into());
    let report = AccessReportRequest { context: asked, enterprise_id, ..AccessReportRequest::default() };
    refused(app(&world).access_report(report).await, Code::PermissionDenied, "privacy officer", "a clinician's report");
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    assert!(trail.matches("\"action\":\"refused\"").count() >= 10, "every refusal is in the trail");
    assert!(!trail.contains("eyJ"), "no token is in the trail");
}

#[tokio::test(start_paused = true)]
async fn every_party_has_its_own_door() {
    let world = world().await;
    let source = channel(&world, Identity::Source("A".into()));
    let list = ListSourcesRequest { context: context(&world, "R8000") };
    let knocked = RecordBrokerClient::new(source).list_sources(list).await;
    refused(knocked, Code::PermissionDenied, "care apps", "an adapter at the apps' door");
    let feed = steward(&world).feed(futures::stream::empty()).await;
    refused(feed, Code::PermissionDenied, "adapters", "an app at the adapters' door");
    let mut stranger = PatientIndexClient::new(channel(&world, Identity::Source("Z".into())));
    let knocked = stranger.feed(futures::stream::empty()).await;
    refused(knocked, Code::PermissionDenied, "not registered", "an unknown source");
}

#[tokio::test(start_paused = true)]
async fn a_feed_is_held_to_its_source_and_its_order() {
    let world = world().await;
    let hello = |source: &str, epoch: &str| FeedRequest {
        message: Some(Message::Hello(FeedHello { source_id: source.into(), epoch: epoch.into() })),
    };
    let announce = |cursor: u64| FeedRequest {
        message: Some(Message::Announce(FeedAnnounce {
            cursor,
            change: Some(Change::Registered(registration("A", "2", anne()))),
        })),
    };
    for (what, messages, code, names) in [
        ("no hello", vec![announce(1)], Code::InvalidArgument, "hello"),
        ("another source", vec![hello("B", SOMEBODY)], Code::InvalidArgument, "source_id"),
        ("no epoch", vec![hello("A", "")], Code::InvalidArgument, "epoch"),
        ("an empty message", vec![hello("A", SOMEBODY), FeedRequest { message: None }], Code::InvalidArgument, "empty"),
        ("two hellos", vec![hello("A", SOMEBODY), hello("A", SOMEBODY)], Code::InvalidArgument, "hello"),
        ("a gap", vec![hello("A", SOMEBODY), announce(5)], Code::FailedPrecondition, "cursor 1"),
    ] {
        let mut client = PatientIndexClient::new(channel(&world, Identity::Source("A".into())));
        let answers = client.feed(futures::stream::iter(messages)).await.expect("the stream opens");
        let mut answers = answers.into_inner();
        let fault = loop {
            match answers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(status) => break Err(status),
            }
        };
        refused(fault, code, names, what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stewards_decision_says_which_field_is_wrong() {
    let world = world().await;
    let reference =
        |source: &str, local_id: &str| Some(RegistrationRef { source_id: source.into(), local_id: local_id.into() });
    let good = LinkRequest {
        context: None,
        a: reference("A", "1"),
        b: reference("A", "9"),
        reason: "seen together at the desk".into(),
        idempotency_key: SOMEBODY.into(),
    };
    for (what, request, code, names) in [
        ("no registration", LinkRequest { a: None, ..good.clone() }, Code::InvalidArgument, "a: give"),
        ("a short reason", LinkRequest { reason: "yes".into(), ..good.clone() }, Code::InvalidArgument, "reason"),
        (
            "no key",
            LinkRequest { idempotency_key: String::new(), ..good.clone() },
            Code::InvalidArgument,
            "idempotency_key",
        ),
        ("an unknown registration", good.clone(), Code::NotFound, "registration"),
    ] {
        let request = LinkRequest { context: context(&world, "R9100"), ..request };
        refused(steward(&world).link(request).await, code, names, what);
    }
    let by_a_clinician = LinkRequest { context: context(&world, "R8000"), ..good };
    refused(steward(&world).link(by_a_clinician).await, Code::PermissionDenied, "steward", "a clinician");
    let unlink = UnlinkRequest {
        context: context(&world, "R9100"),
        registration: reference("A", "1"),
        reason: "two people after all".into(),
        idempotency_key: SOMEBODY.into(),
    };
    refused(
        steward(&world).unlink(unlink).await,
        Code::FailedPrecondition,
        "alone",
        "a registration that stands alone",
    );
    let queue = ReviewQueueRequest { context: context(&world, "R9100"), limit: 1_000_000, kinds: vec![] };
    refused(steward(&world).review_queue(queue).await, Code::InvalidArgument, "limit", "a million pairs");
    for kinds in [vec![0], vec![2, 99]] {
        let queue = ReviewQueueRequest { context: context(&world, "R9100"), limit: 1, kinds };
        refused(steward(&world).review_queue(queue).await, Code::InvalidArgument, "kinds", "no kind");
    }
    let context = context(&world, "R9100");
    let history = HistoryRequest { context, enterprise_id: "x".into(), ..HistoryRequest::default() };
    refused(steward(&world).history(history).await, Code::InvalidArgument, "enterprise_id", "no person");
}

#[tokio::test(start_paused = true)]
async fn telling_apart_says_which_field_is_wrong() {
    let world = world().await;
    let reference = |local_id: &str| Some(RegistrationRef { source_id: "A".into(), local_id: local_id.into() });
    let good = TellApartRequest {
        context: None,
        a: reference("1"),
        b: reference("9"),
        reason: "seen together at the desk".into(),
        idempotency_key: SOMEBODY.into(),
    };
    for (what, request, code, names) in [
        ("no registration", TellApartRequest { b: None, ..good.clone() }, Code::InvalidArgument, "b: give"),
        (
            "a long local id",
            TellApartRequest { a: reference(&"9".repeat(300)), ..good.clone() },
            Code::InvalidArgument,
            "a.local_id",
        ),
        ("a short reason", TellApartRequest { reason: "no".into(), ..good.clone() }, Code::InvalidArgument, "reason"),
        (
            "no key",
            TellApartRequest { idempotency_key: "7".into(), ..good.clone() },
            Code::InvalidArgument,
            "idempotency_key",
        ),
        ("itself", TellApartRequest { b: reference("1"), ..good.clone() }, Code::InvalidArgument, "two different"),
        ("an unknown registration", good.clone(), Code::NotFound, "registration"),
    ] {
        let request = TellApartRequest { context: context(&world, "R9100"), ..request };
        refused(steward(&world).tell_apart(request).await, code, names, what);
    }
    let by_a_clinician = TellApartRequest { context: context(&world, "R8000"), ..good };
    refused(steward(&world).tell_apart(by_a_clinician).await, Code::PermissionDenied, "steward", "a clinician");
}

#[tokio::test(start_paused = true)]
async fn deciding_later_and_taking_back_say_which_field_is_wrong() {
    let world = world().await;
    let reference = |local_id: &str| Some(RegistrationRef { source_id: "A".into(), local_id: local_id.into() });
    let good = PostponeRequest {
        context: None,
        a: reference("1"),
        b: reference("9"),
        until_ms: world.clock.now_ms() + 1_000_000,
        reason: "the practice will ring back".into(),
        idempotency_key: SOMEBODY.into(),
    };
    for (what, request, code, names) in [
        ("no registration", PostponeRequest { a: None, ..good.clone() }, Code::InvalidArgument, "a: give"),
        ("a short reason", PostponeRequest { reason: "later".into(), ..good.clone() }, Code::InvalidArgument, "reason"),
        ("for ever", PostponeRequest { until_ms: i64::MAX, ..good.clone() }, Code::InvalidArgument, "until_ms"),
        ("an unknown registration", good.clone(), Code::NotFound, "registration"),
    ] {
        let request = PostponeRequest { context: context(&world, "R9100"), ..request };
        refused(steward(&world).postpone(request).await, code, names, what);
    }
    let back = |reason: &str| TakeBackRequest {
        context: context(&world, "R9100"),
        decision: 1,
        reason: reason.into(),
        idempotency_key: SOMEBODY.into(),
    };
    refused(steward(&world).take_back(back("no")).await, Code::InvalidArgument, "reason", "a short reason");
    let nothing = back("it was never decided");
    refused(steward(&world).take_back(nothing).await, Code::InvalidArgument, "decision", "no decision");
    let decisions = |by: &str, limit: u32| DecisionsRequest {
        context: context(&world, "R9100"),
        by: by.into(),
        limit,
        ..DecisionsRequest::default()
    };
    refused(steward(&world).decisions(decisions("", 1001)).await, Code::InvalidArgument, "limit", "too many");
    refused(steward(&world).decisions(decisions("\u{7}", 1)).await, Code::InvalidArgument, "by", "a bell");
    let quality = |source_id: String| SourceQualityRequest { context: context(&world, "R9100"), source_id };
    let long = steward(&world).source_quality(quality("x".repeat(65))).await;
    refused(long, Code::InvalidArgument, "source_id", "a long source");
    refused(steward(&world).own_quality(OwnQualityRequest {}).await, Code::PermissionDenied, "adapters", "an app");
}

#[tokio::test(start_paused = true)]
async fn a_document_is_given_to_those_who_may_see_it_only() {
    let world = world().await;
    let good = FetchDocumentRequest {
        context: context(&world, "R8000"),
        enterprise_id: SOMEBODY.into(),
        source_id: "A".into(),
        entry_id: "letter".into(),
    };
    let long = FetchDocumentRequest { entry_id: "x".repeat(300), ..good.clone() };
    refused(app(&world).fetch_document(long).await, Code::InvalidArgument, "entry_id", "a long entry id");
    refused(app(&world).fetch_document(good).await, Code::NotFound, "find the person again", "nobody");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_timeout_and_a_giant_request_are_refused() {
    let world = world().await;
    for timeout in ["3s", "-1S", "123456789S", "S", "0S"] {
        let mut request = Request::new(ListSourcesRequest { context: context(&world, "R8000") });
        request.metadata_mut().insert("grpc-timeout", timeout.parse().expect("a header value"));
        refused(app(&world).list_sources(request).await, Code::InvalidArgument, "grpc-timeout", timeout);
    }
    let giant = FindPersonRequest { family: "x".repeat(2 << 20), ..FindPersonRequest::default() };
    let result = app(&world).find_person(giant).await;
    assert!(result.is_err_and(|status| status.code() == Code::OutOfRange), "a request of two megabytes");
}
