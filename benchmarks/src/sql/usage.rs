//! What processes used: processor time, bytes read, peak memory. From the kernel's accounts of a process and all below
//! it, so that it means the same for an embedded session, a local cluster and a peer of any make.

use std::collections::{HashMap, HashSet};
use std::fs;

use serde::Serialize;

/// What a tree of processes used while a query ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Processor time of all cores.
    pub cpu_seconds: f64,
    /// Bytes got from files and sockets, the page cache included.
    pub read_bytes: u64,
    /// Sum of the largest memory that each process held.
    pub peak_memory_bytes: u64,
}

/// Accounts of a process and those below it, opened before a query and closed after it.
pub(super) struct Meter {
    root: u32,
    /// Processes that are not to be counted, nor those below them.
    without: HashSet<u32>,
    before: HashMap<u32, Account>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    cpu_ticks: u64,
    read_bytes: u64,
    peak_memory_bytes: u64,
}

/// The kernel counts processor time in hundredths of a second on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;
/// Written to a process's `clear_refs`, makes its memory peak start anew.
const RESET_PEAK: &str = "5";

impl Meter {
    /// Starts counting.
    pub(super) fn start(root: u32, without: impl IntoIterator<Item = u32>) -> Self {
        let mut meter = Self { root, without: without.into_iter().collect(), before: HashMap::new() };
        let members = meter.members();
        for process in &members {
            // Where it is not allowed, the peak is that since the process began.
            let _ = fs::write(format!("/proc/{process}/clear_refs"), RESET_PEAK);
        }
        meter.before = accounts(&members);
        meter
    }

    /// What has been used since the start. A process that has ended meanwhile is not in it.
    pub(super) fn stop(self) -> Usage {
        let mut usage = Usage::default();
        for (process, after) in accounts(&self.members()) {
            let before = self.before.get(&process).copied().unwrap_or_default();
            usage.cpu_seconds += after.cpu_ticks.saturating_sub(before.cpu_ticks) as f64 / TICKS_PER_SECOND;
            usage.read_bytes += after.read_bytes.saturating_sub(before.read_bytes);
            usage.peak_memory_bytes += after.peak_memory_bytes;
        }
        usage
    }

    fn members(&self) -> Vec<u32> {
        let parents = parents();
        let within = |process: u32| {
            let mut at = process;
            // A bound, for a process that ends and whose number is taken while we look could close a circle.
            for _ in 0..64 {
                if self.without.contains(&at) {
                    return false;
                }
                if at == self.root {
                    return true;
                }
                match parents.get(&at) {
                    Some(parent) => at = *parent,
                    None => return false,
                }
            }
            false
        };
        parents.keys().copied().filter(|process| within(*process)).collect()
    }
}

/// The parent of every process.
fn parents() -> HashMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter_map(|process: u32| Some((process, parent(&stat(process)?)?))).collect()
}

fn stat(process: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/stat")).ok()
}

/// The fields of a `stat` line after the program's name, which is in brackets and may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, after)| after).split_whitespace()
}

fn parent(stat: &str) -> Option<u32> {
    fields(stat).nth(1)?.parse().ok()
}

/// Ticks in user and in system mode, of the process and of its children that have ended.
fn cpu_ticks(stat: &str) -> u64 {
    fields(stat).skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn accounts(processes: &[u32]) -> HashMap<u32, Account> {
    let account = |process: u32| {
        let stat = stat(process)?;
        let io = fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        Some(Account {
            cpu_ticks: cpu_ticks(&stat),
            read_bytes: field(&io, "rchar:").unwrap_or(0),
            peak_memory_bytes: field(&status, "VmHWM:").unwrap_or(0) * 1024,
        })
    };
    processes.iter().filter_map(|process| Some((*process, account(*process)?))).collect()
}

/// The number in the line that begins with `key`.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_files() {
        let stat = "42 (a b) c) S 7 42 42 0 -1 4194304 1 2 3 4 50 6 70 8 20 0 9 0";
        assert_eq!((parent(stat), cpu_ticks(stat)), (Some(7), 134));
        assert_eq!(field("Name:\tx\nVmHWM:\t  1024 kB\n", "VmHWM:"), Some(1024));
        assert_eq!(field("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn counts_this_process_and_not_its_parent() {
        let own = std::process::id();
        let meter = Meter::start(own, []);
        assert!(meter.members().contains(&own));
        let sum: u64 = (0..300_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0);
        let usage = meter.stop();
        assert!(usage.cpu_seconds > 0.0 && usage.peak_memory_bytes > 1 << 20, "{usage:?}");
        assert!(!Meter::start(own, [own]).members().contains(&own));
    }
}
