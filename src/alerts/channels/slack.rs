//! `slack`: an incoming webhook of Slack, or of whatever takes the same (Mattermost, Discord's `/slack`, Rocket.Chat).

use serde_json::json;

use super::{ChannelKind, Given, Letter, What, summary};
use crate::alerts::Notice;

pub(super) const CHANNEL: ChannelKind = ChannelKind {
    name: "slack",
    doc: "Posts a text to an incoming webhook of Slack, or of a chat that takes the same.",
    example: "[notify.chat]\nkind = \"slack\"\nurl = \"{{ env.SLACK_URL }}\"\n",
    needs: &["url"],
    takes: &[],
    url: None,
    letters,
};

/// The most characters of a message: Slack cuts longer ones.
const LONGEST: usize = 3_000;

fn letters(notice: &Notice, _: &Given<'_>) -> Vec<Letter> {
    let mut text = format!("*{}* {}", notice.severity.name(), escaped(&summary(notice)));
    for more in [&notice.description, &notice.link] {
        if !more.is_empty() {
            text.push('\n');
            text.push_str(&escaped(more));
        }
    }
    let text: String = text.chars().take(LONGEST).collect();
    vec![Letter { id: notice.key.clone(), what: What::Json(json!({ "text": text })) }]
}

/// A text as Slack wants it: what it would take for a mention or link is written out.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::channels::testing::notice;

    #[test]
    fn a_group_that_looks_like_a_mention_calls_nobody() {
        let [letter] = &letters(&notice(), &Given::default())[..] else { panic!("one letter") };
        let What::Json(body) = &letter.what else { panic!("json") };
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with("*critical* airline/slow fires [a&lt;!channel&gt;&amp;"), "{text}");
        assert!(!text.contains('<') && text.contains("resolves [c]"), "{text}");
    }
}
