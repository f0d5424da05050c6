//! `polynomial(values, degree[, interaction_only, include_bias])`: all products of up to `degree` values.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::ColumnarValue;

use crate::constants::Constants;
use crate::scalar::Kernel;
use crate::sparse::vector_field;
use crate::spec::{Spec, optional, required};
use crate::state::list_of;
use crate::vector::column::{DenseBuilder, Row, Vectors, vector_argument};
use crate::vector::dimension;

/// How many terms a row may have.
const MOST_TERMS: usize = 1 << 20;
/// The largest degree.
const MOST_DEGREE: i64 = 64;

static SPEC: Spec = Spec {
    name: "polynomial",
    section: "Vectors",
    summary: "The list of all products of up to degree values of a list, as scikit-learn's PolynomialFeatures and in its \
              order: 1, each value, then the products of two in the order 00, 01, …, 11, 12, …, and so on; at most \
              1048576. Null, or a null in the list, gives null.",
    parameters: &[
        required("values", "A list of numbers."),
        required("degree", "How many values a product has at most, 0 to 64."),
        optional("interaction_only", "false", "Whether a product has each value at most once."),
        optional("include_bias", "true", "Whether the first term is 1."),
    ],
    example: "select polynomial([2.0, 3.0], 2); -- [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]",
};

#[derive(Debug)]
pub(crate) struct Polynomial;

#[derive(Debug, Clone, Copy)]
struct Options {
    degree: usize,
    interaction_only: bool,
    include_bias: bool,
}

fn options(constants: &Constants) -> Result<Options> {
    let options = Options {
        degree: constants.given("degree", constants.integer_within("degree", 0, MOST_DEGREE)?)? as usize,
        interaction_only: constants.boolean("interaction_only")?.unwrap_or(false),
        include_bias: constants.boolean("include_bias")?.unwrap_or(true),
    };
    if options.degree == 0 && !options.include_bias {
        return Err(constants.error("include_bias", "must be true where the degree is 0: there would be no term"));
    }
    Ok(options)
}

/// The terms for lists of one length.
#[derive(Debug, Default)]
struct Terms {
    /// How many numbers a list has.
    width: usize,
    /// The bias and the values themselves.
    leading: usize,
    /// Each further term is the product of a value and an earlier term.
    products: Vec<(u32, u32)>,
}

impl Terms {
    /// As scikit-learn builds them, so that products are rounded alike: the terms of one degree are, value by value,
    /// those of the degree before whose first value comes no earlier (comes later, with interactions only), times the
    /// value.
    fn new(width: usize, options: Options) -> Result<Self> {
        let bias = usize::from(options.include_bias);
        let count = bias + if options.degree == 0 { 0 } else { width };
        let too_many = || {
            exec_err!(
                "the polynomials of degree {} of {width} values have more than {MOST_TERMS} terms: give a smaller degree \
                 or fewer values",
                options.degree
            )
        };
        if count > MOST_TERMS {
            return too_many();
        }
        let mut terms = Self { width, leading: count, products: Vec::new() };
        // Where the terms of the last degree that begin with each value start, and where they end.
        let mut starts: Vec<usize> = (bias..count).collect();
        let mut end = count;
        for _ in 2..=options.degree {
            let mut next = Vec::with_capacity(width);
            for value in 0..starts.len() {
                next.push(terms.leading + terms.products.len());
                let first = if options.interaction_only { value + 1 } else { value };
                let first = starts.get(first).copied().unwrap_or(end);
                if terms.leading + terms.products.len() + (end - first) > MOST_TERMS {
                    return too_many();
                }
                terms.products.extend((first..end).map(|term| (value as u32, term as u32)));
            }
            starts = next;
            end = terms.leading + terms.products.len();
        }
        Ok(terms)
    }

    fn count(&self) -> usize {
        self.leading + self.products.len()
    }

    fn write(&self, values: &[f64], options: Options, terms: &mut [f64]) {
        let bias = usize::from(options.include_bias);
        terms[..bias].fill(1.0);
        terms[bias..self.leading].copy_from_slice(&values[..self.leading - bias]);
        for (place, (value, term)) in self.products.iter().enumerate() {
            terms[self.leading + place] = terms[*term as usize] * values[*value as usize];
        }
    }
}

impl Kernel for Polynomial {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = match vector_argument(SPEC.name, "values", &types[0])? {
            list @ (DataType::List(_) | DataType::FixedSizeList(_, _)) => list,
            _ if types[0] == DataType::Null => list_of(DataType::Float64),
            _ => {
                return plan_err!(
                    "values of polynomial must be a list of numbers: it is of type {}; dense makes a list of a sparse \
                     vector",
                    types[0]
                );
            }
        };
        Ok(types)
    }

    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef> {
        let varying = ["degree", "interaction_only", "include_bias"].iter().any(|name| constants.is_varying(name));
        let dimension = match dimension::of_field(&fields[0]) {
            _ if varying => None,
            None => {
                options(constants)?;
                None
            }
            Some(width) => Some(Terms::new(width as usize, options(constants)?)?.count() as i64),
        };
        Ok(vector_field(SPEC.name, list_of(DataType::Float64), dimension))
    }

    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef> {
        let options = options(constants)?;
        let vectors = Vectors::of(&arguments[0], rows, None, "values of polynomial")?;
        let mut terms: Option<Terms> = None;
        let mut lists = DenseBuilder::default();
        for row in 0..rows {
            let Some(Row::Dense(values)) = vectors.row(row)? else {
                lists.null_row();
                continue;
            };
            let known = match terms.take().filter(|terms| terms.width == values.len()) {
                Some(known) => known,
                None => Terms::new(values.len(), options)?,
            };
            known.write(values, options, lists.row(known.count())?);
            terms = Some(known);
        }
        lists.finish()
    }
}

#[cfg(test)]
mod tests;
