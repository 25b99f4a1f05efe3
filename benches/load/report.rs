//! The figures as tables for people and as one JSON file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::level::{Level, Timing};
use super::reference::Reference;
use crate::common::load::Tally;
use crate::common::soak::Soaked;

/// Collects what was measured.
pub(crate) struct Report {
    timing: Timing,
    levels: Vec<Level>,
    references: Vec<Reference>,
    soak: Option<Soaked>,
}

impl Report {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, levels: Vec::new(), references: Vec::new(), soak: None }
    }

    pub(crate) fn add_level(&mut self, level: Level) {
        self.levels.push(level);
    }

    pub(crate) fn add_reference(&mut self, reference: Reference) {
        self.references.push(reference);
    }

    pub(crate) fn add_soak(&mut self, soak: Soaked) {
        self.soak = Some(soak);
    }

    /// Prints and writes everything.
    ///
    /// # Panics
    /// When a call was lost, or left something behind.
    pub(crate) fn finish(&self) {
        self.print_cost();
        self.print_pacing();
        self.print_threads();
        self.print_soak();
        self.write();
        let faults = self.faults();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    fn print_cost(&self) {
        println!("\nCPU in per cent of a core, memory as PSS above the idle server's");
        println!(
            "{:<16} {:>5} {:>6} {:>9} {:>9} {:>7} {:>10}",
            "", "calls", "over", "server", "per call", "ratio", "memory"
        );
        for reference in &self.references {
            let (total, per_call) = (reference.cpu_total, reference.cpu_per_call());
            let (calls, window) = (reference.calls, self.timing.window.as_secs());
            println!("{:<16} {calls:>5} {window:>5}s {total:>8.2}% {per_call:>8.4}%", "sipp -rtp_echo");
        }
        for level in &self.levels {
            let ratio = self.ratio(level).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            println!(
                "{:<16} {:>5} {:>5}s {:>8.2}% {:>8.4}% {ratio:>7} {:>6.1} KiB",
                level.destination,
                level.calls,
                level.window.as_secs(),
                level.cpu_total(),
                level.cpu_per_call(),
                level.memory_per_call_kib(),
            );
        }
        for (destination, kib) in self.memory_slopes() {
            println!("{destination:<16} one call more takes {kib:.1} KiB");
        }
    }

    /// What a call adds, between the smallest and the largest level of each destination: what is allocated once, on the first
    /// calls, is left out.
    fn memory_slopes(&self) -> Vec<(&str, f64)> {
        let levels = |name: &str| {
            self.levels.iter().filter(move |level| level.destination == name).collect::<Vec<_>>()
        };
        let mut slopes: Vec<(&str, f64)> = Vec::new();
        for level in &self.levels {
            let name = level.destination.as_str();
            let same = levels(name);
            let few = same.iter().min_by_key(|level| level.calls);
            let many = same.iter().max_by_key(|level| level.calls);
            let (Some(few), Some(many)) = (few, many) else { continue };
            if few.calls < many.calls && slopes.iter().all(|(known, _)| *known != name) {
                let kib = many.loaded.proportional_kib as f64 - few.loaded.proportional_kib as f64;
                slopes.push((name, kib / (many.calls - few.calls) as f64));
            }
        }
        slopes
    }

    fn print_pacing(&self) {
        println!(
            "\nPacing error in µs: on the wire outside masked windows, and as the shard counts it over its whole life"
        );
        println!(
            "{:<10} {:>5} {:>6} {:>6} {:>6} {:>6} {:>8} {:>11} {:>11} {:>13} {:>7}",
            "",
            "calls",
            "p50",
            "p99",
            "p99.9",
            "max",
            "all p99",
            "shard p50",
            "shard p99",
            "heartbeat p99",
            "masked"
        );
        for level in &self.levels {
            let wire = &level.wire;
            println!(
                "{:<10} {:>5} {:>6} {:>6} {:>6} {:>6} {:>8} {:>11} {:>11} {:>13} {:>6.1}%",
                level.destination,
                level.calls,
                wire.p50_us,
                wire.p99_us,
                wire.p999_us,
                wire.max_us,
                wire.unmasked_p99_us,
                level.shard_p50_us,
                level.shard_p99_us,
                level.weather.late_p99_us,
                level.weather.masked_percent(),
            );
        }
        println!(
            "\nPackets: counted by the server over whole calls, missing ones by the callers within the window"
        );
        for level in &self.levels {
            let (rows, missing) = (&level.rows, level.missing);
            println!(
                "{:<10} {:>5} calls: {} received, {} lost, {} late, {} sent; missing at the callers: {} packets, {} ticks skipped",
                level.destination,
                level.calls,
                rows.received,
                rows.lost,
                rows.late,
                rows.sent,
                missing.packets,
                missing.ticks,
            );
        }
        for reference in &self.references {
            let missing = reference.missing.packets;
            println!(
                "{:<10} {:>5} calls: missing at the callers: {missing} packets",
                "reference", reference.calls
            );
        }
    }

    fn print_threads(&self) {
        println!("\nPer cent of a core by thread");
        for level in &self.levels {
            let threads: Vec<String> =
                level.cpu_percent.iter().map(|(name, percent)| format!("{name} {percent:.2}")).collect();
            println!("{:<10} {:>5}: {}", level.destination, level.calls, threads.join(", "));
        }
    }

    fn print_soak(&self) {
        let Some(soak) = &self.soak else { return };
        println!(
            "\n{} calls for {:?}, then {} short ones",
            soak.plan.steady_calls, soak.plan.steady, soak.plan.short_calls
        );
        println!("{:<10} {:>12} {:>8} {:>10} {:>6}", "", "descriptors", "threads", "RSS KiB", "ports");
        let ports = |count: usize| count.to_string();
        for (name, footprint, ports) in [
            ("before", soak.baseline, ports(soak.baseline_ports)),
            ("loaded", soak.loaded, "-".to_owned()),
            ("after", soak.after, ports(soak.after_ports)),
        ] {
            let (descriptors, threads, rss) =
                (footprint.descriptors, footprint.threads, footprint.resident_kib);
            println!("{name:<10} {descriptors:>12} {threads:>8} {rss:>10} {ports:>6}");
        }
        println!(
            "{} of {} calls whole, {} packets lost, memory {:+.1} %",
            soak.whole,
            soak.rows,
            soak.lost,
            soak.growth_percent()
        );
    }

    fn write(&self) {
        let json = json!({
            "reference": self.references.iter().map(reference_json).collect::<Vec<_>>(),
            "levels": self.levels.iter().map(|level| level_json(level, self.ratio(level))).collect::<Vec<_>>(),
            "memory_kib_of_one_more_call": self.memory_slopes().into_iter().collect::<BTreeMap<_, _>>(),
            "soak": self.soak.as_ref().map(soak_json),
        });
        let directory = target_directory().join("bench");
        std::fs::create_dir_all(&directory).expect("the target directory can be written");
        let file = directory.join("load.json");
        std::fs::write(&file, format!("{json:#}\n")).expect("the target directory can be written");
        println!("\nwritten to {}", file.display());
    }

    fn ratio(&self, level: &Level) -> Option<f64> {
        let reference = self.references.iter().find(|reference| reference.calls == level.calls)?;
        Some(level.cpu_per_call() / reference.cpu_per_call())
    }

    fn faults(&self) -> Vec<String> {
        let lost = |what: &str, calls: usize, tally: Tally| {
            let is_whole = tally.failed == 0 && tally.successful == calls as u64;
            (!is_whole).then(|| format!("{what}: {calls} calls ended as {tally:?}"))
        };
        let levels =
            self.levels.iter().filter_map(|level| lost(&level.destination, level.calls, level.tally));
        let references = self
            .references
            .iter()
            .filter_map(|reference| lost("reference", reference.calls, reference.tally));
        let soak = self.soak.iter().flat_map(Soaked::faults);
        levels.chain(references).chain(soak).collect()
    }
}

