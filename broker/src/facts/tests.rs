//! What a directive keeps from whom. What becomes of facts in an index is tested there.

use super::*;
use crate::model::SourceId;
use severn_proto::v1::{Dataset, PurposeOfUse};
use severn_trust::{PublicKey, User};

fn user(id: &str, ods: &str) -> User {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    User {
        id: id.into(),
        issuer: "i".into(),
        name: "Dr A".into(),
        role_code: "R8000".into(),
        organisation_ods: ods.into(),
        purpose: PurposeOfUse::DirectCare,
        token_id: "t1".into(),
        token_sha256: [0; 32],
        expires_s: 0,
        app_key: PublicKey::from_json(jwk).unwrap(),
        authenticated_s: None,
        assurance: 3,
        activities: std::collections::BTreeSet::new(),
        workgroups: std::collections::BTreeSet::new(),
    }
}

#[test]
fn a_directive_keeps_back_what_it_names_and_from_whom() {
    let practice = || SourceId("GP".into());
    let restriction = DirectiveKind::Restriction;
    let organisation = restriction(Restricted::Organisation { ods: "rrk".into() });
    let one_user = restriction(Restricted::User { issuer: "i".into(), id: "u1".into() });
    let elsewhere = restriction(Restricted::User { issuer: "j".into(), id: "u1".into() });
    let datasets = restriction(Restricted::Datasets(vec![Dataset::Risks]));
    // From u1 of RRK: risks of the practice, allergies of the practice, risks of another; and from u2 of RXX.
    for (kind, expected) in [
        (DirectiveKind::OptOut, [true, true, true, true]),
        (DirectiveKind::Dissent { source: practice() }, [true, true, false, true]),
        (organisation, [true, true, true, false]),
        (one_user, [true, true, true, false]),
        (elsewhere, [false, false, false, false]),
        (datasets, [true, false, true, true]),
    ] {
        let (own, other) = (user("u1", "RRK"), user("u2", "RXX"));
        let kept = [
            kind.keeps_back(&own, &practice(), Dataset::Risks),
            kind.keeps_back(&own, &practice(), Dataset::Allergies),
            kind.keeps_back(&own, &SourceId("RRK".into()), Dataset::Risks),
            kind.keeps_back(&other, &practice(), Dataset::Risks),
        ];
        assert_eq!(kept, expected, "{kind:?}");
        assert_eq!(kind.yields_to_override(), !matches!(kind, DirectiveKind::Dissent { .. }));
    }
}

#[test]
fn no_debug_shows_a_person_or_a_text() {
    let change = Change {
        key: uuid::Uuid::nil(),
        by: Actor::of(&user("u1", "RRK")),
        subject: None,
        kind: ChangeKind::DirectiveWithdrawn { directive: uuid::Uuid::nil(), reason: "Anna Smith rang".into() },
    };
    let shown = format!("{change:?} {:?}", change.by);
    assert!(!shown.contains("Anna") && !shown.contains("Dr A") && !shown.contains("u1"), "{shown}");
}
