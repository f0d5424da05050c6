//! The functions that every role resolves alike: DataFusion's, Sluice's own, and those of `datafusion-spark` whose
//! names nobody else has. A Spark function never shadows a built-in: an executor that reads `avg` or `date_part`
//! differently from the driver that planned it returns wrong rows or none.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableFunction;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};

/// Every function of a profile, by kind.
#[derive(Debug, Clone)]
pub struct FunctionSet {
    /// Row by row.
    pub scalar: Vec<Arc<ScalarUDF>>,
    /// With lambdas.
    pub higher_order: Vec<Arc<HigherOrderUDF>>,
    /// Over groups.
    pub aggregate: Vec<Arc<AggregateUDF>>,
    /// Over windows.
    pub window: Vec<Arc<WindowUDF>>,
    /// In FROM.
    pub table: Vec<Arc<TableFunction>>,
}

impl FunctionSet {
    /// DataFusion's functions, then Sluice's, then Spark's where the name and all aliases are still free.
    pub fn standard() -> Self {
        let mut set = Self {
            scalar: SessionStateDefaults::default_scalar_functions(),
            higher_order: SessionStateDefaults::default_higher_order_functions(),
            aggregate: SessionStateDefaults::default_aggregate_functions(),
            window: SessionStateDefaults::default_window_functions(),
            table: SessionStateDefaults::default_table_functions(),
        };
        set.scalar.extend(sluice_udf::scalar_functions());
        set.aggregate.extend(sluice_udf::aggregate_functions());
        set.window.extend(sluice_udf::window_functions());
        let mut taken = set.names();
        set.scalar.extend(free(datafusion_spark::all_default_scalar_functions(), &mut taken));
        set.aggregate.extend(free(datafusion_spark::all_default_aggregate_functions(), &mut taken));
        set.window.extend(free(datafusion_spark::all_default_window_functions(), &mut taken));
        set
    }

    /// The aggregate function of this name that every role has.
    pub fn standard_aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
        static STANDARD: LazyLock<FunctionSet> = LazyLock::new(FunctionSet::standard);
        STANDARD.aggregate.iter().find(|function| function.name() == name).cloned()
    }

    /// Names and aliases of all functions, of every kind.
    pub fn names(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        self.scalar.iter().for_each(|function| names.extend(function.all_names()));
        self.aggregate.iter().for_each(|function| names.extend(function.all_names()));
        self.window.iter().for_each(|function| names.extend(function.all_names()));
        names.extend(self.higher_order.iter().map(|function| function.name().to_string()));
        names.extend(self.table.iter().map(|function| function.name().to_string()));
        names
    }
}

trait Named {
    fn all_names(&self) -> Vec<String>;
}

macro_rules! named {
    ($($kind:ty),*) => {$(
        impl Named for Arc<$kind> {
            fn all_names(&self) -> Vec<String> {
                std::iter::once(self.name().to_string()).chain(self.aliases().iter().cloned()).collect()
            }
        }
    )*};
}

named!(ScalarUDF, AggregateUDF, WindowUDF);

/// Keeps the functions none of whose names is taken, and takes their names.
fn free<F: Named>(functions: Vec<F>, taken: &mut HashSet<String>) -> Vec<F> {
    functions
        .into_iter()
        .filter(|function| {
            let names = function.all_names();
            let is_free = names.iter().all(|name| !taken.contains(name));
            if is_free {
                taken.extend(names);
            }
            is_free
        })
        .collect()
}
