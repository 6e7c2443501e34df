//! What every subcommand needs: the log with its clock and its keys, targets of the settings, and who it is that asks.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;

use super::super::context::{Context, Failure};
use super::super::review::reviewer;
use super::super::stored::Opened;
use crate::eval::exit;
use crate::model::digest::Digest;
use crate::net::secret;
use crate::promote::book::{self, Book, BookError, Shelf, Wanted};
use crate::promote::event::{Id, Submission};
use crate::promote::gate::{self, Gate};
use crate::promote::keys::{Public, Secret};
use crate::promote::moment::Moment;
use crate::promote::record::file_digest;
use crate::promote::state::{Promotion, Refused, State};
use crate::redact::Redacted;
use crate::report::safe;
use crate::store::db::Store;
use crate::suite::nearest::nearest;
use crate::suite::settings::promote::{SIGNING_KEY, SIGNING_KEY_FILE, Target};

/// The longest key file that is read, in bytes.
const LONGEST_KEY: u64 = 64 << 10;

/// The clock.
pub fn now() -> Moment {
    Moment(jiff::Timestamp::now().as_millisecond())
}

/// A failure of the log.
pub fn failure(why: BookError) -> Failure {
    match why {
        BookError::Refused(why) => Failure::new(exit::FAILED, format_args!("refused: {why}")),
        BookError::Broken(_) => Failure::new(exit::FAILED, why),
        BookError::Shelf(_) | BookError::Busy => Failure::new(exit::INCOMPLETE, why),
    }
}

/// A target of the settings.
pub fn target<'c>(name: &str, context: &'c Context) -> Result<&'c Target, Failure> {
    let targets = &context.settings.targets;
    targets.get(name).ok_or_else(|| {
        let help = match nearest(name, targets.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if targets.is_empty() => {
                "add a table `[promote.TARGET]` to seatrial.toml (`seatrial explain promote`)".to_owned()
            }
            None => format!("the targets are {}", targets.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        Failure::usage(format_args!("there is no target `{}` in the settings\nhelp: {help}", safe::line(name)))
    })
}

/// Who asks: as given, else as whoever reviews.
fn named(by: Option<&str>, context: &Context) -> Option<String> {
    let of_settings = || reviewer(context).ok();
    by.map(str::to_owned).or_else(of_settings).map(|name| name.trim().to_owned()).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && !name.chars().any(char::is_control)
}

/// Who submits: as given, whoever reviews here, or whom the CI or the system names.
pub fn submitter(by: Option<&str>, context: &Context) -> Result<String, Failure> {
    let known = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME", "USERNAME"];
    let of_system = || known.iter().find_map(|name| std::env::var(name).ok()).filter(|name| is_name(name));
    named(by, context).or_else(of_system).ok_or_else(nobody)
}

/// Who decides: whoever does says so.
pub fn decider(by: Option<&str>, context: &Context) -> Result<String, Failure> {
    named(by, context).ok_or_else(nobody)
}

fn nobody() -> Failure {
    Failure::usage(
        "who does this?\nhelp: give your name by --by, or set `reviewer` (SEATRIAL_REVIEWER) or git's `user.name`",
    )
}

/// The keys of a target.
pub struct Keys {
    /// The key that signs; none where there is none.
    pub secret: Option<Secret>,
    /// The keys that are trusted; `None` where nothing has to be signed.
    pub trusted: Option<Vec<Public>>,
}

impl Keys {
    /// Reads the keys of a target. Where keys are trusted, one of them must be at hand to sign with.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let secret = secret_key(Some(target))?;
        let trusted = trusted(target)?;
        match (&secret, &trusted) {
            (None, Some(_)) => Err(Failure::usage(format_args!(
                "the target trusts keys (`trusted_keys`), and there is none to sign with\nhelp: set {SIGNING_KEY} or \
                 {SIGNING_KEY_FILE}, or name its file by `key`"
            ))),
            (Some(secret), Some(trusted)) if !trusted.contains(&secret.public()) => Err(Failure::new(
                exit::FAILED,
                format_args!(
                    "refused: the target does not trust the key {} that is there to sign with\nhelp: name its public \
                     key in `trusted_keys`",
                    crate::promote::dsse::short(&secret.public().id())
                ),
            )),
            _ => Ok(Self { secret, trusted }),
        }
    }
}

/// The keys that a target trusts; `None` where nothing has to be signed.
pub fn trusted(target: &Target) -> Result<Option<Vec<Public>>, Failure> {
    let keys: Result<Vec<Public>, Failure> = target.trusted_keys.iter().map(|path| public_key(path)).collect();
    Ok(Some(keys?).filter(|keys| !keys.is_empty()))
}

/// A public key from its file.
pub fn public_key(path: &Path) -> Result<Public, Failure> {
    read_key(path).and_then(|pem| Public::of_pem(&pem).map_err(|why| told(path, &why)))
}

