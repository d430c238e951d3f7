//! Witnesses the broker's audit trail: asks for its newest checkpoint, checks that it goes on from the one kept here, keeps
//! it and signs it. What does not go on from there is kept as evidence, recorded in the adapter's own trail and told
//! loudly; it is never signed.
//!
//! **Invariant:** a checkpoint is durable here before its signature leaves, so that the broker never holds a signature
//! that its witness has forgotten.

use serde::{Deserialize, Serialize};
use severn_link::{Dialler, Identity};
use severn_proto::v1::{
    CheckpointRequest, CheckpointResponse, CosignRequest, audit_witness_client::AuditWitnessClient,
};
use severn_trust::{
    Checkpoint, Clock, Cosigned, Details, Digest, Disk, Entropy, PublicKey, SigningKey, Trail, TrailEvent,
    is_consistent, read_trail_key,
};
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tracing::{error, info, warn};

/// The newest checkpoint that was checked and signed.
const KEPT: &str = "witness.json";

/// One of those before it for every hour, one line each: the closer they lie, the closer a rewritten event is told.
const SEEN: &str = "witness-seen.log";

/// Milliseconds between two lines of it.
const SEEN_EVERY_MS: i64 = 3_600_000;

/// What was shown and could not be so, one line each.
const EVIDENCE: &str = "witness-evidence.log";

/// What the adapter's trail calls it.
const ALARM: &str = "alarm-witness";

/// How often the broker is asked.
pub const WITNESS_EVERY: Duration = Duration::from_secs(10);

/// How long the broker may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What a witness is built from. All of it is passed in.
pub struct WitnessParts {
    /// The source's id in the federation.
    pub source_id: String,
    /// Where the kept checkpoint and the evidence lie.
    pub disk: Arc<dyn Disk>,
    /// Reaches the broker.
    pub dialler: Arc<dyn Dialler>,
    /// The broker's address, host:port.
    pub address: String,
    /// Whom the broker's certificate must name.
    pub broker: Identity,
    /// The key by which the broker signs its statements; it vouches for the key of the broker's trail.
    pub broker_key: PublicKey,
    /// The adapter's audit key, which signs.
    pub key: SigningKey,
    /// The adapter's own trail.
    pub trail: Trail,
    /// The time, for what is signed.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for the pauses.
    pub entropy: Arc<dyn Entropy>,
    /// How often the broker is asked, give or take a quarter.
    pub every: Duration,
}

/// What a witness keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The checkpoint, signed by this witness.
    pub cosigned: Cosigned,
    /// What the checkpoint says.
    pub checkpoint: Checkpoint,
    /// When one was last added to the list of those seen: milliseconds since 1970-01-01T00:00:00Z.
    pub listed_ms: i64,
}

impl Kept {
    /// What the witness whose folder is `disk` keeps; `None` if it has seen nothing yet.
    ///
    /// # Errors
    /// As the storage gives them; `InvalidData` if the file cannot be read.
    pub fn read(disk: &dyn Disk) -> io::Result<Option<Kept>> {
        match disk.read(KEPT) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was seen from hour to hour, oldest first, and at last.
    ///
    /// # Errors
    /// As the storage gives them; `InvalidData` if what was seen last cannot be read.
    pub fn seen(disk: &dyn Disk) -> io::Result<Vec<Cosigned>> {
        let list = match disk.read(SEEN) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        // A line that a crash left unfinished says nothing; every other speaks for itself.
        let listed = list.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        Ok(listed.chain(Kept::read(disk)?.map(|kept| kept.cosigned)).collect())
    }

    /// Makes it durable; at the full hour also in the list.
    fn write(&mut self, disk: &dyn Disk, at_ms: i64) -> io::Result<()> {
        if at_ms - self.listed_ms >= SEEN_EVERY_MS {
            append(disk, SEEN, &serde_json::to_string(&self.cosigned)?)?;
            self.listed_ms = at_ms;
        }
        disk.replace(KEPT, &serde_json::to_vec(self)?)
    }
}

/// What is wrong with a checkpoint that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Suspicion {
    /// Somebody else signed it, or nobody.
    #[error("the checkpoint is not signed by the broker's trail")]
    Unsigned,
    /// It has fewer events than the one kept.
    #[error("the broker's trail has become shorter: events were removed")]
    Shrunk,
    /// It does not go on from the one kept.
    #[error("the broker's trail is not the one that was seen before: its history was rewritten or forked")]
    Forked,
    /// The broker itself says so.
    #[error("the broker says that its trail does not go on from what was seen before")]
    Disowned,
}

