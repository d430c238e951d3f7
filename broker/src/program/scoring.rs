//! `severn-broker index model` and `index train`: which model scores, what another one would change, and learning one on
//! what the index holds. Nothing is taken that is not signed by a key the configuration names.

use super::{
    ConfigArgument,
    index::{open_index, open_to_read},
    linking::new_file,
    say, signing_key,
};
use crate::{
    config::Config,
    index::{About, MODEL_BYTES_MAX, ModelChanges, ScoringModel, check_signature, sign_model, store::Mark},
};
use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use severn_linkage::{
    model::{Model, ModelFile, Reliability},
    train::Training,
};
use severn_trust::{Clock as _, PublicKey, SystemClock};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    thread::available_parallelism,
};

#[derive(Subcommand)]
pub(super) enum ModelCommand {
    /// Shows the model that scores. The broker may run.
    Show(ShowArguments),
    /// Says what another model would change, and has it score from now on if told to. Stop the broker first.
    Take(TakeArguments),
}

#[derive(clap::Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print the model's file itself.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct TakeArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The model file; it must be signed by a key that index.model_keys names. `built-in` for the program's own.
    file: PathBuf,
    /// Take it. Without this, only what it would change is said.
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args)]
pub(super) struct TrainArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Where to write the model. A new file.
    #[arg(long)]
    out: PathBuf,
    /// The model's name, which every decision stores; the day and the number of registrations without it.
    #[arg(long)]
    version: Option<String>,
    /// Seed of what is drawn at random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl ShowArguments {
    pub(super) fn config(&self) -> &ConfigArgument {
        &self.config
    }
}

impl TakeArguments {
    pub(super) fn config(&self) -> &ConfigArgument {
        &self.config
    }
}

impl TrainArguments {
    pub(super) fn config(&self) -> &ConfigArgument {
        &self.config
    }
}

pub(super) async fn show_model(config: &Config, arguments: &ShowArguments) -> Result<()> {
    let mut last = None;
    let store = open_to_read(config).await?;
    store
        .load(Mark::default(), &mut |event| {
            if let About::ModelTaken(model) = event.about {
                last = Some((event.sequence, model));
            }
        })
        .await?;
    let Some((since, model)) = last else { bail!("the index has taken no model yet; start the broker once") };
    if arguments.json {
        say(&String::from_utf8_lossy(model.file()));
        return Ok(());
    }
    say(&format!("{}\n\nsince event {since} of the index", told(model.model())));
    Ok(())
}

/// What a person should know of a model.
fn told(model: &Model) -> String {
    let ModelFile { version, trained, classes, thresholds, fields, reliability, .. } = model.file();
    let mut lines = vec![
        format!("model {version}"),
        format!("learned on {}: {} registrations, {} pairs", trained.on, trained.registrations, trained.pairs),
        format!(
            "pairs per registration: {:.3} of one person, {:.3} of one household",
            classes.matches_per_registration, classes.households_per_registration
        ),
        format!(
            "links from {}, a steward looks from {}, a lead of {} bits",
            thresholds.automatic_min, thresholds.review_min, thresholds.lead_bits
        ),
        format!("\n{:<44} {:>10} {:>10} {:>10}", "how often a level is seen", "one person", "household", "strangers"),
    ];
    for field in fields {
        lines.push(field.field.clone());
        lines.extend(field.levels.iter().map(|level| {
            let shares = [level.matched, level.household, level.stranger].map(|share| format!("{share:>10.6}"));
            format!("  {:<42} {}", level.level, shares.join(" "))
        }));
    }
    lines.push(format!("\n{:<20} {:>10} {:>10}", "scored from", "pairs", "right"));
    let bands = reliability.iter();
    lines.extend(bands.map(|Reliability { from, pairs, right }| format!("{from:<20} {pairs:>10} {right:>10}")));
    lines.join("\n")
}

pub(super) async fn take_model(config: &Config, arguments: &TakeArguments) -> Result<()> {
    let model = read_model(&arguments.file)?;
    check_signature(&model, &model_keys(config)?).context("nothing was taken")?;
    let index = open_index(config).await?;
    let before = index.model()?;
    if before == model {
        say(&format!("model {} scores already", model.version()));
        index.close().await;
        return Ok(());
    }
    let ModelChanges { links_made, links_lost, persons_before, persons_after, reviews_before, reviews_after } =
        index.would_change(&model)?;
    say(&format!(
        "from model {} to {}: {links_made} links made, {links_lost} links lost; \
         {persons_before} persons become {persons_after}, {reviews_before} pairs for a steward {reviews_after}",
        before.version(),
        model.version()
    ));
    if arguments.yes {
        index.take_model(model.clone()).await?;
        say(&format!("model {} scores from now on", model.version()));
    } else {
        say("nothing was changed; take it with --yes");
    }
    index.close().await;
    Ok(())
}

fn read_model(path: &Path) -> Result<ScoringModel> {
    if path == Path::new("built-in") {
        return Ok(ScoringModel::built_in());
    }
    let named = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(named)?;
    file.take(MODEL_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(named)?;
    if bytes.len() > MODEL_BYTES_MAX {
        bail!("{}: a model file has at most {MODEL_BYTES_MAX} bytes", path.display());
    }
    ScoringModel::read(bytes.into()).with_context(named)
}

fn model_keys(config: &Config) -> Result<Vec<PublicKey>> {
    let files = config.index.model_keys.iter();
    let key = |file: &PathBuf| {
        let text = fs::read_to_string(file).with_context(|| format!("index.model_keys: {}", file.display()))?;
        PublicKey::from_json(&text).with_context(|| format!("index.model_keys: {}", file.display()))
    };
    files.map(key).collect()
}

pub(super) async fn train(config: &Config, arguments: &TrainArguments) -> Result<()> {
    let key = signing_key("data.statement_key", &config.data.statement_key)?;
    let (file, mut to) = new_file(&arguments.out)?;
    let index = open_index(config).await?;
    let threads = available_parallelism().map_or(1, usize::from);
    let mut model = index.train(&Training { on: "what an index holds", ..Training::new(arguments.seed, threads) })?;
    index.close().await;
    model.version = match &arguments.version {
        Some(version) => version.clone(),
        None => format!("{}-{}", today(), model.trained.registrations),
    };
    let ModelFile { version, trained, .. } = &model;
    let said =
        format!("model {version}, learned on {} registrations and {} pairs", trained.registrations, trained.pairs);
    to.write_all(&sign_model(model, &key)?)?;
    to.flush()?;
    file.finish()?;
    say(&format!("{}: {said}, signed by {}", arguments.out.display(), key.public().kid()));
    Ok(())
}

/// Today's date, in ISO 8601.
fn today() -> String {
    let now = jiff::Timestamp::from_millisecond(SystemClock.now_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    now.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
