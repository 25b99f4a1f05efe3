//! The keys of providers: out of the environment or out of files, read once, and never shown: not in a fault either.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use caly_provider::secret::Secret;

use crate::config::read_file;
use crate::config::table::Table;

/// What the environment has under a name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub(in crate::config) fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Where keys are found.
pub(super) struct Keys<'a> {
    /// Files are relative to this folder.
    pub(super) base: &'a Path,
    pub(super) environment: Environment<'a>,
}

impl Keys<'_> {
    /// The key of a provider that has to have one; what is wrong with it is noted as a fault.
    pub(super) fn required(&self, table: &mut Table<'_>) -> Secret {
        let is_named = table.has("key_env") || table.has("key_file");
        let key = self.optional(table);
        if !is_named {
            table.fault(
                "needs its API key: name the environment variable that holds it, as key_env = \"SOME_API_KEY\", or \
                 a file, as key_file = \"path\""
                    .to_owned(),
            );
        }
        key.unwrap_or_else(|| Secret::new(""))
    }

    /// The same of servers that may do without.
    pub(super) fn optional(&self, table: &mut Table<'_>) -> Option<Secret> {
        let variable = unseen(table, "key_env", NO_VARIABLE);
        let file = unseen(table, "key_file", "must be the path of a file in quotation marks");
        if variable.is_some() && file.is_some() {
            let message = "a key cannot come from two places; remove `key_file` or `key_env`";
            table.fault_unseen("key_file", message.to_owned());
            return None;
        }
        let (name, found) = match (variable, file) {
            (Some(variable), _) => ("key_env", self.of_variable(&variable)),
            (None, Some(file)) => ("key_file", self.of_file(&file)),
            (None, None) => return None,
        };
        match found {
            Ok(key) => Some(Secret::new(key)),
            Err(message) => {
                table.fault_unseen(name, message);
                None
            }
        }
    }

    fn of_variable(&self, name: &str) -> Result<String, String> {
        // Whoever writes the key itself here is not to see it in a log.
        let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !is_name || name.is_empty() || name.len() > MAX_VARIABLE_CHARS {
            return Err(NO_VARIABLE.to_owned());
        }
        let value = (self.environment)(name).ok_or_else(|| {
            format!("the environment has no {name}; set it for this process, or use key_file = \"path\"")
        })?;
        let value =
            value.to_str().ok_or_else(|| format!("{name} is set to what is no text; set it to the key"))?;
        usable(value).map_err(|what| format!("{name} {what}; set it to the key"))
    }

    fn of_file(&self, file: &str) -> Result<String, String> {
        let path = self.base.join(file);
        // Opening anything else, a named pipe perhaps, could wait for ever.
        match fs::metadata(&path) {
            Ok(kind) if kind.is_file() => {}
            Ok(_) => return Err("is no file; name one that holds the key and nothing else".to_owned()),
            Err(error) => {
                return Err(format!(
                    "cannot be read: {error}; name a file that holds the key, relative to the folder of this file"
                ));
            }
        }
        let text = read_file(&path, MAX_KEY_BYTES)?;
        usable(&text).map_err(|what| format!("the file {what}; let it hold the key and nothing else"))
    }
}

/// A text that is not shown if it is none: some write the key itself, in whatever brackets.
fn unseen(table: &mut Table<'_>, key: &'static str, advice: &str) -> Option<String> {
    let found = table.get(key, |value| Ok(value.as_str().map(str::to_owned)))?;
    if found.is_none() {
        table.fault_unseen(key, advice.to_owned());
    }
    found
}

/// A key without the blanks around it. It becomes part of a header (RFC 9110 section 5.5).
fn usable(text: &str) -> Result<String, &'static str> {
    let key = text.trim();
    if key.is_empty() {
        return Err("is empty");
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err("has blanks, line breaks or letters in it that no key has");
    }
    Ok(key.to_owned())
}

const NO_VARIABLE: &str = "must be the name of an environment variable, of capital letters, digits and underscores, as \
    \"SOME_API_KEY\"; never write the key itself into this file";

/// Longer ones are no names that anybody gives.
const MAX_VARIABLE_CHARS: usize = 128;

/// Some keys are signed tokens of a few kilobytes.
const MAX_KEY_BYTES: u64 = 16 * 1024;
