//! The steps: one statement each, and the fit whose state it uses.

use sluice::{Error, ErrorCode, Result};

/// The table of clicks in memory, and the same with the column of 12,517 categories as a dictionary.
pub(super) const CRITEO: &str = "bench_criteo";
/// The documents in memory.
pub(super) const DOCS: &str = "bench_docs";
/// Their tokens.
pub(super) const TOKENS: &str = "bench_tokens";
/// For each row of the clicks a key and a list of one item.
pub(super) const CLICKS: &str = "bench_clicks";
/// The one row of a fit's states: `s1` is that of its first column.
pub(super) const STATE: &str = "bench_state";

/// Edges of bins in which all the numbers have values.
const EDGES: &str = "[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0]";
/// Columns of at most 105 categories, for which one place in a vector per category makes sense.
const SMALL: [usize; 8] = [6, 9, 14, 17, 20, 22, 23, 25];
/// The column of 12,517 categories.
const TEN_THOUSAND: &str = "c7";
const TEN_THOUSAND_DICTIONARY: &str = "d7";

/// One step.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its name in the report, in `--functions` and in the peers' script.
    pub(super) name: &'static str,
    /// The functions that it calls.
    pub(super) functions: Vec<&'static str>,
    pub(super) input: String,
    pub(super) table: &'static str,
    /// The columns whose values and bytes count.
    pub(super) columns: Vec<String>,
    /// The statement that gives the states which the step's statement reads.
    pub(super) fit: Option<String>,
    pub(super) statement: String,
    /// Whether the result is one row, not one for each row of the table.
    pub(super) is_fit: bool,
}

/// A table and those of its columns to which a function is applied, one after another.
#[derive(Clone, Copy)]
struct Input<'a> {
    table: &'static str,
    columns: &'a [String],
    unit: &'static str,
}

impl Input<'_> {
    /// The statement that applies an expression to each column. `{x}` stands for the column, `{state}` for its state.
    fn each(&self, expression: &str) -> String {
        let expressions = self.columns.iter().zip(1..).map(|(column, number)| {
            let state = format!("(SELECT s{number} FROM {STATE})");
            format!("{} AS s{number}", expression.replace("{x}", column).replace("{state}", &state))
        });
        format!("SELECT {} FROM {}", expressions.collect::<Vec<_>>().join(", "), self.table)
    }

    fn step(&self, name: &'static str, statement: String) -> Step {
        let input = match self.columns.len() {
            1 => self.unit.to_owned(),
            several => format!("{several} × {}", self.unit),
        };
        let (table, columns) = (self.table, self.columns.to_vec());
        Step { name, functions: vec![], input, table, columns, fit: None, statement, is_fit: false }
    }

    /// A step that gives a row for each row.
    fn apply(&self, name: &'static str, functions: &[&'static str], expression: &str) -> Step {
        Step { functions: functions.to_vec(), ..self.step(name, self.each(expression)) }
    }

    /// A step that gives one row.
    fn fit(&self, name: &'static str, functions: &[&'static str], expression: &str) -> Step {
        Step { is_fit: true, ..self.apply(name, functions, expression) }
    }

    /// A step that gives a row for each row, by the states of a fit on the same columns.
    fn apply_after(&self, fit: &str, name: &'static str, functions: &[&'static str], expression: &str) -> Step {
        Step { fit: Some(self.each(fit)), ..self.apply(name, functions, expression) }
    }
}

fn names(prefix: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{prefix}{number}")).collect()
}

/// All steps, each apply right after its fit.
pub(super) fn all() -> Vec<Step> {
    let (texts, numbers) = (names("c", 1..=26), names("i", 1..=13));
    let texts = Input { table: CRITEO, columns: &texts, unit: "text" };
    let numbers = Input { table: CRITEO, columns: &numbers, unit: "number" };
    let mut steps = hashing(texts);
    steps.extend(binning(numbers));
    steps.extend(scaling(numbers));
    steps.extend(optimal(numbers));
    steps.extend(woe(texts));
    steps.extend(target(texts));
    steps.extend(categories(texts));
    steps.extend(text());
    steps.extend(negatives());
    steps
}

/// The steps of that name, or that call the function of that name, in their order; all for no names.
///
/// # Errors
/// A name that no step has and no step calls.
pub(super) fn chosen(names: &[String]) -> Result<Vec<Step>> {
    let steps = all();
    let fits = |step: &Step, name: &str| step.name == name || step.functions.contains(&name);
    if let Some(unknown) = names.iter().find(|name| !steps.iter().any(|step| fits(step, name))) {
        let known: Vec<&str> = steps.iter().map(|step| step.name).collect();
        return Err(Error::new(ErrorCode::InvalidArgument, format!("no step is called or calls {unknown}"))
            .hint(format!("the steps are {}", known.join(", "))));
    }
    let wanted = |step: &Step| names.is_empty() || names.iter().any(|name| fits(step, name));
    Ok(steps.into_iter().filter(wanted).collect())
}

