//! `bhn-fhir user`: accounts of people. Passwords are never arguments: a new account chooses its
//! own by a link, or one is read from standard input.

use super::operator::with_store;
use crate::access::{Link, Role};
use crate::cli::Failure;
use crate::clock::Clock;
use crate::config::BesideConfig;
use crate::fhir::resource::ResourceKey;
use crate::oauth::accounts::{self, Passwords, password_rules};
use crate::storage::{Account, AccountChange, CodePurpose, NewAccount, Status, Store};
use clap::{Args, Subcommand};
use std::io::Read;

/// Everything that `user` takes.
#[derive(Args, Debug)]
pub struct UserConfig {
    #[command(flatten)]
    pub beside: BesideConfig,
    #[command(subcommand)]
    pub act: UserAct,
}

#[derive(Subcommand, Debug)]
pub enum UserAct {
    /// Make an account; a link to choose its password is printed.
    Add(Box<NewUser>),
    /// Show the accounts, one a line.
    List,
    /// Show one account.
    Show { email: String },
    /// End the sessions and grants of an account, and let nobody sign in with it.
    Disable { email: String },
    /// Let an account that was disabled be used again.
    Enable { email: String },
    /// Print a link to choose a new password with, good for half an hour.
    Password {
        email: String,
        /// Read the password from standard input instead.
        #[arg(long)]
        stdin: bool,
    },
    /// Remove the second factor of who has lost it; its sessions end.
    ResetMfa { email: String },
    /// Give an account another role; its sessions and grants end.
    Role {
        email: String,
        #[arg(value_parser = parse_role)]
        role: Role,
    },
    /// Link an account to the Patient, Practitioner, RelatedPerson or Person that it is.
    Link {
        email: String,
        /// Such as Practitioner/1; it takes the place of the link of before.
        resource: Option<String>,
        /// Facilities that the account works for, such as Organization/1; the first one owns what
        /// the account writes.
        #[arg(long, value_delimiter = ',')]
        facility: Vec<String>,
    },
    /// Print a code that links the account of whoever enters it to this Patient or Practitioner;
    /// good for seven days.
    Claim { resource: String },
}

/// What an account is made of.
#[derive(Args, Debug)]
pub struct NewUser {
    /// Address of mail, with which the person signs in.
    pub email: String,
    #[arg(long)]
    pub name: String,
    /// patient, doctor, hospital_staff, admin or registrar.
    #[arg(long, value_parser = parse_role)]
    pub role: Role,
    /// The Patient or Practitioner that it is, such as Practitioner/1.
    #[arg(long)]
    pub link: Option<String>,
    #[arg(long, value_delimiter = ',')]
    pub facility: Vec<String>,
    /// Codes of jurisdictions, of a registrar.
    #[arg(long, value_delimiter = ',')]
    pub jurisdiction: Vec<String>,
    #[arg(long, default_value = "en", value_parser = ["en", "fr"])]
    pub language: String,
    /// Read the password from standard input.
    #[arg(long)]
    pub password_stdin: bool,
}

fn parse_role(text: &str) -> Result<Role, String> {
    let role = Role::parse(text).filter(|role| !role.is_system());
    let wanted = "patient, doctor, hospital_staff, admin or registrar is wanted";
    role.ok_or_else(|| wanted.to_owned())
}

pub async fn run(config: UserConfig) -> Result<(), Failure> {
    let issuer = config.beside.settings().issuer().to_owned();
    let act = config.act;
    with_store(&config.beside.database, async |store| match act {
        UserAct::Add(new) => add(store, *new, &issuer).await,
        UserAct::List => list(store).await,
        UserAct::Show { email } => {
            let account = known(store, &email).await?;
            println!("{}", line(&account));
            Ok(())
        }
        UserAct::Disable { email } => set(store, &email, changed(Status::Disabled)).await,
        UserAct::Enable { email } => set(store, &email, changed(Status::Active)).await,
        UserAct::Password { email, stdin } => {
            let account = known(store, &email).await?;
            password(store, &account, (stdin, &issuer)).await
        }
        UserAct::ResetMfa { email } => {
            let account = known(store, &email).await?;
            store.remove_factors(&account.account).await?;
            let change = AccountChange { ends_grants: true, ..AccountChange::default() };
            set(store, &email, change).await
        }
        UserAct::Role { email, role } => {
            let change =
                AccountChange { role: Some(role), ends_grants: true, ..AccountChange::default() };
            set(store, &email, change).await
        }
        UserAct::Link { email, resource, facility } => {
            let account = known(store, &email).await?;
            links(store, &account, (resource.as_deref(), &facility)).await
        }
        UserAct::Claim { resource } => {
            let person = link(store, &resource, &["Patient", "Practitioner"]).await?;
            let code = accounts::claim_code(store, &person, Clock::System.now()).await?;
            println!("{code}");
            Ok(())
        }
    })
    .await
}

