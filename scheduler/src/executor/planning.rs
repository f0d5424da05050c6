//! What an executor adds to the plan of a task before it runs it.

use std::sync::Arc;

use ballista_core::utils::collect_plan_metrics;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::prelude::SessionConfig;
use sluice::optimize::{is_of_key_set, optimize_task, task_config};

/// A task's plan as it runs here.
pub(super) struct Planned {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) unknown: UnknownMetrics,
}

/// Plans the task whose shuffle writer is the root of the plan. A plan that cannot be made better is run as it is.
pub(super) fn plan_task(writer: Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Planned {
    let planned = with_own_input(&writer, config).unwrap_or_else(|error| {
        tracing::warn!(%error, "the task runs as the driver planned it");
        Arc::clone(&writer)
    });
    let unknown = UnknownMetrics::of(&writer, &planned);
    Planned { plan: planned, unknown }
}

fn with_own_input(writer: &Arc<dyn ExecutionPlan>, config: &SessionConfig) -> Result<Arc<dyn ExecutionPlan>> {
    let mut options = config.options().as_ref().clone();
    task_config(&mut options);
    let inputs = writer.children().into_iter().map(|input| optimize_task(Arc::clone(input), &options));
    replace_children_if_necessary(Arc::clone(writer), inputs.collect::<Result<_>>()?)
}

/// The context with the settings that the plan was made under.
pub(super) fn own_context(context: &TaskContext) -> Arc<TaskContext> {
    let mut config = context.session_config().clone();
    task_config(config.options_mut());
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    ))
}

/// Which of a plan's sets of metrics are of nodes that were added here. The driver tells the sets by their places among the
/// nodes that it sent.
#[derive(Debug, Default)]
pub(super) struct UnknownMetrics {
    places: Vec<usize>,
    /// Sets that the driver expects.
    known: usize,
}

impl UnknownMetrics {
    fn of(sent: &Arc<dyn ExecutionPlan>, planned: &Arc<dyn ExecutionPlan>) -> Self {
        let mut unknown = Self { places: Vec::new(), known: collect_plan_metrics(sent.as_ref()).len() };
        unknown.compare(sent, planned, &mut 0);
        unknown
    }

    fn compare(&mut self, sent: &Arc<dyn ExecutionPlan>, planned: &Arc<dyn ExecutionPlan>, place: &mut usize) {
        let has_metrics = planned.metrics().is_some();
        let added = is_of_key_set(planned)
            || planned.is::<FilterExec>() && !sent.is::<FilterExec>()
            || planned.is::<ProjectionExec>() && !sent.is::<ProjectionExec>();
        if added && has_metrics {
            self.places.push(*place);
        }
        *place += usize::from(has_metrics);
        match (added, planned.children().as_slice()) {
            (true, [input]) => self.compare(sent, input, place),
            _ => {
                for (sent, planned) in sent.children().into_iter().zip(planned.children()) {
                    self.compare(sent, planned, place);
                }
            }
        }
    }

    /// The sets without those that the driver does not know of. None where they still are not as many as it expects: it
    /// would refuse them, and the task's end with them.
    pub(super) fn without(&self, metrics: Vec<MetricsSet>) -> Vec<MetricsSet> {
        let kept = metrics.into_iter().enumerate().filter(|(place, _)| !self.places.contains(place));
        let kept: Vec<_> = kept.map(|(_, set)| set).collect();
        if kept.len() == self.known { kept } else { Vec::new() }
    }
}
