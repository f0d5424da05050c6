//! How far a category's mean is drawn towards the mean of all rows.

use datafusion_common::ScalarValue;
use datafusion_common::{Result, exec_err};

use super::statistics::Summary;
use crate::constants::Constants;

/// How a category's encoding is made of its statistics and those of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Smoothing {
    /// `(s + m G) / (n + m)`: scikit-learn's TargetEncoder with a number, category_encoders' MEstimateEncoder.
    MEstimate { m: f64 },
    /// `l s/n + (1 - l) G` with `l = 1 / (1 + exp(-(n - k) / f))`: category_encoders' TargetEncoder (Micci-Barreca, "A
    /// preprocessing scheme for high-cardinality categorical attributes", 2001, equation 4).
    Sigmoid { min_samples_leaf: f64, smoothing: f64 },
    /// `l s/n + (1 - l) G` with `l = V n / (V n + v)`, population variances: scikit-learn's `smooth="auto"`
    /// (Micci-Barreca, equations 5 and 6).
    EmpiricalBayes,
    /// `(1 - B) s/n + B G` with `B = v / (v + V) (K - 3) / (K - 1)` between 0 and 1, sample variances:
    /// category_encoders' JamesSteinEncoder with `model="independent"` (Morris, "Parametric empirical Bayes inference",
    /// 1983, equations 1.19 and 1.20). If every row has a category of its own, all are `G`.
    JamesStein,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    MEstimate,
    Sigmoid,
    EmpiricalBayes,
    JamesStein,
}

const METHODS: [(&str, Method); 4] = [
    ("m_estimate", Method::MEstimate),
    ("sigmoid", Method::Sigmoid),
    ("empirical_bayes", Method::EmpiricalBayes),
    ("james_stein", Method::JamesStein),
];

impl Smoothing {
    /// The fields that a state keeps it in.
    pub(super) const FIELDS: [&'static str; 4] = ["method", "smooth", "min_samples_leaf", "smoothing"];

    /// From the arguments of a call.
    pub(super) fn from_constants(constants: &Constants) -> Result<Self> {
        let smooth = match constants.value("smooth")? {
            None => None,
            Some(ScalarValue::Utf8(_) | ScalarValue::LargeUtf8(_) | ScalarValue::Utf8View(_)) => {
                constants.choice("smooth", &[("auto", ())])?;
                None
            }
            Some(_) => constants.float_within("smooth", 0.0, f64::MAX)?,
        };
        let default = if smooth.is_some() { Method::MEstimate } else { Method::EmpiricalBayes };
        let method = constants.choice("method", &METHODS)?.unwrap_or(default);
        if smooth.is_some() && method != Method::MEstimate {
            return Err(constants.error("smooth", "is a number for method => 'm_estimate' alone"));
        }
        for parameter in ["min_samples_leaf", "smoothing"] {
            if method != Method::Sigmoid && constants.is_given(parameter) {
                return Err(constants.error(parameter, "is for method => 'sigmoid' alone"));
            }
        }
        Ok(match method {
            Method::MEstimate => Self::MEstimate { m: smooth.unwrap_or(1.0) },
            Method::EmpiricalBayes => Self::EmpiricalBayes,
            Method::JamesStein => Self::JamesStein,
            Method::Sigmoid => Self::Sigmoid {
                min_samples_leaf: constants.float_within("min_samples_leaf", 0.0, f64::MAX)?.unwrap_or(20.0),
                smoothing: constants
                    .float_within("smoothing", f64::MIN_POSITIVE, f64::MAX)
                    .map_err(|_| constants.error("smoothing", "must be a number above 0"))?
                    .unwrap_or(10.0),
            },
        })
    }

    /// The values of [`Self::FIELDS`].
    pub(super) fn fields(self) -> [ScalarValue; 4] {
        let (method, smooth, leaf, smoothing) = match self {
            Self::MEstimate { m } => ("m_estimate", Some(m), None, None),
            Self::Sigmoid { min_samples_leaf, smoothing } => ("sigmoid", None, Some(min_samples_leaf), Some(smoothing)),
            Self::EmpiricalBayes => ("empirical_bayes", None, None, None),
            Self::JamesStein => ("james_stein", None, None, None),
        };
        [
            ScalarValue::from(method),
            ScalarValue::Float64(smooth),
            ScalarValue::Float64(leaf),
            ScalarValue::Float64(smoothing),
        ]
    }

    /// From the fields of a state.
    pub(super) fn from_fields(
        method: &str,
        smooth: Option<f64>,
        min_samples_leaf: Option<f64>,
        smoothing: Option<f64>,
    ) -> Result<Self> {
        match (method, smooth, min_samples_leaf, smoothing) {
            ("m_estimate", Some(m), _, _) => Ok(Self::MEstimate { m }),
            ("sigmoid", _, Some(min_samples_leaf), Some(smoothing)) => {
                Ok(Self::Sigmoid { min_samples_leaf, smoothing })
            }
            ("empirical_bayes", ..) => Ok(Self::EmpiricalBayes),
            ("james_stein", ..) => Ok(Self::JamesStein),
            _ => exec_err!("the state has no known smoothing: its method is '{method}'"),
        }
    }

    /// The encoding of a category by its statistics, those of all rows, and the number of categories. A category
    /// without rows gets the mean of all rows.
    pub(super) fn encode(self, category: Summary, all: Summary, categories: i64) -> f64 {
        let prior = all.mean();
        if category.count == 0 {
            return prior;
        }
        let (count, mean) = (category.count as f64, category.mean());
        match self {
            Self::MEstimate { m } => (category.sum + prior * m) / (count + m),
            Self::Sigmoid { min_samples_leaf, smoothing } => {
                let weight = 1.0 / (1.0 + (-(count - min_samples_leaf) / smoothing).exp());
                prior * (1.0 - weight) + mean * weight
            }
            Self::EmpiricalBayes => {
                let spread = all.population_variance() * count;
                let weight = spread / (spread + category.population_variance());
                if weight.is_nan() { prior } else { weight * mean + (1.0 - weight) * prior }
            }
            Self::JamesStein if categories == all.count => prior,
            Self::JamesStein => {
                let (own, whole) = (category.sample_variance(), all.sample_variance());
                let shape = (categories as f64 - 3.0).max(0.0) / (categories as f64 - 1.0).max(1.0);
                let shrink = (own / (whole + own) * shape).clamp(0.0, 1.0);
                if shrink.is_nan() { prior } else { (1.0 - shrink) * mean + shrink * prior }
            }
        }
    }
}
