//! The demonstration set: two invented hospitals with their mothers and newborns, loaded once,
//! so that a first look at the server shows something. `demo/README.md` says what is in it.

use crate::error::Result;
use crate::fhir::json;
use crate::fhir::resource::Resource;
use crate::interactions::Context;
use crate::interactions::bulk::{Set, Stored};
use crate::storage::UnitHash;
use sha2::{Digest, Sha256};

/// A transaction Bundle of updates by fixed ids.
const BUNDLE: &[u8] = include_bytes!("../../demo/demo.json");

/// Loads the set where that was never done on this database: what somebody changed or deleted
/// of it stays as it is.
pub async fn load_demo(context: &Context) -> Result<Stored> {
    let hash: UnitHash = Sha256::digest(b"bhn-fhir demonstration set").into();
    if !context.store.imported(&[hash]).await?.is_empty() {
        return Ok(Stored::done());
    }
    let bundle = Resource::from_value(json::read(BUNDLE, &context.settings.limits)?)?;
    Set::of_transaction(context, bundle)?.store(context, &hash).await
}
