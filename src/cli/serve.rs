//! `caly serve`: reads the configuration, lets the flags override it and runs the server.

use std::io::ErrorKind;

use serde::Serialize;

use super::{Failure, Format, Output, ServeArgs, capacity};
use crate::app::{self, App, StartError};
use crate::call::destination::TestDestination;
use crate::config::{Config, Faults};
use crate::signaling::Destinations;
use crate::telemetry;

/// Runs the server until a signal ends it.
///
/// # Errors
/// A faulty configuration, or a server that cannot start.
pub(super) fn run(args: &ServeArgs, out: &mut Output<'_>) -> Result<(), Failure> {
    let config = configure(args)?;
    let _log = telemetry::init(&config.log.level, config.log.format, config.log.phone_numbers)
        .map_err(|error| Failure::refused(error.to_string()).advise("mend [log] level"))?;
    for warning in capacity::shortage_of_ports(&config).into_iter().chain(config.providers.unprotected()) {
        tracing::warn!("{warning}");
    }
    let mut printed = Ok(());
    let served = app::serve(config, Destinations::for_testing(), |app| printed = announce(app, out));
    served.map_err(|error| failure(&error))?;
    printed
}

fn configure(args: &ServeArgs) -> Result<Config, Failure> {
    let destinations = TestDestination::ALL.map(TestDestination::name);
    let mut config = Config::load(args.config.as_deref(), &destinations).map_err(|faults| faulty(&faults))?;
    if let Some(sip) = args.sip {
        config.sip.listen = sip;
    }
    if let Some(http) = args.http {
        config.http.listen = http;
    }
    if let Some(ports) = args.rtp_ports {
        config.rtp.ports = ports;
    }
    if let Some(data) = &args.data {
        config.data.dir.clone_from(data);
    }
    if let Some(conflict) = config.port_conflicts().first() {
        return Err(Failure::refused(conflict.to_string()).advise("give each its own port"));
    }
    Ok(config)
}

/// One line, also for many faults: `caly check` is there to list them.
fn faulty(faults: &Faults) -> Failure {
    let Some(first) = faults.iter().next() else { return Failure::refused("the configuration is faulty") };
    let file = &first.file;
    match (faults.count() - 1, first.place) {
        (0, None) => Failure::refused(first.to_string()).advise("name a file that can be read with --config"),
        (0, Some(_)) => Failure::refused(first.to_string()).advise("mend it and start again"),
        (more, _) => Failure::refused(format!("{first} (and {more} more)"))
            .advise(format!("`caly check --config {file}` lists them all")),
    }
}

/// The one line that says where the server can be reached, for people and for scripts.
fn announce(app: &App, out: &mut Output<'_>) -> Result<(), Failure> {
    let config = app.config();
    let ready = Ready {
        ready: true,
        sip: app.sip().to_string(),
        http: app.http().to_string(),
        rtp: format!("{}-{}", config.rtp.ports.first(), config.rtp.ports.last()),
        shards: app.shards(),
        data: config.data.dir.display().to_string(),
    };
    match out.format() {
        Format::Json => out.json(&ready),
        Format::Text => out.line(format_args!(
            "caly ready sip={} http={} rtp={} shards={} data={}",
            ready.sip, ready.http, ready.rtp, ready.shards, ready.data
        )),
    }
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    sip: String,
    http: String,
    rtp: String,
    shards: usize,
    data: String,
}

fn failure(error: &StartError) -> Failure {
    let of_address = match error {
        StartError::Listen { error, .. } => address_advice(error.kind()),
        StartError::Store(_) | StartError::System { .. } | StartError::Pump(_) => None,
    };
    let advice = of_address.map(str::to_owned).or_else(|| error.advice());
    let log = || "the log above tells more; check the system's limits (ulimit -a)".to_owned();
    Failure::failed(error.to_string()).advise(advice.unwrap_or_else(log))
}

/// What to do about an address that cannot be listened on, unless another program has it.
fn address_advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::AddrNotAvailable => Some("this host has no such address; `ip address` lists those it has"),
        ErrorKind::PermissionDenied => {
            Some("take a port above 1023, or let the server have this one (CAP_NET_BIND_SERVICE)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(failure: &Failure) -> String {
        let mut printed = Vec::new();
        failure.print(&mut printed, Format::Text).unwrap();
        String::from_utf8(printed).unwrap()
    }

    #[test]
    fn a_server_that_cannot_start_says_what_to_do() {
        let address = "192.0.2.1:5060".parse().unwrap();
        for (kind, told) in [
            (ErrorKind::AddrInUse, "; stop the program that holds the port"),
            (ErrorKind::AddrNotAvailable, "; this host has no such address"),
            (ErrorKind::PermissionDenied, "; take a port above 1023"),
        ] {
            let error = StartError::Listen { what: "SIP", address, error: kind.into() };
            assert!(printed(&failure(&error)).contains(told), "{kind}");
        }
        let missing = configure(&ServeArgs { config: Some("/no/caly.toml".into()), ..ServeArgs::default() });
        assert!(printed(&missing.unwrap_err()).ends_with("; name a file that can be read with --config\n"));
    }

    #[test]
    fn many_faults_are_one_line() {
        let faults =
            Config::parse("caly.toml", "[sip]\nlissten = 1\n[rtp]\njitter_ms = 500\n", &[]).unwrap_err();
        let printed = printed(&faulty(&faults));
        assert!(printed.starts_with("caly: caly.toml:2:1: [sip] lissten: unknown key"), "{printed}");
        assert!(
            printed.ends_with(" (and 1 more); `caly check --config caly.toml` lists them all\n"),
            "{printed}"
        );
    }
}
