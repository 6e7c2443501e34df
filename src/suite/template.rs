//! Parameters with templates: rendered per subject, compiled per distinct rendering.

/// A check's table with templates in it.
pub struct Templated {}
