//! One binary for all tests that look at the gateway from outside: it links once and runs everything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod city;
mod cli;
mod corpus;
mod corrections;
mod crowd;
mod database;
mod dump;
mod faults;
mod flows_ages;
mod flows_maternal;
mod flows_toddler;
mod folder;
mod growth;
mod growth_visit;
mod intake;
mod kill;
mod ledger;
mod ledger_intake;
mod mapping;
mod mapping_cases;
mod office;
mod person;
mod reconciliation;
mod record;
mod remap;
mod remote;
mod report;
mod rules;
mod servers;
mod simulator;
mod source;
mod source_grid;
mod source_text;
mod state;
mod workbook;