/// Checks what the broker shows against what is kept. Gives the checkpoint and its JWS, if it may be signed.
///
/// # Errors
/// [`Suspicion`] says why it may never be.
pub fn judge(
    kept: Option<&Checkpoint>,
    shown: &CheckpointResponse,
    broker_key: &PublicKey,
) -> Result<Checkpoint, Suspicion> {
    let unsigned = |_| Suspicion::Unsigned;
    let trail_key = read_trail_key(&shown.trail_key, broker_key).map_err(unsigned)?;
    let checkpoint = Checkpoint::read(&shown.checkpoint, &trail_key).map_err(unsigned)?;
    let root = checkpoint.root().ok_or(Suspicion::Unsigned)?;
    let Some(kept) = kept else { return Ok(checkpoint) };
    let before = kept.root().ok_or(Suspicion::Forked)?;
    if checkpoint.seq < kept.seq {
        return Err(Suspicion::Shrunk);
    }
    let nodes: Option<Vec<Digest>> = shown.consistency.iter().map(|node| node.as_slice().try_into().ok()).collect();
    let nodes = nodes.ok_or(Suspicion::Forked)?;
    match is_consistent((kept.seq, &before), (checkpoint.seq, &root), &nodes) {
        true => Ok(checkpoint),
        false => Err(Suspicion::Forked),
    }
}

/// Witnesses until it is stopped.
pub struct Witness {
    parts: WitnessParts,
    kept: Option<Kept>,
    /// What was last told, so that the same is told once and not every ten seconds.
    suspected: Option<Suspicion>,
    reached: bool,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({})", self.parts.source_id)
    }
}

