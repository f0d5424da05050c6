//! How a column is read: in its own type, or closer to how its file has it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch};
use datafusion::arrow::compute::{self, cast};
use datafusion::arrow::datatypes::{DECIMAL64_MAX_PRECISION, DataType, FieldRef, Int32Type, Schema};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::CastExpr;

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stored {
    /// Texts as numbers of words of a dictionary.
    Codes,
    /// Texts as views of the page that they are in.
    Views,
    /// Decimals of at most 18 digits in 64 bits.
    Narrow,
}

impl Stored {
    /// The type of a column of the given type, if it can be read so.
    pub(super) fn of(self, own: &DataType) -> Option<DataType> {
        match (self, own) {
            (Self::Codes, DataType::Utf8) => {
                Some(DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)))
            }
            (Self::Views, DataType::Utf8) => Some(DataType::Utf8View),
            (Self::Narrow, DataType::Decimal128(precision, scale)) if *precision <= DECIMAL64_MAX_PRECISION => {
                Some(DataType::Decimal64(*precision, *scale))
            }
            _ => None,
        }
    }
}

/// A column of a file, given as it was read.
///
/// A scan's expressions are over the types that its table has. Where a file's columns come in others, DataFusion puts casts
/// around them: this takes such a cast off again. A file whose column was not read so after all is converted.
#[derive(Debug, Clone)]
pub(super) struct AsStored {
    column: Arc<dyn PhysicalExpr>,
    stored: Stored,
    given: FieldRef,
}

impl AsStored {
    /// The column, if its type can be read so.
    pub(super) fn of(column: Arc<dyn PhysicalExpr>, stored: Stored, own: &FieldRef) -> Option<Self> {
        let kind = stored.of(own.data_type())?;
        let given = Arc::new(own.as_ref().clone().with_data_type(kind));
        Some(Self { column, stored, given })
    }
}

impl PartialEq for AsStored {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.stored == other.stored && self.given == other.given
    }
}

impl Eq for AsStored {}

impl Hash for AsStored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.stored.hash(state);
    }
}

impl fmt::Display for AsStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.stored {
            Stored::Codes => "codes",
            Stored::Views => "views",
            Stored::Narrow => "narrow",
        };
        write!(f, "{name}({})", self.column)
    }
}

impl PhysicalExpr for AsStored {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.given))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let inside = self.column.downcast_ref::<CastExpr>().map(CastExpr::expr);
        let read = match inside {
            Some(inside) if inside.data_type(batch.schema_ref())? == *self.given.data_type() => inside,
            _ => &self.column,
        };
        let array = read.evaluate(batch)?.into_array(rows)?;
        Ok(ColumnarValue::Array(converted(array, self.given.data_type())?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([column]) => Ok(Arc::new(Self { column, ..self.as_ref().clone() })),
            Err(_) => internal_err!("one column is read"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.column.fmt_sql(f)
    }
}

/// A column of codes as views of the dictionary's words, which is what groups are made of.
#[derive(Debug, Clone)]
pub(super) struct Words(pub(super) Arc<dyn PhysicalExpr>);

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(&other.0)
    }
}

impl Eq for Words {}

impl Hash for Words {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "words({})", self.0)
    }
}

impl PhysicalExpr for Words {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        let codes = self.0.return_field(schema)?;
        Ok(Arc::new(codes.as_ref().clone().with_data_type(DataType::Utf8View)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.0.evaluate(batch)?.into_array(batch.num_rows())?;
        let Some(codes) = array.as_any_dictionary_opt() else {
            return Ok(ColumnarValue::Array(cast(&array, &DataType::Utf8View)?));
        };
        // Of each word once: a cast of the whole column makes a view of each row's text.
        let views = cast(codes.values(), &DataType::Utf8View)?;
        Ok(ColumnarValue::Array(compute::take(&views, codes.keys(), None)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.0]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([codes]) => Ok(Arc::new(Self(codes))),
            Err(_) => internal_err!("words are of one column"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}

/// An array in the type in which the column is given. Texts become their own dictionary, which costs nothing.
fn converted(array: ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    match kind {
        _ if array.data_type() == kind => Ok(array),
        DataType::Dictionary(_, words) if array.data_type() == words.as_ref() => {
            let Ok(rows) = i32::try_from(array.len()) else {
                return exec_err!("a batch of {} rows is too large to be coded", array.len());
            };
            let codes = Int32Array::new((0..rows).collect(), array.logical_nulls());
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, array)?))
        }
        _ => Ok(cast(&array, kind)?),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Decimal128Array, StringArray};
    use datafusion::arrow::datatypes::{Decimal64Type, Field};
    use datafusion::physical_expr::expressions::Column;

    use super::*;

    fn read(array: ArrayRef, stored: Stored, own: &DataType, is_cast: bool) -> ArrayRef {
        let field = Arc::new(Field::new("c", own.clone(), true));
        let batch = RecordBatch::try_from_iter_with_nullable([("c", array, true)]).unwrap();
        let mut column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("c", 0));
        if is_cast {
            column = Arc::new(CastExpr::new(column, own.clone(), None));
        }
        let expression = AsStored::of(column, stored, &field).unwrap();
        let given = expression.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap();
        assert_eq!(given.data_type(), expression.given.data_type());
        given
    }

    #[test]
    fn what_was_read_as_stored_comes_as_it_is() {
        let texts: DictionaryArray<Int32Type> = [Some("a"), None, Some("b"), Some("a")].into_iter().collect();
        let coded: ArrayRef = Arc::new(texts);
        let given = read(Arc::clone(&coded), Stored::Codes, &DataType::Utf8, true);
        assert!(given.to_data().ptr_eq(&coded.to_data()));
    }

    #[test]
    fn words_are_those_of_the_codes() {
        let long = "a word of more than twelve bytes";
        let texts: DictionaryArray<Int32Type> = [Some("a"), None, Some(long), Some("a")].into_iter().collect();
        let batch = RecordBatch::try_from_iter_with_nullable([("c", Arc::new(texts) as ArrayRef, true)]).unwrap();
        let words = Words(Arc::new(Column::new("c", 0)));
        let given = words.evaluate(&batch.slice(1, 3)).unwrap().into_array(3).unwrap();
        assert_eq!(given.as_string_view().iter().collect::<Vec<_>>(), [None, Some(long), Some("a")]);
        assert_eq!(words.return_field(batch.schema_ref()).unwrap().data_type(), given.data_type());
    }

    #[test]
    fn what_was_read_otherwise_is_converted() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        for stored in [Stored::Codes, Stored::Views] {
            let given = read(Arc::clone(&texts), stored, &DataType::Utf8, false);
            assert_eq!(&cast(&given, &DataType::Utf8).unwrap(), &texts);
        }
        let own = DataType::Decimal128(15, 2);
        let sums = Decimal128Array::from(vec![Some(-150), None]).with_data_type(own.clone());
        let given = read(Arc::new(sums), Stored::Narrow, &own, false);
        assert_eq!(given.as_primitive::<Decimal64Type>().iter().collect::<Vec<_>>(), [Some(-150), None]);
        assert_eq!(Stored::Narrow.of(&DataType::Decimal128(19, 2)), None);
    }
}
