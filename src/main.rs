//! The `caly` binary: parses the command line, runs the command, turns its failure into one line and an exit code.

use std::io;
use std::process::ExitCode;

use caly::cli::{self, Cli, Format, Output, Style};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = if cli.json { Format::Json } else { Format::Text };
    let mut stdout = io::stdout();
    let mut out = Output::new(&mut stdout, format, Style::of_stdout());
    match cli::run(&cli.command, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If standard error is closed too, the exit code alone has to tell.
            let _ = failure.print(&mut io::stderr().lock(), format);
            ExitCode::from(failure.exit_code())
        }
    }
}
