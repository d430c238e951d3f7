//! What a steward of the index does: look at pairs to decide, link, unlink, tell apart, look back.

use crate::client::{CALL_MAX, Client, ClientError, within};
use severn_proto::v1::{
    DecisionsRequest, HistoryRequest, HistoryResponse, LinkRequest, PostponeRequest, QualityReport, RegistrationRef,
    ReviewKind, ReviewQueueRequest, ReviewQueueResponse, SourceQualityRequest, StewardDecision, TakeBackRequest,
    TellApartRequest, UnlinkRequest,
};
use severn_trust::new_uuid;
use std::time::Duration;

/// Characters a steward's reason has at least.
const REASON_CHARS_MIN: usize = 10;

/// Decisions in one answer.
const DECISIONS_AT_ONCE: u32 = 1000;

/// How long counting all registrations may take.
const COUNT_MAX: Duration = Duration::from_secs(120);

/// A steward's decision: why, and a key by which a retry is known. Send a retry with the same decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    reason: String,
    idempotency_key: String,
}

impl Client {
    /// A new decision.
    ///
    /// # Errors
    /// [`ClientError::Question`] if the reason is shorter than 10 characters.
    pub fn decide(&self, reason: &str) -> Result<Decision, ClientError> {
        let reason = reason.trim().to_owned();
        if reason.chars().count() < REASON_CHARS_MIN {
            return Err(ClientError::Question("give a reason of at least 10 characters; it is kept for ever"));
        }
        let idempotency_key = new_uuid(self.clock.as_ref(), self.entropy.as_ref()).to_string();
        Ok(Decision { reason, idempotency_key })
    }

    /// Links two registrations; gives the enterprise id of the person both belong to now.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn link(
        &self,
        a: RegistrationRef,
        b: RegistrationRef,
        decision: &Decision,
    ) -> Result<String, ClientError> {
        let request = LinkRequest {
            context: self.sign_for_nobody()?,
            a: Some(a),
            b: Some(b),
            reason: decision.reason.clone(),
            idempotency_key: decision.idempotency_key.clone(),
        };
        let mut index = self.index();
        Ok(within(CALL_MAX, index.link(request)).await?.enterprise_id)
    }

    /// Takes a registration out of its person; gives the enterprise id of the person it belongs to now.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn unlink(&self, registration: RegistrationRef, decision: &Decision) -> Result<String, ClientError> {
        let request = UnlinkRequest {
            context: self.sign_for_nobody()?,
            registration: Some(registration),
            reason: decision.reason.clone(),
            idempotency_key: decision.idempotency_key.clone(),
        };
        let mut index = self.index();
        Ok(within(CALL_MAX, index.unlink(request)).await?.enterprise_id)
    }

    /// Keeps two registrations apart that are not one person, and were not taken for one.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn tell_apart(
        &self,
        a: RegistrationRef,
        b: RegistrationRef,
        decision: &Decision,
    ) -> Result<(), ClientError> {
        let request = TellApartRequest {
            context: self.sign_for_nobody()?,
            a: Some(a),
            b: Some(b),
            reason: decision.reason.clone(),
            idempotency_key: decision.idempotency_key.clone(),
        };
        let mut index = self.index();
        within(CALL_MAX, index.tell_apart(request)).await.map(drop)
    }

    /// Takes a pair out of the review queue until `until_ms`, milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn postpone(
        &self,
        a: RegistrationRef,
        b: RegistrationRef,
        until_ms: i64,
        decision: &Decision,
    ) -> Result<(), ClientError> {
        let request = PostponeRequest {
            context: self.sign_for_nobody()?,
            a: Some(a),
            b: Some(b),
            until_ms,
            reason: decision.reason.clone(),
            idempotency_key: decision.idempotency_key.clone(),
        };
        let mut index = self.index();
        within(CALL_MAX, index.postpone(request)).await.map(drop)
    }

    /// Takes back an earlier decision, by its number.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn take_back(&self, sequence: u64, decision: &Decision) -> Result<(), ClientError> {
        let request = TakeBackRequest {
            context: self.sign_for_nobody()?,
            decision: sequence,
            reason: decision.reason.clone(),
            idempotency_key: decision.idempotency_key.clone(),
        };
        let mut index = self.index();
        within(CALL_MAX, index.take_back(request)).await.map(drop)
    }

    /// Lists what stewards decided, newest first: of one of them or of all, from `since_ms` on and before `until_ms`, 0
    /// for now (milliseconds since 1970-01-01T00:00:00Z). Reads on until it has all.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn decisions(&self, by: &str, since_ms: i64, until_ms: i64) -> Result<Vec<StewardDecision>, ClientError> {
        let mut all: Vec<StewardDecision> = Vec::new();
        loop {
            let before = all.last().map(|decision| decision.sequence).unwrap_or_default();
            let context = self.sign_for_nobody()?;
            let request =
                DecisionsRequest { context, by: by.to_owned(), since_ms, until_ms, before, limit: DECISIONS_AT_ONCE };
            let mut index = self.index();
            let answer = within(CALL_MAX, index.decisions(request)).await?;
            let is_last = !answer.truncated || answer.decisions.is_empty();
            all.extend(answer.decisions);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Lists pairs that a human should decide, of `kinds` or of all if there are none, at most `limit`; 0 for the
    /// broker's default. All that wait are counted by kind.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn review_queue(&self, limit: u32, kinds: &[ReviewKind]) -> Result<ReviewQueueResponse, ClientError> {
        let kinds = kinds.iter().map(|kind| (*kind).into()).collect();
        let request = ReviewQueueRequest { context: self.sign_for_nobody()?, limit, kinds };
        let mut index = self.index();
        within(CALL_MAX, index.review_queue(request)).await
    }

    /// How good what sources announce is: the rates of all, or one source with its local ids.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn source_quality(&self, source_id: Option<&str>) -> Result<Vec<QualityReport>, ClientError> {
        let source_id = source_id.unwrap_or_default().to_owned();
        let request = SourceQualityRequest { context: self.sign_for_nobody()?, source_id };
        let mut index = self.index();
        Ok(within(COUNT_MAX, index.source_quality(request)).await?.sources)
    }

    /// Lists what happened to a person, oldest first; with `at_ms` (milliseconds since 1970-01-01T00:00:00Z; 0 for now)
    /// up to that moment, and who the person was then.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn history(&self, enterprise_id: &str, at_ms: i64) -> Result<HistoryResponse, ClientError> {
        let context = self.sign_for_nobody()?;
        let mut index = self.index();
        let request = HistoryRequest { context, enterprise_id: enterprise_id.to_owned(), at_ms };
        within(CALL_MAX, index.history(request)).await
    }
}
