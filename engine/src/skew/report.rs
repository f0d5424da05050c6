//! What was found out about a node's keys, and what was done about it.

use std::fmt;

use super::judge::Balance;

/// A node with a skewed key.
#[derive(Debug, Clone, PartialEq)]
pub struct SkewNote {
    /// The node, in a few words.
    pub node: String,
    /// What was done.
    pub action: String,
    /// The most frequent keys, with their shares of the rows.
    pub hot_keys: Vec<String>,
    /// How it is known.
    pub evidence: String,
    /// What the names of the columns begin with that the rewritten node hashes.
    pub(super) mark: String,
    pub(super) balance: Option<Balance>,
}

impl SkewNote {
    /// Whether an exchange over these keys is one of the node's.
    pub fn concerns(&self, keys: &str) -> bool {
        keys.contains(&self.mark)
    }

    /// The frequent keys and what was done, as one sentence.
    pub fn sentence(&self) -> String {
        format!("frequent keys {}: {}", self.hot_keys.join("; "), self.action)
    }

    /// The fullest partition over the mean one, as foreseen if nothing is done.
    pub fn hashed(&self) -> Option<f64> {
        self.balance.map(|balance| balance.hashed)
    }

    /// The fullest partition over the mean one, as foreseen with what is done.
    pub fn placed(&self) -> Option<f64> {
        self.balance.map(|balance| balance.placed)
    }
}

impl fmt::Display for SkewNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.node, self.action)?;
        if !self.hot_keys.is_empty() {
            writeln!(f, "  frequent keys: {}", self.hot_keys.join("; "))?;
        }
        if let Some(balance) = &self.balance {
            writeln!(f, "  {balance}")?;
        }
        write!(f, "  known from {}", self.evidence)
    }
}
