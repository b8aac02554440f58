//! The keys that tokens are signed with: in the database, shared by all nodes, their private halves
//! sealed under the key file. ES256 signs access tokens, RS256 id_tokens, which clients have to
//! understand (SMART App Launch 2.2, 5.1.2); one key never serves both.

mod file;
mod reseal;
mod rotation;
mod seals;

pub use file::make as make_key_file;
pub use file::read as read_key_file;
pub use seals::{Seals, opened};

use super::secrets::{hash, random};
use crate::clock::Clock;
use crate::config::OAuthSettings;
use crate::error::{FhirError, Result};
use crate::search::Sealer;
use crate::storage::{KeyState, LockedKeys, SigningKeyRow, Store};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use file::{KEY_BYTES, KeyFileError};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rotation::{Step, due};
use serde::Serialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    AccessToken,
    IdToken,
}

impl Purpose {
    pub const ALL: [Purpose; 2] = [Purpose::AccessToken, Purpose::IdToken];

    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::AccessToken => "access-token",
            Purpose::IdToken => "id-token",
        }
    }

    pub fn algorithm(self) -> Algorithm {
        match self {
            Purpose::AccessToken => Algorithm::ES256,
            Purpose::IdToken => Algorithm::RS256,
        }
    }
}

/// Why there are no keys to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error(
        "The signing keys in the database are sealed, and the key file {} is not there. Give this \
         server a copy of that of the other nodes with --key-file",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error(
        "The signing keys in the database are sealed by another key file than {}. Give this \
         server a copy of that of the other nodes with --key-file",
        path.display()
    )]
    OtherFile { path: PathBuf },
    #[error("An RSA key has 2048, 3072 or 4096 bits, not {0}")]
    RsaBits(u32),
    #[error("{0}")]
    Store(#[from] FhirError),
}

/// The keys of this server.
pub struct Keyring {
    store: Arc<Store>,
    /// Those of the key file, the one that seals first.
    file: Vec<[u8; KEY_BYTES]>,
    rsa_size: KeySize,
    /// By their ids; a key never changes.
    unsealed: Mutex<HashMap<String, EncodingKey>>,
}

impl Keyring {
    /// Makes keys where there are none yet, and the key file where there are no keys.
    pub async fn open(
        store: &Arc<Store>,
        settings: &OAuthSettings,
        clock: &Clock,
    ) -> Result<Keyring, KeysError> {
        let path = &settings.key_file;
        sealing_keys(store, settings).await?;
        let keyring = Keyring::by_file(store, settings)?;
        keyring.turn(clock.now()).await?;
        for purpose in Purpose::ALL {
            let other = |_| KeysError::OtherFile { path: path.clone() };
            keyring.active(purpose).await.map_err(other)?;
        }
        Ok(keyring)
    }

