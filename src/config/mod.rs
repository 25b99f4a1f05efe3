//! The server's configuration: one TOML file, read and checked as a whole before anything is opened.
//!
//! `config/caly.toml` shows every key with its default; `docs/configuration.md` is the reference.

mod agents;
mod data;
mod demo_shop;
mod fault;
mod limits;
mod number;
mod providers;
mod route;
mod rtp;
mod sip;
mod table;
mod trunk;
mod turn_taking;

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use toml::de::DeTable;

pub use agents::{AgentConfig, AgentsConfig, CascadeConfig, Fallback, MindConfig, Persona, RealtimeConfig};
pub use data::{DataConfig, LogConfig};
pub use demo_shop::DemoShopConfig;
pub use fault::{Fault, Faults, Place};
pub use limits::{EngineConfig, LimitsConfig};
pub use number::NumberPattern;
pub use providers::{
    AsrProvider, AsrVendor, CaFile, Description, Environment, LlmProvider, LlmVendor, ProvidersConfig,
    RealtimeProvider, RealtimeVendor, TtsProvider, TtsVendor,
};
pub use route::Route;
pub use rtp::{CodecName, PortRange, RtpConfig};
pub use sip::{HttpConfig, SipConfig};
pub use trunk::Trunk;
pub use turn_taking::{TurnTakingConfig, read as read_turn_taking};

use table::{Document, Table};

/// Everything that can be configured; the default is what an empty file means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `[sip]`
    pub sip: SipConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[rtp]`
    pub rtp: RtpConfig,
    /// `[engine]`
    pub engine: EngineConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[data]`
    pub data: DataConfig,
    /// `[demo_shop]`
    pub demo_shop: DemoShopConfig,
    /// `[asr.NAME]`, `[llm.NAME]`, `[tts.NAME]` and `[providers]`
    pub providers: ProvidersConfig,
    /// `[agents]`
    pub agents: AgentsConfig,
    /// `[[trunk]]`
    pub trunks: Vec<Trunk>,
    /// `[[route]]`, in the order in which they are tried.
    pub routes: Vec<Route>,
}

/// A port that would serve two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortConflict {
    /// SIP over UDP has a port that calls would take for media.
    #[error("SIP on {sip} has one of the RTP ports {ports}")]
    SipInRtp {
        /// Where SIP listens.
        sip: SocketAddr,
        /// The ports for media.
        ports: PortRange,
    },
    /// SIP over TCP and HTTP have the same port.
    #[error("SIP and HTTP have the same TCP port, {}", sip.port())]
    SipAndHttp {
        /// Where SIP listens.
        sip: SocketAddr,
    },
}

impl Config {
    /// Reads and checks a file and the agents beside it; without one, the defaults. Routes must lead to an agent or to
    /// one of `destinations`.
    ///
    /// # Errors
    /// Every fault of all files at once.
    pub fn load(path: Option<&Path>, destinations: &[&str]) -> Result<Self, Faults> {
        let Some(path) = path else { return Ok(Self::default()) };
        let name = path.display().to_string();
        let text = read_file(path, MAX_FILE_BYTES).map_err(|message| {
            Faults::from(Fault { file: name.clone(), place: None, key: None, value: None, message })
        })?;
        Self::parse(&name, &text, destinations)
    }

    /// Reads and checks the text of a file whose path is `name`; agents are read from the folder that it names, keys of
    /// providers from the environment of this process and from files. Routes must lead to an agent or to one of
    /// `destinations`.
    ///
    /// # Errors
    /// Every fault of the text and of the agents at once.
    pub fn parse(name: &str, text: &str, destinations: &[&str]) -> Result<Self, Faults> {
        Self::parse_in(&providers::process_environment, name, text, destinations)
    }

