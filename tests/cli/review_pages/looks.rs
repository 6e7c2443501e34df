//! Pictures of the pages, for people to look at: `SEATRIAL_SHOTS=DIR cargo test --test cli review_pages::looks`.

use std::path::Path;

use super::{Served, enqueue, item, user};
use crate::browser::Browser;
use crate::project::Project;

#[test]
fn pictures_are_taken_where_they_are_wanted() {
    let Some(folder) = std::env::var_os("SEATRIAL_SHOTS") else { return };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("a folder");
    let project = Project::new();
    user(&project, "eve", "admin");
    enqueue(&project, (1..=12).map(item).collect());
    let server = Served::start(&project, &["--as", "eve"]);
    let people = Served::start(&project, &["--auth", "users"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    for answer in ["f", "p", "f"] {
        browser.key("n");
        browser.wait("location.pathname.startsWith('/item/')");
        browser.ready();
        browser.key(answer);
        browser.press("Enter", 13);
        browser.wait("document.getElementById('said').textContent.includes('saved')");
        browser.ready();
    }
    let answered = browser.eval("location.pathname").as_str().expect("a place").to_owned();
    browser.key("n");
    browser.wait("location.search.includes('fence')");
    browser.ready();
    let taken = browser.eval("location.pathname + location.search").as_str().expect("a place").to_owned();
    for (name, width, height, phone) in [("desktop", 1400, 900, false), ("phone", 390, 844, true)] {
        for scheme in ["light", "dark"] {
            browser.screen(width, height, phone);
            browser.scheme(scheme);
            for (page, url) in [
                ("queue", server.at("/")),
                ("empty", server.at("/?nothing=1&suite=none")),
                ("item", server.at(&taken)),
                ("answered", server.at(&answered)),
                ("effect", server.at("/effect")),
                ("trail", server.at("/trail")),
                ("forbidden", server.at("/nowhere")),
                ("login", people.at("/login")),
            ] {
                browser.go_to(&url);
                if page == "item" {
                    browser.key("s");
                    browser.key("e");
                }
                browser.shot(&folder.join(format!("{page}-{name}-{scheme}.png")));
            }
            browser.go_to(&server.at(&taken));
            browser.eval("window.scrollTo(0, 900)");
            browser.shot(&folder.join(format!("item-further-{name}-{scheme}.png")));
            browser.key("?");
            browser.shot(&folder.join(format!("keys-{name}-{scheme}.png")));
        }
    }
}
