//! `/brands`: who gives people access to their records here, for applications that let them choose
//! (SMART App Launch 2.2, User-access Brands and Endpoints). The operator describes the brands in a
//! file, and this server adds the endpoint.

use super::AuthorizationServer;
use super::secrets::hash;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use url::Url;

const FILE_BYTES: u64 = 1 << 20;
const MOST_BRANDS: usize = 1_000;
const PROFILES: &str = "http://hl7.org/fhir/smart-app-launch/StructureDefinition";
const EXTENSIONS: &str = "http://hl7.org/fhir/StructureDefinition";
const TERMINOLOGY: &str = "http://terminology.hl7.org/CodeSystem";

/// Why there are no brands.
#[derive(Debug, thiserror::Error)]
#[error("The file of brands {}: {why}", path.display())]
pub struct BrandsError {
    path: PathBuf,
    why: String,
}

/// A brand as the operator describes it. The first of a file is the primary one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Brand {
    id: String,
    name: String,
    /// Of the public; its domain is the brand's identifier.
    website: String,
    #[serde(default)]
    alias: Vec<String>,
    logo: Option<String>,
    /// `ambulatory`, `hospital`, `laboratory`, ... of the patient-access-category codes.
    #[serde(default)]
    category: Vec<String>,
    /// As FHIR's Address.
    #[serde(default)]
    address: Vec<Value>,
    /// Further business identifiers, as FHIR's Identifier.
    #[serde(default)]
    identifier: Vec<Value>,
    /// Where people see their records themselves; None for the brand named by `part_of`.
    portal: Option<Portal>,
    /// The id of the brand that gives access for this one.
    part_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Portal {
    name: String,
    url: String,
    description: Option<String>,
    logo: Option<String>,
}

/// The bundle, ready to be sent.
pub struct Brands {
    body: String,
    etag: String,
    /// Of the primary brand, for `user_access_brand_identifier`.
    pub identifier: Value,
}

impl Brands {
    /// Reads the brands of a file. `base_url` is the endpoint, `contact` whom developers ask.
    pub fn read(path: &Path, (base_url, issuer): (&str, &str)) -> Result<Brands, BrandsError> {
        let failed = |why: String| BrandsError { path: path.to_owned(), why };
        let io = |error: std::io::Error| failed(error.to_string());
        let file = std::fs::File::open(path).map_err(io)?;
        let changed = file.metadata().and_then(|about| about.modified()).map_err(io)?;
        let mut text = String::new();
        file.take(FILE_BYTES).read_to_string(&mut text).map_err(io)?;
        let brands: Vec<Brand> =
            serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        check(&brands).map_err(failed)?;
        let identifier = brands[0].identifier();
        let bundle = bundle(&brands, (base_url, issuer), DateTime::<Utc>::from(changed));
        let body = bundle.to_string();
        let etag = format!("W/\"{}\"", &URL_SAFE_NO_PAD.encode(hash(&body))[..22]);
        Ok(Brands { body, etag, identifier })
    }
}

fn check(brands: &[Brand]) -> Result<(), String> {
    if brands.is_empty() || brands.len() > MOST_BRANDS {
        return Err(format!("it has 1 to {MOST_BRANDS} brands"));
    }
    for (at, brand) in brands.iter().enumerate() {
        let named = |why: &str| Err(format!("brand {}: {why}", brand.id));
        let is_url = |url: &String| Url::parse(url).is_ok_and(|url| url.scheme() == "https");
        let parent = brand.part_of.as_ref().map(|id| brands.iter().find(|own| own.id == *id));
        let urls = brand.portal.iter().flat_map(|portal| portal.logo.iter().chain([&portal.url]));
        match () {
            () if crate::fhir::resource::Id::parse(&brand.id).is_none() => {
                return named("its id is no FHIR id");
            }
            () if brands[..at].iter().any(|own| own.id == brand.id) => {
                return named("its id stands twice");
            }
            () if brand.name.trim().is_empty() => return named("its name is empty"),
            () if !urls.chain(brand.logo.iter()).chain([&brand.website]).all(is_url) => {
                return named("a URL of it is no https URL");
            }
            () if brand.portal.is_none() && parent.is_none() => {
                return named("it has neither portal nor part_of");
            }
            // The way to a portal is one step long.
            () if parent.is_some_and(|parent| parent.is_none_or(|own| own.portal.is_none())) => {
                return named("part_of is no brand with a portal");
            }
            () => {}
        }
    }
    Ok(())
}

fn bundle(brands: &[Brand], (base_url, issuer): (&str, &str), changed: DateTime<Utc>) -> Value {
    let changed = changed.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let place = |kind: &str, id: &str| format!("{issuer}/brands/{kind}/{id}");
    let entry = |mut resource: Value| {
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        let id = resource["id"].as_str().unwrap_or_default().to_owned();
        resource["meta"]["lastUpdated"] = changed.clone().into();
        json!({ "fullUrl": place(&kind, &id), "resource": resource })
    };
    let mut entries = vec![entry(endpoint(base_url, &brands[0]))];
    entries.extend(brands.iter().map(|brand| entry(brand.organization())));
    json!({
        "resourceType": "Bundle",
        "meta": { "profile": [format!("{PROFILES}/user-access-brands-bundle")] },
        "type": "collection",
        "timestamp": changed,
        "entry": entries,
    })
}

