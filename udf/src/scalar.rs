//! The thin DataFusion wrapper around a row-by-row kernel.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::constants::Constants;
use crate::spec::Spec;

/// A function of one row, over Arrow arrays.
pub(crate) trait Kernel: Debug + Send + Sync + 'static {
    /// The public face.
    fn spec(&self) -> &'static Spec;

    /// The types that the kernel wants its arguments cast to; the number of arguments has been checked. Constants of
    /// options are best left as they are, and read through [`Constants`].
    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>>;

    /// The field of the result, with its nullability and metadata. Called when the call is planned, so this is where
    /// constants are checked: those that are not known yet are `Varying`.
    fn result(&self, fields: &[FieldRef], constants: &Constants) -> Result<FieldRef>;

    /// The same call with what its arguments' fields state of them (the dimensions of vectors) written into it as
    /// constants, if there is something to write. Tasks on other machines see the values of arguments and not the
    /// metadata of their fields.
    fn rewrite(&self, _arguments: &[Expr], _schema: &DFSchema) -> Result<Option<Expr>> {
        Ok(None)
    }

    /// The values. Constants may arrive as scalars (cheap) or as arrays; if all arguments are scalars, `rows` is 1. The
    /// result has `rows` elements.
    fn evaluate(&self, arguments: &[ColumnarValue], rows: usize, constants: &Constants) -> Result<ArrayRef>;
}

/// Makes a kernel a function of DataFusion.
pub(crate) fn scalar_function(kernel: impl Kernel) -> Arc<ScalarUDF> {
    let spec = kernel.spec();
    let documentation = spec.documentation();
    let signature = spec.signature();
    Arc::new(ScalarUDF::from(Wrapper { kernel: Box::new(kernel), spec, documentation, signature }))
}

#[derive(Debug)]
struct Wrapper {
    kernel: Box<dyn Kernel>,
    spec: &'static Spec,
    documentation: Documentation,
    signature: Signature,
}

impl PartialEq for Wrapper {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for Wrapper {}

impl Hash for Wrapper {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

/// Checks how many arguments a call has.
pub(crate) fn check_count(spec: &Spec, count: usize) -> Result<()> {
    let (least, most) = (spec.required(), spec.most());
    if count < least || count > most {
        let wanted = match most {
            usize::MAX => format!("at least {least}"),
            most if most == least => format!("{least}"),
            most => format!("{least} to {most}"),
        };
        return plan_err!("{} takes {wanted} arguments, as in {}: it has {count}", spec.name, spec.syntax());
    }
    Ok(())
}

impl ScalarUDFImpl for Wrapper {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        check_count(self.spec, types.len())?;
        self.kernel.coerce(types)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        exec_err!("the type of {} depends on its constants", self.spec.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let constants = Constants::planned(self.spec, args.scalar_arguments);
        self.kernel.result(args.arg_fields, &constants)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn simplify(&self, arguments: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.kernel.rewrite(&arguments, context.schema())? {
            Some(call) => ExprSimplifyResult::Simplified(call),
            None => ExprSimplifyResult::Original(arguments),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constants = Constants::evaluated(self.spec, &args.args);
        let all_scalars = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if all_scalars { 1 } else { args.number_rows };
        let values = self.kernel.evaluate(&args.args, rows, &constants)?;
        if values.len() != rows {
            return exec_err!("{} gave {} values for {rows} rows", self.spec.name, values.len());
        }
        match all_scalars {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)),
            false => Ok(ColumnarValue::Array(values)),
        }
    }
}
