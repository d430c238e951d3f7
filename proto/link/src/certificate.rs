//! What a certificate says that matters to the mesh: whom it names, when it holds, and by which names it can be denied.
//! Whether it is believed at all is rustls's business.

use crate::conn::Identity;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use std::ops::RangeInclusive;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// A certificate, as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Whom it names: its one URI SAN of this federation. Two are as bad as none.
    pub identity: Option<Identity>,
    /// Seconds since 1970 from which, and up to which, it holds.
    pub holds_s: RangeInclusive<i64>,
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// Its serial number, without leading zeros.
    pub serial: Vec<u8>,
}

impl Certificate {
    /// Reads DER; `None` for what is no certificate.
    pub fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let validity = parsed.validity();
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, der).as_ref());
        Some(Certificate {
            identity: identity_of(&parsed),
            holds_s: validity.not_before.timestamp()..=validity.not_after.timestamp(),
            fingerprint,
            serial: without_zeros(parsed.raw_serial()).to_vec(),
        })
    }
}

fn identity_of(parsed: &X509Certificate<'_>) -> Option<Identity> {
    let names = &parsed.subject_alternative_name().ok()??.value.general_names;
    let mut found = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Identity::from_uri(uri),
        _ => None,
    });
    let identity = found.next()?;
    found.next().is_none().then_some(identity)
}

/// A serial number is written with as many leading zeros as its writer likes.
pub(crate) fn without_zeros(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    &serial[zeros..]
}
