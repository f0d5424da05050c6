//! The functions of this crate that carry what cannot be told by their name, as bytes.

use std::any::Any;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion_common::{Result, exec_datafusion_err, plan_err};
use datafusion_expr::{AggregateUDF, ScalarUDF};
use prost::Message;

use crate::ranges::{RangeOf, RangePart, RangeTable, Ranges};
use crate::salts::{Entry, Salt, SaltTable, Side};
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

/// The function of a key's ranges.
#[derive(Clone, PartialEq, Message)]
struct RangeBytes {
    #[prost(bool, tag = "1")]
    number: bool,
    #[prost(uint32, tag = "2")]
    keys: u32,
    /// Twice as many as columns: whether descending, and whether nulls come first.
    #[prost(bool, repeated, tag = "3")]
    order: Vec<bool>,
    #[prost(message, repeated, tag = "4")]
    entries: Vec<RangeEntryBytes>,
}

#[derive(Clone, PartialEq, Message)]
struct RangeEntryBytes {
    #[prost(fixed64, tag = "1")]
    hash: u64,
    #[prost(bytes = "vec", repeated, tag = "2")]
    cuts: Vec<Vec<u8>>,
    #[prost(int32, repeated, tag = "3")]
    salts: Vec<i32>,
}

/// One of the two.
#[derive(Clone, PartialEq, Message)]
struct FunctionBytes {
    #[prost(message, optional, tag = "1")]
    salt: Option<SaltBytes>,
    #[prost(message, optional, tag = "2")]
    range: Option<RangeBytes>,
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
    let bytes = match (inner.downcast_ref::<Salt>(), inner.downcast_ref::<RangeOf>()) {
        (Some(salt), _) => FunctionBytes { salt: Some(salt_bytes(salt)), range: None },
        (_, Some(range)) => FunctionBytes { salt: None, range: Some(range_bytes(range)) },
        _ => return None,
    };
    Some(bytes.encode_to_vec())
}

/// What [`encode_scalar`] gave.
pub fn decode_scalar(bytes: &[u8]) -> Result<ScalarUDF> {
    let bytes = FunctionBytes::decode(bytes).map_err(|error| exec_datafusion_err!("a function of skew: {error}"))?;
    match (bytes.salt, bytes.range) {
        (Some(salt), _) => salt_of(salt),
        (_, Some(range)) => range_of(range),
        _ => plan_err!("a function of skew without a table"),
    }
}

fn salt_bytes(salt: &Salt) -> SaltBytes {
    let entries = salt.table().entries().iter().map(|entry| EntryBytes {
        hash: entry.hash,
        routes: entry.routes.clone(),
        columns: entry.columns,
        salts: entry.salts.clone(),
    });
    SaltBytes {
        repeated: salt.side() == Side::Repeated,
        keys: salt.table().key_columns() as u32,
        scatter_nulls: salt.table().scatters_nulls(),
        entries: entries.collect(),
    }
}

fn salt_of(bytes: SaltBytes) -> Result<ScalarUDF> {
    let entries = bytes.entries.into_iter().map(|entry| {
        let rows = entry.salts.len() / entry.columns.max(1) as usize;
        if rows == 0 || entry.routes.is_empty() || entry.routes.iter().any(|route| *route as usize >= rows) {
            return plan_err!("a key without salts");
        }
        Ok(Entry { hash: entry.hash, routes: entry.routes, columns: entry.columns.max(1), salts: entry.salts })
    });
    let table = SaltTable::from_parts(bytes.keys, bytes.scatter_nulls, entries.collect::<Result<_>>()?);
    let side = if bytes.repeated { Side::Repeated } else { Side::Split };
    Ok(Salt::new(Arc::new(table), side).into_udf())
}

fn range_bytes(range: &RangeOf) -> RangeBytes {
    let table = range.table();
    let mut entries: Vec<RangeEntryBytes> = table
        .entries
        .iter()
        .map(|(hash, ranges)| RangeEntryBytes { hash: *hash, cuts: ranges.cuts.clone(), salts: ranges.salts.clone() })
        .collect();
    entries.sort_by_key(|entry| entry.hash);
    RangeBytes {
        number: range.part() == RangePart::Number,
        keys: table.keys,
        order: table.order.iter().flat_map(|options| [options.descending, options.nulls_first]).collect(),
        entries,
    }
}

fn range_of(bytes: RangeBytes) -> Result<ScalarUDF> {
    let order = bytes.order.chunks_exact(2);
    let order = order.map(|pair| SortOptions { descending: pair[0], nulls_first: pair[1] }).collect();
    let entries = bytes.entries.into_iter().map(|entry| match entry.salts.len() == entry.cuts.len() + 1 {
        true => Ok((entry.hash, Ranges { cuts: entry.cuts, salts: entry.salts })),
        false => plan_err!("ranges without salts"),
    });
    let table = RangeTable { keys: bytes.keys, order, entries: entries.collect::<Result<_>>()? };
    let part = if bytes.number { RangePart::Number } else { RangePart::Salt };
    Ok(RangeOf::new(Arc::new(table), part).into_udf())
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
