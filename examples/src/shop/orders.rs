//! TPC-H `orders` and `customer` from the public generator: `o_custkey` and `c_custkey` are the shop's user ids.

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatchReader;
use datafusion::error::Result;
use tpchgen::generators::{CustomerGenerator, OrderGenerator};
use tpchgen_arrow::{CustomerArrow, OrderArrow};

use super::ShopOptions;
use super::files::{Job, TableFile};

const ORDER_FILES: i32 = 4;
const BATCH_ROWS: usize = 32_768;

fn write(path: PathBuf, batches: impl RecordBatchReader) -> Result<()> {
    let mut table = TableFile::create(&path, batches.schema())?;
    for batch in batches {
        table.write(&batch?)?;
    }
    table.close()
}

pub(super) fn jobs(options: &ShopOptions, folder: &Path) -> Vec<Job<'static>> {
    let scale = options.scale;
    let customers = folder.join("customer/part-00000.parquet");
    let mut jobs: Vec<Job<'static>> = vec![Box::new(move || {
        write(customers, CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)).with_batch_size(BATCH_ROWS))
    })];
    for part in 1..=ORDER_FILES {
        let path = folder.join(format!("orders/part-{:05}.parquet", part - 1));
        jobs.push(Box::new(move || {
            let generator = OrderGenerator::new(scale, part, ORDER_FILES);
            write(path, OrderArrow::new(generator).with_batch_size(BATCH_ROWS))
        }));
    }
    jobs
}
