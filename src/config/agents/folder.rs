//! The agents' folder: which of its files are agents, and what each is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::fault::{Fault, Faults};
use crate::config::read_file;
use crate::config::trunk::MAX_NAME_CHARS;
use crate::config::turn_taking::{self, TurnTakingConfig};
use crate::mind::script::{MAX_SCRIPT_BYTES, Script};

/// A file that holds an agent.
#[derive(Debug)]
pub(super) struct AgentFile {
    /// The file's name without `.toml`.
    pub(super) name: String,
    path: PathBuf,
}

impl AgentFile {
    /// Reads the agent. `tools` are those that it may name.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub(super) fn read(&self, tools: &[&str]) -> Result<(Script, TurnTakingConfig), Faults> {
        let file = self.path.display().to_string();
        let whole = |message| {
            Faults::from(Fault { file: file.clone(), place: None, key: None, value: None, message })
        };
        self.check_name().map_err(whole)?;
        let text = read_file(&self.path, MAX_SCRIPT_BYTES as u64).map_err(whole)?;
        match (Script::parse(&file, &text, tools), turn_taking::read(&file, &text)) {
            (Ok(script), Ok(turn_taking)) => Ok((script, turn_taking)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(faults), Err(others)) => Err(faults.and(others)),
        }
    }

    fn check_name(&self) -> Result<(), String> {
        let is_plain = self.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if self.name.is_empty() || self.name.len() > MAX_NAME_CHARS || !is_plain {
            return Err(format!(
                "the file's name is how routes call the agent: give it 1 to {MAX_NAME_CHARS} letters, digits, dots, \
                 dashes or underscores before `.toml`"
            ));
        }
        // Opening anything else, a named pipe perhaps, could wait for ever.
        match fs::metadata(&self.path) {
            Ok(kind) if kind.is_file() => Ok(()),
            Ok(_) => Err("is no file; remove it from the agents' folder".to_owned()),
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }
}

/// The agents of a folder in the order of their names. Files that begin with a dot are those of editors and of mounts.
///
/// # Errors
/// What to do when the folder cannot be read, has too many agents, or two of one name.
pub(super) fn list(folder: &Path) -> Result<Vec<AgentFile>, String> {
    let shown = folder.display();
    let unreadable = |error: io::Error| {
        format!("{shown} cannot be read: {error}; name a folder, relative to that of this file")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.take(MAX_ENTRIES) {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "toml") && !name.starts_with('.') {
            found.push(AgentFile { name, path });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    if found.len() > MAX_AGENTS {
        return Err(format!(
            "{shown} has {} agents; at most {MAX_AGENTS} are allowed, as their audio is kept in memory",
            found.len()
        ));
    }
    twins(&found).map_or(Ok(()), Err)?;
    Ok(found)
}

/// People who read a route aloud, and some file systems, know no letter case.
fn twins(found: &[AgentFile]) -> Option<String> {
    let mut names: Vec<_> = found.iter().map(|file| (file.name.to_lowercase(), &file.path)).collect();
    names.sort();
    let (one, other) = names.windows(2).find_map(|pair| match pair {
        [(name, one), (same, other)] if name == same => Some((*one, *other)),
        _ => None,
    })?;
    Some(format!(
        "has two agents of one name, {} and {}; rename one of the files",
        one.display(),
        other.display()
    ))
}

/// Each has some megabytes of audio in memory.
pub(super) const MAX_AGENTS: usize = 64;

/// Whatever else lies in the folder; nobody has so many files beside a few agents.
const MAX_ENTRIES: usize = 10_000;
