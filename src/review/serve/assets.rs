//! Style and program of the pages, compiled in: what draws a session is the report's own.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Response, StatusCode};

use super::pages::answer;
use crate::report::html::parts;

static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", parts::STYLE.concat(), include_str!("assets/review.css")));

static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let own = [
        include_str!("assets/session.js"),
        include_str!("assets/work.js"),
        include_str!("assets/keys.js"),
        include_str!("assets/main.js"),
    ];
    format!("(() => {{\n\"use strict\";\n{}\n{}\nmain();\n}})();\n", parts::PROGRAM.join("\n"), own.join("\n"))
});

/// A mark for the icon of these pages in the row of tabs.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><rect width=\"16\" height=\"16\" rx=\"3\" \
                    fill=\"#1f5aa6\"/><path d=\"M3 9l3 3 7-8\" fill=\"none\" stroke=\"#fff\" stroke-width=\"2\"/></svg>\n";

/// What changes whenever one of them does.
pub fn version() -> String {
    let all = format!("{}{}", *STYLE, *PROGRAM);
    blake3::hash(all.as_bytes()).to_hex()[..12].to_owned()
}

/// One of them, by name.
pub async fn asset(Path(name): Path<String>) -> Response<Body> {
    let mut response = match name.as_str() {
        "review.css" => answer(StatusCode::OK, "text/css; charset=utf-8", STYLE.as_str()),
        "review.js" => answer(StatusCode::OK, "text/javascript; charset=utf-8", PROGRAM.as_str()),
        "icon.svg" => answer(StatusCode::OK, "image/svg+xml", ICON),
        _ => return answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "nothing here\n"),
    };
    // The address changes with the content.
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, kept);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_writes_no_markup_and_asks_nobody_else() {
        for never in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https:"]
        {
            assert!(!PROGRAM.contains(never), "{never}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
