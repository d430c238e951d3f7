//! What the broker claims for a user: broken glass, relationships, that nobody is restricted; and the doors for letters and
//! challenges, where it mixes one kind of question with another.

use super::{Attempt, Call, Ends, Loot, Script, bytes, fetch};
use crate::serve::tests::hostile::{
    weakened::Defence,
    world::{Ask, HIDDEN, Held, OKAFOR, REFUGE, SOURCE, Scene},
};
use prost::Message as _;
use severn_proto::v1::{
    BrokerStatement, Challenge, ChallengeKind, Dataset,
    Dataset::{Allergies, CrisisPlans, Documents, Medications},
};
use uuid::Uuid;

const OVERRIDE: Uuid = Uuid::from_u128(0xabcdef);

pub(super) fn scripts() -> Vec<Script> {
    [overrides(), relationships(), restricted(), letters(), challenges()].into_iter().flatten().collect()
}

fn ordinary(name: &'static str, defence: Defence, loot: Loot, attack: fn(&Scene) -> Attempt) -> Script {
    Script { name, defence, ends: Ends::Ordinary, loot, attack }
}

fn refused(name: &'static str, defence: Defence, loot: Loot, attack: fn(&Scene) -> Attempt) -> Script {
    Script { ends: Ends::Refused, ..ordinary(name, defence, loot, attack) }
}

/// The broker says that this override is in force.
fn in_force(s: &Scene, said: &mut BrokerStatement, id: &str) {
    said.override_id = id.into();
    said.override_reason = "because".into();
    said.override_expires_ms = severn_trust::Clock::now_ms(&s.clock) + 3_600_000;
}

fn glass(s: &Scene, opening: Option<Uuid>, change: impl FnOnce(&mut BrokerStatement)) -> Attempt {
    let held = s.app_asks(Ask { opening, ..Ask::clinician(&[CrisisPlans, Medications]) });
    Attempt::of(&held, fetch(s, &held, change))
}

fn overrides() -> Vec<Script> {
    use Defence::{Inherent, OverrideExpiry, OverrideInForce, OverrideSigned, Policy};
    let loot = Loot::Entry("plan-anna");
    vec![
        ordinary("an override that nobody signed for", OverrideSigned, loot, |s| {
            glass(s, None, |said| in_force(s, said, &OVERRIDE.to_string()))
        }),
        ordinary("another override than the one signed for", OverrideSigned, loot, |s| {
            glass(s, Some(Uuid::from_u128(1)), |said| in_force(s, said, &OVERRIDE.to_string()))
        }),
        ordinary("an override in capitals", OverrideSigned, loot, |s| {
            glass(s, Some(OVERRIDE), |said| in_force(s, said, &OVERRIDE.to_string().to_uppercase()))
        }),
        ordinary("an override that is not in force", OverrideInForce, loot, |s| glass(s, Some(OVERRIDE), |_| ())),
        ordinary("an override that has ended", OverrideExpiry, loot, |s| {
            glass(s, Some(OVERRIDE), |said| {
                in_force(s, said, &OVERRIDE.to_string());
                said.override_expires_ms -= 7_200_000;
            })
        }),
        ordinary("an override that ends now", OverrideExpiry, loot, |s| {
            glass(s, Some(OVERRIDE), |said| {
                in_force(s, said, &OVERRIDE.to_string());
                said.override_expires_ms -= 3_600_000;
            })
        }),
        ordinary("an override that has no end", OverrideExpiry, loot, |s| {
            glass(s, Some(OVERRIDE), |said| {
                in_force(s, said, &OVERRIDE.to_string());
                said.override_expires_ms = 0;
            })
        }),
        ordinary("an override for what no reason opens", Policy, Loot::Entry("med-anna-hiv"), |s| {
            let held = s.app_asks(Ask { opening: Some(OVERRIDE), ..Ask::clinician(&[Medications]) });
            Attempt::of(&held, fetch(s, &held, |said| in_force(s, said, &OVERRIDE.to_string())))
        }),
        ordinary("an override for what is sealed", Inherent, Loot::Entry("med-anna-sealed"), |s| {
            let held = s.app_asks(Ask { opening: Some(OVERRIDE), ..Ask::clinician(&[Medications]) });
            Attempt::of(&held, fetch(s, &held, |said| in_force(s, said, &OVERRIDE.to_string())))
        }),
    ]
}

fn relationships() -> Vec<Script> {
    fn related(s: &Scene, word: &str) -> Attempt {
        let held = s.app_asks(Ask::clinician(&[Medications]));
        Attempt::of(&held, fetch(s, &held, |said| said.relationship = word.into()))
    }
    use Defence::Policy;
    let loot = Loot::Entry("med-anna-mind");
    vec![
        ordinary("registered, it says", Policy, loot, |s| related(s, "registered")),
        ordinary("admitted, it says", Policy, loot, |s| related(s, "admitted")),
        ordinary("on a caseload, it says", Policy, loot, |s| related(s, "caseload")),
        ordinary("claimed by the user, it says", Policy, loot, |s| related(s, "self-claimed")),
        ordinary("the owner's own, it says", Policy, loot, |s| related(s, "own")),
        ordinary("a clerk with a relationship", Policy, Loot::Entry("med-anna"), |s| {
            let held = s.app_asks(Ask::clerk(&[Allergies, Medications]));
            Attempt::of(&held, fetch(s, &held, |said| said.relationship = "admitted".into()))
        }),
    ]
}

