//! What the machine can do at best: the roof over every time.

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::thread;
use std::time::Instant;

use rustix::fs::{Advice, fadvise};
use serde::Serialize;

use super::SqlData;

/// Larger than the caches of any processor.
const COPY_BYTES: usize = 256 << 20;
const COPIES: usize = 4;
/// As much of the data as is read from disk to time it.
const DISK_BYTES: u64 = 512 << 20;
const READ_BYTES: usize = 1 << 20;

/// Bytes a second that this machine moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bandwidth {
    /// From memory to memory, all cores together.
    pub memory_bytes_per_second: f64,
    /// From disk, one reader, files dropped from the page cache before; nothing where that cannot be asked for.
    pub disk_bytes_per_second: Option<f64>,
}

impl Bandwidth {
    /// Copies memory with every core, and reads some of the data from disk.
    pub(super) async fn measure(data: &SqlData) -> Self {
        let data = data.clone();
        let task = tokio::task::spawn_blocking(move || Self {
            memory_bytes_per_second: copy(),
            disk_bytes_per_second: read(&data).ok().flatten(),
        });
        task.await.unwrap_or_default()
    }
}

fn copy() -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let one = || {
        let source = vec![1_u8; COPY_BYTES];
        let mut target = vec![0_u8; COPY_BYTES];
        black_box(&mut target).copy_from_slice(black_box(&source));
        let start = Instant::now();
        for _ in 0..COPIES {
            black_box(&mut target).copy_from_slice(black_box(&source));
        }
        (COPIES * COPY_BYTES) as f64 / start.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or(0.0)).sum()
    })
}

fn read(data: &SqlData) -> std::io::Result<Option<f64>> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut bytes, mut seconds) = (0_u64, 0.0);
    for path in data.files()? {
        if bytes >= DISK_BYTES {
            break;
        }
        let mut file = File::open(path)?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        let start = Instant::now();
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => bytes += read as u64,
            }
        }
        seconds += start.elapsed().as_secs_f64();
    }
    Ok((seconds > 0.0).then(|| bytes as f64 / seconds))
}
