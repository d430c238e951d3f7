//! `AuditWitness`: what adapters are shown of the audit trail, and sign.

use super::{audit_status, source_of};
use crate::{audit::CosignError, retrieve::Broker};
use severn_proto::v1::{
    CheckpointRequest, CheckpointResponse, CosignRequest, CosignResponse, audit_witness_server::AuditWitness,
};
use severn_trust::{Cosigned, NotShown};
use std::sync::Arc;
use tonic::{Request, Response, Status};
use tracing::error;

pub(super) struct Witnesses {
    broker: Arc<Broker>,
}

impl Witnesses {
    pub(super) fn new(broker: Arc<Broker>) -> Witnesses {
        Witnesses { broker }
    }
}

#[tonic::async_trait]
impl AuditWitness for Witnesses {
    async fn checkpoint(&self, request: Request<CheckpointRequest>) -> Result<Response<CheckpointResponse>, Status> {
        source_of(&self.broker, &request)?;
        let (broker, since) = (Arc::clone(&self.broker), request.into_inner().since);
        // Where `since` lies far back the trail is read: that belongs on a thread of its own.
        let shown = tokio::task::spawn_blocking(move || broker.audit.checkpoint(since)).await;
        let shown = shown.map_err(|_| Status::unavailable("the checkpoint could not be made; try again"))?;
        let (shown, trail_key) = shown.ok_or_else(no_witnesses)?.map_err(not_shown)?;
        let consistency = shown.consistency.iter().map(|node| node.to_vec()).collect();
        Ok(Response::new(CheckpointResponse { checkpoint: shown.checkpoint, consistency, trail_key }))
    }

    async fn cosign(&self, request: Request<CosignRequest>) -> Result<Response<CosignResponse>, Status> {
        let source = source_of(&self.broker, &request)?;
        let request = request.into_inner();
        let key =
            serde_json::from_str(&request.key).map_err(|_| Status::invalid_argument("key: give a JWK, as JSON"))?;
        let cosigned = Cosigned { witness: source.to_string(), key, cosignature: request.cosignature };
        let kept = self.broker.audit.cosign(&source, cosigned).await.ok_or_else(no_witnesses)?;
        kept.map_err(not_cosigned)?;
        Ok(Response::new(CosignResponse {}))
    }
}

fn no_witnesses() -> Status {
    Status::unimplemented("this broker's audit trail has no witnesses")
}

fn not_shown(why: NotShown) -> Status {
    match why {
        NotShown::NothingYet => Status::unavailable(why.to_string()),
        NotShown::NotFrom(_) => Status::failed_precondition(why.to_string()),
        NotShown::Trail(error) => audit_status(error),
    }
}

fn not_cosigned(why: CosignError) -> Status {
    match why {
        CosignError::OtherWitness | CosignError::Signature(_) => Status::invalid_argument(why.to_string()),
        CosignError::Trail(error) => audit_status(error),
        CosignError::Storage(error) => {
            error!(%error, "co-signature not kept");
            Status::unavailable("the co-signature cannot be kept; try again")
        }
    }
}
