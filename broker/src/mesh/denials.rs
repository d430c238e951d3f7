//! Puts every change of the deny-list into the audit trail. The list takes effect without waiting for it: whoever must be
//! cut off is cut off, also where the trail cannot be written.

use severn_link::DenyList;
use severn_trust::{Details, Disk, Trail, TrailEvent};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use tokio::sync::watch;
use tracing::error;

/// What the trail calls the beginning of a denial, and its end.
const REVOKED: &str = "revoke";
const LIFTED: &str = "revoke-lifted";

/// The file, in the broker's data folder, that remembers what stands in the trail already.
const RECORDED: &str = "denied.recorded";

/// How long to wait before what could not be recorded is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Entries, and what was written beside each.
type Entries = BTreeMap<String, String>;

/// Records what is new on the list, and what is no longer there, for as long as somebody holds the list. What changed
/// while nobody looked is recorded first; an event may stand there twice, but never be missing.
pub async fn record_denials(mut list: watch::Receiver<Arc<DenyList>>, trail: Trail, disk: Arc<dyn Disk>) {
    loop {
        let entries: Entries = {
            let list = list.borrow_and_update();
            list.iter().map(|(entry, comment)| (entry.to_string(), comment.to_owned())).collect()
        };
        match record(&entries, &trail, disk.as_ref()).await {
            Ok(()) => {
                if list.changed().await.is_err() {
                    return;
                }
            }
            Err(why) => {
                error!(%why, "the audit trail lacks a change of the deny-list, which is in force all the same");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn record(entries: &Entries, trail: &Trail, disk: &dyn Disk) -> io::Result<()> {
    let before: Entries = match disk.read(RECORDED) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Entries::new(),
        Err(error) => return Err(error),
    };
    let changes = [(REVOKED, entries, &before), (LIFTED, &before, entries)];
    for (action, these, others) in changes {
        for (entry, comment) in these.iter().filter(|(entry, _)| !others.contains_key(*entry)) {
            let details = Details::default().with("party", entry).with("why", comment);
            let event = TrailEvent { action: action.to_owned(), details, ..TrailEvent::default() };
            trail.record(event).await.map_err(io::Error::other)?;
        }
    }
    if *entries != before {
        disk.replace(RECORDED, &serde_json::to_vec(entries)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_trust::{MemoryDisk, SigningKey, SystemClock};

    fn list(text: &str) -> Arc<DenyList> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Arc::new(DenyList::read(file.path()).unwrap())
    }

    fn trail(disk: &MemoryDisk) -> Trail {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let key = SigningKey::from_pem(&pem).unwrap();
        Trail::open(Arc::new(disk.clone()), Arc::new(SystemClock), key).unwrap()
    }

    fn events(trail: &Trail) -> Vec<String> {
        let mut events = Vec::new();
        let mut note = |event: TrailEvent| {
            let word = |name| event.details.get(name).and_then(|value| Some(value.as_str()?.to_owned()));
            events.push(format!("{} {} {}", event.action, word("party").unwrap(), word("why").unwrap()));
        };
        trail.scan(|_, _, event| note(event)).unwrap();
        events
    }

    #[tokio::test(start_paused = true)]
    async fn every_change_of_the_list_is_recorded_also_one_that_nobody_saw() {
        let disk = MemoryDisk::default();
        let trail = trail(&MemoryDisk::default());
        let (tell, told) = watch::channel(list("spiffe://severn/source/A # left\n"));
        let recording = tokio::spawn(record_denials(told, trail.clone(), Arc::new(disk.clone())));
        let settle = || tokio::time::sleep(Duration::from_secs(20));
        settle().await;
        assert_eq!(events(&trail), ["revoke spiffe://severn/source/A left"]);
        disk.set_full(true);
        tell.send_replace(list("spiffe://severn/source/A # left\nserial:07\n"));
        settle().await;
        assert!(events(&trail).contains(&"revoke serial:07 ".to_owned()), "the event does not wait for the note of it");
        disk.set_full(false);
        settle().await;
        recording.abort();

        let recorded = events(&trail).len();
        let (tell, told) = watch::channel(list("serial:07\n"));
        let recording = tokio::spawn(record_denials(told, trail.clone(), Arc::new(disk)));
        settle().await;
        assert_eq!(events(&trail)[recorded..], ["revoke-lifted spiffe://severn/source/A left"]);
        drop(tell);
        recording.await.unwrap();
    }
}