fn endpoint(base_url: &str, primary: &Brand) -> Value {
    json!({
        "resourceType": "Endpoint",
        "id": "fhir",
        "meta": { "profile": [format!("{PROFILES}/user-access-endpoint")] },
        "extension": [{
            "url": format!("{EXTENSIONS}/endpoint-fhir-version"),
            "valueCode": "4.0.1",
        }],
        "status": "active",
        "connectionType": {
            "system": format!("{TERMINOLOGY}/endpoint-connection-type"), "code": "hl7-fhir-rest",
        },
        "name": format!("FHIR R4 of {}", primary.name),
        "managingOrganization": { "reference": format!("Organization/{}", primary.id) },
        "contact": [{ "system": "url", "value": primary.website }],
        "payloadType": [{
            "coding": [{
                "system": format!("{TERMINOLOGY}/endpoint-payload-type"), "code": "none",
            }],
        }],
        "address": base_url,
    })
}

impl Brand {
    /// The web presence of the brand, without `www.` and path.
    fn identifier(&self) -> Value {
        let url = Url::parse(&self.website).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let host = host.strip_prefix("www.").unwrap_or(host);
        json!({ "system": "urn:ietf:rfc:3986", "value": format!("https://{host}") })
    }

    fn organization(&self) -> Value {
        let mut identifiers = vec![self.identifier()];
        identifiers.extend(self.identifier.iter().cloned());
        let mut extensions = Vec::new();
        if let Some(logo) = &self.logo {
            extensions.push(json!({
                "url": format!("{EXTENSIONS}/organization-brand"),
                "extension": [{ "url": "brandLogo", "valueUrl": logo }],
            }));
        }
        extensions.extend(self.portal.as_ref().map(Portal::extension));
        let mut organization = json!({
            "resourceType": "Organization",
            "id": self.id,
            "meta": { "profile": [format!("{PROFILES}/user-access-brand")] },
            "extension": extensions,
            "identifier": identifiers,
            "active": true,
            "name": self.name,
            "telecom": [{ "system": "url", "value": self.website }],
        });
        let category = |code: &String| {
            let system = "http://hl7.org/fhir/smart-app-launch/CodeSystem/patient-access-category";
            json!({ "coding": [{ "system": system, "code": code }] })
        };
        let categories: Vec<Value> = self.category.iter().map(category).collect();
        let parent = self.part_of.as_ref().map(|id| format!("Organization/{id}"));
        let endpoint = self.portal.is_some().then(|| json!([{ "reference": "Endpoint/fhir" }]));
        let optional = [
            ("type", Some(json!(categories)).filter(|_| !categories.is_empty())),
            ("alias", Some(json!(self.alias)).filter(|_| !self.alias.is_empty())),
            ("address", Some(json!(self.address)).filter(|_| !self.address.is_empty())),
            ("partOf", parent.map(|reference| json!({ "reference": reference }))),
            ("endpoint", endpoint),
        ];
        let object = organization.as_object_mut();
        let present = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        if let Some(object) = object {
            object.extend(present.map(|(name, value)| (name.to_owned(), value)));
            object.retain(|_, value| value != &json!([]));
        }
        organization
    }
}

impl Portal {
    fn extension(&self) -> Value {
        let mut parts = vec![
            json!({ "url": "portalName", "valueString": self.name }),
            json!({ "url": "portalUrl", "valueUrl": self.url }),
        ];
        let description = self.description.iter();
        parts.extend(
            description.map(|text| json!({ "url": "portalDescription", "valueMarkdown": text })),
        );
        let logo = self.logo.iter();
        parts.extend(logo.map(|logo| json!({ "url": "portalLogo", "valueUrl": logo })));
        let endpoint = json!({ "reference": "Endpoint/fhir" });
        parts.push(json!({ "url": "portalEndpoint", "valueReference": endpoint }));
        json!({ "url": format!("{EXTENSIONS}/organization-portal"), "extension": parts })
    }
}

/// `GET /brands`: the bundle, 304 where it is known. 404 where there are no brands.
pub async fn brands(
    State(server): State<Arc<AuthorizationServer>>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let Some(brands) = &server.brands else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let asked = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let own = opaque(&brands.etag);
    let is_known = asked
        .is_some_and(|asked| asked.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == own));
    match is_known {
        true => *response.status_mut() = StatusCode::NOT_MODIFIED,
        false => *response.body_mut() = Body::from(brands.body.clone()),
    }
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    headers.insert(policy, HeaderValue::from_static("cross-origin"));
    headers.extend(HeaderValue::from_str(&brands.etag).ok().map(|etag| (ETAG, etag)));
    response
}
