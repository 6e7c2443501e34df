//! The HTML report, as a file and in a browser.

use crate::browser::Browser;
use crate::project::{GOOD, Project, again, replies, trial};

/// Two cases, one flaky; calls with arguments, times and a reference.
fn project() -> Project {
    let suite = format!(
        "{GOOD}[[session]]\nid = \"calls\"\ncheck = \"trajectory\"\nmode = \"exact\"\noptional = true\n\
         [[span]]\nid = \"args\"\non = {{ kind = \"tool\" }}\ncheck = \"schema\"\n\
         schema = {{ type = \"object\", properties.id.type = \"integer\" }}\n"
    );
    let session = |case: &str, n: u32, id: &str, reply: &str| {
        serde_json::json!({
            "id": format!("{case}-{n}"), "case": case, "trial": n.to_string(), "start_ns": 1_000_000_000u64, "end_ns": 4_000_000_000u64,
            "reference": { "tools": [{ "name": "find", "args": { "id": 17 } }] },
            "turns": [{ "user": "Where is 17?", "reply": reply, "spans": [
                { "kind": "llm", "name": "chat", "model": "m", "start_ns": 1_000_000_000u64, "end_ns": 2_000_000_000u64, "usage": { "input": 90, "output": 10 }, "cost_usd": 0.25 },
                { "kind": "tool", "name": "find", "input": { "id": serde_json::from_str::<serde_json::Value>(id).expect("JSON") }, "output": "{\"at\": 12345678901234567890}", "status": "ok",
                  "start_ns": 2_000_000_000u64, "end_ns": 2_500_000_000u64 }] }],
        })
        .to_string()
    };
    let sessions = [
        session("steady", 1, "17", "good"),
        session("steady", 2, "17", "good"),
        session("shaky", 1, "17", "good"),
        session("shaky", 2, "\"17\"", "bad"),
    ];
    Project::with(&suite, &sessions.each_ref().map(String::as_str))
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let text = browser.eval(&format!("document.querySelector('{selector}')?.innerText ?? '(nothing)'"));
    text.as_str().expect("text").to_owned()
}

