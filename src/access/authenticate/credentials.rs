//! What requests bring, and what is said to those whose credentials are not good.

use super::certificate::ClientCertificate;
use super::dpop::Target;
use super::jwt::Refusal;
use crate::error::{ErrorKind, FhirError, Issue, IssueCode};
use std::net::IpAddr;

/// Where an error about the token of a request points.
pub const AUTHORIZATION: &str = "http.Authorization";

/// What a request brings to show who it is from.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// `Authorization`; None where there is none.
    pub authorization: Option<&'a str>,
    /// `DPoP`; empty, which is no proof, where it came twice.
    pub proof: Option<&'a str>,
    pub target: Target<'a>,
    pub certificate: Option<&'a ClientCertificate>,
    /// Where it came from.
    pub address: Option<IpAddr>,
}

/// How an access token is brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// RFC 6750
    Bearer,
    /// RFC 9449, 7.1
    Dpop,
}

/// Scheme and token of `Authorization`; None for anything else.
pub fn access_token(authorization: &str) -> Option<(Scheme, &str)> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let scheme = match is_token {
        true if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        true if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return None,
    };
    Some((scheme, token))
}

/// Credentials that are not good, or of which the database does not say.
#[derive(Debug)]
pub struct Refused {
    pub error: FhirError,
    /// None where it is not the credentials that are wrong.
    pub challenge: Option<Challenge>,
}

/// `WWW-Authenticate`: RFC 6750, 3, and RFC 9449, 7.1 and 9.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// The token is not good, brought that way.
    Token(Scheme),
    /// The proof is not.
    Proof,
    /// The proof has to have this nonce.
    Nonce(String),
}

impl Challenge {
    /// For who brought nothing, beside `Bearer`.
    pub const DPOP: &'static str = "DPoP algs=\"ES256 EdDSA RS256\"";

    /// The value of the header. The algorithms are those of [`super::dpop::ALGORITHMS`].
    pub fn header(&self) -> &'static str {
        match self {
            Challenge::Token(Scheme::Bearer) => "Bearer error=\"invalid_token\"",
            Challenge::Token(Scheme::Dpop) => {
                "DPoP error=\"invalid_token\", algs=\"ES256 EdDSA RS256\""
            }
            Challenge::Proof => "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA RS256\"",
            Challenge::Nonce(_) => "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA RS256\"",
        }
    }

    /// `DPoP-Nonce`
    pub fn nonce(&self) -> Option<&str> {
        match self {
            Challenge::Nonce(nonce) => Some(nonce),
            _ => None,
        }
    }
}

impl Refused {
    /// 401 for a token that is not good.
    pub fn token(scheme: Scheme, text: &str) -> Refused {
        let issue = Issue::error(IssueCode::Login, AUTHORIZATION, text);
        let error = FhirError::of_issues(ErrorKind::Unauthorized, vec![issue]);
        Refused { error, challenge: Some(Challenge::Token(scheme)) }
    }

    /// 401 for a proof that is not.
    pub fn proof(text: &str) -> Refused {
        let text = format!("The DPoP proof is not valid: {text}");
        Refused { challenge: Some(Challenge::Proof), ..Refused::token(Scheme::Dpop, &text) }
    }

    /// 401 that asks for the nonce.
    pub fn nonce(nonce: String) -> Refused {
        let challenge = Some(Challenge::Nonce(nonce));
        let text = "The DPoP proof needs the nonce of DPoP-Nonce";
        Refused { challenge, ..Refused::token(Scheme::Dpop, text) }
    }

    /// What was said of a token that was brought that way.
    pub fn of(error: FhirError, scheme: Scheme) -> Refused {
        let is_wrong = error.kind == ErrorKind::Unauthorized;
        Refused { error, challenge: is_wrong.then_some(Challenge::Token(scheme)) }
    }
}

impl From<FhirError> for Refused {
    fn from(error: FhirError) -> Refused {
        Refused::of(error, Scheme::Bearer)
    }
}

impl From<Refused> for FhirError {
    fn from(refused: Refused) -> FhirError {
        refused.error
    }
}

/// 401 for a token that is not good, or no longer.
pub fn refused(refusal: Refusal) -> FhirError {
    let (code, text) = match refusal {
        Refusal::Invalid => (IssueCode::Login, "The access token is not valid"),
        Refusal::Expired => (IssueCode::Expired, "The access token has expired"),
    };
    let issue = Issue::error(code, AUTHORIZATION, text);
    FhirError::of_issues(ErrorKind::Unauthorized, vec![issue])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::dpop::ALGORITHMS;

    #[test]
    fn challenges_name_the_algorithms_of_proofs() {
        let algorithms = format!("algs=\"{}\"", ALGORITHMS.join(" "));
        let nonce = Challenge::Nonce(String::new());
        for challenge in [Challenge::Token(Scheme::Dpop), Challenge::Proof, nonce] {
            assert!(challenge.header().ends_with(&algorithms), "{challenge:?}");
        }
        assert!(Challenge::DPOP.ends_with(&algorithms));
    }
}
