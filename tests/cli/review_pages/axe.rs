//! Can everybody use the pages? Scanned by axe-core, in both themes, on a desk and on a phone.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{Served, enqueue, item, lose_to_bob, user};
use crate::browser::Browser;
use crate::project::Project;

/// The version that is installed: another one may find other things.
const AXE: &str = "axe-core@4.14.1";

/// The program, from npm; `None` where the registry cannot be reached, which is said.
fn axe() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let installed = Command::new("npm")
                .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
                .arg(folder.path())
                .arg(AXE)
                .output()
                .is_ok_and(|o| o.status.success());
            let file: PathBuf = folder.path().join("node_modules/axe-core/axe.min.js");
            let program = installed.then(|| std::fs::read_to_string(file).ok()).flatten();
            if program.is_none() {
                let why = format!("NOT TESTED: accessibility of the review pages: {AXE} could not be installed\n");
                assert!(std::env::var_os("CI").is_none(), "{why}");
                let _ = std::io::Write::write_all(&mut std::io::stderr(), why.as_bytes());
            }
            program
        })
        .as_deref()
}

/// What is wrong with the page by WCAG 2.2 A and AA and by good practice: rule, how bad, and where.
fn scan(browser: &mut Browser, axe: &str) -> Vec<String> {
    browser.eval(&format!("{axe}; true"));
    let found = browser.eval(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => \
         r.violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + \
         (n.any[0]?.message ?? n.all[0]?.message ?? '')).join(' | ')}`))",
    );
    found.as_array().expect("findings").iter().map(|f| f.as_str().expect("text").to_owned()).collect()
}

#[test]
fn no_page_keeps_anybody_out() {
    let Some(axe) = axe() else { return };
    let project = Project::new();
    user(&project, "eve", "admin");
    let mut disputed = item(3);
    disputed.asked.reviewers = 2;
    let ids = enqueue(&project, vec![item(1), item(2), disputed]);
    let server = Served::start(&project, &["--as", "eve"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    let taken = browser.eval("location.pathname + location.search").as_str().expect("a place").to_owned();
    let mut wrong = Vec::new();
    let mut scanned = 0;
    for (size, phone) in [((1400, 900), false), ((390, 844), true)] {
        for scheme in ["light", "dark"] {
            browser.screen(size.0, size.1, phone);
            browser.scheme(scheme);
            let untaken = format!("/item/{}", ids[1]);
            for path in ["/", "/?suite=nothing", &taken, &untaken, "/effect", "/trail", "/nowhere"] {
                browser.go_to(&server.at(path));
                let found = scan(&mut browser, axe);
                wrong.extend(found.into_iter().map(|f| format!("{path} {scheme} phone={phone}: {f}")));
                assert!(
                    browser.eval("document.documentElement.scrollWidth - innerWidth").as_i64() <= Some(0),
                    "{path} {phone}"
                );
                let sideways = "Math.max(0, ...[...document.querySelectorAll('table')].map((t) => t.parentNode) \
                                .map((of) => of.scrollWidth - of.clientWidth))";
                assert!(!phone || browser.eval(sideways).as_i64() == Some(0), "{path}: a table scrolls sideways");
                scanned += 1;
            }
        }
    }
    // After the answer, with the skip's reasons and the help open.
    browser.go_to(&server.at(&taken));
    browser.key("s");
    wrong.extend(scan(&mut browser, axe));
    browser.press("Escape", 27);
    browser.key("f");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('saved')");
    browser.ready();
    wrong.extend(scan(&mut browser, axe));
    browser.key("?");
    browser.wait("document.getElementById('keys').open");
    wrong.extend(scan(&mut browser, axe));
    assert_eq!(scanned, 28);
    assert_eq!(wrong, Vec::<String>::new());
}

/// The page as it is, in both themes, on a desk and on a phone.
fn scan_all_ways(browser: &mut Browser, axe: &str, what: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (scheme, width, phone) in
        [("light", 1400, false), ("dark", 390, true), ("light", 390, true), ("dark", 1400, false)]
    {
        browser.screen(width, 900, phone);
        browser.scheme(scheme);
        wrong.extend(scan(browser, axe).into_iter().map(|found| format!("{what} {scheme} phone={phone}: {found}")));
    }
    wrong
}

#[test]
fn what_becomes_of_an_item_keeps_nobody_out() {
    let Some(axe) = axe() else { return };
    let project = Project::new();
    project.file("suites/travel.toml", "[suite]\nname = \"travel-support\"\n[[case]]\nid = \"change-booking-1\"\n");
    let ids = enqueue(&project, vec![item(1), item(2)]);
    let server = Served::start(&project, &["--as", "ann", "--suites", "suites", "--lease", "2s"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.go_to(&server.entry);
    browser.key("n");
    browser.wait("location.pathname.startsWith('/item/')");
    browser.ready();
    browser.key("f");
    browser.press("Enter", 13);
    browser.wait("document.getElementById('said').textContent.includes('saved')");
    browser.ready();
    let mut wrong = scan_all_ways(&mut browser, axe, "to be made a case");
    for (what, shown) in [("made a case", "made"), ("made twice", "trouble")] {
        browser.go_to(&server.at(&format!("/item/{}", ids[0])));
        browser.key("r");
        browser.wait(&format!("document.getElementById('{shown}') !== null"));
        browser.ready();
        wrong.extend(scan_all_ways(&mut browser, axe, what));
    }
    browser.key("n");
    browser.wait(&format!("location.pathname === '/item/{}'", ids[1]));
    browser.ready();
    lose_to_bob(&mut browser, &project, &ids[1]);
    browser.eval("dispatchEvent(new Event('visibilitychange'))");
    browser.wait("!document.getElementById('lost').hidden");
    wrong.extend(scan_all_ways(&mut browser, axe, "lost"));
    browser.press("Enter", 13);
    browser.wait("document.getElementById('trouble') !== null");
    browser.ready();
    wrong.extend(scan_all_ways(&mut browser, axe, "taken by another"));
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_page_of_signing_in_keeps_nobody_out() {
    let Some(axe) = axe() else { return };
    let project = Project::new();
    user(&project, "eve", "admin");
    let server = Served::start(&project, &["--auth", "users"]);
    let Some(mut browser) = Browser::start() else { return };
    for (scheme, phone) in [("light", false), ("dark", true)] {
        browser.screen(if phone { 390 } else { 1400 }, 844, phone);
        browser.scheme(scheme);
        browser.go_to(&server.at("/login"));
        assert_eq!(scan(&mut browser, axe), Vec::<String>::new());
        assert_eq!(browser.eval("document.activeElement.id"), "name");
    }
}
