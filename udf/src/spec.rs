//! What a function is called, takes and says of itself: the one place that its planning checks, its SQL documentation
//! and the resolution of named arguments read.

use datafusion_expr::{DocSection, Documentation, Signature, Volatility};

/// The public face of one function.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name in SQL.
    pub(crate) name: &'static str,
    /// The part of the reference page that it stands in, as "Hashing".
    pub(crate) section: &'static str,
    /// One or two sentences: what it gives, in which unit and shape, and whose behaviour it follows.
    pub(crate) summary: &'static str,
    /// The parameters in order; those with a default follow those without.
    pub(crate) parameters: &'static [Parameter],
    /// A statement that runs as it stands, and its result as a comment.
    pub(crate) example: &'static str,
}

/// One parameter of a function.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// The name, as in `f(x, name => 10)`.
    pub(crate) name: &'static str,
    /// What it means, with the values that are allowed.
    pub(crate) doc: &'static str,
    /// The value that stands for a missing or NULL argument, as written in SQL; `None` if the argument must be given.
    pub(crate) default: Option<&'static str>,
    /// Whether any number of further arguments may follow, each meaning the same. Only the last parameter may repeat.
    pub(crate) repeated: bool,
}

/// A parameter that must be given.
pub(crate) const fn required(name: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, doc, default: None, repeated: false }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str, default: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, doc, default: Some(default), repeated: false }
}

/// A last parameter that is given at least once: `concat_features(vector, ...)`.
pub(crate) const fn repeated(name: &'static str, doc: &'static str) -> Parameter {
    Parameter { name, doc, default: None, repeated: true }
}

impl Spec {
    /// How many arguments a call has at least.
    pub(crate) fn required(&self) -> usize {
        self.parameters.iter().filter(|parameter| parameter.default.is_none()).count()
    }

    /// How many arguments a call has at most.
    pub(crate) fn most(&self) -> usize {
        match self.parameters.last() {
            Some(last) if last.repeated => usize::MAX,
            _ => self.parameters.len(),
        }
    }

    /// The place of a parameter.
    pub(crate) fn position(&self, parameter: &str) -> Option<usize> {
        self.parameters.iter().position(|known| known.name == parameter)
    }

    /// The call as written in documentation: `hash_bucket(x, n[, hash, seed])`.
    pub(crate) fn syntax(&self) -> String {
        let names = |optional: bool| -> Vec<&str> {
            let wanted = self.parameters.iter().filter(|parameter| parameter.default.is_some() == optional);
            wanted.map(|parameter| parameter.name).collect()
        };
        let (mut required, optional) = (names(false).join(", "), names(true).join(", "));
        if self.parameters.last().is_some_and(|last| last.repeated) {
            required.push_str(", ...");
        }
        match (required.is_empty(), optional.is_empty()) {
            (_, true) => format!("{}({required})", self.name),
            (true, false) => format!("{}([{optional}])", self.name),
            (false, false) => format!("{}({required}[, {optional}])", self.name),
        }
    }

    /// How DataFusion calls the function: the types are the function's own affair, the names are known.
    pub(crate) fn signature(&self) -> Signature {
        Signature {
            parameter_names: Some(self.parameters.iter().map(|parameter| parameter.name.to_string()).collect()),
            ..Signature::user_defined(Volatility::Immutable)
        }
    }

    /// What DataFusion shows of the function.
    pub(crate) fn documentation(&self) -> Documentation {
        let section = DocSection { include: true, label: self.section, description: None };
        let mut builder = Documentation::builder(section, self.summary, self.syntax());
        for parameter in self.parameters {
            let doc = match parameter.default {
                None => parameter.doc.to_string(),
                Some(default) => format!("{} Default: {default}.", parameter.doc),
            };
            builder = builder.with_argument(parameter.name, doc);
        }
        if !self.example.is_empty() {
            builder = builder.with_sql_example(format!("```sql\n{}\n```", self.example));
        }
        builder.build()
    }
}
