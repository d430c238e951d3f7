//! The client: who asks, with which key, over which channel; and what every call has in common. What is asked lies in
//! the modules below.

use crate::token::{TokenSource, TokenUnavailable, purpose_of};
use severn_proto::{
    v1::{
        Dataset, RequestContext, challenges_client::ChallengesClient, governance_client::GovernanceClient,
        oversight_client::OversightClient, patient_index_client::PatientIndexClient,
    },
    v1_passing::record_broker_client::RecordBrokerClient,
};
use severn_trust::{Clock, Commitments, Digest, Entropy, KeyError, PersonKeys, Proof, SigningKey, new_uuid};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tonic::{Code, Status, transport::Channel};
use uuid::Uuid;

/// How long an answer in one message may take, connecting included.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(15);

/// Bytes of the largest message that is taken from the broker.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Asks the broker on behalf of signed-in users. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    app_key: SigningKey,
    tokens: Arc<dyn TokenSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    opening: Option<Uuid>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}

/// Why a question got no answer at all. Names no person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no user token.
    #[error(transparent)]
    Token(#[from] TokenUnavailable),
    /// The app's key cannot sign.
    #[error("the app's key cannot sign the request: {0}")]
    Sign(#[from] KeyError),
    /// The question makes no sense; it was not sent.
    #[error("{0}")]
    Question(&'static str),
    /// The broker refused it, and says what to do.
    #[error("the broker refused: {message} ({code:?})")]
    Refused {
        /// The kind of refusal.
        code: Code,
        /// The broker's words.
        message: String,
    },
    /// The broker cannot be reached.
    #[error("the broker cannot be reached; check its address and certificates, then try again: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the broker did not answer in time; nothing is known, so do not assume there is nothing")]
    Timeout,
    /// The broker's answer breaks the contract.
    #[error("the broker's answer breaks the contract and is not shown: {0}")]
    Invalid(&'static str),
    /// A document is larger than the limit.
    #[error("the document is larger than {0} bytes, the most this client takes")]
    TooLarge(u64),
    /// A document is not what its owner says it is.
    #[error("the document that arrived is not the one its owner announced ({0}); it is not shown")]
    WrongDocument(&'static str),
}

/// A question, signed.
pub(crate) struct Signed {
    pub(crate) context: RequestContext,
    pub(crate) query_id: String,
    pub(crate) commitments: Commitments,
}

impl Client {
    /// Asks over `channel`. Every request is signed with `app_key`, the key the tokens of `tokens` are bound to.
    pub fn new(
        channel: Channel,
        app_key: SigningKey,
        tokens: impl TokenSource,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Client {
        Client { channel, app_key, tokens: Arc::new(tokens), clock, entropy, opening: None }
    }

    /// The same, opening with this override what may be opened with a reason. Every question of it is looked at afterwards.
    #[must_use]
    pub fn opening(self, override_id: Uuid) -> Client {
        Client { opening: Some(override_id), ..self }
    }

    /// The time by which it signs: milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Signs a question about `person`, who is nobody in a search.
    pub(crate) fn sign(&self, person: &PersonKeys, datasets: &[Dataset]) -> Result<Signed, ClientError> {
        self.sign_with(person, datasets, None)
    }

    /// The same with a challenge that is to be passed on, by its digest.
    pub(crate) fn sign_with(
        &self,
        person: &PersonKeys,
        datasets: &[Dataset],
        challenge: Option<Digest>,
    ) -> Result<Signed, ClientError> {
        let user_token = self.tokens.token()?;
        let commitments = Commitments::new(person, self.entropy.as_ref());
        let proof = Proof {
            query_id: new_uuid(self.clock.as_ref(), self.entropy.as_ref()),
            issued_s: self.clock.now_s(),
            datasets: datasets.to_vec(),
            purpose: purpose_of(&user_token)?,
            person: commitments.clone(),
            challenge,
            opening: self.opening,
        };
        let request_proof = proof.sign(&self.app_key, &user_token)?;
        let context = RequestContext { user_token, request_proof };
        Ok(Signed { context, query_id: proof.query_id.to_string(), commitments })
    }

    /// Signs a question about nobody in particular.
    pub(crate) fn sign_for_nobody(&self) -> Result<Option<RequestContext>, ClientError> {
        Ok(Some(self.sign(&PersonKeys::default(), &[])?.context))
    }

    pub(crate) fn broker(&self) -> RecordBrokerClient<Channel> {
        RecordBrokerClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn challenges(&self) -> ChallengesClient<Channel> {
        ChallengesClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn governance(&self) -> GovernanceClient<Channel> {
        GovernanceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn oversight(&self) -> OversightClient<Channel> {
        OversightClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub(crate) fn index(&self) -> PatientIndexClient<Channel> {
        PatientIndexClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }
}

/// Waits for one message, under a timer of our own: tonic's does not run while a channel is connecting.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(refused(&status)),
        Err(_) => Err(ClientError::Timeout),
    }
}

/// What a status means to an app. Where the transport failed, its own words say more than the status.
pub(crate) fn refused(status: &Status) -> ClientError {
    if let Some(source) = std::error::Error::source(status) {
        let mut causes = vec![source.to_string()];
        let mut next = source.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.dedup();
        return ClientError::Unreachable(causes.join(": "));
    }
    ClientError::Refused { code: status.code(), message: status.message().to_owned() }
}
