//! Checksums of shuffle files. A file between stages has none of its own, and its readers trust it: a flipped bit would be
//! a wrong row. Beside each file lies another with the sums of its blocks, written after it and compared before a read.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ballista_core::JobId;
use ballista_core::execution_plans::create_shuffle_path;
use ballista_core::execution_plans::sort_shuffle::{ShuffleIndex, get_index_path, is_sort_shuffle_output};
use ballista_core::serde::protobuf::ShuffleWritePartition;

/// What is read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes the sums of what a task has written.
pub(super) fn write(
    work_dir: &str,
    job_id: &JobId,
    stage_id: usize,
    written: &[ShuffleWritePartition],
) -> io::Result<()> {
    let mut seen = HashSet::new();
    for part in written {
        let partition = usize::try_from(part.partition_id).unwrap_or(usize::MAX);
        let path = create_shuffle_path(work_dir, job_id, stage_id, partition, part.file_id, part.is_sort_shuffle)
            .map_err(io::Error::other)?;
        if seen.insert(path.clone()) {
            write_beside(&path)?;
        }
    }
    Ok(())
}

/// Whether a block is what was written; an error says in words what is wrong with it. A file without sums passes.
pub(super) fn check(path: &Path, partition: usize) -> io::Result<()> {
    let sums = match std::fs::read(sums_path(path)) {
        Ok(sums) => sums,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let blocks = blocks(path)?;
    if sums.len() != blocks.len() * size_of::<u32>() {
        return Err(damaged("it has another number of blocks than were written"));
    }
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    // The head of a file of many blocks says how to read each of them.
    let asked = if blocks.len() == 1 { vec![0] } else { vec![0, partition + 1] };
    for number in asked {
        let (Some(block), Some(expected)) = (blocks.get(number), sums.chunks_exact(4).nth(number)) else {
            return Err(damaged("a block of it is missing"));
        };
        if sum(&mut file, block.clone(), &mut buffer)?.to_le_bytes() != *expected {
            return Err(damaged("its checksum differs"));
        }
    }
    Ok(())
}

fn write_beside(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut sums = Vec::new();
    for block in blocks(path)? {
        sums.extend_from_slice(&sum(&mut file, block, &mut buffer)?.to_le_bytes());
    }
    std::fs::write(sums_path(path), sums)
}

fn sums_path(path: &Path) -> PathBuf {
    path.with_extension("sums")
}

/// The ranges of a file that are read by themselves: its head and each partition, or the whole.
fn blocks(path: &Path) -> io::Result<Vec<std::ops::Range<u64>>> {
    if !is_sort_shuffle_output(path) {
        return Ok(std::iter::once(0..std::fs::metadata(path)?.len()).collect());
    }
    let index = ShuffleIndex::read_from_file(&get_index_path(path)).map_err(io::Error::other)?;
    let offset = |at: i64| u64::try_from(at).map_err(|_| damaged("its index is no index"));
    let mut blocks = Vec::with_capacity(index.partition_count() + 1);
    blocks.push(0..offset(index.header_end_offset())?);
    for partition in 0..index.partition_count() {
        let (start, end) = index.get_partition_range(partition);
        blocks.push(offset(start)?..offset(end)?);
    }
    Ok(blocks)
}

fn sum(file: &mut File, block: std::ops::Range<u64>, buffer: &mut [u8]) -> io::Result<u32> {
    let mut left = block.end.checked_sub(block.start).ok_or_else(|| damaged("its index is no index"))?;
    let mut hasher = crc32fast::Hasher::new();
    if left > 0 {
        file.seek(SeekFrom::Start(block.start))?;
    }
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(damaged("it is shorter than it was"));
        }
        hasher.update(&buffer[..read]);
        left -= read as u64;
    }
    Ok(hasher.finalize())
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a shuffle file is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8], index: Option<&[i64]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.arrow");
        std::fs::write(&path, bytes).unwrap();
        if let Some(offsets) = index {
            let bytes: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
            std::fs::write(get_index_path(&path), bytes).unwrap();
        }
        write_beside(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn a_flipped_bit_shows_in_its_block_only() {
        let (_folder, path) = written(b"head-first-second", Some(&[5, 11, 17]));
        assert!(check(&path, 0).is_ok() && check(&path, 1).is_ok());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[12] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(check(&path, 0).is_ok());
        assert_eq!(check(&path, 1).unwrap_err().to_string(), "a shuffle file is damaged: its checksum differs");
        bytes[0] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(check(&path, 0).is_err());
    }

    #[test]
    fn a_short_file_and_a_wrong_index_show() {
        let (_folder, path) = written(b"head-first-second", Some(&[5, 11, 17]));
        std::fs::write(&path, b"head-first-sec").unwrap();
        assert!(check(&path, 0).is_ok());
        assert!(check(&path, 1).unwrap_err().to_string().contains("shorter"));
        let offsets: Vec<u8> = [5_i64, 17].iter().flat_map(|offset| offset.to_le_bytes()).collect();
        std::fs::write(get_index_path(&path), offsets).unwrap();
        assert!(check(&path, 0).unwrap_err().to_string().contains("number of blocks"));
    }

    #[test]
    fn a_file_without_an_index_is_one_block() {
        let (_folder, path) = written(b"all of it", None);
        assert!(check(&path, 7).is_ok());
        std::fs::write(&path, b"all 0f it").unwrap();
        assert!(check(&path, 7).is_err());
        std::fs::remove_file(sums_path(&path)).unwrap();
        assert!(check(&path, 7).is_ok());
    }
}
