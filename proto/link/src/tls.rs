//! TLS 1.3 with a certificate at both ends, from PEM files that may change while connections are open.
//!
//! **Invariant:** what is in use always fits together and names the same party as at the start.

use crate::{
    certificate::Certificate,
    conn::Identity,
    deny::{DenyList, DenyListError},
    open::{Cut, Doors},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    time_provider::{DefaultTimeProvider, TimeProvider},
    version::TLS13,
};
use serde::Deserialize;
use std::{
    fmt, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio::sync::watch;
use tracing::{error, info};
use zeroize::{Zeroize as _, Zeroizing};

/// Where a party's certificate, key and the federation's roots lie; a section of every configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: the party's certificate, then any intermediates.
    pub certificate: PathBuf,
    /// PEM: the party's private key. Readable by its owner only.
    pub key: PathBuf,
    /// PEM: the federation's certificate authorities.
    pub authorities: PathBuf,
    /// Whom this party no longer lets in: see [`DenyList`]. Left out, nobody is denied.
    #[serde(default)]
    pub denied: Option<PathBuf>,
}

/// Why TLS cannot be set up. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, String),
    /// A key lies open.
    #[error("{0} is readable by others than its owner; run `chmod 600` on it")]
    KeyLiesOpen(PathBuf),
    /// The material does not fit together.
    #[error("certificate, key and authorities do not fit together: {0}")]
    Unusable(#[from] rustls::Error),
    /// The authorities cannot verify anybody.
    #[error("the authorities cannot be used: {0}")]
    Authorities(String),
    /// The certificate names nobody.
    #[error("{0} names no identity of the federation; its URI SAN must be spiffe://severn/<broker|source|app>/<id>")]
    NoIdentity(PathBuf),
    /// A new certificate names somebody else.
    #[error("{0} names {1:?} now; this party is {2:?} until it is started anew")]
    Renamed(PathBuf, Identity, Identity),
    /// A text that should be a certificate is none.
    #[error("there is no certificate to read: {0}")]
    NoCertificate(String),
    /// The certificate has ended.
    #[error("the certificate in {0} has ended; renew it, or enrol again")]
    Ended(PathBuf),
    /// The certificate begins in a while.
    #[error("the certificate in {0} holds in {1} s only; wait, or ask for another")]
    NotYet(PathBuf, i64),
    /// The certificate begins in a moment: one clock is wrong, this party's or that of whoever issued it.
    #[error("clock fault: the certificate in {0} begins {1} s from now; set this machine's clock, or the issuer's")]
    ClockFault(PathBuf, i64),
    /// The deny-list cannot be used.
    #[error(transparent)]
    Denied(#[from] DenyListError),
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A certificate that begins no later than this is not yet valid because somebody's clock is wrong.
pub(crate) const CLOCK_FAULT_S_MAX: i64 = 300;

/// A party's TLS material, ready for use at both ends of a connection; whom the party no longer lets in; and the
/// connections that are open. Clones share all of it.
///
/// Where [`Tls::follow`] runs, the files are read again when they change: a new certificate is used for new connections,
/// and those that are open go on until their peer's certificate ends; whoever is denied is cut off. The authorities and
/// the party's own name stay those of the start.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    files: TlsFiles,
    identity: Identity,
    roots: Arc<RootCertStore>,
    time: Arc<dyn TimeProvider>,
    material: RwLock<Arc<Material>>,
    doors: Doors,
    seen: Mutex<Seen>,
}

/// What stands on the party's own certificate. Made anew with it: a session that was begun under an old certificate and
/// resumed would show the peer the old one.
pub(crate) struct Material {
    pub server: Arc<ServerConfig>,
    /// For the accepting side where no certificate is asked for.
    pub for_strangers: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
    holds_s: RangeInclusive<i64>,
}

/// How the files were when they were last looked at, and what was said of them, so that the same is logged once.
#[derive(Default)]
struct Seen {
    pair: Option<[Stamp; 2]>,
    denied_fault: Option<String>,
    /// The end of the certificate of which it was said that it comes soon.
    ends_soon_s: Option<i64>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.shared.identity)
    }
}