fn hashing(texts: Input<'_>) -> Vec<Step> {
    let pairs: Vec<String> = texts.columns.iter().map(|column| format!("'{column}', {column}")).collect();
    let row = format!("feature_hash(named_struct({}), 262144)", pairs.join(", "));
    let cross = format!("cross_hash(named_struct({}), 262144)", pairs[..2].join(", "));
    let whole_row = |name, functions: &[&'static str], expression: &str, columns: &[String]| Step {
        functions: functions.to_vec(),
        ..Input { columns, ..texts }.step(name, format!("SELECT {expression} AS s1 FROM {CRITEO}"))
    };
    let (key, body) = (["id".to_owned()], ["body".to_owned()]);
    let keys = Input { table: CRITEO, columns: &key, unit: "number" };
    let bodies = Input { table: DOCS, columns: &body, unit: "document" };
    vec![
        texts.apply("hash_bucket", &["hash_bucket"], "hash_bucket({x}, 262144)"),
        keys.apply("hash_bucket_number", &["hash_bucket"], "hash_bucket({x}, 262144)"),
        bodies.apply("hash_bucket_document", &["hash_bucket"], "hash_bucket({x}, 262144)"),
        whole_row("feature_hash", &["feature_hash"], &row, texts.columns),
        whole_row("cross_hash", &["cross_hash"], &cross, &texts.columns[..2]),
        texts.apply("hash_embedding", &["hash_embedding"], "hash_embedding({x}, 2, 262144)"),
    ]
}

fn binning(numbers: Input<'_>) -> Vec<Step> {
    let fit = "fit_quantile_bins({x}, 10)";
    vec![
        numbers.apply("bucketize", &["bucketize"], &format!("bucketize({{x}}, {EDGES})")),
        numbers.fit("fit_width_bins", &["fit_width_bins"], "fit_width_bins({x}, 10)"),
        numbers.fit("fit_kmeans_bins", &["fit_kmeans_bins"], "fit_kmeans_bins({x}, 10)"),
        numbers.fit("fit_quantile_bins", &["fit_quantile_bins"], fit),
        numbers.apply_after(fit, "bins_apply", &["bins_apply"], "bins_apply({state}, {x})"),
        numbers.fit("binned_counts", &["binned_counts"], &format!("binned_counts({{x}}, {EDGES}, label)")),
    ]
}

fn scaling(numbers: Input<'_>) -> Vec<Step> {
    let imputer = "fit_imputer({x}, 'median')";
    vec![
        numbers.fit("fit_minmax", &["fit_minmax"], "fit_minmax({x})"),
        numbers.fit("fit_robust", &["fit_robust"], "fit_robust({x})"),
        numbers.fit("fit_standard", &["fit_standard"], "fit_standard({x})"),
        numbers.apply_after("fit_standard({x})", "scale_apply", &["scale_apply"], "scale_apply({state}, {x})"),
        numbers.fit("fit_imputer", &["fit_imputer"], imputer),
        numbers.apply_after(imputer, "impute_apply", &["impute_apply"], "impute_apply({state}, {x})"),
    ]
}

fn optimal(numbers: Input<'_>) -> Vec<Step> {
    let fit = "fit_optimal_bins({x}, label)";
    vec![
        numbers.fit("fit_optimal_bins", &["fit_optimal_bins"], fit),
        numbers.apply_after(fit, "woe_bin_apply", &["woe_bin_apply"], "woe_bin_apply({state}, {x})"),
    ]
}

fn woe(texts: Input<'_>) -> Vec<Step> {
    let (ten_thousand, score) = ([TEN_THOUSAND.to_owned()], ["i2".to_owned()]);
    let ten_thousand = Input { columns: &ten_thousand, ..texts };
    let score = Input { columns: &score, unit: "number", ..texts };
    let (fit, apply) = ("fit_woe({x}, label)", "woe_apply({state}, {x})");
    vec![
        texts.fit("fit_woe", &["fit_woe"], fit),
        texts.apply_after(fit, "woe_apply", &["woe_apply"], apply),
        ten_thousand.apply_after(fit, "woe_apply_10k", &["woe_apply"], apply),
        texts.fit("iv", &["iv"], "iv({x}, label)"),
        score.fit("auc", &["auc"], "auc({x}, label)"),
    ]
}

