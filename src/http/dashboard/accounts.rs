//! The accounts: who there is, another one, a new one-time code, closing and opening.
//!
//! It must not show or choose a password; a one-time code is shown once, to whoever made it.

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::access::Page;
use super::ask::Ask;
use super::{Refusal, layout, place};
use crate::ledger::LedgerError;
use crate::ledger::account::{Account, NAME_BYTES_MAX, Reach, Role};
use crate::seal;

/// The page; `code` is the name and one-time code of an account made just now.
pub(super) async fn page(ask: &Ask<'_>, code: Option<(&str, &str)>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Accounts)?;
    let say = ask.say;
    let title = say.t("dashboard.accounts.title");
    let all = ask.board.ledger.accounts().await?;
    let content = html! {
        h1 { (title) }
        @if let Some((name, code)) = code {
            div class="pesan baik" role="status" {
                p { (say.f("dashboard.accounts.code", &[("nama", name.to_owned())])) }
                p { strong.kode { (code) } }
            }
        }
        (table(ask, &all))
        (add(ask))
    };
    Ok(layout::page(ask, Some(Page::Accounts), &title, &content))
}

fn table(ask: &Ask<'_>, all: &[Account]) -> Markup {
    let (say, zone) = (ask.say, ask.board.options.zone);
    let standing = |account: &Account| match (account.disabled_at, &account.password, account.code_until) {
        (Some(at), _, _) => say.f("dashboard.accounts.closed", &[("waktu", zone.text_at(at))]),
        (None, Some(_), _) => say.t("dashboard.accounts.in_use"),
        (None, None, Some(until)) => say.f("dashboard.accounts.waits", &[("waktu", zone.text_at(until))]),
        (None, None, None) => "–".to_owned(),
    };
    let of = |account: &Account| match (&account.reach.puskesmas, &account.reach.posyandu) {
        (Some(puskesmas), Some(posyandu)) => format!("{}, {puskesmas}", ask.board.name_of(posyandu)),
        (Some(puskesmas), None) => puskesmas.clone(),
        _ => say.t("dashboard.accounts.city"),
    };
    let button = |account: &Account, what: &str, key: &str| {
        html! {
            form.sebaris method="post" action="/akun" {
                (layout::own_form(ask))
                input type="hidden" name="apa" value=(what);
                input type="hidden" name="nama" value=(account.name);
                button.lain type="submit" aria-label=(format!("{}: {}", say.t(key), account.name)) { (say.t(key)) }
            }
        }
    };
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.login.name")) }
            th scope="col" { (say.t("dashboard.accounts.role")) }
            th scope="col" { (say.t("dashboard.accounts.of")) }
            th scope="col" { (say.t("dashboard.state")) }
            th scope="col" { (say.t("dashboard.accounts.change")) }
        } }
        tbody {
            @for account in all {
                tr {
                    th scope="row" { (account.name) }
                    td { (say.role(account.role)) }
                    td { (of(account)) }
                    td { (standing(account)) }
                    td {
                        @if account.disabled_at.is_some() { (button(account, "open", "dashboard.accounts.open")) }
                        @else {
                            (button(account, "code", "dashboard.accounts.new_code")) " "
                            @if account.name != ask.visitor.name { (button(account, "close", "dashboard.accounts.close")) }
                        }
                    }
                }
            }
        }
    };
    layout::table(&say.t("dashboard.accounts.caption"), &content)
}

fn add(ask: &Ask<'_>) -> Markup {
    let say = ask.say;
    let roles: Vec<(String, String)> = Role::ALL.iter().map(|role| (role.word().to_owned(), say.role(*role))).collect();
    let lanes: Vec<(String, String)> = place::puskesmas(ask).into_iter().map(|name| (name.clone(), name)).collect();
    let none = say.t("dashboard.accounts.city");
    html! {
        h2 { (say.t("dashboard.accounts.add")) }
        form.tegak method="post" action="/akun" {
            (layout::own_form(ask))
            input type="hidden" name="apa" value="add";
            label for="nama" { (say.t("dashboard.login.name")) }
            input id="nama" name="nama" required maxlength=(NAME_BYTES_MAX) autocomplete="off";
            (layout::choice("peran", &say.t("dashboard.accounts.role"), None, &roles, None))
            (layout::choice("puskesmas", &say.t("dashboard.accounts.of"), Some(&none), &lanes, None))
            label for="posyandu" { (say.t("dashboard.accounts.posyandu_code")) }
            input id="posyandu" name="posyandu" maxlength="64" autocomplete="off";
            button type="submit" { (say.t("dashboard.accounts.add")) }
        }
    }
}

/// Carries out a change and shows the page again.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Accounts)?;
    let name = ask.field("nama").filter(|name| name.len() <= NAME_BYTES_MAX);
    let name = name.ok_or(Refusal::Wrong("dashboard.wrong.account_name"))?;
    let (ledger, subject) = (&ask.board.ledger, format!("account {name}"));
    match ask.field("apa") {
        Some("add") => {
            let role = ask.field("peran").and_then(Role::from_word).ok_or(Refusal::Wrong("dashboard.wrong.form"))?;
            let field = |name| ask.field(name).map(str::to_owned);
            let reach = Reach { puskesmas: field("puskesmas"), posyandu: field("posyandu") };
            if !reach.fits(role) || !is_known(ask, &reach) {
                return Err(Refusal::Wrong("dashboard.wrong.reach"));
            }
            ask.audit("account_add", &subject, None, None).await?;
            let code = seal::random_text().map_err(LedgerError::from)?;
            match ledger.add_account(name, role, &reach, &code).await? {
                true => page(ask, Some((name, &code))).await,
                false => Err(Refusal::Wrong("dashboard.wrong.account_taken")),
            }
        }
        Some("code") => {
            ask.audit("account_code", &subject, None, None).await?;
            let code = seal::random_text().map_err(LedgerError::from)?;
            match ledger.renew_code(name, &code).await? {
                true => page(ask, Some((name, &code))).await,
                false => Err(Refusal::NotFound),
            }
        }
        Some(what @ ("close" | "open")) if name != ask.visitor.name => {
            let action = if what == "close" { "account_close" } else { "account_open" };
            ask.audit(action, &subject, None, None).await?;
            match ledger.close_account(name, what == "close").await? {
                true => page(ask, None).await,
                false => Err(Refusal::NotFound),
            }
        }
        _ => Err(Refusal::Wrong("dashboard.wrong.form")),
    }
}

/// Whether puskesmas and posyandu exist, as far as the register is known.
fn is_known(ask: &Ask<'_>, reach: &Reach) -> bool {
    let puskesmas = reach.puskesmas.as_ref().is_none_or(|name| place::puskesmas(ask).contains(name));
    let posyandu = reach
        .posyandu
        .as_ref()
        .is_none_or(|code| place::posyandu(ask, reach.puskesmas.as_deref()).iter().any(|(known, _, _)| known == code));
    puskesmas && posyandu
}
