//! Each format, byte for byte where the form is fixed, else read back by a reader of that format.

use std::sync::{Mutex, PoisonError};

use ::arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
use ::arrow::datatypes::{Int64Type, Schema};

use super::*;

/// A sink whose bytes the test can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A reader that has left.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
}

fn rows() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![Some(1), None, Some(300)]))),
        ("name", Arc::new(StringArray::from(vec![Some("a,\"b\""), Some(""), None]))),
        ("x", Arc::new(Float64Array::from(vec![0.5, -2.0, 12.25]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn written(format: Format, schema: &SchemaRef, batches: &[RecordBatch]) -> (Vec<u8>, Summary) {
    let bytes = Shared::default();
    let mut output = Output::over(bytes.clone(), format, false);
    let mut encoder = output.start(schema, false).unwrap();
    for batch in batches {
        encoder.write(batch).unwrap();
    }
    let summary = encoder.finish().unwrap();
    output.flush().unwrap();
    let bytes = bytes.0.lock().unwrap().clone();
    (bytes, summary)
}

fn text(format: Format, batches: &[RecordBatch]) -> String {
    String::from_utf8(written(format, &rows().schema(), batches).0).unwrap()
}

#[test]
fn csv_is_exact() {
    let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    assert_eq!(written(Format::Csv, &batch.schema(), &[batch]).0, b"a\n1\n");
    let expected = "id,name,x\n1,\"a,\"\"b\"\"\",0.5\n,,-2.0\n300,,12.25\n";
    assert_eq!(text(Format::Csv, &[rows()]), expected);
    assert_eq!(text(Format::Csv, &[rows(), rows()]).matches("id,name").count(), 1);
    assert_eq!(text(Format::Csv, &[]), "id,name,x\n");
}

#[test]
fn csv_spells_nested_values_out() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
    let batch =
        RecordBatch::try_from_iter([("v", Arc::new(lists) as ArrayRef), ("n", Arc::new(Int64Array::from(vec![1, 2])))]);
    let batch = batch.unwrap();
    assert_eq!(written(Format::Csv, &batch.schema(), &[batch]).0, b"v,n\n\"[1, null]\",1\n,2\n");
}

#[test]
fn json_is_one_array_and_has_every_column() {
    let expected = "[{\"id\":1,\"name\":\"a,\\\"b\\\"\",\"x\":0.5},{\"id\":null,\"name\":\"\",\"x\":-2.0},\
                    {\"id\":300,\"name\":null,\"x\":12.25}]\n";
    assert_eq!(text(Format::Json, &[rows()]), expected);
    assert_eq!(text(Format::Json, &[]), "[]\n");
    let both: serde_json::Value = serde_json::from_str(&text(Format::Json, &[rows(), rows()])).unwrap();
    assert_eq!(both.as_array().map(Vec::len), Some(6));
}

#[test]
fn ndjson_is_one_object_a_line() {
    let lines = text(Format::Ndjson, &[rows(), rows()]);
    assert_eq!(lines.lines().count(), 6);
    assert_eq!(lines.lines().next(), Some("{\"id\":1,\"name\":\"a,\\\"b\\\"\",\"x\":0.5}"));
    assert_eq!(text(Format::Ndjson, &[]), "");
}

#[test]
fn names_that_come_twice_are_told_apart() {
    let column = || Arc::new(Int64Array::from(vec![1])) as ArrayRef;
    let fields =
        ["id", "id", "id_1"].map(|name| ::arrow::datatypes::Field::new(name, column().data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column(), column(), column()]).unwrap();
    let (json, _) = written(Format::Ndjson, &schema, &[batch]);
    assert_eq!(json, b"{\"id\":1,\"id_2\":1,\"id_1\":1}\n");
}

#[test]
fn arrow_reads_back() {
    let (bytes, summary) = written(Format::Arrow, &rows().schema(), &[rows(), rows()]);
    let reader = ::arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap();
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), [rows(), rows()]);
    assert_eq!(summary, Summary { rows: 6, rows_left_out: 0 });
}

#[test]
fn parquet_reads_back() {
    let (bytes, _) = written(Format::Parquet, &rows().schema(), &[rows()]);
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(&bytes).unwrap();
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 1024).unwrap();
    let batches = reader.collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].columns(), rows().columns());
}

#[test]
fn a_second_parquet_result_is_refused() {
    let mut output = Output::over(Shared::default(), Format::Parquet, false);
    output.start(&rows().schema(), false).unwrap().finish().unwrap();
    let second = output.start(&rows().schema(), false).err();
    let Some(Failure::Error(report)) = second else { panic!("an error was expected") };
    assert_eq!(report.error.code(), ErrorCode::InvalidArgument);
}

#[test]
fn a_terminal_gets_no_binary() {
    let mut output = Output::over(Shared::default(), Format::Table, true);
    assert!(output.set_format(Format::Parquet).is_err());
    assert!(output.set_format(Format::Arrow).is_err());
    assert!(output.set_format(Format::Csv).is_ok());
}

#[test]
fn a_table_is_aligned_with_numbers_to_the_right() {
    let expected = "\
+------+-------+-------+
|   id | name  |     x |
+------+-------+-------+
|    1 | a,\"b\" |   0.5 |
| NULL |       |  -2.0 |
|  300 | NULL  | 12.25 |
+------+-------+-------+
";
    assert_eq!(text(Format::Table, &[rows()]), expected);
}

#[test]
fn a_table_keeps_ten_thousand_rows_and_counts_the_rest() {
    let numbers = Arc::new(Int64Array::from_iter_values(0..6_000)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let (bytes, summary) = written(Format::Table, &batch.schema(), &[batch.clone(), batch.clone(), batch]);
    assert_eq!(summary, Summary { rows: 18_000, rows_left_out: 8_000 });
    // Three lines of the frame and one of the header.
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 10_004);
}

#[test]
fn a_plan_is_plain_text_in_a_table_and_rows_elsewhere() {
    let strings = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let columns = [("plan_type", strings(["logical_plan", "physical_plan"])), ("plan", strings(["A\n  B", "C\n"]))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let bytes = Shared::default();
    let mut output = Output::over(bytes.clone(), Format::Table, false);
    let mut encoder = output.start(&batch.schema(), true).unwrap();
    encoder.write(&batch).unwrap();
    encoder.finish().unwrap();
    assert_eq!(bytes.0.lock().unwrap().as_slice(), b"logical_plan\nA\n  B\n\nphysical_plan\nC\n");
}

#[test]
fn a_reader_that_left_is_no_error_in_any_format() {
    for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson, Format::Arrow, Format::Parquet] {
        let mut output = Output::over(Gone, format, false);
        let failures = output.failures();
        let outcome = output.start(&rows().schema(), false).and_then(|mut encoder| {
            encoder.write(&rows()).map_err(&failures)?;
            encoder.finish().map_err(&failures)
        });
        assert!(matches!(outcome, Err(Failure::ClosedPipe)), "{}", format.name());
    }
}
