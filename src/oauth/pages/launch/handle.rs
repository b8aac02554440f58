//! What a launch is: a client, a context, and a handle of one use.

use super::super::authorize::principal_of;
use super::super::visit::Visit;
use crate::access::{Asker, Authenticate, Caller, Link, Role, Scopes};
use crate::error::{FhirError, IssueCode, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::interaction::{Interaction, Prefer, Request as Asked, Unless};
use crate::fhir::resource::{Id, ResourceKey};
use crate::fhir::subset::Subset;
use crate::interactions;
use crate::oauth::AuthorizationServer;
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const GOOD_FOR: Duration = Duration::minutes(5);
const MOST_BYTES: usize = 16 << 10;
const MOST_CONTEXT: usize = 20;
const SCOPE: &str = "__bhn.launch.c";

/// What is launched, and where.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Launched {
    client_id: String,
    /// The account that may use the launch; anybody who signs in where it is not given.
    user: Option<String>,
    patient: Option<String>,
    encounter: Option<String>,
    #[serde(rename = "fhirContext", default)]
    fhir_context: Vec<Map<String, Value>>,
    intent: Option<String>,
    need_patient_banner: Option<bool>,
    smart_style_url: Option<String>,
    tenant: Option<String>,
    /// Of a page.
    form_token: Option<String>,
}

impl Launched {
    /// A client, with a patient or without.
    pub fn of(client: &str, patient: Option<&str>) -> Launched {
        let (client_id, patient) = (client.to_owned(), patient.map(str::to_owned));
        Launched { client_id, patient, ..Launched::default() }
    }
}

/// Who launches.
pub struct Launcher {
    asker: Asker,
    account: Option<String>,
}