fn restricted() -> Vec<Script> {
    use Defence::OwnFlag;
    vec![
        ordinary("nobody is restricted, it says", OwnFlag, Loot::Text(REFUGE), |s| {
            let held = s.app_asks(Ask::clinician(&[Medications]).about(HIDDEN));
            Attempt::of(&held, fetch(s, &held, |said| said.restricted = false))
        }),
        ordinary("the list of a restricted person's letters", OwnFlag, Loot::Entry("doc-hidden"), |s| {
            let held = s.app_asks(Ask::clinician(&[Medications, Documents]).about(HIDDEN));
            Attempt::of(&held, fetch(s, &held, |_| ()))
        }),
        refused("a letter of a restricted person", OwnFlag, Loot::Entry("doc-hidden"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]).about(HIDDEN));
            Attempt::of(&held, bytes(s, &held, "doc-hidden", |_| ()))
        }),
    ]
}

fn letters() -> Vec<Script> {
    use Defence::{Inherent, Policy};
    vec![
        ordinary("nothing, to learn whether the person is known here", Inherent, Loot::Entry("alg-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let call = fetch(s, &held, |said| said.datasets.clear());
            Attempt::of(&Held { ask: Ask::clinician(&[]), ..held }, call)
        }),
        refused("a letter of a withheld entry", Policy, Loot::Entry("doc-okafor-hiv"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]).about(OKAFOR));
            Attempt::of(&held, bytes(s, &held, "doc-okafor-hiv", |_| ()))
        }),
        refused("a letter that a clerk may not see", Policy, Loot::Entry("doc-anna"), |s| {
            let held = s.app_asks(Ask::clerk(&[Documents]));
            Attempt::of(&held, bytes(s, &held, "doc-anna", |said| said.relationship = "admitted".into()))
        }),
        refused("an entry of another dataset as a letter", Inherent, Loot::Entry("med-anna"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]));
            Attempt::of(&held, bytes(s, &held, "med-anna", |_| ()))
        }),
        refused("a letter of another person under this one", Inherent, Loot::Entry("doc-twin"), |s| {
            let held = s.app_asks(Ask::clinician(&[Documents]));
            Attempt::of(&held, bytes(s, &held, "doc-twin", |_| ()))
        }),
    ]
}

/// A question that passes a challenge on.
fn challenging(s: &Scene, entry_id: &str, dataset: Dataset, source: &str) -> (Held, Vec<u8>) {
    let challenge = Challenge {
        source_id: source.into(),
        dataset: dataset.into(),
        entry_id: entry_id.into(),
        kind: ChallengeKind::Wrong.into(),
        note: "not so".into(),
    };
    let bytes = challenge.encode_to_vec();
    (s.app_asks(Ask { challenge: Some(bytes.clone()), ..Ask::clinician(&[dataset]) }), bytes)
}

fn passes_on(s: &Scene, held: &Held, challenge: Vec<u8>) -> Call {
    Call::Challenge(Some(held.context.clone()), Some(s.signs(s.says(held))), challenge)
}

fn altered(s: &Scene, change: fn(&mut Challenge)) -> Attempt {
    let (held, bytes) = challenging(s, "alg-anna", Allergies, SOURCE);
    let mut challenge = Challenge::decode(bytes.as_slice()).unwrap();
    change(&mut challenge);
    Attempt::of(&held, passes_on(s, &held, challenge.encode_to_vec()))
}

fn challenges() -> Vec<Script> {
    use Defence::{Challenge as Signed, Inherent, ListOnly, Policy};
    vec![
        refused("a challenge in another's words", Signed, Loot::Answer, |s| altered(s, |c| c.note = "liar".into())),
        refused("a challenge of another kind", Signed, Loot::Answer, |s| {
            altered(s, |c| c.kind = ChallengeKind::OtherPerson.into())
        }),
        refused("a challenge by a question for a record", Signed, Loot::Answer, |s| {
            let (_, challenge) = challenging(s, "alg-anna", Allergies, SOURCE);
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, passes_on(s, &held, challenge))
        }),
        refused("a record by a challenge", Signed, Loot::Entry("alg-anna"), |s| {
            let (held, _) = challenging(s, "alg-anna", Allergies, SOURCE);
            Attempt::of(&held, fetch(s, &held, |_| ()))
        }),
        refused("a letter by a challenge of it", Signed, Loot::Entry("doc-anna"), |s| {
            let (held, _) = challenging(s, "doc-anna", Documents, SOURCE);
            Attempt::of(&held, bytes(s, &held, "doc-anna", |_| ()))
        }),
        refused("a challenge of what is not shown", Policy, Loot::Answer, |s| {
            let (held, challenge) = challenging(s, "med-anna-hiv", Medications, SOURCE);
            Attempt::of(&held, passes_on(s, &held, challenge))
        }),
        refused("a challenge for another source", Inherent, Loot::Answer, |s| {
            let (held, challenge) = challenging(s, "alg-anna", Allergies, "OTHER");
            Attempt::of(&held, passes_on(s, &held, challenge))
        }),
        refused("the list of challenges by a question for a record", ListOnly, Loot::Answer, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, Call::List(Some(held.context.clone()), Some(s.signs(s.says(&held)))))
        }),
    ]
}
