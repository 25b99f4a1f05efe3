//! The command line: grammar, dispatch, exit codes. Each command's body is a file of its own.

mod args;
mod call;
mod calls;
mod capacity;
mod check;
mod output;
mod prompts;
mod replay;
mod secret;
mod serve;
mod usage;
mod voice_eval;

pub use args::{
    CallArgs, CallsArgs, CallsCommand, CallsLsArgs, CallsShowArgs, CallsWaterfallArgs, CheckArgs, Cli,
    Command, DEFAULT_DATA_DIR, PromptsArgs, ReplayArgs, ServeArgs, VoiceEvalArgs,
};
pub use output::{Failure, FailureKind, Format, Output, Style};
pub use usage::{Usage, parse};

/// Runs one command.
///
/// # Errors
/// What went wrong, ready to be printed, with the exit code.
pub fn run(command: &Command, out: &mut Output<'_>) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args, out),
        Command::Call(args) => call::run(args, out),
        Command::Check(args) => check::run(args, out),
        Command::Prompts(args) => prompts::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::VoiceEval(args) => voice_eval::run(args, out),
        Command::Calls(args) => calls::run(args, out),
    }
}
