//! Rust text as tokens: enough to tell names from comments and strings, and to read the paths in a file.
//!
//! It looks at text, not at types: paths written by macros, `#[path]` and trait objects handed upwards are not seen.

/// A name, a mark or a text, and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name, keyword or number.
    Name(String),
    /// One mark; `::` is one mark.
    Mark(&'static str),
    /// The inside of a text literal.
    Text(String),
}

impl Token {
    /// The name, or nothing.
    pub fn name(&self) -> &str {
        if let Kind::Name(name) = &self.kind { name } else { "" }
    }

    /// Whether this is the mark.
    pub fn is(&self, mark: &str) -> bool {
        matches!(self.kind, Kind::Mark(own) if own == mark)
    }
}

/// Marks the checks ask for; all others are alike to them.
const MARKS: [&str; 16] = ["::", "{", "}", "(", ")", "[", "]", ",", ";", "*", "#", "!", "=", "<", ">", "."];

/// Cuts Rust text into tokens. Comments vanish; character literals and lifetimes do too.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first);
        if let Some(kind) = kind {
            found.push(Token { line, kind });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

fn next(rest: &str, first: char) -> (Option<Kind>, usize) {
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, block_comment(rest));
    }
    if let Some((text, length)) = raw_text(rest).or_else(|| plain_text(rest)) {
        return (Some(Kind::Text(text)), length);
    }
    if first == '\'' {
        return (None, character(rest));
    }
    if first.is_alphanumeric() || first == '_' {
        let length = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
        return (Some(Kind::Name(rest[..length].to_owned())), length);
    }
    match MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
        Some(mark) => (Some(Kind::Mark(mark)), mark.len()),
        None if first.is_whitespace() => (None, first.len_utf8()),
        None => (Some(Kind::Mark("other")), first.len_utf8()),
    }
}

/// Length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`: inside and whole length.
fn raw_text(rest: &str) -> Option<(String, usize)> {
    let after = ["br", "cr", "r"].into_iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).unwrap_or(inside.len());
    let whole = rest.len() - inside.len() + length + end.len();
    Some((inside[..length].to_owned(), whole.min(rest.len())))
}

/// `"…"`, `b"…"`, `c"…"`: inside (escapes as written) and whole length.
fn plain_text(rest: &str) -> Option<(String, usize)> {
    let inside = ["b\"", "c\"", "\""].into_iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let mut escaped = false;
    for (at, next) in inside.char_indices() {
        match next {
            '"' if !escaped => return Some((inside[..at].to_owned(), rest.len() - inside.len() + at + 1)),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some((inside.to_owned(), rest.len()))
}

/// Length of a character literal, or of a lifetime's quote: the name after it says nothing the checks ask for.
fn character(rest: &str) -> usize {
    let inside: Vec<(usize, char)> = rest.char_indices().skip(1).take(12).collect();
    if inside.first().is_some_and(|(_, first)| *first == '\\') {
        return inside.iter().skip(2).find(|(_, next)| *next == '\'').map_or(1, |(at, _)| at + 1);
    }
    inside.get(1).filter(|(_, next)| *next == '\'').map_or(1, |(at, _)| at + 1)
}

/// A path as it is meant: groups spelled out, with the line it begins on.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub line: usize,
    pub names: Vec<String>,
    /// Inline modules of the file that it stands in.
    pub inside: Vec<String>,
}

/// Every path that begins with one of `roots`, in `use` and inline; each end of a group is a path.
pub fn paths(tokens: &[Token], roots: &[&str]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.is("{") {
            depth += 1;
            if at >= 2 && tokens[at - 2].name() == "mod" {
                modules.push((tokens[at - 1].name().to_owned(), depth));
            }
        } else if token.is("}") {
            modules.retain(|(_, opened)| *opened != depth);
            depth -= 1;
        } else if roots.contains(&token.name()) && !(at > 0 && tokens[at - 1].is("::")) {
            if !tokens.get(at + 1).is_some_and(|next| next.is("::") || next.name() == "as") {
                continue;
            }
            let inside: Vec<String> = modules.iter().map(|(name, _)| name.clone()).collect();
            let mut ends = Vec::new();
            spell_out(tokens, at, &[], &mut ends);
            found.extend(ends.into_iter().map(|names| Path { line: token.line, names, inside: inside.clone() }));
        }
    }
    found
}

/// Follows one path from `at`; returns the place after it.
fn spell_out(tokens: &[Token], mut at: usize, before: &[String], ends: &mut Vec<Vec<String>>) -> usize {
    let mut names = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at += 1;
            while tokens.get(at).is_some_and(|next| !next.is("}")) {
                let after = spell_out(tokens, at, &names, ends);
                let stray = after == at;
                at = if stray || tokens.get(after).is_some_and(|next| next.is(",")) { after + 1 } else { after };
            }
            return at + 1;
        }
        match &token.kind {
            Kind::Name(name) => names.push(name.clone()),
            Kind::Mark("*") => names.push("*".to_owned()),
            _ => break,
        }
        at += 1;
        if !tokens.get(at).is_some_and(|next| next.is("::")) {
            break;
        }
        at += 1;
    }
    if tokens.get(at).is_some_and(|next| next.name() == "as") {
        at += 2;
    }
    if names.len() > before.len() {
        ends.push(names);
    }
    at
}
