//! Who may see a person: entering and withdrawing directives, claiming a relationship, breaking the glass, and what
//! privacy officers review.

use crate::client::{CALL_MAX, Client, ClientError, within};
use severn_proto::v1::{
    ClaimRelationshipRequest, ClaimRelationshipResponse, Demographics, Directive, DirectiveTerms,
    EnterDirectiveRequest, ListDirectivesRequest, OpenOverrideRequest, OpenOverrideResponse, OverrideReason,
    OversightQueueRequest, OversightQueueResponse, OversightVerdict, RecordReviewRequest, WithdrawDirectiveRequest,
};
use severn_trust::{PersonKeys, new_uuid};

/// Names one act. Send a retry with the same key: then it is done once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActKey(String);

/// Why the glass is broken, and for how long.
#[derive(Clone, PartialEq, Eq)]
pub struct Glass {
    /// Why, by code.
    pub reason: OverrideReason,
    /// Why, in the user's words: 10 characters or more.
    pub text: String,
    /// Minutes, 1 to 60; 0 for 60.
    pub minutes: u32,
}

impl Client {
    /// A key for a new act.
    pub fn new_act(&self) -> ActKey {
        ActKey(new_uuid(self.clock.as_ref(), self.entropy.as_ref()).to_string())
    }

    /// Enters a directive of `enterprise_id`, who must be `person`.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn enter_directive(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        terms: DirectiveTerms,
        key: &ActKey,
    ) -> Result<Directive, ClientError> {
        let request = EnterDirectiveRequest {
            context: Some(self.sign(&PersonKeys::of(person), &[])?.context),
            enterprise_id: enterprise_id.to_owned(),
            terms: Some(terms),
            idempotency_key: key.0.clone(),
        };
        let mut broker = self.governance();
        within(CALL_MAX, broker.enter_directive(request)).await?.directive.ok_or(NO_DIRECTIVE)
    }

    /// Withdraws a directive.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn withdraw_directive(
        &self,
        directive_id: &str,
        reason: &str,
        key: &ActKey,
    ) -> Result<Directive, ClientError> {
        let request = WithdrawDirectiveRequest {
            context: self.sign_for_nobody()?,
            directive_id: directive_id.to_owned(),
            reason: reason.to_owned(),
            idempotency_key: key.0.clone(),
        };
        let mut broker = self.governance();
        within(CALL_MAX, broker.withdraw_directive(request)).await?.directive.ok_or(NO_DIRECTIVE)
    }

    /// Lists every directive of a person, in the order in which they were entered; those that are over, too.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn list_directives(&self, enterprise_id: &str) -> Result<Vec<Directive>, ClientError> {
        let context = self.sign_for_nobody()?;
        let request = ListDirectivesRequest { context, enterprise_id: enterprise_id.to_owned() };
        let mut broker = self.governance();
        Ok(within(CALL_MAX, broker.list_directives(request)).await?.directives)
    }

    /// Claims that the user's organisation cares for `enterprise_id` now, who must be `person`.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn claim_relationship(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        reason: &str,
        key: &ActKey,
    ) -> Result<ClaimRelationshipResponse, ClientError> {
        let request = ClaimRelationshipRequest {
            context: Some(self.sign(&PersonKeys::of(person), &[])?.context),
            enterprise_id: enterprise_id.to_owned(),
            reason: reason.to_owned(),
            idempotency_key: key.0.clone(),
        };
        let mut broker = self.governance();
        within(CALL_MAX, broker.claim_relationship(request)).await
    }

    /// Breaks the glass for `enterprise_id`, who must be `person`.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn open_override(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        glass: &Glass,
        key: &ActKey,
    ) -> Result<OpenOverrideResponse, ClientError> {
        let request = OpenOverrideRequest {
            context: Some(self.sign(&PersonKeys::of(person), &[])?.context),
            enterprise_id: enterprise_id.to_owned(),
            reason: glass.reason.into(),
            text: glass.text.clone(),
            minutes: glass.minutes,
            idempotency_key: key.0.clone(),
        };
        let mut broker = self.governance();
        within(CALL_MAX, broker.open_override(request)).await
    }

    /// Lists claims and overrides to review, newest first, at most `limit`, 0 for the broker's default; those that were
    /// reviewed for good too, if told to.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn oversight_queue(
        &self,
        with_reviewed: bool,
        limit: u32,
    ) -> Result<OversightQueueResponse, ClientError> {
        let request = OversightQueueRequest { context: self.sign_for_nobody()?, with_reviewed, limit };
        let mut broker = self.governance();
        within(CALL_MAX, broker.oversight_queue(request)).await
    }

    /// Reviews a claim or an override.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn record_review(
        &self,
        id: &str,
        verdict: OversightVerdict,
        note: &str,
        key: &ActKey,
    ) -> Result<(), ClientError> {
        let request = RecordReviewRequest {
            context: self.sign_for_nobody()?,
            id: id.to_owned(),
            verdict: verdict.into(),
            note: note.to_owned(),
            idempotency_key: key.0.clone(),
        };
        let mut broker = self.governance();
        within(CALL_MAX, broker.record_review(request)).await.map(drop)
    }
}

const NO_DIRECTIVE: ClientError = ClientError::Invalid("it names no directive");
