//! The layout of the code, checked: layers, sizes, names, and what must agree with the code.

mod functions;
mod layers;
mod names;
mod sizes;
mod texts;

use std::path::{Path, PathBuf};

/// A source file of the repository.
pub struct Source {
    /// Relative to the repository, such as `src/http/router.rs`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// The code without its unit tests; empty for a file of unit tests.
    pub fn shipped(&self) -> &str {
        if self.path.starts_with("src/") && self.path.ends_with("tests.rs") {
            return "";
        }
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }

    /// The lines of the shipped code that are no comments, with their numbers.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.shipped().lines());
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every file below the folders with that extension, in order of path.
pub fn sources(folders: &[&str], extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => collect(&path, paths),
            path => paths.push(path),
        }
    }
}

/// Fails with everything that was found, one a line.
#[track_caller]
pub fn nothing_found(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
