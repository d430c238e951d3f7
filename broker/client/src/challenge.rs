//! Telling a source that an entry is wrong or not about this person, and reading what its owner answers. The app signs
//! the very bytes that are passed on. What an owner answers is text of others: neutralise it before it is shown.

use crate::client::{CALL_MAX, Client, ClientError, within};
use prost::Message as _;
use severn_proto::v1::{
    Challenge, ChallengeRequest, ChallengeResponse, Demographics, ListChallengesRequest, ListChallengesResponse,
};
use severn_trust::{PersonKeys, read_challenge, sha256};

impl Client {
    /// Reports an entry about `enterprise_id`, who must be `person`, to the source that said it. The same entry may be
    /// reported again: it is taken once until its owner has decided.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do; the challenge was then not taken, or nobody knows.
    pub async fn challenge(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        challenge: &Challenge,
    ) -> Result<ChallengeResponse, ClientError> {
        let bytes = challenge.encode_to_vec();
        read_challenge(&bytes).map_err(|error| ClientError::Question(error.0))?;
        let datasets = [challenge.dataset()];
        let signed = self.sign_with(&PersonKeys::of(person), &datasets, Some(sha256(&[&bytes])))?;
        let request = ChallengeRequest {
            context: Some(signed.context),
            enterprise_id: enterprise_id.to_owned(),
            challenge: bytes,
        };
        let mut broker = self.challenges();
        within(CALL_MAX, broker.challenge(request)).await
    }

    /// Lists what the user's organisation has reported, newest first, with the owners' answers: about one person, or
    /// about everybody.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn list_challenges(&self, enterprise_id: Option<&str>) -> Result<ListChallengesResponse, ClientError> {
        let request = ListChallengesRequest {
            context: self.sign_for_nobody()?,
            enterprise_id: enterprise_id.unwrap_or_default().to_owned(),
        };
        let mut broker = self.challenges();
        within(CALL_MAX, broker.list_challenges(request)).await
    }
}
