//! `merge_state(state)`: fits of several days or parts, put together as if their rows had been fitted at once.

use arrow::array::{Array, ArrayRef, AsArray, StructArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::Arc;

use crate::aggregate::{Accumulate, Fit};
use crate::constants::Constants;
use crate::spec::{Spec, required};
use crate::state::KIND;

static SPEC: Spec = Spec {
    name: "merge_state",
    section: "States",
    summary: "The state of all the rows that the given states were fitted on. They must come from the same fit with \
              the same options; nulls are passed over.",
    parameters: &[required("state", "The result of a fit.")],
    example: "select merge_state(s) from (select fit_width_bins(x, 4) as s from t group by day);",
};

/// Every fit whose states can be merged.
pub(crate) struct MergeState {
    fits: Arc<Vec<Box<dyn Fit>>>,
}

impl std::fmt::Debug for MergeState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MergeState")
    }
}

impl MergeState {
    pub(crate) fn new(fits: Vec<Box<dyn Fit>>) -> Self {
        Self { fits: Arc::new(fits) }
    }
}

impl Fit for MergeState {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match &types[0] {
            DataType::Struct(fields) if fields.iter().any(|field| field.name() == KIND) => Ok(types.to_vec()),
            other => plan_err!("state of merge_state must be the result of a fit: it is of type {other}"),
        }
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn check(&self, _constants: &Constants) -> Result<()> {
        Ok(())
    }

    fn accumulate(&self, types: &[DataType], _constants: &Constants) -> Result<Box<dyn Accumulate>> {
        Ok(Box::new(Merging { fits: Arc::clone(&self.fits), state_type: types[0].clone(), fit: None }))
    }
}

struct Merging {
    fits: Arc<Vec<Box<dyn Fit>>>,
    state_type: DataType,
    fit: Option<(String, Box<dyn Accumulate>)>,
}

impl std::fmt::Debug for Merging {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Merging").field("fit", &self.fit).finish()
    }
}

impl Merging {
    fn take(&mut self, state: &StructArray) -> Result<()> {
        let kinds = state.column_by_name(KIND).and_then(|kinds| kinds.as_string_opt::<i32>());
        let Some(kinds) = kinds else { return exec_err!("the states of merge_state have no kind") };
        if state.is_null(0) || kinds.is_null(0) {
            return Ok(());
        }
        let kind = kinds.value(0);
        match &mut self.fit {
            Some((known, fit)) if known == kind => fit.merge(state),
            Some((known, _)) => exec_err!("a state of the kind '{kind}' cannot be merged with one of '{known}'"),
            None => match self.fits.iter().find(|fit| fit.kind() == Some(kind)) {
                Some(fit) => {
                    self.fit = Some((kind.to_string(), fit.resume(state)?));
                    Ok(())
                }
                None => exec_err!("no fit of this version makes states of the kind '{kind}'"),
            },
        }
    }
}

impl Accumulate for Merging {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        match columns[0].as_struct_opt() {
            Some(states) => self.merge(states),
            None => exec_err!("the states of merge_state must be structs"),
        }
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        (0..states.len()).try_for_each(|row| self.take(&states.slice(row, 1)))
    }

    fn state(&mut self) -> Result<StructArray> {
        match &mut self.fit {
            Some((_, fit)) => fit.state(),
            None => Ok(new_null_array(&self.state_type, 1).as_struct().clone()),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        match &mut self.fit {
            Some((_, fit)) => fit.finish(),
            None => Ok(new_null_array(&self.state_type, 1)),
        }
    }

    fn size(&self) -> usize {
        self.fit.as_ref().map_or(0, |(_, fit)| fit.size())
    }
}