    /// By the key file, which is made where it is not there, whether it opens the keys or not: for
    /// [`Keyring::replace`], also after the file was lost.
    pub fn by_file(store: &Arc<Store>, settings: &OAuthSettings) -> Result<Keyring, KeysError> {
        let rsa_size = match settings.rsa_bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            other => return Err(KeysError::RsaBits(other)),
        };
        let file = match file::read(&settings.key_file)? {
            Some(keys) => keys,
            None => made_or_there(&settings.key_file)?,
        };
        let (store, unsealed) = (store.clone(), Mutex::default());
        Ok(Keyring { store, file, rsa_size, unsealed })
    }

    /// What seals things of that purpose, which are no signing keys.
    pub fn seals(&self, purpose: &str) -> Result<Seals> {
        Seals::new(&self.file, purpose)
    }

    /// A JWT signed by the key of that purpose.
    pub async fn sign<T: Serialize>(
        &self,
        purpose: Purpose,
        typ: &str,
        claims: &T,
    ) -> Result<String> {
        let (kid, key) = self.active(purpose).await?;
        let header = Header {
            typ: Some(typ.to_owned()),
            kid: Some(kid),
            ..Header::new(purpose.algorithm())
        };
        jsonwebtoken::encode(&header, claims, &key).map_err(FhirError::internal)
    }

    /// A secret under the key file, which opens at that place alone.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<String> {
        self.sealed(&[&hash(place)[..], secret].concat())
    }

    /// Opens it. 500 where it stands at another place, or was sealed under another file.
    pub fn open_sealed(&self, place: &str, sealed: &str) -> Result<Vec<u8>> {
        let (plain, _) = self.opened(sealed)?;
        let secret = plain.strip_prefix(&hash(place)[..]).map(<[u8]>::to_vec);
        secret.ok_or_else(|| FhirError::internal("a sealed secret stands elsewhere"))
    }

    /// The public keys that are believed or will be.
    pub async fn public(&self) -> Result<JwkSet> {
        let keys = self.store.signing_keys().await?;
        let published = keys.iter().filter(|key| key.state != KeyState::Removed);
        Ok(JwkSet { keys: published.map(SigningKeyRow::jwk).collect::<Result<_>>()? })
    }

    /// Does what is due: makes missing keys, lets the next one sign, removes old ones.
    pub async fn turn(&self, now: DateTime<Utc>) -> Result<()> {
        for purpose in Purpose::ALL {
            let steps = due(&of(&self.store.signing_keys().await?, purpose), now);
            if steps.is_empty() {
                continue;
            }
            // RSA keys take seconds: made before the lock, and dropped where another was faster.
            let is_wanted = steps.iter().any(|s| matches!(s, Step::MakeActive | Step::MakeNext));
            let made = match is_wanted {
                true => Some(self.make(purpose, now).await?),
                false => None,
            };
            let mut locked = self.store.lock_keys().await?;
            for step in due(&of(&locked.keys().await?, purpose), now) {
                apply(&mut locked, step, (made.as_ref(), now)).await?;
            }
            locked.commit().await?;
        }
        Ok(())
    }

    /// Publishes the next keys now; they sign from tomorrow.
    pub async fn publish_next(&self, now: DateTime<Utc>) -> Result<()> {
        for purpose in Purpose::ALL {
            let made = self.make(purpose, now).await?;
            let mut locked = self.store.lock_keys().await?;
            let has_next =
                |keys: &[SigningKeyRow]| keys.iter().any(|key| key.state == KeyState::Next);
            if !has_next(&of(&locked.keys().await?, purpose)) {
                apply(&mut locked, Step::MakeNext, (Some(&made), now)).await?;
            }
            locked.commit().await?;
        }
        Ok(())
    }

    /// New keys sign from this moment, the old ones are not believed any more, and everything
    /// granted so far has ended; how many grants those were. For keys that came into other hands.
    pub async fn replace(&self, now: DateTime<Utc>) -> Result<u64> {
        let mut made = Vec::new();
        for purpose in Purpose::ALL {
            made.push(self.make(purpose, now).await?);
        }
        let mut locked = self.store.lock_keys().await?;
        for key in locked.keys().await?.iter().filter(|key| key.state != KeyState::Removed) {
            locked.set(&key.kid, KeyState::Removed, now).await?;
        }
        for made in &made {
            apply(&mut locked, Step::MakeActive, (Some(made), now)).await?;
        }
        let ended = locked.revoke_all_grants(now).await?;
        locked.commit().await?;
        Ok(ended)
    }

    /// The key that signs: its id and its private half.
    async fn active(&self, purpose: Purpose) -> Result<(String, EncodingKey)> {
        let keys = of(&self.store.signing_keys().await?, purpose);
        let active = keys.into_iter().find(|key| key.state == KeyState::Active);
        let active = active.ok_or_else(|| FhirError::unavailable("There is no signing key"))?;
        let known = self.unsealed().get(&active.kid).cloned();
        let key = match known {
            Some(key) => key,
            None => {
                let key = self.unseal(&active, purpose)?;
                self.unsealed().insert(active.kid.clone(), key.clone());
                key
            }
        };
        Ok((active.kid, key))
    }

    fn unsealed(&self) -> std::sync::MutexGuard<'_, HashMap<String, EncodingKey>> {
        self.unsealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unseal(&self, row: &SigningKeyRow, purpose: Purpose) -> Result<EncodingKey> {
        let (plain, _) = self.opened(row.sealed.as_deref().unwrap_or_default())?;
        let prefix = bound_to(&row.kid, purpose);
        let pkcs8 = plain.strip_prefix(prefix.as_bytes());
        let pkcs8 = pkcs8.ok_or_else(|| FhirError::internal("a sealed key stands elsewhere"))?;
        private_key(purpose, pkcs8)
    }

    /// What is sealed under a key of the file, and whether that is the first one.
    fn opened(&self, sealed: &str) -> Result<(Vec<u8>, bool)> {
        let mut refused = FhirError::internal("there is no key to open with");
        for (place, key) in self.file.iter().enumerate() {
            match Sealer::new(key)?.open(sealed) {
                Ok(plain) => return Ok((plain, place == 0)),
                Err(error) => refused = FhirError::internal(error),
            }
        }
        Err(refused)
    }

    /// Seals under the first key of the file.
    fn sealed(&self, plain: &[u8]) -> Result<String> {
        let key = self.file.first();
        let key = key.ok_or_else(|| FhirError::internal("there is no key to seal with"))?;
        Sealer::new(key)?.seal(plain)
    }

    /// A new key of that purpose, not stored yet.
    async fn make(&self, purpose: Purpose, now: DateTime<Utc>) -> Result<SigningKeyRow> {
        let size = self.rsa_size;
        let made = tokio::task::spawn_blocking(move || generate(purpose, size));
        let pkcs8 = made.await.map_err(FhirError::internal)??;
        let kid = URL_SAFE_NO_PAD.encode(random::<16>()?);
        let key = private_key(purpose, &pkcs8)?;
        let jwk = Jwk::from_encoding_key(&key, purpose.algorithm());
        let mut jwk = jwk.map_err(FhirError::internal)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let plain = [bound_to(&kid, purpose).as_bytes(), &pkcs8].concat();
        Ok(SigningKeyRow {
            purpose: purpose.as_str().to_owned(),
            algorithm: format!("{:?}", purpose.algorithm()),
            state: KeyState::Next,
            public_jwk: serde_json::to_string(&jwk).map_err(FhirError::internal)?,
            sealed: Some(self.sealed(&plain)?),
            created: now,
            activated: None,
            retired: None,
            kid,
        })
    }
}

