//! The command line in trouble, through the real binary: what it says, how it ends, and that nothing is lost.

mod commands;
mod configuration;
mod decisions;
mod environment;
mod instances;
mod large;
mod listening;
mod mapping_explain;
mod mapping_office;
mod mappings;
mod provision;
mod servers;
mod shared;
mod sources;
mod sources_new;
mod storage;
pub mod town;
