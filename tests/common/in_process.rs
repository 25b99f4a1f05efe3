//! The server inside the test's own process, for destinations that only a test has.

use std::time::Duration;

use caly::app::App;
use caly::config::{Config, PortRange};
use caly::signaling::Destinations;
use tokio::runtime::Runtime;

use super::ports::PortBlock;
use super::records::Records;
use super::scratch::Scratch;

/// A running server; stopped in order on drop.
pub(crate) struct InProcess {
    app: Option<App>,
    runtime: Runtime,
    _ports: PortBlock,
    scratch: Scratch,
}

impl InProcess {
    /// Starts one on loopback with `pairs` pairs of RTP ports. `names` are those of the destinations that stand in
    /// `toml`'s routes.
    #[track_caller]
    pub(crate) fn start(toml: &str, names: &[&str], destinations: Destinations, pairs: u16) -> Self {
        let (scratch, ports) = (Scratch::new("in-process"), PortBlock::claim());
        let mut config = Config::parse("caly.toml", toml, names).expect("the configuration is sound");
        config.sip.listen = ([127, 0, 0, 1], 0).into();
        config.http.listen = ([127, 0, 0, 1], 0).into();
        config.data.dir = scratch.join("data");
        let first = *ports.rtp().start();
        config.rtp.ports = PortRange::new(first, first + 2 * pairs - 1).expect("a pair at least");
        let runtime = Runtime::new().expect("a runtime");
        let app = runtime.block_on(App::start(config, destinations)).expect("the server starts");
        Self { app: Some(app), runtime, _ports: ports, scratch }
    }

    /// The running server.
    pub(crate) fn app(&self) -> &App {
        self.app.as_ref().expect("it is stopped on drop only")
    }

    /// Tasks that are not over.
    pub(crate) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Drains it, as at a signal.
    pub(crate) fn drain(&self, grace: Duration) {
        self.runtime.block_on(self.app().drain(grace, std::future::pending()));
    }

    /// What its calls leave.
    pub(crate) fn records(&self) -> Records {
        Records::new(self.scratch.join("data"))
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            self.runtime.block_on(app.stop());
        }
    }
}
