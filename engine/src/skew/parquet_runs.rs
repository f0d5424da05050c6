//! A sample of Parquet files: short runs of rows, spread evenly.

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

/// Files that a sample is taken of, at most.
const FILES: usize = 128;
/// Footers that are read at once.
const FOOTERS_AT_ONCE: usize = 16;
/// Rows in a run: short, so that a sample of rows in the order of a file shows that order evenly.
const RUN_ROWS: u64 = 256;

/// The scan over a sample of about `rows` rows, and the rows of the whole for each of them; `None` where it does not read
/// Parquet.
pub(super) async fn choose(
    state: &SessionState,
    scan: &FileScanConfig,
    rows: u64,
) -> Result<Option<(FileScanConfig, f64)>> {
    if scan.file_source().downcast_ref::<ParquetSource>().is_none() {
        return Ok(None);
    }
    let mut files: Vec<PartitionedFile> = Vec::new();
    for file in scan.file_groups.iter().flat_map(|group| group.files()) {
        // A file that is read in parts stands there for each.
        if !files.iter().any(|known| known.object_meta.location == file.object_meta.location) {
            files.push(PartitionedFile { range: None, ..file.clone() });
        }
    }
    let all_bytes: u64 = files.iter().map(|file| file.object_meta.size).sum();
    let step = files.len().div_ceil(FILES).max(1);
    let chosen: Vec<PartitionedFile> = files.into_iter().step_by(step).collect();
    let chosen_bytes: u64 = chosen.iter().map(|file| file.object_meta.size).sum();
    let store = state.runtime_env().object_store(&scan.object_store_url)?;
    let counted = futures::stream::iter(chosen)
        .map(|file| {
            let store = std::sync::Arc::clone(&store);
            async move {
                let footer = DFParquetMetadata::new(store.as_ref(), &file.object_meta).fetch_metadata().await?;
                Ok::<_, DataFusionError>((file, footer.file_metadata().num_rows().max(0) as u64))
            }
        })
        .buffered(FOOTERS_AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let counted_rows: u64 = counted.iter().map(|(_, rows)| rows).sum();
    let share = (rows as f64 / counted_rows.max(1) as f64).min(1.0);
    let mut taken = 0;
    let files: Vec<PartitionedFile> = counted
        .into_iter()
        .map(|(file, rows)| {
            let (selection, selected) = spread(rows, share);
            taken += selected;
            file.with_extension(ParquetRowSelection::new(selection))
        })
        .collect();
    let all_rows = counted_rows as f64 * (all_bytes as f64 / chosen_bytes.max(1) as f64);
    let sampled = FileScanConfigBuilder::from(scan.clone())
        .with_file_groups(vec![FileGroup::new(files)])
        .with_limit(None)
        .build();
    Ok(Some((sampled, all_rows / taken.max(1) as f64)))
}

/// Runs that cover `share` of `rows` rows, evenly; and how many rows that is.
fn spread(rows: u64, share: f64) -> (RowSelection, u64) {
    if share >= 0.5 || rows <= RUN_ROWS {
        return (vec![RowSelector::select(rows as usize)].into(), rows);
    }
    let wanted = ((rows as f64 * share).ceil() as u64).max(1);
    let runs = wanted.div_ceil(RUN_ROWS);
    let (length, period) = (wanted.div_ceil(runs), rows / runs);
    let mut selectors = Vec::new();
    let mut at = 0;
    for run in 0..runs {
        // In the middle of its part of the file.
        let start = run * period + (period - length) / 2;
        selectors.push(RowSelector::skip((start - at) as usize));
        selectors.push(RowSelector::select(length as usize));
        at = start + length;
    }
    selectors.push(RowSelector::skip((rows - at) as usize));
    (selectors.into(), runs * length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_what_was_asked_for_and_the_whole_file() {
        for (rows, share) in [(0, 0.1), (5, 0.1), (8193, 0.4), (1_000_000, 0.02), (10_000_000, 0.04), (123_457, 0.49)] {
            let (selection, selected) = spread(rows, share);
            let (mut all, mut taken) = (0, 0);
            for selector in selection.iter() {
                all += selector.row_count as u64;
                taken += if selector.skip { 0 } else { selector.row_count as u64 };
            }
            assert_eq!((all, taken), (rows, selected), "{rows} rows, {share}");
            assert!(selected as f64 >= rows as f64 * share);
        }
    }
}
