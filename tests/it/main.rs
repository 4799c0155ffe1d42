//! One binary for all tests that look at the gateway from outside: it links once and runs everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod city;
mod cli;
mod corpus;
mod corrections;
mod crowd;
mod database;
mod dump;
mod editor;
mod faults;
mod folder;
mod intake;
mod kill;
mod ledger;
mod ledger_intake;
mod mapping;
mod mapping_cases;
mod mapping_coverage;
mod mapping_plan;
mod office;
mod person;
mod reconciliation;
mod record;
mod remap;
mod remote;
mod report;
mod servers;
mod simulator;
mod source;
mod source_grid;
mod source_text;
mod state;
mod workbook;
