//! posyandu-gateway: one pipeline, read top to bottom. A module imports only modules above it.

pub mod clock;

pub mod redact;

pub mod issue;

pub mod words;

pub mod seal;

pub mod observed;

pub mod source;

pub mod record;

pub mod growth;

pub mod mapping;

pub mod resource;

pub mod remote;

pub mod ledger;

pub mod ingest;

pub mod delivery;

pub mod reconciliation;

pub mod report;

pub mod http;

pub mod simulator;

pub mod config;

pub mod daemon;

pub mod cli;
