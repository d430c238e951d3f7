//! `severn-broker index link`: links a file of registrations by the index's own arithmetic, beside any broker, so that
//! anybody can measure it on data of their own. Every result appears whole or not at all.

use super::{complain, say};
use crate::index::store::NewFile;
use anyhow::{Context as _, Result};
use severn_linkage::{
    identity::NhsNumber,
    model::Model,
    offline::{self, Linked, ModelChoice, Options, Outputs, Progress, read_superseded},
    superseded::Superseded,
};
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, IsTerminal as _, Write as _, stderr},
    path::{Path, PathBuf},
    thread::available_parallelism,
};

#[derive(clap::Args)]
pub(super) struct LinkArguments {
    /// The registrations, one a line, CSV with a header: source, local_id, nhs_number, nhs_number_verified, given,
    /// middle, family, birth_date, sex, line1, postcode, phone, email, death_date. Other columns are ignored, absent
    /// ones are taken as missing.
    #[arg(long = "in")]
    file: PathBuf,
    /// Where to write who is who: source, local_id, enterprise_id. A new file.
    #[arg(long)]
    out: PathBuf,
    /// Where to write what was counted, as JSON. A new file.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where to write every scored pair: source_a, local_id_a, source_b, local_id_b, probability. A new file.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// Learn a model from the file itself, without labels.
    #[arg(long, conflicts_with = "model")]
    train: bool,
    /// Score by the model in this file, not by the one that ships with Severn.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Where to write the model that scored. A new file.
    #[arg(long)]
    model_out: Option<PathBuf>,
    /// Link from this probability on: above 0.5, below 1.
    #[arg(long, default_value_t = 0.999)]
    threshold: f64,
    /// NHS numbers that were replaced, CSV with the columns old and current: each is taken for the current one.
    #[arg(long)]
    superseded: Option<PathBuf>,
    /// Seed of what is drawn at random when a model is learned.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(arguments: &LinkArguments) -> Result<()> {
    let input = File::open(&arguments.file).with_context(|| format!("cannot read {}", arguments.file.display()))?;
    let (links, mut to_links) = new_file(&arguments.out)?;
    let pairs = arguments.pairs.as_deref().map(new_file).transpose()?;
    let report = arguments.report.as_deref().map(new_file).transpose()?;
    let kept = arguments.model_out.as_deref().map(new_file).transpose()?;
    let (pairs, mut to_pairs) = pairs.unzip();
    let options = Options {
        model: choice(arguments)?,
        threshold: arguments.threshold,
        superseded: superseded(arguments.superseded.as_deref())?,
        threads: available_parallelism().map_or(1, usize::from),
    };
    let outputs = Outputs { links: &mut to_links, pairs: to_pairs.as_mut().map(|to| to as &mut dyn std::io::Write) };
    let linked = offline::link(input, outputs, &options, &show)?;
    hide();
    to_links.flush()?;
    to_pairs.iter_mut().try_for_each(std::io::Write::flush)?;
    links.finish()?;
    pairs.map_or(Ok(()), NewFile::finish)?;
    let Linked { report: counted, model } = linked;
    if let Some((file, mut to)) = report {
        serde_json::to_writer_pretty(&mut to, &counted)?;
        to.flush()?;
        file.finish()?;
    }
    if let Some((file, mut to)) = kept {
        model.write(&mut to)?;
        to.flush()?;
        file.finish()?;
    }
    say(&format!(
        "{} registrations are {} persons, by model {}; {} pairs are for a steward",
        counted.registrations,
        counted.persons,
        counted.model_version,
        counted.reviews.values().sum::<usize>()
    ));
    Ok(())
}

fn choice(arguments: &LinkArguments) -> Result<ModelChoice> {
    let Some(path) = &arguments.model else {
        let learned = ModelChoice::Train { seed: arguments.seed };
        return Ok(if arguments.train { learned } else { ModelChoice::BuiltIn });
    };
    let file = File::open(path).with_context(|| format!("--model: cannot read {}", path.display()))?;
    let model = Model::read(file).with_context(|| format!("--model: {}", path.display()))?;
    Ok(ModelChoice::Given(Box::new(model)))
}

fn superseded(path: Option<&Path>) -> Result<Superseded<NhsNumber>> {
    let mut known = Superseded::default();
    if let Some(path) = path {
        let file = File::open(path).with_context(|| format!("--superseded: cannot read {}", path.display()))?;
        let read = read_superseded(file, &mut known, NhsNumber::parse);
        let read = read.with_context(|| format!("--superseded: {}", path.display()))?;
        read.refused
            .iter()
            .for_each(|refused| complain(&format!("{} line {}: {}", path.display(), refused.line, refused.why)));
    }
    Ok(known)
}

pub(super) fn new_file(path: &Path) -> Result<(NewFile, BufWriter<File>)> {
    let file = NewFile::create(path)?;
    let writer = BufWriter::new(OpenOptions::new().write(true).open(file.partial())?);
    Ok((file, writer))
}

/// Shows how far it is, to whoever watches.
fn show(progress: Progress) {
    let line = match progress {
        Progress::Read(count) => format!("{count} registrations read"),
        Progress::Indexing => "indexing".to_owned(),
        Progress::Training => "preparing the model".to_owned(),
        Progress::Scored(count, total) => {
            let done = count * 40 / total.max(1);
            format!("[{}{}] {count} of {total} compared", "#".repeat(done), " ".repeat(40 - done.min(40)))
        }
        Progress::Writing => "writing".to_owned(),
    };
    show_line(&line);
}

/// Shows a line in the place of the one before, to whoever watches.
pub(super) fn show_line(line: &str) {
    if stderr().is_terminal() {
        drop(write!(stderr(), "\r\x1b[2K{line}"));
    }
}

pub(super) fn hide() {
    if stderr().is_terminal() {
        drop(write!(stderr(), "\r\x1b[2K"));
    }
}
