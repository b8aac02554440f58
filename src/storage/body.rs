//! The exact JSON of a version as stored: zstd with a trained dictionary that each frame names.

use crate::error::{FhirError, Result};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{self, CCtx, DCtx};

/// Level 3: 7 to 8 µs for a resource of 1.4 KB, and higher levels gain little with a dictionary.
const LEVEL: i32 = 3;

/// More than any body that was ever stored.
const BODY_BYTES: u64 = 2 << 30;

/// A buffer beyond this is not kept for the next body.
const SCRATCH_BYTES: usize = 256 << 10;

thread_local! {
    /// To make a context costs several times the compression of a resource.
    static COMPRESSION: RefCell<(CCtx<'static>, Vec<u8>)> =
        RefCell::new((CCtx::create(), Vec::new()));
    static DECOMPRESSION: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Compresses with the newest dictionary and reads frames of every dictionary ever used.
pub struct BodyCodec {
    encoder: Option<EncoderDictionary<'static>>,
    decoders: HashMap<u32, DecoderDictionary<'static>>,
}

impl BodyCodec {
    /// `dictionaries` by id; the one with the highest id compresses.
    pub fn new(dictionaries: Vec<(u32, Vec<u8>)>) -> Self {
        let newest = dictionaries.iter().max_by_key(|(id, _)| *id);
        let encoder = newest.map(|(_, content)| EncoderDictionary::copy(content, LEVEL));
        let decoders = dictionaries
            .iter()
            .map(|(id, content)| (*id, DecoderDictionary::copy(content)))
            .collect();
        BodyCodec { encoder, decoders }
    }

    /// A frame that holds its content's size and its dictionary's id.
    pub fn compress(&self, json: &[u8]) -> Result<Vec<u8>> {
        let bound = zstd_safe::compress_bound(json.len());
        COMPRESSION.with_borrow_mut(|(context, scratch)| {
            scratch.clear();
            scratch.reserve(bound);
            match &self.encoder {
                Some(dictionary) => {
                    context.compress_using_cdict(scratch, json, dictionary.as_cdict())
                }
                None => context.compress(scratch, json, LEVEL),
            }
            .map_err(of_zstd)?;
            let frame = scratch.as_slice().to_vec();
            if bound > SCRATCH_BYTES {
                *scratch = Vec::new();
            }
            Ok(frame)
        })
    }

    /// The JSON of a frame; empty for the empty body of a deleted version.
    pub fn decompress(&self, frame: &[u8]) -> Result<Bytes> {
        if frame.is_empty() {
            return Ok(Bytes::new());
        }
        let size = zstd_safe::get_frame_content_size(frame)
            .ok()
            .flatten()
            .filter(|size| *size <= BODY_BYTES)
            .ok_or_else(|| FhirError::internal("a stored body names no size that can be"))?;
        let dictionary = match zstd_safe::get_dict_id_from_frame(frame) {
            None => None,
            Some(id) => Some(self.decoders.get(&id.get()).ok_or_else(|| {
                FhirError::internal(format!("no dictionary {id} in body_dictionary"))
            })?),
        };
        let mut json = Vec::with_capacity(size as usize);
        let decompressed = DECOMPRESSION.with_borrow_mut(|context| match dictionary {
            Some(dictionary) => {
                context.decompress_using_ddict(&mut json, frame, dictionary.as_ddict())
            }
            None => context.decompress(&mut json, frame),
        });
        decompressed.map_err(of_zstd)?;
        Ok(Bytes::from(json))
    }
}

fn of_zstd(code: zstd_safe::ErrorCode) -> FhirError {
    FhirError::internal(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_byte_for_byte() {
        let codec = BodyCodec::new(vec![]);
        let json = br#"{"resourceType":"Observation","valueQuantity":{"value":1.10}}"#;
        let frame = codec.compress(json).unwrap();
        assert_eq!(codec.decompress(&frame).unwrap().as_ref(), json);
        assert!(codec.decompress(b"").unwrap().is_empty());
        assert!(codec.decompress(b"no frame").is_err());
    }
}
