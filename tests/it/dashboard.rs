//! The pages: what each role is shown, what a stranger is not, what decisions do, and that no text becomes markup.

mod access;
mod browser;
mod decisions;
mod logins;
pub mod more;
mod pages;
mod plots;
mod safety;
pub mod site;
