//! [`FileSource`]: looks at the folder when it is asked, reads what has changed, and answers from what it holds.

mod keeper;

use crate::{
    bundles,
    folder::Folder,
    index::Person,
    settings::{FileSettings, Plan},
};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use keeper::{Keeper, View};
use severn_adapter_sdk::{
    mapping::SourceContext,
    source::{Document, Finding, Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, Reason, ReasonCode, Registration};
use severn_trust::Clock;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// A folder as a source.
pub struct FileSource {
    plan: Arc<Plan>,
    keeper: Arc<Keeper>,
    look: Duration,
    /// The version of the index that [`Source::changed`] last reported.
    reported: AtomicU64,
}

impl FileSource {
    /// A source by its settings. Reads nothing yet.
    ///
    /// # Errors
    /// [`SourceError::Config`] names the setting and says what to write.
    #[expect(clippy::needless_pass_by_value, reason = "every kind of source is opened alike, with settings of its own")]
    pub fn open(
        settings: FileSettings,
        context: SourceContext,
        clock: Arc<dyn Clock>,
    ) -> Result<FileSource, SourceError> {
        let plan = Arc::new(settings.plan()?);
        let folder = Folder::new(&settings, &plan);
        let look = Duration::from_millis(settings.look_ms);
        let keeper = Arc::new(Keeper::new(folder, Arc::clone(&plan), context, clock, look));
        Ok(FileSource { plan, keeper, look, reported: AtomicU64::new(0) })
    }

    /// What the folder says now, or, where looking takes longer than `patience`, what it said before.
    async fn view(&self, patience: Duration) -> Result<Arc<View>, SourceError> {
        let keeper = Arc::clone(&self.keeper);
        // In a task of its own: a reader who cannot wait must not stop what others wait for.
        let looking = tokio::spawn(async move { keeper.look().await });
        match timeout(patience, looking).await {
            Ok(Ok(looked)) => looked?,
            Ok(Err(_)) => return Err(SourceError::Unreachable("reading file.folder was broken off".into())),
            Err(_) => {}
        }
        self.keeper.view().ok_or(SourceError::Timeout)
    }

    fn reading(&self, view: &View, local_id: &str, dataset: Dataset) -> Reading {
        let mut reading = Reading { dataset, ..Reading::default() };
        if !self.plan.in_bundles(dataset) && !self.plan.in_tables(dataset) {
            reading.not_held = true;
            return reading;
        }
        let index = &view.index;
        let person = index.people.get(local_id);
        reading.as_of_ms = index.as_of_ms(&self.plan, person, dataset);
        let Some(person) = person else { return reading };
        // Of a person whom two rows claim to be, nothing is told.
        if person.registration.is_none() || !index.has_tables(&self.plan, dataset) {
            reading.failed = true;
            return reading;
        }
        if let Some(shelf) = person.datasets.get(&(dataset as i32)) {
            reading.entries = shelf.entries.iter().map(|held| held.entry.as_ref().clone()).collect();
            reading.unreadable = shelf.unreadable;
            reading.partial.extend(shelf.warnings.iter().map(|code| Reason { code: *code, count: 0 }));
        }
        reading.unreadable += index.anybody.get(&(dataset as i32)).copied().unwrap_or_default();
        if self.plan.in_bundles(dataset) {
            reading.unreadable += view.bad_bundles;
            if view.pending_bundles > 0 {
                let code = ReasonCode::TransferIncomplete as i32;
                reading.partial.push(Reason { code, count: view.pending_bundles });
            }
        }
        reading
    }
}

/// Longest wait for a look where no budget is given.
const PATIENCE: Duration = Duration::from_secs(600);

#[tonic::async_trait]
impl Source for FileSource {
    fn datasets(&self) -> Vec<Dataset> {
        self.plan.datasets()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        let view = self.view(PATIENCE).await?;
        view.knows_people(&self.plan)?;
        let known = view.index.people.values().map(|person| person.registration.clone().ok_or_else(two_in_one));
        let mut all: Vec<Result<Registration, SourceError>> = known.collect();
        all.extend(view.unknown_people().map(Err));
        Ok(stream::iter(all).boxed())
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        let view = self.view(PATIENCE).await?;
        match view.index.people.get(local_id) {
            Some(person) => person.registration.clone().ok_or_else(two_in_one).map(Some),
            None => view.knows_everybody(&self.plan).map(|()| None),
        }
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError> {
        let view = self.view(budget / 2).await?;
        if !view.index.people.contains_key(local_id) {
            view.knows_everybody(&self.plan)?;
        }
        Ok(datasets.iter().map(|dataset| self.reading(&view, local_id, *dataset)).collect())
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        let view = self.view(PATIENCE).await?;
        let Some(file) = view.index.people.get(local_id).and_then(|person| file_of(person, entry_id)) else {
            return Ok(None);
        };
        let Some(bytes) = self.keeper.bytes(&file).await? else {
            return Err(SourceError::Unreachable(
                "the file that holds the document is being changed; ask again".into(),
            ));
        };
        Ok(bundles::document(&bytes, entry_id))
    }

    async fn check(&self) -> Vec<Finding> {
        let good = |text: String| Finding { good: true, text };
        let bad = |text: String| Finding { good: false, text };
        let view = match self.view(PATIENCE).await {
            Ok(view) => view,
            Err(error) => return vec![bad(error.to_string())],
        };
        let mut findings = vec![good(format!("{} files were read", view.files))];
        findings.extend(view.bad.iter().cloned().map(bad));
        findings.extend(view.remarks.iter().cloned().map(bad));
        findings.extend(view.unread(&self.plan).map(bad));
        let people = view.index.people.len();
        findings.push(if people == 0 {
            bad("nobody is registered; are the files there, and does the mapping fit?".into())
        } else {
            good(format!("{people} persons are registered"))
        });
        findings
    }

    async fn changed(&self, every: Duration) {
        let until = Instant::now() + every;
        loop {
            // A folder that cannot be looked at may have changed: who asks next is told what is wrong with it.
            let looked = self.keeper.look().await;
            let version = self.keeper.view().map(|view| view.version).unwrap_or_default();
            if looked.is_ok() && self.reported.swap(version, Ordering::Relaxed) != version {
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(self.look.min(left)).await;
        }
    }
}

// The entry's id is compared with those that are held, and never becomes a path.
fn file_of(person: &Person, entry_id: &str) -> Option<Arc<str>> {
    person.registration.as_ref()?;
    let shelf = person.datasets.get(&(Dataset::Documents as i32))?;
    let of_id = |held: &&crate::index::Held| held.entry.head.as_ref().is_some_and(|head| head.entry_id == entry_id);
    shelf.entries.iter().find(of_id).map(|held| Arc::clone(&held.file))
}

fn two_in_one() -> SourceError {
    SourceError::Mapping("two different persons are registered under one local id; correct them at the source".into())
}

impl View {
    /// Whether anything can be said of who is known.
    fn knows_people(&self, plan: &Plan) -> Result<(), SourceError> {
        if let Some(csv) = &plan.csv
            && !self.index.tables_of_ms.contains_key(&csv.people.file)
        {
            return Err(SourceError::Unreachable(format!("{} has not been read yet", csv.people.file)));
        }
        if self.pending_bundles > 0 && self.index.bundles_of_ms.is_none() {
            return Err(SourceError::Unreachable("no bundle has been read yet".into()));
        }
        Ok(())
    }

    /// Whether it can be said that somebody is unknown: not before every file that could know them was read.
    fn knows_everybody(&self, plan: &Plan) -> Result<(), SourceError> {
        self.knows_people(plan)?;
        if self.pending_bundles > 0 {
            return Err(SourceError::Unreachable("a bundle that may know this person is still being written".into()));
        }
        Ok(())
    }

    /// One error for each person and each file that could not be read, so that nobody is taken to have left.
    fn unknown_people(&self) -> impl Iterator<Item = SourceError> {
        let bad = self.bad.iter().cloned().map(SourceError::Mapping);
        let lost = (0..self.index.people_lost).map(|_| SourceError::Mapping("a person in a file is unreadable".into()));
        let pending = (0..self.pending_bundles).map(|_| SourceError::Mapping("a bundle is still being written".into()));
        bad.chain(lost).chain(pending)
    }

    /// What is missing, for a check.
    fn unread(&self, plan: &Plan) -> impl Iterator<Item = String> {
        let tables =
            plan.csv.iter().flat_map(|csv| csv.tables.iter().map(|table| &table.file).chain([&csv.people.file]));
        let missing = tables.filter(|file| !self.index.tables_of_ms.contains_key(*file));
        let missing: BTreeSet<String> =
            missing.map(|file| format!("{file} is not there, not whole yet, or bad")).collect();
        let some = |count: u32, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let pending = some(self.pending_bundles, "bundles are still being written");
        let orphans = some(self.index.orphans, "items are about persons whom no file registers; nobody will see them");
        missing.into_iter().chain(pending).chain(orphans)
    }
}
