//! The statements that the database ran for a request, with their plans: `auto_explain` tells
//! them in the log of the private cluster, as they ran, planned once or for their values.

use crate::floor::sql;
use crate::server::Server;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database writes its log before it answers, but for the end of a statement whose rows were
/// read before it ended.
const LOG_WITHIN: Duration = Duration::from_millis(60);

const SETTINGS: [(&str, &str); 5] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_min_duration", "0"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_format", "json"),
];

/// Has sessions that begin from now on tell their plans.
pub fn tell(server: &Server) -> Result<(), String> {
    for (name, value) in SETTINGS {
        sql(server, "postgres", &format!("alter database bhn_fhir set {name} = '{value}'"))?;
    }
    Ok(())
}

/// Takes that back.
pub fn tell_no_more(server: &Server) -> Result<(), String> {
    for (name, _) in SETTINGS {
        sql(server, "postgres", &format!("alter database bhn_fhir reset {name}"))?;
    }
    Ok(())
}

/// One statement as it ran.
pub struct Ran {
    pub text: String,
    /// As `explain (analyze, buffers, format json)` has it.
    pub plan: Value,
}

/// The log, from where it was read last.
pub struct Log {
    path: PathBuf,
    read: u64,
}

impl Log {
    pub fn open(data: &Path) -> Result<Log, String> {
        let mut log = Log { path: data.join("postgres.log"), read: 0 };
        log.rest()?;
        Ok(log)
    }

    fn rest(&mut self) -> Result<String, String> {
        std::thread::sleep(LOG_WITHIN);
        let told = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let mut file = File::open(&self.path).map_err(told)?;
        file.seek(SeekFrom::Start(self.read)).map_err(told)?;
        let mut bytes = Vec::new();
        self.read += file.read_to_end(&mut bytes).map_err(told)? as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What ran since.
    pub fn statements(&mut self) -> Result<Vec<Ran>, String> {
        let text = self.rest()?;
        let mut found = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.contains("duration: ") || !line.trim_end().ends_with("plan:") {
                continue;
            }
            let mut json = String::new();
            while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
                json.push_str(line.trim_start_matches('\t'));
                json.push('\n');
            }
            let mut told: Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
            let text = told["Query Text"].as_str().unwrap_or_default().to_owned();
            found.push(Ran { text, plan: told["Plan"].take() });
        }
        Ok(found)
    }
}
