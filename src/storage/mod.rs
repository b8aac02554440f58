//! All SQL. Every query takes a [`crate::access::Permit`] or a plan narrowed by one.

mod audit;
mod body;
mod check;
mod definitions;
mod embedded;
mod failure;
mod gather;
mod history;
mod horizon;
mod identity;
mod import;
mod labels;
mod open;
mod pool;
mod read;
mod reindex;
mod search;
mod search_sql;
mod statement;
mod store;
mod write;

pub use audit::{
    AuditAfter, AuditFinding, AuditKeys, AuditPage, AuditQuery, AuditReport, AuditRow, AuditScope,
    AuditTest, ReportWithin, Verified, detach_audit,
};
pub use check::{Finding, RowsRead};
pub use definitions::{Build, BuildStatus, DefinitionChange};
pub use embedded::{EmbeddedPostgres, EmbeddedSettings, Upgrade, upgrade};
pub use history::{From, HistoryPage, HistoryPosition, HistoryQuery, InstanceQuery, Window};
pub use horizon::{Shown, sorting};
pub use identity::{
    Account, AccountChange, App, Challenge, ClaimCode, Client, ClientKind, ClientTerms, Code,
    CodeGrant, CodePurpose, Factor, FederatedAccount, GivenGrant, Grant, KeyState, LaunchableApp,
    LockedKeys, NewAccount, NewGrant, NewRefreshToken, NewSession, Passkey, PersonClaims,
    RefreshToken, SealedSecret, Session, SigningKeyRow, Status, Subject, TakenRequest, Throttle,
    Totp, UpstreamIdentity, UpstreamRequest, UpstreamSignIn,
};
pub use import::UnitHash;
pub use labels::Labels;
pub use open::{Database, StartError, StoreSettings, migrate};
pub use pool::Pooled;
pub use read::{Current, Visible};
pub use reindex::{Extracted, Rows};
pub use search::{Explained, ExplainedStatement, INCLUDED, Page, Placed};
pub use store::{Connection, Store, Stored};
pub use write::answers::KeptAnswer;
pub use write::change::{Before, Change, Content};
pub use write::under_way::{WriteUnderWay, WritesUnderWay};
pub use write::{Applied, Lock, Staged, Unit};
