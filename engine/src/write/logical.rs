//! A write in a logical plan: the input goes in, the report of the files comes out.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::files::REPORT_SCHEMA;
use super::spec::WriteSpec;

/// Writes its input's rows to files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteNode {
    input: LogicalPlan,
    spec: Arc<WriteSpec>,
    schema: DFSchemaRef,
}

impl WriteNode {
    /// A plan that writes the input's rows.
    pub fn plan(input: LogicalPlan, spec: WriteSpec) -> Result<LogicalPlan> {
        let schema = Arc::new(DFSchema::try_from(REPORT_SCHEMA.as_ref().clone())?);
        let node = Self { input, spec: Arc::new(spec), schema };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    /// What to write, and where.
    pub fn spec(&self) -> &Arc<WriteSpec> {
        &self.spec
    }
}

impl Hash for WriteNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.spec.hash(state);
    }
}

impl PartialOrd for WriteNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.spec.partial_cmp(&other.spec) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            order => order,
        }
    }
}

impl UserDefinedLogicalNodeCore for WriteNode {
    fn name(&self) -> &str {
        "Write"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Write: format={}", self.spec.writer.format().name())?;
        if !self.spec.partition_by.is_empty() {
            write!(f, ", partition_by=[{}]", self.spec.partition_by.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = if inputs.len() == 1 { inputs.swap_remove(0) } else { self.input.clone() };
        Ok(Self { input, spec: Arc::clone(&self.spec), schema: Arc::clone(&self.schema) })
    }

    /// Every column is written, whatever of the report is read.
    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![(0..self.input.schema().fields().len()).collect()])
    }
}
