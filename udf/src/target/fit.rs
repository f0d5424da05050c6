//! `fit_target_encoding`: the statistics that every target encoding is made of.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::Arc;

use super::fold::{MOST_FOLDS, SEED, folds};
use super::smoothing::Smoothing;
use super::tally::{Tally, Target, exact_type};
use crate::aggregate::{Accumulate, Fit};
use crate::categories::{
    Options, VALUES, categories_of, check_options, coerce_to, option_columns, read_options, sorted_values, text_of,
};
use crate::category::{CategoryIndex, MISSING, category_argument, category_type};
use crate::constants::Constants;
use crate::counting::element_of;
use crate::spec::{Spec, optional, required};
use crate::state::{StateReader, list_of, one_list, state_row, state_type};

/// The kind of the state.
pub(super) const KIND: &str = "target_encoding/1";

/// The options that every state keeps.
pub(super) const OPTIONS: [&str; 8] = [
    "target",
    Smoothing::FIELDS[0],
    Smoothing::FIELDS[1],
    Smoothing::FIELDS[2],
    Smoothing::FIELDS[3],
    "folds",
    "seed",
    "key_type",
];

/// The fields of a state of classes: the classes in their order, and whether the call gave them.
pub(super) const CLASSES: &str = "classes";
const CLASSES_GIVEN: &str = "classes_given";

/// The places of the arguments.
const KEY: usize = 3;
const CLASSES_PLACE: usize = 10;

static SPEC: Spec = Spec {
    name: "fit_target_encoding",
    section: "Target encoding",
    summary: "The counts and exact sums of a target for every category (null is one, too) and fold: a state for \
              target_encoding_apply, target_encoding_out_of_fold, leave_one_out_apply and catboost_apply. Rows whose \
              target is null are passed over. A target of classes is given as a text, or with classes.",
    parameters: &[
        required("x", "The category."),
        required("y", "The target: 0 and 1 or a boolean, a finite number, or a class."),
        optional("folds", "0", "Keep this many folds apart for target_encoding_out_of_fold: 0, or from 2 to 1000."),
        optional(
            "key",
            "none",
            "The key of the row, whose hash gives its fold (see fold_of); must be given with folds, and not be null.",
        ),
        optional("seed", "42", "The seed of the folds."),
        optional(
            "smooth",
            "'auto'",
            "'auto', or the weight m of the mean of all rows in (s + m G) / (n + m), at least 0.",
        ),
        optional(
            "method",
            "'m_estimate' if smooth is a number, else 'empirical_bayes'",
            "'m_estimate' (scikit-learn with a number; m is 1 if smooth is left out, as in category_encoders), \
             'empirical_bayes' (scikit-learn's 'auto'), 'sigmoid' (category_encoders' TargetEncoder) or 'james_stein' \
             (category_encoders, independent).",
        ),
        optional("min_samples_leaf", "20", "For 'sigmoid': the rows at which category and prior weigh the same."),
        optional("smoothing", "10", "For 'sigmoid': how slowly the weight grows with the rows; above 0."),
        optional(
            "target",
            "'multiclass' for a text or with classes, else 'binary'",
            "'binary' (0 and 1 must both occur, and any other value is an error), 'continuous' or 'multiclass'.",
        ),
        optional(
            "classes",
            "the distinct values of y in ascending order",
            "A constant list of all classes, in the order of the encodings; another value of y is an error.",
        ),
    ],
    example: "select target_encoding_apply((select fit_target_encoding(city, bought) from t), city) from t;",
};

/// The fit of target encodings.
#[derive(Debug)]
pub(crate) struct FitTargetEncoding;

/// The type of the classes, if the target is one of classes: `y` is a text, or the classes are given.
fn class_type(types: &[DataType]) -> Option<DataType> {
    let given = types.get(CLASSES_PLACE).filter(|data_type| data_type != &&DataType::Null);
    match given {
        Some(list) => Some(category_type(element_of(list))),
        None => is_text(&types[1]).then_some(DataType::Utf8),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_text(value),
        other => other.is_string(),
    }
}

/// The type of a number target; a boolean counts as 0 and 1.
pub(super) fn number_target(spec: &Spec, y: &DataType) -> Result<DataType> {
    match y {
        DataType::Dictionary(_, value) => number_target(spec, value),
        DataType::Boolean | DataType::Null => Ok(DataType::Float64),
        y if y.is_numeric() => Ok(DataType::Float64),
        other => plan_err!("y of {} must be a number or a boolean: it is of type {other}", spec.name),
    }
}

