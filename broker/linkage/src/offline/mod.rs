//! `severn-broker index link`: a file of people → who is one person, a report, and if wanted every scored pair, so that
//! anybody can measure it on labelled data of their own. Reads and writes only what it is handed.

mod columns;
mod input;
mod report;
mod superseded;

pub use input::{Row, read_rows};
pub use report::Report;
pub use superseded::{RefusedLine, SupersededFile, read_superseded};

use crate::bulk::{Deciding, ScoredPair, score_all, side_by_side};
use crate::decide::rules::is_of_concern;
use crate::decide::{Corroboration, Decided, Policy};
use crate::identity::NhsNumber;
use crate::model::{Model, ModelError};
use crate::population::Population;
use crate::superseded::Superseded;
use crate::train::{Training, train};
use input::{Load, People};
use std::io::{BufWriter, Read, Write};

/// How to link a file.
pub struct Options {
    /// Which model scores.
    pub model: ModelChoice,
    /// Linked from this probability on.
    pub threshold: f64,
    /// NHS numbers that were replaced: each is taken for the one that is used today.
    pub superseded: Superseded<NhsNumber>,
    /// Threads to use; they change nothing but the time.
    pub threads: usize,
}

/// Which model scores a file.
pub enum ModelChoice {
    /// The one that ships with Severn, made fit for the number of registrations in the file.
    BuiltIn,
    /// One learned from the file itself, without labels.
    Train {
        /// Seed of the samples.
        seed: u64,
    },
    /// One that was read from a file.
    Given(Box<Model>),
}

/// Where the results go.
pub struct Outputs<'a> {
    /// `source,local_id,enterprise_id`, one line for each registration, in the order of the input.
    pub links: &'a mut dyn Write,
    /// `source_a,local_id_a,source_b,local_id_b,probability` for every pair that was scored.
    pub pairs: Option<&'a mut dyn Write>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many registrations were read.
    Read(usize),
    /// The registrations are being indexed.
    Indexing,
    /// A model is being learned.
    Training,
    /// So many of so many registrations were compared with their candidates.
    Scored(usize, usize),
    /// The results are being written.
    Writing,
}

/// What came of it.
pub struct Linked {
    /// What to write into the report.
    pub report: Report,
    /// The model that scored, to be kept if it was learned.
    pub model: Model,
}

