//! What answers to new visits named lately: a resource named twice stands in an answer to another request.
//!
//! The answer to a transaction carries no identifier of ours, so the ids in it are all that tells it from the answer to
//! another one (faults, row 17). It must not be relied on for what is long ago: reading back compares what is held.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;

use super::answer::{Answer, Class};
use super::{Inner, Remote};

/// Resources remembered: those of the last minutes, in which answers can be mixed up.
const GIVEN_MAX: usize = 4_096;

/// Resources that answers named lately.
#[derive(Debug, Default)]
pub struct Given(Mutex<(HashSet<String>, VecDeque<String>)>);

impl Given {
    /// Remembers a resource; says whether it is the first time.
    fn is_new(&self, name: String) -> bool {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, order) = &mut *lately;
        if !names.insert(name.clone()) {
            return false;
        }
        order.push_back(name);
        if order.len() > GIVEN_MAX
            && let Some(oldest) = order.pop_front()
        {
            names.remove(&oldest);
        }
        true
    }
}

impl Remote {
    /// From now on knows what the answers to these other clients named; the first one given stays.
    pub fn share_given(&self, given: &Arc<Given>) {
        let _ = self.inner.given.set(Arc::clone(given));
    }

    /// An answer to a request that creates, unless it belongs to another one: then nobody knows what became of this, and
    /// the connections that may be a step behind are used no more.
    pub(super) fn own(&self, answer: Answer) -> Answer {
        let Some(first) = answer.accepted.first().filter(|_| answer.class == Class::Accepted) else { return answer };
        let name = format!("{}/{}", first.resource_type, first.id);
        if self.inner.given.get_or_init(Arc::default).is_new(name) {
            return answer;
        }
        tracing::warn!("an answer belongs to another request; all connections are made anew");
        self.inner.connect_anew();
        let excerpt = "the answer names a resource that another answer named: it belongs to another request";
        Answer { class: Class::Unknown, accepted: Vec::new(), excerpt: excerpt.to_owned(), ..answer }
    }
}

impl Inner {
    /// The client with the connections in use.
    pub(super) fn client(&self) -> Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connect_anew(&self) {
        // It could be made when this began, so it can be made now; if not, the old one stays.
        if let Ok(client) = (self.connect)() {
            *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_named_is_known_for_a_while() {
        let given = Given::default();
        assert!(given.is_new("Encounter/a".to_owned()));
        assert!(!given.is_new("Encounter/a".to_owned()));
        for number in 0..GIVEN_MAX {
            assert!(given.is_new(format!("Encounter/{number}")));
        }
        assert!(given.is_new("Encounter/a".to_owned()), "it was long ago");
    }
}
