//! Accounts: who a person is to this server.

use super::link;
use crate::access::{Link, Role};
use crate::error::{FhirError, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::resource::{Id, ResourceKey};
use crate::storage::failure::of_sqlx;
use crate::storage::read::fetch_all;
use crate::storage::statement::Statement;
use crate::storage::store::Store;
use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Accounts that one list may hold.
const MOST_LISTED: i64 = 1_000;

/// Whether an account can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Its address was not confirmed yet.
    Unverified,
    Active,
    Disabled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unverified => "unverified",
            Status::Active => "active",
            Status::Disabled => "disabled",
        }
    }

    fn parse(text: &str) -> Option<Status> {
        let all = [Status::Unverified, Status::Active, Status::Disabled];
        all.into_iter().find(|status| status.as_str() == text)
    }
}

/// A person who may sign in.
#[derive(Clone, Debug)]
pub struct Account {
    /// UUID.
    pub account: String,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub status: Status,
    /// PHC string or bcrypt; None where no password was set yet.
    pub password: Option<String>,
    pub epoch: i32,
    pub language: String,
    pub jurisdictions: Vec<String>,
    pub created: DateTime<Utc>,
    /// `fhirUser`
    pub person: Option<Link>,
    /// The patients that it is or acts for.
    pub patients: Vec<Link>,
    pub facilities: Vec<Link>,
    /// Which second factors are in use.
    pub has_totp: bool,
    pub has_passkey: bool,
}

impl Account {
    /// Whether a second factor is in use.
    pub fn has_factor(&self) -> bool {
        self.has_totp || self.has_passkey
    }
}

/// An account to be.
pub struct NewAccount<'a> {
    pub account: &'a str,
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub status: Status,
    pub password: Option<&'a str>,
    pub language: &'a str,
    pub jurisdictions: &'a [String],
}

/// What becomes different; None stays.
#[derive(Default)]
pub struct AccountChange<'a> {
    pub name: Option<&'a str>,
    pub role: Option<Role>,
    pub status: Option<Status>,
    pub password: Option<&'a str>,
    pub language: Option<&'a str>,
    /// Whether sessions and grants of before end.
    pub ends_grants: bool,
}

impl Store {
    /// False where the address has an account.
    pub async fn create_account(&self, new: &NewAccount<'_>, now: DateTime<Utc>) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/account_create.sql"))
            .bind(new.account)
            .bind(new.email)
            .bind(new.name)
            .bind(new.role.as_str())
            .bind(new.status.as_str())
            .bind(new.password)
            .bind(new.language)
            .bind(new.jurisdictions)
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    /// The first administrator, against the hash of a bootstrap code. False where the code is not
    /// good, there is an administrator, or the address has an account.
    pub async fn create_first_admin(
        &self,
        code: &[u8],
        new: &NewAccount<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/account_bootstrap.sql"))
            .bind(code)
            .bind(now)
            .bind(new.account)
            .bind(new.email)
            .bind(new.name)
            .bind(new.password)
            .bind(new.language);
        Ok(self.run(query).await? == 1)
    }

    pub async fn has_admin(&self) -> Result<bool> {
        let row =
            self.first_row(sqlx::query(include_str!("../sql/account_admin_known.sql"))).await?;
        let known = row.map(|row| row.try_get(0)).transpose().map_err(FhirError::internal)?;
        Ok(known.unwrap_or(false))
    }

    /// `email` in lower case and NFC.
    pub async fn account_of_email(&self, email: &str) -> Result<Option<Account>> {
        let mut statement = Statement::new(include_str!("../sql/account_read.sql"));
        statement.push(" a.email = ").bind(email.to_owned());
        Ok(self.accounts_of(statement).await?.pop())
    }

    pub async fn account(&self, account: &str) -> Result<Option<Account>> {
        let mut statement = Statement::new(include_str!("../sql/account_read.sql"));
        statement.push(" a.account = ").bind(account.to_owned()).push("::text::uuid");
        Ok(self.accounts_of(statement).await?.pop())
    }

    /// The first thousand, by address.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let mut statement = Statement::new(include_str!("../sql/account_read.sql"));
        statement.push(" true order by a.email").push_limit(MOST_LISTED);
        self.accounts_of(statement).await
    }

    async fn accounts_of(&self, statement: Statement) -> Result<Vec<Account>> {
        let mut connection = self.connection().await?;
        let rows = fetch_all(&mut connection, statement).await?;
        connection.release();
        rows.iter().map(account).collect()
    }

