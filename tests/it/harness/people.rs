//! People of tests: accounts, and a browser with a cookie jar that fills in forms.

use super::cluster::TestDatabase;
use super::{
    Agreement, Authenticator, FhirClient, Reply, TestCallers, TestServer, options, store_settings,
};
use bhn_fhir::access::{Caller, Link, Role};
use bhn_fhir::clock::{Clock, new_id};
use bhn_fhir::config::Settings;
use bhn_fhir::http::{HttpSettings, SignIn};
use bhn_fhir::interactions::Context;
use bhn_fhir::oauth::accounts::Passwords;
use bhn_fhir::search::Registry;
use bhn_fhir::storage::{NewAccount, Status, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use totp_rs::{Builder, Secret};
use url::Url;

pub const PASSWORD: &str = "seven green umbrellas";
pub const APP: &str = "growth-chart";
pub const REDIRECT: &str = "https://app.example/callback";
/// S256 of `dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk` (RFC 7636, appendix B).
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const SCOPES: &str = "openid fhirUser launch launch/patient launch/encounter offline_access \
     online_access patient/*.rs patient/Observation.rs patient/Condition.rs patient/Patient.rs \
     user/*.rs user/Observation.cruds";

/// A browser.
pub struct Browser {
    issuer: String,
    http: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
    pub language: String,
    /// What it says of itself.
    pub agent: Option<String>,
    /// The secret of the second factor, and the step of the last code.
    pub factor: Option<(Vec<u8>, u64)>,
}

impl TestServer {
    /// With the pages of the authorization server.
    pub async fn start_with_pages(change: impl FnOnce(&mut Settings)) -> TestServer {
        let database = Arc::new(TestDatabase::clone_template());
        TestServer::with_pages_on(database, change).await
    }

    pub async fn with_pages_on(
        database: Arc<TestDatabase>,
        change: impl FnOnce(&mut Settings),
    ) -> TestServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/fhir", listener.local_addr().unwrap());
        let oauth = super::sign_in::settings();
        let mut settings =
            Settings { base_url, insecure_no_auth: true, oauth, ..Settings::default() };
        change(&mut settings);
        let registry = Registry::r4().unwrap();
        let mut store =
            Store::open(&database.database, &registry, &store_settings()).await.unwrap();
        if let Some(audit) = &settings.audit {
            store
                .begin_audit(audit, &[super::audited::KEY], Clock::System.precise())
                .await
                .unwrap();
        }
        let client = FhirClient::new(&settings.base_url);
        let callers = TestCallers::new(Caller::InsecureNoAuth);
        let context = Context::open(store, registry, Clock::System, settings).await.unwrap();
        let context = Arc::new(context);
        let (stop, stopped) = oneshot::channel::<()>();
        let oauth = super::sign_in::open(&context).await;
        let sign_in = SignIn { authenticate: callers.clone(), oauth: Some(oauth.clone()) };
        let served = (context.clone(), HttpSettings::default());
        tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            bhn_fhir::http::serve_with(listener, served, sign_in, stopped).await
        });
        let agreement = Agreement(Some(context.clone()));
        let oauth = Some(oauth);
        TestServer { client, context, database, callers, oauth, _stop: stop, agreement }
    }

    /// With pages at a name, for passkeys; letters go into the folder.
    pub async fn start_with_passkeys(mail: &std::path::Path) -> TestServer {
        TestServer::start_with_pages(|settings| {
            settings.base_url = settings.base_url.replace("127.0.0.1", "localhost");
            settings.mail.folder = mail.to_owned();
        })
        .await
    }

    /// An active account with [`PASSWORD`]; its id.
    pub async fn account(&self, email: &str, role: Role) -> String {
        let hash = Passwords::new().hash(PASSWORD).await.unwrap();
        self.account_with(email, role, &hash).await
    }

    pub async fn account_with(&self, email: &str, role: Role, hash: &str) -> String {
        let account = new_id();
        let new = NewAccount {
            account: &account,
            email,
            name: "Test Person",
            role,
            status: Status::Active,
            password: Some(hash),
            language: "en",
            jurisdictions: &[],
        };
        let store = &self.context.store;
        assert!(store.create_account(&new, Clock::System.now()).await.unwrap());
        account
    }

    /// Makes the account this Patient or Practitioner.
    pub async fn link_account(&self, account: &str, key: &str) -> Link {
        let link = self.link(key).await;
        let now = Clock::System.now();
        assert!(self.context.store.link_account(account, &link, now).await.unwrap());
        link
    }

    /// A public client with [`REDIRECT`] and [`SCOPES`].
    pub async fn register_app(&self, client: &str, skips_consent: bool) {
        let mut connection = self.database.connect().await;
        let sql = "insert into client (client, name, publisher, kind, status, scopes, grant_types, \
                   redirect_uris, skips_consent, created, changed) values ($1, 'Growth Chart', \
                   'Example Health', 'public', 'active', $2, '{authorization_code,refresh_token}', \
                   array[$3, 'org.example.app:/callback', 'http://127.0.0.1/callback'], $4, now(), \
                   now())";
        let query = sqlx::query(sql).bind(client).bind(SCOPES).bind(REDIRECT).bind(skips_consent);
        query.execute(&mut connection).await.unwrap();
    }

    /// The tokens for the code that the app was sent at this URL.
    pub async fn redeemed(&self, url: &Url) -> serde_json::Value {
        let code = parameter(url, "code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", APP),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", super::VERIFIER),
        ];
        self.form("/oauth/token", &form).await.expect(200).body
    }

    pub fn issuer(&self) -> &str {
        self.context.settings.issuer()
    }

    pub fn browser(&self) -> Browser {
        let http = reqwest::Client::builder().no_proxy();
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (issuer, language) = (self.issuer().to_owned(), "en".to_owned());
        let (cookies, agent, factor) = (BTreeMap::new(), None, None);
        Browser { issuer, http, cookies, language, agent, factor }
    }

    /// `/oauth/authorize?...` of a good request; each change replaces a parameter, or removes it
    /// where it is empty.
    pub fn authorize_path(&self, changes: &[(&str, &str)]) -> String {
        let base_url = self.context.settings.base_url.clone();
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", APP),
            ("redirect_uri", REDIRECT),
            ("scope", "openid fhirUser launch/patient patient/Observation.rs offline_access"),
            ("state", "the state"),
            ("aud", &base_url),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            parameters.retain(|(own, _)| own != name);
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("/oauth/authorize?{}", query.extend_pairs(parameters).finish())
    }
}

