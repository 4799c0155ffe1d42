//! To be written.
pub mod register;