/// The key that signs: of the environment, else the file that the target names.
pub fn secret_key(target: Option<&Target>) -> Result<Option<Secret>, Failure> {
    let usage = |from: &str, why: &dyn std::fmt::Display| Failure::usage(format_args!("{from}: {why}"));
    if let Some(pem) = secret::of_environment(SIGNING_KEY) {
        return Secret::of_pem(&SecretString::from(pem)).map(Some).map_err(|why| usage(SIGNING_KEY, &why));
    }
    if std::env::var_os(SIGNING_KEY_FILE).is_some_and(|name| !name.is_empty()) {
        return Err(usage(SIGNING_KEY_FILE, &secret::unset(SIGNING_KEY, &|name| std::env::var(name).ok())));
    }
    let Some(path) = target.and_then(|target| target.key.as_deref()) else { return Ok(None) };
    let pem = SecretString::from(read_key(path)?);
    Secret::of_pem(&pem).map(Some).map_err(|why| told(path, &why))
}

fn told(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format_args!("{}: {why}", safe::line(&path.display().to_string())))
}

fn read_key(path: &Path) -> Result<String, Failure> {
    let meta = std::fs::metadata(path).map_err(|why| told(path, &why))?;
    if meta.len() > LONGEST_KEY || !meta.is_file() {
        return Err(told(path, &"this is no key"));
    }
    std::fs::read_to_string(path).map_err(|why| told(path, &why))
}

/// A digest as it is given: `sha256:<hex>`, or a file.
pub fn artifact(given: &str, context: &Context) -> Result<Digest, Failure> {
    if given.starts_with("sha256:") {
        return serde_json::from_value(given.into()).map_err(|_| {
            Failure::usage(format_args!("`{}` is no SHA-256 digest: 64 hexadecimal digits", safe::line(given)))
        });
    }
    let path = context.cwd.join(given);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_file() => file_digest(&path).map_err(|why| told(Path::new(given), &why)),
        Ok(_) => Err(told(Path::new(given), &"this is no file; give the file that is deployed, or `sha256:<hex>`")),
        Err(why) => Err(told(Path::new(given), &why)),
    }
}

/// That what somebody says is not written.
fn untaken(why: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!("the reason is not taken: {why}"))
}

/// A promotion by its name.
pub fn promotion<'s>(state: &'s State, id: &str) -> Result<&'s Promotion, Failure> {
    let known = || state.promotions.iter().map(|p| p.submission.promotion.0.as_str());
    state.promotion(&Id(id.to_owned())).ok_or_else(|| {
        let help = nearest(id, known())
            .map_or_else(|| "`seatrial promote list` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Failure::usage(format_args!("there is no promotion `{}`\nhelp: {help}", safe::line(id)))
    })
}

/// The store, opened, with the context of the command.
pub struct Desk<'c> {
    /// What every command is given.
    pub context: &'c Context,
    opened: Opened,
}

impl<'c> Desk<'c> {
    /// Opens the store.
    pub fn open(context: &'c Context) -> Result<Self, Failure> {
        Ok(Self { context, opened: context.needed_store()? })
    }

    /// Reads the log.
    pub fn read(&self) -> Result<Book, Failure> {
        self.wait(Book::read(self.store())).map_err(failure)
    }

    /// Writes to the log.
    pub fn write(
        &self,
        key: Option<&Secret>,
        evidence: &BTreeMap<Digest, String>,
        make: &dyn Fn(&Book, Moment) -> Result<Wanted, Refused>,
    ) -> Result<Book, Failure> {
        self.wait(book::write(self.store(), &now, key, evidence, make)).map_err(failure)
    }

    /// Evidence by its digest.
    pub fn evidence(&self, digest: &Digest) -> Result<Option<String>, Failure> {
        self.wait(Shelf::evidence(self.store(), digest)).map_err(failure)
    }

    /// What somebody says of a promotion, as it may be written: the log keeps it for ever, so it goes through the rules of the
    /// settings, and of the suites whose evidence the promotion rests on.
    ///
    /// # Errors
    /// What those suites hide is not known here.
    pub fn words(&self, text: &str, of: &Submission) -> Result<String, Failure> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let gate = self.evidence(&of.gate)?.and_then(|text| serde_json::from_str::<Gate>(&text).ok());
        let Some(gate) = gate else {
            let id = &of.promotion;
            let why =
                format!("the evidence of {id} is not there, and with it what its suites take out of what is written");
            return Err(untaken(why));
        };
        self.words_of(text, &gate)
    }

    /// The same where something has to go on also when it is not known what must not be written: then nothing of it is.
    pub fn words_if_known(&self, text: &str, of: &Submission) -> String {
        self.words(text, of).unwrap_or_else(|why| {
            self.context.note(&format!("seatrial: {}\n", why.message.trim_end()));
            "not written: what must be hidden of it is not known".to_owned()
        })
    }

    /// The same, of evidence that is not written yet.
    ///
    /// # Errors
    /// As [`Desk::words`].
    pub fn words_of(&self, text: &str, gate: &Gate) -> Result<String, Failure> {
        let plans = gate::all(&gate.runs).filter_map(|(_, suite)| suite.redact.as_ref());
        self.context.redactors().words(text, plans).map(Redacted::into_inner).map_err(untaken)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.opened.store()
    }

    /// Waits for something.
    pub fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.opened.runtime().block_on(asked)
    }
}
