//! Carries a notice for privacy officers to one source's adapter.

use super::Fanout;
use crate::model::SourceId;
use severn_proto::v1::{Notice, TakeNoticeRequest, notice_inbox_client::NoticeInboxClient};
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status};

/// How long an adapter may take to keep a notice.
const TAKE_MAX: Duration = Duration::from_secs(10);

impl Fanout {
    /// Delivers a notice; it is durable at the source when this returns.
    ///
    /// # Errors
    /// The code of the adapter's status, or `Unavailable` if it cannot be reached or takes too long: try again.
    pub async fn tell(&self, source: &SourceId, notice: Notice) -> Result<(), Code> {
        let channel = self.registry.get(source).and_then(|registered| registered.channel()).ok_or(Code::Unavailable)?;
        let mut inbox = NoticeInboxClient::new(channel);
        let told = timeout(TAKE_MAX, inbox.take_notice(TakeNoticeRequest { notice: Some(notice) })).await;
        told.map_err(|_| Code::Unavailable)?.map(drop).map_err(|status: Status| status.code())
    }
}
