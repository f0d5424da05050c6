//! States that were edited by hand or damaged: whatever is in them, they are refused or applied, without a panic.

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, StructArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::Arc;

use crate::aggregate::Fit;
use crate::mergeable_fits;
use crate::state::one_list;
use crate::testing::{Given, column, constant, fit, sample};

/// Values of a type that a state could not have, or seldom.
fn odd_values(data_type: &DataType) -> Vec<ArrayRef> {
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e308, 1e-308];
    let integers = [i64::MIN, i64::MAX, -1, 0, 1, 63];
    let texts = ["", "exact", "kll", "req", "grid", "mode", "constant", "right"];
    let mut odd = vec![new_null_array(data_type, 1)];
    match data_type {
        DataType::Float64 => {
            odd.extend(floats.map(|number| Arc::new(Float64Array::from(vec![number])) as ArrayRef));
        }
        DataType::Int64 => odd.extend(integers.map(|number| Arc::new(Int64Array::from(vec![number])) as ArrayRef)),
        DataType::Utf8 => odd.extend(texts.map(|text| Arc::new(StringArray::from(vec![text])) as ArrayRef)),
        DataType::Boolean => odd.extend([true, false].map(|flag| Arc::new(BooleanArray::from(vec![flag])) as ArrayRef)),
        DataType::List(element) => {
            odd.push(one_list(arrow::array::new_empty_array(element.data_type())));
            let lists: Vec<ArrayRef> = match element.data_type() {
                DataType::Float64 => vec![
                    Arc::new(Float64Array::from(floats.to_vec())),
                    Arc::new(Float64Array::from(vec![2.0, 1.0])),
                    Arc::new(Float64Array::from(vec![None, Some(1.0)])),
                    Arc::new(Float64Array::from(vec![1.0])),
                ],
                DataType::Int64 => vec![
                    Arc::new(Int64Array::from(integers.to_vec())),
                    Arc::new(Int64Array::from(vec![i64::MAX; 1000])),
                    Arc::new(Int64Array::from(vec![None, Some(1)])),
                ],
                other => vec![new_null_array(other, 2)],
            };
            odd.extend(lists.into_iter().map(one_list));
        }
        _ => {}
    }
    odd
}

/// A state with one field replaced.
fn with_field(state: &StructArray, index: usize, values: ArrayRef) -> StructArray {
    let mut columns = state.columns().to_vec();
    columns[index] = values;
    StructArray::try_new(state.fields().clone(), columns, None).unwrap()
}

fn kernels() -> Vec<Arc<datafusion_expr::ScalarUDF>> {
    let mut kernels = crate::scalar_functions();
    let takes_state = |kernel: &Arc<datafusion_expr::ScalarUDF>| {
        kernel.signature().parameter_names.iter().flatten().next().is_some_and(|name| name == "state")
    };
    kernels.retain(takes_state);
    assert!(kernels.len() > 10);
    kernels
}

fn apply_all(state: &StructArray) {
    let field = |data_type: &DataType| Arc::new(arrow::datatypes::Field::new("argument", data_type.clone(), true));
    for kernel in kernels() {
        let arguments = vec![
            datafusion_expr::ColumnarValue::Scalar(datafusion_common::ScalarValue::Struct(Arc::new(state.clone()))),
            datafusion_expr::ColumnarValue::Array(Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::NAN)]))),
        ];
        let types = [state.data_type().clone(), DataType::Float64];
        let Ok(types) = kernel.coerce_types(&types) else { continue };
        let fields: Vec<_> = types.iter().map(field).collect();
        let returned = field(&DataType::Float64);
        // An error is as good as a value here.
        let _ = kernel.invoke_with_args(datafusion_expr::ScalarFunctionArgs {
            args: arguments,
            arg_fields: fields,
            number_rows: 3,
            return_field: returned,
            config_options: Default::default(),
        });
    }
}

/// Calls of a fit that succeed.
fn sound_calls(fitting: &dyn Fit) -> Vec<Vec<Given>> {
    let numbers = sample();
    let classes = column(Float64Array::from_iter_values((0..numbers.len()).map(|row| f64::from(row % 3 == 0))));
    let texts = column(StringArray::from_iter_values((0..numbers.len()).map(|row| format!("c{}", row % 7))));
    let x = column(Float64Array::from(numbers));
    match fitting.spec().name {
        "binned_counts" => {
            let edges = [ScalarValue::from(-10.0), ScalarValue::from(10.0)];
            let edges = ScalarValue::List(ScalarValue::new_list(&edges, &DataType::Float64, true));
            vec![vec![x, constant(edges), classes]]
        }
        "fit_optimal_bins" => vec![vec![x, classes]],
        "category_counts" | "fit_optimal_categories" | "fit_target_encoding" | "fit_woe" => vec![vec![texts, classes]],
        "fit_categorify" | "fit_counts" | "fit_negatives" | "fit_one_hot" | "fit_rare_labels" => vec![vec![texts]],
        "fit_idf" => {
            let tokens = one_list(Arc::new(StringArray::from(vec!["b", "a", "b"])));
            vec![vec![Given::Column(tokens)]]
        }
        "fit_imputer" if fitting.kind() == Some("text_imputer/1") => vec![vec![texts, constant("mode")]],
        "fit_imputer" => vec![vec![x, constant("mode")]],
        "fit_quantile_sketch" => {
            let sketch = |method: &str| vec![x.clone(), constant(method), constant(0.05)];
            vec![vec![x.clone()], sketch("grid"), sketch("kll"), sketch("req")]
        }
        name if name.ends_with("_bins") => vec![vec![x, constant(3)]],
        _ => vec![vec![x]],
    }
}

#[test]
fn damaged_states_are_refused_or_applied() {
    for fitting in mergeable_fits() {
        for call in sound_calls(fitting.as_ref()) {
            let sound = fit(fitting.as_ref(), &call).unwrap();
            damage(fitting.as_ref(), arrow::array::AsArray::as_struct(&sound));
        }
    }
}

fn damage(fitting: &dyn Fit, sound: &StructArray) {
    for index in 0..sound.num_columns() {
        for values in odd_values(sound.column(index).data_type()) {
            let odd = with_field(sound, index, values);
            if let Ok(mut resumed) = fitting.resume(&odd) {
                let _ = resumed.merge(&odd);
                let _ = resumed.merge(sound);
                let _ = resumed.state();
                if let Ok(result) = resumed.finish() {
                    apply_all(arrow::array::AsArray::as_struct(&result));
                }
            }
            apply_all(&odd);
        }
    }
}
