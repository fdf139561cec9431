use super::*;
use std::collections::BTreeSet;

use proptest::prelude::*;

fn n_rows(sample: &RawSample) -> usize {
    numbers(sample, 0).len()
}

#[test]
fn every_set_has_its_shape() {
    let shapes: Vec<(usize, usize)> = names()
        .map(|name| {
            let sample = load(name).unwrap();
            let RawFeatures::Table(table) = &sample.features else {
                panic!("{name} is a table")
            };
            let labels = match sample.labels.as_ref().unwrap() {
                RawLabels::Names(names) => names.len(),
                RawLabels::Numbers(numbers) => numbers.len(),
            };
            assert_eq!(labels, n_rows(&sample));
            (labels, table.columns.len())
        })
        .collect();
    assert_eq!(
        shapes,
        [(1599, 11), (1599, 11), (441, 10), (150, 4), (20, 3)]
    );
    let Some(RawLabels::Names(quality)) = load("wine-quality-embedded").unwrap().labels else {
        panic!()
    };
    assert_eq!(quality.iter().filter(|q| *q == "good").count(), 855);
}

#[test]
fn the_domains_of_a_set_share_its_rows_and_are_shifted() {
    for name in names() {
        let n = n_rows(&load_domain(name, "all").unwrap());
        for pair in domains(name).unwrap()[1..].chunks(2) {
            let [low, high] = [0, 1].map(|side| load_domain(name, &pair[side]).unwrap());
            assert_eq!(n_rows(&low) + n_rows(&high), n, "{pair:?}");
            assert!(
                n_rows(&low).abs_diff(n_rows(&high)) <= 1,
                "{pair:?}: {}",
                n_rows(&low)
            );
            let covariate = pair[0].strip_prefix("low-").unwrap();
            let column = find(name)
                .unwrap()
                .covariates
                .iter()
                .find(|(c, _)| *c == covariate)
                .unwrap()
                .1;
            let mean = |s: &RawSample| numbers(s, column).iter().sum::<f64>() / n_rows(s) as f64;
            assert!(mean(&low) < mean(&high), "{pair:?}");
        }
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let error = load("wine-quality-embeded").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("did you mean `wine-quality-embedded`?"),
        "{error}"
    );
    for domain in ["low-alcool", "low-", "alcohol", "low-wine"] {
        let error = load_domain("wine-quality-embedded", domain).unwrap_err();
        assert!(error.to_string().contains("-alcohol"), "{error}");
    }
    assert!(split_by_covariate([1.0, f64::NAN]).is_err());
}

proptest! {
    #[test]
    fn no_row_is_lost_or_doubled(values in prop::collection::vec(-5..5_i8, 0..200)) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let split = split_by_covariate(values.iter().copied()).unwrap();
        let all: BTreeSet<usize> = split.low.iter().chain(&split.high).copied().collect();
        prop_assert_eq!(all.len(), values.len());
        prop_assert_eq!(split.low.len() + split.high.len(), values.len());
        prop_assert!(split.low.is_sorted_by(|&a, &b| values[a] <= values[b]));
        // In every run of ranks the share is kept to within one row.
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
        let low: BTreeSet<usize> = split.low.iter().copied().collect();
        let mut excess = 0.0;
        for row in order {
            excess += f64::from(u8::from(low.contains(&row))) - split.share_low[row];
            prop_assert!(f64::abs(excess) <= 0.5 + 1e-9);
        }
    }
}
