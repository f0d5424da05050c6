//! What the numeric functions share: the types of their arguments, and which end of an interval belongs to it.

use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};

use crate::spec::Spec;

/// Which end of a bin belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// `[a, b)`, as in Spark, scikit-learn and optbinning.
    Left,
    /// `(a, b]`, as in feature-engine, Hivemall and Alink.
    Right,
}

impl Closed {
    /// The names in SQL.
    pub(crate) const NAMES: [(&'static str, Self); 2] = [("left", Self::Left), ("right", Self::Right)];
}

/// The type that a numeric argument is cast to: `Float64`. Numbers, booleans, dates and times (their ticks) are taken.
pub(crate) fn number_argument(spec: &Spec, parameter: &str, data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Dictionary(_, value) => number_argument(spec, parameter, value),
        DataType::Boolean | DataType::Null => Ok(DataType::Float64),
        // A date or a time stays what it is, and the kernel casts its ticks.
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) | DataType::Duration(_) => {
            Ok(data_type.clone())
        }
        data_type if data_type.is_numeric() => Ok(DataType::Float64),
        other => plan_err!("{parameter} of {} must be a number: it is of type {other}", spec.name),
    }
}
