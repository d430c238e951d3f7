//! Every call of the engine. Each role runs in a process of its own and prints one line of JSON.

use super::{
    child::{self, Usage},
    truth::rows,
};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use severn_linkage::{
    bulk::{Deciding, ScoredPair, score_all},
    decide::{self, Policy, rules::is_of_concern},
    identity::{Address, Identity, Name, NhsNumber, Sex},
    model::Model,
    offline::{self, ModelChoice},
    population::Population,
    superseded::Superseded,
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};
use tokio::time::Instant;

/// From a file to clusters.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Bulk {
    /// Registrations read.
    pub registrations: usize,
    /// From the start of the process to the written files.
    pub wall_s: f64,
    /// Processor time and memory of the process.
    pub usage: Usage,
}

/// Searching in an index that stands in memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Online {
    /// Registrations in the index, each of another person.
    pub registrations: usize,
    /// Queries.
    pub queries: usize,
    /// Reading the file and building the index.
    pub load_s: f64,
    /// Memory that the index takes, divided by registrations.
    pub bytes_a_registration: f64,
    /// Half of the queries take no longer: find the candidates, compare and score them all, put them into order.
    pub p50_us: f64,
    /// 99 of 100 take no longer.
    pub p99_us: f64,
    /// 999 of 1,000 take no longer.
    pub p999_us: f64,
}

const THREADS: usize = 2;
const TRAINING_SEED: u64 = 1;

/// Links are made from this probability on.
const AUTOMATIC_FROM: f64 = 0.999;

/// Pairs are written down from this probability on.
const TOLD_FROM: f64 = 0.01;

/// Plays a role: `bulk` people model links, `inspect` people superseded model pairs links reviews, or `trace` index
/// queries model answers.
///
/// # Errors
/// If a file cannot be read or written, or the engine refuses it.
pub fn play(role: &str, paths: &[PathBuf]) -> Result<()> {
    let report = match (role, paths) {
        ("bulk", [people, model, links]) => serde_json::to_string(&bulk(people, model, links)?)?,
        ("inspect", [people, superseded, model, pairs, links, reviews]) => {
            serde_json::to_string(&inspect(people, superseded, model, [pairs, links, reviews])?)?
        }
        ("trace", [index, queries, model, answers]) => serde_json::to_string(&trace(index, queries, model, answers)?)?,
        _ => bail!("the role {role} is not played with {} files", paths.len()),
    };
    Ok(writeln!(std::io::stdout(), "{report}")?)
}

/// Links a file as the tool does, and nothing else. The model is read if its file exists, else learned and written.
fn bulk(people: &Path, model: &Path, links: &Path) -> Result<Bulk> {
    let began = Instant::now();
    let trains = !model.exists();
    let choice = match trains {
        true => ModelChoice::Train { seed: TRAINING_SEED },
        false => ModelChoice::Given(Box::new(Model::read(BufReader::new(File::open(model)?))?)),
    };
    let options = offline::Options {
        model: choice,
        threshold: AUTOMATIC_FROM,
        threads: THREADS,
        superseded: Superseded::default(),
    };
    let outputs = offline::Outputs { links: &mut File::create(links)?, pairs: None };
    let linked = offline::link(File::open(people)?, outputs, &options, &|_| ())?;
    if trains {
        linked.model.write(BufWriter::new(File::create(model)?))?;
    }
    let wall_s = began.elapsed().as_secs_f64();
    Ok(Bulk { registrations: linked.report.registrations, wall_s, usage: child::usage()? })
}

