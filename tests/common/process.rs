//! What a process holds and what it has used, read from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Open file descriptors, sockets among them.
    pub(crate) descriptors: usize,
    /// Open sockets.
    pub(crate) sockets: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Resident memory in KiB.
    pub(crate) resident_kib: u64,
    /// Memory of its own in KiB: resident, with what it shares with others divided among them.
    pub(crate) proportional_kib: u64,
}

/// What the threads of a process have used since they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct CpuTimes {
    /// By the thread's number; a name can stand twice.
    threads: BTreeMap<u32, (String, Duration)>,
}

impl Footprint {
    /// Of a running process.
    #[track_caller]
    pub(crate) fn of(pid: u32) -> Self {
        let memory = read(&proc_file(pid, "smaps_rollup"));
        let folder = proc_file(pid, "fd");
        let descriptors = entries(&folder);
        let is_socket = |name: &&String| {
            fs::read_link(folder.join(name))
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        Self {
            descriptors: descriptors.len(),
            sockets: descriptors.iter().filter(is_socket).count(),
            threads: entries(&proc_file(pid, "task")).len(),
            resident_kib: kib(&memory, "Rss:"),
            proportional_kib: kib(&memory, "Pss:"),
        }
    }
}

impl CpuTimes {
    /// Of a running process. The scheduler counts in nanoseconds.
    #[track_caller]
    pub(crate) fn of(pid: u32) -> Self {
        let tasks = proc_file(pid, "task");
        let mut threads = BTreeMap::new();
        for number in entries(&tasks) {
            let task = tasks.join(&number);
            // A thread may end between the listing and the reading.
            let (Ok(name), Ok(scheduled)) =
                (fs::read_to_string(task.join("comm")), fs::read_to_string(task.join("schedstat")))
            else {
                continue;
            };
            let on_cpu_ns = scheduled.split(' ').next().and_then(|field| field.parse().ok());
            let used = Duration::from_nanos(on_cpu_ns.expect("schedstat begins with a number"));
            threads.insert(number.parse().expect("threads are numbered"), (name.trim().to_owned(), used));
        }
        Self { threads }
    }

    /// What was used since `earlier`, by thread name.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<String, Duration> {
        let mut used = BTreeMap::new();
        for (number, (name, total)) in &self.threads {
            let before = earlier.threads.get(number).map_or(Duration::ZERO, |(_, before)| *before);
            *used.entry(name.clone()).or_default() += total.saturating_sub(before);
        }
        used
    }
}

/// The UDP ports between `first` and `last` that somebody in this network namespace has bound.
pub(crate) fn bound_udp_ports(first: u16, last: u16) -> usize {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(local_port).collect::<Vec<u16>>())
        .filter(|port| (first..=last).contains(port))
        .count()
}

/// The second field of a line is the local address: hexadecimal, with the port behind a colon.
fn local_port(line: &str) -> Option<u16> {
    let (_, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
    u16::from_str_radix(port, 16).ok()
}

fn proc_file(pid: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join(name)
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn entries(path: &Path) -> Vec<String> {
    let listing = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

fn kib(memory: &str, field: &str) -> u64 {
    let line = memory.lines().find(|line| line.starts_with(field));
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    value.unwrap_or_else(|| panic!("no {field} in {memory}"))
}
