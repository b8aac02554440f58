//! Sets of resource types.

use crate::fhir::definitions::ResourceType;

/// Some of the resource types, as bits by their numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TypeSet([u64; 3]);

impl TypeSet {
    pub fn all() -> TypeSet {
        ResourceType::all().collect()
    }

    pub fn insert(&mut self, resource_type: ResourceType) {
        let number = resource_type.number() as usize;
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub fn has(&self, resource_type: ResourceType) -> bool {
        let number = resource_type.number() as usize;
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// What is in both.
    pub fn and(self, other: TypeSet) -> TypeSet {
        self.with_each(other, |own, other| own & other)
    }

    /// What is in either.
    pub fn or(self, other: TypeSet) -> TypeSet {
        self.with_each(other, |own, other| own | other)
    }

    /// What is in this one alone.
    pub fn without(self, other: TypeSet) -> TypeSet {
        self.with_each(other, |own, other| own & !other)
    }

    pub fn is_empty(&self) -> bool {
        *self == TypeSet::default()
    }

    /// In order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = ResourceType> + '_ {
        ResourceType::all().filter(|kind| self.has(*kind))
    }

    fn with_each(self, other: TypeSet, of: impl Fn(u64, u64) -> u64) -> TypeSet {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = of(*word, other);
        }
        TypeSet(words)
    }
}

impl FromIterator<ResourceType> for TypeSet {
    fn from_iter<I: IntoIterator<Item = ResourceType>>(types: I) -> TypeSet {
        let mut set = TypeSet::default();
        types.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_every_type_and_no_other() {
        let all = TypeSet::all();
        assert_eq!(all.iter().count(), 146);
        let patient = ResourceType::parse("Patient").unwrap();
        let one: TypeSet = [patient].into_iter().collect();
        assert!(one.has(patient) && !all.without(one).has(patient));
        assert_eq!(all.and(one), one);
        assert_eq!(one.or(all), all);
        assert!(one.without(all).is_empty());
    }
}
