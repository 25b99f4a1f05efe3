//! The `caly` binary: parses the command line, runs the command, turns its failure into one line and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

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

/// Calls come and go on one thread, their minds on another, what they write on a third: glibc's allocator keeps half as much again
/// as is in use.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Read by jemalloc before `main`; `MALLOC_CONF` in the environment has the last word. What was freed goes back to the system within
/// about a second, by one thread that does nothing else. A piece of more than 1 kB is not kept by the thread that freed it, which is
/// seldom the one that asks for the next.
#[allow(unsafe_code, reason = "jemalloc looks for this name: a pointer to text that ends with 0")]
#[unsafe(export_name = "malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 101] =
    b"background_thread:true,max_background_threads:1,dirty_decay_ms:1000,muzzy_decay_ms:0,tcache_max:1024\0";
