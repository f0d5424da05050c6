//! `catboost_encoding(x, y[, a]) OVER (ORDER BY …)`: CatBoost's ordered target statistics, for the rows that a model is
//! trained on.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::{cast, partition};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{Documentation, Expr, PartitionEvaluator, Signature, WindowFrameBound, WindowUDF, WindowUDFImpl};
use std::ops::Range;
use std::sync::Arc;

use super::fit::{finite, number_target};
use super::leave_one_out::prior_weight;
use crate::category::{CategoryIndex, MISSING, category_argument};
use crate::constants::Constants;
use crate::exact_sum::ExactSum;
use crate::scalar::check_count;
use crate::spec::{Spec, optional, required};

static SPEC: Spec = Spec {
    name: "catboost_encoding",
    section: "Target encoding",
    summary: "CatBoost's encoding of a fitted row by the rows before it in the order of the window: (s + a G) / (n + \
              a), with the count and sum of the rows before it that have its category, and the mean G of all rows of \
              the partition. Rows that are equal in the order do not see each other. A window function that must have \
              an ORDER BY and takes no frame. As category_encoders' CatBoostEncoder.fit_transform.",
    parameters: &[
        required("x", "The category; null is one, too."),
        required("y", "The target: a finite number or a boolean. A row whose target is null adds nothing."),
        optional("a", "1", "The weight of the mean of all rows: a constant above 0."),
    ],
    example: "select catboost_encoding(city, bought) over (order by ts) from t;",
};

/// Encodes rows in their order. `ties` are the ranges of rows that are equal in it, one after another.
fn encode(x: &ArrayRef, y: &Float64Array, ties: &[Range<usize>], weight: f64) -> Result<Float64Array> {
    let mut index = CategoryIndex::new(x.data_type());
    // The null category comes first.
    let categories: Vec<usize> =
        index.insert(x)?.into_iter().map(|number| if number == MISSING { 0 } else { number as usize + 1 }).collect();
    let (mut all, mut rows) = (ExactSum::default(), 0u64);
    for number in y.iter().flatten() {
        all.add(finite(SPEC.name, number)?);
        rows += 1;
    }
    if rows == 0 {
        return Ok(Float64Array::new_null(x.len()));
    }
    let prior = all.value() / rows as f64 * weight;
    let mut counts = vec![0u64; index.len() + 1];
    let mut sums = vec![ExactSum::default(); index.len() + 1];
    let mut encoded: Vec<f64> = Vec::with_capacity(x.len());
    for tie in ties {
        for category in &categories[tie.clone()] {
            encoded.push((sums[*category].value() + prior) / (counts[*category] as f64 + weight));
        }
        for row in tie.clone().filter(|row| y.is_valid(*row)) {
            counts[categories[row]] += 1;
            sums[categories[row]].add(y.value(row));
        }
    }
    Ok(Float64Array::from(encoded))
}

#[derive(Debug)]
struct Ordered {
    /// How many arguments the call has; the keys of the order follow them.
    arguments: usize,
    weight: f64,
    encoded: Option<Float64Array>,
    next: usize,
}

impl PartitionEvaluator for Ordered {
    // A function that uses its frame is given the keys of the order behind its arguments, which nothing else is: they
    // tell rows that are equal in the order.
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], _range: &Range<usize>) -> Result<ScalarValue> {
        if self.encoded.is_none() {
            let keys = &values[self.arguments..];
            if keys.is_empty() {
                return exec_err!("{NO_ORDER}");
            }
            let y = cast(&values[1], &DataType::Float64)?;
            let ties = partition(keys)?.ranges();
            self.encoded = Some(encode(&values[0], y.as_primitive::<Float64Type>(), &ties, self.weight)?);
        }
        let (encoded, row) = (self.encoded.as_ref(), self.next);
        self.next += 1;
        let value = encoded.filter(|encoded| row < encoded.len() && encoded.is_valid(row));
        Ok(ScalarValue::Float64(value.map(|encoded| encoded.value(row))))
    }
}

const NO_ORDER: &str = "catboost_encoding must have an ORDER BY in its window: it goes by the rows before a row";

/// The window function.
pub(super) fn window_function() -> Arc<WindowUDF> {
    let signature = SPEC.signature();
    Arc::new(WindowUDF::from(CatboostEncoding { signature, documentation: SPEC.documentation() }))
}

#[derive(Debug, Clone)]
struct CatboostEncoding {
    signature: Signature,
    documentation: Documentation,
}

