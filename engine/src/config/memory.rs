//! How much memory the process may use: the cgroup's limit, or the machine's memory where there is none.

use std::fs;
use std::sync::LazyLock;

/// The share of the memory that the pool gets; the rest is for what the pool does not count.
const POOL_SHARE_PERCENT: u64 = 70;
/// Used where the system tells nothing.
const FALLBACK_BYTES: u64 = 4 << 30;

static LIMIT_BYTES: LazyLock<u64> = LazyLock::new(|| {
    let available = [cgroup(), machine()].into_iter().flatten().min().unwrap_or(FALLBACK_BYTES);
    let bytes = available / 100 * POOL_SHARE_PERCENT;
    // A whole number of MiB reads better.
    bytes >> 20 << 20
});

/// 70 % of what the cgroup or the machine has.
pub(super) fn default_limit_bytes() -> u64 {
    *LIMIT_BYTES
}

fn cgroup() -> Option<u64> {
    let version_2 = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let version_1 = || fs::read_to_string("/sys/fs/cgroup/memory/memory.limit_in_bytes").ok();
    version_2.or_else(version_1)?.trim().parse().ok()
}

fn machine() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    total_kib(&info).map(|kib| kib * 1024)
}

fn total_kib(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total_kib;

    #[test]
    fn the_kernel_s_text_is_read() {
        assert_eq!(total_kib("MemTotal:       24604768 kB\nMemFree: 1 kB\n"), Some(24_604_768));
        assert_eq!(total_kib("nothing"), None);
    }
}
