//! What a hostile broker tries: one attack each, by name, with the one defence that stops it.

mod messages;
mod persons;
mod powers;
mod tokens;

use super::{
    weakened::Defence,
    world::{Ask, HIDDEN, Held, OKAFOR, SOURCE, Scene, TWIN},
};
use severn_link::Identity;
use severn_proto::v1::{BrokerStatement, Dataset, RequestContext, SignedStatement};

/// One attack.
pub(super) struct Script {
    pub name: &'static str,
    /// What stops it.
    pub defence: Defence,
    /// How it ends.
    pub ends: Ends,
    /// What it wants.
    pub loot: Loot,
    pub attack: fn(&Scene) -> Attempt,
}

/// How an attack ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ends {
    /// Refused before anybody is known by name.
    Stranger,
    /// Refused, under the user's name.
    Refused,
    /// With the answer that the true question has anyway.
    Ordinary,
}

/// What an attack wants.
#[derive(Clone, Copy)]
pub(super) enum Loot {
    /// An entry, or a document.
    Entry(&'static str),
    /// A text in an answer.
    Text(&'static str),
    /// Any answer at all.
    Answer,
}

/// A call as the broker makes it.
#[derive(Clone)]
pub(super) enum Call {
    Fetch(Option<RequestContext>, Option<SignedStatement>),
    Bytes(Option<RequestContext>, Option<SignedStatement>, &'static str),
    Challenge(Option<RequestContext>, Option<SignedStatement>, Vec<u8>),
    List(Option<RequestContext>, Option<SignedStatement>),
}

/// An attack, worked out.
pub(super) struct Attempt {
    pub caller: Identity,
    /// Calls that are in order.
    pub before: Vec<Call>,
    pub call: Call,
    /// What was truly asked.
    pub truth: Held,
}

impl Attempt {
    pub fn of(truth: &Held, call: Call) -> Attempt {
        Attempt { caller: broker(), before: Vec::new(), call, truth: truth.clone() }
    }

    pub fn after(self, before: Vec<Call>) -> Attempt {
        Attempt { before, ..self }
    }

    pub fn by(self, caller: Identity) -> Attempt {
        Attempt { caller, ..self }
    }

    /// What a refusal must not repeat.
    pub fn secrets(&self) -> Vec<String> {
        let context = &self.truth.context;
        let parts = [&context.user_token, &context.request_proof].into_iter().filter(|part| part.len() > 40);
        parts.map(|part| part[part.len() - 20..].to_owned()).chain([self.truth.query_id.to_string()]).collect()
    }
}

pub(super) fn broker() -> Identity {
    Identity::Broker("the-broker".into())
}

/// A question to this source with a statement that was changed before it was signed.
fn fetch(scene: &Scene, held: &Held, change: impl FnOnce(&mut BrokerStatement)) -> Call {
    let mut statement = scene.says(held);
    change(&mut statement);
    Call::Fetch(Some(held.context.clone()), Some(scene.signs(statement)))
}

fn bytes(scene: &Scene, held: &Held, entry_id: &'static str, change: impl FnOnce(&mut BrokerStatement)) -> Call {
    let mut statement = scene.says(held);
    change(&mut statement);
    Call::Bytes(Some(held.context.clone()), Some(scene.signs(statement)), entry_id)
}

/// The same attack with the statement changed after it was signed.
fn mangled(scene: &Scene, held: &Held, change: impl FnOnce(&mut SignedStatement)) -> Call {
    let other = BrokerStatement { source_id: "OTHER".into(), local_id: "x".into(), ..scene.says(held) };
    let mut signed = scene.sign_all(&[scene.says(held), other]).remove(0);
    change(&mut signed);
    Call::Fetch(Some(held.context.clone()), Some(signed))
}

/// Scripts in all.
pub(super) const COUNT: usize = 127;

/// Scripts whose defence cannot be left out here.
pub(super) const INHERENT: usize = 9;

/// All of them.
pub(super) fn all() -> Vec<Script> {
    [persons::scripts(), tokens::scripts(), messages::scripts(), powers::scripts()].into_iter().flatten().collect()
}

/// Questions that are in order: of what hostile ones are made.
pub(super) fn proper() -> Vec<Ask> {
    use Dataset::{Allergies, CrisisPlans, Documents, Medications};
    let held = [Allergies, CrisisPlans, Medications, Documents];
    vec![
        Ask::clinician(&held),
        Ask::clerk(&held),
        Ask::clinician(&held).about(OKAFOR),
        Ask::clinician(&held).about(TWIN),
        Ask::clinician(&held).about(HIDDEN),
        Ask { organisation: SOURCE, ..Ask::clinician(&held) },
    ]
}
