//! Keeps the last good version of every file, and the index made from them. One look at the folder at a time; readers
//! never wait for one another.

use crate::{
    bundles,
    folder::{Folder, Stamp},
    held::Loaded,
    index::{Index, Version, build},
    settings::Plan,
    tables,
};
use severn_adapter_fhir::map::MapContext;
use severn_adapter_sdk::{
    mapping::{ReadAt, SourceContext},
    source::SourceError,
};
use severn_trust::Clock;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};
use tokio::{task::spawn_blocking, time::Instant};
use tracing::warn;

/// Remarks shown by a check.
const REMARKS_MAX: usize = 50;

/// What the folder says.
pub(crate) struct View {
    pub index: Index,
    /// Goes up with every change.
    pub version: u64,
    /// Files that were read.
    pub files: usize,
    /// Why a file could not be read in its present state: name and reason.
    pub bad: Vec<String>,
    /// Bundles of which no version could be read.
    pub bad_bundles: u32,
    /// Bundles that are being written and of which no version was read.
    pub pending_bundles: u32,
    /// What is wrong within files that were read.
    pub remarks: Vec<String>,
}

/// The keeper.
pub(crate) struct Keeper {
    plan: Arc<Plan>,
    context: SourceContext,
    clock: Arc<dyn Clock>,
    look: Duration,
    /// When the folder was last looked at. Held while looking, so that there is one look at a time.
    looked: tokio::sync::Mutex<Option<Instant>>,
    // Std locks: nothing is awaited while they are held. The first is held through a look, on a thread for blocking.
    files: Mutex<Files>,
    view: RwLock<Option<Arc<View>>>,
}

struct Files {
    folder: Folder,
    kept: BTreeMap<String, Kept>,
    version: u64,
}

/// One file.
struct Kept {
    /// The state that was last tried.
    tried: Stamp,
    /// The last good version.
    good: Option<Version>,
    /// Why the state that was last tried is not good.
    bad: Option<String>,
}

impl Keeper {
    pub(crate) fn new(
        folder: Folder,
        plan: Arc<Plan>,
        context: SourceContext,
        clock: Arc<dyn Clock>,
        look: Duration,
    ) -> Keeper {
        Keeper {
            plan,
            context,
            clock,
            look,
            looked: tokio::sync::Mutex::default(),
            files: Mutex::new(Files { folder, kept: BTreeMap::new(), version: 0 }),
            view: RwLock::default(),
        }
    }

