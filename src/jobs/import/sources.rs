//! Which files an import reads, and how they are packed.

use std::fs;
use std::path::{Path, PathBuf};

/// Why the inputs could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{}: what this is does not show in its name; an import takes folders and files named \
         .json, .ndjson, .jsonl (each also with .gz), .tar, .tar.gz and .tgz",
        path.display()
    )]
    UnknownKind { path: PathBuf },
    #[error("{}: nothing in this folder can be imported", path.display())]
    Empty { path: PathBuf },
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Input {
    pub path: PathBuf,
    pub kind: Kind,
    /// As it lies on the disk.
    pub bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub layout: Layout,
    pub is_gzip: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// One Bundle or one resource.
    Document,
    /// A resource or Bundle a line.
    Lines,
    /// A tar of files.
    Archive,
}

impl Kind {
    /// By the name alone; None for what an import does not know.
    pub fn of_name(name: &str) -> Option<Kind> {
        let lower = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        // Such as the `._name` that one system adds to archives.
        if lower.starts_with('.') {
            return None;
        }
        if lower.ends_with(".tgz") {
            return Some(Kind { layout: Layout::Archive, is_gzip: true });
        }
        let (plain, is_gzip) = match lower.strip_suffix(".gz") {
            Some(plain) => (plain, true),
            None => (lower.as_str(), false),
        };
        let layout = match plain.rsplit_once('.')?.1 {
            "json" => Layout::Document,
            "ndjson" | "jsonl" => Layout::Lines,
            "tar" => Layout::Archive,
            _ => return None,
        };
        Some(Kind { layout, is_gzip })
    }
}

/// True for files that hold what others refer to, by the names that Synthea gives them.
pub fn comes_first(name: &str) -> bool {
    let name = name.rsplit(['/', '!']).next().unwrap_or(name);
    ["hospitalInformation", "practitionerInformation"].iter().any(|first| name.starts_with(first))
}

/// All files of the paths: folders are walked in the order of their names, without what is
/// hidden and without links to folders. A file that is named itself must be of a known kind.
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, SourceError> {
    let mut inputs = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(file_error(path))?;
        if metadata.is_dir() {
            let before = inputs.len();
            walk(path, &mut inputs)?;
            if inputs.len() == before {
                return Err(SourceError::Empty { path: path.clone() });
            }
            continue;
        }
        let kind = Kind::of_name(&path.to_string_lossy())
            .ok_or_else(|| SourceError::UnknownKind { path: path.clone() })?;
        inputs.push(Input { path: path.clone(), kind, bytes: metadata.len() });
    }
    Ok(inputs)
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> Result<(), SourceError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(file_error(folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(file_error(&path))?;
        if kind.is_dir() {
            walk(&path, inputs)?;
        } else if let Some(kind) = Kind::of_name(&path.to_string_lossy()) {
            let bytes = fs::metadata(&path).map_err(file_error(&path))?.len();
            inputs.push(Input { path, kind, bytes });
        }
    }
    Ok(())
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_owned();
    move |source| SourceError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_how_a_file_is_packed() {
        let kind = |name| Kind::of_name(name).map(|kind| (kind.layout, kind.is_gzip));
        assert_eq!(kind("a/Patient.000.ndjson"), Some((Layout::Lines, false)));
        assert_eq!(kind("a.NDJSON.gz"), Some((Layout::Lines, true)));
        assert_eq!(kind("a.json"), Some((Layout::Document, false)));
        assert_eq!(kind("a.tar.gz"), Some((Layout::Archive, true)));
        assert_eq!(kind("a.tgz"), Some((Layout::Archive, true)));
        assert_eq!(kind("a.tar"), Some((Layout::Archive, false)));
        for other in ["README.md", "a.gz", "json", "x/._a.json", ""] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn what_others_refer_to_comes_first() {
        assert!(comes_first("s.tar.gz!fhir/hospitalInformation1559319163815.json"));
        assert!(comes_first("fhir/practitionerInformation1.json"));
        assert!(!comes_first("hospitalInformation/Ana.json"));
    }

    #[test]
    fn folders_are_walked_in_order_and_unknown_files_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["b.ndjson", "a/c.json", "README.md", ".hidden/d.json"] {
            fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
            fs::write(path.join(name), "{}").unwrap();
        }
        let found = inputs(&[path.to_owned()]).unwrap();
        let names: Vec<_> = found.iter().map(|input| input.path.clone()).collect();
        assert_eq!(names, [path.join("a/c.json"), path.join("b.ndjson")]);
        assert!(matches!(inputs(&[path.join("README.md")]), Err(SourceError::UnknownKind { .. })));
        assert!(matches!(inputs(&[path.join("no")]), Err(SourceError::File { .. })));
    }
}
