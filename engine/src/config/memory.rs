//! How much memory this process may use: the tightest of the control group's limits and the machine's memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The pool's share of what the process may use. The rest is for what no pool counts: buffers of readers and writers,
/// plans, the allocator's own slack.
const POOL_SHARE_PERCENT: u64 = 70;

/// The pool where nothing can be read about the machine.
const UNKNOWN_MACHINE_BYTES: u64 = 4 << 30;

/// The memory pool's size on this machine, in whole mebibytes. Read once a process.
pub(super) fn default_limit_bytes() -> u64 {
    static LIMIT: LazyLock<u64> =
        LazyLock::new(|| available_bytes(Path::new("/")).map_or(UNKNOWN_MACHINE_BYTES, pool_bytes));
    *LIMIT
}

fn pool_bytes(available: u64) -> u64 {
    const MEBIBYTE: u64 = 1 << 20;
    let share = u128::from(available) * u128::from(POOL_SHARE_PERCENT) / 100;
    let bytes = u64::try_from(share).unwrap_or(u64::MAX);
    // Zero would mean that memory has no bound.
    (bytes / MEBIBYTE).max(1) * MEBIBYTE
}

/// What the process may use, with the file system's root given so that a test can bring its own.
fn available_bytes(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let control_group = control_group_files(root, &groups).into_iter().filter_map(|file| limit_in(&file)).min();
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| memory_total(&text));
    control_group.into_iter().chain(machine).min()
}

/// The files that bound this process, in both versions of control groups: its own group's and those of every parent.
fn control_group_files(root: &Path, groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let mount = root.join(mount);
        // In a container the group's path is often the host's: what is not there is passed over, and the mount's own
        // root, which every path ends at, is the container's group.
        let group = Path::new(group.trim_start_matches('/'));
        files.extend(group.ancestors().map(|parent| mount.join(parent).join(file)));
    }
    files
}

/// The limit in a control group's file; `max` and anything unreadable is none.
fn limit_in(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemFree:  12 kB\nMemTotal:       16777216 kB\n");

    #[test]
    fn machine_memory_counts_where_no_group_bounds_it() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/user.slice\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
        ]);
        assert_eq!(available_bytes(root.path()), Some(17_179_869_184));
    }

    #[test]
    fn tightest_parent_group_of_version_2_wins() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/a/memory.max", "1073741824\n"),
        ]);
        assert_eq!(available_bytes(root.path()), Some(1_073_741_824));
    }

    #[test]
    fn container_without_its_hosts_path_uses_the_mounts_root() {
        let root = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/../../kubepods/pod1\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
        ]);
        assert_eq!(available_bytes(root.path()), Some(536_870_912));
    }

    #[test]
    fn version_1_is_read_and_its_no_limit_number_gives_the_machine() {
        let bounded = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n"),
            ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "268435456\n"),
        ]);
        assert_eq!(available_bytes(bounded.path()), Some(268_435_456));
        let unbounded = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(available_bytes(unbounded.path()), Some(17_179_869_184));
    }

    #[test]
    fn unknown_machine_gives_nothing() {
        assert_eq!(available_bytes(machine(&[]).path()), None);
    }

    #[test]
    fn pool_is_seven_tenths_in_whole_mebibytes_and_never_unbounded() {
        assert_eq!(pool_bytes(10 << 30), 7 << 30);
        assert_eq!(pool_bytes(17_179_869_184), 11_468 << 20);
        assert_eq!(pool_bytes(1000), 1 << 20);
    }
}
