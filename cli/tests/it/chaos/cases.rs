//! The ways to fail.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::client::Client;
use super::cluster::{Cluster, Executor};
use super::dice::Dice;
use super::proxy::{Cut, Proxy};
use super::statement::{Numbers, Statement};
use crate::support::{SmallDisk, wait_until};

type Case = fn(&Numbers, &mut Dice);

/// The case of a seed is the one at the seed's last digit.
pub(super) const CASES: [(&str, Case); 10] = [
    ("an executor dies before it has written rows", dies_before_it_writes),
    ("an executor dies while it writes rows", dies_while_it_writes),
    ("an executor dies after it has written rows", dies_after_it_wrote),
    ("an executor is slow, and then silent", is_slow_then_silent),
    ("all executors die at once", all_die),
    ("the driver dies and comes back", driver_dies),
    ("the executors' disk is full", disk_is_full),
    ("rows between stages are damaged", rows_are_damaged),
    ("connections are cut", connections_are_cut),
    ("a client stops reading, and another goes away", clients_stop_reading),
];

/// What a statement may fail with that could not be run again.
const LOST: [&str; 3] = ["S0402", "S0405", "S0409"];

fn dies_before_it_writes(numbers: &Numbers, dice: &mut Dice) {
    one_dies(numbers, dice, |_| true);
}

fn dies_while_it_writes(numbers: &Numbers, dice: &mut Dice) {
    one_dies(numbers, dice, |victim| victim.rows().len() > victim.finished_rows().len());
}

fn dies_after_it_wrote(numbers: &Numbers, dice: &mut Dice) {
    one_dies(numbers, dice, |victim| !victim.finished_rows().is_empty());
}

/// One of three executors is killed as soon as it is time; the statement's rows come nevertheless.
fn one_dies(numbers: &Numbers, dice: &mut Dice, is_time: impl Fn(&Executor) -> bool) {
    let cluster = Cluster::local(numbers, 3, &[]);
    let statement = Statement::exchanging(numbers, dice);
    let victim = dice.pick(cluster.executors());
    let mut client = Client::start(&cluster, &statement.sql);
    cluster.await_job();
    wait_until("the moment to die", || client.has_ended() || is_time(&victim));
    assert!(!client.has_ended(), "the statement ended before the executor could be killed: {}", statement.sql);
    victim.signal("KILL");
    let outcome = client.wait();
    statement.check(&outcome, &[], &cluster);
    assert_eq!(outcome.exit, Some(0), "{}", outcome.stderr);
    cluster.await_executors(3);
    statement.succeeds(&cluster);
    cluster.stop();
}

/// Stopped for less than the limit, an executor delays the job and nothing else; for longer, it counts as lost.
fn is_slow_then_silent(numbers: &Numbers, dice: &mut Dice) {
    let cluster = Cluster::local(numbers, 2, &[]);
    for longer in [false, true] {
        let statement = Statement::any(numbers, dice);
        let victim = dice.pick(cluster.executors());
        let client = Client::start(&cluster, &statement.sql);
        cluster.await_job();
        sleep(dice.pause(1000));
        victim.signal("STOP");
        if !longer {
            sleep(Duration::from_secs(3));
            victim.signal("CONT");
        }
        let outcome = client.wait();
        if longer {
            // It wakes, hears that it was given up, and ends; another takes its place.
            victim.signal("CONT");
        }
        statement.check(&outcome, &[], &cluster);
        assert_eq!(outcome.exit, Some(0), "longer: {longer}\n{}", outcome.stderr);
        cluster.await_executors(2);
        statement.again(numbers, dice).succeeds(&cluster);
    }
    cluster.stop();
}

fn all_die(numbers: &Numbers, dice: &mut Dice) {
    let cluster = Cluster::local(numbers, 3, &[]);
    let statement = Statement::any(numbers, dice);
    let client = Client::start(&cluster, &statement.sql);
    cluster.await_job();
    sleep(dice.pause(1500));
    for executor in cluster.executors() {
        executor.signal("KILL");
    }
    let outcome = client.wait();
    cluster.await_executors(3);
    statement.check(&outcome, &LOST, &cluster);
    statement.again(numbers, dice).succeeds(&cluster);
    cluster.stop();
}

fn driver_dies(numbers: &Numbers, dice: &mut Dice) {
    let mut cluster = Cluster::parts(numbers, 2, "127.0.0.1");
    cluster.await_executors(2);
    let write = Statement::create_table(numbers, dice);
    let client = Client::start(&cluster, &write.sql);
    cluster.await_job();
    sleep(dice.pause(4000));
    cluster.kill_driver();
    let outcome = client.wait();
    if outcome.exit != Some(0) {
        outcome.assert_error(&["S0401"], &write.sql);
    }
    sleep(dice.pause(2000));
    cluster.start_driver();
    cluster.await_parts(2);
    // Whole or not at all; and what was there before is there.
    write.check_written(&outcome, &cluster);
    Statement::exchanging(numbers, dice).succeeds(&cluster);
    Statement::create_table(numbers, dice).succeeds(&cluster);
    cluster.stop();
}

