//! Where log lines go: standard error, as text or JSON.

use super::Failure;
use super::log_buffer::LogBuffer;
use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging for the process; the buffer returned is to be flushed at its end. Refused
/// where the filter cannot be read.
pub fn start(config: &LogConfig) -> Result<LogBuffer, Failure> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| format!("BHN_LOG={}: {error}", config.log))?;
    let buffer = LogBuffer::start()?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(buffer.clone());
    match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).try_init()?,
    }
    Ok(buffer)
}
