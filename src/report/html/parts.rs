//! What any page that shows a session is made of: its style, and the program that draws transcript, waterfall and
//! differences. The report of a run and the pages of a review share it.

/// The style: of elements and signs, and of a session.
pub const STYLE: [&str; 2] = [include_str!("page/base.css"), include_str!("page/session.css")];

/// The program, file by file; all share one scope with what is added.
pub const PROGRAM: &[&str] = &[
    include_str!("page/text.js"),
    include_str!("page/dom.js"),
    include_str!("page/exact.js"),
    include_str!("page/theme.js"),
    include_str!("page/json.js"),
    include_str!("page/point.js"),
    include_str!("page/waterfall.js"),
    include_str!("page/transcript.js"),
    include_str!("page/difference.js"),
];
