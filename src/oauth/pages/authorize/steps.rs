//! What is still missing of an authorization request, asked for in this order: sign-in, patient,
//! encounter, consent. Then the code.

use super::super::posted::Fields;
use super::super::problem::Problem;
use super::super::render;
use super::super::visit::{SignedIn, Visit, with_request};
use super::request::{Picked, contexts_of};
use super::{Pending, end, keep, patients, pending, redirect};
use crate::access::smart_scope::Level;
use crate::access::{Holder, LaunchContext, Role, Scopes, ceiling};
use crate::oauth::events::SecurityEvent;
use crate::oauth::pages::about::{About, tell};
use crate::storage::{App, CodeGrant};
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;
use chrono::Duration;
use serde_json::{Map, Value, json};

const CODE_FOR: Duration = Duration::seconds(60);

/// A request whose person is known.
pub struct Known {
    pub pending: Pending,
    pub signed_in: SignedIn,
    pub app: App,
    /// What the role lets this person grant.
    pub scopes: Scopes,
}

/// `GET /oauth/continue`
pub async fn next_step(visit: Visit, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let query = Fields::parse(query.unwrap_or_default().as_bytes());
    let handle = query.request().ok_or_else(|| Problem::new(400, |texts| texts.request_ended))?;
    let pending = pending(&visit, handle).await?;
    let is_silent = pending.request.has_prompt("none");
    let mut known = match known(&visit, pending, handle).await {
        Ok(known) => known,
        Err(Unknown::Problem(problem)) => return Err(problem),
        Err(Unknown::Elsewhere(pending, _)) if is_silent => {
            return end(&visit, &pending, ("login_required", "nobody is signed in")).await;
        }
        Err(Unknown::Elsewhere(_, path)) => return Ok(render::see_other(&visit, &path)),
    };
    if known.scopes.is_empty() {
        let text = "the person may not grant any of the scopes";
        return end(&visit, &known.pending, ("invalid_scope", text)).await;
    }
    if !is_of_launch(&known) {
        let text = "the application was launched for somebody else";
        return end(&visit, &known.pending, ("access_denied", text)).await;
    }
    if let Some(path) = context_missing(&visit, &mut known).await? {
        if is_silent {
            let text = "the person has to pick";
            return end(&visit, &known.pending, ("interaction_required", text)).await;
        }
        return Ok(render::see_other(&visit, &with_request(path, Some(handle))));
    }
    let is_skipped = known.app.skips_consent && !known.pending.request.has_prompt("consent");
    match (is_skipped, is_silent) {
        (true, _) => {
            let scopes = known.scopes.clone();
            issue(&visit, &known, (&scopes, Consent::Skipped)).await
        }
        (false, true) => {
            let text = "the person has to consent";
            end(&visit, &known.pending, ("consent_required", text)).await
        }
        (false, false) => Ok(render::see_other(&visit, &with_request("/consent", Some(handle)))),
    }
}

/// Whether a launch was for this person, and of his own record where he is a patient.
fn is_of_launch(known: &Known) -> bool {
    let (request, account) = (&known.pending.request, &known.signed_in.account);
    let is_own = request.launched_by.as_ref().is_none_or(|launched| *launched == account.account);
    let rid = request.launch.as_ref().and_then(|context| context.get("patient_rid")?.as_i64());
    let is_visible = account.role != Role::Patient
        || rid.is_none_or(|rid| patients::own(account).iter().any(|own| own.rid == rid));
    is_own && is_visible
}

/// Why the person of a request is not known.
pub enum Unknown {
    Problem(Problem),
    /// The page where that is done.
    Elsewhere(Box<Pending>, String),
}

impl<E: Into<Problem>> From<E> for Unknown {
    fn from(error: E) -> Unknown {
        Unknown::Problem(error.into())
    }
}

