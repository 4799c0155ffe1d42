//! Who may see and do what: one pure table of roles and pages.
//!
//! It must not know requests. Whose data a role sees is the reach of its account; the pages ask the ledger within it.

use crate::ledger::account::Role;

/// Something that may be seen or done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// Counts of a day by place.
    Today,
    /// The work list: rows and visits by file and cell, without names.
    Work,
    /// One visit's story, without names; the look is audited.
    Story,
    /// Name and number of the person of a visit, with a typed reason; the look is audited.
    Names,
    /// What is reported how.
    Mapping,
    /// Queue, limits and the platform's health.
    Queue,
    /// Reports as files, of the places within the reach of the account.
    Reports,
    /// How many discrepancies there are.
    Discrepancies,
    /// Each discrepancy, without names.
    DiscrepancyList,
    /// The daily statements of puskesmas.
    Seals,
    /// Rows that fit more than one person, without names.
    Persons,
    /// What waits for a decision.
    Decisions,
    /// Try again, or leave out, a visit.
    DecideVisit,
    /// Mark a resource at the platform as entered in error, or leave it.
    DecideRemoval,
    /// Accept a discrepancy as it is.
    DecideDiscrepancy,
    /// Say whom a row is about.
    DecidePerson,
    /// Approve that delivered visits are sent again by a changed mapping.
    DecidePlan,
    /// Let a stopped lane go on.
    DecideLane,
    /// The accounts.
    Accounts,
    /// The audit trail.
    Audit,
}

impl Page {
    /// All.
    pub const ALL: [Self; 20] = [
        Self::Today,
        Self::Work,
        Self::Story,
        Self::Names,
        Self::Mapping,
        Self::Queue,
        Self::Reports,
        Self::Discrepancies,
        Self::DiscrepancyList,
        Self::Seals,
        Self::Persons,
        Self::Decisions,
        Self::DecideVisit,
        Self::DecideRemoval,
        Self::DecideDiscrepancy,
        Self::DecidePerson,
        Self::DecidePlan,
        Self::DecideLane,
        Self::Accounts,
        Self::Audit,
    ];
}

/// Whether a role may see or do something; `None` is whoever sits at the machine itself while there are no accounts:
/// counts only, nobody's row and no decision (security.md, sections 1 and 4).
#[must_use]
pub fn may(role: Option<Role>, page: Page) -> bool {
    use Role::{Admin, Auditor, Dinkes, Kader, Puskesmas};
    match page {
        Page::Today | Page::Mapping => true,
        Page::Queue => role != Some(Kader),
        Page::Work | Page::Story | Page::DiscrepancyList | Page::Persons => {
            matches!(role, Some(Kader | Puskesmas | Dinkes))
        }
        Page::Names | Page::DecideVisit | Page::DecideRemoval | Page::DecideDiscrepancy | Page::DecidePerson => {
            matches!(role, Some(Puskesmas | Dinkes))
        }
        Page::Discrepancies => role.is_some(),
        Page::Reports => matches!(role, Some(Kader | Puskesmas | Dinkes | Auditor)),
        Page::Seals => matches!(role, Some(Puskesmas | Dinkes | Auditor)),
        Page::Decisions => matches!(role, Some(Puskesmas | Dinkes | Admin)),
        Page::DecidePlan | Page::DecideLane => matches!(role, Some(Dinkes | Admin)),
        Page::Accounts => role == Some(Admin),
        Page::Audit => matches!(role, Some(Auditor | Admin)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guest, kader, puskesmas, dinkes, auditor, admin.
    const TABLE: [(Page, &str); 20] = [
        (Page::Today, "yyyyyy"),
        (Page::Work, "-yyy--"),
        (Page::Story, "-yyy--"),
        (Page::Names, "--yy--"),
        (Page::Mapping, "yyyyyy"),
        (Page::Queue, "y-yyyy"),
        (Page::Reports, "-yyyy-"),
        (Page::Discrepancies, "-yyyyy"),
        (Page::DiscrepancyList, "-yyy--"),
        (Page::Seals, "--yyy-"),
        (Page::Persons, "-yyy--"),
        (Page::Decisions, "--yy-y"),
        (Page::DecideVisit, "--yy--"),
        (Page::DecideRemoval, "--yy--"),
        (Page::DecideDiscrepancy, "--yy--"),
        (Page::DecidePerson, "--yy--"),
        (Page::DecidePlan, "---y-y"),
        (Page::DecideLane, "---y-y"),
        (Page::Accounts, "-----y"),
        (Page::Audit, "----yy"),
    ];

    #[test]
    fn every_role_may_see_and_do_exactly_this() {
        assert_eq!(TABLE.map(|(page, _)| page), Page::ALL);
        for (page, row) in TABLE {
            let roles = std::iter::once(None).chain(Role::ALL.into_iter().map(Some));
            let found: String = roles.map(|role| if may(role, page) { 'y' } else { '-' }).collect();
            assert_eq!(found, row, "{page:?}");
        }
    }
}
