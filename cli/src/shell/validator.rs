//! When Enter runs what is typed, and when it only begins a new line.

use reedline::{ValidationResult, Validator};

use super::meta;
use crate::lexer::ends_statement;

pub(super) struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, line: &str) -> ValidationResult {
        if meta::is_meta(line) || ends_statement(line) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_whole_statements_and_meta_commands() {
        let runs = |line| matches!(StatementValidator.validate(line), ValidationResult::Complete);
        assert!(runs("select 1;"));
        assert!(runs("\\d orders"));
        assert!(runs(".mode csv"));
        assert!(runs("quit"));
        assert!(runs(""));
        assert!(!runs("select 1"));
        assert!(!runs("select ';"));
    }
}
