//! Pages: templates, and how a value gets into them. Whatever a template prints is made harmless on the way, markup and
//! characters that reorder or hide text alike; there is no other way in.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Response, StatusCode};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use crate::report::html::{embed, pages};

/// Every template, by name.
const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("templates/base.html")),
    ("queue.html", include_str!("templates/queue.html")),
    ("item.html", include_str!("templates/item.html")),
    ("effect.html", include_str!("templates/effect.html")),
    ("trail.html", include_str!("templates/trail.html")),
    ("login.html", include_str!("templates/login.html")),
    ("problem.html", include_str!("templates/problem.html")),
];

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| pages::environment(TEMPLATES));

/// JSON in an element that a program of the page reads ([`embed::plain`]), ready to be put into a template.
pub fn block(id: &str, json: &[u8]) -> Value {
    let mut out = Vec::with_capacity(json.len() + 64);
    // Writing to memory does not fail.
    let _ = embed::plain(id, json, &mut out);
    Value::from_safe_string(String::from_utf8_lossy(&out).into_owned())
}

/// A page, drawn. `frame` is what every page shows, `page` what this one does.
pub fn draw(status: StatusCode, template: &str, frame: &impl Serialize, page: &impl Serialize) -> Response<Body> {
    let drawn = PAGES
        .get_template(template)
        .and_then(|t| t.render(context! { frame => Value::from(Serde(frame)), page => Value::from(Serde(page)) }));
    match drawn {
        Ok(text) => answer(status, "text/html; charset=utf-8", text),
        Err(why) => {
            pages::broken(&why);
            let text = format!("a bug in seatrial: this page cannot be drawn: {why:#}\n");
            answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text)
        }
    }
}

/// An answer with a body.
pub fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        for (name, _) in TEMPLATES {
            assert!(PAGES.get_template(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn no_template_has_a_script_or_a_style_of_its_own_or_lets_a_value_through() {
        for (name, template) in TEMPLATES {
            let template = template.to_lowercase();
            for never in [
                "<style",
                " style=",
                " onclick",
                " onload",
                "javascript:",
                "|safe",
                "| safe",
                "autoescape",
                "http://",
                "https://",
            ] {
                assert!(!template.contains(never), "{name}: {never}");
            }
            for script in template.match_indices("<script") {
                assert!(template[script.0..].starts_with("<script src="), "{name}");
            }
        }
    }

    #[test]
    fn what_is_printed_has_neither_markup_nor_what_reorders_it() {
        let hostile = "<script>alert(1)</script>\u{202e}\" onclick=x";
        let text =
            PAGES.render_str("{{ a }}|{{ b }}|{{ a|typed }}", context! { a => hostile, b => Value::from(()) }).unwrap();
        assert_eq!(
            text,
            "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}&quot; onclick=x||&lt;script&gt;alert(1)&lt;/script&gt;\u{202e}&quot; onclick=x"
        );
        assert_eq!(PAGES.render_str("{{ a|address }}", context! { a => "a b/ü&" }).unwrap(), "a%20b%2F%C3%BC%26");
        assert!(PAGES.render_str("{{ gone }}", context! {}).is_err(), "a name that is not there is no empty text");
    }

    #[test]
    fn a_block_cannot_be_ended_from_within() {
        let text = block("x", br#"{"a":"</script><script>alert(1)"}"#).to_string();
        assert_eq!(text.matches("<script").count(), 1);
        assert_eq!(text.matches("</script").count(), 1);
    }
}