fn smoothing_and_folds(constants: &Constants) -> Result<(Smoothing, i64)> {
    let smoothing = Smoothing::from_constants(constants)?;
    let folds = constants.integer_within("folds", 0, MOST_FOLDS)?.unwrap_or(0);
    if folds == 1 {
        return Err(constants.error("folds", "must be 0 or at least 2: one fold has no rows outside it"));
    }
    if folds > 0 && !constants.is_given("key") {
        return Err(constants.error("key", "must be given with folds: the hash of a row's key gives its fold"));
    }
    Ok((smoothing, folds))
}

/// A category type as a word, so that a fold is always asked for with the type of key that it was made with.
pub(super) fn key_type(key: &DataType) -> &'static str {
    match category_type(key) {
        DataType::Int64 => "integer",
        DataType::Float64 => "float",
        _ => "text",
    }
}

fn target_of(types: &[DataType], constants: &Constants) -> Result<Target> {
    let classes = class_type(types).is_some();
    match constants.choice("target", &Target::NAMES)? {
        None if classes => Ok(Target::Multiclass),
        None => Ok(Target::Binary),
        Some(Target::Multiclass) if !classes => Err(constants.error(
            "target",
            "is 'multiclass', so y must be a text, or classes be given: cast y, or list its values in classes",
        )),
        Some(target) if classes && target != Target::Multiclass => {
            Err(constants.error("target", format!("is '{}', so y must be a number without classes", target.name())))
        }
        Some(target) => Ok(target),
    }
}

fn given_classes(class: &DataType, constants: &Constants) -> Result<Option<CategoryIndex>> {
    let Some(items) = constants.items("classes")? else { return Ok(None) };
    let mut index = CategoryIndex::new(class);
    for item in &items {
        if index.insert(&item.cast_to(class)?.to_array()?)? == [MISSING] {
            return Err(constants.error("classes", "must not have a null in it"));
        }
    }
    if index.len() < items.len() {
        return Err(constants.error("classes", "must be distinct"));
    }
    if index.len() < 2 {
        return Err(constants.error("classes", "must be at least two"));
    }
    Ok(Some(index))
}

impl Fit for FitTargetEncoding {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = types.to_vec();
        coerced[0] = category_argument(&types[0]);
        coerced[1] = match class_type(types) {
            Some(class) => match coerce_to(&SPEC, "y", &class, &types[1])? {
                DataType::Dictionary(..) => category_argument(&types[1]),
                plain => plain,
            },
            None => number_target(&SPEC, &types[1])?,
        };
        if let Some(key) = coerced.get_mut(KEY).filter(|key| *key != &DataType::Null) {
            *key = category_argument(key);
        }
        Ok(coerced)
    }

    fn state_type(&self, types: &[DataType]) -> Result<DataType> {
        let options = [
            DataType::Utf8,
            DataType::Utf8,
            DataType::Float64,
            DataType::Float64,
            DataType::Float64,
            DataType::Int64,
            DataType::Int64,
            DataType::Utf8,
        ];
        let mut fields: Vec<(&str, DataType)> = OPTIONS.into_iter().zip(options).collect();
        let class = class_type(types);
        if let Some(class) = &class {
            fields.push((CLASSES_GIVEN, DataType::Boolean));
            fields.push((CLASSES, list_of(class.clone())));
        }
        fields.push((VALUES, list_of(category_type(&types[0]))));
        fields.push(("counts", list_of(DataType::Int64)));
        fields.push(("events", list_of(DataType::Int64)));
        if class.is_none() {
            fields.push(("sums", list_of(exact_type())));
            fields.push(("squares", list_of(exact_type())));
        }
        Ok(state_type(&fields))
    }

    fn check(&self, constants: &Constants) -> Result<()> {
        smoothing_and_folds(constants)?;
        constants.integer("seed")?;
        constants.choice("target", &Target::NAMES)?;
        Ok(())
    }

    fn accumulate(&self, types: &[DataType], constants: &Constants) -> Result<Box<dyn Accumulate>> {
        let (smoothing, folds) = smoothing_and_folds(constants)?;
        let seed = constants.integer("seed")?.unwrap_or(SEED);
        let target = target_of(types, constants)?;
        let key = (folds > 0).then(|| key_type(types.get(KEY).unwrap_or(&DataType::Utf8)));
        let values = [ScalarValue::from(target.name())].into_iter().chain(smoothing.fields()).chain([
            ScalarValue::from(folds),
            ScalarValue::from(seed),
            ScalarValue::Utf8(key.map(str::to_string)),
        ]);
        let options: Options = OPTIONS.into_iter().zip(values).collect();
        let (classes, given) = match class_type(types) {
            None => (None, false),
            Some(class) => match given_classes(&class, constants)? {
                Some(index) => (Some(index), true),
                None => (Some(CategoryIndex::new(&class)), false),
            },
        };
        let index = CategoryIndex::new(&types[0]);
        Ok(Box::new(Fitting::new(options, target, folds, seed, index, classes, given)))
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn resume(&self, state: &StructArray) -> Result<Box<dyn Accumulate>> {
        let Some(read) = Read::open(state, 0)? else { return exec_err!("the state is null") };
        let options = read_options(state, &OPTIONS)?;
        let Some(categories) = categories_of(state.data_type()) else {
            return exec_err!("the state has no field {VALUES}");
        };
        let index = CategoryIndex::new(categories);
        let classes = match &read.classes {
            None => None,
            Some(values) if read.classes_given => Some(CategoryIndex::of(values)?),
            Some(values) => Some(CategoryIndex::new(values.data_type())),
        };
        let (folds, given) = (read.folds, read.classes_given);
        let mut fitting = Fitting::new(options, read.target, folds, read.seed, index, classes, given);
        fitting.merge(&state.slice(0, 1))?;
        Ok(Box::new(fitting))
    }
}

