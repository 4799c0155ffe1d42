//! Words, numbers and moments as the pages say them.
//!
//! It must not know what is shown.

use crate::ledger::account::Role;
use crate::ledger::board::Actor;
use crate::words::{self, Language};

/// The language of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Say(pub Language);

impl Say {
    /// A sentence without arguments.
    pub fn t(self, key: &str) -> String {
        words::plain(self.0, key)
    }

    /// A sentence with arguments.
    pub fn f(self, key: &str, arguments: &[(&str, String)]) -> String {
        words::text(self.0, key, arguments)
    }

    /// The code of the language, for `lang`.
    pub fn code(self) -> &'static str {
        match self.0 {
            Language::Indonesian => "id",
            Language::English => "en",
        }
    }

    /// A number with its thousands apart: `45.000`, in English `45,000`.
    pub fn number(self, number: u64) -> String {
        let mark = match self.0 {
            Language::Indonesian => '.',
            Language::English => ',',
        };
        let digits = number.to_string();
        let mut out = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(mark);
            }
            out.push(digit);
        }
        out
    }

    /// A value that is not negative, with two decimals at most: `12,5`, in English `12.5`.
    pub fn value(self, value: f64) -> String {
        let text = format!("{value:.2}");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), |whole| self.number(whole));
        let mark = match self.0 {
            Language::Indonesian => ',',
            Language::English => '.',
        };
        match decimals.trim_end_matches('0') {
            "" => whole,
            decimals => format!("{whole}{mark}{decimals}"),
        }
    }

    /// A share in whole percent, rounded down so that 100 means all; nothing of nothing is no share.
    pub fn share(part: u64, whole: u64) -> Option<u64> {
        (part * 100).checked_div(whole)
    }

    /// What a role is called.
    pub fn role(self, role: Role) -> String {
        self.t(match role {
            Role::Kader => "dashboard.role.kader",
            Role::Puskesmas => "dashboard.role.puskesmas",
            Role::Dinkes => "dashboard.role.dinkes",
            Role::Auditor => "dashboard.role.auditor",
            Role::Admin => "dashboard.role.admin",
        })
    }

    /// Who must act.
    pub fn actor(self, actor: Actor) -> String {
        self.t(match actor {
            Actor::Kader => "dashboard.actor.kader",
            Actor::Puskesmas => "dashboard.actor.puskesmas",
            Actor::Mapping => "dashboard.actor.mapping",
            Actor::Platform => "dashboard.actor.platform",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_as_each_language_writes_them() {
        for (number, id, en) in
            [(0, "0", "0"), (999, "999", "999"), (45_000, "45.000", "45,000"), (1_234_567, "1.234.567", "1,234,567")]
        {
            assert_eq!(
                (Say(Language::Indonesian).number(number), Say(Language::English).number(number)),
                (id.into(), en.into())
            );
        }
        for (value, id, en) in
            [(7.5, "7,5", "7.5"), (0.0, "0", "0"), (12_000.25, "12.000,25", "12,000.25"), (0.999, "1", "1")]
        {
            assert_eq!(
                (Say(Language::Indonesian).value(value), Say(Language::English).value(value)),
                (id.into(), en.into())
            );
        }
        assert_eq!((Say::share(999, 1000), Say::share(0, 0), Say::share(3, 3)), (Some(99), None, Some(100)));
    }
}
