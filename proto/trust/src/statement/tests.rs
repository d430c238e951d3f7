use super::*;
use crate::keys::tests::{RawKey, es256_key};

const NOW_MS: i64 = 1_800_000_000_000;
const NOW_S: i64 = NOW_MS / 1000;
const PROOF: &str = "header.payload.signature";

struct At(i64);

impl Clock for At {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

fn statement(source_id: &str) -> BrokerStatement {
    BrokerStatement {
        query_id: "q".into(),
        source_id: source_id.into(),
        local_id: format!("person at {source_id}"),
        budget_ms: 2_000,
        issued_at_ms: NOW_MS,
        proof_sha256: sha256(&[PROOF.as_bytes()]).to_vec(),
        ..BrokerStatement::default()
    }
}

fn signed(key: &SigningKey, statements: &[BrokerStatement]) -> Vec<SignedStatement> {
    sign_statements(statements, key, &At(NOW_MS)).unwrap()
}

#[test]
fn every_source_of_a_query_can_check_its_own_leaf_and_no_other() {
    let key = es256_key();
    for count in [1, 2, 3, 7, 400] {
        let statements: Vec<_> = (0..count).map(|n| statement(&format!("S{n}"))).collect();
        for (said, signed) in statements.iter().zip(signed(&key, &statements)) {
            let read = verify_statement(&signed, key.public(), &said.source_id, PROOF, NOW_S);
            assert_eq!(read.as_ref(), Ok(said));
            let elsewhere = verify_statement(&signed, key.public(), "another", PROOF, NOW_S);
            assert_eq!(elsewhere, Err(StatementError::OtherSource));
        }
    }
    assert_eq!(signed(&key, &[]), []);
}

#[test]
fn a_statement_for_another_request_or_time_is_refused() {
    let key = es256_key();
    let signed = signed(&key, &[statement("A"), statement("B")]).remove(0);
    let verify = |proof: &str, now_s| verify_statement(&signed, key.public(), "A", proof, now_s).err();
    assert_eq!(verify("header.payload.other", NOW_S), Some(StatementError::OtherRequest));
    assert_eq!(verify("", NOW_S), Some(StatementError::OtherRequest));
    assert_eq!(verify(PROOF, NOW_S + 31), Some(StatementError::WrongTime));
    assert_eq!(verify(PROOF, NOW_S - 31), Some(StatementError::WrongTime));
    assert_eq!(verify(PROOF, NOW_S + 30), None);
}

#[test]
fn an_old_statement_under_a_new_root_and_the_reverse_are_refused() {
    let key = es256_key();
    for (issued_at_ms, root_ms) in [(NOW_MS - 31_000, NOW_MS), (NOW_MS, NOW_MS - 31_000), (i64::MIN, NOW_MS)] {
        let old = BrokerStatement { issued_at_ms, ..statement("A") };
        let signed = sign_statements(&[old], &key, &At(root_ms)).unwrap().remove(0);
        let refused = verify_statement(&signed, key.public(), "A", PROOF, NOW_S).err();
        assert_eq!(refused, Some(StatementError::WrongTime), "{issued_at_ms} {root_ms}");
    }
}

type Change = fn(&mut SignedStatement);

#[test]
fn a_tampered_leaf_path_or_place_is_refused() {
    let key = es256_key();
    let good = signed(&key, &[statement("A"), statement("B"), statement("C")]).remove(1);
    let other = signed(&key, &[statement("B"), statement("A")]).remove(0);
    let widened = BrokerStatement { local_id: "somebody else".into(), ..statement("B") };
    let changes: [(&str, Change); 7] = [
        ("no leaf", |s| s.statement.clear()),
        ("a bit of the leaf", |s| s.statement[3] ^= 1),
        ("a bit of the path", |s| s.path[0][0] ^= 1),
        ("a shorter path", |s| s.path.truncate(1)),
        ("a longer path", |s| s.path.push(vec![0; 32])),
        ("a short hash", |s| s.path[0].truncate(31)),
        ("another place", |s| s.leaf_index = 0),
    ];
    for (what, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        let refused = verify_statement(&changed, key.public(), "B", PROOF, NOW_S).err();
        assert_eq!(refused, Some(StatementError::NotInTree), "{what}");
    }
    for changed in [
        SignedStatement { statement: widened.encode_to_vec(), ..good.clone() },
        SignedStatement { leaf_count: 0, ..good.clone() },
        SignedStatement { leaf_index: 3, ..good.clone() },
        SignedStatement { leaf_count: u32::MAX, ..good.clone() },
        SignedStatement { root_signature: other.root_signature, ..good },
    ] {
        let refused = verify_statement(&changed, key.public(), "B", PROOF, NOW_S).err();
        assert_eq!(refused, Some(StatementError::NotInTree));
    }
}

#[test]
fn a_root_of_another_key_or_kind_is_refused() {
    let (raw, attacker) = (RawKey::new(), es256_key());
    let key = raw.key();
    let refused = |signed: &SignedStatement| verify_statement(signed, key.public(), "A", PROOF, NOW_S).err();
    let forged = signed(&attacker, &[statement("A")]).remove(0);
    assert_eq!(refused(&forged), Some(StatementError::Key(KeyError::WrongSignature)));
    assert_eq!(refused(&SignedStatement::default()), Some(StatementError::Key(KeyError::WrongHeader)));
    let good = signed(&key, &[statement("A")]).remove(0);
    let root = URL_SAFE_NO_PAD.encode(MerkleTree::new([good.statement.as_slice()].into_iter()).root());
    let payload = format!(r#"{{"root":"{root}","iat":{NOW_S}}}"#);
    let resign =
        |header: &str, payload: &str| SignedStatement { root_signature: raw.sign(header, payload), ..good.clone() };
    let header = r#"{"alg":"ES256","typ":"severn-statements+jwt"}"#;
    assert_eq!(refused(&resign(header, &payload)), None);
    // A proof or a trail head signed by the same key is no statement.
    for typ in ["severn-proof+jwt", "severn-trail+jwt", "JWT"] {
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
        assert_eq!(refused(&resign(&header, &payload)), Some(StatementError::Key(KeyError::WrongHeader)), "{typ}");
    }
    let surplus = payload.replacen('{', r#"{"more":1,"#, 1);
    assert_eq!(refused(&resign(header, &surplus)), Some(StatementError::Key(KeyError::WrongPayload)));
}

#[test]
fn a_leaf_that_is_no_statement_is_refused() {
    let key = es256_key();
    let leaf = [0xff_u8; 5];
    let root = URL_SAFE_NO_PAD.encode(MerkleTree::new([leaf.as_slice()].into_iter()).root());
    let root_signature = key.sign(TYPE, &Root { root, iat: NOW_S }).unwrap();
    let signed =
        SignedStatement { statement: leaf.to_vec(), leaf_count: 1, root_signature, ..SignedStatement::default() };
    assert_eq!(verify_statement(&signed, key.public(), "A", PROOF, NOW_S), Err(StatementError::Malformed));
}
