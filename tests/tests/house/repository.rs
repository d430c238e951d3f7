//! Reads the repository: text files and folders, without what tools put there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const SKIPPED: [&str; 4] = ["target", "node_modules", "__pycache__", ".git"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files with one of the extensions (an empty one for scripts without), by path from the root, with their text.
pub fn files(extensions: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    walk(&root(), &mut |path, relative| {
        let extension = path.extension().map_or("", |e| e.to_str().unwrap_or("?"));
        let wanted = path.is_file() && extensions.contains(&extension) && relative != "LICENSE";
        if let Some(text) = wanted.then(|| fs::read_to_string(path).ok()).flatten() {
            found.insert(relative.to_owned(), text);
        }
    });
    found
}

/// The folders a newcomer must find in the README: those at the top, every crate's, and the broker's stages.
pub fn folders() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), &mut |path, relative| {
        let top = !relative.contains('/');
        let stage = relative.strip_prefix("broker/src/").is_some_and(|rest| !rest.contains('/'));
        if path.is_dir() && !relative.starts_with('.') && (top || stage || path.join("Cargo.toml").is_file()) {
            found.push(relative.to_owned());
        }
    });
    found
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &str)) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("?");
        let hidden_folder = path.is_dir() && name.starts_with('.') && name != ".ci" && name != ".github";
        if SKIPPED.contains(&name) || hidden_folder || path.is_symlink() {
            continue;
        }
        let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        visit(&path, &relative);
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}
