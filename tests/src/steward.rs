//! A broker's index without its doors, in a process of its own, for tests that kill it: a source announces, a steward
//! decides, snapshots are written, all at once and for ever. What is acknowledged is printed.

use crate::{feeder::person, keys::Seeded, records::registration};
use anyhow::{Result, bail};
use severn_broker::{
    config::Config,
    index::{Decision, Index, IndexError, RegistrationKey, Snapshots},
    model::{LocalId, SourceId},
};
use severn_proto::v1::{Demographics, FeedAnnounce, feed_announce::Change};
use severn_trust::{SystemClock, SystemEntropy, new_uuid};
use std::{io::Write as _, path::Path, sync::Arc};
use tokio::runtime::Builder;
use uuid::Uuid;

/// Events after which another snapshot is written: so few that many kills come while one is.
const SNAPSHOT_EVERY: u64 = 4;

/// Announcements at once, at most.
const AT_ONCE_MAX: u64 = 8;

/// The epoch of every feed.
pub const EPOCH: Uuid = Uuid::from_u128(1);

/// `steward CONFIG SOURCE`: opens the index that the configuration names, lets a source of its own announce there, and
/// links, unlinks and tells apart a few people that it knows. Prints the idempotency key of every decision, and the
/// source and the cursor of every announcement, once it is acknowledged.
///
/// # Errors
/// If the index cannot be opened, or refuses what it must take.
pub fn run(arguments: &[String]) -> Result<()> {
    let [config, source] = arguments else { bail!("usage: steward CONFIG SOURCE") };
    let config = Config::load(Path::new(config))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = severn_broker::program::open_store(&config).await?;
        let snapshots = Snapshots::within(&config.data.folder).at_least_every(SNAPSHOT_EVERY);
        let entropy = Arc::new(SystemEntropy::default());
        let index = Index::open_with(Some(snapshots), store, Arc::new(SystemClock), entropy).await?;
        for n in 0..PEOPLE {
            let person = Demographics { birth_date: "1980-02-01".into(), ..Demographics::default() };
            let key = at(n);
            let change = Some(Change::Registered(registration(&key.source.0, &key.local_id.0, person)));
            index.announce(&key.source, EPOCH, vec![FeedAnnounce { cursor: 1, change }]).await?;
        }
        say("ready")?;
        tokio::try_join!(announce(&index, source), decide(&index)).map(drop)
    })
}

/// How many people are decided about.
const PEOPLE: usize = 4;

/// One of them, each known to a source of their own.
fn at(n: usize) -> RegistrationKey {
    RegistrationKey { source: SourceId(format!("P{n}").into()), local_id: LocalId("1".into()) }
}

async fn announce(index: &Index, source_id: &str) -> Result<()> {
    let source = SourceId(source_id.into());
    let mut cursor = index.feed_cursor(&source, EPOCH)?;
    let random = Seeded::new(cursor);
    loop {
        let last = cursor + 1 + random.next() % AT_ONCE_MAX;
        let announce = |cursor| {
            let registered = registration(source_id, &format!("k{cursor}"), person(cursor));
            FeedAnnounce { cursor, change: Some(Change::Registered(registered)) }
        };
        index.announce(&source, EPOCH, (cursor + 1..=last).map(announce).collect()).await?;
        say(&format!("{source_id} {last}"))?;
        cursor = last;
    }
}

async fn decide(index: &Index) -> Result<()> {
    let entropy = SystemEntropy::default();
    for n in 0.. {
        let (a, b) = (at(n % PEOPLE), at((n + 1 + n / PEOPLE % (PEOPLE - 1)) % PEOPLE));
        for step in 0..3 {
            let key = new_uuid(&SystemClock, &entropy);
            let decision =
                Decision { by: "steward".into(), reason: "seen both passports".into(), idempotency_key: key };
            let decided = match step {
                0 => index.link(a.clone(), b.clone(), decision).await.map(drop),
                1 => index.unlink(b.clone(), decision).await.map(drop),
                _ => index.tell_apart(a.clone(), b.clone(), decision).await,
            };
            match decided {
                Ok(()) => say(&key.to_string())?,
                // Another steward was there first.
                Err(IndexError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
