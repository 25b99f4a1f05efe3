//! `caly prompts`: renders what agents say into a folder of clips, as they are shipped.

use serde_json::json;

use super::{Failure, Format, Output, PromptsArgs};
use crate::mind::script::Script;
use crate::prompt::{self, Espeak};
use crate::tools::BUILT_IN;

/// Runs the command.
///
/// # Errors
/// When an agent has faults, or a line of it cannot be rendered or kept.
pub(super) fn run(args: &PromptsArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for path in &args.agents {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::refused(format!("{file}: {error}")).advise("name an agent's file"))?;
        let script =
            Script::parse(&file, &text, BUILT_IN).map_err(|faults| Failure::faulty_agent(&faults))?;
        lines.extend(prompt::lines_of(&script));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let written = runtime
        .block_on(prompt::write(lines, &args.out, &Espeak::default()))
        .map_err(|error| Failure::failed(error.to_string()).advise(error.advice()))?;
    let folder = args.out.display();
    match out.format() {
        Format::Json => out.json(&json!({
            "folder": folder.to_string(),
            "clips": written.clips,
            "rendered": written.rendered,
            "removed": written.removed,
            "bytes": written.bytes,
        })),
        Format::Text => out.line(format_args!(
            "{folder}: {} clips, {} kB; {} rendered, {} removed",
            written.clips,
            written.bytes / 1000,
            written.rendered,
            written.removed
        )),
    }
}
