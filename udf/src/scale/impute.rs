//! `fit_imputer(x, strategy)`: what missing values are replaced by, as `SimpleImputer` of scikit-learn. This is the
//! entry, and the part for numbers; texts are in `text_impute`.

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};

use crate::aggregate::{Accumulate, Fit};
use crate::category::{category_argument, category_type};
use crate::constants::Constants;
use crate::exact_sum::{BLOCK, ExactSum, add_block};
use crate::numbers::{for_each_block, number_argument};
use crate::quantile::{Distribution, EPSILON, Interpolation, MERGEABLE, METHOD, Sketch};
use crate::scale::moments::{is_moderate, mean, sum_column};
use crate::scale::text_impute::TextImputer;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of};
use crate::summary::{Columns, Statistic, Summary, SummaryFit, count, one, text};

pub(crate) static SPEC: Spec = Spec {
    name: "fit_imputer",
    section: "Imputation",
    summary: "What missing values are replaced by, for impute_apply; as SimpleImputer of scikit-learn. Numbers and \
              booleans are taken as DOUBLE, texts as text. Null and NaN are missing, and a fit without values replaces \
              nothing.",
    parameters: &[
        required("x", "A number or a text."),
        required(
            "strategy",
            "'mean' (of numbers up to 1e290), 'median', 'mode' (the most frequent value; of several, the smallest) or \
             'constant'. Texts have 'mode' and 'constant'.",
        ),
        optional("fill", "NULL", "The replacement for the strategy 'constant', of the type of x."),
        METHOD,
        EPSILON,
        MERGEABLE,
    ],
    example: "select impute_apply(fit_imputer(x, 'mean'), NULL) from (values (1.0), (3.0), (NULL)) t(x); -- 2.0",
};

/// Where the replacement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Mean,
    Median,
    Mode,
    Constant,
}

const STRATEGIES: [(&str, Strategy); 4] = [
    ("mean", Strategy::Mean),
    ("median", Strategy::Median),
    ("mode", Strategy::Mode),
    ("constant", Strategy::Constant),
];

impl Strategy {
    /// From a call, whose `fill` must be given for a constant and for nothing else.
    pub(crate) fn read(constants: &Constants) -> Result<Self> {
        let strategy = constants.given("strategy", constants.choice("strategy", &STRATEGIES)?)?;
        match (strategy, constants.is_given("fill")) {
            (Self::Constant, false) => Err(constants.error("fill", "must be given for the strategy 'constant'")),
            (Self::Mean | Self::Median | Self::Mode, true) => {
                Err(constants.error("fill", "must be left out unless the strategy is 'constant'"))
            }
            _ => Ok(strategy),
        }
    }

    /// From a state.
    pub(crate) fn resume(state: &StateReader<'_>) -> Result<Self> {
        let name = state.given("strategy", state.text("strategy")?)?;
        match STRATEGIES.iter().find(|(known, _)| *known == name) {
            Some((_, strategy)) => Ok(*strategy),
            None => exec_err!("the state has an unknown strategy '{name}'"),
        }
    }

    /// The name in SQL.
    pub(crate) fn name(self) -> &'static str {
        STRATEGIES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// Whether a column holds texts: such a column has categories.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// The type that the column is cast to.
pub(crate) fn imputer_argument(spec: &Spec, parameter: &str, data_type: &DataType) -> Result<DataType> {
    if is_text(data_type) {
        return Ok(category_argument(data_type));
    }
    match number_argument(spec, parameter, data_type)? {
        DataType::Float64 => Ok(DataType::Float64),
        other => plan_err!("{parameter} of {} must be a number or a text: it is of type {other}", spec.name),
    }
}

/// `fit_imputer`.
#[derive(Debug)]
pub(crate) struct FitImputer;

impl FitImputer {
    fn of(data_type: &DataType) -> Box<dyn Fit> {
        match category_type(data_type) {
            DataType::Utf8 => Box::new(TextImputer),
            _ => Box::new(SummaryFit::<NumberImputer>::new()),
        }
    }
}

impl Fit for FitImputer {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = imputer_argument(&SPEC, "x", &types[0])?;
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Self::of(&types[0]).state_type(types)
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        Strategy::read(constants).map(|_| ())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let fit = Self::of(&types[0]);
        fit.check(constants)?;
        fit.accumulate(types, constants)
    }
}

/// The fit of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NumberImputer {
    strategy: Strategy,
    /// The replacement for the strategy `Constant`.
    fill: Option<f64>,
}

impl Summary for NumberImputer {
    type Statistic = Values;

