//! Which fault strikes which call: counted and drawn per fault, so that the same seed strikes the same calls.
//!
//! It must not carry a fault out; that is `strike`'s part.

use std::collections::BTreeMap;

use super::fault::{AppliesTo, Fault};
use super::generator::Generator;

/// Spreads the seeds of the single faults: an odd constant of SplitMix64's kind.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// What is known of a call when faults are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// What it wants.
    pub kind: AppliesTo,
    /// HTTP method.
    pub method: &'a str,
    /// Path without the query.
    pub path: &'a str,
    /// Whole seconds since the simulator started.
    pub second: u64,
}

/// A fault that strikes a call.
#[derive(Clone, Debug)]
pub(super) struct Strike {
    /// The fault.
    pub fault: Fault,
    /// How often it struck before.
    pub earlier: u64,
}

/// One fault with what it counted.
struct Armed {
    fault: Fault,
    fitting: u64,
    strikes: u64,
    generator: Generator,
}

/// Draws faults call by call.
pub(super) struct Injector {
    armed: Vec<Armed>,
    /// Strikes so far, by kind.
    pub struck: BTreeMap<&'static str, u64>,
}

impl Injector {
    /// Prepares the draw. Each fault has a generator of its own, so that the n-th call that fits it is decided by the
    /// seed alone, whatever other faults and other calls there are.
    pub(super) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        let armed = (1_u64..).zip(faults).map(|(number, fault)| Armed {
            fault,
            fitting: 0,
            strikes: 0,
            generator: Generator::new(seed ^ number.wrapping_mul(SPREAD)),
        });
        Self { armed: armed.collect(), struck: BTreeMap::new() }
    }

    /// The fault that strikes this call, if any; the first of the list wins.
    pub(super) fn draw(&mut self, call: Asked<'_>) -> Option<Strike> {
        let mut chosen = None;
        for armed in &mut self.armed {
            if !fits(&armed.fault, call) {
                continue;
            }
            armed.fitting += 1;
            // The draw happens in any case, so that one fault does not shift the draws of another.
            let drawn = armed.fault.probability.is_some_and(|chance| armed.generator.chance(chance));
            let counted = armed.fault.every.is_some_and(|every| armed.fitting.is_multiple_of(every));
            let due = drawn || counted || armed.fault.calls.contains(&armed.fitting);
            if due && chosen.is_none() && armed.fault.at_most.is_none_or(|most| armed.strikes < most) {
                chosen = Some(Strike { fault: armed.fault.clone(), earlier: armed.strikes });
                armed.strikes += 1;
            }
        }
        if let Some(strike) = &chosen {
            *self.struck.entry(strike.fault.kind.name()).or_default() += 1;
        }
        chosen
    }
}

fn fits(fault: &Fault, call: Asked<'_>) -> bool {
    (fault.applies_to == AppliesTo::Any || fault.applies_to == call.kind)
        && fault.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method))
        && fault.path.as_deref().is_none_or(|pattern| matches(pattern, call.path))
        && fault.from_second.is_none_or(|from| call.second >= from)
        && fault.until_second.is_none_or(|until| call.second < until)
}

/// True when `text` is `pattern`, in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultKind;
    use super::*;

    fn asked(kind: AppliesTo) -> Asked<'static> {
        Asked { kind, method: "POST", path: "/fhir-r4/v1/Encounter", second: 10 }
    }

    fn sometimes(chance: f64) -> Fault {
        Fault { probability: Some(chance), ..Fault::at_calls(FaultKind::HtmlPage, AppliesTo::Any, &[]) }
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls_whatever_other_faults_there_are() {
        let strikes = |seed, faults: &[Fault]| {
            let mut injector = Injector::new(faults.to_vec(), seed);
            let draws = (0..200).map(|_| injector.draw(asked(AppliesTo::Read)));
            draws.map(|strike| strike.is_some_and(|strike| strike.fault.path.is_none())).collect::<Vec<_>>()
        };
        let alone = strikes(5, &[sometimes(0.3)]);
        assert_eq!(alone, strikes(5, &[sometimes(0.3)]));
        assert_ne!(alone, strikes(6, &[sometimes(0.3)]));
        let never = Fault { path: Some("/nowhere".to_owned()), ..sometimes(0.5) };
        assert_eq!(alone, strikes(5, &[sometimes(0.3), never]));
    }

    #[test]
    fn calls_are_counted_per_fault_and_kind_of_call() {
        let mut injector = Injector::new(vec![Fault::at_calls(FaultKind::HtmlPage, AppliesTo::Write, &[2])], 1);
        let calls = [AppliesTo::Write, AppliesTo::Read, AppliesTo::Write, AppliesTo::Write];
        let struck: Vec<bool> = calls.into_iter().map(|call| injector.draw(asked(call)).is_some()).collect();
        assert_eq!(struck, [false, false, true, false]);
    }

    #[test]
    fn method_path_and_time_narrow_a_fault() {
        let fault = |change: fn(&mut Fault)| {
            let mut fault = Fault { every: Some(1), ..Fault::at_calls(FaultKind::HtmlPage, AppliesTo::Any, &[]) };
            change(&mut fault);
            Injector::new(vec![fault], 1).draw(asked(AppliesTo::Write)).is_some()
        };
        assert!(fault(|fault| fault.method = Some("post".to_owned())));
        assert!(!fault(|fault| fault.method = Some("PUT".to_owned())));
        assert!(fault(|fault| fault.path = Some("/fhir-r4/*/Enc*".to_owned())));
        assert!(fault(|fault| fault.from_second = Some(10)));
        assert!(!fault(|fault| fault.until_second = Some(10)));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text, fits) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("*", "", true),
            ("/a/*", "/a/b/c", true),
            ("*/b", "/a/b", true),
            ("*/b", "/a/b/c", false),
            ("/a*c*c", "/abc", false),
            ("/a*c*c", "/abcc", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
