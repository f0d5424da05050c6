use super::*;
use proptest::prelude::*;

use crate::optimal::fixture;

fn unconstrained(trend: Trend) -> Constraints {
    Constraints {
        trend,
        min_bins: 1,
        max_bins: usize::MAX,
        min_size: 0,
        min_events: 1,
        min_nonevents: 1,
        min_rate_difference: 0.0,
        min_z: None,
    }
}

fn value_of(prebins: &[ClassCounts], cuts: &[usize]) -> (f64, Vec<ClassCounts>) {
    let total = ClassCounts::sum(prebins);
    let mut ends = cuts.to_vec();
    ends.push(prebins.len());
    let mut start = 0;
    let mut bins = Vec::new();
    for end in ends {
        bins.push(ClassCounts::sum(&prebins[start..end]));
        start = end;
    }
    let value = |bin: &ClassCounts| {
        let (p, q) = (bin.events as f64 / total.events as f64, bin.non_events as f64 / total.non_events as f64);
        (p - q) * (p / q).ln()
    };
    (bins.iter().map(value).sum(), bins)
}

/// optbinning 1.0.0 with OR-tools 9.15 (`solver="cp"`) on 6 data sets of 20,000 rows and 5 trends.
#[test]
fn solutions_are_those_of_the_constraint_solver() {
    let mut compared = 0;
    for case in fixture()["solver"].as_array().unwrap() {
        let counts = |name: &str| case[name].as_array().unwrap().iter().map(|count| count.as_u64().unwrap());
        let prebins: Vec<ClassCounts> = counts("events")
            .zip(counts("non_events"))
            .map(|(events, non_events)| ClassCounts { events, non_events })
            .collect();
        for solution in case["solutions"].as_array().unwrap() {
            let name = solution["trend"].as_str().unwrap();
            let trend = Trend::NAMES.iter().find(|(known, _)| *known == name).unwrap().1;
            let found = best_bins(&prebins, &unconstrained(trend)).unwrap();
            let cuts: Vec<usize> =
                solution["cuts"].as_array().unwrap().iter().map(|cut| cut.as_u64().unwrap() as usize).collect();
            assert_eq!(found.cuts, cuts, "{name}");
            let (value, _) = value_of(&prebins, &found.cuts);
            assert!((value - solution["iv"].as_f64().unwrap()).abs() < 1e-6, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 30);
}

fn follows(trend: Trend, bins: &[ClassCounts]) -> bool {
    let ups: Vec<_> = bins.windows(2).map(|pair| compare_rates(&pair[0], &pair[1])).collect();
    let up = |part: &[std::cmp::Ordering]| part.iter().all(|order| order.is_le());
    let down = |part: &[std::cmp::Ordering]| part.iter().all(|order| order.is_ge());
    match trend {
        Trend::None => true,
        Trend::Ascending => up(&ups),
        Trend::Descending => down(&ups),
        Trend::Peak => (0..=ups.len()).any(|turn| up(&ups[..turn]) && down(&ups[turn..])),
        Trend::Valley => (0..=ups.len()).any(|turn| down(&ups[..turn]) && up(&ups[turn..])),
        Trend::Auto => follows(Trend::Peak, bins) || follows(Trend::Valley, bins),
    }
}

proptest! {
    /// Against every way to merge up to 9 pre-bins.
    #[test]
    fn no_other_bins_are_better(
        counts in prop::collection::vec((1u64..30, 1u64..30), 1..9),
        trend in prop::sample::select(vec![
            Trend::None, Trend::Ascending, Trend::Descending, Trend::Peak, Trend::Valley, Trend::Auto,
        ]),
        min_bins in 1usize..4, max_bins in 3usize..9, min_size in 0u64..60, min_events in 0u64..20,
        difference in prop::sample::select(vec![0.0, 0.05, 0.2]), min_z in prop::option::of(0.5f64..3.0),
    ) {
        let prebins: Vec<ClassCounts> =
            counts.iter().map(|(events, non_events)| ClassCounts { events: *events, non_events: *non_events }).collect();
        let constraints = Constraints {
            trend, min_bins, max_bins, min_size, min_events, min_nonevents: 1, min_rate_difference: difference, min_z,
        };
        let found = best_bins(&prebins, &constraints);
        let mut best: Option<Information> = None;
        for mask in 0u32..1 << (prebins.len() - 1) {
            let cuts: Vec<usize> = (1..prebins.len()).filter(|cut| mask >> (cut - 1) & 1 == 1).collect();
            let (_, bins) = value_of(&prebins, &cuts);
            let total = ClassCounts::sum(&prebins);
            let allowed = (min_bins..=max_bins).contains(&bins.len())
                && bins.iter().all(|bin| bin.total() >= min_size && bin.events >= min_events)
                && follows(trend, &bins)
                && bins.windows(2).all(|pair| {
                    millionths(&pair[0]).abs_diff(millionths(&pair[1])) >= (difference * 1e6) as u64
                        && min_z.is_none_or(|least| z_statistic(&pair[0], &pair[1]).abs() >= least)
                });
            if allowed {
                best = best.max(Some(bins.iter().fold(Information::default(), |sum, bin| sum.plus(Information::of(bin, &total)))));
            }
        }
        prop_assert_eq!(found.as_ref().map(|found| found.value), best);
    }
}
