//! What the broker says of a call: its statement, the tree it is signed in, and which query it belongs to.

use super::{Attempt, Call, Ends, Loot, Script, fetch, mangled};
use crate::serve::tests::hostile::{
    weakened::Defence,
    world::{Ask, Scene},
};
use severn_proto::v1::{
    BrokerStatement,
    Dataset::{Allergies, Medications},
    SignedStatement,
};
use severn_trust::sha256;

pub(super) fn scripts() -> Vec<Script> {
    [trees(), times(), others()].into_iter().flatten().collect()
}

fn script(name: &'static str, defence: Defence, attack: fn(&Scene) -> Attempt) -> Script {
    Script { name, defence, ends: Ends::Refused, loot: Loot::Entry("alg-anna"), attack }
}

/// A call that is in order but for its leaf.
fn leaf(s: &Scene, change: impl FnOnce(&mut SignedStatement)) -> Attempt {
    let held = s.app_asks(Ask::clinician(&[Allergies]));
    Attempt::of(&held, mangled(s, &held, change))
}

/// A call that is in order but for what the statement says.
fn said(s: &Scene, change: impl FnOnce(&mut BrokerStatement)) -> Attempt {
    let held = s.app_asks(Ask::clinician(&[Allergies]));
    Attempt::of(&held, fetch(s, &held, change))
}

fn trees() -> Vec<Script> {
    use Defence::{StatementPresent, StatementSignature, StatementTree};
    vec![
        script("another leaf's number", StatementTree, |s| leaf(s, |signed| signed.leaf_index = 1)),
        script("a number beyond the leaves", StatementTree, |s| leaf(s, |signed| signed.leaf_index = 2)),
        script("the greatest number", StatementTree, |s| leaf(s, |signed| signed.leaf_index = u32::MAX)),
        script("fewer leaves", StatementTree, |s| leaf(s, |signed| signed.leaf_count = 1)),
        script("more leaves", StatementTree, |s| leaf(s, |signed| signed.leaf_count = 3)),
        script("no leaves", StatementTree, |s| leaf(s, |signed| signed.leaf_count = 0)),
        script("no path", StatementTree, |s| leaf(s, |signed| signed.path.clear())),
        script("a longer path", StatementTree, |s| leaf(s, |signed| signed.path.push(vec![0; 32]))),
        script("a short hash in the path", StatementTree, |s| leaf(s, |signed| signed.path[0].truncate(31))),
        script("another hash in the path", StatementTree, |s| leaf(s, |signed| signed.path[0] = vec![7; 32])),
        script("a statement that was not signed", StatementTree, |s| {
            leaf(s, |signed| {
                use prost::Message as _;
                let more = BrokerStatement { restricted: true, ..super::super::world::decoded(signed) };
                signed.statement = more.encode_to_vec();
            })
        }),
        script("the root of an earlier query", StatementTree, |s| {
            let earlier = s.app_asks(Ask::clinician(&[Allergies]));
            let root = s.signs(s.says(&earlier)).root_signature;
            leaf(s, |signed| signed.root_signature = root)
        }),
        script("a root by another key", StatementSignature, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            let signed = s.signs_otherwise(s.says(&held));
            Attempt::of(&held, Call::Fetch(Some(held.context.clone()), Some(signed)))
        }),
        script("a root without its signature", StatementSignature, |s| {
            leaf(s, |signed| {
                let end = signed.root_signature.rfind('.').unwrap() + 1;
                signed.root_signature.truncate(end);
            })
        }),
        script("no statement", StatementPresent, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, Call::Fetch(Some(held.context.clone()), None))
        }),
        script("a statement of no bytes", StatementPresent, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            Attempt::of(&held, Call::Fetch(Some(held.context.clone()), Some(SignedStatement::default())))
        }),
    ]
}

fn times() -> Vec<Script> {
    use Defence::StatementTime;
    vec![
        script("a statement of a minute ago", StatementTime, |s| said(s, |said| said.issued_at_ms -= 60_000)),
        script("a statement of the next minute", StatementTime, |s| said(s, |said| said.issued_at_ms += 60_000)),
        script("a statement of long before", StatementTime, |s| said(s, |said| said.issued_at_ms = i64::MIN)),
        script("a root of a minute ago", StatementTime, |s| {
            // The app's clock is ahead by as much as it may be; the broker signs before it is asked.
            let held = s.app_asks(Ask::clinician(&[Allergies]).but(|_, proof| proof.issued_s += 29));
            let signed = s.signs(s.says(&held));
            s.clock.forward(40);
            Attempt::of(&held, Call::Fetch(Some(held.context.clone()), Some(signed)))
        }),
    ]
}

fn others() -> Vec<Script> {
    use Defence::{SameQuery, StatementRequest, StatementSource};
    vec![
        script("another source's leaf", StatementSource, |s| said(s, |said| said.source_id = "OTHER".into())),
        script("a leaf for no source", StatementSource, |s| said(s, |said| said.source_id.clear())),
        script("a leaf for the source in small letters", StatementSource, |s| {
            said(s, |said| said.source_id = said.source_id.to_lowercase())
        }),
        script("the statement of another query", SameQuery, |s| {
            let other = s.app_asks(Ask::clerk(&[Allergies]));
            said(s, |said| said.query_id = other.query_id.to_string())
        }),
        script("the statement of no query", SameQuery, |s| said(s, |said| said.query_id.clear())),
        script("a query id in capitals", SameQuery, |s| said(s, |said| said.query_id = said.query_id.to_uppercase())),
        script("a statement made for another request", StatementRequest, |s| {
            let other = s.app_asks(Ask::clerk(&[Medications]));
            let digest = sha256(&[other.context.request_proof.as_bytes()]).to_vec();
            said(s, |said| said.proof_sha256 = digest)
        }),
        script("a statement made for no request", StatementRequest, |s| said(s, |said| said.proof_sha256.clear())),
        script("half the digest of the request", StatementRequest, |s| said(s, |said| said.proof_sha256.truncate(16))),
    ]
}
