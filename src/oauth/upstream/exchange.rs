//! What is asked of a provider: the URL that people are sent to, tokens for a code, tokens for a
//! refresh token.

use super::id_token::{Expected, IdClaims};
use super::metadata::Metadata;
use super::{Provider, Upstream, UpstreamError};
use crate::access::jwt;
use crate::error::{FhirError, Result};
use crate::oauth::clients::{ALGORITHMS, the_key};
use crate::oauth::outbound::{Outbound, OutboundError};
use crate::oauth::secrets::new_secret;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

/// Bytes of an answer of the token endpoint.
const BYTES: usize = 64 << 10;

/// What OpenID Connect adds to the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

/// How the crate calls out.
struct Http<'a>(&'a Outbound);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = OutboundError;
    type Future = BoxFuture<'c, Result<HttpResponse, OutboundError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        self.0.send(request, BYTES).boxed()
    }
}

type Tokens = StandardTokenResponse<IdTokenField, BasicTokenType>;
type OpenIdClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;
type Failure = RequestTokenError<OutboundError, BasicErrorResponse>;

/// A request that a person is sent to a provider with.
pub struct Begun {
    pub url: String,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
}

/// What came back with a code.
pub struct Answered<'a> {
    pub code: &'a str,
    /// `iss` of the answer (RFC 9207).
    pub issuer: Option<&'a str>,
    pub nonce: &'a str,
    pub verifier: &'a str,
    /// The person was to be asked anew, at this time.
    pub asked_anew: Option<DateTime<Utc>>,
}

/// Who a provider says that a person is.
pub struct Proven {
    pub claims: IdClaims,
    pub refresh_token: Option<String>,
}

/// What a refresh brought.
pub struct Refreshed {
    /// Of the id_token, which need not be there.
    pub claims: Option<IdClaims>,
    /// Where the provider turns them.
    pub refresh_token: Option<String>,
}

