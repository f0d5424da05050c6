//! The arguments of a call that must be constants: read by name, with an error that names the function, the argument
//! and what is allowed.

use datafusion_common::ScalarValue;
use datafusion_common::{DataFusionError, Result, plan_err};
use datafusion_expr::{ColumnarValue, Expr};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Literal;
use std::sync::Arc;

use crate::spec::Spec;

/// What is known of one argument.
#[derive(Debug, Clone)]
enum Argument {
    /// Not given: the default holds.
    Missing,
    /// A constant; NULL means the default, too.
    Constant(ScalarValue),
    /// Given, and its value differs by row or is not known yet.
    Varying,
}

/// The constants of one call.
#[derive(Debug, Clone)]
pub(crate) struct Constants {
    spec: &'static Spec,
    arguments: Vec<Argument>,
}

impl Constants {
    fn new(spec: &'static Spec, given: impl Iterator<Item = Option<ScalarValue>>) -> Self {
        let mut arguments: Vec<Argument> =
            given.map(|value| value.map_or(Argument::Varying, Argument::Constant)).collect();
        arguments.resize(spec.parameters.len().max(arguments.len()), Argument::Missing);
        Self { spec, arguments }
    }

    /// From a call that is being planned.
    pub(crate) fn planned(spec: &'static Spec, arguments: &[Option<&ScalarValue>]) -> Self {
        Self::new(spec, arguments.iter().map(|value| value.cloned()))
    }

    /// From the logical arguments of an aggregate.
    pub(crate) fn logical(spec: &'static Spec, arguments: &[Expr]) -> Self {
        let value = |argument: &Expr| match argument {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        };
        Self::new(spec, arguments.iter().map(value))
    }

    /// From the physical arguments of an aggregate.
    pub(crate) fn physical(spec: &'static Spec, arguments: &[Arc<dyn PhysicalExpr>]) -> Self {
        let value = |argument: &Arc<dyn PhysicalExpr>| {
            argument.downcast_ref::<Literal>().map(|literal| literal.value().clone())
        };
        Self::new(spec, arguments.iter().map(value))
    }

    /// From the values of a call that is being evaluated.
    pub(crate) fn evaluated(spec: &'static Spec, arguments: &[ColumnarValue]) -> Self {
        let value = |argument: &ColumnarValue| match argument {
            ColumnarValue::Scalar(value) => Some(value.clone()),
            ColumnarValue::Array(_) => None,
        };
        Self::new(spec, arguments.iter().map(value))
    }

    /// Whether an argument is given, by a constant that is not NULL or by a column.
    pub(crate) fn is_given(&self, parameter: &str) -> bool {
        match self.argument(parameter) {
            Argument::Missing => false,
            Argument::Constant(value) => !value.is_null(),
            Argument::Varying => true,
        }
    }

    /// Whether an argument is given and is no constant.
    pub(crate) fn is_varying(&self, parameter: &str) -> bool {
        matches!(self.argument(parameter), Argument::Varying)
    }

    fn argument(&self, parameter: &str) -> &Argument {
        let position = self.spec.position(parameter);
        position.and_then(|position| self.arguments.get(position)).unwrap_or(&Argument::Missing)
    }

    /// The constant given for a parameter; `None` if it is missing or NULL.
    pub(crate) fn value(&self, parameter: &str) -> Result<Option<ScalarValue>> {
        match self.argument(parameter) {
            Argument::Missing => Ok(None),
            Argument::Constant(value) if value.is_null() => Ok(None),
            Argument::Constant(ScalarValue::Dictionary(_, value)) => Ok(Some(value.as_ref().clone())),
            Argument::Constant(value) => Ok(Some(value.clone())),
            Argument::Varying => plan_err!("{} of {} must be a constant", parameter, self.spec.name),
        }
    }

    /// An error about one argument: `n of hash_bucket must be at least 1: it is 0`.
    pub(crate) fn error(&self, parameter: &str, problem: impl std::fmt::Display) -> DataFusionError {
        DataFusionError::Plan(format!("{parameter} of {} {problem}", self.spec.name))
    }

    /// A text.
    pub(crate) fn text(&self, parameter: &str) -> Result<Option<String>> {
        match self.value(parameter)? {
            None => Ok(None),
            Some(ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text)) => Ok(text),
            Some(other) => Err(self.error(parameter, format!("must be a text: it is {other}"))),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, parameter: &str) -> Result<Option<i64>> {
        let Some(value) = self.value(parameter)? else { return Ok(None) };
        let wrong = || self.error(parameter, format!("must be a whole number: it is {value}"));
        if !value.data_type().is_integer() {
            return Err(wrong());
        }
        match value.cast_to(&arrow::datatypes::DataType::Int64) {
            Ok(ScalarValue::Int64(Some(number))) => Ok(Some(number)),
            _ => Err(wrong()),
        }
    }

