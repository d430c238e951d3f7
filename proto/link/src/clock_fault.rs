//! A certificate that holds in a moment, but not yet, shows that two clocks differ. Whoever looks for the fault in
//! certificates looks in the wrong place, so the log says it.

use crate::tls::CLOCK_FAULT_S_MAX;
use rustls::{CertificateError, Error};
use std::{fmt::Display, io};
use tracing::error;

/// Says so where a handshake with `peer` failed for that reason.
pub(crate) fn report_clock_fault(failed: &io::Error, peer: &impl Display) {
    if let Some(ahead_s) = clock_fault_s(failed) {
        error!(%peer, ahead_s, "clock fault: the peer's certificate does not hold yet; compare the clocks of both machines");
    }
}

fn clock_fault_s(failed: &io::Error) -> Option<i64> {
    let error = failed.get_ref()?.downcast_ref::<Error>()?;
    let Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) = error else {
        return None;
    };
    let ahead_s = i64::try_from(not_before.as_secs().saturating_sub(time.as_secs())).ok()?;
    (ahead_s <= CLOCK_FAULT_S_MAX).then_some(ahead_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;
    use std::time::Duration;

    #[test]
    fn only_a_moment_is_a_fault_of_the_clock() {
        let at = |s: u64| UnixTime::since_unix_epoch(Duration::from_secs(s));
        let failed = |not_before: u64| {
            let fault = CertificateError::NotValidYetContext { time: at(1000), not_before: at(not_before) };
            clock_fault_s(&io::Error::other(Error::InvalidCertificate(fault)))
        };
        assert_eq!(failed(1001), Some(1));
        assert_eq!(failed(1300), Some(300));
        assert_eq!(failed(1301), None);
        assert_eq!(clock_fault_s(&io::Error::other(Error::InvalidCertificate(CertificateError::Expired))), None);
        assert_eq!(clock_fault_s(&io::ErrorKind::TimedOut.into()), None);
    }
}