/// 201 with `launch`, good for five minutes and one use by that client.
pub async fn launch(
    State(server): State<Arc<AuthorizationServer>>,
    request: Request,
) -> Response<Body> {
    match made(&server, request).await {
        Ok(handle) => {
            answer(201, &json!({ "launch": handle, "expires_in": GOOD_FOR.num_seconds() }))
        }
        Err(error) if error.kind.status() >= 500 => {
            tracing::error!(cause = ?error.source, "a launch failed: {error}");
            answer(error.kind.status(), &json!({ "error": "server_error" }))
        }
        Err(error) => {
            let text = error.issues.first().map(|issue| issue.diagnostics.as_str());
            let body = json!({ "error": "invalid_request", "error_description": text });
            answer(error.kind.status(), &body)
        }
    }
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn made(server: &Arc<AuthorizationServer>, request: Request) -> Result<String> {
    let (mut parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_none_or(|kind| !kind.starts_with("application/json")) {
        return Err(refused("A launch is application/json"));
    }
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| refused("The body is too large"))?;
    let launched: Launched =
        serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    let authorization = parts.headers.get(AUTHORIZATION).cloned();
    let authenticate = parts.extensions.get::<Arc<dyn Authenticate>>().cloned();
    let visit = Visit::from_request_parts(&mut parts, server).await;
    let visit = visit.map_err(|_| unauthorized())?;
    let launcher = match (authorization, authenticate) {
        (Some(_), Some(authenticate)) => {
            let credentials = server.credentials(&parts);
            let caller = authenticate.caller(credentials).await?;
            of_caller(caller, &visit)?
        }
        (Some(_), None) => return Err(unauthorized()),
        (None, _) => {
            let is_ours = visit.is_form_token(launched.form_token.as_deref().unwrap_or_default());
            of_session(&visit).filter(|_| is_ours).ok_or_else(unauthorized)?
        }
    };
    begin(&visit, &launcher, &launched).await
}

/// A handle for the launch, which is checked here.
pub async fn begin(visit: &Visit, launcher: &Launcher, launched: &Launched) -> Result<String> {
    let server = &visit.server;
    let app = server.context.store.app(&launched.client_id).await?;
    let app = app.ok_or_else(|| refused("client_id is not known"))?;
    let context = context(server, launcher, launched).await?;
    let handle = crate::oauth::new_secret()?;
    let account = launcher.account.as_deref().or(launched.user.as_deref());
    let is_known = match account {
        Some(account) if uuid::Uuid::parse_str(account).is_err() => false,
        Some(account) => server.context.store.account(account).await?.is_some(),
        None => true,
    };
    if !is_known {
        return Err(refused("user is not known"));
    }
    let of_client = (app.client.as_str(), account, &Value::Object(context));
    let times = (visit.now, visit.now + GOOD_FOR);
    server.context.store.create_launch(&crate::oauth::hash(&handle), of_client, times).await?;
    let about = About { account, client: Some(&app.client) };
    tell(server, SecurityEvent::Launched, about, &visit.origin).await?;
    Ok(handle)
}

fn refused(text: impl Into<String>) -> FhirError {
    FhirError::at(IssueCode::Invalid, "", text)
}

fn unauthorized() -> FhirError {
    let text = "A member of staff or a system with __bhn.launch.c launches";
    FhirError::new(crate::error::ErrorKind::Unauthorized, IssueCode::Login, text)
}

fn of_caller(caller: Caller, visit: &Visit) -> Result<Launcher> {
    let may = matches!(&caller, Caller::Principal(principal) if principal.scopes.has(SCOPE));
    match may {
        true => {
            let asker = Asker { caller, origin: visit.origin.clone() };
            Ok(Launcher { asker, account: None })
        }
        false => Err(unauthorized()),
    }
}

/// A member of staff, by session: the launch is his own. None for everybody else.
pub fn of_session(visit: &Visit) -> Option<Launcher> {
    let signed_in = visit.complete(None).ok()?;
    if signed_in.account.role == Role::Patient {
        return None;
    }
    let scopes = Scopes::parse("user/*.rs").unwrap_or_default();
    let principal = principal_of(visit, &signed_in.account, scopes);
    let asker =
        Asker { caller: Caller::Principal(Arc::new(principal)), origin: visit.origin.clone() };
    Some(Launcher { asker, account: Some(signed_in.account.account) })
}

/// The context as the token response will have it. What the launcher may not read is not there.
async fn context(
    server: &AuthorizationServer,
    launcher: &Launcher,
    launched: &Launched,
) -> Result<Map<String, Value>> {
    let mut context = Map::new();
    if let Some(id) = &launched.patient {
        let link = readable(server, launcher, ("Patient", id)).await?;
        context.insert("patient".to_owned(), Value::from(id.as_str()));
        context.insert("patient_rid".to_owned(), Value::from(link.rid));
    }
    if let Some(id) = &launched.encounter {
        readable(server, launcher, ("Encounter", id)).await?;
        context.insert("encounter".to_owned(), Value::from(id.as_str()));
    }
    let of_context = launched.fhir_context.iter().all(is_context);
    if !of_context || launched.fhir_context.len() > MOST_CONTEXT {
        return Err(refused(
            "fhirContext has objects with a relative reference, a canonical or an identifier, a \
             role that is a URI, and no Patient or Encounter unless with such a role",
        ));
    }
    if !launched.fhir_context.is_empty() {
        let all = launched.fhir_context.iter().cloned().map(Value::Object).collect();
        context.insert("fhirContext".to_owned(), Value::Array(all));
    }
    let banner = launched.need_patient_banner.unwrap_or(true);
    context.insert("need_patient_banner".to_owned(), Value::Bool(banner));
    let own_style = format!("{}/smart-style.json", server.issuer());
    let style = launched.smart_style_url.clone().unwrap_or(own_style);
    let is_url = url::Url::parse(&style).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    if !is_url {
        return Err(refused("smart_style_url is no URL"));
    }
    context.insert("smart_style_url".to_owned(), Value::from(style));
    for (name, value) in [("intent", &launched.intent), ("tenant", &launched.tenant)] {
        context.extend(value.iter().map(|value| (name.to_owned(), Value::from(value.as_str()))));
    }
    Ok(context)
}

/// SMART App Launch 2.2, `fhirContext`: what has no role has the role `launch`, and another role is
/// an absolute URI.
fn is_context(entry: &Map<String, Value>) -> bool {
    let text = |name: &str| entry.get(name).map(|value| value.as_str().filter(|t| !t.is_empty()));
    let is_text = |name: &str| text(name).is_none_or(|text| text.is_some());
    let reference = text("reference").flatten();
    let key = reference.map(ResourceKey::parse);
    let identifier = entry.get("identifier");
    let named =
        [text("type").flatten(), key.iter().flatten().next().map(|k| k.resource_type.name())];
    let is_own = named.into_iter().flatten().any(|name| ["Patient", "Encounter"].contains(&name));
    let role = text("role").flatten().unwrap_or("launch");
    let is_role = role == "launch" || url::Url::parse(role).is_ok();
    let is_named = reference.is_some() || entry.contains_key("canonical") || identifier.is_some();
    let is_type = text("type").flatten().is_none_or(|name| ResourceType::parse(name).is_some());
    is_named
        && ["reference", "canonical", "type", "role"].into_iter().all(is_text)
        && key.is_none_or(|key| key.is_some())
        && identifier.is_none_or(Value::is_object)
        && is_type
        && is_role
        && (!is_own || role != "launch")
}

async fn readable(
    server: &AuthorizationServer,
    launcher: &Launcher,
    (name, id): (&'static str, &str),
) -> Result<Link> {
    let unknown = || refused(format!("{name}/{id} is not known"));
    let key = ResourceType::parse(name).zip(Id::parse(id));
    let key = key.map(|(kind, id)| ResourceKey::new(kind, id)).ok_or_else(unknown)?;
    let asked = Asked {
        interaction: Interaction::Read { key: key.clone(), unless: Unless::default() },
        subset: Subset::None,
        prefer: Prefer::default(),
        presentation: Vec::new(),
        idempotency_key: None,
        provenance: None,
    };
    let context = server.context.current();
    match interactions::perform(&context, &launcher.asker, asked).await {
        Ok(_) => {}
        Err(error) if error.kind.status() < 500 => return Err(unknown()),
        Err(error) => return Err(error),
    }
    let rids = server.context.store.intern_references([&key]).await?;
    rids.get(&key).map(|rid| Link { rid: *rid, key: key.clone() }).ok_or_else(unknown)
}
