//! Settings that are a choice of names.

/// Which sessions are kept with a run record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those that failed, erred or are held, and a sample of those that passed.
    Failed,
    /// All of them.
    All,
    /// None.
    None,
}

/// Which reports a run draws beside its summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reports {
    /// `junit.xml`.
    pub junit: bool,
    /// `index.html`.
    pub html: bool,
}

/// When to use something that only a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Keep {
    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Keep::Failed => "failed",
            Keep::All => "all",
            Keep::None => "none",
        }
    }
}

impl Reports {
    /// All of them.
    pub const ALL: Self = Self { junit: true, html: true };

    pub(super) const EVERY: [Self; 4] = [
        Self::ALL,
        Self { junit: true, html: false },
        Self { junit: false, html: true },
        Self { junit: false, html: false },
    ];

    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match (self.junit, self.html) {
            (true, true) => "all",
            (true, false) => "junit",
            (false, true) => "html",
            (false, false) => "none",
        }
    }
}

impl When {
    /// The name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            When::Auto => "auto",
            When::Always => "always",
            When::Never => "never",
        }
    }

    /// Whether to, given whether there is a terminal.
    pub const fn on(self, terminal: bool) -> bool {
        match self {
            When::Auto => terminal,
            When::Always => true,
            When::Never => false,
        }
    }
}
