//! Calls the source so that nothing it does harms the adapter: a deadline of our own around every call, and a panic
//! that costs only this call.
//!
//! **Invariant:** no call to a source outlives its query.

use crate::{
    policy::Ruling,
    source::{Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, ReasonCode};
use severn_trust::is_crisis_dataset;
use std::sync::Arc;
use tokio::{
    task::JoinError,
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// A call to the source under way.
pub(crate) struct Running<T>(AbortOnDropHandle<Result<T, SourceError>>);

impl<T: Send + 'static> Running<T> {
    /// Starts `work`, which is aborted when this is dropped.
    pub fn start(work: impl Future<Output = Result<T, SourceError>> + Send + 'static) -> Running<T> {
        Running(AbortOnDropHandle::new(tokio::spawn(work)))
    }

    /// Its result; `None` if it is not there by `until`. May be awaited again then.
    pub async fn by(&mut self, until: Instant) -> Option<Result<T, ReasonCode>> {
        timeout_at(until, &mut self.0).await.ok().map(settled)
    }
}

fn settled<T>(ended: Result<Result<T, SourceError>, JoinError>) -> Result<T, ReasonCode> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(SourceError::Timeout)) => Err(ReasonCode::Timeout),
        Ok(Err(fault)) => {
            warn!(%fault, "source cannot be read");
            Err(ReasonCode::SourceFailed)
        }
        Err(_) => {
            warn!("reading the source panicked");
            Err(ReasonCode::SourceFailed)
        }
    }
}

/// Datasets that are read and released together.
pub(crate) struct Group {
    pub rulings: Vec<(Dataset, Ruling)>,
    read: Option<Running<Vec<Reading>>>,
}

impl Group {
    /// Starts to read what is ruled to be read: the crisis datasets as one group, the others as the next, so that
    /// a slow list of documents does not hold up an allergy.
    pub fn start(
        source: &Arc<dyn Source>,
        local_id: &str,
        rulings: &[(Dataset, Ruling)],
        until: Instant,
    ) -> Vec<Group> {
        let (crisis, rest): (Vec<_>, Vec<_>) = rulings.iter().copied().partition(|(d, _)| is_crisis_dataset(*d));
        let groups = [crisis, rest].into_iter().filter(|rulings| !rulings.is_empty());
        groups.map(|rulings| Group { read: start_read(source, local_id, &rulings, until), rulings }).collect()
    }

    /// What was read; `None` if it is not there by `until`. May be awaited again then.
    pub async fn by(&mut self, until: Instant) -> Option<Result<Vec<Reading>, ReasonCode>> {
        match &mut self.read {
            Some(read) => read.by(until).await,
            None => Some(Ok(Vec::new())),
        }
    }
}

fn start_read(
    source: &Arc<dyn Source>,
    local_id: &str,
    rulings: &[(Dataset, Ruling)],
    until: Instant,
) -> Option<Running<Vec<Reading>>> {
    let datasets: Vec<Dataset> = rulings.iter().filter(|(_, r)| *r == Ruling::Read).map(|(d, _)| *d).collect();
    if datasets.is_empty() {
        return None;
    }
    // A little less than there is, so that a source that keeps to it can still hand over what it has.
    let budget = until.saturating_duration_since(Instant::now()) * 9 / 10;
    let (source, local_id) = (Arc::clone(source), local_id.to_owned());
    Some(Running::start(async move { source.read(&local_id, &datasets, budget).await }))
}
