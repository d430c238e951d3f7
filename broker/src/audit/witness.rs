//! The trail's witnesses: what each of them is shown, and the signature that it gives for it. A signature is durable
//! beside the trail before it is acknowledged; the witness keeps its own, which no operator of the broker can reach.

use super::Audit;
use crate::model::SourceId;
use severn_trust::{
    Cosigned, Details, Disk, KeyError, NotShown, PublicKey, Shown, SigningKey, TrailError, TrailEvent, sign_trail_key,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// What the trail calls the first signature of a witness's key.
const WITNESS: &str = "witness";

/// What the broker keeps of its witnesses.
pub(super) struct Witnesses {
    disk: Arc<dyn Disk>,
    /// The key of the trail, in the words of the key of the broker's statements.
    trail_key: String,
    /// For each witness, the key it signs with, and the newest event that it signed for.
    kept: Mutex<BTreeMap<String, (String, u64)>>,
}

/// Why a signature is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// It is not the caller's.
    #[error("cosignature.witness: sign with the source id of your certificate")]
    OtherWitness,
    /// The key or one of the two signatures does not hold.
    #[error("cosignature: {0}; sign a checkpoint of this broker's trail, and send the key that you signed with")]
    Signature(#[from] KeyError),
    /// The trail cannot be written.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// It cannot be kept.
    #[error("the co-signature cannot be kept: {0}")]
    Storage(#[from] io::Error),
}

impl Audit {
    /// Lets adapters witness the trail. What they sign is kept in `disk`; `statement_key` vouches for the trail's key.
    ///
    /// # Errors
    /// [`CosignError`] if what is kept cannot be read, or the key cannot sign.
    pub fn with_witnesses(self, disk: Arc<dyn Disk>, statement_key: &SigningKey) -> Result<Audit, CosignError> {
        let trail_key = sign_trail_key(statement_key, self.trail.key())?;
        let kept = Cosigned::kept(disk.as_ref())?;
        // One that no longer holds is a finding for `audit verify`; the next signature takes its place.
        let signed = kept.into_iter().filter_map(|kept| {
            let seq = kept.read(self.trail.key()).ok()?.checkpoint.seq;
            Some((kept.witness, (PublicKey::from_jwk(kept.key).ok()?.kid().to_owned(), seq)))
        });
        let witnesses = Witnesses { trail_key, kept: Mutex::new(signed.collect()), disk };
        Ok(Audit { witnesses: Some(Arc::new(witnesses)), ..self })
    }

    /// The newest checkpoint with the proof that it goes on from the first `since` events, and the trail's key in the
    /// words of the key of the broker's statements; `None` where the trail has no witnesses.
    ///
    /// # Errors
    /// [`NotShown`] says why there is none.
    pub fn checkpoint(&self, since: u64) -> Option<Result<(Shown, String), NotShown>> {
        let witnesses = self.witnesses.as_ref()?;
        Some(self.trail.checkpoint(since).map(|shown| (shown, witnesses.trail_key.clone())))
    }

    /// Keeps the signature of `witness` over a checkpoint of this trail; `None` where the trail has no witnesses. A key
    /// that is new is recorded first.
    ///
    /// # Errors
    /// [`CosignError`] says why it is not kept.
    pub async fn cosign(&self, witness: &SourceId, cosigned: Cosigned) -> Option<Result<(), CosignError>> {
        let witnesses = Arc::clone(self.witnesses.as_ref()?);
        Some(self.keep(witnesses, witness, cosigned).await)
    }

    async fn keep(&self, witnesses: Arc<Witnesses>, witness: &SourceId, cosigned: Cosigned) -> Result<(), CosignError> {
        if *cosigned.witness != *witness.0 {
            return Err(CosignError::OtherWitness);
        }
        let seq = cosigned.read(self.trail.key())?.checkpoint.seq;
        let kid = PublicKey::from_jwk(cosigned.key.clone())?.kid().to_owned();
        let known = witnesses.known(&cosigned.witness);
        if known.as_ref().is_none_or(|(known, _)| *known != kid) {
            let details = Details::default().with("source", &cosigned.witness).with("key", &kid);
            self.trail.record(TrailEvent { action: WITNESS.into(), details, ..TrailEvent::default() }).await?;
        }
        // One that was overtaken on its way says nothing new.
        if known.is_some_and(|(known, newest)| known == kid && newest > seq) {
            return Ok(());
        }
        let keeping = tokio::task::spawn_blocking(move || {
            cosigned.keep(witnesses.disk.as_ref())?;
            witnesses.note(cosigned.witness, (kid, seq));
            Ok(())
        });
        keeping.await.unwrap_or_else(|stopped| Err(io::Error::other(stopped).into()))
    }
}

impl Witnesses {
    fn known(&self, witness: &str) -> Option<(String, u64)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(witness).cloned()
    }

    fn note(&self, witness: String, signed: (String, u64)) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(witness, signed);
    }
}
