//! The register of posyandu in memory: where a visit took place, by code, name or alias.
//!
//! A name that fits no posyandu, or several, is an issue; the nearest name is offered, never taken.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Zone;
use crate::issue::{Code, Issue};
use crate::mapping::problem::nearest;
use crate::record::{Record, Value};
use crate::redact::mask;

/// One posyandu of the register.
#[derive(Debug, Clone)]
pub struct Posyandu {
    /// Its code, the gateway's own key.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The puskesmas it belongs to, by name.
    pub puskesmas: String,
    /// Its time zone.
    pub zone: Zone,
    /// The whole record, for the mapping.
    pub record: Arc<Record>,
}

impl Posyandu {
    /// Code of its kelurahan; empty when the register has none.
    #[must_use]
    pub fn village(&self) -> &str {
        self.record.text("kode_kelurahan").unwrap_or_default()
    }
}

/// All posyandu.
#[derive(Debug, Default)]
pub struct Register {
    all: Vec<Arc<Posyandu>>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Register {
    /// Adds one posyandu.
    ///
    /// # Errors
    /// An issue when its code stands twice or its zone is none of the three.
    pub fn add(&mut self, record: Record) -> Result<(), Box<Issue>> {
        let text = |field: &str| record.text(field).unwrap_or_default().to_owned();
        let code = text("kode_posyandu");
        if self.all.iter().any(|known| known.code == code) {
            let place = record.place_of("kode_posyandu");
            let issue = Issue::error(Code::Duplicate, "posyandu.code_twice").with("kode", &code).at(place);
            return Err(Box::new(issue));
        }
        let Some(zone) = Zone::from_name(&text("zona_waktu")) else {
            let issue = Issue::error(Code::Value, "posyandu.zone_unknown").at(record.place_of("zona_waktu"));
            return Err(Box::new(issue));
        };
        let index = self.all.len();
        let alias = text("alias");
        let names = alias.split(';').chain([code.as_str(), record.text("nama").unwrap_or_default()]);
        for name in names.map(fold).filter(|name| !name.is_empty()) {
            let known = self.by_name.entry(name).or_default();
            if !known.contains(&index) {
                known.push(index);
            }
        }
        let (name, puskesmas) = (text("nama"), text("puskesmas"));
        self.all.push(Arc::new(Posyandu { code, name, puskesmas, zone, record: Arc::new(record) }));
        Ok(())
    }

    /// Fills an empty column of a posyandu with what is known elsewhere; what stands there is never replaced.
    pub fn fill(&mut self, code: &str, field: &str, value: &str) {
        let Some(posyandu) = self.all.iter_mut().find(|posyandu| posyandu.code == code) else { return };
        let Some(at) = posyandu.record.schema.index(field) else { return };
        if posyandu.record.values[at].is_none() {
            let known = Arc::make_mut(posyandu);
            Arc::make_mut(&mut known.record).values[at] = Some(Value::Text(value.to_owned()));
        }
    }

    /// Number of posyandu.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All posyandu in the order of the register.
    #[must_use]
    pub fn all(&self) -> &[Arc<Posyandu>] {
        &self.all
    }

    /// The posyandu of a code.
    #[must_use]
    pub fn by_code(&self, code: &str) -> Option<&Arc<Posyandu>> {
        self.all.iter().find(|posyandu| posyandu.code == code)
    }

    /// The posyandu that a cell names, among those of a puskesmas (empty: of all).
    ///
    /// # Errors
    /// An issue without place when none or several fit.
    pub fn find(&self, written: &str, puskesmas: &str) -> Result<&Arc<Posyandu>, Box<Issue>> {
        let belongs = |index: &&usize| puskesmas.is_empty() || self.all[**index].puskesmas == puskesmas;
        let found: Vec<&usize> = self.by_name.get(&fold(written)).into_iter().flatten().filter(belongs).collect();
        match found.as_slice() {
            [one] => Ok(&self.all[**one]),
            [] => {
                let names = self.all.iter().filter(|known| puskesmas.is_empty() || known.puskesmas == puskesmas);
                let near = nearest(written, names.map(|known| known.name.as_str()));
                let near = near.and_then(|text| text.split('`').nth(1).map(str::to_owned));
                Err(Box::new(match near {
                    Some(name) => Issue::error(Code::NotFound, "posyandu.unknown_near")
                        .with("tertulis", written)
                        .with("mirip", name),
                    // Nothing like a posyandu: columns out of place may have put a person there.
                    None => Issue::error(Code::NotFound, "posyandu.unknown").with("tertulis", mask(written)),
                }))
            }
            several => {
                let issue = Issue::error(Code::MultipleMatches, "posyandu.ambiguous");
                Err(Box::new(issue.with("tertulis", written).with("jumlah", several.len())))
            }
        }
    }
}

/// Names as people mean them: upper case, without the word posyandu, single spaces.
fn fold(name: &str) -> String {
    let upper = name.to_uppercase();
    upper.split_whitespace().filter(|word| *word != "POSYANDU").collect::<Vec<_>>().join(" ")
}
