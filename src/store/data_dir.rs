//! The layout of a server's data directory.

use std::path::{Path, PathBuf};

/// A data directory. Making one of these touches nothing on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The data directory at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.root.join("caly.db")
    }

    /// The file that a running server keeps locked.
    pub fn lock(&self) -> PathBuf {
        self.root.join("caly.lock")
    }

    /// Events on their way to the database.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// The recordings, in a folder for each day.
    pub fn recordings(&self) -> PathBuf {
        self.root.join("recordings")
    }

    /// Rendered prompts, by the hash of what they say.
    pub fn prompts(&self) -> PathBuf {
        self.root.join("prompts")
    }

    /// The demo shop's orders.
    pub fn shop(&self) -> PathBuf {
        self.root.join("shop.db")
    }
}
