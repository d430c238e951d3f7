use super::*;
use severn_trust::SigningKey;

const NOW_S: i64 = 1_800_000_000;

fn role(id: &str, organisation: &str, code: &str) -> HeldRole {
    HeldRole { id: id.into(), organisation: organisation.into(), code: code.into(), ..HeldRole::default() }
}

fn user(roles: Vec<HeldRole>, chosen: Option<&str>) -> SignedIn {
    SignedIn {
        id: "u-1".into(),
        name: "Dr Example".into(),
        assurance: 3,
        at_s: Some(NOW_S - 10),
        until_s: NOW_S + 3600,
        roles,
        chosen: chosen.map(Into::into),
    }
}

fn claims(user: SignedIn, scope: &str) -> Result<UserClaims, ExchangeError> {
    let issuing = Issuing { name: "gw".into(), audience: "severn".into(), organisations: vec!["RRK".into()] };
    let app = SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    issuing.claims(user, Scope::read(scope)?, (app.public(), Uuid::from_u128(7)), NOW_S)
}

#[test]
fn a_token_says_what_the_sign_in_said_and_ends_with_it() {
    let said = claims(user(vec![role("1", "RRK", "R8000")], None), "purpose:emergency").unwrap();
    assert_eq!((said.role.as_str(), said.org.as_str(), said.purpose.as_str()), ("R8000", "RRK", "emergency"));
    assert_eq!((said.exp - said.iat, said.auth_time, said.assurance), (300, Some(NOW_S - 10), 3));
    let soon = SignedIn { until_s: NOW_S + 20, ..user(vec![role("1", "RRK", "R8000")], None) };
    assert_eq!(claims(soon, "purpose:emergency").unwrap().exp, NOW_S + 20);
    let over = SignedIn { until_s: NOW_S, ..user(vec![role("1", "RRK", "R8000")], None) };
    assert_eq!(claims(over, "purpose:emergency").err(), Some(ExchangeError::Over));
}

#[test]
fn the_role_is_one_that_is_held_here() {
    let two = || vec![role("1", "RRK", "R8000"), role("2", "RRK", "R8010"), role("3", "OTHER", "R9999")];
    for (roles, chosen, scope, expected) in [
        (two(), Some("2"), "purpose:direct_care", Ok("R8010")),
        (two(), Some("2"), "purpose:direct_care role:R8000", Ok("R8000")),
        (two(), None, "purpose:direct_care", Err(ExchangeError::SeveralRoles("R8000, R8010".into()))),
        (two(), Some("3"), "purpose:direct_care", Err(ExchangeError::SeveralRoles("R8000, R8010".into()))),
        (two(), None, "purpose:direct_care role:R9999", Err(ExchangeError::OtherRole("R8000, R8010".into()))),
        (two().split_off(2), Some("3"), "purpose:direct_care", Err(ExchangeError::NoRole)),
        (Vec::new(), None, "purpose:direct_care", Err(ExchangeError::NoRole)),
    ] {
        let said = claims(user(roles, chosen), scope).map(|claims| claims.role);
        assert_eq!(said, expected.map(str::to_owned), "{chosen:?} {scope}");
    }
}

#[test]
fn a_scope_names_one_purpose_and_at_most_one_role() {
    let full = Scope { purpose: "audit".into(), role: Some("S8000:G8000:R8000".into()) };
    assert_eq!(Scope::read("purpose:audit role:S8000:G8000:R8000"), Ok(full));
    for wrong in
        ["", "role:R1", "purpose:curiosity", "purpose:audit purpose:audit", "purpose:audit role:", "purpose:audit x"]
    {
        assert_eq!(Scope::read(wrong), Err(ExchangeError::Scope), "{wrong}");
    }
}