impl PartialEq for CatboostEncoding {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for CatboostEncoding {}

impl std::hash::Hash for CatboostEncoding {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        SPEC.name.hash(state);
    }
}

impl WindowUDFImpl for CatboostEncoding {
    fn name(&self) -> &str {
        SPEC.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_count(&SPEC, types.len())?;
        let mut coerced = types.to_vec();
        coerced[0] = category_argument(&types[0]);
        coerced[1] = number_target(&SPEC, &types[1])?;
        Ok(coerced)
    }

    fn field(&self, arguments: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Float64, true)))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        Some(Box::new(|call: WindowFunction, _: &SimplifyContext| {
            if call.params.order_by.is_empty() {
                return plan_err!("{NO_ORDER}");
            }
            prior_weight(&Constants::logical(&SPEC, &call.params.args))?;
            let frame = &call.params.window_frame;
            let to_here = matches!(frame.end_bound, WindowFrameBound::CurrentRow);
            if !frame.start_bound.is_unbounded() || !to_here {
                return plan_err!("{} takes no window frame: it goes by all rows before a row", SPEC.name);
            }
            Ok(Expr::WindowFunction(Box::new(call)))
        }))
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let weight = prior_weight(&Constants::physical(&SPEC, arguments.input_exprs()))?;
        Ok(Box::new(Ordered { arguments: arguments.input_exprs().len(), weight, encoded: None, next: 0 }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use serde_json::Value;

    fn run(x: ArrayRef, y: &[f64], order: &[i64], weight: f64) -> Vec<Option<f64>> {
        let mut evaluator = Ordered { arguments: 2, weight, encoded: None, next: 0 };
        let y: ArrayRef = Arc::new(Float64Array::from(y.to_vec()));
        let values = [x, y, Arc::new(Int64Array::from(order.to_vec())) as ArrayRef];
        let rows = 0..order.len();
        rows.map(|row| match evaluator.evaluate(&values, &(0..row + 1)).unwrap() {
            ScalarValue::Float64(value) => value,
            other => panic!("{other} is no number"),
        })
        .collect()
    }

    fn near(found: Vec<Option<f64>>, expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected).for_each(|(found, expected)| assert!((found.unwrap() - expected).abs() < 1e-12));
    }

    #[test]
    fn rows_are_encoded_as_by_category_encoders() {
        let golden = crate::testing::golden();
        let x: StringArray = golden["frame"]["c"].as_array().unwrap().iter().map(Value::as_str).collect();
        let x: ArrayRef = Arc::new(x);
        let floats = |values: &Value| -> Vec<f64> {
            values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let order: Vec<i64> = (0..12).collect();
        let expected = floats(&golden["ce_catboost_a1_fit_transform"]);
        near(run(Arc::clone(&x), &floats(&golden["frame"]["y"]), &order, 1.0), &expected);
        // category_encoders 2.11.2 CatBoostEncoder(a=2).fit_transform.
        let y = [1.5, 0.25, 3.0, -1.0, 2.0, 2.5, 7.0, 1.0, 1.25, 4.0, 0.5, -2.0];
        let expected = [
            1.6666666666666667,
            1.6111111111111114,
            1.2708333333333335,
            1.6166666666666667,
            1.6666666666666667,
            1.777777777777778,
            1.9583333333333335,
            1.6666666666666667,
            1.4444444444444446,
            1.6666666666666667,
            1.6666666666666667,
            1.277777777777778,
        ];
        near(run(x, &y, &order, 2.0), &expected);
    }

    #[test]
    fn rows_that_are_equal_in_the_order_do_not_see_each_other() {
        let x: ArrayRef = Arc::new(StringArray::from(vec!["a"; 4]));
        // G is 0.5: before any row, and after the two rows of the first moment.
        near(run(x, &[1.0, 1.0, 0.0, 0.0], &[1, 1, 2, 2], 1.0), &[0.5, 0.5, 2.5 / 3.0, 2.5 / 3.0]);
    }

    #[test]
    fn an_order_must_be_given() {
        let mut evaluator = Ordered { arguments: 2, weight: 1.0, encoded: None, next: 0 };
        let values: [ArrayRef; 2] = [Arc::new(StringArray::from(vec!["a"])), Arc::new(Float64Array::from(vec![1.0]))];
        let error = evaluator.evaluate(&values, &(0..1)).unwrap_err();
        assert!(error.to_string().contains("must have an ORDER BY"));
    }
}
