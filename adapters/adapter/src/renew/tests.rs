use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use severn_link::{InMemory, ServerLimits, server};
use severn_proto::v1::{
    EnrolRequest, EnrolResponse, RenewResponse,
    enrolment_server::{Enrolment, EnrolmentServer},
};
use severn_trust::{SystemClock, SystemEntropy};
use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status};

#[test]
fn a_certificate_is_renewed_at_half_of_its_life() {
    let day = 1000..=1000 + 86_400;
    assert_eq!(due_s(&day, 0.0), 1000 + 43_200);
    assert_eq!(due_s(&day, 1.0), 1000 + 51_840);
    assert!(!ends_soon(&day, 1000 + 64_800));
    assert!(ends_soon(&day, 1000 + 64_801));
}

#[test]
fn waits_double_up_to_a_limit_and_differ() {
    assert_eq!(pause(0, 1.0), Duration::from_secs(30));
    assert_eq!(pause(3, 1.0), Duration::from_secs(240));
    assert_eq!(pause(100, 1.0), Duration::from_secs(600));
    assert_eq!(pause(100, 0.0), Duration::from_secs(300));
}

const HOUR_S: i64 = 3600;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a certificate of S1 says that holds from and to these hours from now.
fn params(hours: RangeInclusive<i64>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("spiffe://severn/source/S1".try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let at = |hours: &i64| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs((SystemClock.now_s() + hours * HOUR_S).unsigned_abs())
    };
    (params.not_before, params.not_after) = (at(hours.start()), at(hours.end()));
    params
}

/// A broker that is down for the first calls, then sends what is no use, and then signs.
struct Recovering {
    authority: Authority,
    calls: Arc<Mutex<Vec<Instant>>>,
}

#[tonic::async_trait]
impl Enrolment for Recovering {
    async fn enrol(&self, _: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let call = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push(Instant::now());
            calls.len()
        };
        let request = request.into_inner().certificate_request;
        let asked = CertificateSigningRequestParams::from_der(&request.as_slice().into()).unwrap();
        let certificates = match call {
            1 | 2 => return Err(Status::unavailable("the broker's authority cannot sign")),
            3 => "no certificate".into(),
            4 => params(0..=24).signed_by(&KeyPair::generate().unwrap(), &self.authority).unwrap().pem(),
            _ => params(-1..=24).signed_by(&asked.public_key, &self.authority).unwrap().pem(),
        };
        Ok(Response::new(RenewResponse { certificates }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_adapter_renews_by_itself_however_often_it_fails_first() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut own = CertificateParams::default();
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    own.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
    fs::write(at("authorities.pem"), authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(at("key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(at("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(at("own.pem"), params(-20..=4).signed_by(&key, &authority).unwrap().pem()).unwrap();
    let files =
        TlsFiles { certificate: at("own.pem"), key: at("key.pem"), authorities: at("authorities.pem"), denied: None };
    let tls = Tls::load(&files).unwrap();

    let broker = Identity::Broker("b".into());
    let network = InMemory::new(broker.clone());
    let incoming = UnboundedReceiverStream::new(network.accept());
    let calls: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let service = EnrolmentServer::new(Recovering { authority, calls: Arc::clone(&calls) });
    tokio::spawn(server(ServerLimits::default()).add_service(service).serve_with_incoming(incoming));
    let renewal = Renewal {
        tls: tls.clone(),
        files,
        dialler: Arc::new(network.party(Identity::Source("S1".into()))),
        address: String::new(),
        broker,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::default()),
    };
    let running = tokio::spawn(renewal.run());
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    running.abort();
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(calls.len(), 5, "and then no more: the next is due in half a day");
    let waits: Vec<u64> = calls.windows(2).map(|two| two[1].duration_since(two[0]).as_secs()).collect();
    for (wait, most) in waits.iter().zip([30, 60, 120, 240]) {
        assert!((most / 2..=most + 1).contains(wait), "{waits:?}");
    }
    let ends_in_s = tls.holds_s().end() - SystemClock.now_s();
    assert!((23 * HOUR_S..=24 * HOUR_S).contains(&ends_in_s), "the new one is in use: {ends_in_s} s");
}
