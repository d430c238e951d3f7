//! Looks at everybody the source knows and finds what changed since it was last announced.

use super::log::{FeedLog, Line, Op};
use crate::source::{Source, SourceError};
use futures::StreamExt as _;
use prost::Message as _;
use severn_proto::v1::Registration;
use severn_trust::sha256;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Registrations that wait to be compared.
const WAITING_MAX: usize = 256;

/// What a look at the source found.
pub(super) struct Changes {
    /// What is to be announced.
    pub lines: Vec<Line>,
    /// Content of what is to be announced, by local id.
    pub content: HashMap<String, Registration>,
    /// Registrations the source holds now.
    pub registrations: u64,
    /// Rows that could not be read as registrations.
    pub unreadable: u64,
}

/// Compares the source with what the log says was announced.
///
/// # Errors
/// [`SourceError`] if the source cannot be read to its end, or panics.
pub(super) async fn scan(source: &Arc<dyn Source>, log: &FeedLog) -> Result<Changes, SourceError> {
    let (found, mut rows) = mpsc::channel(WAITING_MAX);
    // A task of its own, so that a panic in the source ends this look and not the feed.
    let reading = AbortOnDropHandle::new(tokio::spawn(read_all(Arc::clone(source), found)));
    let mut seen = HashSet::new();
    let mut changes = Changes { lines: Vec::new(), content: HashMap::new(), registrations: 0, unreadable: 0 };
    while let Some(row) = rows.recv().await {
        let local_id = row.as_ref().ok().and_then(|r| r.local_id.as_ref()).map(|id| id.value.clone());
        let (Some(registration), Some(local_id)) = (row.ok(), local_id.filter(|id| !id.is_empty())) else {
            changes.unreadable += 1;
            continue;
        };
        // The first of two rows under one local id stands; to take turns between them would never come to rest.
        if !seen.insert(local_id.clone()) {
            changes.unreadable += 1;
            continue;
        }
        let digest = sha256(&[&registration.encode_to_vec()]);
        if log.digest(&local_id) != Some(&digest) {
            changes.lines.push(Line { local_id: local_id.clone(), digest, op: Op::Put });
            changes.content.insert(local_id, registration);
        }
    }
    let panicked = |_| SourceError::Unreachable("reading the registrations panicked".into());
    reading.await.map_err(panicked)??;
    changes.registrations = seen.len() as u64;
    if changes.unreadable == 0 {
        let mut gone: Vec<&String> = log.announced().filter(|id| !seen.contains(*id)).collect();
        gone.sort_unstable();
        let withdrawn = |id: &String| Line { local_id: id.clone(), digest: [0; 32], op: Op::Withdrawn };
        changes.lines.extend(gone.into_iter().map(withdrawn));
    }
    Ok(changes)
}

/// Hands over every row; a row that does not fit the mapping costs only itself.
async fn read_all(
    source: Arc<dyn Source>,
    found: mpsc::Sender<Result<Registration, SourceError>>,
) -> Result<(), SourceError> {
    let mut rows = source.registrations().await?;
    while let Some(row) = rows.next().await {
        match row {
            Ok(_) | Err(SourceError::Mapping(_)) => {}
            Err(fault) => return Err(fault),
        }
        if found.send(row).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
