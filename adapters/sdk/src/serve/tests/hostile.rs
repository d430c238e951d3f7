//! The hostile broker: it does anything with its own key, and with whatever apps sent it, but it has neither the issuer's
//! key nor an app's. Each script is one attack, over real gRPC. `world` is who takes part, `scripts` what the broker tries,
//! `weakened` an adapter that lacks one defence.
//!
//! **Invariant:** nothing here can be reached from a program: it is all compiled for tests only.

mod scripts;
mod weakened;
mod world;

use scripts::{Attempt, Call, Ends, Loot, Script};
use severn_proto::v1::{
    FetchBytesRequest, FetchRequest, ListTakenRequest, TakeChallengeRequest,
    challenge_inbox_client::ChallengeInboxClient, fetch_bytes_response, fetch_response::Part,
    source_adapter_client::SourceAdapterClient,
};
use severn_trust::TrailEvent;
use std::collections::BTreeSet;
use tonic::{Status, transport::Channel};
use weakened::Defence;
use world::{ANNA, Checked, ENTRIES, HIDDEN, Keyring, OKAFOR, REFUGE, Stand, TWIN};

/// What came of a call.
#[derive(Default)]
struct Reply {
    refused: Option<Status>,
    /// Entries and documents that left, by their ids.
    released: BTreeSet<String>,
    text: String,
}

impl Reply {
    fn won(&self, loot: Loot) -> bool {
        match loot {
            Loot::Entry(id) => self.released.contains(id),
            Loot::Text(text) => self.text.contains(text),
            Loot::Answer => self.refused.is_none(),
        }
    }
}

async fn send(channel: Channel, call: Call) -> Reply {
    let mut reply = Reply::default();
    if let Err(status) = exchange(channel, call, &mut reply).await {
        reply.refused = Some(status);
    }
    reply
}

async fn exchange(channel: Channel, call: Call, reply: &mut Reply) -> Result<(), Status> {
    match call {
        Call::Fetch(context, statement) => {
            let request = FetchRequest { context, statement };
            let mut parts = SourceAdapterClient::new(channel).fetch(request).await?.into_inner();
            while let Some(part) = parts.message().await? {
                reply.text.push_str(&format!("{part:?}"));
                if let Some(Part::Batch(batch)) = part.part {
                    reply.released.extend(batch.entries.into_iter().map(|entry| entry.head.unwrap().entry_id));
                }
            }
        }
        Call::Bytes(context, statement, entry_id) => {
            let request = FetchBytesRequest { context, statement, entry_id: entry_id.to_owned() };
            let mut parts = SourceAdapterClient::new(channel).fetch_bytes(request).await?.into_inner();
            while let Some(part) = parts.message().await? {
                if let Some(fetch_bytes_response::Part::Opened(_)) = part.part {
                    reply.released.insert(entry_id.to_owned());
                }
            }
        }
        Call::Challenge(context, statement, challenge) => {
            let request = TakeChallengeRequest { context, statement, challenge };
            ChallengeInboxClient::new(channel).take_challenge(request).await?;
        }
        Call::List(context, statement) => {
            let request = ListTakenRequest { context, statement };
            let listed = ChallengeInboxClient::new(channel).list_taken(request).await?.into_inner();
            reply.released.extend(listed.challenges.into_iter().map(|challenge| challenge.entry_id));
        }
    }
    Ok(())
}

/// What a script came to: the attack's reply, and what it added to the trail.
struct Outcome {
    attempt: Attempt,
    reply: Reply,
    events: Vec<TrailEvent>,
}

async fn play(script: &Script, keys: &Keyring, checked: Checked) -> Outcome {
    let stand = Stand::start(keys, checked);
    let attempt = (script.attack)(&stand.scene);
    let channel = stand.dialled_by(&attempt.caller);
    for call in &attempt.before {
        let reply = send(channel.clone(), call.clone()).await;
        assert!(reply.refused.is_none(), "{}: what went before: {:?}", script.name, reply.refused);
    }
    let before = stand.trail().len();
    let reply = send(channel, attempt.call.clone()).await;
    let events = stand.trail().split_off(before);
    Outcome { attempt, reply, events }
}