impl Tls {
    /// Reads the files and checks that they fit together.
    ///
    /// # Errors
    /// [`TlsError`] names the file and says what to do.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        Tls::load_with(files, Arc::new(DefaultTimeProvider))
    }

    /// The same, with the time of day from `time`.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn load_with(files: &TlsFiles, time: Arc<dyn TimeProvider>) -> Result<Tls, TlsError> {
        // Before the files are read: what changes meanwhile is then read again.
        let seen = Seen { pair: stamps(files).ok(), ..Seen::default() };
        let roots = roots(&files.authorities)?;
        let (identity, material) = Material::load(files, &roots, &time)?;
        let doors = Doors::default();
        if let Some(file) = &files.denied {
            doors.look(Some(DenyList::read(file)?), now_s(&time));
        }
        let material = RwLock::new(Arc::new(material));
        let (files, seen) = (files.clone(), Mutex::new(seen));
        Ok(Tls { shared: Arc::new(Shared { files, identity, roots, time, material, doors, seen }) })
    }

    /// Who this party's own certificate names.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Seconds since 1970 from which, and up to which, the party's own certificate holds.
    pub fn holds_s(&self) -> RangeInclusive<i64> {
        self.material().holds_s.clone()
    }

    /// Who is denied, now and whenever that changes.
    pub fn denied(&self) -> watch::Receiver<Arc<DenyList>> {
        self.shared.doors.denied()
    }

    /// Whether a certificate, the first in `pem`, would be believed here at a handshake; those behind it may vouch for it.
    ///
    /// # Errors
    /// [`TlsError`] says why it would not.
    pub fn believes(&self, pem: &str) -> Result<(), TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let chain = chain.map_err(|error| TlsError::NoCertificate(error.to_string()))?;
        let (own, others) = chain.split_first().ok_or_else(|| TlsError::NoCertificate("the text is empty".into()))?;
        let now = self.shared.time.current_time().ok_or(rustls::Error::FailedToGetCurrentTime)?;
        verifier(&self.shared.roots)?.verify_client_cert(own, others, now)?;
        Ok(())
    }

    /// Looks at the files every few seconds, for ever.
    pub async fn follow(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let tls = self.clone();
            // The files may lie on a disk that hangs.
            drop(tokio::task::spawn_blocking(move || tls.look()).await);
        }
    }

    /// Looks at the files once: takes what changed, keeps what was good where the new is not, and ends every connection
    /// whose peer is denied or whose peer's certificate has ended.
    pub fn look(&self) {
        let shared = &self.shared;
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let denied = shared.files.denied.as_deref().map(DenyList::read).transpose();
        let fault = denied.as_ref().err().map(ToString::to_string);
        if let Some(why) = fault.as_ref().filter(|fault| seen.denied_fault.as_ref() != Some(fault)) {
            error!(%why, "ALARM: the deny-list is not taken; whoever was denied before stays denied, nobody is added");
        }
        seen.denied_fault = fault;
        shared.doors.look(denied.unwrap_or(None), now_s(&shared.time));
        let found = stamps(&shared.files).ok();
        if found.is_some() && found != seen.pair {
            seen.pair = found;
            match self.swap() {
                Ok(ends_s) => info!(identity = ?shared.identity, ends_s, "another certificate is in use"),
                Err(why) => error!(%why, "the new certificate is not taken; the old one stays in use"),
            }
        }
        let (holds_s, now_s) = (self.holds_s(), now_s(&shared.time));
        if ends_soon(&holds_s, now_s) && seen.ends_soon_s != Some(*holds_s.end()) {
            seen.ends_soon_s = Some(*holds_s.end());
            let left_s = holds_s.end().saturating_sub(now_s);
            error!(identity = ?shared.identity, left_s, "ALARM: this party's own certificate ends soon; renew it, or it is cut off");
        }
    }

    fn swap(&self) -> Result<i64, TlsError> {
        let shared = &self.shared;
        let (identity, material) = Material::load(&shared.files, &shared.roots, &shared.time)?;
        if identity != shared.identity {
            return Err(TlsError::Renamed(shared.files.certificate.clone(), identity, shared.identity.clone()));
        }
        let ends_s = *material.holds_s.end();
        *shared.material.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(material);
        Ok(ends_s)
    }

    pub(crate) fn material(&self) -> Arc<Material> {
        Arc::clone(&self.shared.material.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whom a handshake that rustls is content with lets in, and how they are cut off later.
    pub(crate) fn admit(&self, shown: Option<&[CertificateDer<'_>]>) -> io::Result<(Identity, Arc<Cut>)> {
        let chain: Option<Vec<Certificate>> = shown.unwrap_or_default().iter().map(Certificate::read).collect();
        let admitted = self.shared.doors.admit(chain.unwrap_or_default(), now_s(&self.shared.time));
        admitted.map_err(|why| io::Error::new(io::ErrorKind::PermissionDenied, why))
    }
}

impl Material {
    /// Reads a pair of certificate and key; one that does not fit together is an error, so that half of a new pair is
    /// never used.
    fn load(
        files: &TlsFiles,
        roots: &Arc<RootCertStore>,
        time: &Arc<dyn TimeProvider>,
    ) -> Result<(Identity, Material), TlsError> {
        let chain = certificates(&files.certificate)?;
        let own = chain.first().and_then(Certificate::read);
        let named = own.and_then(|own| Some((own.identity?, own.holds_s)));
        let (identity, holds_s) = named.ok_or_else(|| TlsError::NoIdentity(files.certificate.clone()))?;
        refuse_untimely(&files.certificate, &holds_s, now_s(time))?;
        let own = Arc::new(SingleCertAndKey::from(certified(chain, &files.key)?));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = verifier(roots)?;
        let mut server = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(time))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&own) as _);
        server.alpn_protocols = vec![b"h2".to_vec()];
        let mut for_strangers = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(time))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&own) as _);
        for_strangers.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConfig::builder_with_details(provider, Arc::clone(time))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(Arc::clone(roots))
            .with_client_cert_resolver(own);
        client.alpn_protocols = vec![b"h2".to_vec()];
        let (server, for_strangers, client) = (Arc::new(server), Arc::new(for_strangers), Arc::new(client));
        Ok((identity, Material { server, for_strangers, client, holds_s }))
    }
}

