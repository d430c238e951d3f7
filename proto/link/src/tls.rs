//! TLS 1.3 with a certificate at both ends, from PEM files.

use crate::conn::Identity;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use serde::Deserialize;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_parser::{extensions::GeneralName, prelude::FromDer};

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
}

/// A party's TLS material, ready for use at both ends of a connection.
#[derive(Clone)]
pub struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    identity: Identity,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.identity)
    }
}

impl Tls {
    /// Reads the files and checks that they fit together.
    ///
    /// # Errors
    /// [`TlsError`] names the file and says what to do.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        refuse_open(&files.key)?;
        let chain = certificates(&files.certificate)?;
        let key = || PrivateKeyDer::from_pem_file(&files.key).map_err(|e| unreadable(&files.key, e));
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authorities)? {
            roots.add(authority)?;
        }
        let leaf = chain.first().and_then(identity_of);
        let identity = leaf.ok_or_else(|| TlsError::NoIdentity(files.certificate.clone()))?;
        let roots = Arc::new(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|e| TlsError::Authorities(e.to_string()))?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key()?)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key()?)?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Tls { server: Arc::new(server), client: Arc::new(client), identity })
    }

    /// Who this party's own certificate names.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

fn unreadable(file: &Path, error: impl fmt::Display) -> TlsError {
    TlsError::Unreadable(file.to_owned(), error.to_string())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|e| unreadable(file, e))?;
    let all: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| unreadable(file, e))?;
    if all.is_empty() { Err(unreadable(file, "there is no certificate in it")) } else { Ok(all) }
}

/// Reads a file that holds a secret, and refuses it where others than its owner may read it.
///
/// # Errors
/// [`TlsError::KeyLiesOpen`] or [`TlsError::Unreadable`], with the file's name.
pub fn read_private(file: &Path) -> Result<String, TlsError> {
    refuse_open(file)?;
    std::fs::read_to_string(file).map_err(|e| unreadable(file, e))
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

/// The identity a certificate names: its one URI SAN of this federation. Two are as bad as none.
pub(crate) fn identity_of(certificate: &CertificateDer<'_>) -> Option<Identity> {
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    let names = &parsed.subject_alternative_name().ok()??.value.general_names;
    let mut found = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Identity::from_uri(uri),
        _ => None,
    });
    let identity = found.next()?;
    found.next().is_none().then_some(identity)
}
