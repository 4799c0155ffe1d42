//! The rules of the house that no compiler checks: layers, homes of the edges, shape of files, nobody's data, words.
//!
//! It reads the project as text and runs none of it. `tidy/bites.rs` proves that every check catches its mistake.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::LazyLock;

use tidy::tree::{self, File};
use tidy::{catalogue, edges, layers, people, shape};

/// The checks; one file each, beside the proof that they bite.
mod tidy {
    mod bites;
    pub mod catalogue;
    pub mod edges;
    pub mod layers;
    pub mod people;
    pub mod shape;
    pub mod token;
    pub mod tree;
}

/// What cargo builds.
static CODE: LazyLock<Vec<File>> = LazyLock::new(|| tree::code(Path::new(env!("CARGO_MANIFEST_DIR"))));

/// What is handed on.
static TRACKED: LazyLock<Vec<File>> = LazyLock::new(|| tree::tracked(Path::new(env!("CARGO_MANIFEST_DIR"))));

#[track_caller]
fn nothing(found: &[String]) {
    assert!(found.is_empty(), "{} found:\n  {}", found.len(), found.join("\n  "));
}

#[test]
fn the_table_of_layers_points_upwards() {
    nothing(&layers::order(&layers::TABLE));
}

#[test]
fn the_library_declares_the_table_and_nothing_is_re_exported() {
    nothing(&layers::declarations(&CODE));
}

#[test]
fn modules_import_only_what_the_table_allows() {
    nothing(&layers::imports(&CODE));
}

#[test]
fn edges_stay_at_home() {
    nothing(&edges::homes(&CODE));
}

#[test]
fn files_are_short_and_say_why_they_exist() {
    nothing(&shape::lengths_and_openings(&CODE));
}

#[test]
fn file_names_say_what_is_inside() {
    nothing(&shape::names(&CODE));
}

#[test]
fn every_file_is_part_of_the_build() {
    nothing(&shape::forgotten(&CODE));
}

#[test]
fn every_dependency_has_a_reason() {
    nothing(&shape::dependencies(&CODE));
}

#[test]
fn no_number_may_be_somebodys() {
    nothing(&people::numbers(&TRACKED));
}

#[test]
fn the_files_speak_of_the_project_alone() {
    nothing(&people::traces(&TRACKED));
}

#[test]
fn every_rule_has_its_sentence() {
    nothing(&catalogue::unknown(&CODE));
}

#[test]
fn every_sentence_is_said() {
    nothing(&catalogue::unused(&CODE));
}