    const KIND: &'static str = "number_imputer/1";
    const FINITE: bool = false;

    fn spec() -> &'static Spec {
        &SPEC
    }

    fn fields() -> Vec<(&'static str, DataType)> {
        vec![("strategy", DataType::Utf8), ("fill", DataType::Float64)]
    }

    fn read(constants: &Constants) -> Result<Self> {
        let strategy = Strategy::read(constants)?;
        Ok(Self { strategy, fill: constants.float("fill")? })
    }

    fn resume(state: &StateReader<'_>) -> Result<Self> {
        let strategy = Strategy::resume(state)?;
        let fill = if strategy == Strategy::Constant { state.float("fill")? } else { None };
        Ok(Self { strategy, fill })
    }

    fn columns(&self, known: Option<&Known>) -> Result<Columns> {
        let fill = match self.strategy {
            Strategy::Constant => self.fill,
            Strategy::Mean => known.and_then(|known| known.mean),
            Strategy::Median => {
                known.and_then(|known| known.distribution.quantile(0.5, Interpolation::AveragedInvertedCdf))
            }
            Strategy::Mode => known.and_then(|known| known.distribution.mode()),
        };
        Ok(vec![("strategy", text(self.strategy.name())), ("fill", one(fill))])
    }
}

/// What an imputer gathers of numbers: only that which its strategy needs.
#[derive(Debug)]
pub(crate) struct Values {
    strategy: Strategy,
    rows: u64,
    missing: u64,
    sum: ExactSum,
    sketch: Sketch,
}

/// What an imputer of numbers knows in the end.
#[derive(Debug)]
pub(crate) struct Known {
    mean: Option<f64>,
    distribution: Distribution,
}

impl Statistic for Values {
    type Outcome = Known;

    fn fields() -> Vec<(&'static str, DataType)> {
        Sketch::fields().into_iter().chain([("sum", list_of(DataType::Float64))]).collect()
    }

    fn new(constants: &Constants) -> Result<Self> {
        let (strategy, sketch) = (Strategy::read(constants)?, Sketch::new(constants)?);
        if strategy == Strategy::Mode && !sketch.is_exact() {
            return Err(constants.error("method", "must be 'exact' for the strategy 'mode'"));
        }
        Ok(Self { strategy, rows: 0, missing: 0, sum: ExactSum::default(), sketch })
    }

    fn read(state: &StateReader<'_>) -> Result<Self> {
        let number = |field: &str| -> Result<u64> { Ok(state.integer(field)?.unwrap_or(0).max(0) as u64) };
        Ok(Self {
            strategy: Strategy::resume(state)?,
            rows: number("rows")?,
            missing: number("missing")?,
            sum: ExactSum::from_canonical(&state.given("sum", state.floats("sum")?)?),
            sketch: Sketch::read(state)?,
        })
    }

    fn update(&mut self, values: &Float64Array, _finite: bool) {
        let is_value = |value: f64| match self.strategy {
            Strategy::Mean => is_moderate(value),
            _ => !value.is_nan(),
        };
        let mut rows = 0;
        for_each_block(values, |block| {
            let (mut numbers, mut count) = ([0.0; BLOCK], 0);
            for (number, value) in numbers.iter_mut().zip(block) {
                count += u64::from(is_value(*value));
                *number = if is_value(*value) { *value } else { 0.0 };
            }
            rows += count;
            if self.strategy == Strategy::Mean {
                add_block(&mut self.sum, &mut numbers);
            }
        });
        if matches!(self.strategy, Strategy::Median | Strategy::Mode) {
            self.sketch.update(values, false);
        }
        self.rows += rows;
        self.missing += values.len() as u64 - rows;
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.rows = self.rows.saturating_add(other.rows);
        self.missing = self.missing.saturating_add(other.missing);
        self.sum.merge(&other.sum);
        self.sketch.merge(other.sketch)
    }

    fn settle(&mut self) {
        self.sketch.settle();
    }

    fn finish(&mut self) -> Known {
        Known { mean: mean(&self.sum, self.rows), distribution: self.sketch.finish() }
    }

    fn columns(&self, known: Option<&Known>) -> Result<Columns> {
        let mut columns = self.sketch.columns(known.map(|known| &known.distribution))?;
        for (name, column) in &mut columns {
            match *name {
                "rows" => *column = count(self.rows),
                "missing" => *column = count(self.missing),
                _ => {}
            }
        }
        columns.push(("sum", sum_column(&self.sum)));
        Ok(columns)
    }

    fn heap_size(&self) -> usize {
        self.sum.heap_size() + self.sketch.heap_size()
    }
}
