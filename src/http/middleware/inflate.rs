//! Compressed bodies, bounded in size and in ratio so that a small one cannot become a flood.

use crate::error::{ErrorKind, FhirError, Issue, IssueCode, Result};
use crate::http::body::too_large;
use crate::limits::Limits;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// `Content-Encoding` of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Gzip,
    Brotli,
    Deflate,
}

const PIECE_BYTES: usize = 64 << 10;
/// The ratio counts from here: small bodies may well be all repetition.
const RATIO_FROM_BYTES: usize = 1 << 20;

impl Encoding {
    /// None where the body is as it is. 415 for other encodings, and for one within another.
    pub fn of(headers: &HeaderMap) -> Result<Option<Encoding>> {
        let mut found = None;
        for line in headers.get_all(header::CONTENT_ENCODING) {
            for name in line.to_str().unwrap_or("?").split(',') {
                let encoding = match name.trim().to_ascii_lowercase().as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Encoding::Gzip,
                    "br" => Encoding::Brotli,
                    "deflate" => Encoding::Deflate,
                    _ => return Err(unsupported("This encoding is not taken")),
                };
                if found.replace(encoding).is_some() {
                    return Err(unsupported("One encoding within another is not taken"));
                }
            }
        }
        Ok(found)
    }
}

fn unsupported(text: &str) -> FhirError {
    let text = format!("{text}; gzip, br and deflate are");
    let issue = Issue::error(IssueCode::NotSupported, "http.Content-Encoding", text);
    FhirError::of_issues(ErrorKind::UnsupportedMediaType, vec![issue])
}

/// Decompresses. 413 over the size or the ratio, 400 where the bytes are not so encoded.
pub fn inflate(encoding: Encoding, sent: &[u8], limits: &Limits) -> Result<Bytes> {
    if sent.is_empty() {
        return Ok(Bytes::new());
    }
    match encoding {
        Encoding::Gzip => drain(MultiGzDecoder::new(sent), sent.len(), limits),
        Encoding::Brotli => drain(brotli::Decompressor::new(sent, 4_096), sent.len(), limits),
        // With the frame of zlib as RFC 9110 has it, or without as some clients do.
        Encoding::Deflate if sent[0] & 0x0f == 8 => {
            drain(ZlibDecoder::new(sent), sent.len(), limits)
        }
        Encoding::Deflate => drain(DeflateDecoder::new(sent), sent.len(), limits),
    }
}

fn drain(mut decoder: impl Read, sent: usize, limits: &Limits) -> Result<Bytes> {
    let most_by_ratio = sent.saturating_mul(limits.decompression_ratio).max(RATIO_FROM_BYTES);
    let mut out = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = decoder.read(&mut piece).map_err(|error| {
            FhirError::bad_request("The body is not encoded as its Content-Encoding says")
                .with_source(error)
        })?;
        if count == 0 {
            return Ok(out.into());
        }
        if out.len() + count > limits.body_bytes {
            return Err(too_large(limits.body_bytes));
        }
        if out.len() + count > most_by_ratio {
            let text = format!(
                "The body grows more than {} times by decompression",
                limits.decompression_ratio
            );
            return Err(FhirError::new(ErrorKind::PayloadTooLarge, IssueCode::TooLong, text));
        }
        out.extend_from_slice(&piece[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorWriter::new(&mut out, 4_096, 5, 22).write_all(bytes).unwrap();
        out
    }

    fn status(result: Result<Bytes>) -> u16 {
        result.map_or_else(|error| error.kind.status(), |_| 200)
    }

    #[test]
    fn each_encoding_is_undone() {
        let limits = Limits::default();
        let text = b"{\"resourceType\":\"Patient\"}";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(text).unwrap();
        for (encoding, sent) in [
            (Encoding::Gzip, gzip(text)),
            (Encoding::Brotli, brotli(text)),
            (Encoding::Deflate, zlib.finish().unwrap()),
            (Encoding::Deflate, raw.finish().unwrap()),
        ] {
            assert_eq!(inflate(encoding, &sent, &limits).unwrap(), text.as_slice());
            let cut = &sent[..sent.len() / 2];
            assert_eq!(status(inflate(encoding, cut, &limits)), 400, "{encoding:?} cut");
        }
    }

    #[test]
    fn bombs_are_refused_by_size_and_by_ratio() {
        let limits = Limits { body_bytes: 2 << 20, ..Limits::default() };
        let large = vec![b' '; 4 << 20];
        assert_eq!(status(inflate(Encoding::Gzip, &gzip(&large), &limits)), 413);
        assert_eq!(status(inflate(Encoding::Brotli, &brotli(&large), &limits)), 413);
        let limits = Limits { body_bytes: 100 << 20, ..Limits::default() };
        assert_eq!(status(inflate(Encoding::Gzip, &gzip(&large), &limits)), 413);
        let small = vec![b' '; 1 << 20];
        assert_eq!(status(inflate(Encoding::Gzip, &gzip(&small), &limits)), 200);
    }

    #[test]
    fn encodings_are_known_or_refused_and_never_nested() {
        let of = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(line));
            }
            Encoding::of(&headers).map_err(|error| error.kind.status())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["identity"]), Ok(None));
        assert_eq!(of(&["GZIP"]), Ok(Some(Encoding::Gzip)));
        assert_eq!(of(&["br, identity"]), Ok(Some(Encoding::Brotli)));
        for nested in [&["gzip, gzip"][..], &["gzip", "br"], &["zstd"], &["compress"]] {
            assert_eq!(of(nested), Err(415), "{nested:?}");
        }
    }
}