/// A state, read.
pub(super) struct Read {
    pub(super) target: Target,
    /// As given: 0 if folds are not kept apart.
    pub(super) folds: i64,
    pub(super) seed: i64,
    pub(super) key_type: Option<String>,
    pub(super) smoothing: Smoothing,
    pub(super) classes: Option<ArrayRef>,
    classes_given: bool,
    pub(super) tally: Tally,
}

impl Read {
    /// Reads a row of states; `None` if it is null.
    pub(super) fn open(states: &StructArray, row: usize) -> Result<Option<Self>> {
        let Some(reader) = StateReader::open(states, row, KIND)? else { return Ok(None) };
        let name = reader.given("target", reader.text("target")?)?;
        let Some((_, target)) = Target::NAMES.iter().find(|(known, _)| *known == name) else {
            return exec_err!("the state has the unknown target '{name}'");
        };
        let folds = reader.given("folds", reader.integer("folds")?)?;
        if !(0..=MOST_FOLDS).contains(&folds) {
            return exec_err!("the state has {folds} folds");
        }
        let (classes, classes_given) = match target {
            Target::Multiclass => {
                let given = reader.given(CLASSES_GIVEN, reader.text(CLASSES_GIVEN)?)?;
                (Some(reader.given(CLASSES, reader.list(CLASSES)?)?), given == "true")
            }
            _ => (None, false),
        };
        if classes.as_ref().is_some_and(|classes| classes.null_count() > 0) {
            return exec_err!("the field {CLASSES} of the state has a null in it");
        }
        let slots = reader.given(VALUES, reader.list(VALUES)?)?.len();
        let width = classes.as_ref().map_or(0, |classes| classes.len());
        Ok(Some(Self {
            target: *target,
            folds,
            seed: reader.given("seed", reader.integer("seed")?)?,
            key_type: reader.text("key_type")?,
            smoothing: Smoothing::from_fields(
                &reader.given("method", reader.text("method")?)?,
                reader.float("smooth")?,
                reader.float("min_samples_leaf")?,
                reader.float("smoothing")?,
            )?,
            classes,
            classes_given,
            tally: Tally::read(&reader, *target, folds.max(1) as usize, slots, width)?,
        }))
    }
}

/// A fit under way. The slot 0 is the null category, the others are the index's numbers and one.
#[derive(Debug)]
struct Fitting {
    options: Options,
    target: Target,
    folds: i64,
    seed: i64,
    index: CategoryIndex,
    classes: Option<CategoryIndex>,
    classes_given: bool,
    tally: Tally,
}

impl Fitting {
    fn new(
        options: Options,
        target: Target,
        folds: i64,
        seed: i64,
        index: CategoryIndex,
        classes: Option<CategoryIndex>,
        classes_given: bool,
    ) -> Self {
        let mut tally = Tally::new(target, folds.max(1) as usize);
        tally.grow(1, classes.as_ref().map_or(0, CategoryIndex::len));
        Self { options, target, folds, seed, index, classes, classes_given, tally }
    }

    /// The slots of categories, with room for them.
    fn slots(&mut self, x: &ArrayRef) -> Result<Vec<usize>> {
        let numbers = self.index.insert(x)?;
        let classes = self.classes.as_ref().map_or(0, CategoryIndex::len);
        self.tally.grow(self.index.len() + 1, classes);
        Ok(numbers.into_iter().map(|number| if number == MISSING { 0 } else { number as usize + 1 }).collect())
    }

    /// The numbers of classes, [`MISSING`] for nulls, with room for new ones.
    fn class_numbers(&mut self, y: &ArrayRef) -> Result<Vec<u32>> {
        let Some(index) = &mut self.classes else { return exec_err!("the target has no classes") };
        if !self.classes_given {
            return index.insert(y);
        }
        let numbers = index.lookup(y)?;
        match numbers.iter().position(|number| *number != MISSING && *number as usize >= index.len()) {
            None => Ok(numbers),
            Some(row) => exec_err!("y of {} must be one of classes: it is '{}'", SPEC.name, text_of(y, row)?),
        }
    }