    /// False where there is no such account.
    pub async fn change_account(
        &self,
        account: &str,
        change: AccountChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/account_change.sql"))
            .bind(account)
            .bind(change.name)
            .bind(change.role.map(Role::as_str))
            .bind(change.status.map(Status::as_str))
            .bind(change.password)
            .bind(change.language)
            .bind(change.ends_grants)
            .bind(now);
        Ok(self.first_row(query).await?.is_some())
    }

    /// Makes the account the resource. False where it is another one already, or the resource is
    /// another account's.
    pub async fn link_account(
        &self,
        account: &str,
        person: &Link,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let query = sqlx::query(include_str!("../sql/account_link.sql"))
            .bind(account)
            .bind(person.rid)
            .bind(person.key.resource_type.number())
            .bind(person.key.id.as_str())
            .bind(now);
        Ok(self.run(query).await? == 1)
    }

    pub async fn unlink_account(&self, account: &str) -> Result<()> {
        let query = sqlx::query(include_str!("../sql/account_unlink.sql")).bind(account);
        self.run(query).await.map(drop)
    }

    /// The facilities of an account become these, the first one owning what it writes.
    pub async fn set_facilities(&self, account: &str, facilities: &[Link]) -> Result<()> {
        let rids: Vec<i64> = facilities.iter().map(|link| link.rid).collect();
        let ids: Vec<&str> = facilities.iter().map(|link| link.key.id.as_str()).collect();
        let mut connection = self.connection().await?;
        connection.begin().await.map_err(of_sqlx)?;
        let gone = sqlx::query(include_str!("../sql/account_facilities_remove.sql")).bind(account);
        gone.execute(&mut *connection).await.map_err(of_sqlx)?;
        let new = sqlx::query(include_str!("../sql/account_facilities_write.sql"));
        let new = new.bind(account).bind(rids).bind(ids);
        new.execute(&mut *connection).await.map_err(of_sqlx)?;
        connection.commit().await.map_err(of_sqlx)
    }
}

fn account(row: &PgRow) -> Result<Account> {
    let read = || -> Result<_, sqlx::Error> {
        let person = (row.try_get("rid")?, row.try_get("type")?, row.try_get("id")?);
        let facilities: (Vec<i64>, Vec<String>) = (row.try_get("rids")?, row.try_get("ids")?);
        let proxied: (Vec<i64>, Vec<String>) =
            (row.try_get("proxied_rids")?, row.try_get("proxied_ids")?);
        let words: (String, String) = (row.try_get("role")?, row.try_get("status")?);
        let account = Account {
            account: row.try_get("account")?,
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            role: Role::Patient,
            status: Status::Disabled,
            password: row.try_get("password")?,
            epoch: row.try_get("epoch")?,
            language: row.try_get("language")?,
            jurisdictions: row.try_get("jurisdictions")?,
            created: row.try_get("created")?,
            person: None,
            patients: Vec::new(),
            facilities: Vec::new(),
            has_totp: row.try_get("has_totp")?,
            has_passkey: row.try_get("has_passkey")?,
        };
        Ok((account, words, (person, facilities, proxied)))
    };
    let (account, (role, status), links) = read().map_err(FhirError::internal)?;
    let ((rid, number, id), facilities, proxied): (
        (Option<i64>, Option<i16>, Option<String>),
        _,
        _,
    ) = links;
    let unknown = || FhirError::internal("a stored account has an unknown role or status");
    let person = match (rid, number, id) {
        (Some(rid), Some(number), Some(id)) => Some(link(rid, number, &id)?),
        _ => None,
    };
    let is_patient = |link: &&Link| link.key.resource_type.name() == "Patient";
    let mut patients: Vec<Link> = person.iter().filter(is_patient).cloned().collect();
    for proxied in all("Patient", proxied) {
        if !patients.contains(&proxied) {
            patients.push(proxied);
        }
    }
    Ok(Account {
        role: Role::parse(&role).ok_or_else(unknown)?,
        status: Status::parse(&status).ok_or_else(unknown)?,
        person,
        patients,
        facilities: all("Organization", facilities),
        ..account
    })
}

/// Links to resources of a type.
fn all(name: &str, (rids, ids): (Vec<i64>, Vec<String>)) -> Vec<Link> {
    let resource_type = ResourceType::parse(name);
    let links = rids.into_iter().zip(ids).filter_map(|(rid, id)| {
        let key = ResourceKey::new(resource_type?, Id::parse(&id)?);
        Some(Link { key, rid })
    });
    links.collect()
}
