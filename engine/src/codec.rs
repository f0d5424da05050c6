//! Plans as bytes. [`PlanCodec`] carries a client's unoptimised logical plan to the driver; [`encode_node`] and
//! [`decode_node`] carry Sluice's physical nodes from the driver to its executors, inside Ballista's own codec.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{TableReference, not_impl_err, plan_err};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::datasource::file_format::csv::CsvFormatFactory;
use datafusion::datasource::file_format::json::JsonFormatFactory;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::logical_plan::file_formats::{
    CsvLogicalExtensionCodec, JsonLogicalExtensionCodec, ParquetLogicalExtensionCodec,
};
use prost::Message;
use sluice_proto::{
    Estimated, ForgetConstants, JoinFilter, JoinKeys, PartitionRows, PlanNode, RemoteLeaf, plan_node, remote_leaf,
};

use crate::ipc;
use crate::optimize::{
    Bloom, EstimatedExec, ForgetConstantsExec, JoinFilterExec, JoinKeysExec, OtherKeys, OwnStageExec,
};
use crate::partition::{PartitionByExec, PartitionByNode, PartitionerRegistry, RouteExec};
use crate::session::remote::RemoteNode;
use crate::write;

/// Logical plans between client and driver.
#[derive(Debug, Default)]
pub struct PlanCodec;

impl LogicalExtensionCodec for PlanCodec {
    /// A node with an input is one that places rows.
    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], ctx: &TaskContext) -> Result<Extension> {
        match inputs {
            [] => Ok(Extension { node: Arc::new(RemoteNode::decode(buf)?) }),
            [input] => {
                let message = PartitionRows::decode(buf).map_err(external)?;
                PartitionByNode::decode(&message, input.clone(), ctx, self)
            }
            _ => not_impl_err!("a client's plan node of several inputs"),
        }
    }

    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        let any = node.node.as_any();
        if let Some(remote) = any.downcast_ref::<RemoteNode>() {
            return remote.encode(buf);
        }
        match any.downcast_ref::<PartitionByNode>() {
            Some(partition) => partition.encode(self)?.encode(buf).map_err(external),
            None => not_impl_err!("a client cannot send the plan node {}", node.node.name()),
        }
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        _table: &TableReference,
        schema: SchemaRef,
        _ctx: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let leaf = RemoteLeaf::decode(buf).map_err(external)?;
        let Some(remote_leaf::Source::Rows(rows)) = leaf.source else {
            return not_impl_err!("a table of a client's plan that holds no rows");
        };
        let (_, batches) = ipc::decode_stream(&rows)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(memory) = node.downcast_ref::<MemTable>() else {
            return not_impl_err!("a client cannot send the table {table}: read it through the session instead");
        };
        let batches: Vec<_> = memory
            .batches
            .iter()
            .filter_map(|partition| partition.try_read().ok().map(|batches| batches.clone()))
            .flatten()
            .collect();
        let rows = ipc::encode_stream(&node.schema(), &batches)?;
        RemoteLeaf { source: Some(remote_leaf::Source::Rows(rows)) }.encode(buf).map_err(external)
    }

    fn try_decode_file_format(&self, buf: &[u8], ctx: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        let Some((kind, rest)) = buf.split_first() else {
            return not_impl_err!("a file format without a kind");
        };
        match kind {
            0 => ParquetLogicalExtensionCodec {}.try_decode_file_format(rest, ctx),
            1 => CsvLogicalExtensionCodec {}.try_decode_file_format(rest, ctx),
            2 => JsonLogicalExtensionCodec {}.try_decode_file_format(rest, ctx),
            other => not_impl_err!("file format of kind {other}"),
        }
    }

    fn try_encode_file_format(&self, buf: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        if node.as_ref().is::<ParquetFormatFactory>() {
            buf.push(0);
            ParquetLogicalExtensionCodec {}.try_encode_file_format(buf, node)
        } else if node.as_ref().is::<CsvFormatFactory>() {
            buf.push(1);
            CsvLogicalExtensionCodec {}.try_encode_file_format(buf, node)
        } else if node.as_ref().is::<JsonFormatFactory>() {
            buf.push(2);
            JsonLogicalExtensionCodec {}.try_encode_file_format(buf, node)
        } else {
            not_impl_err!("writing the format {} from a client's plan", node.get_ext())
        }
    }
}