/// Whether a refusal says nothing of anybody, of what there is, or of what would have fitted.
fn reveals_nothing(status: &Status, keys: &Keyring, attempt: &Attempt) {
    let text = status.message();
    let limits = ["30 s", "300 s", "8192 bytes", "(P-256)", "ES256", "Ed25519"];
    let bare = limits.iter().fold(text.to_owned(), |text, limit| text.replace(limit, ""));
    assert!(!bare.chars().any(|c| c.is_ascii_digit()), "a number: {text}");
    let known = ["Brien", "Okafor", "Quill", "Signedin", REFUGE, "clerk", "clinician", "RRK", "the-gateway"];
    let people = [ANNA, TWIN, OKAFOR, HIDDEN].into_iter().chain(ENTRIES.iter().map(|(_, id, ..)| *id));
    for word in known.into_iter().chain(people) {
        assert!(!text.contains(word), "{word}: {text}");
    }
    for secret in keys.ids().iter().chain(&attempt.secrets()) {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    assert!(status.details().is_empty() && text.len() < 200);
}

/// Whether the attempt stands in the trail as what it came to, under the user whose token it carried.
fn is_on_record(script: &Script, outcome: &Outcome) {
    let name = script.name;
    let action = if outcome.reply.refused.is_some() { "refused" } else { "release" };
    assert!(!outcome.events.is_empty(), "{name}: nothing in the trail");
    for event in &outcome.events {
        assert_eq!(event.action, action, "{name}");
        match (script.ends, &outcome.attempt.truth) {
            (Ends::Stranger, _) => assert_eq!(event.user, "", "{name}"),
            (_, truth) => {
                assert_eq!(event.role, truth.ask.role, "{name}");
                assert_eq!(event.organisation, truth.ask.organisation, "{name}");
                assert_eq!(event.user, format!("{} (Somebody Signedin)", truth.ask.user()), "{name}");
            }
        }
        match &outcome.reply.refused {
            Some(status) => assert_eq!(event.details.get("refusal").unwrap(), status.message(), "{name}"),
            None => assert_eq!(event.person, outcome.attempt.truth.ask.person, "{name}"),
        }
    }
}

#[tokio::test]
async fn a_hostile_broker_gets_nothing_that_the_owner_denies() {
    let (keys, scripts) = (Keyring::new(), scripts::all());
    let names: BTreeSet<&str> = scripts.iter().map(|script| script.name).collect();
    assert_eq!(names.len(), scripts.len(), "each has a name of its own");
    assert_eq!(scripts.len(), scripts::COUNT);
    let mut failed = Vec::new();
    for script in scripts {
        let keys = keys.clone();
        judged(&mut failed, script.name, async move { gets_nothing(&script, &keys).await }).await;
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Notes a script that fails, so that one run names all of them.
async fn judged(failed: &mut Vec<&'static str>, name: &'static str, test: impl Future<Output = ()> + Send + 'static) {
    if tokio::spawn(test).await.is_err() {
        failed.push(name);
    }
}

async fn gets_nothing(script: &Script, keys: &Keyring) {
    let outcome = play(script, keys, Checked::Truly).await;
    let (name, reply) = (script.name, &outcome.reply);
    match script.ends {
        Ends::Refused | Ends::Stranger => {
            let status = reply.refused.as_ref().unwrap_or_else(|| panic!("{name}: not refused"));
            assert!(reply.released.is_empty() && reply.text.is_empty(), "{name}: {:?}", reply.released);
            reveals_nothing(status, keys, &outcome.attempt);
        }
        Ends::Ordinary => {
            let truth = &outcome.attempt.truth;
            assert!(reply.refused.is_none(), "{name}: {:?}", reply.refused);
            let released: BTreeSet<&str> = reply.released.iter().map(String::as_str).collect();
            assert_eq!(released, truth.ask.may_leave(), "{name}: another answer than the ordinary one");
        }
    }
    assert!(!reply.won(script.loot), "{name}: the attack got what it wanted");
    is_on_record(script, &outcome);
}

#[tokio::test]
async fn each_script_gets_what_it_wants_where_its_one_defence_is_missing() {
    let (keys, scripts) = (Keyring::new(), scripts::all());
    let all = scripts.len();
    let removable: Vec<Script> = scripts.into_iter().filter(|script| script.defence != Defence::Inherent).collect();
    assert_eq!(all - removable.len(), scripts::INHERENT, "scripts whose defence cannot be left out here");
    let mut failed = Vec::new();
    for script in removable {
        let keys = keys.clone();
        judged(&mut failed, script.name, async move {
            let reply = play(&script, &keys, Checked::Again(Some(script.defence))).await.reply;
            let Script { name, defence, .. } = script;
            assert!(reply.won(script.loot), "{name}: still stopped without {defence:?}: {:?}", reply.refused);
        })
        .await;
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn the_checks_that_can_be_left_out_are_the_true_ones() {
    let keys = Keyring::new();
    for script in &scripts::all() {
        let truly = play(script, &keys, Checked::Truly).await.reply;
        let again = play(script, &keys, Checked::Again(None)).await.reply;
        let said = |reply: &Reply| reply.refused.as_ref().map(|s| (s.code(), s.message().to_owned()));
        assert_eq!(said(&truly), said(&again), "{}", script.name);
        assert_eq!(truly.released, again.released, "{}", script.name);
    }
}

#[tokio::test]
async fn the_proper_questions_behind_the_scripts_are_answered() {
    let keys = Keyring::new();
    for held in scripts::proper() {
        let stand = Stand::start(&keys, Checked::Truly);
        let held = stand.scene.app_asks(held);
        let statement = stand.scene.signs(stand.scene.says(&held));
        let call = Call::Fetch(Some(held.context.clone()), Some(statement));
        let reply = send(stand.dialled_by(&scripts::broker()), call).await;
        let released: BTreeSet<&str> = reply.released.iter().map(String::as_str).collect();
        assert_eq!(released, held.ask.may_leave());
        assert!(!released.is_empty());
    }
}
