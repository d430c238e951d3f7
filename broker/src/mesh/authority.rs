//! The online authority: signs short-lived certificates for adapters with an intermediate certificate of the federation's
//! root, whose own key lies offline.
//!
//! **Invariant:** a certificate names what the broker knows of the source. Of a request only the public key is used.

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _, SanType, SerialNumber, date_time_ymd,
};
use severn_link::{Identity, Tls, TlsError, certificate_holds_s, read_private};
use severn_trust::{Entropy, hex, sha256};
use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};
use tracing::warn;

/// How long a certificate holds, and how long before it is made: clocks differ.
const LIFE_S: i64 = 24 * 3600;
const BACKDATED_S: i64 = 300;

/// How long an online authority should hold at most; its key lies where it can be stolen.
const OWN_LIFE_S_MAX: i64 = 90 * 24 * 3600;

/// Bytes of a certificate request.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Why the authority cannot be used. Names the key of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    File(&'static str, TlsError),
    /// Something in a file is not as it must be.
    #[error("{0}: {1}: {2}")]
    Unusable(&'static str, PathBuf, String),
}

/// Why a request gets no certificate.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It is no request, or its signature does not hold.
    #[error("certificate_request: {0}; send PKCS #10 in DER, signed by its own key")]
    Unreadable(String),
    /// A key of a kind that is not used here.
    #[error("certificate_request: the key is neither P-256 nor Ed25519; make one of these")]
    Key,
    /// The authority itself has ended, or cannot sign.
    #[error("the broker's authority cannot sign: {0}; tell its operator")]
    Authority(String),
}

/// What was signed.
#[derive(Clone, Debug)]
pub struct Issued {
    /// PEM: the certificate, then the authority's.
    pub certificates: String,
    /// The certificate's serial number, hexadecimal.
    pub serial: String,
    /// Until when it holds: seconds since 1970.
    pub ends_s: i64,
}

/// A key that asks for a certificate, and has shown that it is held by whoever asks.
pub struct Requested(CertificateSigningRequestParams);

impl Requested {
    /// Reads a request and checks its signature.
    ///
    /// # Errors
    /// [`RequestError`] says what is wrong with it.
    pub fn read(der: &[u8]) -> Result<Requested, RequestError> {
        if der.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::Unreadable(format!("is over {REQUEST_BYTES_MAX} bytes")));
        }
        let read = CertificateSigningRequestParams::from_der(&der.into());
        let requested = read.map_err(|error| RequestError::Unreadable(error.to_string()))?;
        let kind = requested.public_key.algorithm();
        if kind == &PKCS_ECDSA_P256_SHA256 || kind == &PKCS_ED25519 {
            Ok(Requested(requested))
        } else {
            Err(RequestError::Key)
        }
    }

    /// By which people compare the key at the adapter with the one that asks at the broker: SHA-256 of its
    /// SubjectPublicKeyInfo, hexadecimal.
    pub fn fingerprint(&self) -> String {
        hex(&sha256(&[&self.0.public_key.subject_public_key_info()]))
    }
}

/// The authority. rcgen keeps its key twice: in AWS-LC, and as bytes that nobody wipes before the program ends. No core file
/// is written meanwhile.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    holds_s: RangeInclusive<i64>,
}

impl Authority {
    /// Reads the authority's certificate and key and tries them: what it signs must be believed by whoever believes the
    /// authorities of `tls`.
    ///
    /// # Errors
    /// [`AuthorityError`] names the key of the configuration, and the file.
    pub fn open(
        certificate: &Path,
        key: &Path,
        tls: &Tls,
        (now_s, entropy): (i64, &dyn Entropy),
    ) -> Result<Authority, AuthorityError> {
        const CERTIFICATE: &str = "enrolment.certificate";
        const KEY: &str = "enrolment.key";
        let unusable = |error: String| AuthorityError::Unusable(CERTIFICATE, certificate.to_owned(), error);
        let pem = std::fs::read_to_string(certificate).map_err(|error| unusable(error.to_string()))?;
        let holds_s = certificate_holds_s(&pem).map_err(|error| unusable(error.to_string()))?;
        let secret = read_private(key).map_err(|error| AuthorityError::File(KEY, error))?;
        let pair = KeyPair::from_pem(&secret);
        let pair = pair.map_err(|error| AuthorityError::Unusable(KEY, key.to_owned(), error.to_string()))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, pair).map_err(|error| unusable(error.to_string()))?;
        let usages = issuer.key_usages();
        if !usages.is_empty() && !usages.contains(&KeyUsagePurpose::KeyCertSign) {
            return Err(unusable("its key may not sign certificates; ask for one with the usage keyCertSign".into()));
        }
        let life_s = holds_s.end() - holds_s.start();
        if life_s > OWN_LIFE_S_MAX {
            let (days, days_max) = (life_s / 86_400, OWN_LIFE_S_MAX / 86_400);
            warn!(days, days_max, "enrolment.certificate holds for longer than an online authority should");
        }
        let authority = Authority { issuer, certificate: pem, holds_s };
        let tried = authority.try_out((now_s, entropy)).map_err(|error| unusable(error.to_string()))?;
        tls.believes(&tried).map_err(|error| {
            let why = format!("what it signs with {} is not believed: {error}", key.display());
            AuthorityError::Unusable(CERTIFICATE, certificate.to_owned(), why)
        })?;
        Ok(authority)
    }

    /// A certificate for nobody, whose key is forgotten.
    fn try_out(&self, when: (i64, &dyn Entropy)) -> Result<String, RequestError> {
        let failed = |error: rcgen::Error| RequestError::Authority(error.to_string());
        let request = CertificateParams::default().serialize_request(&KeyPair::generate().map_err(failed)?);
        let requested = Requested::read(request.map_err(failed)?.der())?;
        Ok(self.issue(&requested, ("trial", "localhost"), when)?.certificates)
    }

    /// Signs a certificate that names the adapter of `source_id`, reached at `host`.
    ///
    /// # Errors
    /// [`RequestError`] if the authority has ended, or cannot sign.
    pub fn issue(
        &self,
        requested: &Requested,
        (source_id, host): (&str, &str),
        (now_s, entropy): (i64, &dyn Entropy),
    ) -> Result<Issued, RequestError> {
        if !self.holds_s.contains(&now_s) {
            return Err(RequestError::Authority("its own certificate does not hold".into()));
        }
        let failed = |error: rcgen::Error| RequestError::Authority(error.to_string());
        let mut serial = [0; 16];
        entropy.fill(&mut serial);
        // Positive, and never shorter: a serial number is a signed integer.
        serial[0] = serial[0] & 0x7f | 0x40;
        let ends_s = (now_s + LIFE_S).min(*self.holds_s.end());
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
        let uri = Identity::Source(source_id.to_owned()).uri();
        params.subject_alt_names.push(SanType::URI(uri.try_into().map_err(failed)?));
        params.distinguished_name.push(DnType::CommonName, source_id);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let moment = |s: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(s.unsigned_abs());
        (params.not_before, params.not_after) = (moment(now_s - BACKDATED_S), moment(ends_s));
        let signed = params.signed_by(&requested.0.public_key, &self.issuer).map_err(failed)?;
        Ok(Issued { certificates: signed.pem() + &self.certificate, serial: hex(&serial), ends_s })
    }
}
