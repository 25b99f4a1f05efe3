//! `caly serve`: runs the server until a signal, then drains it.

use std::io;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::start::{App, StartError};
use crate::config::Config;
use crate::signaling::Destinations;

/// Runs the server; `ready` is called once, when calls are answered. Returns after SIGINT or SIGTERM, when all calls have
/// ended or the grace period is over; a second signal ends them at once.
///
/// # Errors
/// When the server cannot start.
pub fn serve(config: Config, destinations: Destinations, ready: impl FnOnce(&App)) -> Result<(), StartError> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("caly-edge")
        .thread_keep_alive(POOL_PATIENCE)
        .enable_all()
        .build()
        .map_err(|error| StartError::System { what: "the runtime cannot be started", error })?;
    runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| StartError::System { what: "no signals", error })?;
        let grace = config.limits.grace;
        let app = App::start(config, destinations).await?;
        ready(&app);
        tokio::select! {
            () = signals.next() => {}
            () = app.broken() => return Err(broken()),
        }
        tracing::info!(calls = app.calls(), grace_s = grace.as_secs(), "draining: new calls are refused");
        app.drain(grace, signals.next()).await;
        let is_broken = app.is_broken();
        app.stop().await;
        tracing::info!("stopped");
        if is_broken { Err(broken()) } else { Ok(()) }
    })?;
    runtime.shutdown_timeout(SHUTDOWN_TIME);
    Ok(())
}

fn broken() -> StartError {
    StartError::System { what: BROKEN, error: io::ErrorKind::Other.into() }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Without one of them no call is answered; whoever watches over the process must start it again.
const BROKEN: &str = "a thread of the server broke off; the log above says why";
/// The edges (HTTP, database, names) are idle most of the time; the media threads must not share their cores with more.
const WORKERS: usize = 2;
/// Threads for files and names end after so long without work: what a server holds when it is idle does not depend on what it
/// did before.
const POOL_PATIENCE: Duration = Duration::from_secs(1);
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);
