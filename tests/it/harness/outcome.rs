//! What an answer says went wrong, and bytes that no HTTP client would send.

use super::Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

impl Reply {
    /// The same reply, after a check that it is an OperationOutcome with that status, whose
    /// first error has that issue code.
    #[track_caller]
    pub fn expect_outcome(self, status: u16, code: &str) -> Reply {
        let reply = self.expect(status);
        assert_eq!(reply.body["resourceType"], "OperationOutcome", "{}", reply.body);
        assert_eq!(reply.body["issue"][0]["severity"], "error", "{}", reply.body);
        assert_eq!(reply.body["issue"][0]["code"], code, "{}", reply.body);
        let diagnostics = reply.body["issue"][0]["diagnostics"].as_str().unwrap_or_default();
        assert!(!diagnostics.is_empty(), "{}", reply.body);
        reply
    }

    /// The expressions of all issues, sorted.
    pub fn expressions(&self) -> Vec<String> {
        let issues = self.body["issue"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<String> = issues
            .iter()
            .filter_map(|issue| issue["expression"][0].as_str().map(str::to_owned))
            .collect();
        found.sort();
        found
    }

    /// The version of the ETag, which is a weak one (http.html#versioning).
    #[track_caller]
    pub fn etag_version(&self) -> u32 {
        let tag = self.header("etag");
        let version = tag.strip_prefix("W/\"").and_then(|rest| rest.strip_suffix('"'));
        let version = version.unwrap_or_else(|| panic!("not a weak ETag: '{tag}' in {self:?}"));
        version.parse().unwrap()
    }

    /// True for a FHIR XML answer with an OperationOutcome.
    pub fn is_xml_outcome(&self) -> bool {
        self.header("content-type").starts_with("application/fhir+xml")
            && self.text().contains("<OperationOutcome xmlns=\"http://hl7.org/fhir\">")
    }
}

/// The answer to raw bytes: its status and everything after the head.
pub struct RawReply {
    pub status: u16,

    pub body: String,
}

/// Sends a request as it stands to the server of that base and reads until it closes. `path` is
/// not touched, which a client would normalise; `body` may be longer or shorter than said.
pub async fn send_raw(base: &str, request: (&str, &str), lines: &[&str], body: &[u8]) -> RawReply {
    let (method, path) = request;
    let address = base.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may have answered and closed before all of it was sent. An end without a body
    // would be that of a client who leaves, whom nobody answers.
    if !body.is_empty() {
        let _ = stream.write_all(body).await;
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    RawReply { status, body: body.to_owned() }
}
