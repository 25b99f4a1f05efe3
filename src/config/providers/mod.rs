//! `[asr.NAME]`, `[llm.NAME]`, `[tts.NAME]`, `[realtime.NAME]` and `[providers]`: who listens, thinks and speaks for agents that do not follow a
//! script. Agents name them; a provider that no agent names is checked all the same.

mod asr;
mod key;
mod llm;
mod realtime;
mod tts;
mod values;

use std::net::IpAddr;
use std::path::Path;

pub use asr::{AsrProvider, AsrVendor};
pub use key::Environment;
pub(super) use key::process_environment;
pub use llm::{LlmProvider, LlmVendor};
pub use realtime::{RealtimeProvider, RealtimeVendor};
pub use tts::{TtsProvider, TtsVendor};

use caly_provider::secret::Secret;

use super::read_file;
use super::table::{Table, text};
use super::trunk::MAX_NAME_CHARS;
use key::Keys;

/// The providers of a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProvidersConfig {
    /// Who turns the caller's speech into words.
    pub asr: Vec<AsrProvider>,
    /// Who answers.
    pub llm: Vec<LlmProvider>,
    /// Who speaks the answer.
    pub tts: Vec<TtsProvider>,
    /// Who listens, thinks and speaks all by itself.
    pub realtime: Vec<RealtimeProvider>,
    /// Certificates that are trusted beside those of Mozilla.
    pub ca: Option<CaFile>,
}

/// Certificates of authorities, as `[providers] ca_file` names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile {
    /// The file's path.
    pub path: String,
    /// What it holds (RFC 7468).
    pub pem: Vec<u8>,
}

/// What is told of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// Its `kind`.
    pub kind: &'static str,
    /// Its model; empty if it has none, or one for each language.
    pub model: &'a str,
    /// Its key, if it has one: what must not be told.
    pub key: Option<&'a Secret>,
}

/// All names that agents may use, faulty providers' too: an agent that names one of these has no fault of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct ProviderNames {
    pub(super) asr: Vec<String>,
    pub(super) llm: Vec<String>,
    pub(super) tts: Vec<String>,
    pub(super) realtime: Vec<String>,
}

impl ProvidersConfig {
    /// A warning for each provider whose key and words anybody on the way can read.
    pub fn unprotected(&self) -> Vec<String> {
        let asr = self.asr.iter().map(|known| ("asr", &known.name, known.vendor.url()));
        let llm = self.llm.iter().map(|known| ("llm", &known.name, known.vendor.url()));
        let tts = self.tts.iter().filter_map(|known| Some(("tts", &known.name, known.vendor.url()?)));
        let realtime = self.realtime.iter().map(|known| ("realtime", &known.name, known.vendor.url()));
        let open = asr.chain(llm).chain(tts).chain(realtime).filter(|(_, _, url)| is_open(url));
        let warning = |(purpose, name, _)| {
            format!(
                "[{purpose}.{name}] url has no TLS and leaves this host: its key and all that callers say can be read on the way; \
                 use wss:// or https://"
            )
        };
        open.map(warning).collect()
    }

    /// Reads the tables of the file in the folder `base`; keys are taken from `environment` and from files.
    pub(super) fn read(
        root: &mut Table<'_>,
        base: &Path,
        environment: Environment<'_>,
    ) -> (Self, ProviderNames) {
        let keys = Keys { base, environment };
        let mut names = ProviderNames::default();
        let asr = each(root, "asr", &mut names.asr, |name, table| asr::read(name, table, &keys));
        let llm = each(root, "llm", &mut names.llm, |name, table| llm::read(name, table, &keys));
        let tts = each(root, "tts", &mut names.tts, |name, table| tts::read(name, table, &keys));
        let realtime =
            each(root, "realtime", &mut names.realtime, |name, table| realtime::read(name, table, &keys));
        let mut table = root.section("providers");
        let ca = read_ca(&mut table, base);
        table.finish();
        (Self { asr, llm, tts, realtime, ca }, names)
    }
}

/// Reads the tables of one purpose. Those whose `kind` is not known are passed over.
fn each<'a, P>(
    root: &mut Table<'a>,
    purpose: &'static str,
    names: &mut Vec<String>,
    read: impl Fn(&str, &mut Table<'a>) -> Option<P>,
) -> Vec<P> {
    let mut found = Vec::new();
    for (name, mut table) in root.named(purpose, MAX_PROVIDERS) {
        check_name(&name, &table);
        if let Some(provider) = read(&name, &mut table) {
            found.push(provider);
            table.finish();
        }
        names.push(name);
    }
    found
}

fn check_name(name: &str, table: &Table<'_>) {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !is_plain || name.is_empty() || name.len() > MAX_NAME_CHARS {
        table.fault(format!(
            "the name of a provider must be 1 to {MAX_NAME_CHARS} letters, digits, dots, dashes or underscores"
        ));
    }
}

/// Servers of one's own may do without a key; this one does not.
fn wants_key(table: &Table<'_>, url: &str, has_key: bool) {
    if url.contains("//api.openai.com") && !has_key && !table.has("key_env") && !table.has("key_file") {
        table.fault(
            "api.openai.com needs a key: write key_env = \"OPENAI_API_KEY\" or key_file = \"path\""
                .to_owned(),
        );
    }
}

/// Whether it leaves this host without TLS.
fn is_open(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("ws://").or_else(|| url.strip_prefix("http://")) else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    let is_here = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    !is_here && host != "localhost"
}

fn read_ca(table: &mut Table<'_>, base: &Path) -> Option<CaFile> {
    let path = base.join(table.get("ca_file", text)?);
    match read_file(&path, MAX_CA_BYTES) {
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => {
            Some(CaFile { path: path.display().to_string(), pem: pem.into_bytes() })
        }
        Ok(_) => {
            let message =
                "has no certificate in it; name a file in PEM, from BEGIN CERTIFICATE to END CERTIFICATE";
            table.fault_at("ca_file", message.to_owned());
            None
        }
        Err(message) => {
            table.fault_at("ca_file", format!("{message}; its path is relative to the folder of this file"));
            None
        }
    }
}

/// For each purpose; a chain of more than a few is of no use, and agents may differ.
const MAX_PROVIDERS: usize = 64;

/// Mozilla's whole list has 200 kB.
const MAX_CA_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
