//! The catalog: what tables and views exist, kept in a folder on any object store.
//!
//! A version of the catalog is one whole [`Snapshot`](model::Snapshot), a JSON file that is put only if absent.
//! Whoever loses that race reads the winner's version and applies its change again, so a change is visible in full
//! or not at all, and no change is lost. See [`CatalogStore`].
//!
//! A [`SessionCatalog`] shows the store to DataFusion under the names users know (`datafusion.public`), with the
//! session's temporary tables in front of it. It hands out DataFusion's own `ListingTable` and `ViewTable` only:
//! plans that contain them travel to executors.

mod external;
mod managed;
pub mod model;
mod provider;
mod schema_text;
mod statements;
mod store;
mod tables;
mod temporary;
mod views;

pub use managed::{CommitMode, ManagedTarget};
pub use provider::SessionCatalog;
pub use statements::IfExists;
pub use store::CatalogStore;

/// Name of the one catalog, DataFusion's default.
pub const CATALOG_NAME: &str = "datafusion";

/// Name of the schema that always exists, DataFusion's default.
pub const DEFAULT_SCHEMA: &str = "public";
