//! Checks of constants that the text functions share.

use datafusion_common::Result;

use crate::constants::Constants;
use crate::spec::Spec;

/// Whether all options (the parameters with a default) are known yet: a list of literals, say, is folded to a constant
/// only after a call is first looked at.
pub(crate) fn options_are_known(spec: &Spec, constants: &Constants) -> bool {
    let options = spec.parameters.iter().filter(|parameter| parameter.default.is_some());
    options.into_iter().all(|parameter| !constants.is_varying(parameter.name))
}

/// The n-gram sizes of the parameters `lo` and `hi`; one size if only `lo` is given.
pub(crate) fn sizes(constants: &Constants) -> Result<Option<(usize, usize)>> {
    let lo = constants.integer_within("lo", 1, MOST_SIZE)?;
    let hi = constants.integer_within("hi", 1, MOST_SIZE)?;
    match (lo, hi) {
        (None, None) => Ok(None),
        (lo, hi) => {
            let lo = lo.unwrap_or(1);
            let hi = hi.unwrap_or(lo);
            if hi < lo {
                return Err(constants.error("hi", format!("must be at least lo, {lo}: it is {hi}")));
            }
            Ok(Some((lo as usize, hi as usize)))
        }
    }
}

/// The largest n-gram.
const MOST_SIZE: i64 = 100;
