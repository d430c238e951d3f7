//! A made-up federation: an authority, parties with certificates of any age, a clock that is set by hand, and a party that
//! serves.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::{
    pki_types::{CertificateDer, UnixTime, pem::PemObject as _},
    time_provider::TimeProvider,
};
use severn_link::{Identity, ListenLimits, ServerLimits, Tls, TlsError, TlsFiles, listen, server};
use severn_proto::v1::{
    DescribeRequest, DescribeResponse, FetchBytesRequest, FetchBytesResponse, FetchRequest, FetchResponse,
    source_adapter_server::{SourceAdapter, SourceAdapterServer},
};
use std::{
    fs,
    ops::RangeInclusive,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_stream::{Pending, StreamExt as _};
use tonic::{Request, Response, Status};

pub fn app(id: &str) -> Identity {
    Identity::App(id.into())
}

pub fn source(id: &str) -> Identity {
    Identity::Source(id.into())
}

pub fn broker() -> Identity {
    Identity::Broker("broker-1".into())
}

/// A clock that shows what it was set to: seconds since 1970.
#[derive(Debug)]
pub struct SetTime(AtomicU64);

impl SetTime {
    pub fn set(&self, now_s: u64) {
        self.0.store(now_s, Ordering::SeqCst);
    }
}

impl TimeProvider for SetTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::SeqCst))))
    }
}

pub struct Federation {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
    pub time: Arc<SetTime>,
}

impl Federation {
    pub fn new() -> Federation {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(1970, 1, 1);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join("authorities.pem"), authority.pem()).unwrap();
        Federation { folder, authority, time: Arc::new(SetTime(AtomicU64::new(500))) }
    }

    pub fn files(&self, party: &Identity) -> TlsFiles {
        let at = |end: &str| self.folder.path().join(format!("{}.{end}", party.uri().replace('/', "-")));
        let authorities = self.folder.path().join("authorities.pem");
        TlsFiles { certificate: at("pem"), key: at("key"), authorities, denied: None }
    }

    /// Gives the party a new key, and a certificate that holds from and to these seconds since 1970.
    pub fn issue(&self, party: &Identity, holds_s: RangeInclusive<u64>) {
        self.issue_changed(party, holds_s, |_| ());
    }

    /// The same, changed before it is signed.
    pub fn issue_changed(
        &self,
        party: &Identity,
        holds_s: RangeInclusive<u64>,
        change: impl FnOnce(&mut CertificateParams),
    ) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.subject_alt_names.push(SanType::URI(party.uri().try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let at = |s: &u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(*s);
        (params.not_before, params.not_after) = (at(holds_s.start()), at(holds_s.end()));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap().pem();
        self.write(party, &(certificate.into_bytes(), key.serialize_pem().into_bytes()));
    }

    /// Puts this certificate and this key where the party's are.
    pub fn write(&self, party: &Identity, (certificate, key): &(Vec<u8>, Vec<u8>)) {
        let files = self.files(party);
        for (file, bytes) in [(&files.certificate, certificate), (&files.key, key)] {
            // Another file each time, as whoever replaces one whole does it.
            let next = file.with_extension("next");
            fs::write(&next, bytes).unwrap();
            fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
            fs::rename(next, file).unwrap();
        }
    }

    pub fn certificate(&self, party: &Identity) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.files(party).certificate).unwrap()
    }

    /// The party's material; a certificate is made where it has none.
    pub fn tls(&self, party: &Identity) -> Tls {
        self.try_tls(party).unwrap()
    }

    pub fn try_tls(&self, party: &Identity) -> Result<Tls, TlsError> {
        self.load(party, None)
    }

    /// The same, with the deny-list.
    pub fn denying(&self, party: &Identity) -> Tls {
        self.try_denying(party).unwrap()
    }

    pub fn try_denying(&self, party: &Identity) -> Result<Tls, TlsError> {
        self.load(party, Some(self.deny_list()))
    }

    fn load(&self, party: &Identity, denied: Option<PathBuf>) -> Result<Tls, TlsError> {
        let files = TlsFiles { denied, ..self.files(party) };
        if !files.certificate.exists() {
            self.issue(party, 0..=1_000_000);
        }
        Tls::load_with(&files, Arc::clone(&self.time) as _)
    }

    pub fn deny_list(&self) -> PathBuf {
        self.folder.path().join("denied")
    }

    pub fn deny(&self, text: &str) {
        fs::write(self.deny_list(), text).unwrap();
    }
}

/// A party that serves on loopback until it is dropped.
pub struct Serving {
    pub identity: Identity,
    pub address: String,
    accepted: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Serving {
    pub async fn start(tls: &Tls) -> Serving {
        Serving::start_ageing(tls, ServerLimits::default().connection_age_max_s).await
    }

    /// Asks every connection to end after so many seconds.
    pub async fn start_ageing(tls: &Tls, connection_age_max_s: u64) -> Serving {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&accepted);
        let incoming = listen(listener, tls, ListenLimits::default()).map(move |conn| {
            counted.fetch_add(1, Ordering::SeqCst);
            conn
        });
        let limits = ServerLimits { connection_age_max_s, ..ServerLimits::default() };
        let router = server(limits).add_service(SourceAdapterServer::new(Endless));
        let serving = tokio::spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        Serving { identity: tls.identity().clone(), address, accepted, serving }
    }

    /// How many there were.
    pub fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Answers every fetch with one part, and then never ends.
struct Endless;

type Fetched = tokio_stream::adapters::Chain<
    tokio_stream::Once<Result<FetchResponse, Status>>,
    Pending<Result<FetchResponse, Status>>,
>;

#[tonic::async_trait]
impl SourceAdapter for Endless {
    type FetchStream = Fetched;
    type FetchBytesStream = Pending<Result<FetchBytesResponse, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse::default()))
    }

    async fn fetch(&self, _: Request<FetchRequest>) -> Result<Response<Fetched>, Status> {
        let first = tokio_stream::once(Ok(FetchResponse::default()));
        Ok(Response::new(first.chain(tokio_stream::pending())))
    }

    async fn fetch_bytes(&self, _: Request<FetchBytesRequest>) -> Result<Response<Self::FetchBytesStream>, Status> {
        Ok(Response::new(tokio_stream::pending()))
    }
}
