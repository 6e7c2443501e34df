//! What every page shows around its own: who is here, where one can go, and what was just done.

use std::sync::LazyLock;

use serde::Serialize;

use super::assets;
use super::who::Visitor;
use crate::store::db::Role;

/// The frame of a page.
#[derive(Debug, Serialize)]
pub struct Frame<'f> {
    /// The title, without the name of the program.
    title: &'f str,
    /// Where the page stands among the others.
    place: &'f str,
    /// Who is here; nobody on pages that are shown to anybody.
    visitor: Option<&'f Visitor>,
    /// Whether the visitor may see who looked at what.
    admin: bool,
    /// What was just done, and is announced.
    said: Option<&'static str>,
    /// Changes whenever script or style do, so that none is kept that is older than the page.
    assets: &'static str,
}

static ASSETS: LazyLock<String> = LazyLock::new(assets::version);

/// What can have been done, by the name it has in an address.
const SAID: &[(&str, &str)] = &[
    ("answered", "Your answer is saved."),
    ("skipped", "Skipped; others will be asked."),
    ("undone", "Your answer is taken back."),
    ("decided", "Your decision is saved."),
    ("released", "Given back; your draft is kept."),
    ("taken", "It is yours now."),
    ("freed", "Released: reviewers may read the session."),
];

impl<'f> Frame<'f> {
    /// Of a page for somebody.
    pub fn of(visitor: &'f Visitor, place: &'f str, title: &'f str) -> Self {
        Self { title, place, visitor: Some(visitor), admin: visitor.role >= Role::Admin, said: None, assets: &ASSETS }
    }

    /// Of a page for anybody.
    pub fn outside(title: &'f str) -> Self {
        Self { title, place: "", visitor: None, admin: false, said: None, assets: &ASSETS }
    }

    /// With what was just done, as the address names it; anything else is left out.
    pub fn said(self, name: Option<&str>) -> Self {
        Self { said: SAID.iter().find(|(n, _)| Some(*n) == name).map(|(_, text)| *text), ..self }
    }
}
