//! The placing of rows in a logical plan: the same rows go in and come out.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::logical_plan::from_proto::parse_expr;
use datafusion_proto::logical_plan::to_proto::serialize_expr;
use datafusion_proto::protobuf::LogicalExprNode;
use prost::Message;
use serde::{Deserialize, Serialize};
use sluice_partition::placement::MOST_PARTITIONS;
use sluice_proto::PartitionRows;

use super::marker::MarkedSort;
use super::scheme::Scheme;
use crate::error::{Error, ErrorCode};

/// Places its input's rows on partitions, and may sort those of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionByNode {
    input: LogicalPlan,
    scheme: Scheme,
    /// As many as the job has, where absent.
    partitions: Option<usize>,
    keys: Vec<Expr>,
    sort: Vec<SortExpr>,
}

impl PartitionByNode {
    /// A plan that places the input's rows. Fails for a number of partitions that cannot be made, where a key is missing, and
    /// for a key that would be another one when it is computed again.
    pub fn plan(
        input: LogicalPlan,
        scheme: Scheme,
        partitions: Option<usize>,
        keys: Vec<Expr>,
        sort: Vec<SortExpr>,
    ) -> Result<LogicalPlan> {
        if let Some(partitions) = partitions.filter(|partitions| !(1..=MOST_PARTITIONS).contains(partitions)) {
            let message = format!("rows cannot be placed on {partitions} partitions");
            let error = Error::new(ErrorCode::InvalidPlan, message);
            return Err(external(error.hint(format!("there can be from 1 to {MOST_PARTITIONS}"))));
        }
        if scheme.needs_keys() && keys.is_empty() {
            let error = Error::new(ErrorCode::InvalidPlan, format!("\"{}\" needs a key", scheme.word()));
            return Err(external(error.hint("name the columns that say where a row goes")));
        }
        if let Some(key) = keys.iter().chain(sort.iter().map(|sort| &sort.expr)).find(|key| key.is_volatile()) {
            let message = format!("rows cannot be placed by {key}, which differs each time");
            let error = Error::new(ErrorCode::InvalidPlan, message);
            return Err(external(
                error.hint("a task that runs again has to put each row where it was; use round_robin()"),
            ));
        }
        let node = Arc::new(Self { input, scheme, partitions, keys, sort });
        Ok(LogicalPlan::Extension(Extension { node }))
    }

    /// The node of a plan, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }

    /// Whose rows are placed.
    pub fn input(&self) -> &LogicalPlan {
        &self.input
    }

    /// How they are placed.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// On how many partitions; as many as the job has, where absent.
    pub fn partitions(&self) -> Option<usize> {
        self.partitions
    }

    /// What says where a row goes.
    pub fn keys(&self) -> &[Expr] {
        &self.keys
    }

    /// The order in each partition.
    pub fn sort(&self) -> &[SortExpr] {
        &self.sort
    }

    /// The same with another scheme.
    pub(crate) fn with_scheme(&self, scheme: Scheme) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(Self { scheme, ..self.clone() }) })
    }
}

/// What is not an expression, of a node that travels.
#[derive(Serialize, Deserialize)]
struct Specification {
    scheme: Scheme,
    partitions: Option<usize>,
    keys: usize,
    sort: Vec<MarkedSort>,
}

impl PartitionByNode {
    /// The message of the node, without its input.
    pub(crate) fn encode(&self, codec: &dyn LogicalExtensionCodec) -> Result<PartitionRows> {
        let sort = self.sort.iter().map(|sort| MarkedSort { asc: sort.asc, nulls_first: sort.nulls_first });
        let specification = Specification {
            scheme: self.scheme.clone(),
            partitions: self.partitions,
            keys: self.keys.len(),
            sort: sort.collect(),
        };
        let bytes = |expr: &Expr| {
            let node = serialize_expr(expr, codec).map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(node.encode_to_vec())
        };
        Ok(PartitionRows {
            specification: serde_json::to_vec(&specification)
                .map_err(|error| DataFusionError::External(Box::new(error)))?,
            expressions: self.expressions().iter().map(bytes).collect::<Result<_>>()?,
        })
    }

    /// The node that [`PartitionByNode::encode`] made the message of.
    pub(crate) fn decode(
        message: &PartitionRows,
        input: LogicalPlan,
        ctx: &TaskContext,
        codec: &dyn LogicalExtensionCodec,
    ) -> Result<Extension> {
        let specification: Specification = serde_json::from_slice(&message.specification)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let expr = |bytes: &Vec<u8>| {
            let node = LogicalExprNode::decode(bytes.as_slice())
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            parse_expr(&node, ctx, codec).map_err(|error| DataFusionError::External(Box::new(error)))
        };
        let mut exprs = message.expressions.iter().map(expr).collect::<Result<Vec<Expr>>>()?.into_iter();
        let keys = exprs.by_ref().take(specification.keys).collect();
        let sort = exprs.zip(specification.sort).map(|(expr, sort)| SortExpr::new(expr, sort.asc, sort.nulls_first));
        match Self::plan(input, specification.scheme, specification.partitions, keys, sort.collect())? {
            LogicalPlan::Extension(extension) => Ok(extension),
            _ => plan_err!("a node that places rows is an extension"),
        }
    }
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl Hash for PartitionByNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.scheme.hash(state);
        self.partitions.hash(state);
        self.keys.hash(state);
        self.sort.hash(state);
    }
}

impl PartialOrd for PartitionByNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let order = (&self.scheme, self.partitions).cmp(&(&other.scheme, other.partitions));
        match order {
            Ordering::Equal => {
                (&self.keys, &self.sort, &self.input).partial_cmp(&(&other.keys, &other.sort, &other.input))
            }
            order => Some(order),
        }
    }
}

impl UserDefinedLogicalNodeCore for PartitionByNode {
    fn name(&self) -> &str {
        "PartitionBy"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.keys.iter().chain(self.sort.iter().map(|sort| &sort.expr)).cloned().collect()
    }

    /// A row that goes has gone, before or after.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "PartitionBy: {}({})", self.scheme.word(), list(&self.keys))?;
        if let Some(partitions) = self.partitions {
            write!(f, ", partitions={partitions}")?;
        }
        if !self.sort.is_empty() {
            let sort: Vec<String> = self.sort.iter().map(ToString::to_string).collect();
            write!(f, ", sort=[{}]", sort.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        if exprs.len() != self.keys.len() + self.sort.len() || inputs.len() != 1 {
            return plan_err!("PartitionBy has one input and {} expressions", self.keys.len() + self.sort.len());
        }
        let mut exprs = exprs.into_iter();
        let keys = exprs.by_ref().take(self.keys.len()).collect();
        let sort = exprs.zip(&self.sort).map(|(expr, sort)| sort.with_expr(expr)).collect();
        let input = inputs.swap_remove(0);
        Ok(Self { input, scheme: self.scheme.clone(), partitions: self.partitions, keys, sort })
    }

    /// The columns of the expressions are added by DataFusion. What spreads rows needs all columns to tell them apart.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        match self.scheme {
            Scheme::RoundRobin | Scheme::Coalesce | Scheme::Made(..) => None,
            _ => Some(vec![output_columns.to_vec()]),
        }
    }
}
