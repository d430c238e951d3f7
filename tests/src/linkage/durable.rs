//! What the index costs a broker that keeps it on disk: registrations that are durable and decided, one at a time and
//! many together, and how long a broker needs to answer after it was started. Each role runs in a process of its own,
//! so that memory and start are those of a broker that does nothing else.

use super::{
    child,
    table::{Bound::AtLeast, Bound::AtMost, Bound::Told, Row},
    truth::rows,
};
use crate::{
    people::{self, Files, People, Plan},
    records::registration,
};
use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use severn_broker::{
    feed::BATCH_MAX,
    index::{Index, Resolved, Search, Snapshots, store::SqliteStore},
    model::{LocalId, SourceId},
};
use severn_proto::v1::{
    Address, Demographics, FeedAnnounce, HumanName, Registration, Sex, Telecom, feed_announce::Change, telecom::System,
};
use severn_trust::{SystemClock, SystemEntropy};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{runtime::Builder, time::Instant};
use uuid::Uuid;

/// Everything measured of the index on disk.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Durable {
    /// Many at once.
    pub filled: Filled,
    /// After a start.
    pub started: Started,
    /// One at a time.
    pub alone: Alone,
}

/// Registrations of several sources at once, in batches such as a feed makes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Filled {
    /// Registrations in the index at the end.
    pub registrations: usize,
    /// Registrations a second, each durable and linked, while the last ones came in.
    pub a_second: f64,
    /// Processor time of each of these.
    pub cpu_us: f64,
    /// Closing the index, which leaves all that a start needs.
    pub close_s: f64,
    /// Bytes on disk.
    pub disk_mb: f64,
}

/// A start on an index that was closed in order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Started {
    /// From opening the files to the first answer.
    pub start_s: f64,
    /// Processor time of that.
    pub cpu_s: f64,
    /// Memory that the index takes, divided by registrations.
    pub bytes_a_registration: f64,
    /// The most memory that the start needed.
    pub peak_mb: f64,
}

/// Registrations one after the other, each beside a write of as many bytes that is made durable.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Alone {
    /// Half of the registrations take no longer.
    pub p50_us: f64,
    /// 99 of 100 take no longer.
    pub p99_us: f64,
    /// Half of the bare writes take no longer.
    pub raw_p50_us: f64,
    /// 99 of 100 bare writes take no longer.
    pub raw_p99_us: f64,
}

/// Registrations kept back to be announced one at a time.
const ALONE: usize = 2_000;

/// Registrations prepared and announced together, the last of which are timed.
const PREPARED_MAX: usize = 1 << 18;

/// Fills an index with people made from a seed, one registration of each, and measures it.
///
/// # Errors
/// If a part cannot be run.
pub fn measure(plan: Plan, folder: &Path) -> Result<Durable> {
    let [early, late, data] = ["early", "late", "data"].map(|name| folder.join(name));
    let People { registrations, truth, .. } = people::make(plan);
    let mut known = HashSet::new();
    let firsts = registrations.into_iter().zip(truth).filter(|(_, truth)| known.insert(truth.person));
    let mut firsts: Vec<people::Registration> = firsts.map(|(first, _)| first).collect();
    ensure!(firsts.len() >= 2 * ALONE, "an index of fewer than {} persons tells nothing", 2 * ALONE);
    let kept_back = firsts.split_off(firsts.len() - ALONE);
    for (folder, registrations) in [(&early, firsts), (&late, kept_back)] {
        fs::create_dir_all(folder)?;
        people::write(&People { registrations, ..People::default() }, &Files::within(folder), true)?;
    }
    fs::create_dir_all(&data)?;
    let [early, late] = [&early, &late].map(|folder| Files::within(folder).registrations);
    Ok(Durable {
        filled: child::run("fill", &[&early, &data])?,
        started: child::run("start", &[&early, &data])?,
        alone: child::run("register", &[&late, &data])?,
    })
}

