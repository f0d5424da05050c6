//! The memory allocator, and how it deals with the kernel.
//!
//! A query engine asks for large pieces of memory and gives them back all the time. Each piece that the allocator returns
//! to the kernel comes back page by page, cleared: on joins that was a quarter of all processor time. So freed memory is kept
//! for [`KEEP`] before it is returned, and large pages are asked for where the kernel offers them.

use std::ffi::c_long;
use std::time::Duration;

use libmimalloc_sys::{mi_option_large_os_pages, mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long freed memory is kept. Long enough for a query to use it again, and no process that idles keeps it.
const KEEP: Duration = Duration::from_secs(10);
/// `mi_option_purge_delay` of mimalloc 3, in milliseconds; the crate has no name for it.
const PURGE_DELAY: mi_option_t = 15;

/// Sets what the environment (`MIMALLOC_PURGE_DELAY`, `MIMALLOC_ALLOW_LARGE_OS_PAGES`) leaves open.
#[allow(unsafe_code)]
pub(crate) fn configure() {
    let delay = KEEP.as_millis() as c_long;
    // SAFETY: the function stores a number in a table of the allocator, and both numbers name options that it has.
    unsafe {
        mi_option_set_default(PURGE_DELAY, delay);
        mi_option_set_default(mi_option_large_os_pages, 1);
    }
}
