//! The functions of this crate that carry what cannot be told by their name, as bytes.

use std::any::Any;
use std::sync::Arc;

use datafusion_common::{Result, exec_datafusion_err, plan_err};
use datafusion_expr::{AggregateUDF, ScalarUDF};
use prost::Message;

use crate::salts::{Salt, SaltTable, Side};
use crate::states::{MergeOf, StateOf, merge_of, state_of};

/// A salt's function.
#[derive(Clone, PartialEq, Message)]
struct SaltBytes {
    #[prost(bool, tag = "1")]
    repeated: bool,
    #[prost(uint32, tag = "2")]
    keys: u32,
    #[prost(bool, tag = "3")]
    scatter_nulls: bool,
    #[prost(message, repeated, tag = "4")]
    entries: Vec<EntryBytes>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryBytes {
    #[prost(fixed64, tag = "1")]
    hash: u64,
    #[prost(uint32, repeated, tag = "2")]
    routes: Vec<u32>,
    #[prost(uint32, tag = "3")]
    columns: u32,
    #[prost(int32, repeated, tag = "4")]
    salts: Vec<i32>,
}

/// An aggregate's first or second step.
#[derive(Clone, PartialEq, Message)]
struct StepBytes {
    #[prost(bool, tag = "1")]
    merges: bool,
    #[prost(string, tag = "2")]
    aggregate: String,
}

/// A scalar function of this crate as bytes; `None` where it is another's.
pub fn encode_scalar(function: &ScalarUDF) -> Option<Vec<u8>> {
    let inner: &dyn Any = function.inner().as_ref();
    let salt = inner.downcast_ref::<Salt>()?;
    let entries = salt.table().entries().iter().map(|entry| EntryBytes {
        hash: entry.hash,
        routes: entry.routes.clone(),
        columns: entry.columns,
        salts: entry.salts.clone(),
    });
    let bytes = SaltBytes {
        repeated: salt.side() == Side::Repeated,
        keys: salt.table().key_columns() as u32,
        scatter_nulls: salt.table().scatters_nulls(),
        entries: entries.collect(),
    };
    Some(bytes.encode_to_vec())
}

/// What [`encode_scalar`] gave.
pub fn decode_scalar(bytes: &[u8]) -> Result<ScalarUDF> {
    let bytes = SaltBytes::decode(bytes).map_err(|error| exec_datafusion_err!("a function of salts: {error}"))?;
    let entries = bytes.entries.into_iter().map(|entry| {
        let rows = entry.salts.len() / entry.columns.max(1) as usize;
        if rows == 0 || entry.routes.is_empty() || entry.routes.iter().any(|route| *route as usize >= rows) {
            return plan_err!("a key without salts");
        }
        Ok(crate::salts::Entry {
            hash: entry.hash,
            routes: entry.routes,
            columns: entry.columns.max(1),
            salts: entry.salts,
        })
    });
    let table = SaltTable::from_parts(bytes.keys, bytes.scatter_nulls, entries.collect::<Result<_>>()?);
    let side = if bytes.repeated { Side::Repeated } else { Side::Split };
    Ok(Salt::new(Arc::new(table), side).into_udf())
}

/// An aggregate function of this crate as bytes; `None` where it is another's.
pub fn encode_aggregate(function: &AggregateUDF) -> Option<Vec<u8>> {
    let inner: &dyn Any = function.inner().as_ref();
    let (merges, aggregate) = match (inner.downcast_ref::<StateOf>(), inner.downcast_ref::<MergeOf>()) {
        (Some(state), _) => (false, state.aggregate()),
        (_, Some(merge)) => (true, merge.aggregate()),
        _ => return None,
    };
    Some(StepBytes { merges, aggregate: aggregate.name().to_string() }.encode_to_vec())
}

/// What [`encode_aggregate`] gave, with the aggregates that `find` knows.
pub fn decode_aggregate(bytes: &[u8], find: impl FnOnce(&str) -> Option<Arc<AggregateUDF>>) -> Result<AggregateUDF> {
    let step = StepBytes::decode(bytes).map_err(|error| exec_datafusion_err!("a step of an aggregate: {error}"))?;
    match find(&step.aggregate) {
        Some(aggregate) if step.merges => Ok(merge_of(aggregate)),
        Some(aggregate) => Ok(state_of(aggregate)),
        None => plan_err!("there is no aggregate function {}", step.aggregate),
    }
}
