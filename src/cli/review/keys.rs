//! Keys as they are typed, in their order. Between two reads a terminal would go back to its own ways: it would echo
//! what is typed meanwhile, and Ctrl-C would throw away what was typed before it and not yet read. So the terminal is
//! ours for as long as somebody sits at it.

use std::io;

use console::{Key as Typed, Term};

use crate::review::desk::machine::Key;

/// A terminal that hands over every key, Ctrl-C as well, and echoes none; as it was before once this is dropped.
pub struct Keys {
    term: Term,
    #[cfg(unix)]
    before: nix::sys::termios::Termios,
}

impl Keys {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// When standard input is none, or does not say how it is set.
    pub fn of(term: Term) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
            let before = tcgetattr(io::stdin())?;
            let mut raw = before.clone();
            cfmakeraw(&mut raw);
            // What is written is still ours to write in lines.
            raw.output_flags = before.output_flags;
            tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
            Ok(Self { term, before })
        }
        #[cfg(not(unix))]
        Ok(Self { term })
    }

    /// Waits for the next.
    pub fn next(&self) -> Key {
        match self.term.read_key_raw() {
            Ok(Typed::Char(c)) => Key::Char(c),
            Ok(Typed::Enter) => Key::Enter,
            Ok(Typed::Escape) => Key::Escape,
            Ok(Typed::Backspace) => Key::Backspace,
            Ok(Typed::ArrowUp) => Key::Up,
            Ok(Typed::ArrowDown) => Key::Down,
            Ok(Typed::PageUp) => Key::PageUp,
            Ok(Typed::PageDown) => Key::PageDown,
            Ok(Typed::Home) => Key::Home,
            Ok(Typed::End) => Key::End,
            Ok(Typed::CtrlC) => Key::Interrupt,
            Ok(_) => Key::Other,
            // The terminal is gone, or there is nothing more to come.
            Err(_) => Key::Interrupt,
        }
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that cannot be set back is gone.
        let _ = nix::sys::termios::tcsetattr(io::stdin(), nix::sys::termios::SetArg::TCSADRAIN, &self.before);
    }
}
