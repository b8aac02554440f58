//! A person's browser at one of the pages: its cookies, its language, and who is signed in.

use super::about::{About, refused, tell};
use super::agents;
use super::problem::Problem;
use super::texts::{self, Texts};
use crate::access::{Origin, Role};
use crate::error::Result;
use crate::oauth::AuthorizationServer;
use crate::oauth::accounts::needs_factor;
use crate::storage::{Account, NewSession, Session};
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE, HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, Response, Uri, request::Parts};
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const LONGEST: Duration = Duration::hours(12);
/// From the password to the second factor; longer where that has to be set up.
const FACTOR_WITHIN: Duration = Duration::minutes(5);
/// A browser is known for so long.
const KNOWN_FOR: Duration = Duration::days(90);
const SET_UP_WITHIN: Duration = Duration::minutes(15);

/// One request of a browser.
pub struct Visit {
    pub server: Arc<AuthorizationServer>,
    pub texts: &'static Texts,
    pub origin: Origin,
    pub now: DateTime<Utc>,
    pub signed_in: Option<SignedIn>,
    /// The page, up to one more parameter of its query.
    pub here: String,
    /// Names the browser, signed in or not; forms are bound to it.
    visitor: String,
    /// Of a browser that has shown a second factor before.
    device: Option<String>,
    cookies: Vec<HeaderValue>,
}

/// A person and the session.
#[derive(Clone)]
pub struct SignedIn {
    pub session: Session,
    pub account: Account,
}

impl SignedIn {
    /// Whether nothing is left to prove.
    pub fn is_complete(&self) -> bool {
        is_whole(&self.account, self.session.methods.iter().map(String::as_str))
    }
}

/// Whether these methods prove enough for the account.
fn is_whole<'a>(account: &Account, mut methods: impl Iterator<Item = &'a str>) -> bool {
    let has_shown = methods.any(|method| method != "pwd");
    has_shown || (!needs_factor(account.role) && !account.has_factor())
}

/// Without use for so long a session ends.
pub fn idle(role: Role) -> Duration {
    match role {
        Role::Patient => Duration::minutes(30),
        _ => Duration::minutes(15),
    }
}

impl FromRequestParts<Arc<AuthorizationServer>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<AuthorizationServer>,
    ) -> Result<Visit, Problem> {
        if !server.is_safe_for_people() {
            return Err(Problem::new(403, |texts| texts.needs_https));
        }
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let visitor = cookie(&parts.headers, server.cookie_name("visit"));
        let is_new = visitor.is_none();
        let visitor = visitor.map_or_else(crate::oauth::new_secret, Ok)?;
        let mut visit = Visit {
            texts: texts::of_request(parts.uri.query(), &parts.headers),
            now: server.context.clock.now(),
            server: server.clone(),
            origin,
            signed_in: None,
            here: here(&parts.uri),
            visitor,
            device: cookie(&parts.headers, server.cookie_name("device")),
            cookies: Vec::new(),
        };
        if is_new {
            visit.set_cookie("visit", &visit.visitor.clone(), None);
        }
        if let Some(language) = texts::asked(parts.uri.query()) {
            visit.set_cookie("language", language, Some(Duration::days(365)));
        }
        visit.recognise(&parts.headers).await?;
        let chose = cookie(&parts.headers, server.cookie_name("language")).is_some()
            || texts::asked(parts.uri.query()).is_some();
        if let (false, Some(signed_in)) = (chose, &visit.signed_in) {
            visit.texts = texts::of_language(&signed_in.account.language);
        }
        Ok(visit)
    }
}

