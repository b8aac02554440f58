//! What tokens are bound to: the key of a proof (RFC 9449, 5), a client certificate (RFC 8705, 3).

use crate::access::dpop::Fault;
use crate::access::jwt::Confirmation;
use crate::oauth::AuthorizationServer;
use crate::oauth::error::{OAuthError, OAuthResult};
use crate::oauth::form::Form;
use crate::storage::{Client, ClientKind, Grant};

impl AuthorizationServer {
    /// The thumbprint of the key of the proof that came with a request of a client, which is spent
    /// then. None where there was none; 400 for one that is not good.
    pub async fn proven_key(&self, client: &Client, form: &Form) -> OAuthResult<Option<String>> {
        let credentials = self.credentials(&form.parts);
        let Some(proof) = credentials.proof else { return Ok(None) };
        let now = self.context.clock.now();
        let checked = self.proofs.check((proof, credentials.target), None, now);
        let proof = checked.map_err(|fault| match fault {
            Fault::Invalid(reason) => OAuthError::invalid_proof(reason),
            Fault::Nonce => OAuthError::use_nonce(self.proofs.nonce(now)),
        })?;
        match self.context.store.use_jti(&client.id, &proof.once, proof.ends).await? {
            true => Ok(Some(proof.jkt)),
            false => Err(OAuthError::invalid_proof("it was used before")),
        }
    }

    /// What the tokens of a request are bound to. 400 where the client's have to be, and the
    /// request brings nothing that they could be bound to.
    pub(super) async fn binding(&self, client: &Client, form: &Form) -> OAuthResult<Confirmation> {
        let jkt = self.proven_key(client, form).await?;
        if jkt.is_none() && client.terms.is_dpop_bound {
            return Err(OAuthError::invalid_proof(
                "it is missing, and the client's tokens need it",
            ));
        }
        let is_by_certificate = client.terms.is_certificate_bound || client.kind.has_certificate();
        let is_free = jkt.is_some() || !client.wants_binding();
        if !is_by_certificate && is_free {
            return Ok(Confirmation { jkt, x5t: None });
        }
        let text = "The client's tokens are bound: send a DPoP proof, or show its certificate";
        let shown = form.certificate().ok_or_else(|| OAuthError::invalid_request(text))?;
        Ok(Confirmation { jkt, x5t: Some(shown.thumbprint()) })
    }

    /// Whether a refresh token is used with what it is bound to. Public clients have nothing else
    /// that shows that it is theirs; it is bound from its first use with a key on.
    pub(super) async fn rebind(
        &self,
        client: &Client,
        grant: &Grant,
        bound: &Confirmation,
    ) -> OAuthResult<()> {
        let is_kept = |own: &Option<String>, shown: &Option<String>| own.is_none() || own == shown;
        if !is_kept(&grant.bound.jkt, &bound.jkt) || !is_kept(&grant.bound.x5t, &bound.x5t) {
            let text = "The refresh token is bound to a key that the request does not show";
            return Err(OAuthError::invalid_grant(text));
        }
        match client.kind == ClientKind::Public && grant.bound != *bound {
            true => Ok(self.context.store.bind_grant(grant.id, bound).await?),
            false => Ok(()),
        }
    }
}

/// How a token is brought.
pub fn token_type(bound: Option<&Confirmation>) -> &'static str {
    match bound.is_some_and(|bound| bound.jkt.is_some()) {
        true => "DPoP",
        false => "Bearer",
    }
}
