//! Ballista's physical codec with Sluice's nodes added: what the driver sends to its executors.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::proto_decode::PhysicalExprDecodeCtx;
use datafusion::physical_expr_common::physical_expr::proto_encode::PhysicalExprEncodeCtx;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use sluice::profile::FunctionSet;

use crate::boundary::JoinBoundaryExec;

/// Marks the bytes of a node or function of Sluice; Ballista's are a protobuf message, which cannot begin so.
const MARK: &[u8] = b"\0sluice1";
/// Marks a join's boundary, which has nothing to say but its input.
const BOUNDARY: &[u8] = b"\0sluice2";

/// Sluice's nodes in its own form, all else as Ballista does it.
#[derive(Debug, Default)]
pub(crate) struct SluicePhysicalCodec {
    ballista: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for SluicePhysicalCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (buf.strip_prefix(MARK), inputs) {
            (Some(ours), _) => sluice::codec::decode_node(ours, inputs),
            (None, [join]) if buf == BOUNDARY => Ok(Arc::new(JoinBoundaryExec::new(Arc::clone(join)))),
            (None, _) => self.ballista.try_decode(buf, inputs, ctx, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if node.is::<JoinBoundaryExec>() {
            buf.extend_from_slice(BOUNDARY);
            return Ok(());
        }
        match sluice::codec::encode_node(&node)? {
            Some(ours) => {
                buf.extend_from_slice(MARK);
                buf.extend_from_slice(&ours);
                Ok(())
            }
            None => self.ballista.try_encode(node, buf, converter),
        }
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        if let Some(ours) = buf.strip_prefix(MARK) {
            return sluice_partition::codec::decode_scalar(ours).map(Arc::new);
        }
        self.ballista.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        if let Some(ours) = sluice_partition::codec::encode_scalar(node) {
            buf.extend_from_slice(MARK);
            buf.extend_from_slice(&ours);
            return Ok(());
        }
        self.ballista.try_encode_udf(node, buf)
    }

    fn try_decode_higher_order_function(&self, name: &str, buf: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        self.ballista.try_decode_higher_order_function(name, buf)
    }

    fn try_encode_higher_order_function(&self, node: &HigherOrderUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.ballista.try_encode_higher_order_function(node, buf)
    }

    fn try_decode_expr(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn PhysicalExpr>],
        ctx: &PhysicalExprDecodeCtx<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        self.ballista.try_decode_expr(buf, inputs, ctx)
    }

    fn try_encode_expr(
        &self,
        node: &Arc<dyn PhysicalExpr>,
        buf: &mut Vec<u8>,
        ctx: &PhysicalExprEncodeCtx<'_>,
    ) -> Result<()> {
        self.ballista.try_encode_expr(node, buf, ctx)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        if let Some(ours) = buf.strip_prefix(MARK) {
            return sluice_partition::codec::decode_aggregate(ours, FunctionSet::standard_aggregate).map(Arc::new);
        }
        self.ballista.try_decode_udaf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        if let Some(ours) = sluice_partition::codec::encode_aggregate(node) {
            buf.extend_from_slice(MARK);
            buf.extend_from_slice(&ours);
            return Ok(());
        }
        self.ballista.try_encode_udaf(node, buf)
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        self.ballista.try_decode_udwf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.ballista.try_encode_udwf(node, buf)
    }
}
