//! A source that announces people one after the other, as fast as it may, for tests that break its connection.

use crate::{bench::rig::Rig, records::registration};
use anyhow::{Result, bail};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler};
use severn_proto::v1::{
    Demographics, FeedAnnounce, FeedHello, FeedRequest, HumanName, feed_announce::Change, feed_request, feed_response,
    patient_index_client::PatientIndexClient,
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// Announcements between two pauses.
const UNTIL_PAUSE: u64 = 4;

/// A source's feed.
pub struct Feeder<'a> {
    /// Where the source's certificate lies.
    pub rig: &'a Rig,
    /// The source.
    pub source_id: String,
    /// The feed's epoch.
    pub epoch: Uuid,
    /// How long it rests after every 4 announcements; zero for not at all.
    pub pause: Duration,
}

impl Feeder<'_> {
    /// Announces to the broker at `port` from where that says, until the connection breaks, and notes the last cursor
    /// that was ever acknowledged. Gives the cursor the broker resumed from; `None` if it was gone before it could say.
    ///
    /// # Errors
    /// If the source's certificate cannot be used, or the broker says anything but what the contract has it say.
    pub async fn announce(&self, port: u16, acknowledged: &AtomicU64) -> Result<Option<u64>> {
        let tls = Tls::load(&Rig::tls_files(&self.rig.folder, &Identity::Source(self.source_id.clone())))?;
        let dialler = TlsDialler::new(tls, Duration::from_secs(2));
        let channel = dialler.dial(&format!("127.0.0.1:{port}"), &Rig::broker())?;
        let (send, outgoing) = mpsc::channel(64);
        let hello = FeedHello { source_id: self.source_id.clone(), epoch: self.epoch.to_string() };
        send.send(FeedRequest { message: Some(feed_request::Message::Hello(hello)) }).await?;
        let Ok(answers) = PatientIndexClient::new(channel).feed(ReceiverStream::new(outgoing)).await else {
            return Ok(None);
        };
        let mut answers = answers.into_inner();
        let resumed = match answers.message().await {
            Ok(Some(first)) => match first.message {
                Some(feed_response::Message::Resume(resume)) => resume.cursor,
                other => bail!("resume expected: {other:?}"),
            },
            _ => return Ok(None),
        };
        let acknowledging = async {
            while let Ok(Some(answer)) = answers.message().await {
                match answer.message {
                    Some(feed_response::Message::Ack(ack)) => {
                        acknowledged.fetch_max(ack.cursor, Ordering::SeqCst);
                    }
                    other => bail!("only acknowledgements are expected: {other:?}"),
                }
            }
            Ok(())
        };
        tokio::select! {
            () = self.announce_all(resumed, &send) => (),
            said = acknowledging => said?,
        }
        Ok(Some(resumed))
    }

    async fn announce_all(&self, resumed: u64, send: &mpsc::Sender<FeedRequest>) {
        for cursor in resumed + 1.. {
            let registered = registration(&self.source_id, &format!("k{cursor}"), person(cursor));
            let announce = FeedAnnounce { cursor, change: Some(Change::Registered(registered)) };
            if send.send(FeedRequest { message: Some(feed_request::Message::Announce(announce)) }).await.is_err() {
                return;
            }
            if !self.pause.is_zero() && cursor % UNTIL_PAUSE == 0 {
                tokio::time::sleep(self.pause).await;
            }
        }
    }
}

/// Somebody of a name and birth date of their own.
#[must_use]
pub fn person(n: u64) -> Demographics {
    // Letters only: digits are no part of a name, and all would be namesakes.
    let letters: String = n.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    let name = HumanName { family: format!("Family{letters}"), given: vec!["Given".into()], ..HumanName::default() };
    let birth_date = format!("{}-{:02}-{:02}", 1930 + n % 71, 1 + n % 12, 1 + n % 28);
    Demographics { birth_date, names: vec![name], ..Demographics::default() }
}
