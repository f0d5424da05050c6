//! Facts about the machine, without which a time means nothing.

use std::fs;

use serde::Serialize;

/// The machine that a benchmark ran on, as this process sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Name of the processor, where the system tells it.
    pub processor: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory that this process may use, the cgroup's limit included.
    pub memory_bytes: Option<u64>,
    /// Operating system and architecture, `linux x86_64` for instance.
    pub system: String,
}

impl Machine {
    /// The machine of this process.
    pub fn current() -> Self {
        Self {
            processor: fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }

    /// One line for a report.
    pub fn describe(&self) -> String {
        let memory = match self.memory_bytes {
            Some(bytes) => format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
            None => "unknown memory".to_owned(),
        };
        let processor = self.processor.as_deref().unwrap_or("unknown processor");
        format!("{} cores ({processor}), {memory}, {}", self.cores, self.system)
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    })
}

fn memory_bytes() -> Option<u64> {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
    // The text is `max` where the cgroup has no limit, which does not parse.
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (total, limit) {
        (Some(total), Some(limit)) => Some(std::cmp::min::<u64>(total, limit)),
        (total, limit) => total.or(limit),
    }
}

fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::{processor, total_memory};

    #[test]
    fn reads_the_kernel_files() {
        assert_eq!(total_memory("MemTotal:       1024 kB\nMemFree: 1 kB\n"), Some(1_048_576));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(processor("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n").as_deref(), Some("Some CPU @ 2 GHz"));
    }
}
