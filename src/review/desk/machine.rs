//! What keys do at the desk: a pure machine from keys to what is to be done. It knows nothing of terminals and stores.

use crate::ledger::{Answer, SkipReason};

/// The longest comment that can be typed, in characters.
const LONGEST_COMMENT: usize = 2000;

/// A key, whatever the terminal calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// Ctrl-C, or the end of input.
    Interrupt,
    /// Any other.
    Other,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Do {
    /// Nothing but to draw the screen again.
    Draw,
    /// The answer is to be submitted, with [`Desk::comment`].
    Submit(Answer),
    /// The last answer of this sitting is to be taken back, and its item to be shown again.
    TakeBack,
    /// The item is put off: given back, and not offered again in this sitting.
    PutOff,
    /// The next item is wanted.
    Next,
    /// The item, which was answered, is to become a regression case.
    Case,
    /// The sitting ends.
    Quit,
}

/// What the person is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Reads, and has not answered.
    Asking,
    /// Types a comment.
    Commenting {
        /// What is typed so far.
        text: String,
    },
    /// Chooses why the item is skipped.
    Skipping,
    /// Has answered, and sees what the check says.
    Answered(Answer),
    /// Has nothing to answer: there is no item.
    Idle,
}

/// What the person looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// What is asked, what was cited, and the part of the session around it.
    Around,
    /// The whole session, nothing elided.
    Whole,
    /// The session of the baseline.
    Baseline,
}

/// One who reviews, at one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// What the person is doing.
    pub mode: Mode,
    /// What the person looks at.
    pub sight: Sight,
    /// Whether the keys are explained.
    pub helping: bool,
    /// What goes with the answer.
    pub comment: String,
    /// The first line that is shown.
    pub top: usize,
    /// What there is to say once, such as why something was refused.
    pub notice: Option<String>,
    /// Whether what the check says was seen before the item is answered: it is so after an answer was taken back.
    pub seen: bool,
    pub(super) has_baseline: bool,
    /// Lines that there are, and lines that fit.
    pub(super) lines: usize,
    pub(super) page: usize,
}

impl Desk {
    /// At an item that was not answered.
    pub fn at(has_baseline: bool, comment: String) -> Self {
        Self {
            mode: Mode::Asking,
            sight: Sight::Around,
            helping: false,
            comment,
            top: 0,
            notice: None,
            seen: false,
            has_baseline,
            lines: 0,
            page: 1,
        }
    }

    /// Without an item.
    pub fn idle(notice: String) -> Self {
        Self { mode: Mode::Idle, notice: Some(notice), ..Self::at(false, String::new()) }
    }

    /// The answer was taken.
    pub fn answered(&mut self, answer: Answer) {
        self.mode = Mode::Answered(answer);
        self.top = 0;
        // What the check says is on the screen from here on.
        self.seen = true;
    }

    /// How many lines there are and how many fit, as of the last drawing.
    pub fn fit(&mut self, lines: usize, page: usize) {
        (self.lines, self.page) = (lines, page.max(1));
        self.top = self.top.min(self.lines.saturating_sub(self.page));
    }

    /// A key was pressed.
    pub fn press(&mut self, key: Key) -> Do {
        self.notice = None;
        if key == Key::Interrupt {
            // What stands in the line was written, if not finished.
            if let Mode::Commenting { text } = &self.mode {
                self.comment = text.trim().to_owned();
            }
            return Do::Quit;
        }
        if std::mem::take(&mut self.helping) {
            return Do::Draw;
        }
        match &mut self.mode {
            Mode::Commenting { text } => {
                match key {
                    Key::Char(c) if !c.is_control() && text.chars().count() < LONGEST_COMMENT => text.push(c),
                    Key::Backspace => drop(text.pop()),
                    Key::Enter => {
                        self.comment = text.trim().to_owned();
                        self.mode = Mode::Asking;
                    }
                    Key::Escape => self.mode = Mode::Asking,
                    _ => {}
                }
                Do::Draw
            }
            Mode::Skipping => {
                let chosen = match key {
                    Key::Char(c) => c.to_digit(10).and_then(|n| SkipReason::ALL.get(n.checked_sub(1)? as usize)),
                    _ => None,
                };
                if let Some(reason) = chosen {
                    return Do::Submit(Answer::Skip { reason: *reason });
                }
                self.mode = Mode::Asking;
                Do::Draw
            }
            Mode::Asking => self.asking(key),
            Mode::Answered(_) => match key {
                Key::Enter | Key::Char('n' | ' ') => Do::Next,
                Key::Char('r') => Do::Case,
                key => self.reading(key),
            },
            Mode::Idle => match key {
                Key::Char('u') => Do::TakeBack,
                Key::Char('q') | Key::Escape => Do::Quit,
                Key::Enter | Key::Char('n' | ' ') => Do::Next,
                _ => Do::Draw,
            },
        }
    }

    fn asking(&mut self, key: Key) -> Do {
        match key {
            Key::Char('p') => Do::Submit(Answer::Pass),
            Key::Char('f') => Do::Submit(Answer::Fail),
            Key::Char('s') => {
                self.mode = Mode::Skipping;
                Do::Draw
            }
            Key::Char('c') => {
                self.mode = Mode::Commenting { text: self.comment.clone() };
                Do::Draw
            }
            Key::Char('n') => Do::PutOff,
            key => self.reading(key),
        }
    }

