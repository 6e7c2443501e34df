//! `seatrial review notify`: sends the webhooks that are due, once, for cron.

use std::time::Duration;

use super::opened::{Opened, now};
use crate::cli::context::{Context, Failure, eprint};
use crate::cli::stored;
use crate::eval::exit;
use crate::net::secret;
use crate::net::webhook::send::Sender;
use crate::report::safe;
use crate::review::notify::{Notifier, Told};
use crate::review::words::count;
use crate::store::db::{Store, StoreError};

/// How long the end of a run waits for those who are told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `seatrial review notify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  */5 * * * * seatrial review notify --quiet     in a crontab

Looks for items that are overdue, and sends every message that is due to the `webhooks` of [review] in seatrial.toml \
(`seatrial explain settings`). `seatrial review serve` does the same as long as it runs, and a run does it at its end. Exit \
codes: 0 when everything arrived, 5 when something is to be sent again.")]
pub struct Args {}

/// Send the webhooks that are due.
pub fn run(_: &Args, context: &Context) -> Result<u8, Failure> {
    if context.settings.review.value.webhooks.is_empty() {
        let help = "`[review] webhooks = [...]` in seatrial.toml; `seatrial explain settings`";
        return Err(Failure::usage(format_args!("there are no webhooks to send anything to\nhelp: {help}")));
    }
    let opened = Opened::new(context)?;
    let sender = Sender::new().map_err(|why| Failure::new(exit::BUG, why))?;
    let told =
        opened.runtime().block_on(tell_all(&opened.store, &sender, context)).map_err(|why| Failure::store(&why))?;
    told.troubles.iter().for_each(|why| eprint(&format!("not sent: {}\n", safe::line(why))));
    let mut text = format!("sent {}", count(told.sent, "message", "messages"));
    if told.again > 0 {
        text.push_str(&format!(", {} to be sent again", told.again));
    }
    if told.given_up > 0 {
        text.push_str(&format!(", {} given up", told.given_up));
    }
    let code = if told.again + told.given_up > 0 { exit::INCOMPLETE } else { exit::PASSED };
    context.print(format!("{text}\n").as_bytes(), code)
}

/// Tells of what has just happened, for some seconds at most: who cannot be told now is told later.
pub fn soon(opened: &stored::Opened, context: &Context) {
    if context.settings.review.value.webhooks.is_empty() {
        return;
    }
    let Ok(sender) = Sender::new() else { return };
    let telling = async { tokio::time::timeout(PATIENCE, tell_all(opened.store(), &sender, context)).await };
    let troubles = match opened.runtime().block_on(telling) {
        Ok(Ok(told)) => told.troubles,
        Ok(Err(why)) => vec![why.to_string()],
        Err(_) => vec![format!("not everybody answered within {} s", PATIENCE.as_secs())],
    };
    for why in troubles {
        let later = "`seatrial review notify` sends it again";
        context.note(&format!("seatrial: a webhook was not told: {}; {later}\n", safe::line(&why)));
    }
}

/// Puts down what is overdue, and sends everything that is due.
pub async fn tell_all(store: &Store, sender: &Sender, context: &Context) -> Result<Told, StoreError> {
    let webhooks = &context.settings.review.value.webhooks;
    let notifier = Notifier { store, webhooks, sender, vars: &secret::of_environment, clock: &now };
    notifier.find_overdue().await?;
    notifier.send_all().await
}
