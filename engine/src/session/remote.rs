//! The leaf of a plan that a client builds: a statement or a file that only the driver can resolve.
//!
//! A client's DataFrame is DataFusion's own, over such leaves. Nothing is optimised on the client: the whole plan goes
//! to the driver, which puts the real plan in the leaf's place and then plans once, with its own catalog and rules.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion_proto::protobuf::DfSchema;
use prost::Message;
use sluice_proto::{RemoteLeaf, remote_leaf};

/// A leaf that the driver resolves.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteNode {
    source: remote_leaf::Source,
    schema: DFSchemaRef,
}

impl RemoteNode {
    /// A leaf of the given source, whose columns the driver has told.
    pub fn new(source: remote_leaf::Source, schema: DFSchemaRef) -> Self {
        Self { source, schema }
    }

    /// What the driver is to put in the leaf's place.
    pub fn source(&self) -> &remote_leaf::Source {
        &self.source
    }

    /// Appends the leaf's bytes: its source, then its schema.
    pub fn encode(&self, buf: &mut Vec<u8>) -> Result<()> {
        let leaf = RemoteLeaf { source: Some(self.source.clone()) };
        let schema = encode_df_schema(&self.schema)?;
        leaf.encode_length_delimited(buf).map_err(external)?;
        buf.extend_from_slice(&schema);
        Ok(())
    }

    /// The leaf that [`RemoteNode::encode`] made the bytes of.
    pub fn decode(mut buf: &[u8]) -> Result<Self> {
        let leaf = RemoteLeaf::decode_length_delimited(&mut buf).map_err(external)?;
        let source =
            leaf.source.ok_or_else(|| DataFusionError::Plan("a leaf of the client's plan has no source".into()))?;
        Ok(Self { source, schema: decode_df_schema(buf)? })
    }
}

/// A schema with the names of its tables, as bytes.
pub fn encode_df_schema(schema: &DFSchemaRef) -> Result<Vec<u8>> {
    let message: DfSchema = schema.try_into().map_err(|error| DataFusionError::Plan(format!("{error}")))?;
    Ok(message.encode_to_vec())
}

/// The schema that [`encode_df_schema`] made the bytes of.
pub fn decode_df_schema(bytes: &[u8]) -> Result<DFSchemaRef> {
    let message = DfSchema::decode(bytes).map_err(external)?;
    DFSchemaRef::try_from(message).map_err(|error| DataFusionError::Plan(format!("{error}")))
}

impl Eq for RemoteNode {}

impl Hash for RemoteNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        RemoteLeaf { source: Some(self.source.clone()) }.encode_to_vec().hash(state);
    }
}

impl PartialOrd for RemoteNode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let bytes = |node: &Self| RemoteLeaf { source: Some(node.source.clone()) }.encode_to_vec();
        (self == other).then_some(std::cmp::Ordering::Equal).or_else(|| bytes(self).partial_cmp(&bytes(other)))
    }
}

impl UserDefinedLogicalNodeCore for RemoteNode {
    fn name(&self) -> &str {
        "Remote"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.source {
            remote_leaf::Source::Sql(sql) => write!(f, "Remote: {sql}"),
            remote_leaf::Source::Read(read) => write!(f, "Remote: {} '{}'", read.format, read.path),
            remote_leaf::Source::Rows(rows) => write!(f, "Remote: {} bytes of rows", rows.len()),
        }
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

/// Replaces every remote leaf by what `resolve` gives for it.
pub async fn replace_leaves<F, Fut>(plan: LogicalPlan, mut resolve: F) -> crate::Result<LogicalPlan>
where
    F: FnMut(remote_leaf::Source) -> Fut,
    Fut: Future<Output = crate::Result<LogicalPlan>>,
{
    use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};

    let mut sources = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let Some(remote) = as_remote(node) {
            sources.push(remote.source.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut resolved = Vec::with_capacity(sources.len());
    for source in sources {
        resolved.push((source.clone(), resolve(source).await?));
    }
    let replaced = plan.transform_down_with_subqueries(|node| {
        let found = as_remote(&node).and_then(|remote| resolved.iter().find(|(source, _)| source == &remote.source));
        match found {
            // A jump, because what was put in place holds no leaf of the client.
            Some((_, plan)) => Ok(Transformed::new(plan.clone(), true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(replaced.data)
}

fn as_remote(node: &LogicalPlan) -> Option<&RemoteNode> {
    match node {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<RemoteNode>(),
        _ => None,
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A plan of one leaf.
pub fn leaf_plan(source: remote_leaf::Source, schema: DFSchemaRef) -> LogicalPlan {
    LogicalPlan::Extension(datafusion::logical_expr::Extension { node: Arc::new(RemoteNode::new(source, schema)) })
}
