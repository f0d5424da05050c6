//! `DISTRIBUTE BY`, `CLUSTER BY`, `SORT BY` and the hints that place rows, taken out of a statement's text.
//!
//! The parser knows no `INTO n PARTITIONS` and no kinds, and wants the clauses before `HAVING`. So they are read from the
//! tokens and blanked, which leaves every other word in its place, and [`super::place_clauses`] puts what they say into the
//! parsed statement.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::LineOffsets;
use super::hints::{self, Hint};
use crate::error::{Error, ErrorCode, Place, Result};
use crate::partition::Scheme;

/// A text without the clauses, and the clauses.
pub(super) struct Taken {
    pub(super) text: String,
    pub(super) clauses: Vec<Clause>,
}

/// How the rows of one SELECT are placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    /// Where its SELECT stands.
    pub(super) select: (usize, usize),
    /// Where the clause stands.
    pub(super) place: Place,
    pub(super) scheme: Scheme,
    pub(super) partitions: Option<usize>,
    pub(super) keys: Vec<Piece>,
    /// The values of each partition of a list, and the partition of the others.
    pub(super) lists: Vec<Piece>,
    pub(super) default: Option<usize>,
    pub(super) sort: Vec<Piece>,
}

/// A part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) place: Place,
}

/// Words that end a clause, where they stand in no parentheses.
const ENDS: [&str; 14] = [
    "INTO",
    "HAVING",
    "WINDOW",
    "QUALIFY",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "RETURNING",
];

const SET_OPERATORS: [&str; 4] = ["UNION", "EXCEPT", "INTERSECT", "MINUS"];

/// The clauses and hints of a statement that place rows; `None` where there are none.
pub(super) fn take(sql: &str) -> Result<Option<Taken>> {
    let lower = sql.to_lowercase();
    let may_have = ["distribute", "cluster", "sort", "/*+"].iter().any(|word| lower.contains(word));
    if !may_have {
        return Ok(None);
    }
    // What cannot be tokenized is the parser's to complain of.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else { return Ok(None) };
    let is_space = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_) | Token::EOF);
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !is_space(token)).collect();
    let reader = Reader { sql, offsets: LineOffsets::of(sql), tokens };
    let Found { mut clauses, blanks } = reader.clauses()?;
    for hint in hints::find(sql)? {
        if let Some(clause) = of_hint(&hint)? {
            if clauses.iter().any(|known| known.select == clause.select) {
                return Err(Error::new(ErrorCode::InvalidPlan, "the rows of this SELECT are placed twice")
                    .at(clause.place)
                    .hint("leave one: a hint, or DISTRIBUTE BY"));
            }
            clauses.push(clause);
        }
    }
    if clauses.is_empty() {
        return Ok(None);
    }
    let mut text = String::with_capacity(sql.len());
    let mut from = 0;
    for (start, end) in blanks {
        text.push_str(&sql[from..start]);
        text.extend(sql[start..end].chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        from = end;
    }
    text.push_str(&sql[from..]);
    Ok(Some(Taken { text, clauses }))
}

/// What stands between two parentheses, or outside of all.
#[derive(Default)]
struct Frame {
    select: Option<Location>,
    combined: bool,
}

/// Clauses, and the bytes that they take.
struct Found {
    clauses: Vec<Clause>,
    blanks: Vec<(usize, usize)>,
}

struct Reader<'a> {
    sql: &'a str,
    offsets: LineOffsets,
    tokens: Vec<TokenWithSpan>,
}