/// Plays a role: `fill`, `start` or `register`, each with people and the broker's folder.
///
/// # Errors
/// If a file cannot be read or written, or the index refuses what it must take.
pub fn play(role: &str, paths: &[PathBuf]) -> Result<()> {
    let [people, data] = paths else { bail!("the role {role} is played with people and a folder") };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (people, data) = (people.clone(), data.clone());
    // On the runtime's own threads, as a broker's feeds are.
    let report = match role {
        "fill" => serde_json::to_string(&runtime.block_on(runtime.spawn(fill(people, data)))??)?,
        "start" => serde_json::to_string(&runtime.block_on(runtime.spawn(start(people, data)))??)?,
        _ => serde_json::to_string(&runtime.block_on(runtime.spawn(register(people, data)))??)?,
    };
    Ok(writeln!(std::io::stdout(), "{report}")?)
}

/// The rows of the report.
#[must_use]
pub fn table(durable: &Durable) -> [Row; 9] {
    let Durable { filled, started, alone } = durable;
    let named = |what: &str| format!("index of {} persons: {what}", filled.registrations);
    [
        Row::new(named("one at a time, p99 / fdatasync's"), alone.p99_us / alone.raw_p99_us, AtMost(2.0)),
        Row::new(named("one at a time, p99, µs"), alone.p99_us, Told),
        Row::new(named("together, a second"), filled.a_second, AtLeast(20_000.0)),
        Row::new(named("together, processor µs each"), filled.cpu_us, Told),
        Row::new(named("cold start, s"), started.start_s, AtMost(5.0)),
        Row::new(named("cold start, processor s"), started.cpu_s, Told),
        Row::new(named("closing, s"), filled.close_s, Told),
        Row::new(named("memory, bytes a registration"), started.bytes_a_registration, Told),
        Row::new(named("on disk, bytes a registration"), filled.disk_mb * 1e6 / filled.registrations as f64, Told),
    ]
}

async fn open(data: &Path) -> Result<Index> {
    let (snapshots, store) = (Snapshots::within(data), Arc::new(SqliteStore::open(data).await?));
    Ok(Index::open_with(Some(snapshots), store, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).await?)
}

async fn fill(people: PathBuf, data: PathBuf) -> Result<Filled> {
    let index = open(&data).await?;
    let total = rows(&people, ["local_id"])?.count();
    let prepared = PREPARED_MAX.min(total / 2);
    let mut registrations = rows(&people, COLUMNS)?.map(|row| row.map(read));
    let mut cursors = BTreeMap::new();
    let (mut done, mut a_second, mut cpu_us) = (0, 0.0, 0.0);
    while done < total {
        // The first take what does not fill a whole part, so that the last, which are timed, do.
        let part = if done == 0 && total % prepared != 0 { total % prepared } else { prepared };
        let batches = batches(registrations.by_ref().take(part), &mut cursors)?;
        let (began, cpu_s) = (Instant::now(), child::usage()?.cpu_s);
        try_join_all(batches.into_iter().map(|(source, batches)| announce(&index, source, batches))).await?;
        a_second = part as f64 / began.elapsed().as_secs_f64();
        cpu_us = (child::usage()?.cpu_s - cpu_s) * 1e6 / part as f64;
        done += part;
    }
    let began = Instant::now();
    index.close().await;
    let close_s = began.elapsed().as_secs_f64();
    let sizes = fs::read_dir(&data)?.map(|file| Ok(file?.metadata()?.len()));
    let disk_mb = sizes.sum::<Result<u64>>()? as f64 / 1e6;
    Ok(Filled { registrations: total, a_second, cpu_us, close_s, disk_mb })
}

/// One batch after the other, each announced once the one before is durable, as a feed does. A slip of the clerk may
/// be refused, such as a birth date to come.
async fn announce(index: &Index, source: SourceId, batches: VecDeque<Vec<FeedAnnounce>>) -> Result<()> {
    for batch in batches {
        index.announce(&source, EPOCH, batch).await?;
    }
    Ok(())
}

type Batches = BTreeMap<SourceId, VecDeque<Vec<FeedAnnounce>>>;

fn batches(
    registrations: impl Iterator<Item = Result<Registration>>,
    cursors: &mut BTreeMap<SourceId, u64>,
) -> Result<Batches> {
    let mut batches = Batches::new();
    for registration in registrations {
        let registration = registration?;
        let source = SourceId(registration.source_id.as_str().into());
        let cursor = cursors.entry(source.clone()).or_default();
        *cursor += 1;
        let own = batches.entry(source).or_default();
        if own.back().is_none_or(|batch| batch.len() == BATCH_MAX) {
            own.push_back(Vec::new());
        }
        let change = Some(Change::Registered(registration));
        own.back_mut().context("one was added")?.push(FeedAnnounce { cursor: *cursor, change });
    }
    Ok(batches)
}

