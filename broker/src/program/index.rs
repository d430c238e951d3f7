//! `severn-broker index`: moves an index between stores, backs it up and restores it. What is written appears whole or
//! not at all, and what is read is checked to its end before anything is changed.

use super::{
    ConfigArgument,
    linking::{self, LinkArguments},
    loading::{LoadArguments, SupersedeArguments, load_people, supersede},
    say,
    scoring::{ModelCommand, TrainArguments, show_model, take_model, train},
};
use crate::{
    config::Config,
    index::{
        About, Index,
        store::{
            Archive, Counts, Mark, NewFile, PostgresSettings, PostgresStore, SqliteStore, Store, StoreError, export,
        },
    },
};
use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use severn_link::read_private;
use severn_trust::{SystemClock, SystemEntropy};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::runtime::Builder;

#[derive(Subcommand)]
pub(super) enum IndexCommand {
    /// Writes the whole index into a new file that `import` reads, whatever store it lies in. The broker may run.
    Export(OutArgument),
    /// Fills an empty index with a file that `export` wrote. Stop the brokers first.
    Import(InArgument),
    /// Writes a backup into a new file. The broker may run.
    Backup(OutArgument),
    /// Puts a backup in the place of the index. Stop the brokers first.
    Restore(InArgument),
    /// Links the registrations in a file, as the index would; no index is touched.
    Link(LinkArguments),
    /// Loads the registrations in a file into the index, as if their sources had announced them. Stop the broker first.
    Load(LoadArguments),
    /// Takes note of NHS numbers that were replaced by others. Stop the broker first.
    Supersede(SupersedeArguments),
    /// Looks after the model that scores.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Learns a model on what the index holds, without labels, and signs it with the broker's statement key; the index
    /// takes it by `model take` only. Stop the broker first.
    Train(TrainArguments),
}

#[derive(clap::Args)]
pub(super) struct OutArgument {
    #[command(flatten)]
    config: ConfigArgument,
    /// The file to write; it must not be there yet. It holds people's demographics: keep it as you keep the index.
    #[arg(long)]
    out: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct InArgument {
    #[command(flatten)]
    config: ConfigArgument,
    /// The file to read.
    #[arg(long = "in")]
    file: PathBuf,
}

pub(super) fn run(command: &IndexCommand) -> Result<()> {
    let load = |argument: &ConfigArgument| Config::load(&argument.config);
    match command {
        IndexCommand::Export(to) => finish(write_export(&load(&to.config)?, &to.out)),
        IndexCommand::Import(from) => finish(import(&load(&from.config)?, &from.file)),
        IndexCommand::Backup(to) => finish(back_up(&load(&to.config)?, &to.out)),
        IndexCommand::Restore(from) => finish(restore(&load(&from.config)?, &from.file)),
        IndexCommand::Link(arguments) => linking::run(arguments),
        IndexCommand::Load(arguments) => finish(load_people(&load(arguments.config())?, arguments)),
        IndexCommand::Supersede(arguments) => finish(supersede(&load(arguments.config())?, arguments)),
        IndexCommand::Model(ModelCommand::Show(arguments)) => finish(show_model(&load(arguments.config())?, arguments)),
        IndexCommand::Model(ModelCommand::Take(arguments)) => finish(take_model(&load(arguments.config())?, arguments)),
        IndexCommand::Train(arguments) => finish(train(&load(arguments.config())?, arguments)),
    }
}

fn finish(work: impl Future<Output = Result<()>>) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Opens the store that the configuration names, for the broker itself.
///
/// # Errors
/// If it cannot be opened; the key to look at is named.
pub async fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    match &config.index.postgres {
        Some(settings) => Ok(Arc::new(open_postgres(settings, config).await?)),
        None => {
            let store = SqliteStore::open(&config.data.folder).await;
            Ok(Arc::new(store.context("data.folder: cannot open the index")?))
        }
    }
}

