//! Fitted optimal bins, decoded from a state of either fit.

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::{Result, exec_err, plan_err};

use crate::bin_numbers::{BinNumbers, interval};
use crate::category_counts::read_categories;
use crate::category_table::{CategoryTable, applied_type};
use crate::class_counts::{ClassCounts, read_counts};
use crate::numbers::float_values;
use crate::numbers::{Closed, number_argument};
use crate::optimal::{categorical, numeric};
use crate::sign::Sign;
use crate::spec::Spec;
use crate::state::{KIND, StateReader};

/// The bins of a state.
#[derive(Debug)]
pub(crate) struct FittedBins {
    /// The counts of all bins: found ones, others (if there is a cutoff), special ones, the missing one.
    pub(crate) counts: Vec<ClassCounts>,
    /// How many of them are neither special nor missing.
    pub(crate) plain: usize,
    lookup: Lookup,
}

#[derive(Debug)]
enum Lookup {
    Number {
        numbers: BinNumbers,
        splits: Vec<f64>,
        special: Vec<f64>,
    },
    Category {
        table: CategoryTable,
        values: ArrayRef,
        /// The bin of each category.
        groups: Vec<usize>,
        special: ArrayRef,
    },
}

/// The types that the state and `x` of an apply are cast to.
pub(crate) fn coerce_state_and_x(spec: &Spec, types: &mut [DataType]) -> Result<()> {
    check_type(spec, &types[0])?;
    types[1] = match &types[0] {
        DataType::Struct(fields) if fields.find("splits").is_some() => number_argument(spec, "x", &types[1])?,
        state => applied_type(spec.name, state, "categories", &types[1])?,
    };
    Ok(())
}

/// Checks that a type is that of a state of either fit.
pub(crate) fn check_type(spec: &Spec, state: &DataType) -> Result<()> {
    let is_state = match state {
        DataType::Null => true,
        DataType::Struct(fields) => {
            let has = |name: &str| fields.find(name).is_some();
            has(KIND) && has("bins") && has("status") && (has("splits") || has("groups"))
        }
        _ => false,
    };
    match is_state {
        true => Ok(()),
        false => plan_err!(
            "the state of {} must be the result of fit_optimal_bins or fit_optimal_categories: it is of type {state}",
            spec.name
        ),
    }
}

impl FittedBins {
    /// Decodes a row of states.
    pub(crate) fn decode(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let is_number = states.column_by_name("splits").is_some();
        let kind = if is_number { numeric::KIND } else { categorical::KIND };
        let Some(state) = StateReader::open(states, row, kind)? else { return Ok(None) };
        let counts = read_counts(&state.given("bins", state.structs("bins")?)?)?;
        let special;
        let lookup = if is_number {
            let splits = state.given("splits", state.floats("splits")?)?;
            let codes = state.given("special", state.floats("special")?)?;
            if !splits.windows(2).all(|pair| pair[0] < pair[1]) {
                return exec_err!("the splits of the state must ascend");
            }
            special = codes.len();
            let numbers = BinNumbers::new(&splits, Closed::Left, &codes);
            if numbers.len() != counts.len() {
                return exec_err!("the state must have {} bins: it has {}", numbers.len(), counts.len());
            }
            Lookup::Number { numbers, splits, special: codes }
        } else {
            let codes = state.given("special", state.list("special")?)?;
            special = codes.len();
            Self::categories(&state, &counts, codes)?
        };
        match counts.len().checked_sub(special + 1) {
            Some(plain) if plain > 0 => Ok(Some(Self { counts, plain, lookup })),
            _ => exec_err!("the state has too few bins"),
        }
    }

    fn categories(state: &StateReader<'_>, counts: &[ClassCounts], special: ArrayRef) -> Result<Lookup> {
        let (values, _) = read_categories(state)?;
        let values = values.slice(0, values.len() - values.null_count().min(1));
        let groups = cast(&state.given("groups", state.list("groups")?)?, &DataType::Int64)?;
        let groups = groups.as_primitive::<Int64Type>();
        let number = |group: Option<i64>| match group.map(usize::try_from) {
            Some(Ok(group)) if group < counts.len() => Ok(group),
            _ => exec_err!("the groups of the state must be numbers of its bins"),
        };
        let groups = groups.iter().take(values.len()).map(number).collect::<Result<Vec<_>>>()?;
        if groups.len() != values.len() {
            return exec_err!("the state must have a group for each category");
        }
        Ok(Lookup::Category { table: CategoryTable::new(&values)?, values, groups, special })
    }

    /// What `of_bins` has for the bin of each value, and `unseen` for a category that has none.
    pub(crate) fn map<T: Copy>(&self, x: &ArrayRef, of_bins: &[T], unseen: T) -> Result<Vec<T>> {
        match &self.lookup {
            Lookup::Number { numbers, .. } => Ok(numbers.map(&float_values(x)?, of_bins)),
            Lookup::Category { table, groups, .. } => {
                let of_categories: Vec<T> = groups.iter().map(|group| of_bins[*group]).collect();
                table.map(x, &of_categories, unseen, of_bins[of_bins.len() - 1])
            }
        }
    }

    /// The total counts.
    pub(crate) fn total(&self) -> ClassCounts {
        ClassCounts::sum(&self.counts)
    }

    /// The weight of evidence of each bin: 0 where it is not finite, as in optbinning.
    pub(crate) fn weights(&self, sign: Sign) -> Vec<f64> {
        let total = self.total();
        let weight = |counts: &ClassCounts| match counts.is_mixed() {
            true => sign
                .weight(counts.events as f64 / total.events as f64, counts.non_events as f64 / total.non_events as f64),
            false => 0.0,
        };
        self.counts.iter().map(weight).collect()
    }

    /// The bins as text, numbers with `digits` digits after the point.
    pub(crate) fn labels(&self, digits: usize) -> Result<Vec<String>> {
        let mut labels = match &self.lookup {
            Lookup::Number { splits, special, .. } => {
                let number =
                    |number: f64| if number.is_finite() { format!("{number:.digits$}") } else { format!("{number}") };
                let intervals = (0..self.plain).map(|bin| interval(splits, bin, Closed::Left, number));
                intervals.chain(special.iter().map(|code| format!("Special {code}"))).collect::<Vec<_>>()
            }
            Lookup::Category { values, groups, special, .. } => {
                let options = FormatOptions::default();
                let value = ArrayFormatter::try_new(values.as_ref(), &options)?;
                let mut members: Vec<Vec<String>> = vec![Vec::new(); self.plain];
                for (place, group) in groups.iter().enumerate() {
                    if let Some(members) = members.get_mut(*group) {
                        members.push(value.value(place).to_string());
                    }
                }
                let code = ArrayFormatter::try_new(special.as_ref(), &options)?;
                let lists = members.iter().map(|members| format!("[{}]", members.join(", ")));
                lists.chain((0..special.len()).map(|place| format!("Special {}", code.value(place)))).collect()
            }
        };
        labels.push("Missing".to_string());
        Ok(labels)
    }
}
