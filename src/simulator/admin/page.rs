//! The HTML of the pages: every text escaped, no script, and on each page the word that this is not the platform.
//!
//! It must not know what is shown.

use jiff::Timestamp;

use crate::simulator::outcome::Reply;

/// How the pages look.
pub(super) const STYLE: &str = include_str!("style.css");
/// What stands on top of each page.
const NOTICE: &str = "This is a stand-in for SATUSEHAT on this machine, for trying and training. It is not the \
                      platform of the Ministry of Health; nothing shown here was reported.";
/// Nothing from elsewhere, no script, no frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A moment as pages show it.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Text as it may stand between tags and in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters and those that turn the direction of writing are shown as what they are.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push_str(&letter.escape_unicode().to_string()),
            other if other.is_control() && !other.is_whitespace() => {
                safe.push_str(&other.escape_unicode().to_string());
            }
            other => safe.push(other),
        }
    }
    safe
}

/// A page in the making.
pub(super) struct Page(String);

impl Page {
    /// A page with its head and the notice.
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        Self(format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} (simulator)</title>\n\
             <link rel=\"stylesheet\" href=\"/_admin/style.css\">\n</head>\n<body>\n<p class=\"notice\">{NOTICE}</p>\n\
             <nav><a href=\"/_admin\">Overview</a> <a href=\"/_admin/resources\">Resources</a> \
             <a href=\"/_stats\">Counts as JSON</a> <a href=\"/_dump\">All as NDJSON</a></nav>\n<h1>{title}</h1>\n"
        ))
    }

    /// The form that looks for resources.
    pub(super) fn search(&mut self, kind: &str, identifier: &str) {
        self.0.push_str(&format!(
            "<form action=\"/_admin/resources\" method=\"get\">\n\
             <label>Identifier or id <input name=\"identifier\" value=\"{}\"></label>\n\
             <label>Type <input name=\"type\" value=\"{}\"></label>\n<button>Search</button>\n</form>\n",
            escaped(identifier),
            escaped(kind)
        ));
    }

    /// A heading.
    pub(super) fn heading(&mut self, text: &str) {
        self.0.push_str(&format!("<h2>{}</h2>\n", escaped(text)));
    }

    /// Text as it is, line by line.
    pub(super) fn block(&mut self, text: &str) {
        let text = if text.is_empty() { "(nothing)" } else { text };
        self.0.push_str(&format!("<pre>{}</pre>\n", escaped(text)));
    }

    /// A table; `fill` writes the cells of a row.
    pub(super) fn table<T>(
        &mut self,
        titles: &[&str],
        rows: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Row, T),
    ) {
        self.0.push_str("<table>\n<thead><tr>");
        for title in titles {
            self.0.push_str(&format!("<th>{}</th>", escaped(title)));
        }
        self.0.push_str("</tr></thead>\n<tbody>\n");
        for item in rows {
            let mut row = Row(String::new());
            fill(&mut row, item);
            self.0.push_str(&format!("<tr>{}</tr>\n", row.0));
        }
        self.0.push_str("</tbody>\n</table>\n");
    }

    /// The whole page.
    pub(super) fn reply(self) -> Reply {
        let mut reply = Reply::of(200, "text/html; charset=utf-8", self.0 + "</body>\n</html>\n");
        let headers = [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ];
        reply.headers.extend(headers.map(|(name, value)| (name, value.to_owned())));
        reply
    }
}

/// One row of a table.
pub(super) struct Row(String);

impl Row {
    /// A cell with text.
    pub(super) fn text(&mut self, text: &str) {
        self.0.push_str(&format!("<td>{}</td>", escaped(text)));
    }

    /// A cell with a number.
    pub(super) fn number(&mut self, number: u64) {
        self.0.push_str(&format!("<td class=\"number\">{number}</td>"));
    }

    /// A cell that leads to a page of ours; `address` is a path.
    pub(super) fn link(&mut self, address: &str, text: &str) {
        self.0.push_str(&format!("<td><a href=\"{}\">{}</a></td>", escaped(address), escaped(text)));
    }
}
