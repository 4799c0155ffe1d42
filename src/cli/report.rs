//! stub
use super::exit::Exit;
use super::Context;
/// stub
#[derive(Debug, clap::Args)]
pub struct Report {}
impl Report {
    /// stub
    pub async fn run(&self, _: &Context) -> anyhow::Result<Exit> { Ok(Exit::Fine) }
}
/// stub
pub async fn day(_: &crate::daemon::Daemon, _: jiff::civil::Date, _: crate::words::Language, _: &std::path::Path) -> anyhow::Result<String> { Ok(String::new()) }
