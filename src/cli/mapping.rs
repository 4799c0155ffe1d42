//! stub
use super::exit::Exit;
use super::Context;
/// stub
#[derive(Debug, clap::Args)]
pub struct Mapping {}
impl Mapping {
    /// stub
    pub fn run(&self, _: &Context) -> anyhow::Result<Exit> { Ok(Exit::Fine) }
}