impl Browser {
    fn url(&self, path: &str) -> String {
        match path.starts_with("http") {
            true => path.to_owned(),
            false => format!("{}{path}", self.issuer),
        }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        let request = self.http.get(self.url(path));
        self.send(request).await
    }

    /// Without looking at the page before.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.url(path)).body(body);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.send(request).await
    }

    pub async fn post_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        header: (&str, &str),
    ) -> Reply {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(self.url(path)).body(body).header(header.0, header.1);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("Cookie", cookies.join("; "));
        let request = request.header("Accept-Language", &self.language);
        let request = match &self.agent {
            Some(agent) => request.header("User-Agent", agent),
            None => request,
        };
        let reply = Reply::of(request.send().await.unwrap()).await.unwrap();
        for line in reply.headers.get_all("set-cookie") {
            let (pair, rest) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match rest.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        reply
    }

    /// Opens the page and sends its form with these fields.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.token(path).await;
        let mut all = vec![("form_token", token.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }

    /// The token of the forms of a page.
    pub async fn token(&mut self, path: &str) -> String {
        let reply = self.get(path).await.expect(200);
        form_token(&reply)
    }

    /// Goes on until the page is shown, or another server is named.
    pub async fn follow(&mut self, reply: Reply) -> (String, Reply) {
        let (mut reply, mut at) = (reply, String::new());
        for _ in 0..10 {
            let location = reply.header("location").to_owned();
            if location.is_empty() {
                return (at, reply);
            }
            assert_eq!(reply.status(), 303, "{location}");
            if !location.starts_with('/') {
                return (location, reply);
            }
            at = location;
            reply = self.get(&at).await;
        }
        panic!("redirects do not end: {at}");
    }

    pub async fn open(&mut self, path: &str) -> (String, Reply) {
        let reply = self.get(path).await;
        self.follow(reply).await
    }

    /// Address and password at the page `path`, which is `/login` with its query.
    pub async fn give_password(&mut self, path: &str, email: &str) -> Reply {
        self.submit(path, &[("email", email), ("password", PASSWORD)]).await
    }

    /// A code that was not used yet.
    pub fn code(&mut self) -> String {
        let (secret, last) = self.factor.clone().expect("the second factor is set up");
        let now = u64::try_from(Clock::System.now().timestamp()).unwrap() / 30;
        let step = (now - 1).max(last + 1);
        assert!(step <= now + 1, "no unused code is good now");
        self.factor = Some((secret.clone(), step));
        code_at(&secret, step)
    }

    /// Signs in with everything that is asked for, and stays on the page after it.
    pub async fn sign_in(&mut self, path: &str, email: &str) -> (String, Reply) {
        let reply = self.give_password(path, email).await;
        let (at, page) = self.follow(reply).await;
        if at.starts_with("/account/mfa") {
            let (path, reply) = self.set_up(&at).await;
            let reply = reply.expect(200);
            let text = reply.text();
            let onward = text.split("class=\"button\" href=\"").nth(1).expect(&path);
            let onward = onward.split('"').next().unwrap().replace("&#38;", "&");
            let reply = self.get(&onward).await;
            let (at, page) = self.follow(reply).await;
            return (if at.is_empty() { onward } else { at }, page);
        }
        if at.starts_with("/login/mfa") {
            let code = self.code();
            let reply = self.submit(&at, &[("code", &code)]).await;
            return self.follow(reply).await;
        }
        (at, page)
    }

    /// Sets up the second factor at that page; the answer has the recovery codes.
    pub async fn set_up(&mut self, path: &str) -> (String, Reply) {
        let page = self.get(path).await.expect(200);
        let key = page.text().split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
        let secret = Secret::try_from_base32(key.replace(' ', "")).unwrap();
        self.factor = Some((secret.as_bytes().to_vec(), 0));
        let code = self.code();
        let token = form_token(&page);
        let reply = self.post(path, &[("form_token", &token), ("code", &code)]).await;
        (path.to_owned(), reply)
    }

    /// Makes a passkey at that page; the answer to its form.
    pub async fn add_passkey(&mut self, path: &str, device: &mut Authenticator) -> Reply {
        let page = self.get(path).await.expect(200);
        let credential = device.create(&options(&page));
        let token = form_token(&page);
        let fields =
            [("form_token", token.as_str()), ("credential", &credential), ("name", "Blue phone")];
        self.post(path, &fields).await
    }

    /// Shows a passkey at that page.
    pub async fn show_passkey(&mut self, path: &str, device: &mut Authenticator) -> Reply {
        let page = self.get(path).await.expect(200);
        let credential = device.get(&options(&page));
        self.send_passkey((path, &page), &credential).await
    }

    /// Sends an answer with the token of the page.
    pub async fn send_passkey(&mut self, (path, page): (&str, &Reply), credential: &str) -> Reply {
        let token = form_token(page);
        self.post(path, &[("form_token", token.as_str()), ("credential", credential)]).await
    }

    /// Allows everything that the consent page at `path` offers in boxes that are ticked.
    pub async fn allow(&mut self, path: &str) -> Url {
        let page = self.get(path).await.expect(200);
        let ticked = ticked(page.text());
        let token = form_token(&page);
        let mut fields = vec![("form_token", token.as_str()), ("allow", "yes")];
        fields.extend(ticked.iter().map(|scope| ("scope", scope.as_str())));
        let reply = self.post(path, &fields).await;
        Url::parse(reply.expect(303).header("location")).unwrap()
    }
}

/// The token of a page.
pub fn form_token(page: &Reply) -> String {
    let text = page.text();
    let after = text.split("name=\"form_token\" value=\"").nth(1).expect("a form");
    after.split('"').next().unwrap().to_owned()
}

/// The values of the boxes that are ticked.
pub fn ticked(page: &str) -> Vec<String> {
    let boxes = page.split("name=\"scope\" value=\"").skip(1);
    let ticked = boxes.filter(|rest| rest.split('>').next().unwrap().contains("checked"));
    ticked.map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&")).collect()
}

/// The code of a secret at a step.
pub fn code_at(secret: &[u8], step: u64) -> String {
    let totp = Builder::new().with_secret(Secret::from(secret.to_vec())).build().unwrap();
    totp.generate(step * 30).to_string()
}

/// A parameter of a redirect.
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}