    /// What the folder said when it was last looked at.
    pub(crate) fn view(&self) -> Option<Arc<View>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the folder, unless somebody just did, and reads what has changed.
    pub(crate) async fn look(self: &Arc<Self>) -> Result<(), SourceError> {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < self.look) && self.view().is_some() {
            return Ok(());
        }
        let keeper = Arc::clone(self);
        let done = spawn_blocking(move || keeper.look_now()).await;
        done.map_err(|_| SourceError::Unreachable("reading file.folder was broken off".into()))??;
        *looked = Some(Instant::now());
        Ok(())
    }

    /// The bytes of a file that the index names; `None` while it is being changed.
    pub(crate) async fn bytes(self: &Arc<Self>, file: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let (keeper, file) = (Arc::clone(self), file.to_owned());
        let read = move || {
            let files = keeper.files.lock().unwrap_or_else(PoisonError::into_inner);
            let tried = files.kept.get(&file).map(|kept| kept.tried)?;
            files.folder.read(&file, tried).ok().flatten()
        };
        spawn_blocking(read).await.map_err(|_| SourceError::Unreachable("reading a file was broken off".into()))
    }

    fn look_now(&self) -> Result<(), SourceError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        let listed = files.folder.list(now_ms)?;
        let gone: Vec<String> = files.kept.keys().filter(|name| !listed.contains_key(*name)).cloned().collect();
        let had_bundles = files.kept.iter().any(|(name, kept)| kept.good.is_some() && !files.folder.is_table(name));
        // A share that is not mounted looks like an empty folder. That everybody has gone at once is not believed.
        if had_bundles && !listed.keys().any(|name| !files.folder.is_table(name)) {
            return Err(SourceError::Unreachable(
                "every bundle has gone from file.folder at once; is it mounted?".into(),
            ));
        }
        let mut changed = self.view().is_none();
        for name in gone {
            // An extract that is gone is being replaced: its last version stands until the new one is there.
            if !files.folder.is_table(&name) {
                files.kept.remove(&name);
                changed = true;
            }
        }
        let mut pending_bundles = 0;
        for (name, stamp) in &listed {
            let known = files.kept.get(name);
            if known.is_some_and(|kept| kept.tried == *stamp) {
                continue;
            }
            let read = if files.folder.is_settled(name, now_ms) { files.folder.read(name, *stamp) } else { Ok(None) };
            if let Ok(None) = read {
                let is_new = known.is_none_or(|kept| kept.good.is_none()) && !files.folder.is_table(name);
                pending_bundles += u32::from(is_new);
                continue;
            }
            let is_table = files.folder.is_table(name);
            let loaded = read.map_err(|_| format!("{name} cannot be read; may we read it, and is it under 1 GiB?"));
            let loaded = loaded.and_then(|bytes| self.load(name, &bytes.unwrap_or_default(), is_table, now_ms));
            files.keep(name, *stamp, is_table, loaded);
            changed = true;
        }
        let stood_pending = self.view().is_some_and(|view| view.pending_bundles != pending_bundles);
        if changed || stood_pending {
            files.version += 1;
            let view = files.view(pending_bundles);
            *self.view.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
        }
        Ok(())
    }

    fn load(&self, name: &str, bytes: &[u8], is_table: bool, now_ms: i64) -> Result<Loaded, String> {
        if is_table {
            let plan = self.plan.csv.as_ref().ok_or("no extract is configured")?;
            return tables::load(bytes, name, plan, &ReadAt { context: &self.context, retrieved_at_ms: now_ms });
        }
        let plan = self.plan.bundles.as_ref().ok_or("no bundle is configured")?;
        let context = MapContext {
            assigning_authority: plan.identifier_system.clone().unwrap_or_else(|| self.context.source_id.clone()),
            source: self.context.clone(),
            retrieved_at_ms: now_ms,
        };
        bundles::load(bytes, name, plan, &context)
    }
}

impl Files {
    fn keep(&mut self, name: &str, stamp: Stamp, is_table: bool, loaded: Result<Loaded, String>) {
        let kept = self.kept.entry(name.to_owned()).or_insert(Kept { tried: stamp, good: None, bad: None });
        kept.tried = stamp;
        match loaded {
            Ok(loaded) => {
                for remark in &loaded.remarks {
                    warn!(remark, "something in a file is unreadable");
                }
                kept.good = Some(Version { loaded: Arc::new(loaded), modified_ms: stamp.modified_ms(), is_table });
                kept.bad = None;
            }
            Err(why) => {
                warn!(why, "a file is unreadable; its last good version stands");
                kept.bad = Some(why);
            }
        }
    }

    fn view(&self, pending_bundles: u32) -> View {
        let versions = self.kept.iter().filter_map(|(name, kept)| {
            let Version { loaded, modified_ms, is_table } = kept.good.as_ref()?;
            Some((name.clone(), Version { loaded: Arc::clone(loaded), modified_ms: *modified_ms, is_table: *is_table }))
        });
        let versions: BTreeMap<String, Version> = versions.collect();
        let never = self.kept.iter().filter(|(name, kept)| kept.good.is_none() && !self.folder.is_table(name)).count();
        View {
            index: build(&versions),
            version: self.version,
            files: versions.len(),
            bad: self.kept.values().filter_map(|kept| kept.bad.clone()).collect(),
            bad_bundles: u32::try_from(never).unwrap_or(u32::MAX),
            pending_bundles,
            remarks: versions.values().flat_map(|v| v.loaded.remarks.iter().cloned()).take(REMARKS_MAX).collect(),
        }
    }
}
