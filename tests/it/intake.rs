//! Apps that hand in records: what they are answered, what the ledger holds then, and that nothing else gets through.

pub mod counter;
mod description;
mod limits;
mod problems;
mod records;
mod server;
