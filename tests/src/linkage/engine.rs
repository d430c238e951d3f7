//! Every call of the engine. Each role runs in a process of its own and prints one line of JSON.

use super::{
    child::{self, Usage},
    truth::rows,
};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use severn_linkage::{
    identity::{Address, Identity, Name, NhsNumber, Sex},
    model::Model,
    population::Population,
    score::Score,
};
use std::{
    fs::File,
    io::{BufReader, Write as _},
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

/// A person found by a trace has at least this probability, and this lead in bits over the next.
const TRACED_FROM: f64 = 0.99;
const LEAD_BITS: f64 = 3.0;

const THREADS: usize = 2;

/// Plays a role: `bulk` people superseded model pairs links, or `trace` index queries model answers.
///
/// # Errors
/// If a file cannot be read or written, or the engine refuses it.
pub fn play(role: &str, paths: &[PathBuf]) -> Result<()> {
    let report = match (role, paths) {
        ("bulk", [people, superseded, model, pairs, links]) => {
            serde_json::to_string(&bulk(people, superseded, model, [pairs, links])?)?
        }
        ("trace", [index, queries, model, answers]) => serde_json::to_string(&trace(index, queries, model, answers)?)?,
        _ => bail!("the role {role} is not played with {} files", paths.len()),
    };
    Ok(writeln!(std::io::stdout(), "{report}")?)
}

/// Links a file. The model is read if its file exists, else learned and written there.
fn bulk(people: &Path, _superseded: &Path, model_file: &Path, [pairs, links]: [&Path; 2]) -> Result<Bulk> {
    let began = Instant::now();
    let mut population = Population::new();
    let mut ids: Vec<[String; 2]> = Vec::new();
    for row in rows(people, COLUMNS)? {
        let row = row?;
        with_identity(&row, |identity| population.insert_bulk(ids.len() as u32, identity));
        ids.push([row[0].clone(), row[1].clone()]);
    }
    population.index_bulk(2);
    let model = if model_file.exists() {
        Model::read(BufReader::new(File::open(model_file)?))?
    } else {
        let model = severn_linkage::train::train(&population, &severn_linkage::train::Training::new(7, 2));
        model.write(File::create(model_file)?)?;
        model
    };
    let scored = severn_linkage::bulk::score_all(&population, &model, 2, 0.01, &|_| ());
    let mut out = csv::Writer::from_path(pairs)?;
    out.write_record(["source_a", "local_id_a", "source_b", "local_id_b", "probability"])?;
    let mut parent: Vec<u32> = (0..ids.len() as u32).collect();
    fn root(parent: &mut [u32], mut of: u32) -> u32 {
        while parent[of as usize] != of {
            parent[of as usize] = parent[parent[of as usize] as usize];
            of = parent[of as usize];
        }
        of
    }
    for pair in &scored.pairs {
        let (a, b) = (&ids[pair.one as usize], &ids[pair.two as usize]);
        out.write_record([&*a[0], &a[1], &b[0], &b[1], &format!("{}", pair.score.probability)])?;
        if pair.score.probability >= 0.999 {
            let (a, b) = (root(&mut parent, pair.one), root(&mut parent, pair.two));
            parent[a.max(b) as usize] = a.min(b);
        }
    }
    out.flush()?;
    let mut out = csv::Writer::from_path(links)?;
    out.write_record(["source", "local_id", "enterprise_id"])?;
    for row in 0..ids.len() as u32 {
        let id = root(&mut parent, row);
        out.write_record([&*ids[row as usize][0], &ids[row as usize][1], &format!("{id}")])?;
    }
    out.flush()?;
    Ok(Bulk { registrations: ids.len(), wall_s: began.elapsed().as_secs_f64(), usage: child::usage()? })
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
    let mut out = csv::Writer::from_path(answers)?;
    out.write_record(["source", "local_id", "found_source", "found_local_id"])?;
    let mut waited_ns = Vec::new();
    for row in rows(queries, COLUMNS)? {
        let row = row?;
        let found = with_identity(&row, |identity| {
            let began = Instant::now();
            let ranked = search(&population, &model, identity);
            waited_ns.push(began.elapsed().as_nanos() as u64);
            sure(&ranked)
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

fn search(population: &Population, model: &Model, identity: &Identity<'_>) -> Vec<(Score, u32)> {
    let probe = population.probe(identity);
    let candidates = population.candidates_of(&probe);
    let score = |row: u32| (model.score(&population.compare_with(&probe, row)), row);
    let mut ranked: Vec<(Score, u32)> = candidates.rows.into_iter().map(score).collect();
    ranked.sort_unstable_by(|(one, _), (other, _)| other.bits.total_cmp(&one.bits));
    ranked
}

/// The best, if it is good enough and far enough ahead.
fn sure(ranked: &[(Score, u32)]) -> Option<u32> {
    let (best, row) = ranked.first()?;
    let lead = ranked.get(1).map_or(f64::INFINITY, |(second, _)| best.bits - second.bits);
    (best.probability >= TRACED_FROM && lead >= LEAD_BITS).then_some(*row)
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
    let [_, _, number, verified, given, middle, family, birth_date, sex, line1, postcode, phone, email, death_date] = row;
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