/// The bytes of one of Sluice's physical nodes, or `None` for a node of somebody else.
pub fn encode_node(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Vec<u8>>> {
    let node = if let Some(write) = node.downcast_ref::<write::WriteExec>() {
        plan_node::Node::Write(write::encode(write)?)
    } else if let Some(route) = node.downcast_ref::<RouteExec>() {
        plan_node::Node::Route(route.encode()?)
    } else if let Some(partition) = node.downcast_ref::<PartitionByExec>() {
        plan_node::Node::PartitionBy(partition.encode())
    } else if node.is::<ForgetConstantsExec>() {
        plan_node::Node::ForgetConstants(ForgetConstants {})
    } else if node.is::<EstimatedExec>() || node.is::<OwnStageExec>() {
        plan_node::Node::Estimated(Estimated {})
    } else if let Some(keys) = node.downcast_ref::<JoinKeysExec>() {
        plan_node::Node::JoinKeys(JoinKeys { filter: keys.filter(), columns: places(keys.columns()) })
    } else if let Some(filter) = node.downcast_ref::<JoinFilterExec>() {
        let keys = match filter.keys() {
            OtherKeys::Known(keys) => Some(keys.to_bytes()),
            OtherKeys::Awaited | OtherKeys::Unknown => None,
        };
        plan_node::Node::JoinFilter(JoinFilter { filter: filter.filter(), columns: places(filter.columns()), keys })
    } else {
        return Ok(None);
    };
    Ok(Some(PlanNode { node: Some(node) }.encode_to_vec()))
}

/// The node that [`encode_node`] made the bytes of.
pub fn decode_node(
    buf: &[u8],
    inputs: &[Arc<dyn ExecutionPlan>],
    partitioners: &PartitionerRegistry,
) -> Result<Arc<dyn ExecutionPlan>> {
    let message = PlanNode::decode(buf).map_err(external)?;
    match (message.node, inputs) {
        (Some(plan_node::Node::Write(spec)), [input]) => Ok(Arc::new(write::decode(&spec, Arc::clone(input))?)),
        (Some(plan_node::Node::Route(route)), [input]) => {
            Ok(Arc::new(RouteExec::decode(&route, Arc::clone(input), partitioners)?))
        }
        (Some(plan_node::Node::PartitionBy(partition)), [input]) => {
            Ok(Arc::new(PartitionByExec::decode(&partition, Arc::clone(input))?))
        }
        (Some(plan_node::Node::ForgetConstants(_)), [input]) => {
            Ok(Arc::new(ForgetConstantsExec::new(Arc::clone(input))))
        }
        (Some(plan_node::Node::Estimated(_)), [input]) => Ok(Arc::new(EstimatedExec::new(Arc::clone(input)))),
        (Some(plan_node::Node::JoinKeys(keys)), [input]) => {
            let columns = columns_of(input, &keys.columns)?;
            Ok(Arc::new(JoinKeysExec::new(Arc::clone(input), keys.filter, columns)))
        }
        (Some(plan_node::Node::JoinFilter(filter)), [input]) => {
            let columns = columns_of(input, &filter.columns)?;
            let keys = match &filter.keys {
                None => OtherKeys::Unknown,
                Some(bytes) => match Bloom::from_bytes(bytes) {
                    Some(keys) => OtherKeys::Known(Arc::new(keys)),
                    None => return plan_err!("a filter's keys are damaged"),
                },
            };
            Ok(Arc::new(JoinFilterExec::new(Arc::clone(input), filter.filter, columns, keys)))
        }
        _ => not_impl_err!("a physical node that this version of Sluice does not know"),
    }
}

/// Columns as they are sent.
fn places(columns: &[usize]) -> Vec<u32> {
    columns.iter().map(|at| u32::try_from(*at).unwrap_or(u32::MAX)).collect()
}

/// Columns of a node's input that were sent with it.
fn columns_of(input: &Arc<dyn ExecutionPlan>, sent: &[u32]) -> Result<Vec<usize>> {
    let columns = input.schema().fields().len();
    let known = |at: &u32| usize::try_from(*at).ok().filter(|at| *at < columns);
    match sent.iter().map(known).collect() {
        Some(places) => Ok(places),
        None => plan_err!("a node is about a column that its input does not have"),
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
