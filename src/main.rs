//! The `caly` binary: parses the command line, runs the command, turns its failure into one line and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use caly::cli::{self, Failure, Format, Output, Style, Usage};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Usage::Wrong(failure, format)) => return fail(&failure, format),
        // Whoever closed the stream did not want to see the help; as below.
        Err(Usage::Shown(text)) => {
            let _ = io::stdout().lock().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Usage::Bare(text)) => {
            let _ = io::stderr().lock().write_all(text.as_bytes());
            return ExitCode::from(USAGE);
        }
    };
    let format = if cli.json { Format::Json } else { Format::Text };
    let mut stdout = io::stdout();
    let mut out = Output::new(&mut stdout, format, Style::of_stdout());
    match cli::run(&cli.command, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure, format),
    }
}

fn fail(failure: &Failure, format: Format) -> ExitCode {
    // If standard error is closed too, the exit code alone has to tell.
    let _ = failure.print(&mut io::stderr().lock(), format);
    ExitCode::from(failure.exit_code())
}

/// The command line is wrong.
const USAGE: u8 = 2;