fn level_json(level: &Level, ratio: Option<f64>) -> Value {
    let wire = &level.wire;
    json!({
        "destination": level.destination,
        "calls": level.calls,
        "window_s": level.window.as_secs(),
        "cpu_percent": level.cpu_total(),
        "cpu_percent_per_call": level.cpu_per_call(),
        "cpu_percent_by_thread": level.cpu_percent,
        "ratio_to_reference": ratio,
        "memory_kib_per_call": level.memory_per_call_kib(),
        "idle_pss_kib": level.idle.proportional_kib,
        "loaded_pss_kib": level.loaded.proportional_kib,
        "pacing_us": {
            "p50": wire.p50_us, "p99": wire.p99_us, "p99_9": wire.p999_us, "max": wire.max_us,
            "packets": wire.packets, "p99_with_masked": wire.unmasked_p99_us,
            "shard_p50": level.shard_p50_us, "shard_p99": level.shard_p99_us,
        },
        "heartbeat_us": { "p50": level.weather.late_p50_us, "p99": level.weather.late_p99_us },
        "masked_percent": level.weather.masked_percent(),
        "packets": {
            "received": level.rows.received, "sent": level.rows.sent, "lost": level.rows.lost,
            "late": level.rows.late, "missing_at_callers": level.missing.packets,
            "ticks_skipped": level.missing.ticks, "ticks_missed": level.rows.ticks_missed,
        },
        "calls_answered": level.rows.answered,
        "sip": tally_json(level.tally),
        "load_generator_percent": level.callers_percent,
    })
}

fn reference_json(reference: &Reference) -> Value {
    json!({
        "calls": reference.calls,
        "cpu_percent": reference.cpu_total,
        "cpu_percent_per_call": reference.cpu_per_call(),
        "missing_at_callers": reference.missing.packets,
        "sip": tally_json(reference.tally),
    })
}

fn soak_json(soak: &Soaked) -> Value {
    json!({
        "calls": soak.rows,
        "whole": soak.whole,
        "packets_lost": soak.lost,
        "descriptors": [soak.baseline.descriptors, soak.loaded.descriptors, soak.after.descriptors],
        "threads": [soak.baseline.threads, soak.loaded.threads, soak.after.threads],
        "rss_kib": [soak.baseline.resident_kib, soak.loaded.resident_kib, soak.after.resident_kib],
        "ports": [soak.baseline_ports, soak.after_ports],
    })
}

fn tally_json(tally: Tally) -> Value {
    json!({
        "successful": tally.successful,
        "failed": tally.failed,
        "retransmissions": tally.retransmissions,
    })
}

/// Where cargo puts what it builds: this program lies in its `release/deps`.
fn target_directory() -> std::path::PathBuf {
    let this = std::env::current_exe().expect("a program knows its own file");
    let target = this.ancestors().nth(3);
    target.unwrap_or_else(|| Path::new("target")).to_owned()
}
