//! Data in a page: JSON in inert elements, plain or packed, so that no browser ever takes it for markup or a program.
//!
//! Nothing of a session is written into markup. Plain blocks have every `<` escaped, so that no text can end the element;
//! packed ones are gzip in base64. A page reads both by `textContent` alone.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::safe;
use crate::store::kept;

/// Pieces that may wait for the thread that packs and writes; it bounds the memory of a drawing.
const WAITING: usize = 4;

/// Text made harmless for markup: no tags, no attributes, nothing that reorders or hides text.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in safe::terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Bytes for a packed block: to be packed, or packed already.
struct Piece {
    id: String,
    bytes: Vec<u8>,
    packed: bool,
}

/// Packed blocks of a page on their way to a file: a thread of its own packs and writes, in order.
pub struct Page<W> {
    sender: Option<SyncSender<Piece>>,
    writer: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> Page<W> {
    /// Blocks to be written to `out`.
    pub fn new(out: W) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        Self { sender: Some(sender), writer: Some(std::thread::spawn(move || write(out, &receiver))) }
    }

    /// JSON, to be found by `id` and unpacked by the page.
    pub fn packed(&mut self, id: impl Into<String>, json: Vec<u8>) -> io::Result<()> {
        self.send(Piece { id: id.into(), bytes: json, packed: false })
    }

    /// As [`Page::packed`], of what is gzip already.
    pub fn gzip(&mut self, id: impl Into<String>, gzip: Vec<u8>) -> io::Result<()> {
        self.send(Piece { id: id.into(), bytes: gzip, packed: true })
    }

    /// Waits until everything is written; what it was written to.
    pub fn end(&mut self) -> io::Result<W> {
        self.sender = None;
        match self.writer.take().map(JoinHandle::join) {
            None => Err(io::Error::other("the page was already closed")),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }

    fn send(&mut self, piece: Piece) -> io::Result<()> {
        match &self.sender {
            Some(sender) if sender.send(piece).is_ok() => Ok(()),
            // The thread ends before it is told to only when it could not write: its error is the one to tell.
            _ => self.end().and_then(|_| Err(io::Error::other("the page was already closed"))),
        }
    }
}

impl<W> Drop for Page<W> {
    fn drop(&mut self) {
        // A drawing that is given up leaves no thread behind.
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write<W: Write>(mut out: W, pieces: &Receiver<Piece>) -> io::Result<W> {
    let mut text = String::new();
    for Piece { id, bytes, packed } in pieces {
        let bytes = if packed { bytes } else { kept::pack(&bytes)? };
        text.clear();
        STANDARD.encode_string(&bytes, &mut text);
        writeln!(out, "<script type=\"application/gzip\" id=\"{id}\">{text}</script>")?;
    }
    out.flush()?;
    Ok(out)
}

/// Writes JSON as a plain block, to be found by `id`. No `<` is left in it: within a string, the only place where JSON has
/// one, it is written as an escape.
pub fn plain(id: &str, json: &[u8], out: &mut impl Write) -> io::Result<()> {
    write!(out, "<script type=\"application/json\" id=\"{id}\">")?;
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'<', rest) {
        out.write_all(&rest[..at])?;
        out.write_all(b"\\u003c")?;
        rest = &rest[at + 1..];
    }
    out.write_all(rest)?;
    out.write_all(b"</script>\n")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn no_text_ends_the_element_that_holds_it() {
        let json = serde_json::to_vec(&["</script><script>alert(1)</script><!--"]).unwrap();
        let mut text = Vec::new();
        plain("a", &json, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let inner = text.strip_prefix("<script type=\"application/json\" id=\"a\">").unwrap();
        let inner = inner.strip_suffix("</script>\n").unwrap();
        assert!(!inner.contains('<'), "{inner}");
        let value: serde_json::Value = serde_json::from_str(inner).unwrap();
        assert_eq!(serde_json::to_vec(&value).unwrap(), json);
    }

    #[test]
    fn packed_blocks_hold_what_was_packed() {
        let mut page = Page::new(Vec::new());
        page.packed("b", b"[\"<\"]".to_vec()).unwrap();
        let text = String::from_utf8(page.end().unwrap()).unwrap();
        let inner = text.split('>').nth(1).unwrap().split('<').next().unwrap();
        let mut back = String::new();
        let bytes = STANDARD.decode(inner).unwrap();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut back).unwrap();
        assert_eq!(back, "[\"<\"]");
    }

    #[test]
    fn a_disk_that_is_full_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut page = Page::new(Full);
        let result = (0..100).try_for_each(|_| page.packed("x", Vec::new())).and_then(|()| page.end().map(|_| ()));
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn escaped_text_has_neither_markup_nor_what_reorders_it() {
        assert_eq!(escape("<a href='x'>&\"\u{202e}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\u{202e}");
    }
}
