//! Storage, passed in: a folder of append-only files and of small files that are replaced whole.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Cursor, Read, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// An append-only file.
pub trait Append: Send {
    /// Adds bytes at the end. They are durable after [`Append::sync`] only.
    ///
    /// # Errors
    /// As the storage gives them; part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was appended durable.
    ///
    /// # Errors
    /// As the storage gives them; what was appended since the last success may or may not be durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// As the storage gives them.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A folder.
pub trait Disk: Send + Sync + 'static {
    /// Opens a file for appending, making it where it does not exist.
    ///
    /// # Errors
    /// As the storage gives them.
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Append>>;

    /// Reads a whole file.
    ///
    /// # Errors
    /// As the storage gives them; `NotFound` where there is none.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Replaces a small file, whole or not at all.
    ///
    /// # Errors
    /// As the storage gives them.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Opens a file to read it piece by piece.
    ///
    /// # Errors
    /// As the storage gives them; `NotFound` where there is none.
    fn open_read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Reads at most `length` bytes of a file from byte `from` on; fewer at its end.
    ///
    /// # Errors
    /// As the storage gives them; `NotFound` where there is none.
    fn read_at(&self, name: &str, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = self.open_read(name)?;
        io::copy(&mut (&mut file).take(from), &mut io::sink())?;
        read_up_to(file, length)
    }

    /// The names of all files, in no particular order.
    ///
    /// # Errors
    /// As the storage gives them.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the storage gives them; `NotFound` where there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A folder of the machine. Files are readable by their owner only.
#[derive(Clone, Debug)]
pub struct SystemDisk {
    folder: PathBuf,
}

impl SystemDisk {
    /// Uses `folder`, making it where it does not exist.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<SystemDisk> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        Ok(SystemDisk { folder })
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }
}

impl Disk for SystemDisk {
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        let file = private().append(true).create(true).open(self.folder.join(name))?;
        // The name itself must survive a power cut, not only the bytes behind it.
        File::open(&self.folder)?.sync_all()?;
        Ok(Box::new(file))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let next = self.folder.join(format!("{name}.next"));
        let mut file = private().write(true).create(true).truncate(true).open(&next)?;
        file.write_all(bytes)?;
        // The bytes before the name: else a power cut may leave the new name with nothing behind it.
        file.sync_data()?;
        fs::rename(next, self.folder.join(name))
    }

    fn open_read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.folder.join(name))?))
    }

    fn read_at(&self, name: &str, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.folder.join(name))?;
        file.seek(SeekFrom::Start(from))?;
        read_up_to(file, length)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }
}

fn read_up_to(file: impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file of the machine, readable by its owner only: whole, or not at all. Gives what `write` gives.
///
/// # Errors
/// As `write` gives them, or the operating system does.
pub fn write_whole<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> Result<T, E>,
) -> Result<T, E> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let mut out = BufWriter::new(private().write(true).create(true).truncate(true).open(&next)?);
    let written = write(&mut out).and_then(|written| {
        out.flush()?;
        out.get_ref().sync_data()?;
        fs::rename(&next, path)?;
        Ok(written)
    });
    if written.is_err() {
        drop(fs::remove_file(&next));
    }
    written
}

/// A folder in memory, for simulation. Clones share it. Can be told to be full.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    content: BTreeMap<String, Vec<u8>>,
    full: bool,
}

impl MemoryDisk {
    /// From now on every write fails as on a full disk, or no longer.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Everything in the folder: name and bytes.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().content.clone()
    }

    // A std mutex: nothing is awaited while it is held.
    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    name: String,
}

fn writable(files: &Files) -> io::Result<()> {
    if files.full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

impl Append for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.disk.lock();
        writable(&files)?;
        files.content.entry(self.name.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        writable(&self.disk.lock())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut files = self.disk.lock();
        files.content.entry(self.name.clone()).or_default().truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        self.lock().content.entry(name.to_owned()).or_default();
        Ok(Box::new(MemoryFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.lock().content.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.lock();
        writable(&files)?;
        files.content.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn open_read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.read(name)?)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().content.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lock().content.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
