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
    /// Whether it is compiled for unit tests alone.
    pub is_test: bool,
}

impl Source {
    /// The code without its unit tests; empty for a file of unit tests.
    pub fn shipped(&self) -> &str {
        if self.is_test {
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
        is_test: false,
    };
    let mut sources: Vec<Source> = paths.into_iter().map(read).collect();
    let of_tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        let is_within = |module: &String| {
            stem.strip_prefix(module.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        source.is_test = of_tests.iter().any(is_within);
    }
    sources
}

/// Paths without extension of the modules that the file declares for unit tests alone.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.strip_suffix("/mod.rs") {
        Some(folder) => folder.to_owned(),
        None if source.path == "src/lib.rs" => "src".to_owned(),
        None => source.path.trim_end_matches(".rs").to_owned(),
    };
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| **line == "#[cfg(test)]") {
        let declared = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
        let name = declared.and_then(|line| line.strip_suffix(';')?.split("mod ").nth(1));
        let path = lines.get(at + 1).and_then(|line| line.strip_prefix("#[path = \""));
        let beside = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match (path, name) {
            (Some(path), _) => {
                found.push(format!("{beside}/{}", path.trim_end_matches(".rs\"]")));
            }
            (None, Some(name)) => found.push(format!("{folder}/{name}")),
            (None, None) => {}
        }
    }
    found
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