async fn start(people: PathBuf, data: PathBuf) -> Result<Started> {
    let mut known = rows(&people, ["source", "local_id"])?;
    let [source, local_id] = known.next().context("nobody was registered")??;
    let registrations = 1 + known.count();
    let before = child::usage()?;
    let began = Instant::now();
    let index = open(&data).await?;
    let (source, local_id) = (SourceId(source.as_str().into()), LocalId(local_id.as_str().into()));
    let found = index.resolve(&Search::Registration { source, local_id })?;
    let start_s = began.elapsed().as_secs_f64();
    ensure!(matches!(found, Resolved::One(_)), "who was registered first is not known");
    let after = child::usage()?;
    Ok(Started {
        start_s,
        cpu_s: after.cpu_s - before.cpu_s,
        bytes_a_registration: (after.resident_mb - before.resident_mb) * 1024.0 * 1024.0 / registrations as f64,
        peak_mb: after.peak_mb,
    })
}

async fn register(people: PathBuf, data: PathBuf) -> Result<Alone> {
    let index = open(&data).await?;
    let mut raw = File::create(data.join("raw"))?;
    let (mut waited_us, mut raw_us) = (Vec::new(), Vec::new());
    for row in rows(&people, COLUMNS)? {
        let registered = read(row?);
        let source = SourceId(registered.source_id.as_str().into());
        let bytes = prost::Message::encode_to_vec(&registered);
        let cursor = index.feed_cursor(&source, EPOCH)? + 1;
        let began = Instant::now();
        let change = Some(Change::Registered(registered));
        index.announce(&source, EPOCH, vec![FeedAnnounce { cursor, change }]).await?;
        waited_us.push(began.elapsed().as_nanos() as f64 / 1e3);
        let began = Instant::now();
        raw.write_all(&bytes)?;
        raw.sync_data()?;
        raw_us.push(began.elapsed().as_nanos() as f64 / 1e3);
    }
    index.close().await;
    let [waited, raw] = [waited_us, raw_us].map(|mut waited| {
        waited.sort_unstable_by(f64::total_cmp);
        [0.5, 0.99].map(|share| waited[((waited.len() - 1) as f64 * share) as usize])
    });
    Ok(Alone { p50_us: waited[0], p99_us: waited[1], raw_p50_us: raw[0], raw_p99_us: raw[1] })
}

/// The epoch of every feed.
const EPOCH: Uuid = Uuid::from_u128(1);

const COLUMNS: [&str; 13] = [
    "source",
    "local_id",
    "nhs_number",
    "nhs_number_verified",
    "given",
    "middle",
    "family",
    "birth_date",
    "sex",
    "line1",
    "postcode",
    "phone",
    "death_date",
];

/// A row as a source announces it.
fn read(row: [String; 13]) -> Registration {
    let [source, local_id, nhs_number, verified, given, middle, family, birth_date, sex, line1, postcode, phone, died] =
        row;
    let given = [given, middle].into_iter().filter(|name| !name.is_empty()).collect();
    let lines = Vec::from_iter(Some(line1).filter(|line| !line.is_empty()));
    let phone = Some(phone).filter(|phone| !phone.is_empty());
    let telecom = |value| Telecom { system: System::Phone.into(), value, ..Telecom::default() };
    let sex = match sex.as_str() {
        "F" => Sex::Female,
        "M" => Sex::Male,
        _ => Sex::Unknown,
    };
    let demographics = Demographics {
        nhs_number,
        nhs_number_verified: verified == "true",
        names: vec![HumanName { family, given, ..HumanName::default() }],
        birth_date,
        sex: sex.into(),
        addresses: vec![Address { lines, postcode, ..Address::default() }],
        telecoms: phone.into_iter().map(telecom).collect(),
        death_date: died,
        ..Demographics::default()
    };
    registration(&source, &local_id, demographics)
}