/// Why a file cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The input cannot be read.
    #[error("the input cannot be read: {0}")]
    Input(#[from] csv::Error),
    /// A column that is needed is not there.
    #[error("the input's header names no column `{0}`; add it, or name the column that holds it so")]
    Column(&'static str),
    /// Two columns have one name.
    #[error("the input's header names the column `{0}` twice; leave one out")]
    ColumnTwice(&'static str),
    /// A row has no local id.
    #[error("line {0} of the input has no local_id; every registration needs one")]
    LocalId(u64),
    /// There are more rows than can be numbered.
    #[error("the input has more than {0} rows; split it")]
    TooLong(usize),
    /// What was learned makes no model.
    #[error("no model could be learned from the input: {0}")]
    Training(#[from] ModelError),
    /// The threshold is no probability.
    #[error("the threshold is {0}; give a probability above 0.5 and below 1")]
    Threshold(f64),
    /// A result cannot be written.
    #[error("the results cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Links the people of a CSV file whose header names the columns (`source`, `local_id`, `nhs_number`,
/// `nhs_number_verified`, `given`, `middle`, `family`, `birth_date`, `sex`, `line1`, `postcode`, `phone`, `email`,
/// `death_date`; others are ignored, absent ones are missing).
///
/// # Errors
/// If the input is not such a file, or a result cannot be written.
pub fn link(
    input: impl Read,
    outputs: Outputs<'_>,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Linked, OfflineError> {
    if !(options.threshold > 0.5 && options.threshold < 1.0) {
        return Err(OfflineError::Threshold(options.threshold));
    }
    let Load { mut population, people, quality, holds } =
        input::load(input, &options.superseded, options.threads, progress)?;
    progress(Progress::Indexing);
    population.index_bulk(options.threads);
    progress(Progress::Training);
    let model = choose(options, &population)?;
    // A file that holds nothing but names and birth dates is linked by these: there is nothing else to go by.
    let corroboration = if holds.corroboration { Corroboration::Needed } else { Corroboration::NotHeld };
    let policy = Policy { automatic_min: options.threshold, corroboration, ..Policy::from(model.file().thresholds) };
    let mut pairs = outputs.pairs.map(|to| BufWriter::with_capacity(1 << 16, to));
    if let Some(to) = &mut pairs {
        to.write_all(b"source_a,local_id_a,source_b,local_id_b,probability\n")?;
    }
    let mut of_concern: Vec<ScoredPair> = Vec::new();
    let mut written = Ok(());
    let total = population.len();
    let (is_told, concerns) = (pairs.is_some(), |pair: &ScoredPair| is_of_concern(&population, &model, pair, &policy));
    let wanted = |pair: &ScoredPair| is_told || concerns(pair);
    let scored = score_all(&population, &model, options.threads, &wanted, &mut |batch, rows| {
        progress(Progress::Scored(rows, total));
        of_concern.extend(batch.iter().filter(|pair| !is_told || concerns(pair)));
        if let (Some(to), Ok(())) = (&mut pairs, &written) {
            written = write_pairs(to, &people, batch);
        }
    });
    written?;
    if let Some(to) = &mut pairs {
        to.flush()?;
    }
    let key = |row| people.key(row);
    let deciding =
        Deciding { population: &population, model: &model, policy: &policy, threads: options.threads, key: &key };
    let decided = deciding.decide_all(&of_concern);
    progress(Progress::Writing);
    std::thread::scope(|scope| {
        // Giving so much memory back takes a while.
        scope.spawn(|| drop((of_concern, population)));
        write_links(outputs.links, &people, &decided, options.threads)
    })?;
    let report = Report::of(&model, &policy, &decided, &scored, quality);
    Ok(Linked { report, model })
}

fn choose(options: &Options, population: &Population) -> Result<Model, ModelError> {
    Ok(match &options.model {
        ModelChoice::BuiltIn => Model::default_uk().for_population(population.len()),
        ModelChoice::Train { seed } => train(population, &Training::new(*seed, options.threads))?,
        ModelChoice::Given(model) => (**model).clone(),
    })
}

fn write_pairs(to: &mut impl Write, people: &People, pairs: &[ScoredPair]) -> std::io::Result<()> {
    for pair in pairs {
        people.write_id(to, pair.one)?;
        to.write_all(b",")?;
        people.write_id(to, pair.two)?;
        writeln!(to, ",{}", pair.score.probability)?;
    }
    Ok(())
}

/// Lines written by one thread at once.
const LINES_AT_ONCE: usize = 1 << 16;

/// A person's enterprise id is made of the least key of its registrations, so that the order of rows changes nothing.
fn write_links(to: &mut dyn Write, people: &People, decided: &[Decided], threads: usize) -> std::io::Result<()> {
    let mut leaders: Vec<u32> = (0..people.len() as u32).collect();
    for person in decided.iter().flat_map(|decided| &decided.persons) {
        for row in person {
            leaders[*row as usize] = person[0];
        }
    }
    to.write_all(b"source,local_id,enterprise_id\n")?;
    let lines = |(leaders, first): (&[u32], u32)| {
        let mut lines = Vec::new();
        for (leader, row) in leaders.iter().zip(first..) {
            people.write_id(&mut lines, row)?;
            // 96 bits: among 20 million persons two share an id once in 10^14 files.
            writeln!(lines, ",{:024x}", people.key(*leader) >> 32)?;
        }
        std::io::Result::Ok(lines)
    };
    let mut parts = leaders.chunks(LINES_AT_ONCE).zip((0..).step_by(LINES_AT_ONCE)).peekable();
    while parts.peek().is_some() {
        for lines in side_by_side(threads, parts.by_ref().take(threads.max(1)), lines) {
            to.write_all(&lines?)?;
        }
    }
    to.flush()
}

#[cfg(test)]
mod tests;
