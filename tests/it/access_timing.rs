//! AZ-19, timed: 404 of what is not seen takes as long as 404 of what is not there. By hand, on a
//! machine that does nothing else:
//!
//! ```sh
//! BHN_TIMED_READS=10000 cargo test --release --test it rt_049 -- --ignored --nocapture
//! ```

use crate::harness::Network;
use crate::search_oracle::random::Random;
use crate::search_oracle::setting;
use std::time::Instant;

/// How probable it is that two samples as far apart as these are of one distribution: the test of
/// Kolmogorov and Smirnov, by its limit for large samples.
fn probability(one: &mut [f64], other: &mut [f64]) -> f64 {
    one.sort_unstable_by(f64::total_cmp);
    other.sort_unstable_by(f64::total_cmp);
    let (n, m) = (one.len() as f64, other.len() as f64);
    let share = |all: &[f64], value: f64| all.partition_point(|own| *own <= value) as f64;
    let apart = |value: &f64| (share(one, *value) / n - share(other, *value) / m).abs();
    let most = one.iter().chain(other.iter()).map(apart).fold(0.0, f64::max);
    let size = (n * m / (n + m)).sqrt();
    let lambda = (size + 0.12 + 0.11 / size) * most;
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * lambda * lambda).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

#[test]
fn samples_of_one_distribution_are_told_from_those_of_two() {
    let mut random = Random::new(7);
    let mut draw = |shift: f64| -> Vec<f64> {
        (0..2_000).map(|_| random.below(10_000) as f64 + shift).collect()
    };
    assert!(probability(&mut draw(0.0), &mut draw(0.0)) > 0.01);
    assert!(probability(&mut draw(0.0), &mut draw(1_000.0)) < 0.001);
    let (mut one, mut other) = (vec![1.0; 50], vec![1.0; 50]);
    assert!(probability(&mut one, &mut other) > 0.99);
}

#[ignore = "timed"]
#[tokio::test]
async fn rt_049_what_is_invisible_takes_as_long_as_what_is_missing() {
    let reads = setting("BHN_TIMED_READS", 10_000);
    let network = Network::start().await;
    let mut random = Random::new(setting("BHN_ORACLE_SEED", 1));
    for (who, hidden, missing) in [
        ("p1", "Observation/o2", "Observation/xx"),
        ("p1", "Patient/P2", "Patient/XX"),
        ("d1", "Observation/o2", "Observation/xx"),
        ("h1", "Observation/o2", "Observation/xx"),
    ] {
        let client = network.as_person(who).await;
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..2 * reads + 200 {
            // In no order that the machine could follow.
            let which = random.below(2);
            let path = [hidden, missing][which];
            let begun = Instant::now();
            client.get(path).await.expect(404);
            let taken = begun.elapsed().as_secs_f64() * 1e6;
            if number >= 200 {
                times[which].push(taken);
            }
        }
        let [mut of_hidden, mut of_missing] = times;
        let p = probability(&mut of_hidden, &mut of_missing);
        let median = |all: &[f64]| all[all.len() / 2];
        let (own, other) = (median(&of_hidden), median(&of_missing));
        eprintln!("{who} {hidden}: {own:.1} us, {missing}: {other:.1} us, p = {p:.3}");
        assert!(p > 0.01, "{who}: {hidden} is told from {missing} by its time, p = {p}");
    }
}