/// Links the same file and writes down what the tool counts only: every pair, person and task. Superseded NHS numbers
/// are followed at the door, as the broker does. Returns how many registrations there are.
fn inspect(people: &Path, superseded: &Path, model: &Path, [pairs, links, reviews]: [&Path; 3]) -> Result<usize> {
    let model = Model::read(BufReader::new(File::open(model)?))?;
    let followed = rows(superseded, ["old", "new"])?.map(|row| row.map(|[old, new]| (old, new)));
    let followed = followed.collect::<Result<HashMap<String, String>>>()?;
    let mut population = Population::new();
    let mut ids: Vec<[String; 2]> = Vec::new();
    for row in rows(people, COLUMNS)? {
        let mut row = row?;
        if let Some(current) = followed.get(&row[2]) {
            row[2].clone_from(current);
        }
        with_identity(&row, |identity| population.insert_bulk(ids.len() as u32, identity));
        let [source, local_id, ..] = row;
        ids.push([source, local_id]);
    }
    population.index_bulk(THREADS);
    let policy = Policy { automatic_min: AUTOMATIC_FROM, ..Policy::default() };
    let (mut told, mut of_concern): (Vec<ScoredPair>, Vec<ScoredPair>) = Default::default();
    let is_told = |pair: &ScoredPair| pair.score.probability >= TOLD_FROM;
    let concerns = |pair: &ScoredPair| is_of_concern(&population, &model, pair, &policy);
    score_all(&population, &model, THREADS, &|pair| is_told(pair) || concerns(pair), &mut |batch, _| {
        told.extend(batch.iter().filter(|pair| is_told(pair)));
        of_concern.extend(batch.iter().filter(|pair| concerns(pair)));
    });
    let deciding =
        Deciding { population: &population, model: &model, policy: &policy, threads: THREADS, key: &|row| row.into() };
    let decided = deciding.decide_all(&of_concern);
    let id = |row: u32| ids[row as usize].each_ref().map(String::as_str);
    let mut out = csv::Writer::from_path(pairs)?;
    out.write_record(["source_a", "local_id_a", "source_b", "local_id_b", "probability"])?;
    for pair in &told {
        let ([source_a, id_a], [source_b, id_b]) = (id(pair.one), id(pair.two));
        out.write_record([source_a, id_a, source_b, id_b, &pair.score.probability.to_string()])?;
    }
    out.flush()?;
    let mut out = csv::Writer::from_path(links)?;
    out.write_record(["source", "local_id", "enterprise_id"])?;
    for person in decided.iter().flat_map(|decided| &decided.persons) {
        for &row in person {
            let [source, local_id] = id(row);
            out.write_record([source, local_id, &person[0].to_string()])?;
        }
    }
    out.flush()?;
    let mut out = csv::Writer::from_path(reviews)?;
    out.write_record(["source_a", "local_id_a", "source_b", "local_id_b", "reason"])?;
    for review in decided.iter().flat_map(|decided| &decided.reviews) {
        let ([source_a, id_a], [source_b, id_b]) = (id(review.one), id(review.two));
        out.write_record([source_a, id_a, source_b, id_b, review.reason.words()])?;
    }
    out.flush()?;
    Ok(ids.len())
}

/// Finds each query's person in an index of registrations of different people.
fn trace(index: &Path, queries: &Path, model: &Path, answers: &Path) -> Result<Online> {
    let model = Model::read(BufReader::new(File::open(model)?))?;
    let before = child::usage()?.resident_mb;
    let began = Instant::now();
    let mut population = Population::new();
    for (row, at) in rows(index, COLUMNS)?.zip(0..) {
        with_identity(&row?, |identity| population.insert_bulk(at, identity));
    }
    population.index_bulk(THREADS);
    let load_s = began.elapsed().as_secs_f64();
    let held_mb = child::usage()?.resident_mb - before;
    // The ids are the bench's own, and are read when the index has been weighed.
    let ids = rows(index, ["source", "local_id"])?.collect::<Result<Vec<_>>>()?;
    let model = model.for_tracing(ids.len());
    let mut out = csv::Writer::from_path(answers)?;
    out.write_record(["source", "local_id", "found_source", "found_local_id"])?;
    let mut waited_ns = Vec::new();
    for row in rows(queries, COLUMNS)? {
        let row = row?;
        let found = with_identity(&row, |identity| {
            let began = Instant::now();
            let found = decide::trace(&population, &model, &population.probe(identity));
            waited_ns.push(began.elapsed().as_nanos() as u64);
            found
        });
        let [source, id] = found.map_or(["", ""], |row| ids[row as usize].each_ref().map(String::as_str));
        out.write_record([&*row[0], &row[1], source, id])?;
    }
    out.flush()?;
    waited_ns.sort_unstable();
    let at = |share: f64| waited_ns[((waited_ns.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    Ok(Online {
        registrations: ids.len(),
        queries: waited_ns.len(),
        load_s,
        bytes_a_registration: held_mb * 1024.0 * 1024.0 / ids.len() as f64,
        p50_us: at(0.5),
        p99_us: at(0.99),
        p999_us: at(0.999),
    })
}

const COLUMNS: [&str; 14] = [
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
    "email",
    "death_date",
];

/// A row as the engine takes it.
fn with_identity<T>(row: &[String; 14], then: impl FnOnce(&Identity<'_>) -> T) -> T {
    let [_, _, number, verified, given, middle, family, birth_date, sex, line1, postcode, phone, email, death_date] =
        row;
    let some = |text: &str| usize::from(!text.is_empty());
    let given: Vec<&str> = [given, middle].into_iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let names = [Name { family, given: &given, ..Name::default() }];
    let lines = [line1.as_str()];
    let addresses = [Address { lines: &lines[..some(line1)], postcode }];
    let (phones, emails) = ([phone.as_str()], [email.as_str()]);
    then(&Identity {
        nhs_number: NhsNumber::parse(number),
        nhs_number_verified: verified == "true",
        names: &names[..some(family).max(given.len().min(1))],
        birth_date,
        sex: Sex::parse(sex),
        addresses: &addresses[..some(line1).max(some(postcode))],
        phones: &phones[..some(phone)],
        emails: &emails[..some(email)],
        death_date,
    })
}
