//! After another key was put before those of the key file: what they have sealed is sealed anew,
//! and they can be taken out of it.

use super::{Keyring, Seals};
use crate::error::Result;
use crate::oauth::accounts::secrets::Keys;

impl Keyring {
    /// Seals private keys, keys of the audit and secrets of factors under the first key of the
    /// file; how many were under another one.
    pub async fn reseal(&self, factors: &Keys) -> Result<u64> {
        let mut count = 0;
        let mut locked = self.store.lock_keys().await?;
        for key in locked.keys().await? {
            let Some(sealed) = key.sealed.as_deref() else { continue };
            let (plain, is_newest) = self.opened(sealed)?;
            if !is_newest {
                locked.reseal(&key.kid, &self.sealed(&plain)?).await?;
                count += 1;
            }
        }
        locked.commit().await?;
        count += self.store.reseal_audit_keys(&self.file).await?;
        Ok(count + self.reseal_factors(factors).await?)
    }

    /// A secret that nobody can open stays as it is: its owner sets up another.
    async fn reseal_factors(&self, factors: &Keys) -> Result<u64> {
        let seals: &Seals = factors.seals();
        let mut count = 0;
        let mut after = String::new();
        loop {
            let found = self.store.totps_sealed_otherwise(seals.id(), &after).await?;
            let Some((last, _)) = found.last() else { return Ok(count) };
            after = last.clone();
            for (account, sealed) in &found {
                match factors.open(account, sealed) {
                    Ok(secret) => {
                        let anew = factors.seal(account, &secret)?;
                        count += u64::from(self.store.reseal_totp(account, sealed, &anew).await?);
                    }
                    Err(error) => tracing::error!(%error, "a second factor cannot be opened"),
                }
            }
        }
    }
}
