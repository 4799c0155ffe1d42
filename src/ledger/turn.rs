//! Whose turn it is when visits of today and older ones wait together: shares, not a strict order.
//!
//! Pure, so that the same rule can be tried in virtual time. It must not know the database.

use std::collections::HashSet;

/// What a waiting visit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Its day still runs: the same-day promise can be kept.
    Today,
    /// A newer version of a visit of an earlier day.
    Correction,
    /// Anything else of an earlier day.
    Backlog,
}

impl Turn {
    /// All, in the order of [`Turns`].
    pub const ALL: [Self; 3] = [Self::Today, Self::Correction, Self::Backlog];
}

/// Parts of the sending that each gets while all three wait, in percent (faults.md, row 22: 80 % today, 20 % backlog,
/// of which a reserve for corrections). What one does not need, the others take by their parts.
pub const SHARES: [i32; 3] = [80, 5, 15];

/// Who had how many turns so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    credit: [i32; 3],
}

impl Turns {
    /// Who is next of those that wait; `None` when nobody waits.
    pub fn next(&mut self, waits: [bool; 3]) -> Option<Turn> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for (at, _) in waits.iter().enumerate().filter(|(_, waits)| **waits) {
            self.credit[at] += SHARES[at];
            total += SHARES[at];
            if best.is_none_or(|best| self.credit[at] > self.credit[best]) {
                best = Some(at);
            }
        }
        let best = best?;
        self.credit[best] -= total;
        Turn::ALL.get(best).copied()
    }

    /// Takes up to `limit` of three lists, each in its own order; an id that stands on two lists is taken once.
    pub fn pick(&mut self, limit: usize, lists: [&[i64]; 3]) -> Vec<(i64, Turn)> {
        let mut rest = lists.map(|list| list.iter().peekable());
        let (mut picked, mut taken) = (Vec::new(), HashSet::new());
        while picked.len() < limit {
            for list in &mut rest {
                while list.next_if(|id| taken.contains(*id)).is_some() {}
            }
            let [today, correction, backlog] = &mut rest;
            let waits = [today.peek().is_some(), correction.peek().is_some(), backlog.peek().is_some()];
            let Some(turn) = self.next(waits) else { break };
            let list = match turn {
                Turn::Today => today,
                Turn::Correction => correction,
                Turn::Backlog => backlog,
            };
            if let Some(id) = list.next() {
                taken.insert(*id);
                picked.push((*id, turn));
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_share_while_all_wait_also_one_at_a_time() {
        let (today, corrections, backlog): (Vec<i64>, Vec<i64>, Vec<i64>) =
            ((0..1000).collect(), (1000..2000).collect(), (2000..3000).collect());
        let mut turns = Turns::default();
        let mut counts = [0; 3];
        for round in 0..100 {
            let lists = [&today[round..], &corrections[round..], &backlog[round..]];
            let turn = turns.pick(1, lists)[0].1;
            counts[Turn::ALL.iter().position(|one| *one == turn).unwrap_or(0)] += 1;
        }
        assert_eq!(counts, [80, 5, 15]);
        let many = Turns::default().pick(100, [&today, &corrections, &backlog]);
        assert_eq!(many.iter().filter(|(_, turn)| *turn == Turn::Today).count(), 80);
    }

    #[test]
    fn what_one_leaves_the_others_take_and_nothing_is_taken_twice() {
        let mut turns = Turns::default();
        let picked = turns.pick(10, [&[1, 2], &[5], &[5, 6, 7, 8, 9]]);
        let mut ids: Vec<i64> = picked.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 5, 6, 7, 8, 9]);
        assert!(turns.pick(10, [&[], &[], &[]]).is_empty());
    }
}
