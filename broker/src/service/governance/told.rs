//! Who was told of an entry of the queue, as far as whoever asks may know: an officer of one organisation is not told
//! who else knows the person.

use crate::{
    audit::{NOTICE_DUE_MS, NOTICE_LIFE_MS, Recipient, recipients},
    facts::{Queued, WhoseQueue},
    model::SourceId,
    retrieve::Broker,
};
use severn_proto::v1::{NoticeDelivery, NoticeState};

impl Broker {
    /// What became of the notices of an entry; none where nobody is told, or it is too long ago.
    pub(super) fn deliveries(&self, queued: &Queued, whose: &WhoseQueue) -> Vec<NoticeDelivery> {
        let Some(notices) = self.audit.notices() else { return Vec::new() };
        let age_ms = notices.age_ms(queued.at_ms);
        if age_ms > NOTICE_LIFE_MS {
            return Vec::new();
        }
        let may_know = |to: &Recipient| match (whose, to) {
            (WhoseQueue::All, _) => true,
            (WhoseQueue::Organisation { sources, .. }, Recipient::Source(id)) => {
                sources.contains(&SourceId(id.as_str().into()))
            }
            (WhoseQueue::Organisation { ods, .. }, Recipient::Organisation(told)) => told.eq_ignore_ascii_case(ods),
        };
        let delivery = |to: Recipient| {
            let delivered_at = notices.delivered_at(queued.change.key, &to);
            let state = match delivered_at {
                Some(_) => NoticeState::Delivered,
                None if !notices.reaches(&to) => NoticeState::NoWay,
                None if age_ms < NOTICE_DUE_MS => NoticeState::UnderWay,
                None => NoticeState::NotDelivered,
            };
            let (source_id, organisation_ods) = match to {
                Recipient::Source(id) => {
                    let source = self.source(&SourceId(id.as_str().into()));
                    (id, source.map(|source| source.ods.clone()).unwrap_or_default())
                }
                Recipient::Organisation(ods) => (String::new(), ods),
            };
            let delivered_at_ms = delivered_at.unwrap_or_default();
            NoticeDelivery { source_id, organisation_ods, state: state.into(), delivered_at_ms }
        };
        recipients(&queued.change, &self.sources()).into_iter().filter(may_know).map(delivery).collect()
    }
}
