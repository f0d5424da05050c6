//! How a client's plan runs: it goes to the driver whole, as it was built, and its rows come back as a stream.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemoryCatalogProviderList, Session};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use datafusion::prelude::SessionContext;
use datafusion_proto::logical_plan::AsLogicalPlan;
use datafusion_proto::protobuf::LogicalPlanNode;
use futures::TryStreamExt;
use sluice_proto::execute_request;

use super::client::DriverClient;
use super::types::ExecuteOptions;
use crate::codec::PlanCodec;
use crate::profile::{EngineProfile, Role};
use crate::stream;

/// A context whose plans run on the driver. It has the functions that the driver has, and no rules at all.
pub(crate) fn context(settings: &[(String, String)], client: DriverClient) -> crate::Result<SessionContext> {
    let profile = EngineProfile::new(Role::Client, settings)?;
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    let state = profile.session_state(catalogs, profile.session_config());
    let planner: Arc<dyn QueryPlanner + Send + Sync> = Arc::new(RemotePlanner { client });
    let state = SessionStateBuilder::new_from_existing(state)
        .with_analyzer_rules(vec![])
        .with_optimizer_rules(vec![])
        .with_physical_optimizer_rules(vec![])
        .with_query_planner(planner)
        .build();
    Ok(SessionContext::new_with_state(state))
}

#[derive(Debug)]
struct RemotePlanner {
    client: DriverClient,
}

#[async_trait]
impl QueryPlanner for RemotePlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        _session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let bytes = LogicalPlanNode::try_from_logical_plan(logical_plan, &PlanCodec)?;
        let mut buffer = Vec::new();
        bytes.try_encode(&mut buffer)?;
        let schema = Arc::clone(logical_plan.schema().inner());
        Ok(Arc::new(RemoteExec::new(self.client.clone(), buffer, schema)))
    }
}

/// Rows that a driver sends.
struct RemoteExec {
    client: DriverClient,
    plan: Arc<Vec<u8>>,
    properties: Arc<PlanProperties>,
}

impl RemoteExec {
    fn new(client: DriverClient, plan: Vec<u8>, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { client, plan: Arc::new(plan), properties: Arc::new(properties) }
    }
}

impl fmt::Debug for RemoteExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteExec({})", self.client.url())
    }
}

impl DisplayAs for RemoteExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RemoteExec: {}", self.client.url())
    }
}

impl ExecutionPlan for RemoteExec {
    fn name(&self) -> &str {
        "RemoteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let client = self.client.clone();
        let plan = execute_request::Statement::Plan(self.plan.as_ref().clone());
        let schema = Arc::clone(self.properties.eq_properties.schema());
        Ok(stream::produce(schema, move |mut sink| async move {
            let mut execution = client.execute(plan, ExecuteOptions::default()).await?;
            while let Some(batch) = execution.stream.try_next().await.map_err(crate::Error::from)? {
                sink.send(batch).await;
            }
            Ok(())
        }))
    }
}
