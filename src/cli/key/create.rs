//! `key create`: prints a new secret once, and adds the entry with its digest to the key file.

use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, ValueEnum};

use crate::cli::caller::now;
use crate::cli::exit::{CommandError, Exit};
use crate::identity::SecretDigest;
use crate::identity::api_key::{MAX_ID_LENGTH, is_key_id};
use crate::identity::key_file::{KeyEntry, edit};
use crate::settings::units::parse_duration;
use crate::vocabulary::{Assignment, Proof, Subject, SubjectKind, Timestamp};

use super::file::{self, KeyFileDocument};

pub(super) const EXAMPLE: &str = "\
Example: portcullis key create --file keys.yaml --id lab --kind service --role Technician --tenant t1 --expires 90d

The key is printed to standard output as `id:secret`, everything else to the error stream. The file stores only a digest
of the secret: a lost key must be replaced. A request presents the key as gateway.yaml configures it, in a header of its
own or as HTTP Basic:
  curl -H 'X-Api-Key: lab:SECRET' …
  curl -u lab:SECRET …

Ends with 1, and changes nothing, where the file already has the id or cannot be read or written.";

/// The random bytes of a secret: too many to guess.
const SECRET_BYTES: usize = 32;

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// The key file; a new one is readable by its owner only
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The key's id: letters, digits and . _ @ + -
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    id: String,
    /// Whether the key belongs to a user or to a service app
    #[arg(long, value_enum, default_value_t = KindArgument::User)]
    kind: KindArgument,
    /// A role of the policy; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Box<str>>,
    /// A tenant that the holder belongs to; may be given several times
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<Box<str>>,
    /// A group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Box<str>>,
    /// A row of the policy's table, granted directly; may be given several times
    #[arg(long = "permission", value_name = "ROW")]
    permissions: Vec<Box<str>>,
    /// The application that uses the key
    #[arg(long, value_name = "CLIENT")]
    client: Option<Box<str>>,
    /// When it expires: after a time such as 90d or 12h, at a time such as 2030-01-31T12:00:00Z, or `never`
    #[arg(long, value_name = "WHEN", default_value = "365d", value_parser = parse_expiry)]
    expires: KeyExpiry,
    /// A comment, which must not be a secret
    #[arg(long, value_name = "TEXT")]
    comment: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KindArgument {
    User,
    Service,
}

#[derive(Debug, Clone, Copy)]
enum KeyExpiry {
    After(u64),
    At(Timestamp),
    Never,
}

pub(super) fn run(args: &CreateArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let now = now();
    let expires = match args.expires {
        KeyExpiry::After(seconds) => Some(now.plus(seconds)),
        KeyExpiry::At(moment) => Some(moment),
        KeyExpiry::Never => None,
    };
    if expires.is_some_and(|expires| expires <= now) {
        return Err(CommandError::usage("`--expires` lies in the past"));
    }
    let file = KeyFileDocument::open_to_change(&args.file, true)?;
    if file.entries.iter().any(|entry| *entry.id == *args.id) {
        let message = format!("`{}` has a key `{}` already: choose another id", args.file.display(), args.id);
        return Err(CommandError::failure(message));
    }
    let secret = generate_secret()?;
    let entry = new_entry(args, SecretDigest::of(secret.as_bytes()), now, expires);
    let edited = edit::add_key(&file.text, &entry);
    file.replace(edited.ok_or_else(|| file::not_editable(&args.file))?)?;
    // A key that was not shown is useless, so a closed output is a failure here too.
    writeln!(out, "{}:{secret}", args.id).and_then(|()| out.flush()).map_err(|error| {
        CommandError::failure(format!("the key cannot be shown: {error}; revoke `{}` and make another one", args.id))
    })?;
    let until = expires.map_or("it does not expire".to_owned(), |at| format!("it expires at {at}"));
    // A failure of the error stream is ignored: the key has been created and shown.
    let _ = writeln!(err, "this is shown once: hand it over now; {until}");
    Ok(Exit::Done)
}

fn new_entry(args: &CreateArgs, digest: SecretDigest, now: Timestamp, expires: Option<Timestamp>) -> KeyEntry {
    let subject = Subject {
        kind: if args.kind == KindArgument::Service { SubjectKind::Service } else { SubjectKind::User },
        client: args.client.clone(),
        tenants: args.tenants.clone(),
        roles: args.roles.iter().map(|role| Assignment::unbound(role)).collect(),
        groups: args.groups.clone(),
        permissions: args.permissions.clone(),
        proof: Proof::ApiKey,
        ..Subject::default()
    };
    let (id, comment) = (args.id.as_str().into(), args.comment.clone());
    KeyEntry { id, digest, subject, created: Some(now), expires, revoked: None, comment }
}

fn generate_secret() -> Result<String, CommandError> {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CommandError::failure("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn parse_id(text: &str) -> Result<String, String> {
    let wrong = || format!("an id is at most {MAX_ID_LENGTH} letters, digits and `.`, `_`, `@`, `+`, `-`");
    if is_key_id(text) { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// The longest time until expiry, in seconds: a hundred years.
const MAX_EXPIRY: u64 = 36_525 * 86_400;

fn parse_expiry(text: &str) -> Result<KeyExpiry, String> {
    if text == "never" {
        return Ok(KeyExpiry::Never);
    }
    let after = parse_duration(text).filter(|after| after.subsec_nanos() == 0).map(|after| after.as_secs());
    if after.is_some_and(|after| after > MAX_EXPIRY) {
        return Err("that is more than a hundred years away: write `never`".to_owned());
    }
    let found = after.map(KeyExpiry::After).or_else(|| Timestamp::parse(text).map(KeyExpiry::At));
    found.ok_or_else(|| "a time such as 90d or 12h, a moment such as 2030-01-31T12:00:00Z, or never".to_owned())
}
