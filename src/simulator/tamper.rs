//! Changes to what is stored that no call of the client made: for tests of what a client notices.
//!
//! It must not be reachable over HTTP: whoever tampers holds the stand-in in their own process.

use serde_json::Value;

use super::Simulator;
use super::people::Person;

impl Simulator {
    /// The index of patients learns of a person, as if somebody else had registered them.
    pub fn make_known(&self, person: Person) {
        self.state().patients.add(person);
    }

    /// Puts a resource as if another client or the platform itself had written it, without any check; `None` takes it
    /// away.
    pub fn tamper(&self, kind: &str, id: &str, resource: Option<Value>) {
        let now = self.clock.now();
        let mut state = self.state();
        match resource {
            Some(Value::Object(resource)) => drop(state.store.put(kind, id, resource, now).map(|_| ())),
            _ => state.store.remove(kind, id),
        }
    }
}