/// Why a round came to nothing. The next may.
#[derive(Debug, thiserror::Error)]
enum Missed {
    #[error("the broker cannot be reached")]
    Unreachable,
    #[error("the broker shows no checkpoint: {0:?}")]
    NotShown(Code),
    #[error("the checkpoint cannot be kept: {0}")]
    Storage(#[from] io::Error),
    #[error("the checkpoint cannot be signed: {0}")]
    Key(#[from] severn_trust::KeyError),
    #[error("the broker does not take the signature: {0:?}")]
    NotTaken(Code),
}

impl Witness {
    /// A witness that goes on from what it keeps.
    ///
    /// # Errors
    /// If what is kept cannot be read; that is evidence, and not to be started over.
    pub fn open(parts: WitnessParts) -> io::Result<Witness> {
        let kept = Kept::read(parts.disk.as_ref())?;
        Ok(Witness { parts, kept, suspected: None, reached: true })
    }

    /// Asks, checks and signs, over and over, until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut client = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.pause()) => {}
            }
            let round = async {
                let channel = match client.take() {
                    Some(channel) => channel,
                    None => self.dial()?,
                };
                let done = self.round(&mut AuditWitnessClient::new(Channel::clone(&channel))).await;
                client = Some(channel);
                done
            };
            let missed = tokio::select! {
                () = shutdown.cancelled() => return,
                done = round => done.err(),
            };
            if let Some(missed) = &missed {
                // Said once, until the broker is reached again.
                if std::mem::replace(&mut self.reached, false) {
                    warn!(source_id = self.parts.source_id, reason = %missed, "the broker's trail is not witnessed");
                }
            } else {
                self.reached = true;
            }
        }
    }

    fn dial(&self) -> Result<Channel, Missed> {
        self.parts.dialler.dial(&self.parts.address, &self.parts.broker).map_err(|_| Missed::Unreachable)
    }

    /// Three to five quarters of the interval, so that witnesses do not ask all at once.
    fn pause(&self) -> Duration {
        let mut random = [0; 4];
        self.parts.entropy.fill(&mut random);
        self.parts.every.mul_f64(0.75 + f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX) / 2.0)
    }

    async fn round(&mut self, client: &mut AuditWitnessClient<Channel>) -> Result<(), Missed> {
        let kept = self.kept.as_ref().map(|kept| kept.checkpoint.clone());
        let since = kept.as_ref().map_or(0, |kept| kept.seq);
        let answer = timeout(ANSWER_MAX, client.checkpoint(CheckpointRequest { since })).await;
        let shown = match answer.map_err(|_| Missed::Unreachable)? {
            Ok(shown) => shown.into_inner(),
            Err(status) if disowns(&status) => {
                self.alarm(Suspicion::Disowned, &CheckpointResponse::default()).await;
                return Ok(());
            }
            Err(status) => return Err(Missed::NotShown(status.code())),
        };
        let checkpoint = match judge(kept.as_ref(), &shown, &self.parts.broker_key) {
            Ok(checkpoint) => checkpoint,
            Err(suspicion) => {
                self.alarm(suspicion, &shown).await;
                return Ok(());
            }
        };
        if self.suspected.take().is_some() {
            info!(source_id = self.parts.source_id, "the broker's trail goes on again from what was seen");
        }
        if kept.is_some_and(|kept| kept.seq == checkpoint.seq) {
            return Ok(());
        }
        self.sign(client, checkpoint, &shown.checkpoint).await
    }

    async fn sign(
        &mut self,
        client: &mut AuditWitnessClient<Channel>,
        checkpoint: Checkpoint,
        jws: &str,
    ) -> Result<(), Missed> {
        let (parts, at_ms) = (&self.parts, self.parts.clock.now_ms());
        let cosigned = Cosigned::sign(&parts.key, &parts.source_id, jws, at_ms)?;
        let listed_ms = self.kept.as_ref().map_or(0, |kept| kept.listed_ms);
        let mut kept = Kept { cosigned, checkpoint, listed_ms };
        let disk = Arc::clone(&parts.disk);
        let writing = tokio::task::spawn_blocking(move || kept.write(disk.as_ref(), at_ms).map(|()| kept)).await;
        let kept = writing.map_err(io::Error::other)??;
        let key = serde_json::to_string(&kept.cosigned.key).map_err(io::Error::other)?;
        let request = CosignRequest { cosignature: kept.cosigned.cosignature.clone(), key };
        self.kept = Some(kept);
        let taken = timeout(ANSWER_MAX, client.cosign(request)).await.map_err(|_| Missed::Unreachable)?;
        taken.map(drop).map_err(|status| Missed::NotTaken(status.code()))
    }

    /// Keeps the evidence, records it and tells it; the same suspicion once, until the trail goes on again.
    async fn alarm(&mut self, suspicion: Suspicion, shown: &CheckpointResponse) {
        if self.suspected.replace(suspicion) == Some(suspicion) {
            return;
        }
        let (parts, kept) = (&self.parts, self.kept.as_ref());
        error!(source_id = parts.source_id, reason = %suspicion, "ALARM: the broker's audit trail is not to be trusted");
        let nodes: Vec<String> = shown.consistency.iter().map(|node| severn_trust::hex(node)).collect();
        let evidence = serde_json::json!({
            "at_ms": parts.clock.now_ms(),
            "why": suspicion.to_string(),
            "kept": kept.map(|kept| &kept.cosigned),
            "shown": { "checkpoint": shown.checkpoint, "consistency": nodes, "trail_key": shown.trail_key },
        });
        if let Err(fault) = append(parts.disk.as_ref(), EVIDENCE, &evidence.to_string()) {
            error!(source_id = parts.source_id, %fault, "ALARM: the evidence cannot be kept");
        }
        let details = Details::default()
            .with("why", &suspicion.to_string())
            .with("kept_seq", &kept.map_or(0, |kept| kept.checkpoint.seq))
            .with("evidence", &EVIDENCE);
        let event = TrailEvent { action: ALARM.into(), details, ..TrailEvent::default() };
        if let Err(fault) = parts.trail.record(event).await {
            error!(source_id = parts.source_id, %fault, "ALARM: the alarm cannot be recorded");
        }
    }
}

/// The broker says that it cannot go on from there. Where the transport failed, nobody has said anything.
fn disowns(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition && std::error::Error::source(status).is_none()
}

/// Adds a line, behind whatever a crash may have left unfinished.
fn append(disk: &dyn Disk, name: &str, line: &str) -> io::Result<()> {
    let mut file = disk.open_append(name)?;
    file.append(format!("\n{line}\n").as_bytes())?;
    file.sync()
}

#[cfg(test)]
mod tests;