/// The keys of the key file, the one that seals first. The file is made where nothing in the
/// database is sealed by one yet.
pub async fn sealing_keys(
    store: &Store,
    settings: &OAuthSettings,
) -> Result<Vec<[u8; KEY_BYTES]>, KeysError> {
    let path = &settings.key_file;
    let has_keys = store.signing_keys().await?.iter().any(|key| key.sealed.is_some());
    match file::read(path)? {
        Some(keys) => Ok(keys),
        None if has_keys => Err(KeysError::Missing { path: path.clone() }),
        None => made_or_there(path),
    }
}

/// A new key file, or that of a node that started at the same moment.
fn made_or_there(path: &Path) -> Result<Vec<[u8; KEY_BYTES]>, KeysError> {
    let key = random::<KEY_BYTES>()?;
    match file::make(path, &key) {
        Ok(()) => Ok(vec![key]),
        Err(error) if error.is_there() => {
            file::read(path)?.ok_or_else(|| KeysError::Missing { path: path.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

fn of(keys: &[SigningKeyRow], purpose: Purpose) -> Vec<SigningKeyRow> {
    keys.iter().filter(|key| key.purpose == purpose.as_str()).cloned().collect()
}

/// A sealed key opens at its own place alone.
fn bound_to(kid: &str, purpose: Purpose) -> String {
    format!("{kid} {}\n", purpose.as_str())
}

async fn apply(
    locked: &mut LockedKeys,
    step: Step,
    (made, now): (Option<&SigningKeyRow>, DateTime<Utc>),
) -> Result<()> {
    match (step, made) {
        (Step::Remove(kid), _) => locked.set(&kid, KeyState::Removed, now).await,
        (Step::Promote { next, active }, _) => {
            if let Some(active) = active {
                locked.set(&active, KeyState::Retiring, now).await?;
            }
            locked.set(&next, KeyState::Active, now).await
        }
        (Step::MakeNext, Some(made)) => locked.add(made).await,
        (Step::MakeActive, Some(made)) => {
            let active =
                SigningKeyRow { state: KeyState::Active, activated: Some(now), ..made.clone() };
            locked.add(&active).await
        }
        // Became due while another node changed the keys; the next turn makes it.
        (Step::MakeNext | Step::MakeActive, None) => Ok(()),
    }
}

/// PKCS #8.
fn generate(purpose: Purpose, size: KeySize) -> Result<Vec<u8>> {
    match purpose {
        Purpose::AccessToken => {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
            let der = key.and_then(|key| key.to_pkcs8v1()).map_err(FhirError::internal)?;
            Ok(der.as_ref().to_vec())
        }
        Purpose::IdToken => {
            let der: Pkcs8V1Der<'static> = KeyPair::generate(size)
                .and_then(|key| key.as_der())
                .map_err(FhirError::internal)?;
            Ok(der.as_ref().to_vec())
        }
    }
}

fn private_key(purpose: Purpose, pkcs8: &[u8]) -> Result<EncodingKey> {
    match purpose {
        Purpose::AccessToken => Ok(EncodingKey::from_ec_der(pkcs8)),
        Purpose::IdToken => {
            let body = STANDARD.encode(pkcs8);
            let lines: Vec<&str> =
                (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
            let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
            let pem = format!("{begin}\n{}\n{end}\n", lines.join("\n"));
            EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(FhirError::internal)
        }
    }
}
