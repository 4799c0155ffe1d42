//! The month of `tests/it/month.rs` at the size of a city: 395 posyandu, 45,000 visits, faults on, and discrepancies of
//! every class put in and found.
//!
//! Run with `cargo bench --bench month`; `POSYANDU_MONTH` sets another number of visits. It measures what the test
//! checks, and prints how long each part took.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a bench stops and prints")]

#[allow(dead_code, reason = "of the crowd only its header is used")]
#[path = "../tests/it/crowd.rs"]
mod crowd;
#[path = "../tests/it/month.rs"]
mod month;

use month::city::Size;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    runtime.block_on(month::run(if is_bench && std::env::var_os("POSYANDU_MONTH").is_none() {
        Size::FULL
    } else {
        Size::chosen()
    }));
}
