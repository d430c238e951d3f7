use super::*;
use crate::{
    conformance::{Bench, BenchParts, Question},
    inbox::{Answered, Inbox},
    made_up::{MadeUp, Mood, entry, keys},
    source::Source,
};
use prost::Message as _;
use severn_policy::{RoleDefinition, Rule};
use severn_proto::v1::{ChallengeKind, ChallengeState, Dataset, SensitivityLabel};
use tonic::Code;

fn wrong(entry_id: &str) -> Challenge {
    Challenge {
        source_id: "SUBJECT".into(),
        dataset: Dataset::Allergies.into(),
        entry_id: entry_id.into(),
        kind: ChallengeKind::Wrong.into(),
        note: "NOTE-CANARY she took it in May".into(),
    }
}

fn whole_record() -> Challenge {
    let kind = ChallengeKind::OtherPerson.into();
    Challenge { dataset: Dataset::Demographics.into(), entry_id: String::new(), kind, ..wrong("") }
}

async fn bench(source: MadeUp, change: impl FnOnce(&mut BenchParts)) -> Bench {
    let mut parts = BenchParts::new(Arc::new(source) as Arc<dyn Source>, keys());
    change(&mut parts);
    Bench::start(parts).await.unwrap()
}

/// A question that passes `challenge` on, properly signed.
async fn question(bench: &Bench, challenge: &Challenge) -> Question {
    let question = bench.question("p1", &[challenge.dataset()]).await.unwrap();
    Question { challenge: Some(challenge.encode_to_vec()), ..question }
}

async fn send(bench: &Bench, challenge: &Challenge) -> Result<TakeChallengeResponse, Status> {
    bench.challenge(&question(bench, challenge).await, challenge.encode_to_vec()).await
}

async fn listed(bench: &Bench, change: impl FnOnce(&mut Question)) -> Vec<TakenChallenge> {
    let mut question = bench.question("p1", &[]).await.unwrap();
    question.local_id = String::new();
    change(&mut question);
    bench.taken(&question).await.unwrap().challenges
}

fn held(bench: &Bench) -> Vec<Held> {
    Inbox::new(Arc::new(bench.disk().clone())).contents().unwrap().held
}

fn trail(bench: &Bench) -> String {
    String::from_utf8(bench.disk().files()["audit.log"].clone()).unwrap()
}

#[tokio::test]
async fn a_challenge_lies_in_the_inbox_before_it_is_acknowledged_and_its_answer_is_read_back() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let taken = send(&bench, &wrong("a1")).await.unwrap();
    assert!(!taken.already_taken && taken.taken_at_ms > 0);
    let lies = held(&bench);
    assert_eq!(lies.len(), 1);
    let (first, id) = (&lies[0].taken, taken.challenge_id.clone());
    assert_eq!((first.id.to_string(), &*first.note, &*first.local_id), (id.clone(), &*wrong("a1").note, "p1"));
    let again = send(&bench, &wrong("a1")).await.unwrap();
    assert_eq!((again.challenge_id.as_str(), again.already_taken), (id.as_str(), true));
    assert_eq!(held(&bench).len(), 1);

    let answer = Answered { id: first.id, at_ms: 5, state: "corrected".into(), note: "struck out".into() };
    Inbox::new(Arc::new(bench.disk().clone())).answer(&answer).unwrap();
    let read = listed(&bench, |_| ()).await;
    let [one] = read.as_slice() else { panic!("{} challenges", read.len()) };
    assert_eq!((one.state(), one.answer.as_str(), one.answered_at_ms), (ChallengeState::Corrected, "struck out", 5));
    assert_eq!((one.entry_id.as_str(), one.reported_by.as_str()), ("a1", "A Clinician (u-1)"));
    let trail = trail(&bench);
    for said in ["\"action\":\"challenge\"", "\"action\":\"challenges\"", "\"corrected\"", "\"entry_id\":\"a1\"", &id] {
        assert!(trail.contains(said), "{said}");
    }
    assert!(!trail.contains("CANARY") && !trail.contains("struck out"), "no text in the trail");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_shown_are_refused_in_the_same_words() {
    let source = MadeUp::new();
    source.add("p1", entry("secret", Dataset::Allergies, &[SensitivityLabel::MentalHealth]));
    let bench = bench(source, |parts| {
        parts.policy.roles[0].labels.clear();
        parts.policy.rules[0].datasets = vec!["allergies".into(), "crisis_plans".into()];
    })
    .await;
    let mut said = Vec::new();
    let medicine = Challenge { dataset: Dataset::Medications.into(), ..wrong("m1") };
    let not_held = Challenge { dataset: Dataset::Research.into(), ..wrong("r1") };
    for (at, challenge) in [wrong("none"), wrong("secret"), medicine, not_held, whole_record()].iter().enumerate() {
        let status = send(&bench, challenge).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        said.push(status.message().to_owned());
        assert_eq!(bench.refusals(), at + 1, "each is on record");
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(held(&bench).is_empty());
    send(&bench, &wrong("a1")).await.unwrap();
}

#[tokio::test]
async fn a_whole_record_can_be_of_another_person() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    send(&bench, &whole_record()).await.unwrap();
    assert_eq!(held(&bench)[0].taken.kind(), ChallengeKind::OtherPerson);
}

