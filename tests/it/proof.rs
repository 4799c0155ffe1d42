//! The numbers behind "nothing is lost, nothing is sent twice": each family of tests has a small size for every run and
//! any larger one by a setting, is decided by a seed, and writes what it did where `tests/faults` can add it up.

mod armed;
mod blows;
mod city;
mod cut;
mod doubt;
mod fuzz;
mod model;
mod points;
mod protocol;
mod rate;
pub mod run;
mod satellite;
pub mod simulation;
mod table;
mod week;
