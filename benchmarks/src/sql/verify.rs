//! Compares the rows of the session with those of independent engines.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::own::Answer;
use super::{Peer, Verdict};
use crate::compare::difference;
use crate::rows::RowSet;

/// The engines that are asked.
pub(super) const VERIFIERS: [Peer; 2] = [Peer::DataFusion, Peer::DuckDb];

/// The rows of one query, of every iteration on the session and of each engine that was asked.
#[derive(Default)]
pub(super) struct Judge {
    own: Vec<Result<RowSet, String>>,
    peers: BTreeMap<Peer, Result<RowSet, String>>,
}

impl Judge {
    /// Whether the engine has been asked.
    pub(super) fn has(&self, peer: Peer) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Takes the rows of an iteration.
    pub(super) fn own(&mut self, answer: &Answer) {
        self.own.push(answer.row_set().map_err(|error| error.to_string()));
    }

    /// Takes what an engine left in a file, or why it did not.
    pub(super) fn peer(&mut self, peer: Peer, error: Option<String>, path: &Path) {
        let rows = match error {
            Some(reason) => Err(reason),
            None => read_rows(path),
        };
        self.peers.insert(peer, rows);
    }

    /// What that engine says of the session's rows.
    pub(super) fn verdict(&self, peer: Peer) -> Verdict {
        let expected = match self.peers.get(&peer) {
            None => return Verdict::NotAsked,
            Some(Err(reason)) => return Verdict::Unavailable { reason: reason.clone() },
            Some(Ok(expected)) => expected,
        };
        for own in &self.own {
            let difference = match own {
                Ok(rows) => difference(rows, expected),
                Err(error) => Some(error.clone()),
            };
            if let Some(difference) = difference {
                return Verdict::Differs { difference };
            }
        }
        Verdict::Matches
    }
}

fn read_rows(path: &Path) -> Result<RowSet, String> {
    let failed = |error: &dyn std::fmt::Display| format!("its result cannot be read: {error}");
    let file = File::open(path).map_err(|error| failed(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(|error| failed(&error))?;
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    RowSet::new(&schema, &batches).map_err(|error| failed(&error))
}
