use super::*;
use crate::access::TypeSet;
use std::sync::Arc;

fn kind(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

fn filter(types: &[&str], tests: Vec<Test>) -> RowFilter {
    let types: TypeSet = types.iter().map(|name| kind(name)).collect();
    let any = tests.into_iter().map(|is| RowTest { is, about: None, only: None }).collect();
    RowFilter::Groups(Arc::new(vec![RowGroup { types, any }]))
}

/// An Observation 7 about patient 1, owned by 2, by 3.
fn facts() -> Facts {
    let stamps = Stamps { owner: Some(2), author: Some(3), subjects: Some(vec![1]) };
    Facts { rid: 7, kind: kind("Observation").number(), stamps, ..Facts::default() }
}

fn is_borne_out(test: Test, facts: Facts) -> bool {
    let witness = Witness { now: facts, ..Witness::default() };
    filter(&["Observation"], vec![test]).bears_out(&witness)
}

#[test]
fn az_15_each_test_of_stamps_and_links_is_looked_at_again() {
    for (held, not_held) in [
        (Test::Subjects(vec![1]), Test::Subjects(vec![2, 3, 7])),
        (Test::Owners(vec![2]), Test::Owners(vec![1, 3, 7])),
        (Test::Authors(vec![3]), Test::Authors(vec![1, 2, 7])),
        (Test::Itself(vec![7]), Test::Itself(vec![1, 2, 3])),
    ] {
        assert!(is_borne_out(held.clone(), facts()), "{held:?}");
        assert!(!is_borne_out(not_held.clone(), facts()), "{not_held:?}");
    }
    let linked = Facts { in_care: vec![1], registered: vec![1], ..facts() };
    for test in [Test::Care(9), Test::Facilities(vec![9])] {
        assert!(is_borne_out(test.clone(), linked.clone()), "{test:?}");
        assert!(!is_borne_out(test.clone(), facts()), "{test:?}");
        let of_another = Facts { in_care: vec![4], registered: vec![4], ..facts() };
        assert!(!is_borne_out(test, of_another));
    }
    let released = Facts { released: vec!["ON".to_owned()], ..facts() };
    assert!(is_borne_out(Test::Released(vec!["ON".to_owned()]), released.clone()));
    assert!(!is_borne_out(Test::Released(vec!["QC".to_owned()]), released));
}

#[test]
fn az_15_a_row_without_stamps_and_a_type_without_a_group_are_not_seen() {
    let unstamped = Facts { stamps: Stamps::default(), in_care: vec![1], ..facts() };
    for test in [Test::Subjects(vec![1]), Test::Care(9), Test::Owners(vec![0])] {
        assert!(!is_borne_out(test, unstamped.clone()));
    }
    let witness = Witness { now: facts(), ..Witness::default() };
    assert!(!filter(&["Condition"], vec![Test::Subjects(vec![1])]).bears_out(&witness));
    assert!(!filter(&["Observation"], Vec::new()).bears_out(&witness));
    assert!(!RowFilter::nothing().bears_out(&witness));
    let unknown = Facts { kind: 0, ..facts() };
    assert!(!is_borne_out(Test::Subjects(vec![1]), unknown));
}

#[test]
fn az_15_the_patient_in_context_narrows_a_test() {
    let test = |about| RowTest { is: Test::Owners(vec![2]), about: Some(about), only: None };
    let of = |about| {
        let types = [kind("Observation")].into_iter().collect();
        RowFilter::Groups(Arc::new(vec![RowGroup { types, any: vec![test(about)] }]))
    };
    let witness = Witness { now: facts(), ..Witness::default() };
    assert!(of(1).bears_out(&witness));
    assert!(!of(2).bears_out(&witness));
}

#[test]
fn az_15_an_old_version_is_seen_by_its_stamps_and_by_those_of_now() {
    let mine = filter(&["Observation"], vec![Test::Subjects(vec![1])]);
    let of = |now: i64, before: i64| {
        let stamps = |patient| Stamps { subjects: Some(vec![patient]), ..Stamps::default() };
        let now = Facts { stamps: stamps(now), ..facts() };
        Witness { now, before: Some(stamps(before)), referred: Vec::new() }
    };
    assert!(mine.bears_out(&of(1, 1)));
    assert!(!mine.bears_out(&of(1, 2)));
    assert!(!mine.bears_out(&of(2, 1)));
}

#[test]
fn az_15_the_directory_lists_by_codes_that_are_there_or_are_not() {
    let listings =
        |has| Listings { pairs: vec![(ParameterId(5), "false"), (ParameterId(6), "x")], has };
    let listed = |code: &str| Facts { listed: vec![(5, code.to_owned())], ..facts() };
    assert!(is_borne_out(Test::Listed(listings(true)), listed("false")));
    assert!(!is_borne_out(Test::Listed(listings(true)), listed("x")));
    assert!(is_borne_out(Test::Listed(listings(false)), listed("x")));
    assert!(!is_borne_out(Test::Listed(listings(false)), listed("false")));
}

#[test]
fn az_15_all_that_is_referred_to_is_seen_and_there_is_something() {
    let RowFilter::Groups(groups) = filter(&["Observation"], vec![Test::Subjects(vec![1])]) else {
        panic!("groups");
    };
    let rule = filter(&["Provenance"], vec![Test::Referred(ParameterId(5), groups)]);
    let to = |parameter, patient: Option<i64>| {
        let stamps = |patient| Stamps { subjects: Some(vec![patient]), ..Stamps::default() };
        let target = patient.map(|patient| Facts { stamps: stamps(patient), ..facts() });
        Referred { parameter, target }
    };
    let seen = |referred: Vec<Referred>| {
        let now = Facts { kind: kind("Provenance").number(), ..facts() };
        rule.bears_out(&Witness { now, before: None, referred })
    };
    assert!(seen(vec![to(5, Some(1))]));
    assert!(seen(vec![to(5, Some(1)), to(6, Some(2))]));
    assert!(!seen(vec![to(5, Some(1)), to(5, Some(2))]));
    assert!(!seen(vec![to(5, Some(1)), to(5, None)]));
    assert!(!seen(vec![to(6, Some(1))]));
    assert!(!seen(Vec::new()));
}
