//! stub
use super::exit::Exit;
use super::Context;
/// stub
#[derive(Debug, clap::Args)]
pub struct Check {}
impl Check {
    /// stub
    pub async fn run(&self, _: &Context) -> anyhow::Result<Exit> { Ok(Exit::Fine) }
}
