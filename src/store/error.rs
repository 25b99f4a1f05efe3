//! Why the store cannot be used, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be opened, or what is in it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder is missing, no folder, or cannot be written.
    #[error("{} cannot be used: {source}", path.display())]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// Another server runs on the same data directory.
    #[error("{} is in use by another server{}", root.display(), owner(*process))]
    InUse {
        /// The data directory.
        root: PathBuf,
        /// The other server's process.
        process: Option<u32>,
    },
    /// There is no database here.
    #[error("there is no database in {}", root.display())]
    Absent {
        /// The data directory.
        root: PathBuf,
    },
    /// Something else stands in the database's place.
    #[error("{} is {what}, not a database of Caly", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The database was written by a later version.
    #[error("{} was written by a newer Caly (schema {found}, this version knows {known})", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema of this version.
        known: i64,
    },
    /// The database was written by an earlier version and no server of this version has opened it since.
    #[error("{} was written by an older Caly (schema {found}, this version needs {known})", file.display())]
    Older {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema of this version.
        known: i64,
    },
    /// Another program holds the database for longer than we wait.
    #[error("{} is locked by another program", file.display())]
    Locked {
        /// The file.
        file: PathBuf,
    },
    /// The database cannot be written: rights, a read-only or a full file system.
    #[error("{} cannot be written: {source}", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// Anything else the database reports.
    #[error("{}: {source}", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A row in the database cannot be understood.
    #[error("{}: {what}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl StoreError {
    /// What somebody in front of a terminal can do.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "make the directory writable or choose another with --data",
            Self::InUse { .. } => "stop that server or choose another directory with --data",
            Self::Absent { .. } => "name the server's data directory with --data",
            Self::Foreign { .. } => "move it away or choose another directory with --data",
            Self::Newer { .. } => "install that version again or choose another directory with --data",
            Self::Older { .. } => "start `caly serve` once with this version; it updates the database",
            Self::Locked { .. } => {
                "end the program that has it open (see `fuser -v` on the file) and try again"
            }
            Self::Unwritable { .. } => {
                "make room on the disk and check the rights of the file and of its directory"
            }
            Self::Database { .. } | Self::Corrupt { .. } => {
                "check the disk; the file can be examined with `sqlite3 FILE 'PRAGMA integrity_check'`"
            }
        }
    }

    /// Sorts what the database said about `file`.
    pub(super) fn of(file: &Path, source: sqlx::Error) -> Self {
        let file = file.to_path_buf();
        match primary_code(&source) {
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Locked { file },
            Some(SQLITE_READONLY | SQLITE_FULL | SQLITE_IOERR | SQLITE_CANTOPEN | SQLITE_PERM) => {
                Self::Unwritable { file, source }
            }
            Some(SQLITE_NOTADB) => Self::Foreign { file, what: "a file of another kind" },
            Some(_) | None => Self::Database { file, source },
        }
    }
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    // The upper bits of an extended code tell details.
    Some(code & 0xff)
}

fn owner(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

const SQLITE_PERM: u32 = 3;
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_READONLY: u32 = 8;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_NOTADB: u32 = 26;