impl Visit {
    /// Finds who is signed in.
    async fn recognise(&mut self, headers: &HeaderMap) -> Result<()> {
        let Some(token) = cookie(headers, self.server.cookie_name("session")) else {
            return Ok(());
        };
        let store = &self.server.context.store;
        let Some(session) = store.session(&crate::oauth::hash(&token), self.now).await? else {
            return Ok(());
        };
        let Some(account) = store.account(&session.account).await? else { return Ok(()) };
        let is_idle = self.now - session.seen > idle(account.role);
        let is_moved = self.family() != session.user_agent.as_deref().map(agents::family);
        if is_moved {
            let about = About { account: Some(&account.account), client: None };
            tell(&self.server, refused("a session of another browser"), about, &self.origin)
                .await?;
        }
        if is_idle || is_moved {
            store.end_sessions(&account.account, &[session.hash], self.now).await?;
            return Ok(());
        }
        store.touch_session(&session.hash, self.now).await?;
        self.signed_in = Some(SignedIn { session, account });
        Ok(())
    }

    /// The browser as it names itself, whichever its version.
    fn family(&self) -> Option<&str> {
        self.origin.user_agent.as_deref().map(agents::family)
    }

    /// Who is signed in and has proved everything; else the page where that is done. `request` is
    /// an authorization request under way.
    pub fn complete(&self, request: Option<&str>) -> Result<SignedIn, Problem> {
        match &self.signed_in {
            Some(signed_in) if signed_in.is_complete() => Ok(signed_in.clone()),
            Some(signed_in) if signed_in.account.has_factor() => {
                Err(Problem::elsewhere(with_request("/login/mfa", request)))
            }
            Some(_) => Err(Problem::elsewhere(with_request("/account/mfa", request))),
            None => Err(Problem::elsewhere(with_request("/login", request))),
        }
    }

    /// Begins a session in place of the one there may be.
    pub async fn begin(&mut self, account: &Account, methods: &[&str]) -> Result<()> {
        let store = &self.server.context.store;
        let is_whole = is_whole(account, methods.iter().copied());
        let within = match (is_whole, account.has_factor()) {
            (true, _) => LONGEST,
            (false, true) => FACTOR_WITHIN,
            (false, false) => SET_UP_WITHIN,
        };
        let before = self.signed_in.take();
        if let Some(before) = &before {
            let hashes = [before.session.hash.clone()];
            store.end_sessions(&before.account.account, &hashes, self.now).await?;
        }
        let token = crate::oauth::new_secret()?;
        let new = NewSession {
            hash: &crate::oauth::hash(&token),
            account: &account.account,
            epoch: account.epoch,
            methods,
            user_agent: self.origin.user_agent.as_deref(),
            expires: self.now + within,
        };
        store.create_session(&new, self.now).await?;
        // A second factor completes the sign-in by a provider; a sign-in anew is another one.
        let half = before.filter(|one| !one.is_complete());
        if let Some(half) = half.filter(|half| half.account.account == account.account) {
            store.move_upstream_sign_in(&half.session.hash, new.hash).await?;
        }
        self.signed_in = store
            .session(new.hash, self.now)
            .await?
            .map(|session| SignedIn { session, account: account.clone() });
        self.set_cookie("session", &token, None);
        Ok(())
    }

    /// Remembers that this browser has shown the second factor of the account.
    pub async fn remember_device(&mut self, account: &Account) -> Result<()> {
        let device = crate::oauth::new_secret()?;
        let store = &self.server.context.store;
        let expires = self.now + KNOWN_FOR;
        store.remember_device(&crate::oauth::hash(&device), &account.account, expires).await?;
        self.set_cookie("device", &device, Some(KNOWN_FOR));
        Ok(())
    }

    /// What attempts at the password of that address are counted for: the browser, where the
    /// account knows it, else the address of mail.
    pub async fn counted_for(&self, email: &str) -> Result<(&'static str, String)> {
        let Some(device) = &self.device else { return Ok(("password", email.to_owned())) };
        let store = &self.server.context.store;
        match store.is_device_known(&crate::oauth::hash(device), email, self.now).await? {
            true => Ok(("device", device.clone())),
            false => Ok(("password", email.to_owned())),
        }
    }