#[tokio::test]
async fn nobody_on_the_way_can_change_a_challenge_or_make_one_up() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let mut made_up = bench.question("p1", &[Dataset::Allergies]).await.unwrap();
    let status = bench.challenge(&made_up, wrong("a1").encode_to_vec()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "the app signed no challenge");
    type Change = fn(&mut Challenge);
    let changes: [Change; 4] = [
        |c| c.entry_id = "other".into(),
        |c| c.note.push('!'),
        |c| c.kind = ChallengeKind::OtherPerson.into(),
        |c| c.dataset = Dataset::Medications.into(),
    ];
    for change in changes {
        let signed = question(&bench, &wrong("a1")).await;
        let mut altered = wrong("a1");
        change(&mut altered);
        let status = bench.challenge(&signed, altered.encode_to_vec()).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{}", status.message());
    }
    let elsewhere = Challenge { source_id: "OTHER".into(), ..wrong("a1") };
    assert_eq!(send(&bench, &elsewhere).await.unwrap_err().code(), Code::PermissionDenied, "meant for another source");
    let mut wide = question(&bench, &wrong("a1")).await;
    wide.proof_datasets.push(Dataset::Medications);
    wide.datasets = vec![Dataset::Medications];
    let status = bench.challenge(&wide, wrong("a1").encode_to_vec()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "the statement names another dataset");
    let signed = question(&bench, &wrong("a1")).await;
    assert!(bench.fetch(&signed).await.is_err(), "what was signed to report opens nothing");
    assert!(bench.fetch_bytes(&bench.renewed(&signed), "d1").await.is_err());
    made_up.local_id = String::new();
    assert!(bench.taken(&bench.renewed(&made_up)).await.is_err(), "what was signed to read is no list of answers");
    assert_eq!(bench.refusals(), 10);
    assert!(held(&bench).is_empty());
}

#[tokio::test]
async fn a_field_that_is_not_as_it_should_be_is_named() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let cases = [
        ("note", Challenge { note: String::new(), ..wrong("a1") }),
        ("note", Challenge { note: "x".repeat(4097), ..wrong("a1") }),
        ("kind", Challenge { kind: 9, ..wrong("a1") }),
        ("entry_id", wrong("")),
    ];
    for (field, challenge) in cases {
        let status = send(&bench, &challenge).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{}", status.message());
    }
    assert!(held(&bench).is_empty());
}

#[tokio::test]
async fn the_person_meant_must_be_the_person_filed() {
    let bench = bench(MadeUp::new(), |_| ()).await;
    let mut other = question(&bench, &wrong("a1")).await;
    other.local_id = "p2".into();
    let status = bench.challenge(&other, wrong("a1").encode_to_vec()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let mut unknown = question(&bench, &wrong("a1")).await;
    unknown.local_id = "p9".into();
    let status = bench.challenge(&unknown, wrong("a1").encode_to_vec()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(held(&bench).is_empty());
}

#[tokio::test]
async fn answers_are_read_by_the_reporters_organisation_and_by_those_who_may_see_the_entry() {
    let source = MadeUp::new();
    source.add("p1", entry("secret", Dataset::Allergies, &[SensitivityLabel::MentalHealth]));
    let bench = bench(source, |parts| {
        let clerk = RoleDefinition { name: "clerk".into(), codes: vec!["CLERK".into()], labels: Vec::new() };
        let rule =
            Rule { roles: vec!["clerk".into()], datasets: vec!["allergies".into()], ..parts.policy.rules[0].clone() };
        parts.policy.roles.push(clerk);
        parts.policy.rules.push(rule);
    })
    .await;
    send(&bench, &wrong("secret")).await.unwrap();
    send(&bench, &wrong("a1")).await.unwrap();
    send(&bench, &Challenge { dataset: Dataset::Medications.into(), ..wrong("m1") }).await.unwrap();
    let entries = |read: Vec<TakenChallenge>| read.into_iter().map(|c| c.entry_id).collect::<Vec<_>>();
    assert_eq!(entries(listed(&bench, |_| ()).await), ["m1", "a1", "secret"]);
    assert_eq!(entries(listed(&bench, |q| q.claims.sub = "u-2".into()).await), ["m1", "a1", "secret"], "a colleague");
    assert_eq!(entries(listed(&bench, |q| q.claims.role = "CLERK".into()).await), ["a1"]);
    assert!(listed(&bench, |q| q.claims.org = "RBK".into()).await.is_empty(), "another organisation");
    assert!(listed(&bench, |q| q.claims.role = "S0000:G0000:R0000".into()).await.is_empty(), "an unknown role");
}

#[tokio::test]
async fn what_cannot_be_kept_or_read_is_not_acknowledged() {
    let source = Arc::new(MadeUp::new());
    let bench = Bench::start(BenchParts::new(Arc::clone(&source) as Arc<dyn Source>, keys())).await.unwrap();
    let (question, bytes) = (question(&bench, &wrong("a1")).await, wrong("a1").encode_to_vec());
    for mood in [Mood::Down, Mood::Panics, Mood::ForgetsOne] {
        source.feel(mood);
        let refused = bench.challenge(&bench.renewed(&question), bytes.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{mood:?}");
    }
    source.feel(Mood::Well);
    bench.disk().set_full(true);
    let refused = bench.challenge(&bench.renewed(&question), bytes.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    bench.disk().set_full(false);
    assert!(held(&bench).is_empty());
    assert!(!bench.challenge(&bench.renewed(&question), bytes).await.unwrap().already_taken);
}
