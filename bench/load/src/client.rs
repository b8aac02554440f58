//! A keep-alive HTTP/1.1 client that costs little: what is measured is the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer takes, so that a server that hangs is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    line: Vec<u8>,
}

/// One answer.
#[derive(Default)]
pub struct Reply {
    pub status: u16,
    pub etag: String,
    pub location: String,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to `host:port`.
    pub fn connect(host: &str) -> Result<Client, String> {
        let stream = TcpStream::connect(host).map_err(|error| format!("{host}: {error}"))?;
        let told = |error: std::io::Error| error.to_string();
        stream.set_nodelay(true).map_err(told)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
        let stream = BufReader::with_capacity(64 << 10, stream);
        Ok(Client { stream, host: host.to_owned(), line: Vec::new() })
    }

    /// Sends one request and reads its answer to the end.
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Reply, String> {
        self.send_with("", (method, path), body)
    }

    /// The same with further headers, each with the end of its line.
    pub fn send_with(
        &mut self,
        headers: &str,
        (method, path): (&str, &str),
        body: &[u8],
    ) -> Result<Reply, String> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}", self.host);
        if !body.is_empty() {
            head.push_str("Content-Type: application/fhir+json\r\n");
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes).map_err(|error| error.to_string())?;
        self.read().map_err(|error| format!("{method} {path}: {error}"))
    }

    fn read(&mut self) -> Result<Reply, String> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut reply = Reply { status: status.ok_or("no status line")?, ..Reply::default() };
        let mut length = None;
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name {
                "content-length" => length = value.parse().ok(),
                "etag" => reply.etag = value.to_owned(),
                "location" => reply.location = value.to_owned(),
                _ => {}
            }
        }
        reply.body = vec![0; length.ok_or("no content-length")?];
        self.stream.read_exact(&mut reply.body).map_err(|error| error.to_string())?;
        Ok(reply)
    }

    /// One line of the head, its name in lower case as the server writes it.
    fn line(&mut self) -> Result<String, String> {
        self.line.clear();
        let read = self.stream.read_until(b'\n', &mut self.line);
        match read.map_err(|error| error.to_string())? {
            0 => Err("the server closed the connection".to_owned()),
            _ => Ok(String::from_utf8_lossy(&self.line).trim_end().to_owned()),
        }
    }
}
