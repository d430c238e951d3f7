//! SPINE 3: from a claim or broken glass to the privacy officers who must know of it within 60 s: those of the user's own
//! organisation, and those of every source that knows the person. Here is only the order of things: what is new in the
//! index, who is to be told, deliver, note; what was not delivered is tried again, for 30 days.
//!
//! **Invariant:** what is not noted as delivered is tried again, after a restart too, and one recipient that cannot be
//! reached delays no other.

use crate::{
    audit::{Notices, Recipient, recipients},
    facts::{Change, ChangeKind},
    index::IndexError,
    model::{Source, SourceId},
    retrieve::Broker,
};
use serde_json::{Value, json};
use severn_proto::v1::{Notice, OverrideReason, OversightKind};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep},
};
use tonic::Code;
use tracing::{error, warn};
use uuid::Uuid;

/// How often the index is asked what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long after a failure the recipient is tried again: doubled each time, up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// What waits for one recipient.
struct Line {
    waiting: VecDeque<Uuid>,
    under_way: bool,
    again: Duration,
    not_before: Instant,
}

/// Everything that waits.
#[derive(Default)]
struct Outbox {
    /// The last change of the index that was looked at.
    after: u64,
    lines: BTreeMap<Recipient, Line>,
    running: JoinSet<(Recipient, Uuid, bool)>,
}

/// Delivers notices for as long as it is polled; nothing is delivered where the trail keeps no notices.
pub async fn notify(broker: Arc<Broker>) {
    let Some(notices) = broker.audit.notices().cloned() else { return };
    let mut outbox = Outbox::default();
    loop {
        if let Err(error) = broker.put_in_line(&notices, &mut outbox) {
            error!(%error, "cannot read what privacy officers must be told");
        }
        outbox.start(&broker, &notices);
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            Some(done) = outbox.running.join_next() => outbox.ended(done),
        }
    }
}

impl Broker {
    /// Puts what is new in the index in line.
    fn put_in_line(&self, notices: &Notices, outbox: &mut Outbox) -> Result<(), IndexError> {
        let (after, new) = self.index.reviewable_since(outbox.after, notices.since_ms())?;
        for change in &new {
            for to in recipients(change, &self.sources()) {
                if notices.reaches(&to) && notices.delivered_at(change.key, &to).is_none() {
                    outbox.line(to).waiting.push_back(change.key);
                }
            }
        }
        outbox.after = after;
        Ok(())
    }

    pub(crate) fn sources(&self) -> Vec<Arc<Source>> {
        self.fanout.registry().all().map(|registered| Arc::clone(&registered.source)).collect()
    }

    /// Delivers one notice; says whether it need not be tried again.
    async fn tell(&self, notices: &Arc<Notices>, to: &Recipient, id: Uuid) -> bool {
        let Ok(Some((at_ms, change))) = self.index.facts_change(id) else { return false };
        if at_ms <= notices.since_ms() {
            warn!(notice_id = %id, to = ?to, "a notice was not delivered in 30 days and is given up");
            return true;
        }
        let notice = self.notice(at_ms, &change, to);
        let delivered = match to {
            Recipient::Source(source) => match self.fanout.tell(&SourceId(source.as_str().into()), notice).await {
                Ok(()) => true,
                Err(code) => return not_taken(id, source, code),
            },
            Recipient::Organisation(ods) => drop_file(notices, ods, notice).await,
        };
        let (notices, to) = (Arc::clone(notices), to.clone());
        let noted = delivered && spawn_blocking(move || notices.note(id, &to).is_ok()).await.unwrap_or(false);
        if delivered && !noted {
            error!(notice_id = %id, "a notice was delivered, which cannot be kept; it is delivered again");
        }
        noted
    }

