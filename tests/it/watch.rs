//! Watching the daemon: metrics, readiness, what systemd is told, and the unit under which it runs.

mod metrics;
mod service;
mod unit;