/// Opens the whole index, in the place of the broker.
pub(super) async fn open_index(config: &Config) -> Result<Index> {
    let store = open_store(config).await?;
    let index = Index::open(store, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).await;
    index.context("cannot read the index")
}

/// What the password file of the index's database holds.
pub(super) fn password(config: &Config) -> Result<Option<String>> {
    let file = config.index.postgres.as_ref().and_then(|settings| settings.password_file.as_ref());
    let text = file.map(|file| read_private(file).context("index.postgres.password_file")).transpose()?;
    Ok(text.map(|text| text.lines().next().unwrap_or_default().to_owned()))
}

async fn open_postgres(settings: &PostgresSettings, config: &Config) -> Result<PostgresStore> {
    let store = PostgresStore::open(settings, password(config)?.as_deref()).await;
    store.context("index.postgres: cannot open the index")
}

/// Opens the store to read it, beside brokers that write.
pub(super) async fn open_to_read(config: &Config) -> Result<Arc<dyn Store>> {
    match &config.index.postgres {
        Some(_) => open_store(config).await,
        None => Ok(Arc::new(SqliteStore::open_to_read(&config.data.folder).await.context("cannot read the index")?)),
    }
}

async fn write_export(config: &Config, to: &Path) -> Result<()> {
    let store = open_to_read(config).await?;
    let file = NewFile::create(to)?;
    let counts = export(&*store, &file).await?;
    // What is not read back was not written.
    Archive::check(file.partial())?;
    file.finish()?;
    say(&format!("{}: {} exported", to.display(), Said(counts)));
    Ok(())
}

async fn import(config: &Config, from: &Path) -> Result<()> {
    let counts = Archive::check(from).context("nothing was imported")?;
    let store = open_store(config).await?;
    // A model is what every index begins with.
    let mut is_empty = true;
    let there =
        store.load(Mark::default(), &mut |event| is_empty &= matches!(event.about, About::ModelTaken(_))).await?;
    if !is_empty || !there.feeds.is_empty() {
        bail!("the index is not empty: it holds {} events; import into a new folder or database", there.mark.sequence);
    }
    store.replace(there.mark, &mut Archive::open(from)?).await.context("nothing was imported")?;
    say(&format!("{}: {} imported", from.display(), Said(counts)));
    Ok(())
}

async fn back_up(config: &Config, to: &Path) -> Result<()> {
    if config.index.postgres.is_some() {
        return write_export(config, to).await;
    }
    let store = SqliteStore::open_to_read(&config.data.folder).await.context("cannot read the index")?;
    let file = NewFile::create(to)?;
    store.back_up(file.partial()).await?;
    let counts = SqliteStore::open_backup(file.partial()).await?.count().await?;
    file.finish()?;
    say(&format!("{}: {} backed up", to.display(), Said(counts)));
    Ok(())
}

async fn restore(config: &Config, from: &Path) -> Result<()> {
    let counts = match config.index.postgres {
        Some(_) => restore_database(config, from).await,
        None => SqliteStore::restore(&config.data.folder, from).await.map_err(anyhow::Error::from),
    };
    let counts = counts.context("nothing was restored, the index is as it was")?;
    say(&format!("{}: {} restored", from.display(), Said(counts)));
    Ok(())
}

async fn restore_database(config: &Config, from: &Path) -> Result<Counts> {
    let counts = Archive::check(from)?;
    let store = open_store(config).await?;
    let there = match store.load(Mark::default(), &mut |_| ()).await {
        Ok(loaded) => loaded.mark,
        Err(StoreError::Damaged(how)) => bail!("{how}. Give the broker an empty database and import the backup there"),
        Err(error) => return Err(error.into()),
    };
    store.replace(there, &mut Archive::open(from)?).await?;
    Ok(counts)
}

struct Said(Counts);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events and the positions of {} feeds", self.0.events, self.0.feeds)
    }
}
