//! Metrics that are read from the two classes' counts in each category.

use arrow::array::{Array, ArrayRef, Float64Array, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::category::category_argument;
use crate::category_counts::CategoryCounts;
use crate::class_counts::{Labels, target_argument};
use crate::constants::Constants;
use crate::spec::Spec;
use crate::state::{StateReader, state_row, state_type};

/// The options of such a metric: its first argument is the category, its second the class.
pub(super) trait Metric: Debug + Sized + Send + Sync + 'static {
    /// The word in the `kind` field of the partial states.
    const KIND: &'static str;
    /// The public face.
    const SPEC: &'static Spec;

    /// Reads the options of a call.
    fn read(constants: &Constants) -> Result<Self>;

    /// The categories of the rows that count, and their labels.
    fn rows(&self, columns: &[ArrayRef]) -> Result<(ArrayRef, Labels)>;

    /// The metric; null if no row counts.
    fn value(&self, counts: &CategoryCounts) -> Result<Option<f64>>;
}

/// Makes a metric a fit.
#[derive(Debug)]
pub(super) struct CountedMetric<M>(PhantomData<M>);

impl<M> CountedMetric<M> {
    /// The fit.
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M: Metric> Fit for CountedMetric<M> {
    fn spec(&self) -> &'static Spec {
        M::SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        types[0] = category_argument(&types[0]);
        types[1] = target_argument(M::SPEC, M::SPEC.parameters[1].name, &types[1])?;
        Ok(types)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(state_type(&[CategoryCounts::field(&types[0], false)]))
    }

    fn result_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        M::read(constants).map(drop)
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Counting { metric: M::read(constants)?, counts: CategoryCounts::new(&types[0]) }))
    }
}

#[derive(Debug)]
struct Counting<M> {
    metric: M,
    counts: CategoryCounts,
}

impl<M: Metric> Accumulate for Counting<M> {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (categories, labels) = self.metric.rows(columns)?;
        self.counts.update(&categories, &labels)
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            if let Some(state) = StateReader::open(states, row, M::KIND)? {
                self.counts.merge(&state)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        state_row(M::KIND, vec![("categories", self.counts.column(false)?)])
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(Float64Array::from(vec![self.metric.value(&self.counts)?])))
    }

    fn size(&self) -> usize {
        self.counts.size()
    }
}
