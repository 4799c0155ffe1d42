//! The `.xls` that is HTML inside: each table is a sheet, as the applications that write such files mean it.
//!
//! It must not build a tree, run a script or apply a style: only the tags of tables count, and how deep they may
//! stand in each other has an end. A number in HTML is text.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, Write};

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::SHEET_ROWS_MAX;
use super::cut::Rows;
use super::frame::{CELLS_MAX, Refusal, TEXT_BYTES_MAX, Written, push_row};
use crate::source::cells::CellKind;

/// How many tables may stand in each other; layouts of pages use two or three.
const DEPTH_MAX: usize = 16;
/// How much is read at a time, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;
/// Where a page declares its encoding: within so many bytes (HTML standard, 4.2.5.4).
const DECLARATION_BYTES: usize = 1024;
/// Largest column or row span (HTML standard, 4.9.11).
const SPAN_MAX: u16 = 1000;

/// Reads all tables.
///
/// # Errors
/// [`Refusal`] when there is none, one is not closed, or they stand too deep in each other.
pub fn read<W: Write>(mut file: File, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let damaged = |_| Refusal::Damaged;
    let mut decoder = encoding(&mut file)?.new_decoder_with_bom_removal();
    let tokenizer = Tokenizer::new(Sink(RefCell::new(Tables::default())), TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut bytes = vec![0; CHUNK_BYTES];
    loop {
        let length = file.read(&mut bytes).map_err(damaged)?;
        let mut rest = &bytes[..length];
        loop {
            let mut text = String::with_capacity(decoder.max_utf8_buffer_length(rest.len()).unwrap_or(CHUNK_BYTES * 4));
            let (result, used, _) = decoder.decode_to_string(rest, &mut text, length == 0);
            rest = &rest[used..];
            input.push_back(StrTendril::from(text));
            while matches!(tokenizer.feed(&input), TokenizerResult::Script(())) {}
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        tokenizer.sink.0.borrow_mut().give(rows)?;
        if length == 0 {
            break;
        }
    }
    tokenizer.end();
    let mut tables = tokenizer.sink.0.borrow_mut();
    tables.give(rows)?;
    match (tables.open.is_empty(), tables.opened) {
        (false, _) => Err(Refusal::Damaged),
        (true, 0) => Err(Refusal::NoTable),
        (true, _) => Ok(()),
    }
}

/// The encoding: by its mark, by what the page declares, or UTF-8 if all of it is, else Windows-1252.
fn encoding(file: &mut File) -> Result<&'static Encoding, Refusal> {
    let damaged = |_| Refusal::Damaged;
    let mut head = Vec::new();
    (&*file).take(DECLARATION_BYTES as u64).read_to_end(&mut head).map_err(damaged)?;
    file.rewind().map_err(damaged)?;
    if let Some((encoding, _)) = Encoding::for_bom(&head) {
        return Ok(encoding);
    }
    if let Some(encoding) = declared(&head) {
        return Ok(encoding);
    }
    let mut decoder = UTF_8.new_decoder_without_bom_handling();
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut text = vec![0; CHUNK_BYTES * 4];
    let valid = loop {
        let length = file.read(&mut bytes).map_err(damaged)?;
        if !valid(&mut decoder, &bytes[..length], &mut text) {
            break false;
        }
        if length == 0 {
            break true;
        }
    };
    file.rewind().map_err(damaged)?;
    Ok(if valid { UTF_8 } else { WINDOWS_1252 })
}

fn valid(decoder: &mut Decoder, bytes: &[u8], text: &mut [u8]) -> bool {
    let (result, _, _) = decoder.decode_to_utf8_without_replacement(bytes, text, bytes.is_empty());
    result == DecoderResult::InputEmpty
}

/// What stands behind `charset=`. A page that can be read this far is not UTF-16, whatever it says.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let (_, label) = head.split_once("charset=")?;
    let label = label.trim_start_matches(['"', '\'', ' ']);
    let end = label.find(|next: char| !next.is_ascii_alphanumeric() && !"-_:.".contains(next)).unwrap_or(label.len());
    let encoding = Encoding::for_label(&label.as_bytes()[..end])?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

struct Sink(RefCell<Tables>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut tables = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => tables.text(&text),
            // A character that is lost shows as one.
            Token::NullCharacterToken => tables.text("\u{fffd}"),
            Token::TagToken(tag) => return tables.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[derive(Default)]
struct Tables {
    open: Vec<Table>,
    opened: u32,
    closed: Vec<Table>,
    dropping: bool,
    refusal: Option<Refusal>,
}

#[derive(Default)]
struct Table {
    number: u32,
    frames: Vec<u8>,
    count: u64,
    row: u32,
    column: usize,
    in_row: bool,
    cell: Option<Span>,
    cells: Vec<Written>,
    text: String,
    /// How many rows more a cell above covers each column.
    covered: Vec<u16>,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    columns: u16,
    rows: u16,
}

impl Tables {
    fn give<W: Write>(&mut self, rows: &mut Rows<W>) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        for table in self.closed.drain(..) {
            rows.whole_sheet(&format!("Tabel {}", table.number), &table.frames, table.count)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        match self.open.last_mut() {
            Some(table) if !self.dropping => table.text(text),
            _ => {}
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let starts = tag.kind == TagKind::StartTag;
        match &*tag.name {
            "script" | "style" => {
                self.dropping = starts;
                let kind = if &*tag.name == "script" { RawKind::ScriptData } else { RawKind::Rawtext };
                if starts {
                    return TokenSinkResult::RawData(kind);
                }
            }
            "table" if starts => self.begin(),
            "table" => {
                if let Some(mut table) = self.open.pop() {
                    table.end_row();
                    self.refuse(table.row);
                    self.closed.push(table);
                }
            }
            name => {
                if let Some(table) = self.open.last_mut() {
                    table.tag(name, starts, tag);
                    let row = table.row;
                    self.refuse(row);
                }
            }
        }
        TokenSinkResult::Continue
    }

    fn begin(&mut self) {
        if self.open.len() >= DEPTH_MAX {
            self.refusal = Some(Refusal::Heavy);
            return;
        }
        self.opened += 1;
        self.open.push(Table { number: self.opened, ..Table::default() });
    }

    fn refuse(&mut self, row: u32) {
        if u64::from(row) >= SHEET_ROWS_MAX {
            self.refusal = Some(Refusal::Heavy);
        }
    }
}

impl Table {
    fn tag(&mut self, name: &str, starts: bool, tag: &Tag) {
        match name {
            "tr" => {
                self.end_row();
                self.in_row = starts;
            }
            "td" | "th" => {
                self.end_cell();
                if starts {
                    self.begin_cell(tag);
                }
            }
            "br" | "p" | "div" | "li" => self.text(" "),
            _ => {}
        }
    }

    fn begin_cell(&mut self, tag: &Tag) {
        self.in_row = true;
        while self.covered.get(self.column).is_some_and(|rows| *rows > 0) {
            self.column += 1;
        }
        let span = |name: &str| {
            let attribute = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
            let written = attribute.and_then(|attribute| attribute.value.trim().parse::<u16>().ok());
            written.unwrap_or(1).clamp(1, SPAN_MAX)
        };
        self.cell = Some(Span { start: self.text.len(), columns: span("colspan"), rows: span("rowspan") });
    }

    /// Takes text; white space in a row is one space, as a browser shows it.
    fn text(&mut self, text: &str) {
        let Some(Span { start, .. }) = self.cell else { return };
        for character in text.chars() {
            if self.text.len() - start >= TEXT_BYTES_MAX - character.len_utf8() {
                return;
            }
            if !character.is_whitespace() {
                self.text.push(character);
            } else if self.text.len() > start && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        }
    }

    fn end_cell(&mut self) {
        let Some(span) = self.cell.take() else { return };
        self.text.truncate(span.start + self.text[span.start..].trim_end().len());
        let column = self.column.min(CELLS_MAX - 1);
        if self.text.len() > span.start && self.cells.last().is_none_or(|last| last.column < column) {
            self.cells.push(Written { column, kind: CellKind::Text, start: span.start, end: self.text.len() });
        } else {
            self.text.truncate(span.start);
        }
        let end = (self.column + usize::from(span.columns)).min(CELLS_MAX);
        if span.rows > 1 {
            let length = self.covered.len().max(end);
            self.covered.resize(length, 0);
            // Its own row counts too: the number falls at the end of each row.
            (self.column.min(end)..end).for_each(|column| self.covered[column] = span.rows);
        }
        self.column = end.max(self.column);
    }

    fn end_row(&mut self) {
        self.end_cell();
        if !std::mem::take(&mut self.in_row) {
            return;
        }
        if !self.cells.is_empty() {
            push_row(&mut self.frames, self.row + 1, &self.cells, &self.text);
            self.count += 1;
        }
        self.row += 1;
        self.column = 0;
        self.cells.clear();
        self.text.clear();
        self.covered.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
    }
}