impl Reader<'_> {
    /// All clauses.
    fn clauses(&self) -> Result<Found> {
        let (mut clauses, mut blanks) = (Vec::new(), Vec::new());
        let mut frames = vec![Frame::default()];
        let mut index = 0;
        while index < self.tokens.len() {
            let inner = frames.len() > 1;
            match (&self.tokens[index].token, frames.last_mut()) {
                (Token::LParen, _) => frames.push(Frame::default()),
                (Token::RParen, _) if inner => drop(frames.pop()),
                (Token::SemiColon, Some(frame)) => *frame = Frame::default(),
                (Token::Word(_), Some(frame)) if self.is(index, "SELECT") => {
                    frame.select = Some(self.tokens[index].span.start);
                }
                (Token::Word(_), Some(frame)) if SET_OPERATORS.iter().any(|word| self.is(index, word)) => {
                    frame.combined = true;
                }
                (Token::Word(_), Some(Frame { select: Some(select), combined })) if self.begins(index) => {
                    if *combined {
                        return Err(Error::new(
                            ErrorCode::Unsupported,
                            "rows of a set operation are not placed directly",
                        )
                        .at(self.place(index, index + 1))
                        .hint("write SELECT * FROM (… UNION ALL …) DISTRIBUTE BY …"));
                    }
                    let select = position(*select);
                    let (clause, end) = self.clause(index, select)?;
                    if let Some(clause) = clause {
                        blanks.push((self.start(index), self.end(end - 1)));
                        clauses.push(clause);
                    }
                    index = end;
                    continue;
                }
                _ => {}
            }
            index += 1;
        }
        Ok(Found { clauses, blanks })
    }

    /// The clause that begins at a token, and the token after it. A clause that came through the parser already is left.
    fn clause(&self, begin: usize, select: (usize, usize)) -> Result<(Option<Clause>, usize)> {
        let mut clause = Clause {
            select,
            place: self.place(begin, begin + 1),
            scheme: Scheme::Stay,
            partitions: None,
            keys: Vec::new(),
            lists: Vec::new(),
            default: None,
            sort: Vec::new(),
        };
        let mut index = begin;
        if !self.is(index, "SORT") {
            let end = self.body_end(index + 2);
            if matches!(&self.tokens.get(index + 2), Some(token) if is_mark(&token.token)) {
                return Ok((None, end));
            }
            let parts = self.parts(index + 2, end);
            if parts.is_empty() {
                return Err(self.expected(index + 2, "what rows are placed by"));
            }
            if self.is(index, "CLUSTER") {
                clause.sort = parts.iter().map(|part| self.piece(*part)).collect();
            }
            self.placement(&parts, &mut clause)?;
            index = end;
            if self.is(index, "INTO") {
                clause.partitions = Some(self.partitions(index)?);
                index += 3;
            }
            check_counts(&clause)?;
        }
        if self.is(index, "SORT") && self.is(index + 1, "BY") {
            let end = self.body_end(index + 2);
            clause.sort = self.parts(index + 2, end).into_iter().map(|part| self.piece(part)).collect();
            if clause.sort.is_empty() {
                return Err(self.expected(index + 2, "what rows are sorted by"));
            }
            index = end;
        }
        Ok((Some(clause), index))
    }

    /// `hash(a, b)`, or plain keys.
    fn placement(&self, parts: &[(usize, usize)], clause: &mut Clause) -> Result<()> {
        let kind = match parts {
            [(from, to)] if *to > from + 2 && self.tokens[from + 1].token == Token::LParen => {
                (self.closing(from + 1) == Some(to - 1)).then(|| self.word(*from)).flatten()
            }
            _ => None,
        };
        let scheme = match kind.as_deref() {
            Some("HASH") => Scheme::Hash,
            Some("RANGE") => Scheme::Range,
            Some("CONSISTENT_HASH") => Scheme::ConsistentHash,
            Some("ROUND_ROBIN") => Scheme::RoundRobin,
            Some("BUCKET") => Scheme::Bucket(0),
            Some("LIST") => Scheme::Hash,
            _ => {
                clause.scheme = Scheme::Hash;
                clause.keys = parts.iter().map(|part| self.piece(*part)).collect();
                return Ok(());
            }
        };
        let (from, to) = parts[0];
        let mut arguments = self.parts(from + 2, to - 1);
        clause.place = self.place(from, from);
        clause.scheme = scheme;
        match kind.as_deref() {
            Some("BUCKET") => {
                let first = (!arguments.is_empty()).then(|| arguments.remove(0));
                let buckets = first.and_then(|(from, to)| (to == from + 1).then(|| self.number(from)).flatten());
                let buckets = buckets.ok_or_else(|| self.expected(from + 2, "the number of buckets"))?;
                clause.scheme = Scheme::Bucket(buckets);
            }
            Some("LIST") => {
                let is_default = |(from, _): &(usize, usize)| {
                    self.is(*from, "DEFAULT")
                        && self.tokens.get(from + 1).is_some_and(|token| token.token == Token::RArrow)
                };
                let default = arguments.iter().position(is_default).map(|at| arguments.remove(at));
                let Some((from, _)) = default else {
                    return Err(Error::new(ErrorCode::InvalidPlan, "a list needs a partition for all other values")
                        .at(clause.place.clone())
                        .hint("add it: list(key, ['a', 'b'], ['c'], default => 2)"));
                };
                clause.default = Some(self.number(from + 2).ok_or_else(|| self.expected(from + 2, "a partition"))?);
                let at = arguments.iter().position(|(from, _)| self.tokens[*from].token == Token::LBracket);
                let lists = arguments.split_off(at.unwrap_or(arguments.len()));
                clause.lists = lists.into_iter().map(|part| self.piece(part)).collect();
                if clause.lists.is_empty() {
                    return Err(self.expected(from, "the values of each partition, as ['a', 'b'], ['c']"));
                }
            }
            _ => {}
        }
        clause.keys = arguments.into_iter().map(|part| self.piece(part)).collect();
        Ok(())
    }

    fn partitions(&self, index: usize) -> Result<usize> {
        let number = self.number(index + 1).ok_or_else(|| self.expected(index + 1, "a number of partitions"))?;
        if !self.is(index + 2, "PARTITIONS") {
            return Err(self.expected(index + 2, "PARTITIONS"));
        }
        check_partitions(number, self.place(index + 1, index + 1))?;
        Ok(number)
    }

    fn begins(&self, index: usize) -> bool {
        self.is(index + 1, "BY") && ["DISTRIBUTE", "CLUSTER", "SORT"].iter().any(|word| self.is(index, word))
    }

    /// The token that ends what begins at `index`.
    fn body_end(&self, index: usize) -> usize {
        let mut depth = 0_usize;
        for at in index..self.tokens.len() {
            match &self.tokens[at].token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return at,
                Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
                Token::SemiColon => return at,
                Token::Word(_) if depth == 0 && (self.begins(at) || ENDS.iter().any(|word| self.is(at, word))) => {
                    return at;
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    fn closing(&self, open: usize) -> Option<usize> {
        let end = self.body_end_in(open + 1);
        (self.tokens.get(end).map(|token| &token.token) == Some(&Token::RParen)).then_some(end)
    }

    /// The bracket that closes what begins at `index`, whatever words come before it.
    fn body_end_in(&self, index: usize) -> usize {
        let mut depth = 0_usize;
        for at in index..self.tokens.len() {
            match &self.tokens[at].token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return at,
                Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// What the commas between two tokens cut, each as its first token and the one after its last.
    fn parts(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let (mut parts, mut begin, mut depth) = (Vec::new(), from, 0_usize);
        for at in from..to {
            match self.tokens[at].token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
                Token::Comma if depth == 0 => {
                    parts.push((begin, at));
                    begin = at + 1;
                }
                _ => {}
            }
        }
        parts.push((begin, to));
        parts.retain(|(from, to)| from < to);
        parts
    }

    fn piece(&self, (from, to): (usize, usize)) -> Piece {
        Piece { text: self.sql[self.start(from)..self.end(to - 1)].to_string(), place: self.place(from, to - 1) }
    }

    fn word(&self, index: usize) -> Option<String> {
        match &self.tokens.get(index)?.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
            _ => None,
        }
    }

    /// Whether an unquoted word stands there, and not behind a dot.
    fn is(&self, index: usize, word: &str) -> bool {
        let qualified = index > 0 && self.tokens.get(index - 1).is_some_and(|token| token.token == Token::Period);
        !qualified
            && matches!(self.tokens.get(index).map(|token| &token.token),
            Some(Token::Word(found)) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }

    fn number(&self, index: usize) -> Option<usize> {
        match &self.tokens.get(index)?.token {
            Token::Number(digits, _) => digits.parse().ok(),
            _ => None,
        }
    }

    fn start(&self, index: usize) -> usize {
        self.offsets.byte(self.sql, self.tokens[index].span.start)
    }

    fn end(&self, index: usize) -> usize {
        self.offsets.byte(self.sql, self.tokens[index].span.end)
    }

    /// From one token to the end of another, on the first's line.
    fn place(&self, from: usize, to: usize) -> Place {
        let (line, column) = position(self.tokens[from].span.start);
        let (end_line, end) = position(self.tokens[to].span.end);
        let length = if end_line == line { end.saturating_sub(column) } else { usize::from(u16::MAX) };
        Place { line, column, length: length.max(1) }
    }

    fn expected(&self, index: usize, what: &str) -> Error {
        let found =
            self.tokens.get(index).map_or("the end of the statement".to_string(), |token| token.token.to_string());
        let place = match self.tokens.get(index) {
            Some(_) => self.place(index, index),
            None => {
                let last = self.place(self.tokens.len() - 1, self.tokens.len() - 1);
                Place { column: last.column + last.length, length: 1, ..last }
            }
        };
        Error::new(ErrorCode::Syntax, format!("expected {what}, found {found}")).at(place)
    }
}

fn is_mark(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(text) if text.starts_with(crate::partition::MARK))
}

fn position(location: Location) -> (usize, usize) {
    let number = |value: u64| usize::try_from(value).unwrap_or(1).max(1);
    (number(location.line), number(location.column))
}

fn check_partitions(partitions: usize, place: Place) -> Result<()> {
    let most = sluice_partition::placement::MOST_PARTITIONS;
    if (1..=most).contains(&partitions) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::InvalidPlan, format!("rows cannot be placed on {partitions} partitions"))
        .at(place)
        .hint(format!("there can be from 1 to {most}")))
}

