//! What this owner's privacy officers are told: by the broker, as soon as the glass is broken or a relationship claimed;
//! and by the adapter itself when it is asked under an override. Both name the override, so that it is told once.
//!
//! **Invariant:** nothing leaves under an override before the notice of it is durable here, whatever the broker tells.

use super::Adapter;
use crate::{
    inbox::InboxError,
    notices::Told,
    release::record,
    verify::{Asked, Refusal},
};
use severn_link::Peer;
use severn_proto::v1::{Notice, OverrideReason, OversightKind, TakeNoticeRequest, TakeNoticeResponse};
use severn_trust::TrailEvent;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tonic::{Request, Status};
use tracing::{error, warn};

/// Takes a notice: durable in the inbox, then in the trail, then acknowledged.
pub(super) async fn take(
    adapter: &Arc<Adapter>,
    request: Request<TakeNoticeRequest>,
) -> Result<TakeNoticeResponse, Status> {
    let _place = adapter.place()?;
    let is_broker = request.extensions().get::<Peer>().is_some_and(|peer| peer.identity == adapter.checks.broker);
    if !is_broker {
        return Err(Refusal::NotTheBroker.status());
    }
    let notice = request.into_inner().notice.ok_or_else(|| Status::invalid_argument("notice: required"))?;
    let (id, organisation) = (notice.id.clone(), notice.organisation_ods.clone());
    let already_taken = adapter.tell(notice).await?;
    let mut event = TrailEvent { action: "notice".into(), organisation, ..TrailEvent::default() };
    event.details.set("notice", &id);
    record(&adapter.trail, event).await?;
    Ok(TakeNoticeResponse { already_taken })
}

impl Adapter {
    /// Tells the owner's officers of the override that `asked` is asked under, if it is: before anything leaves.
    pub(super) async fn tell_of_opening(&self, asked: &Asked, restricted: bool) -> Result<(), Status> {
        let (now_ms, user, said) = (self.clock.now_ms(), &asked.user, &asked.statement);
        if !asked.opening(now_ms) {
            return Ok(());
        }
        let notice = Notice {
            id: said.override_id.clone(),
            kind: OversightKind::Override.into(),
            at_ms: now_ms,
            until_ms: said.override_expires_ms,
            user: format!("{} ({})", user.name, user.id),
            role: user.role_code.clone(),
            organisation_ods: user.organisation_ods.clone(),
            reason: reason(&said.override_reason).into(),
            enterprise_id: String::new(),
            local_ids: vec![said.local_id.clone()],
            restricted,
        };
        self.tell(notice).await.map(drop)
    }

    /// Keeps a notice; says whether it had come before.
    async fn tell(&self, notice: Notice) -> Result<bool, Status> {
        let told = Told::read(notice, self.clock.now_ms());
        let told = told.map_err(|field| Status::invalid_argument(format!("{field}: breaks the contract")))?;
        let (id, inbox) = (told.id, self.inbox.clone());
        let kept = spawn_blocking(move || inbox.tell(&told)).await.map_err(|_| not_kept())?;
        let already_told = kept.map_err(|fault| unwritable(&fault))?;
        if !already_told {
            warn!(notice_id = %id, "a privacy officer must look at this; `severn-adapter notices` shows it");
        }
        Ok(already_told)
    }
}

/// A reason as the broker's statement has it.
fn reason(word: &str) -> OverrideReason {
    OverrideReason::from_str_name(&format!("OVERRIDE_REASON_{}", word.to_ascii_uppercase())).unwrap_or_default()
}

fn not_kept() -> Status {
    Status::unavailable("the adapter cannot keep its notice to privacy officers; try again later")
}

fn unwritable(fault: &InboxError) -> Status {
    // The kind of fault only: its text could name what was being written.
    let kind = match fault {
        InboxError::Storage(error) => error.kind().to_string(),
        InboxError::Full => "too many notices wait to be seen".into(),
        _ => String::new(),
    };
    error!(fault = kind, "a notice cannot be kept");
    not_kept()
}