fn changed(status: Status) -> AccountChange<'static> {
    let ends_grants = status == Status::Disabled;
    AccountChange { status: Some(status), ends_grants, ..AccountChange::default() }
}

async fn known(store: &Store, email: &str) -> Result<Account, Failure> {
    let typed = accounts::email(email).ok_or_else(|| format!("{email} is no address of mail"))?;
    let account = store.account_of_email(&typed).await?;
    account.ok_or_else(|| format!("There is no account of {typed}").into())
}

async fn set(store: &Store, email: &str, change: AccountChange<'_>) -> Result<(), Failure> {
    let account = known(store, email).await?;
    store.change_account(&account.account, change, Clock::System.now()).await?;
    println!("{}", line(&known(store, email).await?));
    Ok(())
}

fn line(account: &Account) -> String {
    let person =
        account.person.as_ref().map_or_else(|| "-".to_owned(), |link| link.key.to_string());
    let facilities: Vec<String> =
        account.facilities.iter().map(|link| link.key.to_string()).collect();
    let mfa = if account.has_factor() { "mfa" } else { "no mfa" };
    format!(
        "{} {} {} {} {person} [{}] {mfa}",
        account.email,
        account.account,
        account.role,
        account.status.as_str(),
        facilities.join(",")
    )
}

async fn list(store: &Store) -> Result<(), Failure> {
    for account in store.accounts().await? {
        println!("{}", line(&account));
    }
    Ok(())
}

async fn add(store: &Store, new: NewUser, issuer: &str) -> Result<(), Failure> {
    let email = accounts::email(&new.email);
    let email = email.ok_or_else(|| format!("{} is no address of mail", new.email))?;
    let person = NewAccount {
        account: "",
        email: &email,
        name: new.name.trim(),
        role: new.role,
        status: Status::Active,
        password: None,
        language: &new.language,
        jurisdictions: &new.jurisdiction,
    };
    let made = accounts::add(store, person, Clock::System.now()).await?;
    if made.is_none() {
        return Err(format!("There is an account of {email}").into());
    }
    let account = known(store, &email).await?;
    links(store, &account, (new.link.as_deref(), &new.facility)).await?;
    password(store, &account, (new.password_stdin, issuer)).await
}

/// Sets the password that is typed, or prints the link where the person chooses one.
async fn password(
    store: &Store,
    account: &Account,
    (is_typed, issuer): (bool, &str),
) -> Result<(), Failure> {
    let now = Clock::System.now();
    if !is_typed {
        let purpose = (CodePurpose::Reset, Some(account.account.as_str()));
        let code = accounts::code_for(store, purpose, now).await?;
        println!("{issuer}/reset?code={code}");
        return Ok(());
    }
    let mut typed = String::new();
    std::io::stdin().take(4_096).read_to_string(&mut typed)?;
    let typed = typed.trim_end_matches(['\r', '\n']);
    let least = accounts::least_characters(account.role, account.has_factor());
    let person = [account.name.as_str(), account.email.as_str()];
    password_rules::check(typed, least, person)
        .map_err(|refused| format!("The password is not taken: {refused:?}"))?;
    accounts::set_password((store, &Passwords::new()), account, typed, now).await?;
    println!("The password of {} was set", account.email);
    Ok(())
}

async fn links(
    store: &Store,
    account: &Account,
    (person, facilities): (Option<&str>, &[String]),
) -> Result<(), Failure> {
    if let Some(text) = person {
        let kinds = ["Patient", "Practitioner", "RelatedPerson", "Person"];
        let person = link(store, text, &kinds).await?;
        store.unlink_account(&account.account).await?;
        if !store.link_account(&account.account, &person, Clock::System.now()).await? {
            return Err(format!("{text} is another account's").into());
        }
    }
    let mut works_for = Vec::new();
    for text in facilities {
        works_for.push(link(store, text, &["Organization"]).await?);
    }
    if !works_for.is_empty() {
        store.set_facilities(&account.account, &works_for).await?;
    }
    Ok(())
}

/// A resource that there may be later.
async fn link(store: &Store, text: &str, kinds: &[&str]) -> Result<Link, Failure> {
    let key = ResourceKey::parse(text).filter(|key| kinds.contains(&key.resource_type.name()));
    let key = key.ok_or_else(|| format!("{text} is no {}", kinds.join(", ")))?;
    let rids = store.intern_references([&key]).await?;
    let rid = rids.get(&key).copied().ok_or("The reference has no number")?;
    Ok(Link { rid, key })
}