    /// The same with another environment.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_in(
        environment: Environment<'_>,
        name: &str,
        text: &str,
        destinations: &[&str],
    ) -> Result<Self, Faults> {
        let document = Document::new(name, text);
        let (table, errors) = DeTable::parse_recoverable(text);
        errors.iter().for_each(|error| document.syntax_fault(error));
        let base = Path::new(name).parent().unwrap_or(Path::new(""));
        let surroundings = Surroundings { base, environment, destinations };
        let (config, of_agents) = Self::read(Table::root(&document, &table), &surroundings);
        let of_file = Faults::of(document.into_faults());
        match Faults::of_files(of_file.into_iter().chain(of_agents)) {
            None => Ok(config),
            Some(faults) => Err(faults),
        }
    }

    fn read(mut root: Table<'_>, surroundings: &Surroundings<'_>) -> (Self, Vec<Faults>) {
        let Surroundings { base, environment, destinations } = *surroundings;
        let (mut sip, mut http, mut rtp) = (root.section("sip"), root.section("http"), root.section("rtp"));
        let (mut engine, mut limits) = (root.section("engine"), root.section("limits"));
        let (mut log, mut data) = (root.section("log"), root.section("data"));
        let (mut shop, mut agents) = (root.section("demo_shop"), root.section("agents"));
        let (providers, names) = ProvidersConfig::read(&mut root, base, environment);
        let read_agents = AgentsConfig::read(&mut agents, base, &names);
        let named = read_agents.destinations.iter().map(String::as_str);
        let destinations: Vec<&str> = destinations.iter().copied().chain(named).collect();
        let trunks = trunk::read(root.sections("trunk", MAX_TRUNKS));
        let config = Self {
            sip: SipConfig::read(&mut sip),
            http: HttpConfig::read(&mut http),
            rtp: RtpConfig::read(&mut rtp),
            engine: EngineConfig::read(&mut engine),
            limits: LimitsConfig::read(&mut limits),
            log: LogConfig::read(&mut log),
            data: DataConfig::read(&mut data),
            demo_shop: DemoShopConfig::read(&mut shop),
            providers,
            agents: read_agents.agents,
            routes: route::read(root.sections("route", MAX_ROUTES), &trunks, &destinations),
            trunks,
        };
        config.check_ports(&sip, &http, &rtp);
        [sip, http, rtp, engine, limits, log, data, shop, agents, root].into_iter().for_each(Table::finish);
        (config, read_agents.faults)
    }

    /// Ports that would serve two purposes. A file that has any is refused; overrides may bring new ones in. Port 0
    /// takes a free one and collides with none.
    pub fn port_conflicts(&self) -> Vec<PortConflict> {
        let (sip, http, ports) = (self.sip.listen, self.http.listen, self.rtp.ports);
        let do_meet = sip.ip() == http.ip() || sip.ip().is_unspecified() || http.ip().is_unspecified();
        let both_listen = sip.port() != 0 && sip.port() == http.port() && do_meet;
        let in_rtp = ports.contains(sip.port()).then_some(PortConflict::SipInRtp { sip, ports });
        in_rtp.into_iter().chain(both_listen.then_some(PortConflict::SipAndHttp { sip })).collect()
    }

    fn check_ports(&self, sip: &Table<'_>, http: &Table<'_>, rtp: &Table<'_>) {
        for conflict in self.port_conflicts() {
            let (table, key) = match conflict {
                PortConflict::SipInRtp { .. } if rtp.has("ports") => (rtp, "ports"),
                PortConflict::SipAndHttp { .. } if http.has("listen") => (http, "listen"),
                PortConflict::SipInRtp { .. } | PortConflict::SipAndHttp { .. } => (sip, "listen"),
            };
            table.fault_at(key, conflict.to_string());
        }
    }
}

/// What a file is read in.
struct Surroundings<'a> {
    /// Paths in it are relative to this folder.
    base: &'a Path,
    environment: Environment<'a>,
    destinations: &'a [&'a str],
}

fn read_file(path: &Path, max_bytes: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max_bytes) {
        return Err(format!("is longer than {max_bytes} bytes; is it the right file?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!("is not UTF-8 from byte {} on; is it the right file?", error.utf8_error().valid_up_to())
    })
}

/// Room for the largest number of routes with long comments.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Every packet of a stranger is held against all trunks.
const MAX_TRUNKS: usize = 256;

/// Each route is held against all others when the file is read.
const MAX_ROUTES: usize = 2000;

#[cfg(test)]
mod tests;
