//! Documents as PDF pages to print, sign and file: A4, the standard fonts that every reader has, page numbers.
//!
//! The same documents give the same bytes. It lays out and nothing else; letters outside Windows-1252, which those
//! fonts lack, become question marks.

use encoding_rs::WINDOWS_1252;
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::document::{Document, lines};
use crate::words::{self, Language};

/// A4, in points of 1/72 inch.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
/// Margin on all sides, in points.
const MARGIN: f32 = 48.0;
/// Letters of the text size on a line of prose: Helvetica is about half as wide as high.
const PROSE_ROOM: usize = 100;
/// Size of a table's letters, in points; Courier's are 0.6 of that wide.
const TABLE_SIZE: f32 = 8.0;
/// Letters of a table on a line: (595 - 2 * 48) / (8 * 0.6).
const TABLE_ROOM: usize = 103;

/// The fonts: key in the page, name in every reader.
const FONTS: [(&[u8], &[u8]); 4] =
    [(b"F0", b"Helvetica"), (b"F1", b"Helvetica-Bold"), (b"F2", b"Courier"), (b"F3", b"Courier-Bold")];

/// How a line looks: font, size and the space it takes, in points.
#[derive(Clone, Copy)]
enum Look {
    Title,
    Heading,
    Prose,
    TableHead,
    TableRow,
    Gap,
}

impl Look {
    fn font(self) -> usize {
        match self {
            Self::Title | Self::Heading => 1,
            Self::Prose | Self::Gap => 0,
            Self::TableRow => 2,
            Self::TableHead => 3,
        }
    }

    fn size(self) -> f32 {
        match self {
            Self::Title => 15.0,
            Self::Heading => 11.0,
            Self::Prose | Self::Gap => 9.0,
            Self::TableHead | Self::TableRow => TABLE_SIZE,
        }
    }

    fn height(self) -> f32 {
        match self {
            Self::Title => 22.0,
            Self::Heading => 16.0,
            Self::Prose => 12.5,
            Self::TableHead | Self::TableRow => 10.5,
            Self::Gap => 8.0,
        }
    }
}

type Line = (Look, String);

/// Writes documents one after the other, each on pages of its own.
#[must_use]
pub fn pages(documents: &[Document], language: Language) -> Vec<u8> {
    let pages: Vec<Vec<Line>> = documents.iter().flat_map(|document| broken(all_lines(document, language))).collect();
    let title = documents.first().map_or("", |document| document.title.as_str());
    written(&pages, title, language)
}

fn all_lines(document: &Document, language: Language) -> Vec<Line> {
    let mut all = vec![(Look::Title, document.title.clone())];
    let prose = |all: &mut Vec<Line>, text: &str| {
        all.extend(lines(text, PROSE_ROOM).into_iter().map(|line| (Look::Prose, line)));
    };
    document.head.iter().for_each(|line| prose(&mut all, line));
    for table in &document.tables {
        all.push((Look::Gap, String::new()));
        all.push((Look::Heading, table.title.clone()));
        table.notes.iter().for_each(|note| prose(&mut all, note));
        let laid_out = table.laid_out(language, TABLE_ROOM).into_iter();
        all.extend(laid_out.map(|line| (if line.is_head { Look::TableHead } else { Look::TableRow }, line.text)));
    }
    all.push((Look::Gap, String::new()));
    for line in &document.foot {
        // Hashes stand in letters of one width, so that they can be compared.
        let look = if line.split_whitespace().any(|word| word.len() >= 64) { Look::TableRow } else { Look::Prose };
        let room = if matches!(look, Look::Prose) { PROSE_ROOM } else { TABLE_ROOM };
        all.extend(lines(line, room).into_iter().map(|line| (look, line)));
    }
    all
}

/// Lines by page; a heading never stands alone at the bottom, and a table's titles are repeated.
fn broken(all: Vec<Line>) -> Vec<Vec<Line>> {
    let bottom = MARGIN + Look::Prose.height();
    let (mut pages, mut page, mut left) = (Vec::new(), Vec::new(), HEIGHT - MARGIN);
    let mut head: Vec<Line> = Vec::new();
    for (look, text) in all {
        match look {
            Look::TableHead => head.push((look, text.clone())),
            Look::TableRow => {}
            _ => head.clear(),
        }
        let needed = if matches!(look, Look::Heading) { look.height() * 5.0 } else { look.height() };
        if left - needed < bottom && !page.is_empty() {
            pages.push(std::mem::take(&mut page));
            left = HEIGHT - MARGIN;
            if matches!(look, Look::TableRow) {
                left -= head.iter().map(|(look, _)| look.height()).sum::<f32>();
                page.clone_from(&head);
            }
        }
        left -= look.height();
        page.push((look, text));
    }
    pages.push(page);
    pages
}

fn written(pages: &[Vec<Line>], title: &str, language: Language) -> Vec<u8> {
    let mut next = 0;
    let mut new = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, info) = (new(), new(), new());
    let fonts = FONTS.map(|_| new());
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (new(), new())).collect();
    let mut pdf = Pdf::new();
    let code = if language == Language::Indonesian { "id" } else { "en" };
    pdf.catalog(catalog).pages(tree).lang(TextStr(code));
    pdf.document_info(info).title(TextStr(title)).producer(TextStr("posyandu-gateway"));
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for ((_, base), id) in FONTS.iter().zip(fonts) {
        pdf.type1_font(id).base_font(Name(base)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (at, ((page, content), lines)) in ids.iter().zip(pages).enumerate() {
        let mut written = pdf.page(*page);
        written.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*content);
        let mut resources = written.resources();
        let mut named = resources.fonts();
        for ((key, _), id) in FONTS.iter().zip(fonts) {
            named.pair(Name(key), id);
        }
        named.finish();
        resources.finish();
        written.finish();
        let arguments = [("page", (at + 1).to_string()), ("pages", pages.len().to_string())];
        let number = words::text(language, "statement.page", &arguments);
        pdf.stream(*content, &drawn(lines, &number));
    }
    pdf.finish()
}

fn drawn(lines: &[Line], number: &str) -> Vec<u8> {
    let mut content = Content::new();
    let mut down = HEIGHT - MARGIN;
    for (look, text) in lines {
        down -= look.height();
        put(&mut content, *look, down, text);
    }
    put(&mut content, Look::Prose, MARGIN - Look::Prose.height(), number);
    content.finish().to_vec()
}

fn put(content: &mut Content, look: Look, down: f32, text: &str) {
    if text.is_empty() {
        return;
    }
    content.begin_text();
    content.set_font(Name(FONTS[look.font()].0), look.size());
    content.next_line(MARGIN, down);
    content.show(Str(&encoded(text)));
    content.end_text();
}

fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for letter in text.chars() {
        let (encoded, _, is_lost) = WINDOWS_1252.encode(letter.encode_utf8(&mut buffer));
        if is_lost || letter.is_control() { bytes.push(b'?') } else { bytes.extend_from_slice(&encoded) }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_the_fonts_lack_are_questions() {
        assert_eq!(encoded("Posyandu é – \u{4e00}\n"), b"Posyandu \xe9 \x96 ??");
    }

    #[test]
    fn a_long_table_goes_on_with_its_titles_on_the_next_page() {
        let mut all = vec![(Look::TableHead, "kepala".to_owned())];
        all.extend((0..200).map(|number| (Look::TableRow, number.to_string())));
        let pages = broken(all);
        assert!(pages.len() > 2);
        assert!(pages.iter().all(|page| page[0].1 == "kepala"));
        assert_eq!(pages.iter().map(|page| page.len() - 1).sum::<usize>(), 200);
    }
}
