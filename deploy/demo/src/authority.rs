//! The demo's certificate authority and signing keys: made on the spot, for this folder only, never for real use.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use severn_link::{Identity, TlsFiles};
use severn_trust::SigningKey;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Why the material cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The disk refused.
    #[error("cannot write keys and certificates: {0}")]
    Disk(#[from] io::Error),
    /// A key or certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A key that was made cannot be used.
    #[error("cannot use a key that was just made: {0}")]
    Key(#[from] severn_trust::KeyError),
}

/// Makes certificates for the parties of one demo, and keys.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority whose material lies in `folder`.
    ///
    /// # Errors
    /// [`AuthorityError`] if the disk refuses.
    pub fn make(folder: &Path) -> Result<Authority, AuthorityError> {
        fs::create_dir_all(folder)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Severn demo authority: not for real use");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        fs::write(folder.join("authority.pem"), params.self_signed(&key)?.pem())?;
        // The authority's own key is never written: nobody can join a demo once it runs.
        Ok(Authority { folder: folder.to_owned(), issuer: Issuer::new(params, key) })
    }

    /// Makes a certificate that names `identity`, and its key.
    ///
    /// # Errors
    /// [`AuthorityError`] if the disk refuses.
    pub fn issue(&self, identity: &Identity) -> Result<TlsFiles, AuthorityError> {
        let (_, id) = kind_and_id(identity);
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.subject_alt_names.push(SanType::URI(identity.uri().try_into()?));
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, id);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let files = files_of(&self.folder, identity);
        fs::write(&files.certificate, params.signed_by(&key, &self.issuer)?.pem())?;
        write_private(&files.key, &key.serialize_pem())?;
        Ok(files)
    }

    /// Makes a signing key (P-256, PKCS#8 PEM) and gives its file and itself.
    ///
    /// # Errors
    /// [`AuthorityError`] if the disk refuses.
    pub fn signing_key(&self, name: &str) -> Result<(PathBuf, SigningKey), AuthorityError> {
        let pem = KeyPair::generate()?.serialize_pem();
        let file = self.folder.join(format!("{name}.key"));
        write_private(&file, &pem)?;
        Ok((file, SigningKey::from_pem(&pem)?))
    }

    /// Writes a file that is no secret beside the keys.
    ///
    /// # Errors
    /// [`AuthorityError`] if the disk refuses.
    pub fn publish(&self, name: &str, text: &str) -> Result<PathBuf, AuthorityError> {
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        Ok(file)
    }
}

/// Where the certificate and key of a party lie whose authority's material is in `folder`.
pub fn files_of(folder: &Path, identity: &Identity) -> TlsFiles {
    let (kind, id) = kind_and_id(identity);
    TlsFiles {
        certificate: folder.join(format!("{kind}-{id}.pem")),
        key: folder.join(format!("{kind}-{id}.key")),
        authorities: folder.join("authority.pem"),
        denied: None,
    }
}

fn kind_and_id(identity: &Identity) -> (&'static str, &str) {
    match identity {
        Identity::Broker(id) => ("broker", id),
        Identity::Source(id) => ("source", id),
        Identity::App(id) => ("app", id),
    }
}

/// Writes a file that only its owner may read, from its first byte on.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(text.as_bytes())
}