/// Whether less than a quarter of a certificate's life is left.
pub fn ends_soon(holds_s: &RangeInclusive<i64>, now_s: i64) -> bool {
    holds_s.end().saturating_sub(now_s) < (holds_s.end() - holds_s.start()) / 4
}

fn verifier(roots: &Arc<RootCertStore>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let built = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider).build();
    built.map_err(|e| TlsError::Authorities(e.to_string()))
}

/// The federation's authorities, from a PEM file.
pub(crate) fn roots(file: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(file)? {
        roots.add(authority)?;
    }
    Ok(Arc::new(roots))
}

/// From and up to when the first certificate in `pem` holds: seconds since 1970.
///
/// # Errors
/// [`TlsError::NoCertificate`].
pub fn certificate_holds_s(pem: &str) -> Result<RangeInclusive<i64>, TlsError> {
    let wrong = |why: String| TlsError::NoCertificate(why);
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    Ok(Certificate::read(&der).ok_or_else(|| wrong("it is not X.509".into()))?.holds_s)
}

/// The pair of `chain` and the key in a file, if they belong together. What was read of the key is wiped; what rustls keeps
/// of it lies in AWS-LC, which wipes it when it goes.
fn certified(chain: Vec<CertificateDer<'static>>, key: &Path) -> Result<CertifiedKey, TlsError> {
    let pem = read_private(key)?;
    let mut der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|e| unreadable(key, e))?;
    let signing = aws_lc_rs::sign::any_supported_type(&der);
    der.zeroize();
    let pair = CertifiedKey::new(chain, signing?);
    pair.keys_match()?;
    Ok(pair)
}

fn refuse_untimely(file: &Path, holds_s: &RangeInclusive<i64>, now_s: i64) -> Result<(), TlsError> {
    match holds_s.start() - now_s {
        ahead_s if ahead_s > CLOCK_FAULT_S_MAX => Err(TlsError::NotYet(file.to_owned(), ahead_s)),
        ahead_s if ahead_s > 0 => Err(TlsError::ClockFault(file.to_owned(), ahead_s)),
        _ if now_s > *holds_s.end() => Err(TlsError::Ended(file.to_owned())),
        _ => Ok(()),
    }
}

/// Seconds since 1970. A clock that cannot be read is one at which no certificate holds any more.
fn now_s(time: &Arc<dyn TimeProvider>) -> i64 {
    time.current_time().map_or(i64::MAX, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// What shows that a file is another than it was: when it was changed, its length, and its place on disk.
type Stamp = (SystemTime, u64, u64);

fn stamps(files: &TlsFiles) -> io::Result<[Stamp; 2]> {
    let stamp = |file: &Path| {
        let found = std::fs::metadata(file)?;
        #[cfg(unix)]
        let place = std::os::unix::fs::MetadataExt::ino(&found);
        #[cfg(not(unix))]
        let place = 0;
        Ok::<Stamp, io::Error>((found.modified()?, found.len(), place))
    };
    Ok([stamp(&files.certificate)?, stamp(&files.key)?])
}

fn unreadable(file: &Path, error: impl fmt::Display) -> TlsError {
    TlsError::Unreadable(file.to_owned(), error.to_string())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|e| unreadable(file, e))?;
    let all: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| unreadable(file, e))?;
    if all.is_empty() { Err(unreadable(file, "there is no certificate in it")) } else { Ok(all) }
}

/// Reads a file that holds a secret, and refuses it where others than its owner may read it. The text is wiped when it
/// goes.
///
/// # Errors
/// [`TlsError::KeyLiesOpen`] or [`TlsError::Unreadable`], with the file's name.
pub fn read_private(file: &Path) -> Result<Zeroizing<String>, TlsError> {
    refuse_open(file)?;
    std::fs::read_to_string(file).map(Zeroizing::new).map_err(|e| unreadable(file, e))
}

fn refuse_open(file: &Path) -> Result<(), TlsError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map_err(|e| unreadable(file, e))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TlsError::KeyLiesOpen(file.to_owned()));
        }
    }
    Ok(())
}
