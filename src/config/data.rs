//! `[data]` and `[log]`: what is kept of calls, and what the server says about itself.

use std::path::PathBuf;

use super::table::{Table, integer, text, word};
use crate::telemetry::{LogFormat, PhoneNumbers, check_level};

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConfig {
    /// Directory for database, spool and recordings; relative to where the server was started.
    pub dir: PathBuf,
    /// How much the spool may hold while the database is away, in bytes.
    pub spool_max_bytes: u64,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or levels per target.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
    /// Whether phone numbers are shown in full.
    pub phone_numbers: PhoneNumbers,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("./data"), spool_max_bytes: 512 * MEGABYTE }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text, phone_numbers: PhoneNumbers::Masked }
    }
}

impl DataConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        let spool_max_mb = table.get("spool_max_mb", integer(1..=1_048_576, "MB"));
        Self {
            dir: table.get("dir", |value| text(value).and_then(directory)).unwrap_or(default.dir),
            spool_max_bytes: spool_max_mb.map_or(default.spool_max_bytes, |mb| mb * MEGABYTE),
        }
    }
}

impl LogConfig {
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let default = Self::default();
        Self {
            level: table.get("level", |value| text(value).and_then(level)).unwrap_or(default.level),
            format: table.get("format", word(FORMATS)).unwrap_or(default.format),
            phone_numbers: table.get("phone_numbers", word(PHONE_NUMBERS)).unwrap_or(default.phone_numbers),
        }
    }
}

fn directory(path: String) -> Result<PathBuf, String> {
    if path.is_empty() || path.contains('\0') {
        return Err("must be the path of a directory".to_owned());
    }
    Ok(path.into())
}

fn level(level: String) -> Result<String, String> {
    check_level(&level)
        .map_err(|_| "must be error, warn, info, debug or trace, or a list of target=level".to_owned())?;
    Ok(level)
}

const MEGABYTE: u64 = 1024 * 1024;

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

const PHONE_NUMBERS: &[(&str, PhoneNumbers)] =
    &[("masked", PhoneNumbers::Masked), ("shown", PhoneNumbers::Shown)];
