//! Joins the federation: makes the adapter's key, asks the broker with a join token, waits until people there have decided,
//! and puts key and certificate where the configuration names them.
//!
//! **Invariant:** the key never leaves this machine, lies readable by its owner only from its first byte on, and nothing
//! that is there is replaced unasked, nor before all of the new has been tried.

use crate::{EnrolArguments, config::Config, run::CONNECT_MAX};
use anyhow::{Context as _, anyhow, bail};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use severn_link::{Dialler as _, Identity, StrangerDialler, Tls, TlsError, TlsFiles, read_private};
use severn_proto::v1::{EnrolRequest, EnrolResponse, enrolment_client::EnrolmentClient};
use severn_trust::{hex, sha256, write_whole};
use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead as _, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tonic::{Code, Status, transport::Channel};
use zeroize::Zeroizing;

/// How long the broker may take to answer once.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How long to wait before asking again where the broker did not answer.
const UNANSWERED: Duration = Duration::from_secs(10);

/// Joins, and says on `out` how far it is.
///
/// # Errors
/// Why the broker refuses, or what here is in the way.
pub async fn enrol(config: &Config, asked: &EnrolArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let files = &config.tls;
    if !asked.replace && (files.key.exists() || files.certificate.exists()) {
        let (key, certificate) = (files.key.display(), files.certificate.display());
        bail!("tls.key, tls.certificate: {key} or {certificate} is there already; --replace enrols with a new key");
    }
    let new = TlsFiles { certificate: beside(&files.certificate), key: beside(&files.key), ..files.clone() };
    let key = key_in(&new.key)?;
    writeln!(out, "key {}: the same must be seen at the broker", fingerprint(&key))?;
    let dialler = StrangerDialler::new(&files.authorities, CONNECT_MAX).context("tls.authorities")?;
    let channel = dialler.dial(&asked.at, &config.broker.identity()).context("--at")?;
    let request = EnrolRequest {
        token: token(&asked.token)?.to_string(),
        source_id: config.source.id.clone(),
        ods: config.source.ods.clone(),
        certificate_request: request_of(&key)?,
    };
    let certificates = ask_until_decided(EnrolmentClient::new(channel), request, out).await?;
    take(&certificates, &new, &Identity::Source(config.source.id.clone()))?;
    // The key first: a certificate without its key would be useless, a key without its certificate is asked for again.
    fs::rename(&new.key, &files.key).context("tls.key")?;
    fs::rename(&new.certificate, &files.certificate).context("tls.certificate")?;
    writeln!(out, "joined; `severn-adapter check` says whether all else is ready")?;
    Ok(())
}

/// Asks again and again until the broker's people have decided. Once the token was taken, a broker that does not answer
/// ends nothing.
async fn ask_until_decided(
    mut client: EnrolmentClient<Channel>,
    request: EnrolRequest,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let mut waits = false;
    loop {
        let answer = tokio::time::timeout(ANSWER_MAX, client.enrol(request.clone())).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("the broker did not answer in time")));
        let pause = match answer.map(tonic::Response::into_inner) {
            Ok(EnrolResponse { certificates, .. }) if !certificates.is_empty() => return Ok(certificates),
            Ok(EnrolResponse { enrolment_id, again_s, .. }) => {
                if !waits {
                    writeln!(
                        out,
                        "enrolment {enrolment_id} waits for a person at the broker, other than who made the token:"
                    )?;
                    writeln!(out, "    severn-broker enrol approve {enrolment_id} --by NAME")?;
                    waits = true;
                }
                Duration::from_secs(u64::from(again_s.clamp(1, 600)))
            }
            Err(status) if waits && passes(&status) => UNANSWERED,
            Err(status) if passes(&status) => bail!("the broker cannot be asked: {}", status.message()),
            Err(status) => bail!("refused: {}", status.message()),
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether the same may be answered another time.
fn passes(status: &Status) -> bool {
    !matches!(
        status.code(),
        Code::PermissionDenied | Code::InvalidArgument | Code::Unauthenticated | Code::Unimplemented
    )
}

fn token(given: &str) -> io::Result<Zeroizing<String>> {
    let mut token = Zeroizing::new(given.to_owned());
    if given == "-" {
        token.clear();
        io::stdin().lock().read_line(&mut token)?;
    }
    Ok(Zeroizing::new(token.trim().to_owned()))
}

/// Where a new file lies until all of the new has been tried.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".enrolling");
    name.into()
}

/// The key that an interrupted enrolment left, or a new one.
fn key_in(file: &Path) -> anyhow::Result<Zeroizing<KeyPair>> {
    if file.exists() {
        return own_key(file);
    }
    let key = KeyPair::generate().context("a key cannot be made")?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = options.open(file).with_context(|| format!("tls.key: {} cannot be made", file.display()))?;
    opened.write_all(Zeroizing::new(key.serialize_pem()).as_bytes())?;
    opened.sync_all()?;
    Ok(Zeroizing::new(key))
}

/// Reads the adapter's key. It is wiped when it goes, and so is the text that it was read from; the bytes that rcgen took in
/// between are not.
///
/// # Errors
/// If the file lies open to others, or holds no key that can sign.
pub(crate) fn own_key(file: &Path) -> anyhow::Result<Zeroizing<KeyPair>> {
    let key = KeyPair::from_pem(&read_private(file)?);
    let key = key.map_err(|error| anyhow!("{}: {error}; enrol with a new key", file.display()))?;
    Ok(Zeroizing::new(key))
}

/// A certificate request, in DER. It names nobody: the broker knows whom it names.
pub(crate) fn request_of(key: &KeyPair) -> anyhow::Result<Vec<u8>> {
    let request = CertificateParams::default().serialize_request(key).context("a request cannot be made")?;
    Ok(request.der().to_vec())
}

/// By which people compare the key here with the one at the broker.
fn fingerprint(key: &KeyPair) -> String {
    hex(&sha256(&[&key.subject_public_key_info()]))
}

/// Writes a certificate that came from the broker, and tries it: it must fit the key and name this adapter.
///
/// # Errors
/// What does not fit.
pub(crate) fn take(certificates: &str, files: &TlsFiles, own: &Identity) -> anyhow::Result<()> {
    write_whole(&files.certificate, |file| file.write_all(certificates.as_bytes())).context("tls.certificate")?;
    let tried = Tls::load(files).and_then(|tls| match tls.identity() {
        named if named == own => Ok(()),
        other => Err(TlsError::Renamed(files.certificate.clone(), other.clone(), own.clone())),
    });
    tried.context("the certificate that the broker sent cannot be used")
}
