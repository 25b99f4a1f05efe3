//! The agents' folder: which of its files are agents, and what each is called.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::config::fault::{Fault, Faults};
use crate::config::read_file;
use crate::config::table::{Document, Table, word};
use crate::config::trunk::MAX_NAME_CHARS;
use crate::mind::script::MAX_SCRIPT_BYTES;

/// A file that holds an agent.
#[derive(Debug)]
pub(super) struct AgentFile {
    /// The file's name without `.toml`.
    pub(super) name: String,
    path: PathBuf,
}

/// What an agent's file says it thinks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MindKind {
    Script,
    Cascade,
    Realtime,
}

/// The text of an agent's file.
#[derive(Debug)]
pub(super) struct AgentText {
    /// The file's name without `.toml`.
    pub(super) name: String,
    /// Its path, as faults tell it.
    pub(super) file: String,
    /// The folder that it is in.
    pub(super) folder: PathBuf,
    pub(super) text: String,
    pub(super) kind: MindKind,
}

impl AgentFile {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, its name is none for an agent, or it is of no kind.
    pub(super) fn read(&self) -> Result<AgentText, Faults> {
        let file = self.path.display().to_string();
        let whole = |message| {
            Faults::from(Fault { file: file.clone(), place: None, key: None, value: None, message })
        };
        self.check_name().map_err(whole)?;
        let text = read_file(&self.path, MAX_SCRIPT_BYTES as u64).map_err(whole)?;
        let kind = kind(&file, &text)?;
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(AgentText { name: self.name.clone(), file, folder, text, kind })
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

/// Which kind of agent a file is. Faults of its syntax are told by who reads the rest.
fn kind(file: &str, text: &str) -> Result<MindKind, Faults> {
    let document = Document::new(file, text);
    let (keys, _) = DeTable::parse_recoverable(text);
    let mut table = Table::root(&document, &keys).section("mind");
    let kind = table.get("kind", word(KINDS)).unwrap_or(MindKind::Script);
    if kind == MindKind::Script && document.is_sound() {
        table.finish();
    }
    match Faults::of(document.into_faults()) {
        None => Ok(kind),
        Some(faults) => Err(faults),
    }
}

const KINDS: &[(&str, MindKind)] =
    &[("script", MindKind::Script), ("cascade", MindKind::Cascade), ("realtime", MindKind::Realtime)];

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
