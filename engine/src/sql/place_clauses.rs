//! Puts what [`super::distribute`] took out of the text into the parsed statement, as the expressions of `DISTRIBUTE BY` with a
//! marker before them. This walks the statement by hand, because a derived visitor takes minutes to compile.

use datafusion::config::Dialect;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Array, Expr, Query, Select, SetExpr, Statement as SqlStatement, TableFactor, TableWithJoins, Value,
};
use datafusion::sql::sqlparser::dialect::{Dialect as SqlDialect, GenericDialect, dialect_from_str};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::distribute::{Clause, Piece};
use crate::error::{Error, ErrorCode, Place, Result};
use crate::partition::{MarkedSort, Marker};

/// Puts each clause into the SELECT that it was taken from.
pub(super) fn put(statement: &mut Statement, clauses: Vec<Clause>, dialect: &Dialect) -> Result<()> {
    let dialect = dialect_from_str(dialect).unwrap_or_else(|| Box::new(GenericDialect {}));
    let mut placing = Placing { clauses, dialect };
    placing.statement(statement)?;
    match placing.clauses.first() {
        None => Ok(()),
        Some(clause) => Err(Error::new(ErrorCode::Unsupported, "the rows of this SELECT cannot be placed")
            .at(clause.place.clone())
            .hint("place those of the statement itself, of a subquery in FROM, or of one in WITH")),
    }
}

struct Placing {
    clauses: Vec<Clause>,
    dialect: Box<dyn SqlDialect>,
}

impl Placing {
    fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        match statement {
            Statement::Statement(statement) => self.sql(statement),
            Statement::Explain(explain) => self.statement(&mut explain.statement),
            Statement::CopyTo(copy) => match &mut copy.source {
                CopyToSource::Query(query) => self.query(query),
                CopyToSource::Relation(_) => Ok(()),
            },
            Statement::CreateExternalTable(_) | Statement::Reset(_) => Ok(()),
        }
    }

    fn sql(&mut self, statement: &mut SqlStatement) -> Result<()> {
        match statement {
            SqlStatement::Query(query) => self.query(query),
            SqlStatement::Insert(insert) => match &mut insert.source {
                Some(query) => self.query(query),
                None => Ok(()),
            },
            SqlStatement::CreateTable(create) => match &mut create.query {
                Some(query) => self.query(query),
                None => Ok(()),
            },
            SqlStatement::CreateView(create) => self.query(&mut create.query),
            SqlStatement::Explain { statement, .. } | SqlStatement::Prepare { statement, .. } => self.sql(statement),
            _ => Ok(()),
        }
    }

    fn query(&mut self, query: &mut Query) -> Result<()> {
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.query(&mut table.query)?;
        }
        self.body(&mut query.body)
    }

    fn body(&mut self, body: &mut SetExpr) -> Result<()> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left)?;
                self.body(right)
            }
            _ => Ok(()),
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        for table in &mut select.from {
            self.joined(table)?;
        }
        let start = select.select_token.0.span.start;
        let at = |clause: &Clause| clause.select == (start.line as usize, start.column as usize);
        if let Some(found) = self.clauses.iter().position(at) {
            let clause = self.clauses.remove(found);
            select.distribute_by = self.marked(&clause)?;
        }
        Ok(())
    }

    fn joined(&mut self, table: &mut TableWithJoins) -> Result<()> {
        self.factor(&mut table.relation)?;
        table.joins.iter_mut().try_for_each(|join| self.factor(&mut join.relation))
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<()> {
        match factor {
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins),
            _ => Ok(()),
        }
    }

    /// The marker, the keys, the values of the lists, and what rows are sorted by.
    fn marked(&self, clause: &Clause) -> Result<Vec<Expr>> {
        let keys = clause.keys.iter().map(|key| self.expr(key)).collect::<Result<Vec<_>>>()?;
        let mut lists = Vec::new();
        let mut values = Vec::new();
        for list in &clause.lists {
            let Expr::Array(Array { elem, .. }) = self.expr(list)? else {
                return Err(Error::new(ErrorCode::Syntax, "the values of a partition are a list")
                    .at(list.place.clone())
                    .hint("write ['a', 'b']"));
            };
            lists.push(elem.len());
            values.extend(elem);
        }
        let mut order = Vec::new();
        let mut sorted = Vec::new();
        for sort in &clause.sort {
            let (expr, sort) = self.sort(sort)?;
            sorted.push(expr);
            order.push(sort);
        }
        let marker = Marker {
            scheme: clause.scheme.clone(),
            partitions: clause.partitions,
            keys: keys.len(),
            lists,
            default: clause.default,
            sort: order,
        };
        let marker = Expr::Value(Value::SingleQuotedString(marker.text()?).into());
        Ok(std::iter::once(marker).chain(keys).chain(values).chain(sorted).collect())
    }

    fn expr(&self, piece: &Piece) -> Result<Expr> {
        let mut parser = self.parser(piece)?;
        let expr = parser.parse_expr().map_err(syntax)?;
        self.at_end(&parser, piece)?;
        Ok(expr)
    }

    /// As in ORDER BY: ascending, and nulls last where ascending and first where descending.
    fn sort(&self, piece: &Piece) -> Result<(Expr, MarkedSort)> {
        let mut parser = self.parser(piece)?;
        let order = parser.parse_order_by_expr().map_err(syntax)?;
        self.at_end(&parser, piece)?;
        let asc = order.options.asc.unwrap_or(true);
        let nulls_first = order.options.nulls_first.unwrap_or(!asc);
        Ok((order.expr, MarkedSort { asc, nulls_first }))
    }

    /// A parser of the piece alone, in which every word has the place that it has in the statement.
    fn parser(&self, piece: &Piece) -> Result<Parser<'_>> {
        let Place { line, column, .. } = piece.place;
        let padded = format!("{}{}{}", "\n".repeat(line - 1), " ".repeat(column - 1), piece.text);
        Parser::new(self.dialect.as_ref()).try_with_sql(&padded).map_err(syntax)
    }

    fn at_end(&self, parser: &Parser<'_>, piece: &Piece) -> Result<()> {
        match parser.peek_token().token {
            Token::EOF => Ok(()),
            other => Err(Error::new(ErrorCode::Syntax, format!("expected an expression, found {other} behind it"))
                .at(piece.place.clone())),
        }
    }
}

fn syntax(error: datafusion::sql::sqlparser::parser::ParserError) -> Error {
    Error::from(DataFusionError::SQL(Box::new(error), None))
}
