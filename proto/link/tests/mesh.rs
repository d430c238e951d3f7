//! Who is let in, who is cut off, and what becomes of open connections when certificates change: real TLS over loopback.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

mod federation;

use ::aws_lc_rs::digest::{SHA256, digest};
use federation::{Federation, Serving, app, broker, source};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsError, send};
use severn_proto::v1::{DescribeRequest, FetchRequest, FetchResponse, source_adapter_client::SourceAdapterClient};
use std::{fs, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tonic::{Status, Streaming, transport::Channel};

type Client = SourceAdapterClient<Channel>;

/// Whoever waits this long waits for ever.
const AT_ONCE: Duration = Duration::from_secs(5);

fn client(own: &Tls, serving: &Serving) -> Client {
    let dialler = TlsDialler::new(own.clone(), AT_ONCE);
    SourceAdapterClient::new(dialler.dial(&serving.address, &serving.identity).unwrap())
}

async fn works(client: &mut Client) -> bool {
    let answer = tokio::time::timeout(AT_ONCE, client.describe(DescribeRequest {})).await;
    answer.unwrap().is_ok()
}

/// A call that is answered for as long as the connection holds; its first part has come.
async fn open_call(client: &mut Client) -> Streaming<FetchResponse> {
    let mut call = client.fetch(FetchRequest::default()).await.unwrap().into_inner();
    call.message().await.unwrap().unwrap();
    call
}

/// How the call ends, which it does at once.
async fn end_of(call: &mut Streaming<FetchResponse>) -> Status {
    tokio::time::timeout(AT_ONCE, call.message()).await.unwrap().unwrap_err()
}

async fn goes_on(call: &mut Streaming<FetchResponse>) -> bool {
    // Longer than it takes to hear of an end.
    tokio::time::timeout(Duration::from_millis(200), call.message()).await.is_err()
}

fn sha256(certificate: &CertificateDer<'_>) -> String {
    let digest = digest(&SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn whoever_is_denied_is_cut_off_at_the_accepting_side_and_the_others_stay() {
    let federation = Federation::new();
    federation.deny("");
    let own = federation.denying(&source("A"));
    let serving = Serving::start(&own).await;
    let (mut left, mut stays) =
        (client(&federation.tls(&app("left")), &serving), client(&federation.tls(&app("stays")), &serving));
    let (mut cut, mut open) = (open_call(&mut left).await, open_call(&mut stays).await);
    own.look();
    assert!(goes_on(&mut cut).await && goes_on(&mut open).await, "an empty list cuts nobody off");

    federation.deny("spiffe://severn/app/left # laptop stolen\n");
    own.look();
    let (cut, open) = (end_of(&mut cut), goes_on(&mut open));
    let (ended, open) = tokio::join!(cut, open);
    assert!(open, "the others are left alone: {ended}");
    assert!(!works(&mut left).await, "a new handshake is refused");
    assert!(works(&mut stays).await);

    federation.deny("");
    own.look();
    assert!(works(&mut left).await, "who is taken off the list is let in again");
}

#[tokio::test]
async fn whoever_is_denied_is_cut_off_at_the_dialling_side_and_the_others_stay() {
    let federation = Federation::new();
    federation.deny("");
    let own = federation.denying(&broker());
    let (a, b) = (federation.tls(&source("A")), federation.tls(&source("B")));
    let (a, b) = (Serving::start(&a).await, Serving::start(&b).await);
    let (mut to_a, mut to_b) = (client(&own, &a), client(&own, &b));
    let (mut cut, mut open) = (open_call(&mut to_a).await, open_call(&mut to_b).await);

    federation.deny("spiffe://severn/source/A\n");
    own.look();
    let (_, open) = tokio::join!(end_of(&mut cut), goes_on(&mut open));
    assert!(open, "the others are left alone");
    assert!(!works(&mut to_a).await, "a new connection to it is given up after the handshake");
    assert!(works(&mut to_b).await);
}

#[tokio::test]
async fn one_certificate_is_denied_and_the_next_of_the_same_party_is_let_in() {
    let federation = Federation::new();
    federation.deny("");
    let own = federation.denying(&source("A"));
    let serving = Serving::start(&own).await;
    let first = federation.tls(&app("epr"));
    let mut before = client(&first, &serving);
    let mut cut = open_call(&mut before).await;
    federation.deny(&format!("sha256:{}\n", sha256(&federation.certificate(&app("epr")))));
    own.look();
    end_of(&mut cut).await;
    assert!(!works(&mut before).await);
    federation.issue(&app("epr"), 0..=100_000);
    first.look();
    assert!(works(&mut before).await, "with the next certificate");
}

#[tokio::test]
async fn nobody_waits_longer_than_a_look_for_a_list_to_take_effect() {
    let federation = Federation::new();
    federation.deny("");
    let own = federation.denying(&source("A"));
    let serving = Serving::start(&own).await;
    let mut app = client(&federation.tls(&app("left")), &serving);
    let mut cut = open_call(&mut app).await;
    let following = tokio::spawn(own.follow());
    tokio::task::yield_now().await;
    federation.deny("spiffe://severn/app/left\n");
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    end_of_whenever(&mut cut).await;
    let waited = begun.elapsed();
    assert!(waited <= Duration::from_secs(60), "promised: 60 s; waited: {waited:?}");
    following.abort();
}

/// As [`end_of`], on a clock that jumps.
async fn end_of_whenever(call: &mut Streaming<FetchResponse>) {
    tokio::time::timeout(Duration::from_secs(120), call.message()).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_list_that_cannot_be_read_lets_nobody_back_in() {
    let federation = Federation::new();
    federation.deny("spiffe://severn/app/left\n");
    let own = federation.denying(&source("A"));
    let serving = Serving::start(&own).await;
    let (mut left, mut stays) =
        (client(&federation.tls(&app("left")), &serving), client(&federation.tls(&app("stays")), &serving));
    for wrong in [Some("app stays\n"), None] {
        match wrong {
            Some(text) => federation.deny(text),
            None => fs::remove_file(federation.deny_list()).unwrap(),
        }
        own.look();
        assert!(!works(&mut left).await, "{wrong:?}: the last good list holds");
        assert!(works(&mut stays).await, "{wrong:?}: nobody is added");
        let refused = federation.try_denying(&source("A")).unwrap_err();
        assert!(matches!(refused, TlsError::Denied(_)), "{wrong:?}: refused at start: {refused}");
    }
}

#[tokio::test]
async fn a_peer_whose_certificate_ends_is_cut_off_and_one_that_renewed_is_not() {
    let federation = Federation::new();
    federation.issue(&app("lapses"), 0..=1000);
    federation.issue(&app("renews"), 0..=1000);
    let own = federation.tls(&source("A"));
    let serving = Serving::start(&own).await;
    let (lapses, renews) = (federation.tls(&app("lapses")), federation.tls(&app("renews")));
    let (mut old, mut new) = (client(&lapses, &serving), client(&renews, &serving));
    let mut lapsing = open_call(&mut old).await;
    federation.time.set(900);
    federation.issue(&app("renews"), 890..=2000);
    renews.look();
    let mut renewed = open_call(&mut client(&renews, &serving)).await;
    federation.time.set(1000);
    own.look();
    assert!(goes_on(&mut lapsing).await, "the last second counts");
    federation.time.set(1001);
    own.look();
    let (_, open) = tokio::join!(end_of(&mut lapsing), goes_on(&mut renewed));
    assert!(open, "who renewed in time is not cut off");
    assert!(!works(&mut old).await, "nor is an ended certificate let in again, by a resumed session or otherwise");
    assert!(works(&mut new).await);
}

#[tokio::test]
async fn no_call_is_lost_while_certificates_change_under_way() {
    let federation = Federation::new();
    let (accepting, dialling) = (federation.tls(&source("A")), federation.tls(&broker()));
    // Every connection is asked to end after a second, so that many are made under each certificate.
    let serving = Serving::start_ageing(&accepting, 1).await;
    let client = client(&dialling, &serving);
    let swapping = async {
        for round in 1..=5 {
            tokio::time::sleep(Duration::from_millis(600)).await;
            federation.issue(&source("A"), 0..=100_000 + round);
            federation.issue(&broker(), 0..=100_000 + round);
            accepting.look();
            dialling.look();
            assert_eq!(*accepting.holds_s().end(), 100_000 + i64::try_from(round).unwrap());
        }
    };
    let calling = async {
        let (mut calls, mut lost) = (0, Vec::new());
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(3500) {
            let three = std::array::from_fn::<_, 3, _>(|_| client.clone());
            for answer in futures::future::join_all(three.map(async |one| {
                let call = || {
                    let mut one = one.clone();
                    async move { one.describe(DescribeRequest {}).await }
                };
                send(call).await
            }))
            .await
            {
                calls += 1;
                lost.extend(answer.err());
            }
        }
        (calls, lost)
    };
    let ((), (calls, lost)) = tokio::join!(swapping, calling);
    assert!(calls > 300, "only {calls} calls");
    assert!(lost.is_empty(), "{} of {calls} calls were lost: {:?}", lost.len(), lost[0]);
    assert!(serving.connections() >= 3, "only {} connections were made", serving.connections());
}

#[tokio::test]
async fn half_of_a_new_pair_is_never_used() {
    let federation = Federation::new();
    let own = federation.tls(&source("A"));
    let serving = Serving::start(&own).await;
    let caller = federation.tls(&broker());
    let files = federation.files(&source("A"));
    let [old, new] = [0, 1].map(|round| {
        federation.issue(&source("A"), 0..=200_000 + round);
        (fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap())
    });
    federation.write(&source("A"), &old);
    own.look();
    assert_eq!(*own.holds_s().end(), 200_000);
    let cut_short = &new.0[..new.0.len() / 2];
    for (certificate, key) in
        [(&new.0[..], &old.1[..]), (&old.0, &new.1), (cut_short, &new.1), (&new.0, b""), (b"", b"")]
    {
        federation.write(&source("A"), &(certificate.to_vec(), key.to_vec()));
        own.look();
        assert_eq!(*own.holds_s().end(), 200_000, "the old pair stays");
        assert!(works(&mut client(&caller, &serving)).await);
    }
    federation.write(&source("A"), &new);
    own.look();
    assert_eq!(*own.holds_s().end(), 200_001, "the whole pair is taken");
    assert!(works(&mut client(&caller, &serving)).await);
}

#[tokio::test]
async fn a_new_certificate_of_another_party_is_not_taken() {
    let federation = Federation::new();
    let own = federation.tls(&source("A"));
    federation.issue(&source("B"), 0..=300_000);
    let other = federation.files(&source("B"));
    let pair = (fs::read(other.certificate).unwrap(), fs::read(other.key).unwrap());
    federation.write(&source("A"), &pair);
    own.look();
    assert_ne!(*own.holds_s().end(), 300_000);
    assert_eq!(own.identity(), &source("A"));
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_with_the_reason() {
    let federation = Federation::new();
    federation.time.set(10_000);
    for (holds_s, names) in [(0..=9_999, "has ended"), (10_300..=20_000, "clock fault"), (10_301..=20_000, "wait")] {
        federation.issue(&app("epr"), holds_s);
        let refused = federation.try_tls(&app("epr")).unwrap_err().to_string();
        assert!(refused.contains(names), "{refused}");
    }
    let serving = Serving::start(&federation.tls(&source("A"))).await;
    federation.issue(&app("epr"), 9_000..=20_000);
    assert!(works(&mut client(&federation.tls(&app("epr")), &serving)).await);
    assert_eq!(serving.identity, Identity::Source("A".into()));
}

type Unfinished = ConfigBuilder<ClientConfig, WantsClientCert>;

/// A client that believes the federation's authority, and shows nothing yet.
fn trusting(federation: &Federation, versions: &[&'static SupportedProtocolVersion]) -> Unfinished {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(federation.files(&broker()).authorities);
    roots.add(authority.unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

/// The same, that shows what `party` has in another federation, or in this, whatever this end thinks of it.
fn showing(unfinished: Unfinished, federation: &Federation, party: &Identity) -> ClientConfig {
    let key = PrivateKeyDer::from_pem_file(federation.files(party).key).unwrap();
    unfinished.with_client_auth_cert(vec![federation.certificate(party)], key).unwrap()
}

/// Whether the other end says a word to a client of this configuration.
async fn is_let_in(mut config: ClientConfig, serving: &Serving) -> bool {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let tcp = TcpStream::connect(&serving.address).await.unwrap();
    let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, tcp).await else { return false };
    // The preface and the first frame of HTTP/2, which is answered with the server's own first frame.
    let greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    if stream.write_all(greeting).await.is_err() {
        return false;
    }
    let mut first = [0; 9];
    tokio::time::timeout(AT_ONCE, stream.read_exact(&mut first)).await.is_ok_and(|read| read.is_ok())
}

#[tokio::test]
async fn only_a_certificate_of_one_party_that_holds_now_is_let_in() {
    let federation = Federation::new();
    let now_s = std::fs::metadata(federation.files(&app("x")).authorities).unwrap().modified().unwrap();
    let now_s = now_s.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    federation.time.set(now_s);
    let holds = || now_s - 1000..=now_s + 100_000;
    federation.issue(&source("A"), holds());
    let serving = Serving::start(&federation.tls(&source("A"))).await;
    let other = Federation::new();
    let epr = app("epr");
    let mut found = Vec::new();
    let mut tried =
        async |what: &'static str, config: ClientConfig| found.push((what, is_let_in(config, &serving).await));

    federation.issue(&epr, holds());
    tried("good", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    tried("none", trusting(&federation, &[&TLS13]).with_no_client_auth()).await;
    tried("in TLS 1.2", showing(trusting(&federation, &[&TLS12]), &federation, &epr)).await;
    other.issue(&epr, holds());
    tried("of another authority", showing(trusting(&federation, &[&TLS13]), &other, &epr)).await;
    federation.issue(&epr, now_s - 1000..=now_s - 1);
    tried("ended", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    federation.issue(&epr, now_s + 100..=now_s + 1000);
    tried("not yet", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    federation.issue_changed(&epr, holds(), |params| {
        params.subject_alt_names.push(SanType::URI("spiffe://severn/broker/broker-1".try_into().unwrap()));
    });
    tried("of two parties", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    federation.issue_changed(&epr, holds(), |params| {
        params.subject_alt_names.retain(|name| !matches!(name, SanType::URI(_)));
    });
    tried("of nobody", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    federation.issue_changed(&epr, holds(), |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    tried("for servers only", showing(trusting(&federation, &[&TLS13]), &federation, &epr)).await;
    let (good, wrong) = found.split_first().unwrap();
    assert!(good.1, "the good one is let in");
    assert!(wrong.iter().all(|(_, let_in)| !let_in), "{wrong:?}");
}
