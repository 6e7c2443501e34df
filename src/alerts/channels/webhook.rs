//! `webhook`: an address of the user's own, signed.

use serde_json::json;

use super::{ChannelKind, Given, Letter, What, moment};
use crate::alerts::Notice;

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "webhook",
    doc: "Posts the notice as JSON, signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, \
          `webhook-signature`), so that a kill switch or throttle of your own can trust it.",
    example: "[notify.throttle]\nkind = \"webhook\"\nurl = \"https://example.org/hook\"\nsecret = \"{{ env.HOOK_SECRET }}\"\n",
    needs: &["url", "secret"],
    takes: &[],
    url: None,
    letters,
};

fn letters(notice: &Notice, _: &Given<'_>) -> Vec<Letter> {
    let body = json!({ "type": "alert.notice", "timestamp": moment(notice.at), "data": notice });
    vec![Letter { id: format!("alert.{}", notice.key), what: What::Json(body) }]
}