/// The person of the request, signed in as it asks.
pub async fn known(visit: &Visit, pending: Pending, handle: &str) -> Result<Known, Unknown> {
    let login = with_request("/login", Some(handle));
    let half = visit.signed_in.as_ref().filter(|one| !one.is_complete());
    let Some(signed_in) = visit.signed_in.clone().filter(SignedIn::is_complete) else {
        let path = match half.map(|one| one.account.has_factor()) {
            Some(true) => with_request("/login/mfa", Some(handle)),
            Some(false) => with_request("/account/mfa", Some(handle)),
            None => login,
        };
        return Err(Unknown::Elsewhere(Box::new(pending), path));
    };
    let request = &pending.request;
    let age = visit.now - signed_in.session.created;
    let is_too_old = request.max_age.is_some_and(|most| age > Duration::seconds(most))
        && signed_in.session.created < pending.created;
    let is_asked_anew = (request.has_prompt("login") || request.has_prompt("select_account"))
        && signed_in.session.created < pending.created;
    if is_too_old || is_asked_anew {
        return Err(Unknown::Elsewhere(Box::new(pending), login));
    }
    let app = visit.server.context.store.app(&request.client).await?;
    let app = app.ok_or_else(|| Problem::new(400, |texts| texts.request_ended))?;
    let scopes = ceiling((signed_in.account.role, Holder::Person), &request.scopes());
    // What the person left out is not granted.
    let picked = request.picked.iter().filter(|own| own.account == signed_in.account.account);
    let contexts = picked.flat_map(|picked| &picked.contexts);
    let left_out: Vec<&str> = contexts
        .filter(|(_, reference)| reference.is_none())
        .map(|(scope, _)| scope.as_str())
        .collect();
    let scopes =
        scopes.iter().filter(|scope| !left_out.contains(&scope.to_string().as_str())).cloned();
    let scopes = scopes.collect();
    Ok(Known { pending, signed_in, app, scopes })
}

/// The same for pages, which redirect by themselves.
pub async fn known_at_page(visit: &Visit, handle: Option<&str>) -> Result<Known, Problem> {
    let handle = handle.ok_or_else(|| Problem::new(400, |texts| texts.request_ended))?;
    let pending = pending(visit, handle).await?;
    known(visit, pending, handle).await.map_err(|unknown| match unknown {
        Unknown::Problem(problem) => problem,
        Unknown::Elsewhere(_, path) => Problem::elsewhere(path),
    })
}

/// What the person picked; nothing that another one did, nor anybody for whom he acts no more.
pub fn picked(known: &Known) -> Picked {
    let account = &known.signed_in.account.account;
    let own = known.pending.request.picked.clone().filter(|picked| picked.account == *account);
    let own = own.filter(|picked| is_open(&known.signed_in, picked));
    own.unwrap_or_else(|| Picked {
        account: account.clone(),
        patient: None,
        encounter: None,
        contexts: Vec::new(),
    })
}

/// Whether what was picked is the person's still, where he is a patient.
fn is_open(signed_in: &SignedIn, picked: &Picked) -> bool {
    let own = patients::own(&signed_in.account);
    let is_own = |rid: i64| own.iter().any(|link| link.rid == rid);
    let account = &signed_in.account;
    account.role != Role::Patient || picked.patient.as_ref().is_none_or(|(_, rid)| is_own(*rid))
}

/// Whether a patient has to be in context (SMART App Launch 2.2: a `patient/` scope needs one).
pub fn needs_patient(scopes: &Scopes) -> bool {
    scopes.has("launch/patient")
        || scopes.has("launch/encounter")
        || scopes.resources().any(|scope| scope.level == Level::Patient)
}

/// The page where a patient or an encounter is picked, if one is missing. A patient who is the
/// only one that the person can choose is chosen.
async fn context_missing(
    visit: &Visit,
    known: &mut Known,
) -> Result<Option<&'static str>, Problem> {
    let launch = known.pending.request.launch.as_ref();
    let launched = |name: &str| launch.is_some_and(|context| context.get(name).is_some());
    let mut picked = picked(known);
    if needs_patient(&known.scopes) && !launched("patient") && picked.patient.is_none() {
        let own = patients::own(&known.signed_in.account);
        match (known.signed_in.account.role, &own[..]) {
            (Role::Patient, [only]) => {
                picked.patient = Some((only.key.id.as_str().to_owned(), only.rid));
                known.pending.request.picked = Some(picked.clone());
                keep(visit, &known.pending).await?;
            }
            _ => return Ok(Some("/pick-patient")),
        }
    }
    let needs_encounter = known.scopes.has("launch/encounter") && !launched("encounter");
    Ok(match next_context(known) {
        _ if needs_encounter && picked.encounter.is_none() => Some("/pick-encounter"),
        Some(_) => Some("/pick-context"),
        None => None,
    })
}

