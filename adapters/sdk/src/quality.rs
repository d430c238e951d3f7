//! Asks the broker how good this source's registrations are, for its owner's own eyes: rates, and the owner's own local
//! ids; nothing of any other source.

use severn_link::{Dialler, Identity};
use severn_proto::v1::{OwnQualityRequest, QualityReport, patient_index_client::PatientIndexClient};
use std::time::Duration;
use tokio::time::timeout;

/// How long the broker may count.
const COUNT_MAX: Duration = Duration::from_secs(120);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// The broker cannot be reached, or takes too long.
    #[error("the broker cannot be reached; check broker.address, and that it runs")]
    Unreachable,
    /// It refused.
    #[error("the broker refused: {0}")]
    Refused(String),
    /// It has never heard of this source.
    #[error("the broker has not heard of anybody from this source yet; let the adapter serve, then ask again")]
    NeverHeard,
}

/// Asks the broker at `address`, whose certificate must name `broker`.
///
/// # Errors
/// [`QualityError`] says what to do.
pub async fn own_quality(
    dialler: &dyn Dialler,
    address: &str,
    broker: &Identity,
) -> Result<QualityReport, QualityError> {
    let channel = dialler.dial(address, broker).map_err(|_| QualityError::Unreachable)?;
    let mut client = PatientIndexClient::new(channel);
    let answer = timeout(COUNT_MAX, client.own_quality(OwnQualityRequest {})).await;
    let answer = answer.map_err(|_| QualityError::Unreachable)?.map_err(|status| match status.code() {
        // Where the transport failed, nobody has refused anything.
        _ if std::error::Error::source(&status).is_some() => QualityError::Unreachable,
        _ => QualityError::Refused(status.message().to_owned()),
    })?;
    answer.into_inner().report.ok_or(QualityError::NeverHeard)
}
