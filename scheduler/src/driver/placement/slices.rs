//! Which partitions of a stage go next, and how many into one task. Pure functions over sizes in bytes.
//!
//! A task works on its partitions side by side, one core each, and holds all these cores until its slowest partition ends.
//! So partitions share a task only where they are about alike: a hot one gets a task of its own, and no core waits for it
//! longer than about half of the task's time.

use std::cmp::Reverse;

/// Below this, a partition's time is that of its task's start. Smaller ones count as being of this size, so that small
/// stages are cut by the number of cores, into as few tasks as there can be.
pub(super) const SMALLEST_BYTES: u64 = 4 << 20;
/// Partitions are alike where none has more than so many times the bytes of another.
const ALIKE: u64 = 2;

/// Whether sizes matter: a stage of small partitions, or of unknown ones, is handed out in the order that it has.
pub(super) fn matter(sizes: &[u64]) -> bool {
    sizes.iter().any(|size| *size > ALIKE * SMALLEST_BYTES)
}

/// Puts those first that have failed before, and then the largest.
pub(super) fn order(pending: &mut [usize], sizes: &[u64], failures: &[usize]) {
    let failed = |partition: usize| failures.get(partition).is_some_and(|failures| *failures > 0);
    pending.sort_by_key(|partition| (!failed(*partition), Reverse(size(sizes, *partition)), *partition));
}

/// How many partitions from the front of `pending` make the next task, where there is room for `most`.
pub(super) fn next_task(pending: &[usize], sizes: &[u64], most: usize) -> usize {
    let Some(first) = pending.first().map(|partition| counted(sizes, *partition)) else { return 0 };
    let alike = |partition: &usize| {
        let size = counted(sizes, *partition);
        size <= first.saturating_mul(ALIKE) && first <= size.saturating_mul(ALIKE)
    };
    pending.iter().take(most).take_while(|partition| alike(partition)).count()
}

/// The part of `pending` partitions for an executor with `free` of all the `free_everywhere` cores: all of its cores where
/// there are partitions for all executors, and otherwise as many as the others get.
pub(super) fn fair_share(pending: usize, free: usize, free_everywhere: usize) -> usize {
    (pending * free).div_ceil(free_everywhere.max(1)).min(free)
}

/// How many of a stage's `partitions` an executor with `free` of the cluster's `all` cores takes in one task, where there are
/// to be as few tasks as keep all cores busy.
pub(super) fn packed(partitions: usize, free: usize, all: usize) -> usize {
    (partitions * free).div_ceil(all.max(1)).max(free)
}

fn size(sizes: &[u64], partition: usize) -> u64 {
    sizes.get(partition).copied().unwrap_or(0)
}

fn counted(sizes: &[u64], partition: usize) -> u64 {
    size(sizes, partition).max(SMALLEST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::{SMALLEST_BYTES, fair_share, matter, next_task, order};

    const MIB: u64 = 1 << 20;

    /// Tasks of a stage on one executor whose cores are all free again after each.
    fn tasks(sizes: &[u64], cores: usize) -> Vec<Vec<usize>> {
        let mut pending: Vec<usize> = (0..sizes.len()).collect();
        order(&mut pending, sizes, &vec![0; sizes.len()]);
        let mut tasks = Vec::new();
        while !pending.is_empty() {
            let next = next_task(&pending, sizes, cores);
            assert!(next > 0, "there is an end");
            tasks.push(pending.drain(..next).collect());
        }
        tasks
    }

    #[test]
    fn a_hot_partition_has_a_task_of_its_own_and_is_first() {
        let sizes = [10, 11, 900, 10, 12, 9, 10, 11].map(|size| size * MIB);
        assert_eq!(tasks(&sizes, 4), [vec![2], vec![4, 1, 7, 0], vec![3, 6, 5]]);
    }

    #[test]
    fn partitions_that_are_alike_fill_the_cores() {
        assert_eq!(tasks(&[100 * MIB; 8], 4), [vec![0, 1, 2, 3], vec![4, 5, 6, 7]]);
        assert_eq!(tasks(&[100 * MIB; 3], 8), [vec![0, 1, 2]]);
    }

    #[test]
    fn sizes_that_fall_off_make_a_task_for_each_factor_of_two() {
        let sizes = [64, 48, 33, 31, 20, 8, 7, 1].map(|size| size * MIB);
        assert_eq!(tasks(&sizes, 8), [vec![0, 1, 2], vec![3, 4], vec![5, 6, 7]]);
    }

    #[test]
    fn small_partitions_share_a_task_however_they_differ() {
        let sizes = [3 * MIB, 0, 1, MIB, 8 * MIB, 4 * MIB];
        assert!(!matter(&sizes));
        assert_eq!(tasks(&sizes, 6), [vec![4, 5, 0, 3, 2, 1]]);
        assert!(!matter(&[]));
        assert!(matter(&[0, 2 * SMALLEST_BYTES + 1]));
    }

    #[test]
    fn a_partition_that_failed_goes_before_fresh_ones() {
        let sizes = [10, 900, 20, 15].map(|size| size * MIB);
        let mut pending = vec![0, 1, 2, 3];
        order(&mut pending, &sizes, &[1, 0, 0, 2]);
        assert_eq!(pending, [3, 0, 1, 2]);
        // The hot one behind it is not alike.
        assert_eq!(next_task(&pending, &sizes, 4), 2);
        assert_eq!(next_task(&pending[2..], &sizes, 4), 1);
    }

    #[test]
    fn the_number_of_partitions_of_a_task_is_bounded() {
        assert_eq!(next_task(&[0, 1, 2], &[MIB; 3], 2), 2);
        assert_eq!(next_task(&[0, 1, 2], &[MIB; 3], 0), 0);
        assert_eq!(next_task(&[], &[], 4), 0);
        // Sizes that nobody knows.
        assert_eq!(next_task(&[7, 8], &[], 4), 2);
    }

    #[test]
    fn few_partitions_are_shared_out_among_executors() {
        assert_eq!(fair_share(6, 4, 12), 2);
        assert_eq!(fair_share(7, 4, 12), 3);
        assert_eq!(fair_share(100, 4, 12), 4);
        assert_eq!(fair_share(1, 4, 12), 1);
        assert_eq!(fair_share(5, 0, 0), 0);
    }
}