    /// A whole number between two bounds, both allowed.
    pub(crate) fn integer_within(&self, parameter: &str, least: i64, most: i64) -> Result<Option<i64>> {
        let Some(number) = self.integer(parameter)? else { return Ok(None) };
        if number < least {
            return Err(self.error(parameter, format!("must be at least {least}: it is {number}")));
        }
        if number > most {
            return Err(self.error(parameter, format!("must be at most {most}: it is {number}")));
        }
        Ok(Some(number))
    }

    /// A number, which may be any but NaN.
    pub(crate) fn float(&self, parameter: &str) -> Result<Option<f64>> {
        let Some(value) = self.value(parameter)? else { return Ok(None) };
        let wrong = || self.error(parameter, format!("must be a number: it is {value}"));
        if !value.data_type().is_numeric() {
            return Err(wrong());
        }
        match value.cast_to(&arrow::datatypes::DataType::Float64) {
            Ok(ScalarValue::Float64(Some(number))) if !number.is_nan() => Ok(Some(number)),
            _ => Err(wrong()),
        }
    }

    /// A number between two bounds, both allowed.
    pub(crate) fn float_within(&self, parameter: &str, least: f64, most: f64) -> Result<Option<f64>> {
        let Some(number) = self.float(parameter)? else { return Ok(None) };
        if !(least..=most).contains(&number) {
            return Err(self.error(parameter, format!("must be between {least} and {most}: it is {number}")));
        }
        Ok(Some(number))
    }

    /// True or false.
    pub(crate) fn boolean(&self, parameter: &str) -> Result<Option<bool>> {
        match self.value(parameter)? {
            None => Ok(None),
            Some(ScalarValue::Boolean(value)) => Ok(value),
            Some(other) => Err(self.error(parameter, format!("must be true or false: it is {other}"))),
        }
    }

    /// One of several names, without regard to case.
    pub(crate) fn choice<T: Copy>(&self, parameter: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.text(parameter)? else { return Ok(None) };
        let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match chosen {
            Some((_, choice)) => Ok(Some(*choice)),
            None => Err(self.error(parameter, format!("must be one of {}: it is '{text}'", names()))),
        }
    }

    /// The numbers of a list; a null or NaN among them is an error.
    pub(crate) fn floats(&self, parameter: &str) -> Result<Option<Vec<f64>>> {
        let Some(items) = self.items(parameter)? else { return Ok(None) };
        let wrong = |item: &ScalarValue| self.error(parameter, format!("must be a list of numbers: it has {item}"));
        let number = |item: ScalarValue| match item.cast_to(&arrow::datatypes::DataType::Float64) {
            Ok(ScalarValue::Float64(Some(number))) if item.data_type().is_numeric() && !number.is_nan() => Ok(number),
            _ => Err(wrong(&item)),
        };
        items.into_iter().map(number).collect::<Result<Vec<_>>>().map(Some)
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, parameter: &str) -> Result<Option<Vec<String>>> {
        let Some(items) = self.items(parameter)? else { return Ok(None) };
        let text = |item: ScalarValue| match item.try_as_str() {
            Some(Some(text)) => Ok(text.to_string()),
            _ => Err(self.error(parameter, format!("must be a list of texts: it has {item}"))),
        };
        items.into_iter().map(text).collect::<Result<Vec<_>>>().map(Some)
    }

    /// The elements of a list.
    pub(crate) fn items(&self, parameter: &str) -> Result<Option<Vec<ScalarValue>>> {
        let values = match self.value(parameter)? {
            None => return Ok(None),
            Some(ScalarValue::List(list)) => list.value(0),
            Some(ScalarValue::LargeList(list)) => list.value(0),
            Some(ScalarValue::FixedSizeList(list)) => list.value(0),
            Some(other) => return Err(self.error(parameter, format!("must be a list: it is {other}"))),
        };
        (0..values.len()).map(|index| ScalarValue::try_from_array(&values, index)).collect::<Result<Vec<_>>>().map(Some)
    }

    /// A value that must be given: `constants.given("n", constants.integer("n")?)?`.
    pub(crate) fn given<T>(&self, parameter: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.error(parameter, "must be given: it is NULL"))
    }
}
