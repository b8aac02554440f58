//! Who asks, from where, and what for.

use super::principal::Principal;
use std::net::IpAddr;
use std::sync::Arc;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Nobody signed in, and the operator allowed that with `--insecure-no-auth`.
    InsecureNoAuth,
    /// The operator, on the command line of the server's own machine.
    Operator,
    /// Nobody signed in.
    Anonymous,
    /// The bearer of a token that is good.
    Principal(Arc<Principal>),
}

impl Caller {
    /// Names the caller in idempotency keys, page links and the audit.
    pub fn principal(&self) -> &str {
        match self {
            Caller::InsecureNoAuth => "insecure-no-auth",
            Caller::Operator => "operator",
            Caller::Anonymous => "anonymous",
            Caller::Principal(principal) => &principal.name,
        }
    }
}

/// A request as the gate and the audit know it.
#[derive(Clone, Debug)]
pub struct Asker {
    pub caller: Caller,
    pub origin: Origin,
}

/// Where a request came from.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The last address of the way here that is not a trusted proxy; None for the operator.
    pub address: Option<IpAddr>,
    /// `User-Agent`, cut to 512 bytes.
    pub user_agent: Option<String>,
    /// `X-Request-Id` as sent or made; empty for the operator.
    pub request_id: String,
    /// What the caller says it is for: codes of HL7's PurposeOfUse.
    pub purposes: Vec<String>,
}

impl Asker {
    /// The operator, on the command line.
    pub fn operator() -> Asker {
        Asker { caller: Caller::Operator, origin: Origin::default() }
    }
}
