//! Logging in and out, and choosing a password with a one-time code.
//!
//! Whatever is wrong with name, password or code, the answer is the same and takes as long. A login has a new random
//! token each time; only its keyed hash is kept.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, Response, StatusCode};
use maud::{Markup, html};

use super::ask::Ask;
use super::visitor::{COOKIE_NAME, COOKIE_NAME_SECURE};
use super::{Dashboard, Refusal, layout, password, see_other};
use crate::ledger::LedgerError;
use crate::ledger::account::{Deed, LOGIN_MAX, NAME_BYTES_MAX};
use crate::seal;

/// The form.
pub(super) fn page(ask: &Ask<'_>, wrong: Option<&str>) -> Result<Response<Body>, Refusal> {
    let say = ask.say;
    let title = say.t("dashboard.login.title");
    let content = html! {
        h1 { (title) }
        (complaint(ask, wrong))
        form.tegak method="post" action="/masuk" {
            label for="nama" { (say.t("dashboard.login.name")) }
            input id="nama" name="nama" required maxlength=(NAME_BYTES_MAX) autocomplete="username" autocapitalize="none" spellcheck="false";
            label for="sandi" { (say.t("dashboard.login.password")) }
            input id="sandi" name="sandi" type="password" required maxlength=(password::LENGTH_MAX) autocomplete="current-password";
            button type="submit" { (say.t("dashboard.login.enter")) }
        }
        p { a href="/masuk/kode" { (say.t("dashboard.login.first")) } }
    };
    Ok(shown(ask, wrong, &title, &content))
}

/// The form for a one-time code.
pub(super) fn code_page(ask: &Ask<'_>, wrong: Option<&str>) -> Result<Response<Body>, Refusal> {
    let say = ask.say;
    let title = say.t("dashboard.login.first_title");
    let content = html! {
        h1 { (title) }
        p { (say.f("dashboard.login.first_intro", &[("panjang", password::LENGTH_MIN.to_string())])) }
        (complaint(ask, wrong))
        form.tegak method="post" action="/masuk/kode" {
            label for="nama" { (say.t("dashboard.login.name")) }
            input id="nama" name="nama" required maxlength=(NAME_BYTES_MAX) autocomplete="username" autocapitalize="none" spellcheck="false";
            label for="kode" { (say.t("dashboard.login.code")) }
            input id="kode" name="kode" required maxlength="64" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false";
            label for="sandi" { (say.t("dashboard.login.new_password")) }
            input id="sandi" name="sandi" type="password" required minlength=(password::LENGTH_MIN) maxlength=(password::LENGTH_MAX) autocomplete="new-password";
            label for="ulang" { (say.t("dashboard.login.again")) }
            input id="ulang" name="ulang" type="password" required minlength=(password::LENGTH_MIN) maxlength=(password::LENGTH_MAX) autocomplete="new-password";
            button type="submit" { (say.t("dashboard.login.choose")) }
        }
    };
    Ok(shown(ask, wrong, &title, &content))
}

fn complaint(ask: &Ask<'_>, wrong: Option<&str>) -> Markup {
    html! { @if let Some(key) = wrong { div class="pesan gagal" role="alert" { p { (ask.say.t(key)) } } } }
}

fn shown(ask: &Ask<'_>, wrong: Option<&str>, title: &str, content: &Markup) -> Response<Body> {
    let mut response = layout::page(ask, None, title, content);
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// A try to log in.
pub(super) async fn enter(ask: &Ask<'_>, from: Option<IpAddr>) -> Result<Response<Body>, Refusal> {
    let (name, given) = (ask.field("nama").unwrap_or_default(), ask.form.get("sandi").map_or("", String::as_str));
    let board = ask.board;
    if name.len() > NAME_BYTES_MAX || given.len() > password::LENGTH_MAX {
        return page(ask, Some("dashboard.login.wrong"));
    }
    if !board.attempts.begin(name, from, board.clock.now()) {
        tracing::warn!("too many tries to log in");
        return Err(Refusal::TooMany);
    }
    let account = board.ledger.account(name).await?.filter(|account| account.disabled_at.is_none());
    let known = account.as_ref().and_then(|account| account.password.as_deref());
    let fits = password::is_right(given, known).await?;
    let Some(account) = account.filter(|_| fits) else {
        return page(ask, Some("dashboard.login.wrong"));
    };
    board.attempts.succeeded(name, from);
    let role = account.role.word();
    let deed = Deed { account: name, role, action: "log_in", subject: "", command: None, reason: None };
    board.ledger.audit(deed).await?;
    // Whoever was logged in before in this browser is not any more.
    if let Some(token) = ask.visitor.token() {
        board.ledger.end_login(token).await?;
    }
    let token = seal::random_text().map_err(LedgerError::from)?;
    board.ledger.begin_login(&account, &token).await?;
    let mut response = see_other("/");
    set_cookie(board, &mut response, &token, LOGIN_MAX.as_secs());
    Ok(response)
}

/// A password for a one-time code.
pub(super) async fn choose(ask: &Ask<'_>, from: Option<IpAddr>) -> Result<Response<Body>, Refusal> {
    let (name, code) = (ask.field("nama").unwrap_or_default(), ask.field("kode").unwrap_or_default());
    let value = |field: &str| ask.form.get(field).map_or("", String::as_str);
    let (given, again, board) = (value("sandi"), value("ulang"), ask.board);
    if given != again {
        return code_page(ask, Some("dashboard.login.not_the_same"));
    }
    let is_fit = given.chars().count() >= password::LENGTH_MIN && given.len() <= password::LENGTH_MAX;
    if !is_fit || name.len() > NAME_BYTES_MAX || given.to_lowercase().contains(&name.to_lowercase()) {
        return code_page(ask, Some("dashboard.login.weak"));
    }
    if !board.attempts.begin(name, from, board.clock.now()) {
        tracing::warn!("too many tries to use a one-time code");
        return Err(Refusal::TooMany);
    }
    let hash = password::hash(given).await?;
    let code = code.to_uppercase().replace(['-', ' '], "");
    if !board.ledger.choose_password(name, &code, hash).await? {
        return code_page(ask, Some("dashboard.login.wrong_code"));
    }
    board.attempts.succeeded(name, from);
    let deed = Deed { account: name, role: "", action: "password", subject: "", command: None, reason: None };
    board.ledger.audit(deed).await?;
    Ok(see_other("/masuk"))
}

/// Logging out.
pub(super) async fn leave(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    if let Some(token) = ask.visitor.token() {
        ask.board.ledger.end_login(token).await?;
    }
    let mut response = see_other("/masuk");
    set_cookie(ask.board, &mut response, "", 0);
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

fn set_cookie(board: &Dashboard, response: &mut Response<Body>, token: &str, seconds: u64) {
    let (name, secure) = match board.options.public_url {
        Some(_) => (COOKIE_NAME_SECURE, "; Secure"),
        None => (COOKIE_NAME, ""),
    };
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}
