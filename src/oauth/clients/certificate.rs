//! Clients that authenticate by a certificate: RFC 8705, 2.

use crate::access::{ClientCertificate, thumbprint};
use crate::oauth::AuthorizationServer;
use crate::storage::{Client, ClientKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

/// Whom a certificate is for, as clients are registered (RFC 8705, 2.1.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateName {
    SubjectDn(String),
    SanDns(String),
    SanUri(String),
    SanIp(IpAddr),
    SanEmail(String),
}

impl CertificateName {
    /// Reads `san_dns:ehr.example`; None for what is no such name. Distinguished names are those of
    /// RFC 4514.
    pub fn parse(text: &str) -> Option<CertificateName> {
        let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty())?;
        match kind {
            "subject_dn" => {
                let name = Name::from_str(value).ok()?.to_string();
                (!name.is_empty()).then_some(CertificateName::SubjectDn(name))
            }
            "san_dns" => Some(CertificateName::SanDns(value.to_ascii_lowercase())),
            "san_uri" => Some(CertificateName::SanUri(value.to_owned())),
            "san_ip" => value.parse().ok().map(CertificateName::SanIp),
            "san_email" => Some(CertificateName::SanEmail(value.to_owned())),
            _ => None,
        }
    }

    /// Whether the certificate is for it.
    fn is_of(&self, certificate: &Certificate) -> bool {
        if let CertificateName::SubjectDn(name) = self {
            return certificate.tbs_certificate.subject.to_string() == *name;
        }
        let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else {
            return false;
        };
        names.0.iter().any(|name| self.is_alternative(name))
    }

    fn is_alternative(&self, name: &GeneralName) -> bool {
        match (self, name) {
            (CertificateName::SanDns(own), GeneralName::DnsName(name)) => {
                name.as_str().eq_ignore_ascii_case(own)
            }
            (CertificateName::SanUri(own), GeneralName::UniformResourceIdentifier(name)) => {
                name.as_str() == own
            }
            (CertificateName::SanEmail(own), GeneralName::Rfc822Name(name)) => name.as_str() == own,
            (CertificateName::SanIp(IpAddr::V4(own)), GeneralName::IpAddress(name)) => {
                name.as_bytes() == own.octets()
            }
            (CertificateName::SanIp(IpAddr::V6(own)), GeneralName::IpAddress(name)) => {
                name.as_bytes() == own.octets()
            }
            _ => false,
        }
    }
}

impl AuthorizationServer {
    /// Whether the certificate is the client's; otherwise what is wrong, for the audit.
    pub(super) async fn check_certificate(
        &self,
        client: &Client,
        shown: Option<&ClientCertificate>,
    ) -> Result<(), &'static str> {
        let shown = shown.ok_or("no certificate")?;
        let certificate = Certificate::from_der(&shown.der).map_err(|_| "no certificate")?;
        if !holds(&certificate, self.context.clock.now()) {
            return Err("the certificate has expired, or does not hold yet");
        }
        if client.kind == ClientKind::SelfSignedCertificate {
            let own = shown.thumbprint();
            let keys = self.client_keys.of(client, &|key| is_key_of(key, &own)).await?;
            let is_registered = keys.iter().any(|key| is_key_of(key, &own));
            return is_registered.then_some(()).ok_or("another certificate");
        }
        if !shown.is_vouched_for {
            return Err("no authority that is trusted vouches for the certificate");
        }
        let name = client.terms.certificate_name.as_deref().and_then(CertificateName::parse);
        match name.is_some_and(|name| name.is_of(&certificate)) {
            true => Ok(()),
            false => Err("the certificate is for another name"),
        }
    }
}

/// Whether a registered key has that certificate (RFC 8705, 2.2.2).
fn is_key_of(key: &Value, own: &str) -> bool {
    let first = key["x5c"].get(0).and_then(Value::as_str);
    let der = first.and_then(|text| STANDARD.decode(text).ok());
    der.is_some_and(|der| thumbprint(&der) == own)
}

fn holds(certificate: &Certificate, now: DateTime<Utc>) -> bool {
    let validity = &certificate.tbs_certificate.validity;
    let now = Duration::from_secs(u64::try_from(now.timestamp()).unwrap_or_default());
    validity.not_before.to_unix_duration() <= now && now <= validity.not_after.to_unix_duration()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_certificates_are_read_or_refused() {
        let dn = CertificateName::parse("subject_dn:CN=ehr.example,O=Lindale,C=BD");
        assert!(matches!(dn, Some(CertificateName::SubjectDn(_))), "{dn:?}");
        for good in
            ["san_dns:ehr.example", "san_uri:urn:ehr", "san_ip:2001:db8::1", "san_email:a@b"]
        {
            assert!(CertificateName::parse(good).is_some(), "{good}");
        }
        for wrong in ["", "ehr.example", "san_dns:", "san_ip:ehr", "cn:ehr", "subject_dn:no name"] {
            assert_eq!(CertificateName::parse(wrong), None, "{wrong}");
        }
    }
}
