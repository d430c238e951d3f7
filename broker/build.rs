//! Makes a digest of everything that what the index derives from its events depends on, so that a broker takes over
//! nothing that another version derived. Nobody has to remember to raise a number.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
};

/// The rules, what they read registrations with, and the versions of all that they are built on.
const SOURCES: [&str; 7] = [
    "src/index",
    "src/facts",
    "linkage/src",
    "linkage/data",
    "../proto/wire/proto",
    "../proto/trust/src",
    "../Cargo.lock",
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut digest = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        add(&root.join(source), &mut digest)?;
    }
    println!("cargo::rustc-env=SEVERN_INDEX_RULES={:016x}", digest.finish());
    Ok(())
}

fn add(path: &Path, digest: &mut DefaultHasher) -> io::Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| add(entry, digest));
    }
    path.file_name().hash(digest);
    fs::read(path)?.hash(digest);
    Ok(())
}