    /// Keys that do the same before and after the answer.
    fn reading(&mut self, key: Key) -> Do {
        let last = self.lines.saturating_sub(self.page);
        let page = self.page.saturating_sub(2).max(1);
        match key {
            Key::Char('q') | Key::Escape => return Do::Quit,
            Key::Char('u') => return Do::TakeBack,
            Key::Char('?' | 'h') => self.helping = true,
            Key::Char('d') => self.look(Sight::Whole),
            Key::Char('o') if self.has_baseline => self.look(Sight::Baseline),
            Key::Char('o') => self.notice = Some("there is no session of a baseline to look at".to_owned()),
            Key::Up | Key::Char('k') => self.top = self.top.saturating_sub(1),
            Key::Down | Key::Char('j') => self.top = (self.top + 1).min(last),
            Key::PageUp | Key::Char('b') => self.top = self.top.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => self.top = (self.top + page).min(last),
            Key::Home | Key::Char('g') => self.top = 0,
            Key::End | Key::Char('G') => self.top = last,
            _ => {}
        }
        Do::Draw
    }

    /// Looks at something else, or back.
    fn look(&mut self, sight: Sight) {
        self.sight = if self.sight == sight { Sight::Around } else { sight };
        self.top = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn press(desk: &mut Desk, keys: &str) -> Vec<Do> {
        keys.chars().map(|c| desk.press(if c == '\n' { Key::Enter } else { Key::Char(c) })).collect()
    }

    fn desk() -> Desk {
        Desk::at(true, String::new())
    }

    #[test]
    fn who_is_interrupted_in_a_comment_keeps_what_stands_in_the_line() {
        let mut desk = desk();
        press(&mut desk, "chalf a thou");
        assert_eq!(desk.press(Key::Interrupt), Do::Quit);
        assert_eq!(desk.comment, "half a thou");
    }

    #[test]
    fn one_key_answers() {
        assert_eq!(desk().press(Key::Char('p')), Do::Submit(Answer::Pass));
        assert_eq!(desk().press(Key::Char('f')), Do::Submit(Answer::Fail));
        assert_eq!(desk().press(Key::Char('n')), Do::PutOff);
    }

    #[test]
    fn a_skip_asks_for_its_reason_and_any_other_key_goes_back() {
        let mut desk = desk();
        let reason = SkipReason::ConflictOfInterest;
        assert_eq!(press(&mut desk, "s3"), [Do::Draw, Do::Submit(Answer::Skip { reason })]);
        for other in ["sx", "s0", "s5"] {
            desk.mode = Mode::Asking;
            assert_eq!(press(&mut desk, other), [Do::Draw, Do::Draw], "{other}");
            assert_eq!(desk.mode, Mode::Asking);
        }
    }

    #[test]
    fn in_a_comment_letters_are_letters() {
        let mut desk = desk();
        press(&mut desk, "cpfq\n");
        assert_eq!((desk.comment.as_str(), &desk.mode), ("pfq", &Mode::Asking));
        press(&mut desk, "c!");
        desk.press(Key::Escape);
        assert_eq!(desk.comment, "pfq", "what was typed is thrown away");
        press(&mut desk, "c");
        desk.press(Key::Backspace);
        press(&mut desk, "\n");
        assert_eq!(desk.comment, "pf");
    }

    #[test]
    fn an_answered_item_is_not_answered_again_and_its_answer_can_be_taken_back() {
        let mut desk = desk();
        desk.answered(Answer::Fail);
        assert!(desk.seen);
        assert_eq!(press(&mut desk, "pfs"), [Do::Draw; 3]);
        assert_eq!(press(&mut desk, "u"), [Do::TakeBack]);
        assert_eq!(press(&mut desk, "\n"), [Do::Next]);
    }

    #[test]
    fn what_was_answered_becomes_a_case_and_nothing_before() {
        let mut desk = desk();
        assert_eq!(press(&mut desk, "r"), [Do::Draw]);
        desk.answered(Answer::Fail);
        assert_eq!(press(&mut desk, "r"), [Do::Case]);
    }

    #[test]
    fn ctrl_c_ends_whatever_is_being_done() {
        for keys in ["", "c", "s", "?", "d"] {
            let mut desk = desk();
            press(&mut desk, keys);
            assert_eq!(desk.press(Key::Interrupt), Do::Quit, "{keys}");
        }
    }

    #[test]
    fn the_baseline_is_looked_at_where_there_is_one() {
        let mut without = Desk::at(false, String::new());
        press(&mut without, "o");
        assert_eq!(without.sight, Sight::Around);
        assert!(without.notice.is_some());
        let mut with = desk();
        press(&mut with, "o");
        assert_eq!(with.sight, Sight::Baseline);
        press(&mut with, "d");
        assert_eq!(with.sight, Sight::Whole);
        press(&mut with, "d");
        assert_eq!(with.sight, Sight::Around);
    }

    fn key() -> impl Strategy<Value = Key> {
        use Key::{Backspace, Down, End, Enter, Escape, Home, Interrupt, Other, PageDown, PageUp, Up};
        let named = [Enter, Escape, Backspace, Up, Down, PageUp, PageDown, Home, End, Interrupt, Other];
        prop_oneof![
            proptest::sample::select(named.to_vec()),
            any::<char>().prop_map(Key::Char),
            "[pfscdounqr?1-4]".prop_map(|text| Key::Char(text.chars().next().unwrap_or('?')))
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_what_is_shown_is_there(
            keys in proptest::collection::vec(key(), 0..80), lines in 0usize..300, page in 1usize..80,
        ) {
            let mut desk = desk();
            for key in keys {
                desk.fit(lines, page);
                if let Do::Submit(answer) = desk.press(key) {
                    prop_assert!(!matches!(desk.mode, Mode::Answered(_)), "answered twice");
                    desk.answered(answer);
                }
                desk.fit(lines, page);
                prop_assert!(desk.top == 0 || desk.top + page <= lines);
                prop_assert!(desk.comment.chars().count() <= LONGEST_COMMENT);
            }
        }
    }
}
