//! Empties the ledger: what is sent again, and when.

pub mod retry;
