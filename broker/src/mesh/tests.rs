use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use severn_link::{Identity, Tls, TlsFiles};
use severn_trust::{Clock, MemoryDisk, SigningKey, SystemClock, SystemEntropy, Trail};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tempfile::TempDir;
use tokio::sync::watch;

const HOUR_MS: i64 = 3_600_000;

/// The machine's clock, put forward by hand.
#[derive(Default)]
struct Forward(AtomicI64);

impl Clock for Forward {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }
}

/// A broker that lets the adapters of A and B in, and the disk around it.
struct Office {
    folder: TempDir,
    tls: Tls,
    clock: Arc<Forward>,
    trail: Trail,
    deny: watch::Sender<Arc<severn_link::DenyList>>,
    registrar: Registrar,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A root, and an intermediate that it vouches for, in a folder; and the broker's own certificate.
fn write_authorities(folder: &Path, change: impl FnOnce(&mut CertificateParams)) -> Tls {
    let root = CertifiedIssuer::self_signed(authority_params("root"), KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("root.pem"), root.pem()).unwrap();
    let (mut params, key) = (authority_params("intermediate"), KeyPair::generate().unwrap());
    change(&mut params);
    let intermediate = params.signed_by(&key, &root).unwrap();
    fs::write(folder.join("intermediate.pem"), intermediate.pem()).unwrap();
    private(&folder.join("intermediate.key"), &key.serialize_pem());
    write_leaf(folder, "broker", &Identity::Broker("broker-1".into()), &root)
}

fn write_leaf(folder: &Path, name: &str, identity: &Identity, issuer: &Issuer<'_, KeyPair>) -> Tls {
    let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    params.subject_alt_names.push(SanType::URI(identity.uri().try_into().unwrap()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let at = |end: &str| folder.join(format!("{name}.{end}"));
    fs::write(at("pem"), params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    private(&at("key"), &key.serialize_pem());
    let authorities = folder.join("root.pem");
    Tls::load(&TlsFiles { certificate: at("pem"), key: at("key"), authorities, denied: None }).unwrap()
}

fn open(folder: &Path, tls: &Tls) -> Result<Authority, AuthorityError> {
    let at = |name: &str| folder.join(name);
    let when = (SystemClock.now_s(), &SystemEntropy::default() as _);
    Authority::open(&at("intermediate.pem"), &at("intermediate.key"), tls, when)
}

impl Office {
    fn new() -> Office {
        let folder = tempfile::tempdir().unwrap();
        let tls = write_authorities(folder.path(), |_| ());
        let authority = open(folder.path(), &tls).unwrap();
        let clock: Arc<Forward> = Arc::default();
        let key = SigningKey::from_pem(&KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let trail = Trail::open(Arc::new(MemoryDisk::default()), Arc::clone(&clock) as _, key).unwrap();
        let (deny, denied) = watch::channel(Arc::default());
        let place = |ods: &str| Place { ods: ods.into(), host: "127.0.0.1".into() };
        let registrar = Registrar::new(RegistrarParts {
            authority,
            enrolments: Enrolments::within(folder.path()).unwrap(),
            sources: BTreeMap::from([("A".into(), place("A1")), ("B".into(), place("B1"))]),
            denied,
            trail: trail.clone(),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy::default()),
        });
        Office { folder, tls, clock, trail, deny, registrar }
    }

    fn enrolments(&self) -> Enrolments {
        Enrolments::within(self.folder.path()).unwrap()
    }

    fn token(&self) -> JoinToken {
        let when = (self.clock.now_ms(), HOUR_MS);
        self.enrolments().make(("A", "A1"), "Ada", when, &SystemEntropy::default()).unwrap()
    }

    fn pass(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    async fn offer(&self, token: &str, request: &[u8]) -> Result<Answer, EnrolError> {
        self.registrar.enrol(Offer { token, source_id: "A", ods: "A1", certificate_request: request, from: None }).await
    }

    fn decide(&self, id: &str, approved: bool, by: &str) -> Result<Enrolled, EnrolmentsError> {
        let because = if approved { "" } else { "unknown key" };
        let decision = Decision { approved, by: by.into(), at_ms: self.clock.now_ms(), because: because.into() };
        self.enrolments().decide(id, decision)
    }

    /// Action and reason of every event.
    fn events(&self) -> Vec<(String, String)> {
        let mut events = Vec::new();
        self.trail
            .scan(|_, _, event| {
                let why = event.details.get("why").and_then(|why| Some(why.as_str()?.to_owned()));
                events.push((event.action, why.unwrap_or_default()));
            })
            .unwrap();
        events
    }
}

/// A key, and a request that it signed.
fn request() -> Vec<u8> {
    request_of(&KeyPair::generate().unwrap())
}

fn request_of(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

#[tokio::test]
async fn an_adapter_joins_once_another_person_approves() {
    let office = Office::new();
    let (token, key) = (office.token(), KeyPair::generate().unwrap());
    let asked = office.offer(&token, &request_of(&key)).await.unwrap();
    assert!(asked.issued.is_none(), "nobody has approved");
    let again = office.offer(&token, &request_of(&key)).await.unwrap();
    assert!(again.issued.is_none() && again.enrolment_id == asked.enrolment_id, "asking again changes nothing");
    let same = office.decide(&asked.enrolment_id, true, " ADA ").unwrap_err();
    assert!(matches!(same, EnrolmentsError::SamePerson(_)), "{same}");
    assert!(office.offer(&token, &request_of(&key)).await.unwrap().issued.is_none());

    office.decide(&asked.enrolment_id, true, "Brian").unwrap();
    let issued = office.offer(&token, &request_of(&key)).await.unwrap().issued.unwrap();
    let files = TlsFiles {
        certificate: office.folder.path().join("a.pem"),
        key: office.folder.path().join("a.key"),
        authorities: office.folder.path().join("root.pem"),
        denied: None,
    };
    fs::write(&files.certificate, &issued.certificates).unwrap();
    private(&files.key, &key.serialize_pem());
    let joined = Tls::load(&files).unwrap();
    assert_eq!(*joined.identity(), Identity::Source("A".into()));
    office.tls.believes(&issued.certificates).unwrap();
    let life_s = joined.holds_s().end() - office.clock.now_s();
    assert!((86_390..=86_400).contains(&life_s), "it holds for a day: {life_s} s");

    let again = office.offer(&token, &request_of(&key)).await.unwrap().issued.unwrap();
    assert_ne!(again.serial, issued.serial, "an adapter that lost the answer gets another for the same key");
    let actions: Vec<String> = office.events().into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["enrol-asked", "enrol-issued", "enrol-issued"]);
}

#[tokio::test]
async fn a_token_is_good_once_in_time_and_for_whom_it_was_made() {
    let office = Office::new();
    let token = office.token();
    let other = |source_id, ods| Offer { token: &token, source_id, ods, certificate_request: &[], from: None };
    let mut refused = Vec::new();
    for (offer, why) in [
        (other("B", "A1"), Refusal::OtherSource),
        (other("A", "B1"), Refusal::OtherOrganisation),
        (Offer { token: &token[1..], ..other("A", "A1") }, Refusal::UnknownToken),
        (Offer { token: &token[..token.len() - 1], ..other("A", "A1") }, Refusal::UnknownToken),
        (Offer { token: "", ..other("A", "A1") }, Refusal::UnknownToken),
        (Offer { token: "../../etc.passwd", ..other("A", "A1") }, Refusal::UnknownToken),
    ] {
        let error = office.registrar.enrol(offer).await.unwrap_err();
        assert!(matches!(&error, EnrolError::Refused(found) if *found == why), "{why:?}: {error}");
        refused.push(("enrol-refused".to_owned(), why.to_string()));
    }
    let first = request();
    office.offer(&token, &first).await.unwrap();
    refused.push(("enrol-asked".into(), String::new()));
    let used = office.offer(&token, &request()).await.unwrap_err();
    assert!(matches!(used, EnrolError::Refused(Refusal::Used)), "{used}");
    refused.push(("enrol-refused".into(), Refusal::Used.to_string()));

    let late = office.token();
    office.pass(HOUR_MS);
    let expired = office.offer(&late, &request()).await.unwrap_err();
    assert!(matches!(expired, EnrolError::Refused(Refusal::Expired)), "{expired}");
    refused.push(("enrol-refused".into(), Refusal::Expired.to_string()));
    assert!(office.offer(&token, &first).await.is_ok(), "who asked in time may wait for the answer");
    office.pass(DECISION_MAX_MS);
    let id = token.split('.').next().unwrap();
    assert!(matches!(office.decide(id, true, "Brian"), Err(EnrolmentsError::Lapsed)));
    let lapsed = office.offer(&token, &first).await.unwrap_err();
    assert!(matches!(lapsed, EnrolError::Refused(Refusal::Lapsed)), "{lapsed}");
    refused.push(("enrol-refused".into(), Refusal::Lapsed.to_string()));
    assert_eq!(office.events(), refused, "each is on record, with the reason");
}

#[tokio::test]
async fn of_two_keys_that_race_on_one_token_one_wins() {
    let office = Office::new();
    for _ in 0..20 {
        let (token, requests) = (office.token(), [request(), request()]);
        let (a, b) = tokio::join!(office.offer(&token, &requests[0]), office.offer(&token, &requests[1]));
        let won = [&a, &b].into_iter().filter(|one| one.is_ok()).count();
        let lost = [&a, &b].into_iter().filter(|one| matches!(one, Err(EnrolError::Refused(Refusal::Used)))).count();
        assert_eq!((won, lost), (1, 1), "{a:?} {b:?}");
    }
}

#[test]
fn of_many_who_write_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let enrolments = Enrolments::within(folder.path()).unwrap();
    for round in 0..20 {
        let token = enrolments.make(("A", "A1"), "Ada", (round, HOUR_MS), &SystemEntropy::default()).unwrap();
        let id = token.split('.').next().unwrap();
        let (asked, decided) = std::thread::scope(|threads| {
            let both = |n: i64| {
                let (enrolments, id) = (&enrolments, id);
                move || {
                    let asked = enrolments.ask(id, &Asked { key: n.to_string(), at_ms: n }).unwrap();
                    let by = format!("person {n}");
                    let decision = Decision { approved: n % 2 == 0, by, at_ms: n, because: String::new() };
                    (asked, enrolments.decide(id, decision).is_ok())
                }
            };
            let running: Vec<_> = (0..4).map(|n| threads.spawn(both(n))).collect();
            running
                .into_iter()
                .map(|one| one.join().unwrap())
                .fold((0, 0), |(asked, decided), one| (asked + u32::from(one.0), decided + u32::from(one.1)))
        });
        assert_eq!((asked, decided), (1, 1));
    }
    assert_eq!(enrolments.all().unwrap().len(), 20);
    assert_eq!(fs::read_dir(folder.path().join("enrolments")).unwrap().count(), 60, "nothing is left lying about");
}

#[tokio::test]
async fn who_is_declined_denied_or_unknown_does_not_join() {
    let office = Office::new();
    let (token, asks) = (office.token(), request());
    let id = office.offer(&token, &asks).await.unwrap().enrolment_id;
    office.decide(&id, false, "Ada").unwrap();
    let late = office.decide(&id, true, "Brian").unwrap_err();
    assert!(matches!(late, EnrolmentsError::Decided(by) if by == "Ada"));
    let declined = office.offer(&token, &asks).await.unwrap_err();
    assert!(declined.to_string().contains("unknown key"), "{declined}");

    let (token, asks) = (office.token(), request());
    let id = office.offer(&token, &asks).await.unwrap().enrolment_id;
    office.decide(&id, true, "Brian").unwrap();
    let list = office.folder.path().join("denied");
    fs::write(&list, "spiffe://severn/source/A\n").unwrap();
    office.deny.send_replace(Arc::new(severn_link::DenyList::read(&list).unwrap()));
    let denied = office.offer(&token, &asks).await.unwrap_err();
    assert!(matches!(denied, EnrolError::Refused(Refusal::Denied)), "also after it was approved: {denied}");
    let denied = office.registrar.renew("A", &asks).await.unwrap_err();
    assert!(matches!(denied, EnrolError::Refused(Refusal::Denied)), "{denied}");
    let unknown = office.registrar.renew("C", &asks).await.unwrap_err();
    assert!(matches!(unknown, EnrolError::Refused(Refusal::Unregistered)), "{unknown}");
    assert!(office.registrar.renew("B", &asks).await.is_ok(), "the others renew");
    let actions: Vec<String> = office.events().into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions[4..], ["renew-refused", "renew-refused", "renew"]);
}

#[tokio::test]
async fn what_is_no_request_gets_no_certificate() {
    let office = Office::new();
    let token = office.token();
    let whole = request();
    let mut other_key = whole.clone();
    // A byte of the public key, so that the signature is another's.
    let at = other_key.len() / 2;
    other_key[at] ^= 1;
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    for (what, wrong) in [
        ("nothing", Vec::new()),
        ("noise", vec![7; 300]),
        ("cut short", whole[..whole.len() - 1].to_vec()),
        ("another's signature", other_key),
        ("over the limit", vec![0; 9000]),
        ("a key of another kind", request_of(&p384)),
    ] {
        let refused = office.offer(&token, &wrong).await.unwrap_err();
        assert!(matches!(refused, EnrolError::Request(_)), "{what}: {refused}");
    }
    assert!(office.offer(&token, &whole).await.is_ok(), "the token is not used up by any of it");
}

#[tokio::test]
async fn a_request_that_asks_for_more_gets_no_more() {
    let office = Office::new();
    let mut greedy = CertificateParams::new(vec!["broker.example".into()]).unwrap();
    greedy.subject_alt_names.push(SanType::URI("spiffe://severn/broker/broker-1".try_into().unwrap()));
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let asks = greedy.serialize_request(&key).unwrap().der().to_vec();
    let issued = office.registrar.renew("A", &asks).await.unwrap();
    let at = |name: &str| -> PathBuf { office.folder.path().join(name) };
    fs::write(at("a.pem"), &issued.certificates).unwrap();
    private(&at("a.key"), &key.serialize_pem());
    let files = TlsFiles { certificate: at("a.pem"), key: at("a.key"), authorities: at("root.pem"), denied: None };
    assert_eq!(*Tls::load(&files).unwrap().identity(), Identity::Source("A".into()));
    let below = Issuer::from_ca_cert_pem(&issued.certificates, key).unwrap();
    assert_eq!(below.key_usages(), [KeyUsagePurpose::DigitalSignature], "it cannot sign for others");
}

#[tokio::test]
async fn no_token_lies_on_disk_and_refusals_do_not_fill_it() {
    let office = Office::new();
    let token = office.token();
    office.offer(&token, &request()).await.unwrap();
    let secret = token.split('.').nth(1).unwrap();
    let (mut files, folder) = (0, office.folder.path().join("enrolments"));
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!fs::read_to_string(file.path()).unwrap().contains(secret));
        files += 1;
    }
    assert_eq!(files, 2);
    for _ in 0..100 {
        office.offer("nobody.knows", &[]).await.unwrap_err();
    }
    assert!(office.events().len() <= 62, "{} events", office.events().len());
    assert!(matches!(office.offer("nobody.knows", &[]).await, Err(EnrolError::TooOften)));
    assert!(office.offer(&office.token(), &request()).await.is_ok(), "who has a token is not kept out by them");
}

#[tokio::test]
async fn without_a_trail_nobody_joins() {
    let office = Office::new();
    let disk = MemoryDisk::default();
    let key = SigningKey::from_pem(&KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let trail = Trail::open(Arc::new(disk.clone()), Arc::clone(&office.clock) as _, key).unwrap();
    let registrar = Registrar::new(RegistrarParts {
        authority: open(office.folder.path(), &office.tls).unwrap(),
        enrolments: office.enrolments(),
        sources: BTreeMap::from([("A".into(), Place { ods: "A1".into(), host: "127.0.0.1".into() })]),
        denied: office.deny.subscribe(),
        trail,
        clock: Arc::clone(&office.clock) as _,
        entropy: Arc::new(SystemEntropy::default()),
    });
    disk.set_full(true);
    let (token, asks) = (office.token(), request());
    let offer = Offer { token: &token, source_id: "A", ods: "A1", certificate_request: &asks, from: None };
    assert!(matches!(registrar.enrol(offer).await, Err(EnrolError::Trail(_))));
    assert!(matches!(registrar.renew("A", &asks).await, Err(EnrolError::Trail(_))));
    assert!(office.enrolments().of_token(&token).unwrap().unwrap().asked.is_none(), "the token is still good");
}

#[test]
fn an_authority_that_would_not_be_believed_is_refused_at_start() {
    let refused = |change: &dyn Fn(&mut CertificateParams), spoil: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let tls = write_authorities(folder.path(), change);
        spoil(folder.path());
        open(folder.path(), &tls).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let same = |_: &mut CertificateParams| ();
    let whole = |_: &Path| ();
    let new_key = || KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(refused(&same, &whole), "");
    for (what, fault, names) in [
        ("no authority", refused(&|params| params.is_ca = IsCa::ExplicitNoCa, &whole), "not believed"),
        ("may not sign", refused(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign], &whole), "keyCertSign"),
        ("has ended", refused(&|params| params.not_after = date_time_ymd(2001, 1, 1), &whole), "does not hold"),
        ("another key", refused(&same, &|at| private(&at.join("intermediate.key"), &new_key())), "not believed"),
        ("no key", refused(&same, &|at| private(&at.join("intermediate.key"), "")), "enrolment.key"),
        (
            "no certificate",
            refused(&same, &|at| fs::write(at.join("intermediate.pem"), "").unwrap()),
            "enrolment.certificate",
        ),
        (
            "an open key",
            refused(&same, &|at| {
                fs::set_permissions(at.join("intermediate.key"), fs::Permissions::from_mode(0o644)).unwrap();
            }),
            "chmod 600",
        ),
        (
            "nobody's",
            refused(&same, &|at| {
                let own = CertifiedIssuer::self_signed(authority_params("else"), KeyPair::generate().unwrap()).unwrap();
                fs::write(at.join("intermediate.pem"), own.pem()).unwrap();
                private(&at.join("intermediate.key"), &own.key().serialize_pem());
            }),
            "not believed",
        ),
    ] {
        assert!(fault.contains(names), "{what}: {fault:?}");
    }
}
