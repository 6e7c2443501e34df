//! `seatrial promote keygen`: a pair of keys.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::super::context::{Context, Failure};
use super::words;
use crate::eval::exit;
use crate::promote::keys::Secret;

/// Arguments of `seatrial promote keygen`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Writes NAME.pem, which nobody else may read (keep it as a secret of the CI, in the variable \
SEATRIAL_SIGNING_KEY or in the file that SEATRIAL_SIGNING_KEY_FILE names), and NAME.pub.pem, which belongs into the \
repository and into `trusted_keys`. What is there already is left as it is.")]
pub struct Args {
    /// Where to, without `.pem`.
    #[arg(value_name = "NAME", default_value = "seatrial")]
    name: PathBuf,
}

/// Makes the keys.
pub fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let mut seed = [0; 32];
    let random = getrandom::fill(&mut seed);
    random.map_err(|why| Failure::new(exit::INCOMPLETE, format_args!("the system has no randomness: {why}")))?;
    let key = Secret::of_seed(&seed);
    seed.fill(0);
    let bug = |why| Failure::new(exit::BUG, why);
    let (secret, public) = (key.to_pem().map_err(bug)?, key.public().to_pem().map_err(bug)?);
    let path = |end: &str| {
        let mut name = args.name.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let (secret_path, public_path) = (path(".pem"), path(".pub.pem"));
    for (path, text, mode) in [(&secret_path, secret.expose_secret(), 0o600), (&public_path, public.as_str(), 0o644)] {
        let full = context.cwd.join(path);
        write_new(&full, text.as_bytes(), mode).map_err(|why| Failure::write(&path.display().to_string(), &why))?;
    }
    let mut out = String::new();
    words::row(&mut out, "secret key", &secret_path.display().to_string());
    words::row(&mut out, "public key", &public_path.display().to_string());
    words::row(&mut out, "key id", &key.public().id());
    context.print(out.as_bytes(), exit::PASSED)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