impl Upstream {
    /// A new request; `anew` where the person has to be asked whatever the provider remembers.
    pub async fn begin(
        &self,
        provider: &Provider,
        (anew, language): (bool, &str),
    ) -> Result<Result<Begun, UpstreamError>> {
        let (state, nonce, verifier) = (new_secret()?, new_secret()?, new_secret()?);
        let metadata = match provider.metadata(self).await {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let client = self.client(provider, &metadata)?;
        let verifier = PkceCodeVerifier::new(verifier);
        let scopes = provider.settings.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let mut request = client
            .authorize_url(|| CsrfToken::new(state))
            .add_scopes(scopes)
            .add_extra_param("nonce", nonce.as_str())
            .add_extra_param("ui_locales", language)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if anew {
            request = request.add_extra_param("prompt", "login");
        }
        let (url, state) = request.url();
        let (state, verifier) = (state.into_secret(), verifier.into_secret());
        Ok(Ok(Begun { url: url.into(), state, nonce: nonce.clone(), verifier }))
    }

    /// Redeems a code: who the person is.
    pub async fn redeem(
        &self,
        provider: &Provider,
        answered: &Answered<'_>,
        now: DateTime<Utc>,
    ) -> Result<Result<Proven, UpstreamError>> {
        let metadata = match provider.metadata(self).await {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let is_named =
            answered.issuer.is_some() || !metadata.authorization_response_iss_parameter_supported;
        let is_other = answered.issuer.is_some_and(|issuer| issuer != provider.issuer());
        if is_other || !is_named {
            return Ok(Err(UpstreamError::Refused("iss is not the provider".to_owned())));
        }
        let client = self.client(provider, &metadata)?;
        let request = client
            .exchange_code(AuthorizationCode::new(answered.code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(answered.verifier.to_owned()));
        let http = Http(&self.outbound);
        let tokens = match request.request_async(&http).await {
            Ok(tokens) => tokens,
            Err(error) => return Ok(Err(failed(error))),
        };
        let expected = (Some(answered.nonce), answered.asked_anew, now);
        let claims = self.claims(provider, (&metadata, &tokens), expected).await;
        let refresh_token = tokens.refresh_token().map(|token| token.secret().clone());
        let missing = UpstreamError::IdToken("there is none");
        Ok(claims
            .and_then(|claims| claims.ok_or(missing))
            .map(|claims| Proven { claims, refresh_token }))
    }

    /// Asks whether the provider still stands by a person.
    pub async fn refresh(
        &self,
        provider: &Provider,
        refresh_token: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<Refreshed, UpstreamError>> {
        let metadata = match provider.metadata(self).await {
            Ok(metadata) => metadata,
            Err(error) => return Ok(Err(error)),
        };
        let client = self.client(provider, &metadata)?;
        let refresh_token = RefreshToken::new(refresh_token.to_owned());
        let http = Http(&self.outbound);
        let tokens = match client.exchange_refresh_token(&refresh_token).request_async(&http).await
        {
            Ok(tokens) => tokens,
            Err(error) => return Ok(Err(failed(error))),
        };
        let claims = self.claims(provider, (&metadata, &tokens), (None, None, now)).await;
        let refresh_token = tokens.refresh_token().map(|token| token.secret().clone());
        Ok(claims.map(|claims| Refreshed { claims, refresh_token }))
    }

    fn client(&self, provider: &Provider, metadata: &Metadata) -> Result<OpenIdClient> {
        let settings = &provider.settings;
        let auth = AuthUrl::new(metadata.authorization_endpoint.clone());
        let token = TokenUrl::new(metadata.token_endpoint.clone());
        let back = RedirectUrl::new(self.redirect_uri(provider)).map_err(FhirError::internal)?;
        let how = match metadata.takes_basic() {
            true => AuthType::BasicAuth,
            false => AuthType::RequestBody,
        };
        let client = Client::new(ClientId::new(settings.client_id.clone()))
            .set_auth_type(how)
            .set_auth_uri(auth.map_err(FhirError::internal)?)
            .set_token_uri(token.map_err(FhirError::internal)?)
            .set_redirect_uri(back);
        Ok(match &provider.secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.clone())),
            None => client,
        })
    }

    /// The checked claims of the id_token of an answer; None where it has none.
    async fn claims(
        &self,
        provider: &Provider,
        (metadata, tokens): (&Metadata, &Tokens),
        (nonce, signed_in_since, now): (Option<&str>, Option<DateTime<Utc>>, DateTime<Utc>),
    ) -> Result<Option<IdClaims>, UpstreamError> {
        let Some(token) = &tokens.extra_fields().id_token else { return Ok(None) };
        let header = jwt::header(token).ok_or(UpstreamError::IdToken("no JWT"))?;
        if !ALGORITHMS.iter().any(|(_, known)| *known == header.alg) {
            return Err(UpstreamError::IdToken("an algorithm that is not believed"));
        }
        if header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(UpstreamError::IdToken("typ is not JWT"));
        }
        let kid = header.kid.as_deref().ok_or(UpstreamError::IdToken("no kid"))?;
        let is_the_one = |key: &serde_json::Value| key["kid"] == kid;
        let keys = self.keys.at(&metadata.jwks_uri, &is_the_one).await;
        let keys = keys.map_err(UpstreamError::IdToken)?;
        let key = the_key(&keys, kid, header.alg);
        let key = key.ok_or(UpstreamError::IdToken("no key, or several, of that kid"))?;
        let wrong = UpstreamError::IdToken("wrong signature, or a claim is missing");
        let claims: IdClaims = key.claims(token).ok_or(wrong)?;
        let expected = Expected {
            issuer: provider.issuer(),
            client_id: &provider.settings.client_id,
            nonce,
            signed_in_since,
            access_token: tokens.access_token().secret(),
            algorithm: header.alg,
        };
        claims.check(&expected, now).map_err(UpstreamError::IdToken)?;
        Ok(Some(claims))
    }
}

impl Provider {
    async fn metadata(
        &self,
        upstream: &Upstream,
    ) -> Result<std::sync::Arc<Metadata>, UpstreamError> {
        self.document.of(self.issuer(), &upstream.outbound).await
    }
}

/// A refusal is one of the code or refresh token; everything else is a failure, ours or theirs.
fn failed(failure: Failure) -> UpstreamError {
    match failure {
        RequestTokenError::ServerResponse(error) => {
            let code = error.error().as_ref().to_owned();
            match code.as_str() {
                "invalid_grant" => UpstreamError::Refused(code),
                _ => UpstreamError::Failed(code),
            }
        }
        RequestTokenError::Request(error) => UpstreamError::Outbound(error),
        // What was answered may hold tokens, and is not told.
        RequestTokenError::Parse(..) => UpstreamError::Failed("not understood".to_owned()),
        RequestTokenError::Other(_) => UpstreamError::Failed("an empty answer".to_owned()),
    }
}
