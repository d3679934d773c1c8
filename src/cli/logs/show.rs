//! Rows on stdout: for people, as JSON, or as they were written.

use std::borrow::Cow;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::json;

use crate::logs::mask::{Mask, Masks};
use crate::logs::{Row, Sieve};
use crate::time;

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Harmless text.
    Text,
    /// The same with its number in front.
    Numbered,
    /// One object per line.
    Json,
    /// Byte for byte.
    Raw,
}

/// Stdout in one form.
#[derive(Debug)]
pub(super) struct Printer {
    form: Form,
    masks: Masks,
    out: BufWriter<StdoutLock<'static>>,
}

impl Printer {
    /// `mask` is not asked for what is shown byte for byte.
    pub(super) fn new(form: Form, mask: Mask) -> Self {
        Self {
            form,
            masks: Masks::new(mask),
            out: BufWriter::with_capacity(64 * 1024, io::stdout().lock()),
        }
    }

    /// Shows what `sieve` lets through of `rows`.
    pub(super) fn sift(
        &mut self,
        sieve: &mut Sieve,
        rows: impl Iterator<Item = Row>,
    ) -> io::Result<()> {
        let mut shown = Vec::new();
        for row in rows {
            sieve.take(row, &mut shown);
            shown.drain(..).try_for_each(|row| self.row(&row))?;
        }
        self.out.flush()
    }

    /// Shows `rows`; nobody has to wait for them.
    pub(super) fn print(&mut self, rows: &[Row]) -> io::Result<()> {
        rows.iter().try_for_each(|row| self.row(row))?;
        self.out.flush()
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        if self.form == Form::Raw {
            return self.raw(row);
        }
        let mask = self.masks.at(row.number, row.stream, &row.bytes);
        match self.form {
            Form::Json => {
                let text = match row.level {
                    Some(_) => mask.lines(&String::from_utf8_lossy(&row.bytes)).into(),
                    None => mask.line(row.text()),
                };
                writeln!(self.out, "{}", object(row, &text))
            }
            Form::Text => {
                let text = line(row);
                let text = if row.is_passage() { text } else { mask.line(text) };
                self.out.write_all(text.as_bytes())?;
                self.out.write_all(b"\n")
            }
            Form::Numbered | Form::Raw => {
                let text = mask.line(line(row));
                match row.gap {
                    Some(_) => writeln!(self.out, "        {text}"),
                    None => writeln!(self.out, "{:>6}  {text}", row.number),
                }
            }
        }
    }

    fn raw(&mut self, row: &Row) -> io::Result<()> {
        // What goes byte for byte into a file is no place for words of ours.
        if row.gap.is_some() {
            self.out.flush()?;
            eprintln!("ig: {}", row.text());
            return Ok(());
        }
        self.out.write_all(&row.bytes)?;
        self.out.write_all(if row.ended { b"\n" } else { b"" })
    }
}

fn line(row: &Row) -> Cow<'_, str> {
    let Some(level) = &row.level else { return row.text() };
    let at = row.at.map(|at| time::local(time::from_micros(at)));
    let at = at.as_deref().and_then(|at| at.get(11..)).unwrap_or("--:--:--");
    format!("{at} {level:<8} {}", row.text()).into()
}

fn moment(row: &Row) -> Option<String> {
    row.at.map(|at| time::rfc3339(time::from_micros(at)))
}

fn object(row: &Row, text: &str) -> serde_json::Value {
    if let Some(gap) = row.gap {
        return json!({
            "kind": "gap", "first": gap.first, "last": gap.last, "bytes": gap.bytes,
            "bound": gap.cause.word(), "text": text,
        });
    }
    let at = moment(row);
    let mut object = json!({"number": row.number, "stream": row.stream, "at": at, "text": text});
    if let Some(level) = &row.level {
        object["level"] = level.clone().into();
    }
    if row.cut > 0 {
        object["cut"] = row.cut.into();
    }
    object
}