    /// The notice for one recipient: of the person's registrations it holds the recipient's own.
    fn notice(&self, at_ms: i64, change: &Change, to: &Recipient) -> Notice {
        let subject = change.subject.as_ref();
        let registrations = subject.into_iter().flat_map(|subject| &subject.registrations);
        let own = registrations.filter(|l| matches!(to, Recipient::Source(id) if *id == *l.source.0));
        let restricted = subject.and_then(|subject| self.index.locate(subject.person).ok().flatten());
        let (kind, until_ms, reason) = match &change.kind {
            ChangeKind::OverrideOpened { reason, expires_ms, .. } => {
                let name = format!("OVERRIDE_REASON_{}", reason.word().to_ascii_uppercase());
                (OversightKind::Override, *expires_ms, OverrideReason::from_str_name(&name).unwrap_or_default())
            }
            ChangeKind::RelationshipClaimed { until_ms, .. } => {
                (OversightKind::Claim, *until_ms, OverrideReason::Unspecified)
            }
            _ => (OversightKind::Unspecified, 0, OverrideReason::Unspecified),
        };
        Notice {
            id: change.key.to_string(),
            kind: kind.into(),
            at_ms,
            until_ms,
            user: format!("{} ({})", change.by.name, change.by.id),
            role: change.by.role_code.clone(),
            organisation_ods: change.by.organisation_ods.clone(),
            reason: reason.into(),
            enterprise_id: subject.map(|subject| subject.person.to_string()).unwrap_or_default(),
            local_ids: own.map(|located| located.local_id.0.to_string()).collect(),
            restricted: restricted.is_some_and(|person| person.golden.restricted),
        }
    }
}

impl Outbox {
    fn line(&mut self, to: Recipient) -> &mut Line {
        let new = || Line { waiting: VecDeque::new(), under_way: false, again: AGAIN.0, not_before: Instant::now() };
        self.lines.entry(to).or_insert_with(new)
    }

    /// Starts the first of every line that may be tried now.
    fn start(&mut self, broker: &Arc<Broker>, notices: &Arc<Notices>) {
        let now = Instant::now();
        for (to, line) in &mut self.lines {
            let Some(id) = line.waiting.front().copied() else { continue };
            if line.under_way || line.not_before > now {
                continue;
            }
            line.under_way = true;
            let (broker, notices, to) = (Arc::clone(broker), Arc::clone(notices), to.clone());
            self.running.spawn(async move {
                let done = broker.tell(&notices, &to, id).await;
                (to, id, done)
            });
        }
        self.lines.retain(|_, line| line.under_way || !line.waiting.is_empty());
    }

    fn ended(&mut self, ended: Result<(Recipient, Uuid, bool), tokio::task::JoinError>) {
        let Ok((to, id, done)) = ended else {
            error!("delivering a notice panicked; it is tried again");
            // Which line it was is not known: all that still run say so themselves.
            self.lines.values_mut().for_each(|line| line.under_way = false);
            return;
        };
        let Some(line) = self.lines.get_mut(&to) else { return };
        line.under_way = false;
        if done {
            line.waiting.retain(|waiting| *waiting != id);
            line.again = AGAIN.0;
        } else {
            // The next may be taken though this one is not.
            line.waiting.rotate_left(1);
            line.not_before = Instant::now() + line.again;
            line.again = (line.again * 2).min(AGAIN.1);
        }
    }
}

fn not_taken(id: Uuid, source: &str, code: Code) -> bool {
    let todo = match code {
        Code::Unimplemented => "its adapter takes no notices: telephone its privacy officer, and update the adapter",
        _ => "it is tried again; `severn queue` shows what was not delivered within 60 s",
    };
    warn!(notice_id = %id, source_id = source, ?code, "a notice to privacy officers is not taken: {todo}");
    false
}

/// Writes a notice as a file of its own, whole or not at all.
async fn drop_file(notices: &Notices, ods: &str, notice: Notice) -> bool {
    let Some(folder) = notices.folder().cloned() else { return false };
    let (name, said) = (format!("{}.json", notice.id), file_of(ods, &notice));
    let written = spawn_blocking(move || folder.replace(&name, said.to_string().as_bytes())).await;
    match written {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            error!(notice_id = notice.id, %error, "oversight.notices.folder: a notice cannot be written");
            false
        }
        Err(_) => false,
    }
}

fn file_of(ods: &str, notice: &Notice) -> Value {
    let moment = |at_ms| jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().to_string();
    let word = |name: &str, prefix: &str| name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase();
    json!({
        "id": notice.id,
        "to": ods,
        "kind": word(notice.kind().as_str_name(), "OVERSIGHT_KIND_"),
        "at": moment(notice.at_ms),
        "until": moment(notice.until_ms),
        "user": notice.user,
        "role": notice.role,
        "organisation": notice.organisation_ods,
        "reason": word(notice.reason().as_str_name(), "OVERRIDE_REASON_"),
        "person": notice.enterprise_id,
        "restricted": notice.restricted,
    })
}
