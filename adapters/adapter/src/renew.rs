//! Keeps the adapter's certificate from ending: asks the broker for the next one at half of its life, and goes on asking.
//! The key stays the same, so that one file changes, whole. What is open goes on; nothing waits for a renewal.

use crate::enrol::{ANSWER_MAX, own_key, request_of, take};
use anyhow::{Context as _, anyhow};
use severn_link::{Dialler, Identity, Tls, TlsFiles, ends_soon};
use severn_proto::v1::{RenewRequest, enrolment_client::EnrolmentClient};
use severn_trust::{Clock, Entropy};
use std::{fs, ops::RangeInclusive, sync::Arc, time::Duration};
use tracing::{error, info, warn};

/// How often to look whether it is time: a machine may sleep, a certificate be replaced by hand.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How long to wait after the first failure, and at most. The wait doubles with every failure.
const AGAIN_MIN: Duration = Duration::from_secs(30);
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// What renewing needs.
pub struct Renewal {
    /// The material in use; it takes what is written.
    pub tls: Tls,
    /// Where it lies.
    pub files: TlsFiles,
    /// Reaches the broker, with the certificate in use.
    pub dialler: Arc<dyn Dialler>,
    /// The broker's ordinary address: host:port.
    pub address: String,
    /// Whom the broker's certificate must name.
    pub broker: Identity,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws when, so that not all adapters ask at once.
    pub entropy: Arc<dyn Entropy>,
}

impl Renewal {
    /// Renews whenever it is time, for ever.
    pub async fn run(self) {
        let mut failures = 0;
        let (mut known, mut jitter) = (self.tls.holds_s(), self.jitter());
        loop {
            let (holds_s, now_s) = (self.tls.holds_s(), self.clock.now_s());
            if holds_s != known {
                (known, jitter, failures) = (holds_s.clone(), self.jitter(), 0);
            }
            let due_s = due_s(&holds_s, jitter);
            if now_s < due_s {
                let until = Duration::from_secs((due_s - now_s).unsigned_abs());
                tokio::time::sleep(until.min(LOOK_EVERY)).await;
                continue;
            }
            match self.renew().await {
                Ok(()) => {
                    info!(ends_s = *self.tls.holds_s().end(), "certificate renewed");
                    // However short a life the broker gives.
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(why) => {
                    let left_s = holds_s.end() - now_s;
                    if ends_soon(&holds_s, now_s) {
                        error!(left_s, %why, "ALARM: the certificate ends soon and cannot be renewed; then this source is cut off");
                    } else {
                        warn!(left_s, %why, "certificate not renewed yet");
                    }
                    tokio::time::sleep(pause(failures, self.jitter())).await;
                    failures += 1;
                }
            }
        }
    }

    /// Asks for the next certificate and puts it in use.
    ///
    /// # Errors
    /// Why there is none; what is in use stays.
    pub async fn renew(&self) -> anyhow::Result<()> {
        let key = own_key(&self.files.key)?;
        let certificate_request = request_of(&key)?;
        let mut client = EnrolmentClient::new(self.dialler.dial(&self.address, &self.broker)?);
        let answer = tokio::time::timeout(ANSWER_MAX, client.renew(RenewRequest { certificate_request })).await;
        let answer = answer.context("the broker did not answer in time")?;
        let answer = answer.map_err(|status| anyhow!("the broker says: {}", status.message()))?.into_inner();
        let mut next = self.files.certificate.as_os_str().to_owned();
        next.push(".renewed");
        let next = TlsFiles { certificate: next.into(), ..self.files.clone() };
        take(&answer.certificates, &next, self.tls.identity())?;
        fs::rename(&next.certificate, &self.files.certificate).context("tls.certificate")?;
        self.tls.look();
        Ok(())
    }

    /// From 0 to 1.
    fn jitter(&self) -> f64 {
        let mut drawn = [0; 2];
        self.entropy.fill(&mut drawn);
        f64::from(u16::from_le_bytes(drawn)) / f64::from(u16::MAX)
    }
}

/// When to renew: at half of the certificate's life, or up to a tenth of it later.
fn due_s(holds_s: &RangeInclusive<i64>, jitter: f64) -> i64 {
    let life_s = (holds_s.end() - holds_s.start()) as f64;
    holds_s.start() + (life_s * (0.5 + 0.1 * jitter)) as i64
}

/// How long to wait after so many failures before this one.
fn pause(failures: u32, jitter: f64) -> Duration {
    let doubled = AGAIN_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(AGAIN_MAX);
    doubled.mul_f64(0.5 + 0.5 * jitter)
}

#[cfg(test)]
mod tests;
