//! Records in, FHIR drafts out, by checked templates.
//!
//! A mapping is total and pure: no I/O, no clock, no configuration beyond the switches it is given. Templates are
//! compiled and checked when loaded; per record only a plan runs. It must never guess a code.

pub mod block;
pub mod case;
pub mod code_list;
pub mod compare;
pub mod compile;
pub mod concept_map;
pub mod coverage;
pub mod difference;
pub mod explain;
pub mod head;
pub mod plan;
pub mod problem;
pub mod registration;
pub mod set;
pub mod template;
pub mod tree;
pub mod visit;
pub mod vocabulary;