fn target(texts: Input<'_>) -> Vec<Step> {
    let column = [TEN_THOUSAND.to_owned()];
    let ten_thousand = Input { columns: &column, ..texts };
    let fit = "fit_target_encoding({x}, label, smooth => 20)";
    let fit_folds = "fit_target_encoding({x}, label, folds => 5, key => id, smooth => 20)";
    let (apply, out_of_fold) = ("target_encoding_apply({state}, {x})", "target_encoding_out_of_fold({state}, {x}, id)");
    let both = out_of_fold.replace("{state}", &format!("(SELECT {fit_folds} FROM {CRITEO})"));
    vec![
        texts.fit("fit_target_encoding", &["fit_target_encoding"], fit),
        texts.apply_after(fit, "target_encoding_apply", &["target_encoding_apply"], apply),
        ten_thousand.apply_after(fit, "target_encoding_apply_10k", &["target_encoding_apply"], apply),
        texts.fit("fit_target_encoding_folds", &["fit_target_encoding"], fit_folds),
        texts.apply_after(fit_folds, "target_encoding_out_of_fold", &["target_encoding_out_of_fold"], out_of_fold),
        // What scikit-learn does in one call.
        texts.apply("target_encoding_5_folds", &["fit_target_encoding", "target_encoding_out_of_fold"], &both),
    ]
}

fn categories(texts: Input<'_>) -> Vec<Step> {
    let (text, dictionary) = ([TEN_THOUSAND.to_owned()], [TEN_THOUSAND_DICTIONARY.to_owned()]);
    let small = names("c", SMALL);
    let ten_thousand = Input { columns: &text, ..texts };
    let dictionary = Input { columns: &dictionary, unit: "dictionary", ..texts };
    let small = Input { columns: &small, ..texts };
    let (fit, apply) = ("fit_categorify({x})", "categorify_apply({state}, {x})");
    let one_hot = "fit_one_hot({x})";
    let (counts, encode) = ("fit_counts({x})", "count_encoding_apply({state}, {x})");
    vec![
        texts.fit("fit_categorify", &["fit_categorify"], fit),
        texts.apply_after(fit, "categorify_apply", &["categorify_apply"], apply),
        ten_thousand.apply_after(fit, "categorify_apply_10k", &["categorify_apply"], apply),
        dictionary.apply_after(fit, "categorify_apply_dictionary", &["categorify_apply"], apply),
        small.fit("fit_one_hot", &["fit_one_hot"], one_hot),
        small.apply_after(one_hot, "one_hot_apply", &["one_hot_apply"], "one_hot_apply({state}, {x})"),
        texts.fit("fit_counts", &["fit_counts"], counts),
        texts.apply_after(counts, "count_encoding_apply", &["count_encoding_apply"], encode),
    ]
}

fn text() -> Vec<Step> {
    let (body, tokens) = (["body".to_owned()], ["tokens".to_owned()]);
    let body = Input { table: DOCS, columns: &body, unit: "document" };
    let tokens = Input { table: TOKENS, columns: &tokens, unit: "token" };
    let fit = "fit_idf({x}, idf => 'sklearn')";
    vec![
        body.apply("tokenize", &["tokenize"], "tokenize({x})"),
        tokens.apply("ngrams", &["ngrams"], "ngrams({x}, 2)"),
        tokens.apply("token_counts", &["token_counts"], "token_counts({x})"),
        tokens.fit("fit_idf", &["fit_idf"], fit),
        tokens.apply_after(fit, "tf_idf_apply", &["tf_idf_apply"], "tf_idf_apply({state}, {x}, norm => 'l2')"),
    ]
}

fn negatives() -> Vec<Step> {
    let item = ["item".to_owned()];
    let items = Input { table: CLICKS, columns: &item, unit: "text" };
    let fit = "fit_negatives({x})";
    vec![
        items.fit("fit_negatives", &["fit_negatives"], fit),
        items.apply_after(fit, "negative_samples", &["negative_samples"], "negative_samples({state}, id, items, 4)"),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{all, chosen};

    #[test]
    fn names_are_unique_and_nothing_is_left_to_fill_in() {
        let steps = all();
        assert_eq!(steps.iter().map(|step| step.name).collect::<BTreeSet<_>>().len(), steps.len());
        for step in steps {
            let statements = step.fit.into_iter().chain([step.statement]);
            assert!(
                statements.into_iter().all(|statement| !statement.contains("{x}") && !statement.contains("{state}"))
            );
        }
    }

    #[test]
    fn steps_are_chosen_by_their_name_or_function() {
        let names = |list: &[&str]| -> Vec<&'static str> {
            let list: Vec<String> = list.iter().map(|name| (*name).to_owned()).collect();
            chosen(&list).unwrap().iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&["iv", "auc"]), ["iv", "auc"]);
        assert_eq!(names(&["woe_apply"]), ["woe_apply", "woe_apply_10k"]);
        assert_eq!(names(&["woe_apply_10k"]), ["woe_apply_10k"]);
        assert_eq!(names(&[]).len(), all().len());
        assert!(chosen(&["no_such".to_owned()]).is_err());
    }
}