    /// Ends the session of this browser.
    pub async fn end(&mut self) -> Result<Option<SignedIn>> {
        let signed_in = self.signed_in.take();
        if let Some(SignedIn { session, account }) = &signed_in {
            let hashes = [session.hash.clone()];
            let store = &self.server.context.store;
            store.end_sessions(&account.account, &hashes, self.now).await?;
        }
        self.set_cookie("session", "", Some(Duration::zero()));
        Ok(signed_in)
    }

    /// What is kept of the browser's name, signed in or not.
    pub fn visitor_hash(&self) -> [u8; 32] {
        crate::oauth::hash(&self.visitor)
    }

    /// What every form of this browser brings back.
    pub fn form_token(&self) -> String {
        self.server.people.keys.form_token(&self.binding())
    }

    pub fn is_form_token(&self, token: &str) -> bool {
        self.server.people.keys.is_form_token(&self.binding(), token)
    }

    /// The session and the browser, so that a form of before the sign-in is void after it.
    fn binding(&self) -> Vec<u8> {
        let session = self.signed_in.as_ref().map_or(&[][..], |one| &one.session.hash);
        [session, b"\n", self.visitor.as_bytes()].concat()
    }

    /// SHA-256 of the browser and the session: what is begun here is ended here.
    pub fn browser(&self) -> [u8; 32] {
        Sha256::digest(self.binding()).into()
    }

    fn set_cookie(&mut self, name: &'static str, value: &str, age: Option<Duration>) {
        let name = self.server.cookie_name(name);
        let secure = if self.server.is_https() { "; Secure" } else { "" };
        let age = age.map_or_else(String::new, |age| format!("; Max-Age={}", age.num_seconds()));
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
        self.cookies.extend(HeaderValue::from_str(&text));
    }

    /// The answer with the cookies that changed.
    pub fn with_cookies<B>(&self, mut response: Response<B>) -> Response<B> {
        for cookie in &self.cookies {
            response.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        response
    }
}

/// Pages that are only sent to are shown at the account.
const ONLY_SENT_TO: [&str; 6] = [
    "/account/language",
    "/account/sessions",
    "/account/password",
    "/account/claim",
    "/account/passkeys/name",
    "/account/factors/keep",
];

fn here(uri: &Uri) -> String {
    let path = match ONLY_SENT_TO.contains(&uri.path()) {
        true => "/account",
        false => uri.path(),
    };
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let kept = pairs.filter(|(name, _)| name != "ui_locales");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    let joint = if query.is_empty() { "" } else { "&" };
    format!("{path}?{query}{joint}")
}

/// `path?request=...`
pub fn with_request(path: &str, request: Option<&str>) -> String {
    with_next(path, (request, None))
}

/// `path?request=...&next=...`: what is under way, and where to go on after it.
pub fn with_next(path: &str, (request, next): (Option<&str>, Option<&str>)) -> String {
    let pairs = [("request", request), ("next", next)];
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{query}"),
    }
}

/// The value of a cookie, None where it comes twice: one of them is somebody else's.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(own, _)| own.trim() == name).map(|(_, value)| value.trim());
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.to_owned()),
        _ => None,
    }
}

/// The languages that the browser's cookie and headers ask for, the preferred first.
pub fn languages(headers: &HeaderMap) -> Vec<String> {
    let chosen = ["__Host-bhn-language", "bhn-language"];
    let chosen = chosen.into_iter().filter_map(|name| cookie(headers, name));
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|line| line.to_str().ok());
    let mut ranges: Vec<(f32, &str)> = accepted
        .unwrap_or_default()
        .split(',')
        .take(20)
        .filter_map(|range| {
            let (language, quality) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = quality.trim().strip_prefix("q=")?.parse().ok()?;
            Some((quality, language.trim()))
        })
        .collect();
    ranges.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    chosen.chain(ranges.into_iter().map(|(_, language)| language.to_owned())).collect()
}
