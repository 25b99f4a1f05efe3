//! Dialogues written as a file: prompts and states that callers walk through with their keypad. `docs/agents.md` is the
//! reference of the format.

mod check;
mod format;
mod machine;

pub use check::MAX_SCRIPT_BYTES;
pub use format::Script;
pub use machine::ScriptMind;

#[cfg(test)]
mod tests;