/// Partitions against what the kind says of them.
fn check_counts(clause: &Clause) -> Result<()> {
    let Some(partitions) = clause.partitions else { return Ok(()) };
    let (message, hint) = match (&clause.scheme, clause.default) {
        (Scheme::Bucket(buckets), _) if *buckets < partitions => {
            let message = format!("{buckets} buckets cannot be dealt out over {partitions} partitions");
            (message, "there has to be a bucket for each partition at least")
        }
        (_, Some(default)) if default >= partitions || clause.lists.len() > partitions => {
            let named = default.max(clause.lists.len().saturating_sub(1));
            (format!("the list names partition {named}, but there are {partitions}"), "the first partition is 0")
        }
        _ => return Ok(()),
    };
    Err(Error::new(ErrorCode::InvalidPlan, message).at(clause.place.clone()).hint(hint))
}

/// What a hint says, if it places rows: a number of partitions, keys, or both, in this order.
fn of_hint(hint: &Hint) -> Result<Option<Clause>> {
    if !["REPARTITION", "REPARTITION_BY_RANGE", "COALESCE", "REBALANCE"].contains(&hint.name.as_str()) {
        return Ok(None);
    }
    let mut arguments = hint.arguments.as_slice();
    let mut partitions = None;
    if let [first, rest @ ..] = arguments
        && let Ok(number) = first.text.parse::<usize>()
    {
        check_partitions(number, first.place.clone())?;
        partitions = Some(number);
        arguments = rest;
    }
    let keys = arguments.iter().map(|argument| Piece { text: argument.text.clone(), place: argument.place.clone() });
    let keys: Vec<Piece> = keys.collect();
    let wrong = |what: &str| {
        let error = Error::new(ErrorCode::InvalidPlan, format!("the hint {} takes {what}", hint.name));
        Err(error.at(hint.place.clone()).hint("the number of partitions comes first, then columns"))
    };
    let scheme = match (hint.name.as_str(), keys.is_empty(), partitions) {
        ("REPARTITION", true, None) => return wrong("a number of partitions, or columns"),
        ("REPARTITION_BY_RANGE", true, _) => return wrong("columns"),
        ("COALESCE", false, _) | ("COALESCE", _, None) => return wrong("a number of partitions alone"),
        ("COALESCE", ..) => Scheme::Coalesce,
        // A range cuts keys that are too heavy for one partition, which is what REBALANCE is for.
        ("REPARTITION_BY_RANGE" | "REBALANCE", false, _) => Scheme::Range,
        (_, true, _) => Scheme::RoundRobin,
        _ => Scheme::Hash,
    };
    Ok(Some(Clause {
        select: (hint.select.line, hint.select.column),
        place: hint.place.clone(),
        scheme,
        partitions,
        keys,
        lists: Vec::new(),
        default: None,
        sort: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(sql: &str) -> (String, Clause) {
        let taken = take(sql).unwrap().unwrap();
        assert_eq!(taken.text.chars().count(), sql.chars().count());
        (taken.text.trim_end().to_string(), taken.clauses[0].clone())
    }

    fn texts(pieces: &[Piece]) -> Vec<&str> {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    fn refused(sql: &str) -> (ErrorCode, (usize, usize), String) {
        let error = take(sql).err().unwrap();
        let place = error.place().map(|place| (place.line, place.column));
        (error.code(), place.unwrap(), error.message().to_string())
    }

    #[test]
    fn kinds_keys_and_partitions_are_read_and_blanked() {
        let (text, found) = clause("SELECT a FROM t DISTRIBUTE BY range(f(a, b), c) INTO 64 PARTITIONS");
        assert_eq!(text, "SELECT a FROM t");
        assert_eq!((found.scheme, found.partitions, found.select), (Scheme::Range, Some(64), (1, 1)));
        assert_eq!(texts(&found.keys), ["f(a, b)", "c"]);
        let (text, found) = clause("select a from t distribute by lower(a), b sort by c desc, d order by 1");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), "select a from t order by 1");
        assert_eq!(
            (found.scheme, texts(&found.keys), texts(&found.sort)),
            (Scheme::Hash, vec!["lower(a)", "b"], vec!["c desc", "d"])
        );
        let (_, found) = clause("SELECT 1 FROM t CLUSTER BY a");
        assert_eq!((found.scheme, texts(&found.keys), texts(&found.sort)), (Scheme::Hash, vec!["a"], vec!["a"]));
        let (_, found) = clause("SELECT 1 FROM t SORT BY a");
        assert_eq!((found.scheme, texts(&found.sort)), (Scheme::Stay, vec!["a"]));
        let (_, found) = clause("SELECT * FROM (\nSELECT 1 FROM t DISTRIBUTE BY bucket(8, k)) x");
        assert_eq!((found.scheme, found.select), (Scheme::Bucket(8), (2, 1)));
        let (_, found) =
            clause("SELECT 1 FROM t DISTRIBUTE BY list(k, ['a', 'b'], [NULL], default => 2) INTO 3 PARTITIONS");
        assert_eq!(
            (texts(&found.keys), texts(&found.lists), found.default),
            (vec!["k"], vec!["['a', 'b']", "[NULL]"], Some(2))
        );
    }

    #[test]
    fn hints_place_rows_as_in_spark() {
        let (text, found) = clause("SELECT /*+ REPARTITION(8, a) */ a FROM t");
        assert_eq!(text, "SELECT /*+ REPARTITION(8, a) */ a FROM t");
        assert_eq!((found.scheme, found.partitions, texts(&found.keys)), (Scheme::Hash, Some(8), vec!["a"]));
        assert_eq!(clause("SELECT /*+ REPARTITION(8) */ a FROM t").1.scheme, Scheme::RoundRobin);
        assert_eq!(clause("SELECT /*+ REPARTITION_BY_RANGE(a) */ a FROM t").1.scheme, Scheme::Range);
        assert_eq!(clause("SELECT /*+ COALESCE(2) */ a FROM t").1.scheme, Scheme::Coalesce);
        assert_eq!(clause("SELECT /*+ REBALANCE */ a FROM t").1.scheme, Scheme::RoundRobin);
        assert!(take("SELECT /*+ SKEW('t') */ a FROM t").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        assert_eq!(
            refused("SELECT 1 FROM t DISTRIBUTE BY hash(a) INTO 0 PARTITIONS"),
            (ErrorCode::InvalidPlan, (1, 44), "rows cannot be placed on 0 partitions".into())
        );
        assert_eq!(
            refused("SELECT 1 FROM t DISTRIBUTE BY hash(a) INTO 65537 PARTITIONS"),
            (ErrorCode::InvalidPlan, (1, 44), "rows cannot be placed on 65537 partitions".into())
        );
        assert_eq!(
            refused("SELECT 1 FROM t\nDISTRIBUTE BY list(a, ['x']) INTO 2 PARTITIONS"),
            (ErrorCode::InvalidPlan, (2, 15), "a list needs a partition for all other values".into())
        );
        assert_eq!(
            refused("SELECT 1 FROM t DISTRIBUTE BY a INTO PARTITIONS"),
            (ErrorCode::Syntax, (1, 38), "expected a number of partitions, found PARTITIONS".into())
        );
        assert_eq!(
            refused("SELECT 1 FROM t UNION ALL SELECT 2 FROM t DISTRIBUTE BY a"),
            (ErrorCode::Unsupported, (1, 43), "rows of a set operation are not placed directly".into())
        );
        assert_eq!(
            refused("SELECT /*+ REPARTITION */ 1 FROM t"),
            (ErrorCode::InvalidPlan, (1, 12), "the hint REPARTITION takes a number of partitions, or columns".into())
        );
        assert_eq!(
            refused("SELECT /*+ REPARTITION(2) */ 1 FROM t CLUSTER BY a"),
            (ErrorCode::InvalidPlan, (1, 12), "the rows of this SELECT are placed twice".into())
        );
    }

    #[test]
    fn other_texts_are_left_alone() {
        for sql in [
            "SELECT distribute FROM t",
            "SELECT 'DISTRIBUTE BY a' FROM t",
            "SELECT t.sort FROM t",
            "SELECT 1 FROM t DISTRIBUTE BY 'sluice:{}', a",
        ] {
            assert!(take(sql).unwrap().is_none(), "{sql}");
        }
    }
}
