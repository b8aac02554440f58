//! Sets of codes over code systems, some of them whole without their codes being known.

use std::collections::{BTreeMap, BTreeSet};

/// Codes by system.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Codes {
    by_system: BTreeMap<String, Members>,
}

/// Codes of one system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Members {
    These(BTreeSet<String>),
    /// Every code of the system but these.
    AllBut(BTreeSet<String>),
}

use Members::{AllBut, These};

impl Codes {
    pub fn of(system: &str, members: Members) -> Codes {
        Codes { by_system: BTreeMap::from([(system.to_owned(), members)]) }
    }

    pub fn systems(&self) -> impl Iterator<Item = (&str, &Members)> {
        self.by_system.iter().map(|(system, members)| (system.as_str(), members))
    }

    pub fn contains(&self, system: &str, code: &str) -> bool {
        match self.by_system.get(system) {
            Some(These(codes)) => codes.contains(code),
            Some(AllBut(codes)) => !codes.contains(code),
            None => false,
        }
    }

    /// How many codes are named.
    pub fn len(&self) -> usize {
        let named = |members: &Members| match members {
            These(codes) | AllBut(codes) => codes.len(),
        };
        self.by_system.values().map(named).sum()
    }

    pub fn is_empty(&self) -> bool {
        let is_none = |members: &Members| matches!(members, These(codes) if codes.is_empty());
        self.by_system.values().all(is_none)
    }

    pub fn add(&mut self, other: Codes) {
        for (system, members) in other.by_system {
            let own = self.by_system.remove(&system);
            let both = match own {
                Some(own) => own.or(members),
                None => members,
            };
            self.by_system.insert(system, both);
        }
    }

    /// Keeps what the other has as well.
    pub fn keep(&mut self, other: &Codes) {
        let own = std::mem::take(&mut self.by_system);
        for (system, members) in own {
            if let Some(others) = other.by_system.get(&system) {
                self.by_system.insert(system, members.and(others));
            }
        }
    }

    /// Takes out what the other has.
    pub fn remove(&mut self, other: &Codes) {
        for (system, others) in &other.by_system {
            if let Some(own) = self.by_system.remove(system) {
                self.by_system.insert(system.clone(), own.and(&others.inverse()));
            }
        }
    }
}

impl Members {
    fn inverse(&self) -> Members {
        match self {
            These(codes) => AllBut(codes.clone()),
            AllBut(codes) => These(codes.clone()),
        }
    }

    fn or(self, other: Members) -> Members {
        match (self, other) {
            (These(mut a), These(b)) => {
                a.extend(b);
                These(a)
            }
            (AllBut(a), AllBut(b)) => AllBut(a.intersection(&b).cloned().collect()),
            (AllBut(all), These(some)) | (These(some), AllBut(all)) => {
                AllBut(all.difference(&some).cloned().collect())
            }
        }
    }

    fn and(self, other: &Members) -> Members {
        match (self, other) {
            (These(a), These(b)) => These(a.intersection(b).cloned().collect()),
            (AllBut(a), AllBut(b)) => AllBut(a.union(b).cloned().collect()),
            (These(a), AllBut(b)) => These(a.difference(b).cloned().collect()),
            (AllBut(a), These(b)) => These(b.difference(&a).cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(codes: &[&str]) -> Codes {
        Codes::of("s", These(codes.iter().map(|code| (*code).to_owned()).collect()))
    }

    fn all_but(codes: &[&str]) -> Codes {
        Codes::of("s", AllBut(codes.iter().map(|code| (*code).to_owned()).collect()))
    }

    #[test]
    fn sets_are_joined_cut_and_taken_away_whether_their_codes_are_known_or_not() {
        let parts = [these(&["a", "b"]), these(&["b", "c"]), all_but(&["b"]), all_but(&["c"])];
        for left in &parts {
            for right in &parts {
                let (mut or, mut and, mut minus) = (left.clone(), left.clone(), left.clone());
                or.add(right.clone());
                and.keep(right);
                minus.remove(right);
                for code in ["a", "b", "c", "d"] {
                    let (l, r) = (left.contains("s", code), right.contains("s", code));
                    assert_eq!(or.contains("s", code), l || r);
                    assert_eq!(and.contains("s", code), l && r);
                    assert_eq!(minus.contains("s", code), l && !r);
                }
            }
        }
        let mut kept = these(&["a"]);
        kept.keep(&Codes::of("t", AllBut(BTreeSet::new())));
        assert!(kept.is_empty() && !all_but(&[]).is_empty());
    }
}