    /// The cells of rows.
    fn cells(&mut self, columns: &[ArrayRef]) -> Result<Vec<usize>> {
        let mut cells = self.slots(&columns[0])?;
        if self.folds == 0 {
            return Ok(cells);
        }
        let Some(keys) = columns.get(KEY) else { return exec_err!("key of {} must be given", SPEC.name) };
        let folds = folds(keys, self.folds, self.seed)?;
        if folds.null_count() > 0 {
            return exec_err!("key of {} must not be null: a row without a key has no fold", SPEC.name);
        }
        let width = self.tally.folds();
        for (cell, fold) in cells.iter_mut().zip(folds.values()) {
            *cell = *cell * width + *fold as usize;
        }
        Ok(cells)
    }
}

/// Refuses a number that is no binary target.
pub(super) fn event(function: &str, y: f64) -> Result<bool> {
    match y {
        1.0 => Ok(true),
        0.0 => Ok(false),
        other => exec_err!("y of {function} must be 0 or 1 for a binary target: it is {other}"),
    }
}

/// Refuses a number that has no exact sum.
pub(super) fn finite(function: &str, y: f64) -> Result<f64> {
    if y.is_finite() { Ok(y) } else { exec_err!("y of {function} must be finite: it is {y}") }
}

impl Accumulate for Fitting {
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        if self.target == Target::Multiclass {
            let classes = self.class_numbers(&columns[1])?;
            let cells = self.cells(columns)?;
            let rows = cells.into_iter().zip(classes).filter(|(_, class)| *class != MISSING);
            rows.for_each(|(cell, class)| self.tally.add_class(cell, class as usize));
            return Ok(());
        }
        let cells = self.cells(columns)?;
        let y = cast(&columns[1], &DataType::Float64)?;
        let rows = cells.into_iter().zip(y.as_primitive::<Float64Type>());
        for (cell, y) in rows.filter_map(|(cell, y)| Some((cell, y?))) {
            match self.target {
                Target::Continuous => self.tally.add_number(cell, finite(SPEC.name, y)?),
                _ => self.tally.add_event(cell, event(SPEC.name, y)?),
            }
        }
        Ok(())
    }

    fn merge(&mut self, states: &StructArray) -> Result<()> {
        for row in 0..states.len() {
            let Some(read) = Read::open(states, row)? else { continue };
            check_options(&self.options, states, row)?;
            let values = states.column_by_name(VALUES).and_then(|values| values.as_list_opt::<i32>());
            let Some(values) = values else { return exec_err!("the state has no list {VALUES}") };
            let slots = self.slots(&values.value(row))?;
            let mut classes: Vec<usize> = Vec::new();
            if let Some(other) = &read.classes {
                if read.classes_given != self.classes_given {
                    return exec_err!("states cannot be merged: classes are given in one and found in another");
                }
                classes = self.class_numbers(other)?.into_iter().map(|class| class as usize).collect();
                let known = self.classes.as_ref().map_or(0, CategoryIndex::len);
                let in_order = classes.iter().enumerate().all(|(place, class)| place == *class);
                if self.classes_given && (!in_order || classes.len() != known) {
                    return exec_err!("states cannot be merged: their classes differ");
                }
                self.slots(&values.value(row))?;
            }
            self.tally.add(&read.tally, &slots, &classes);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<StructArray> {
        let missing = self.tally.count(0, None) > 0;
        let tally = &self.tally;
        let seen = |number: usize| tally.count(number + 1, None) > 0;
        let (values, order) = sorted_values(&self.index, seen, missing)?;
        let slots: Vec<usize> =
            order.into_iter().map(|number| number as usize + 1).chain(missing.then_some(0)).collect();
        let mut columns = option_columns(&self.options)?;
        let sums = match &self.classes {
            None => self.tally.number_columns(&slots)?,
            Some(classes) => {
                let order = if self.classes_given { (0..classes.len() as u32).collect() } else { classes.sorted() };
                let values = classes.values_of(order.iter().copied())?;
                columns.push((CLASSES_GIVEN, Arc::new(BooleanArray::from(vec![self.classes_given]))));
                columns.push((CLASSES, one_list(values)));
                let order: Vec<usize> = order.into_iter().map(|class| class as usize).collect();
                self.tally.class_columns(&slots, &order)
            }
        };
        columns.push((VALUES, one_list(values)));
        columns.extend(sums);
        state_row(KIND, columns)
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        if self.target == Target::Binary {
            self.tally.total_classes().check_classes(SPEC.name)?;
        }
        Ok(Arc::new(self.state()?))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.index.size() + self.classes.as_ref().map_or(0, CategoryIndex::size) + self.tally.size()
    }
}
