//! One profile for every role: the same names mean the same functions wherever a plan goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::execution::{SessionState, SessionStateDefaults};
use datafusion::prelude::SessionContext;
use sluice::profile::{EngineProfile, Role};

const ROLES: [Role; 4] = [Role::Embedded, Role::Client, Role::Driver, Role::Executor];

fn state(role: Role) -> SessionState {
    let profile = EngineProfile::new(role, &[]).unwrap();
    profile.session_state(Arc::new(MemoryCatalogProviderList::new()), profile.session_config())
}

/// Every name and alias with the implementation that it resolves to, which Debug shows with its type.
fn implementations(state: &SessionState) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let scalar = state.scalar_functions().iter();
    found.extend(scalar.map(|(name, function)| (format!("scalar {name}"), format!("{:?}", function.inner()))));
    let aggregate = state.aggregate_functions().iter();
    found.extend(aggregate.map(|(name, function)| (format!("aggregate {name}"), format!("{:?}", function.inner()))));
    let window = state.window_functions().iter();
    found.extend(window.map(|(name, function)| (format!("window {name}"), format!("{:?}", function.inner()))));
    found
}

#[test]
fn every_role_resolves_every_function_to_the_same_implementation() {
    let embedded = implementations(&state(ROLES[0]));
    assert!(embedded.len() > 300, "{}", embedded.len());
    for role in ROLES {
        assert_eq!(implementations(&state(role)), embedded, "{role:?}");
    }
}

#[test]
fn no_function_shadows_one_of_datafusion() {
    let state = state(Role::Executor);
    for function in SessionStateDefaults::default_scalar_functions() {
        for name in std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str)) {
            let resolved = &state.scalar_functions()[name];
            assert_eq!(format!("{:?}", resolved.inner()), format!("{:?}", function.inner()), "{name}");
        }
    }
    for function in SessionStateDefaults::default_aggregate_functions() {
        for name in std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str)) {
            let resolved = &state.aggregate_functions()[name];
            assert_eq!(format!("{:?}", resolved.inner()), format!("{:?}", function.inner()), "{name}");
        }
    }
}

#[tokio::test]
async fn functions_that_only_spark_has_are_there() {
    let context = SessionContext::new_with_state(state(Role::Driver));
    // Spark's documentation: shiftleft(2, 1) is 4; rint(12.3456) is 12.0.
    let frame = context.sql("SELECT shiftleft(2, 1) = 4 AND rint(12.3456) = 12.0 AS spark").await.unwrap();
    let batches = frame.collect().await.unwrap();
    assert!(datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string().contains("true"));
}