/// The first scope for further context that nothing was picked for yet. An EHR has given its own.
pub fn next_context(known: &Known) -> Option<(String, LaunchContext)> {
    let picked = picked(known);
    let is_picked = |scope: &str| picked.contexts.iter().any(|(own, _)| own == scope);
    let is_launched = known.pending.request.launch.is_some();
    let mut all = contexts_of(&known.scopes).into_iter();
    all.find(|(scope, _)| !is_launched && !is_picked(scope))
}

pub fn about(known: &Known) -> About<'_> {
    let account = Some(known.signed_in.account.account.as_str());
    About { account, client: Some(&known.app.client) }
}

/// The launch context as the token response has it.
fn launch_of(known: &Known) -> (Value, Option<i64>) {
    let mut context = match &known.pending.request.launch {
        Some(Value::Object(context)) => context.clone(),
        _ => Map::new(),
    };
    let mut patient_rid = context.remove("patient_rid").and_then(|rid| rid.as_i64());
    let picked = picked(known);
    if let (None, Some((id, rid))) = (context.get("patient"), &picked.patient) {
        context.insert("patient".to_owned(), Value::from(id.as_str()));
        context.insert("need_patient_banner".to_owned(), Value::Bool(true));
        patient_rid = Some(*rid);
    }
    if let (None, Some(id)) = (context.get("encounter"), &picked.encounter) {
        context.insert("encounter".to_owned(), Value::from(id.as_str()));
    }
    let further: Vec<Value> = picked.contexts.iter().filter_map(fhir_context).collect();
    if !further.is_empty() && !context.contains_key("fhirContext") {
        context.insert("fhirContext".to_owned(), Value::Array(further));
    }
    (Value::Object(context), patient_rid)
}

/// A picked resource as `fhirContext` has it.
fn fhir_context((scope, reference): &(String, Option<String>)) -> Option<Value> {
    let role = LaunchContext::parse(scope)?.role;
    let mut entry = json!({ "reference": reference.as_ref()? });
    if let Some(role) = role {
        entry["role"] = role.into();
    }
    Some(entry)
}

/// Whether the person was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consent {
    Given,
    Skipped,
}

/// Grants the scopes and redirects with a code.
pub async fn issue(
    visit: &Visit,
    known: &Known,
    (scopes, consent): (&Scopes, Consent),
) -> Result<Response<Body>, Problem> {
    let Known { pending, signed_in, app, .. } = known;
    let (session, account) = (&signed_in.session, &signed_in.account);
    let (launch, patient_rid) = launch_of(known);
    let is_offline = scopes.has("offline_access");
    let code = crate::oauth::new_secret()?;
    let new = CodeGrant {
        request: &pending.hash,
        client: (&app.client, app.epoch),
        account: (&account.account, account.epoch),
        session: (!is_offline).then_some(session.hash.as_slice()),
        scopes: &scopes.to_string(),
        launch: &launch,
        patient_rid,
        methods: &session.methods,
        signed_in: session.created,
        code: &crate::oauth::hash(&code),
        expires: visit.now + CODE_FOR,
        redirect_uri: &pending.request.redirect_uri,
        code_challenge: &pending.request.code_challenge,
        nonce: pending.request.nonce.as_deref(),
        dpop_jkt: pending.request.dpop_jkt.as_deref(),
    };
    let grant = visit.server.context.store.issue_grant(&new, visit.now).await?;
    let grant = grant.ok_or_else(|| Problem::new(400, |texts| texts.request_ended))?;
    if !visit.server.upstream.providers().is_empty() {
        visit.server.context.store.tie_upstream(grant, &session.hash).await?;
    }
    let scopes = scopes.to_string();
    let event = match consent {
        Consent::Given => SecurityEvent::ConsentGiven { grant, scopes },
        Consent::Skipped => SecurityEvent::ConsentSkipped { grant, scopes },
    };
    tell(&visit.server, event, about(known), &visit.origin).await?;
    let mut pairs = vec![("code", code.as_str())];
    pairs.extend(pending.request.state.as_deref().map(|state| ("state", state)));
    pairs.push(("iss", visit.server.issuer()));
    Ok(render::see_other(visit, &redirect(&pending.request.redirect_uri, &pairs)))
}
