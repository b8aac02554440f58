//! `bhn-fhir keys`: the keys that tokens are signed with.

use super::operator::with_store;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, SignInConfig};
use crate::oauth::Keyring;
use crate::oauth::accounts::secrets::{FACTORS, Keys};
use crate::storage::{KeyState, Store};
use clap::{Args, Subcommand};
use std::sync::Arc;

/// Everything that `keys` takes.
#[derive(Args, Debug)]
pub struct KeysConfig {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub sign_in: SignInConfig,
    #[command(subcommand)]
    pub act: KeysAct,
}

#[derive(Subcommand, Debug)]
pub enum KeysAct {
    /// Show every key: its id, purpose, algorithm, state, and since when it is in it.
    List,
    /// Publish the next keys; they sign from tomorrow.
    Rotate {
        /// For keys that came into other hands, or whose key file was lost: new ones sign at once,
        /// the old ones are not believed any more, and everything that was granted ends.
        #[arg(long)]
        now: bool,
    },
    /// Seal everything under the first key of the key file, after another one was put before it.
    /// The earlier ones can be taken out then.
    Reseal,
}

pub async fn run(config: KeysConfig) -> Result<(), Failure> {
    with_store(&config.database, async |store| match &config.act {
        KeysAct::List => list(store).await,
        KeysAct::Rotate { now } => rotate(store, &config, *now).await,
        KeysAct::Reseal => reseal(store, &config).await,
    })
    .await
}

async fn list(store: &Store) -> Result<(), Failure> {
    for key in store.signing_keys().await? {
        let since = match key.state {
            KeyState::Next => Some(key.created),
            KeyState::Active => key.activated,
            KeyState::Retiring | KeyState::Removed => key.retired,
        };
        let since = since.map(|at| at.to_rfc3339()).unwrap_or_default();
        let state = key.state.as_str();
        println!("{}\t{}\t{}\t{state}\t{since}", key.kid, key.purpose, key.algorithm);
    }
    Ok(())
}

async fn reseal(store: &Arc<Store>, config: &KeysConfig) -> Result<(), Failure> {
    let settings = config.sign_in.settings(&config.database);
    let keyring = Keyring::open(store, &settings, &Clock::System).await?;
    let factors = Keys::new(store.server_key(), keyring.seals(FACTORS)?)?;
    let count = keyring.reseal(&factors).await?;
    println!("{count} secrets are sealed anew");
    Ok(())
}

async fn rotate(store: &Arc<Store>, config: &KeysConfig, at_once: bool) -> Result<(), Failure> {
    let clock = Clock::System;
    let settings = config.sign_in.settings(&config.database);
    match at_once {
        true => {
            let keys = Keyring::by_file(store, &settings)?;
            let ended = keys.replace(clock.now()).await?;
            println!("New keys sign; {ended} grants have ended");
        }
        false => {
            let keys = Keyring::open(store, &settings, &clock).await?;
            keys.publish_next(clock.now()).await?;
            println!("The next keys are published; they sign in 24 hours");
        }
    }
    Ok(())
}