/// First rows between stages fill the disk, then those that do not fit into memory.
fn disk_is_full(numbers: &Numbers, dice: &mut Dice) {
    // A sort of all rows has to write them.
    let large = "SELECT count(*) AS n FROM (SELECT row_number() OVER (PARTITION BY v % 3 ORDER BY -v) AS r FROM numbers) \
        WHERE r < 0";
    for settings in [&["sluice.cluster.shuffle_compression=none"][..], &["sluice.memory.limit=64MiB"][..]] {
        let place = tempfile::tempdir().unwrap();
        // Without the right to mount there is no small disk to fill.
        let Some(disk) = SmallDisk::mount(&place.path().join("disk").to_string_lossy(), "48m") else {
            eprintln!("no right to mount a file system: the full disk was not tried");
            return;
        };
        let cluster = Cluster::local_at(numbers, 2, settings, Path::new(&disk.0));
        let failed = Client::start(&cluster, large).wait();
        failed.assert_error(&["S0205"], large);
        wait_until("the removal of the job's files", || !cluster.has_shuffle_files());
        Statement::small(dice).succeeds(&cluster);
        cluster.stop();
    }
}

/// Bytes of finished files change while their readers do not run yet.
fn rows_are_damaged(numbers: &Numbers, dice: &mut Dice) {
    let cluster = Cluster::local(numbers, 2, &[]);
    let statement = Statement::exchanging(numbers, dice);
    let client = Client::start(&cluster, &statement.sql);
    let mut damaged = Vec::new();
    wait_until("rows between stages", || {
        damaged = cluster.executors().iter().flat_map(Executor::finished_rows).collect();
        !damaged.is_empty()
    });
    for file in &damaged {
        damage(file, dice);
    }
    let outcome = client.wait();
    statement.check(&outcome, &[], &cluster);
    assert_eq!(outcome.exit, Some(0), "{}", outcome.stderr);
    let attempts = cluster.attempts();
    assert!(attempts > 1, "the damage was noticed: {attempts} attempt");
    statement.succeeds(&cluster);
    cluster.stop();
}

/// Flips a few bits, or cuts the end off.
pub(super) fn damage(file: &Path, dice: &mut Dice) {
    let mut opened = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let length = opened.metadata().unwrap().len();
    if dice.below(4) == 0 {
        return opened.set_len(length / 2).unwrap();
    }
    // In the middle of every stretch: each partition's block has some.
    for at in (0..64).map(|part| length * (2 * part + 1) / 128) {
        let mut byte = [0];
        opened.seek(SeekFrom::Start(at)).unwrap();
        opened.read_exact(&mut byte).unwrap();
        opened.seek(SeekFrom::Start(at)).unwrap();
        opened.write_all(&[byte[0] ^ (1 << dice.below(8))]).unwrap();
    }
}

/// Everything that goes to the driver, for so short a time that no process is missed and only messages are lost; then
/// everything that goes to any process, for any time.
fn connections_are_cut(numbers: &Numbers, dice: &mut Dice) {
    let mut cluster = Cluster::parts(numbers, 0, "127.0.0.2");
    let mut proxies = vec![vec![Proxy::start("127.0.0.2", cluster.port())]];
    for host in ["127.0.0.3", "127.0.0.4"] {
        let ports = cluster.start_executor(host);
        proxies.push(ports.map(|port| Proxy::start(host, port)).into());
    }
    // One whose first connection fails ends, and is started again.
    cluster.await_parts(2);
    let first = dice.below(2);
    for (number, target) in [0, dice.below(3)].into_iter().enumerate() {
        let how = if (number + first).is_multiple_of(2) { Cut::Closed } else { Cut::Silent };
        let statement = Statement::any(numbers, dice);
        let client = Client::start(&cluster, &statement.sql);
        cluster.await_job();
        sleep(dice.pause(1500));
        for proxy in &proxies[target] {
            proxy.cut(how);
        }
        sleep(Duration::from_millis(2000) + dice.pause(if number == 0 { 1500 } else { 8000 }));
        for proxy in &proxies[target] {
            proxy.heal();
        }
        let outcome = client.wait();
        eprintln!("  {target} {how:?}: {:?} {}", outcome.exit, outcome.stderr.lines().next().unwrap_or_default());
        cluster.await_parts(2);
        statement.check(&outcome, &LOST, &cluster);
        statement.again(numbers, dice).succeeds(&cluster);
    }
    cluster.stop();
}

fn clients_stop_reading(numbers: &Numbers, dice: &mut Dice) {
    const ROWS: usize = 5_000_000;
    let cluster = Cluster::local(numbers, 2, &[]);
    let sql = format!("SELECT v, v % 11 AS k FROM numbers WHERE v <= {ROWS}");
    let mut slow = Client::start_unread(&cluster, &sql);
    let gone = Client::start_unread(&cluster, &sql);
    sleep(Duration::from_secs(4) + dice.pause(3000));
    assert!(!slow.has_ended(), "its rows do not fit into a pipe");
    slow.read();
    let outcome = slow.wait();
    assert_eq!(outcome.exit, Some(0), "{}", outcome.stderr);
    let sum: usize =
        outcome.stdout.lines().skip(1).map(|line| line.split(',').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!((outcome.stdout.lines().count(), sum), (ROWS + 1, ROWS * (ROWS + 1) / 2));
    drop(gone);
    wait_until("the end of the job", || cluster.jobs("running").is_empty());
    assert_eq!(cluster.jobs("cancelled").len(), 1);
    wait_until("the removal of the job's files", || !cluster.has_shuffle_files());
    Statement::exchanging(numbers, dice).succeeds(&cluster);
    cluster.stop();
}
