//! Another person, more than was asked, and the same question again.

use super::{Attempt, Call, Ends, Loot, Script, bytes, fetch};
use crate::serve::tests::hostile::{
    weakened::Defence,
    world::{ANNA, Ask, OKAFOR, Scene, TWIN},
};
use prost::Message as _;
use severn_proto::v1::{
    Challenge, ChallengeKind,
    Dataset::{Allergies, Demographics, Documents, Medications},
};

fn script(name: &'static str, defence: Defence, loot: Loot, attack: fn(&Scene) -> Attempt) -> Script {
    Script { name, defence, ends: Ends::Refused, loot, attack }
}

pub(super) fn scripts() -> Vec<Script> {
    [other_person(), wider(), again()].into_iter().flatten().collect()
}

fn other_person() -> Vec<Script> {
    use Defence::Person;
    vec![
        script("another person's local id", Person, Loot::Entry("alg-okafor"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = OKAFOR.into()))
        }),
        script("the twin's local id", Person, Loot::Entry("alg-twin"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = TWIN.into()))
        }),
        script("the twin of the twin", Person, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]).about(TWIN));
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = ANNA.into()))
        }),
        script("somebody who is known by birth date and name only", Person, Loot::Entry("alg-twin"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]).about(OKAFOR));
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = TWIN.into()))
        }),
        script("a letter of the twin", Person, Loot::Entry("doc-twin"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]));
            Attempt::of(&held, bytes(s, &held, "doc-twin", |said| said.local_id = TWIN.into()))
        }),
        script("a question about nobody, for anybody", Person, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]).about(""));
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = ANNA.into()))
        }),
        script("a challenge laid at another person's door", Person, Loot::Answer, |s| {
            let challenge = Challenge {
                source_id: super::SOURCE.into(),
                dataset: Demographics.into(),
                kind: ChallengeKind::OtherPerson.into(),
                note: "not her".into(),
                ..Challenge::default()
            };
            let bytes = challenge.encode_to_vec();
            let held = s.app_asks(Ask { challenge: Some(bytes.clone()), ..Ask::clinician(&[Demographics]) });
            let mut said = s.says(&held);
            said.local_id = OKAFOR.into();
            Attempt::of(&held, Call::Challenge(Some(held.context.clone()), Some(s.signs(said)), bytes))
        }),
        script("the same question at another local id", Person, Loot::Entry("alg-okafor"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let first = fetch(s, &held, |_| ());
            Attempt::of(&held, fetch(s, &held, |said| said.local_id = OKAFOR.into())).after(vec![first])
        }),
    ]
}

fn wider() -> Vec<Script> {
    use Defence::{DocumentsOnly, NotWider};
    vec![
        script("one dataset more", NotWider, Loot::Entry("med-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets.push(Medications.into())))
        }),
        script("another dataset instead", NotWider, Loot::Entry("med-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets = vec![Medications.into()]))
        }),
        script("everything there is", NotWider, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets = (1..40).collect()))
        }),
        script("something of a question that reads nothing", NotWider, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets = vec![Allergies.into()]))
        }),
        script("a dataset twice", NotWider, Loot::Answer, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets = vec![Allergies.into(); 2]))
        }),
        script("an unknown dataset", NotWider, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets.push(9999)))
        }),
        script("the dataset of number nought", NotWider, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets.push(0)))
        }),
        script("a dataset below nought", NotWider, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, fetch(s, &held, |said| said.datasets.push(-1)))
        }),
        script("a letter by a question for allergies", NotWider, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, bytes(s, &held, "doc-anna", |said| said.datasets = vec![Documents.into()]))
        }),
        script("a letter beside allergies", DocumentsOnly, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies, Documents]));
            Attempt::of(&held, bytes(s, &held, "doc-anna", |_| ()))
        }),
        script("a letter under the name of medicines", DocumentsOnly, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Medications]));
            Attempt::of(&held, bytes(s, &held, "doc-anna", |_| ()))
        }),
        script("a letter by a question that names no dataset", DocumentsOnly, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[]));
            Attempt::of(&held, bytes(s, &held, "doc-anna", |_| ()))
        }),
    ]
}

fn again() -> Vec<Script> {
    use Defence::Replay;
    vec![
        script("the same call twice", Replay, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let call = fetch(s, &held, |_| ());
            Attempt::of(&held, call.clone()).after(vec![call])
        }),
        script("the same question under a new statement", Replay, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let first = fetch(s, &held, |_| ());
            s.clock.forward(2);
            Attempt::of(&held, fetch(s, &held, |_| ())).after(vec![first])
        }),
        script("the same question after many others", Replay, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let mut before = vec![fetch(s, &held, |_| ())];
            for _ in 0..20 {
                let other = s.app_asks(Ask::clerk(&[Allergies]));
                before.push(fetch(s, &other, |_| ()));
            }
            Attempt::of(&held, fetch(s, &held, |_| ())).after(before)
        }),
        script("the rest of a question later", Replay, Loot::Entry("med-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies, Medications]));
            let first = fetch(s, &held, |said| said.datasets = vec![Allergies.into()]);
            Attempt::of(&held, fetch(s, &held, |said| said.datasets = vec![Medications.into()])).after(vec![first])
        }),
        script("a letter after the record that lists it", Replay, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]));
            let first = fetch(s, &held, |_| ());
            Attempt::of(&held, bytes(s, &held, "doc-anna", |_| ())).after(vec![first])
        }),
        script("a letter twice", Replay, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]));
            let call = bytes(s, &held, "doc-anna", |_| ());
            Attempt::of(&held, call.clone()).after(vec![call])
        }),
        script("the list of challenges twice", Replay, Loot::Answer, |s| {
            let held = s.app_asks(Ask::clinician(&[]));
            let call = Call::List(Some(held.context.clone()), Some(s.signs(s.says(&held))));
            Attempt::of(&held, call.clone()).after(vec![call])
        }),
    ]
}