fn no_complaints(browser: &mut Browser) {
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
    let requests = browser.requests();
    assert!(!requests.is_empty());
    let foreign: Vec<_> = requests
        .iter()
        .filter(|u| *u != "about:blank" && !(u.starts_with("file://") && u.contains("index.html")))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn a_run_opens_filters_and_shows_each_verdict_beside_its_evidence() {
    let project = project();
    project.run().code(1);
    let Some(mut browser) = Browser::start() else { return };
    let page = project.path("reports/latest/index.html");
    browser.open(&page, "");
    assert_eq!(browser.eval("document.title.startsWith('failed: ')"), true);
    assert!(
        text(&mut browser, "#gate").contains("1 of 2 cases passed, 1 failed, 1 flaky"),
        "{}",
        text(&mut browser, "#gate")
    );
    assert!(text(&mut browser, "#gate .reasons").contains("cases"));
    // What failed comes first, and its trials stand side by side.
    let rows = browser.eval("[...document.querySelectorAll('.row .name')].map((n) => n.textContent)");
    assert_eq!(rows, serde_json::json!(["shaky", "steady"]));
    assert_eq!(
        browser.eval("[...document.querySelectorAll('#row-0 .trial')].map((t) => t.className).join()"),
        "trial pass,trial fail"
    );
    assert!(text(&mut browser, "#row-0").contains("flaky"));
    assert!(browser.eval("document.querySelectorAll('.chart svg').length").as_u64() >= Some(3));
    // By status, by words, by words that only a reason has.
    browser.eval("document.querySelector('.toggle.pass').click()");
    assert_eq!(text(&mut browser, "#count"), "1 of 2 cases");
    browser.eval("document.querySelector('.toggle.pass').click()");
    browser.key("/");
    assert_eq!(browser.eval("document.activeElement.id"), "search");
    for key in ["i", "n", "t", "e", "g", "e", "r"] {
        browser.key(key);
    }
    browser.wait("document.querySelector('#count').textContent === '1 of 2 cases'");
    browser.key("Escape");
    assert_eq!(text(&mut browser, "#count"), "2 cases");
    browser.key("Escape");
    // Through the list into a case.
    browser.key("j");
    browser.key("k");
    browser.key("Enter");
    browser.wait("document.querySelector('#pane .matrix') !== null && document.querySelector('.waterfall') !== null");
    assert_eq!(browser.eval("location.hash"), "#/s/shaky");
    // The worst trial is shown: its call with the verdict beside it, and expected against actual.
    let noted = "[...document.querySelectorAll('.block.noted')].find((b) => b.dataset.place === 'span:1')";
    assert_eq!(browser.eval(&format!("{noted}.querySelector('.asides').innerText.includes('args')")), true);
    assert_eq!(browser.eval(&format!("{noted}.querySelector('mark').textContent")), "\"17\"");
    assert!(
        text(&mut browser, ".against .diff").contains("-     id: 17\n+     id: \"17\""),
        "{}",
        text(&mut browser, ".against .diff")
    );
    let differs = "[...document.querySelectorAll('.against .ins em')].map((e) => e.textContent)";
    assert_eq!(browser.eval(differs), serde_json::json!(["\"", "\""]));
    // Numbers are shown as they were recorded, also where a browser cannot hold them.
    assert!(text(&mut browser, "#pane").contains("12345678901234567890"));
    browser.key("[");
    browser.wait("location.hash === '#/s/shaky/1'");
    browser.key("g");
    browser.wait("location.hash === '#/'");
    browser.key("?");
    assert_eq!(browser.eval("document.getElementById('keys').open"), true);
    no_complaints(&mut browser);
}

#[test]
fn everything_can_be_reached_and_told_by_the_keyboard_alone() {
    let project = project();
    project.run().code(1);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    // The first stop leads past the filters, and is no address of the report.
    browser.press("Tab", 9);
    assert_eq!(browser.eval("document.activeElement.className"), "skip-link");
    browser.press("Enter", 13);
    assert_eq!(browser.eval("document.activeElement.id"), "list");
    assert_eq!(browser.eval("location.hash"), "");
    // What is selected in the list is told by its name, and holds nothing that is operated by itself.
    browser.key("j");
    assert_eq!(
        browser.eval("document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).id"),
        "row-1"
    );
    assert_eq!(browser.eval("document.querySelectorAll('[role=option] :is(a, button, [tabindex])').length"), 0);
    // What is opened has the focus, so that the keys move it; what is wider than the screen can be reached in it.
    browser.key("k");
    browser.press("Enter", 13);
    browser.wait("document.querySelector('#pane .waterfall') !== null");
    assert_eq!(browser.eval("document.activeElement.id"), "pane");
    assert_eq!(
        browser.eval("[...document.querySelectorAll('.wide')].every((w) => w.tabIndex === 0 && w.ariaLabel)"),
        true
    );
    assert_eq!(browser.eval("document.querySelector('.waterfall .op title').textContent"), "llm chat, 1 s");
    browser.press("Escape", 27);
    browser.wait("document.activeElement.id === 'list'");
    no_complaints(&mut browser);
}

#[test]
fn a_link_to_a_verdict_leads_to_it_and_one_to_nothing_says_so() {
    let project = project();
    project.run_with(&["--html", "build/index.html"]).code(1);
    let Some(mut browser) = Browser::start() else { return };
    let page = project.path("build/index.html");
    browser.open(&page, "#/s/shaky/2/args");
    browser.wait("document.querySelector('.verdict.pointedat .id')?.textContent === 'args'");
    browser.open(&page, "#/s/shaky/9");
    assert!(text(&mut browser, "#pane").contains("nothing of that name"));
    no_complaints(&mut browser);
}

#[test]
fn nothing_in_a_session_becomes_markup_or_a_program() {
    let nasty = "</script><script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 1\"><!-- javascript:window.pwned=1 [a](javascript:1) \u{202e}evil\u{2066}\u{0}\u{1b}[31m\u{2028} {gate} {title} ' \" & `${1}";
    let session = |case: &str| {
        serde_json::json!({
            "id": nasty, "case": case, "agent": nasty, "instructions": nasty, "tags": [nasty], "attributes": { nasty: nasty },
            "state": { nasty: [nasty] },
            "turns": [{ "user": nasty, "reply": nasty, "start_ns": 1, "end_ns": 9, "spans": [
                { "id": nasty, "kind": "tool", "name": nasty, "input": { nasty: nasty }, "output": nasty, "status": "error", "status_message": nasty,
                  "start_ns": 1, "end_ns": 5, "events": [{ "name": nasty, "attributes": { nasty: nasty } }], "attributes": { nasty: nasty } }] }],
        })
        .to_string()
    };
    let suite = format!(
        "[[session]]\nid = \"same\"\ncheck = \"equals\"\nvalue = \"x\"\n{}",
        "[[span]]\nid = \"ok\"\ncheck = \"status\"\n"
    );
    let project = Project::with(&suite, &[&session(nasty), "{broken </script><script>window.pwned = 1</script>"]);
    project.run().code(1);
    let html = project.report("index.html");
    assert!(!html.contains("window.pwned") || !html.contains("<img"), "markup of a session is in the file");
    assert!(!html.contains(['\u{202e}', '\u{2066}', '\u{0}', '\u{1b}']));
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    browser.key("j");
    browser.key("Enter");
    browser.wait("document.querySelector('#pane .waterfall') !== null");
    browser.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    assert_eq!(browser.eval("window.pwned === undefined"), true);
    assert_eq!(
        browser.eval(
            "document.querySelectorAll('img, iframe, object, embed, link, base, [onerror], [style*=url]').length"
        ),
        0
    );
    assert_eq!(browser.eval("/[\\u202e\\u2066\\u0000\\u001b\\u2028]/.test(document.body.innerText)"), false);
    assert_eq!(browser.eval("[...document.links].every((a) => a.getAttribute('href').startsWith('#'))"), true);
    assert!(text(&mut browser, "#pane").contains("<img src=x onerror="));
    assert!(text(&mut browser, "#pane").contains("\\u{202e}evil"));
    no_complaints(&mut browser);
}

#[test]
fn what_is_too_long_or_too_deep_breaks_no_page() {
    let word = "W".repeat(1_000_000);
    let session = |id: &str, text: &str, output: &str| {
        serde_json::json!({
            "id": id, "agent": text, "instructions": text, "tags": [text], "attributes": { text: text }, "notes": [text],
            "reference": { "tools": [{ "name": text, "args": { text: text } }], "answer": text },
            "turns": [{ "user": text, "reply": text, "start_ns": 1, "end_ns": 9, "spans": [
                { "kind": "tool", "name": text, "agent": text, "model": text, "input": { text: [text] }, "output": output,
                  "status": "error", "status_message": text, "start_ns": 1, "end_ns": 5 }] }],
        })
        .to_string()
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    // A half of a character, which JSON can write and no text can hold.
    let half = session("half", "h", "HALF").replace("\"HALF\"", "{\"a\": \"\\ud83d\"}");
    let suite = "[[session]]\nid = \"calls\"\ncheck = \"trajectory\"\nmode = \"exact\"\n\
                 [[span]]\nid = \"ok\"\ncheck = \"status\"\n";
    let project = Project::with(suite, &[&session("deep", "d", &deep), &session(&word, &word, &word), &half]);
    project.run();
    let Some(mut browser) = Browser::start() else { return };
    for width in [1400, 390] {
        let screen = serde_json::json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", screen);
        browser.open(&project.path("reports/latest/index.html"), "");
        let rows = browser.eval("document.querySelectorAll('.row').length").as_u64().expect("a number");
        assert_eq!(rows, 3);
        for row in 0..rows {
            browser.open(&project.path("reports/latest/index.html"), "");
            browser.eval(&format!("document.getElementById('row-{row}').click()"));
            browser.wait("document.querySelector('#pane .waterfall') !== null");
            browser.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
            browser.eval("document.querySelectorAll('button.more').forEach((b) => b.click())");
            // Nothing is wider than the screen, and no more is drawn than one asked for.
            let wider = "Math.max(document.documentElement.scrollWidth - innerWidth, \
                         document.getElementById('pane').scrollWidth - document.getElementById('pane').clientWidth)";
            assert!(browser.eval(wider).as_i64() <= Some(0), "{width}: {row}");
            assert!(browser.eval("document.getElementById('pane').textContent.length").as_u64() < Some(2_000_000));
        }
    }
    no_complaints(&mut browser);
}

#[test]
fn ten_thousand_sessions_are_all_in_the_list_and_few_of_them_are_elements() {
    let sessions: Vec<String> =
        (0..10_000).map(|i| replies(&format!("case-{i}"), if i % 50 == 0 { "bad" } else { "good" })).collect();
    let lines: Vec<&str> = sessions.iter().map(String::as_str).collect();
    let project = Project::with(GOOD, &lines);
    project.run_with(&["--keep-limit", "20"]).code(1);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    assert_eq!(text(&mut browser, "#count"), "10\u{202f}000 cases");
    assert!(browser.eval("document.querySelectorAll('.row').length").as_u64() < Some(200));
    assert!(text(&mut browser, "#pane").contains("all verdicts and facts of 10\u{202f}000 sessions; transcripts of"));
    browser.eval("document.querySelector('.toggle.fail').click()");
    assert_eq!(text(&mut browser, "#count"), "200 of 10\u{202f}000 cases");
    browser.eval("document.querySelector('.toggle.fail').click()");
    browser.eval(
        "{ const s = document.getElementById('search'); s.value = 'case-9999'; s.dispatchEvent(new Event('input')); }",
    );
    assert_eq!(text(&mut browser, "#count"), "1 of 10\u{202f}000 cases");
    // One that was not kept: the page says where it is.
    browser.eval("location.hash = '#/s/case-9999'");
    browser.wait("document.getElementById('pane').innerText.includes('seatrial show sessions.jsonl case-9999')");
    no_complaints(&mut browser);
}

#[test]
fn on_paper_stand_the_decision_and_the_cases_that_failed_first_and_nothing_to_click() {
    let sessions: Vec<String> =
        (0..400).map(|i| replies(&format!("s{i}"), if i < 3 { "bad" } else { "good" })).collect();
    let project = Project::with(GOOD, &sessions.iter().map(String::as_str).collect::<Vec<_>>());
    project.run().code(1);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    browser.scheme("dark");
    assert!(browser.eval("document.querySelectorAll('.row').length").as_u64().is_some_and(|n| n < 200));
    // While it is printed every case has its line, as far as anybody would read them.
    browser.eval(
        "window.printed = null; matchMedia('print').addEventListener('change', (e) => { if (e.matches) { \
         const shows = (s) => { const e = document.querySelector(s); return !!e && getComputedStyle(e).display !== 'none'; }; \
         window.printed = { gate: shows('#gate'), filter: shows('#filter'), tools: shows('.tools'), \
         rows: document.querySelectorAll('.row').length, first: document.querySelector('.row .name').textContent, \
         left: document.querySelector('.sheet .note')?.textContent, ground: getComputedStyle(document.body).backgroundColor }; } })",
    );
    let pages = browser.paper();
    let printed = browser.eval("window.printed");
    let expected = serde_json::json!({ "gate": true, "filter": false, "tools": false, "rows": 300, "first": "s0",
        "left": "100 more cases are not printed", "ground": "rgb(255, 255, 255)" });
    assert_eq!(printed, expected);
    assert!(pages > 3, "{pages} pages");
    no_complaints(&mut browser);
}

#[test]
fn the_report_is_drawn_again_from_the_record_and_what_was_kept() {
    let project = Project::with(GOOD, &[&trial("a", 0, "good"), &trial("a", 1, "bad"), "{broken"]);
    project.run_with(&["--html", "build/report.html"]).code(1);
    let first = project.report("index.html");
    assert_eq!(std::fs::read_to_string(project.path("build/report.html")).expect("a copy"), first);
    std::fs::remove_file(project.path("sessions.jsonl")).expect("the recording");
    std::fs::remove_file(project.path("reports/latest/index.html")).expect("the report");
    project.seatrial(&["report", "reports/latest", "--html", "again.html"]).code(1);
    assert_eq!(project.report("index.html"), first);
    assert_eq!(std::fs::read_to_string(project.path("again.html")).expect("a copy"), first);
}

#[test]
fn kept_sessions_that_cannot_be_read_are_told_and_never_exit_0() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run().code(0);
    project.file("reports/latest/sessions.jsonl.gz", "");
    project.seatrial(&["report", "reports/latest"]).code(5).complains("sessions.jsonl.gz");
}

#[test]
fn the_policy_of_the_page_allows_its_own_program_and_nothing_else() {
    let project = Project::with(GOOD, &[&replies("a", "good")]);
    project.run().code(0);
    let html = project.report("index.html");
    let policy =
        html.split("Content-Security-Policy\" content=\"").nth(1).and_then(|t| t.split('"').next()).expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert!(!html.contains(" style=\"") && !html.contains("onclick=\""));
}

#[test]
fn what_changed_against_the_baseline_is_in_the_report() {
    let project = Project::with(GOOD, &[&replies("a", "good"), &replies("b", "bad"), &replies("c", "good")]);
    project.seatrial(&["run", "suite.toml", "--out", "past"]).code(1);
    let suite = std::fs::read_to_string(project.path("suite.toml")).expect("the suite");
    project.file("suite.toml", format!("{suite}[gate]\nbaseline = {{ run = \"past/latest\", margin = 0.5 }}\n"));
    project.file(
        "sessions.jsonl",
        format!("{}\n{}\n{}\n", replies("a", "bad"), replies("b", "good"), again(&replies("c", "good"))),
    );
    project.run();
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "");
    let said = text(&mut browser, "#pane");
    assert!(
        said.contains("Against the baseline") && said.contains("newly failing") && said.contains("newly passing"),
        "{said}"
    );
    assert!(said.contains("passing as before"), "{said}");
    no_complaints(&mut browser);
}

#[test]
fn a_verdict_that_goes_to_a_person_says_why() {
    let check = format!("{GOOD}tags = [\"money\"]\nreview = {{ always = true, tags = [\"money\"] }}\n");
    let project = Project::with(&check, &[&replies("a", "good")]);
    project.run().code(3);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&project.path("reports/latest/index.html"), "#/s/a");
    browser.wait("document.querySelector('#pane .routed') !== null");
    let said = text(&mut browser, "#pane .routed");
    assert!(said.starts_with("waits for a person: ") && said.contains("every verdict of this check does"), "{said}");
    no_complaints(&mut browser);
}
