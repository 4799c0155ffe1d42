//! Cuts a body into records as it arrives: a JSON array, one JSON object, or one record a line. Pure.
//!
//! It must not understand a record, only find its end: it follows quotes and brackets. It holds one record at most,
//! and the same records come out however the body was cut on the way.

/// How records follow each other in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/json`: an array of records, or one record.
    Json,
    /// `application/x-ndjson`: one record a line.
    Lines,
}

/// What a record may be at most.
#[derive(Clone, Copy, Debug)]
pub struct RecordLimits {
    /// Bytes of a record.
    pub bytes: usize,
    /// Brackets open at once inside a record, its own included.
    pub depth: usize,
}

/// One record of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its text.
    Record(Vec<u8>),
    /// It has more bytes than allowed; they were thrown away.
    TooLong,
    /// It is nested deeper than allowed; it was thrown away.
    TooDeep,
}

/// Where a body stops being a list of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Line, from 1.
    pub line: u64,
    /// Byte of the body, from 1.
    pub byte: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before anything.
    Start,
    /// Behind the opening bracket: a record or the end.
    First,
    /// Behind a comma: a record.
    Next,
    /// Inside a record that ends with its brackets or quotes.
    Inside,
    /// Inside a bare word or number.
    Bare,
    /// Behind a record.
    After,
    /// Behind everything.
    End,
}

/// The state between two pieces of a body.
#[derive(Debug)]
pub struct Splitter {
    form: Form,
    limits: RecordLimits,
    at: At,
    in_array: bool,
    record: Vec<u8>,
    depth: usize,
    in_text: bool,
    escaped: bool,
    is_long: bool,
    is_deep: bool,
    line: u64,
    byte: u64,
    begun: Broken,
}

impl Splitter {
    /// A body of which nothing was seen yet.
    #[must_use]
    pub fn new(form: Form, limits: RecordLimits) -> Self {
        Self {
            form,
            limits,
            at: At::Start,
            in_array: false,
            record: Vec::new(),
            depth: 0,
            in_text: false,
            escaped: false,
            is_long: false,
            is_deep: false,
            line: 1,
            byte: 0,
            begun: Broken { line: 1, byte: 1 },
        }
    }

    /// Takes the next bytes; gives out the records that end in them.
    ///
    /// # Errors
    /// [`Broken`] where the body is no list of records any more.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Broken> {
        for &byte in bytes {
            self.byte += 1;
            match self.form {
                Form::Json => self.json(byte, out)?,
                Form::Lines => self.lines(byte, out),
            }
            self.line += u64::from(byte == b'\n');
        }
        Ok(())
    }

    /// Says that the body is complete.
    ///
    /// # Errors
    /// [`Broken`] when it ends inside its list.
    pub fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Broken> {
        match (self.form, self.at) {
            (Form::Lines, At::Inside) => self.finish(out),
            (Form::Lines, _) | (Form::Json, At::End) => {}
            (Form::Json, _) => return Err(self.here(1)),
        }
        self.at = At::End;
        Ok(())
    }

    /// Where the record that was given out last began.
    #[must_use]
    pub fn begun(&self) -> Broken {
        self.begun
    }

    fn here(&self, ahead: u64) -> Broken {
        Broken { line: self.line, byte: self.byte + ahead }
    }

    fn json(&mut self, byte: u8, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match (self.at, byte) {
            (At::Inside, _) => {
                self.inside(byte);
                if self.depth == 0 && !self.in_text {
                    self.finish(out);
                    self.at = if self.in_array { At::After } else { At::End };
                }
            }
            (At::Bare, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.finish(out);
                self.at = At::After;
                return self.json(byte, out);
            }
            (At::Bare, b'"' | b'{' | b'}' | b'[' | b':') => return Err(self.here(0)),
            (At::Bare, _) => self.keep(byte),
            (_, _) if blank => {}
            // A mark that some editors put in front of UTF-8.
            (At::Start, 0xef | 0xbb | 0xbf) if self.byte <= 3 => {}
            (At::Start, b'[') => {
                self.in_array = true;
                self.at = At::First;
            }
            (At::Start, b'{') => self.begin(byte),
            (At::First | At::After, b']') => self.at = At::End,
            (At::After, b',') => self.at = At::Next,
            (At::First | At::Next, b'{' | b'[' | b'"') => self.begin(byte),
            (At::First | At::Next, b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                self.begun = self.here(0);
                self.at = At::Bare;
                self.keep(byte);
            }
            _ => return Err(self.here(0)),
        }
        Ok(())
    }

    fn lines(&mut self, byte: u8, out: &mut Vec<Piece>) {
        match (self.at, byte) {
            (At::Inside, b'\n') => {
                self.finish(out);
                self.at = At::After;
            }
            (At::Inside, _) => self.inside(byte),
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (At::Start, 0xef | 0xbb | 0xbf) if self.byte <= 3 => {}
            _ => self.begin(byte),
        }
    }

    fn begin(&mut self, byte: u8) {
        self.begun = self.here(0);
        self.at = At::Inside;
        self.inside(byte);
    }

    fn inside(&mut self, byte: u8) {
        self.keep(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            _ if self.in_text => {}
            b'{' | b'[' => {
                self.depth += 1;
                self.is_deep |= self.depth > self.limits.depth;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.record.len() >= self.limits.bytes {
            self.is_long = true;
        }
        if self.is_long || self.is_deep {
            self.record.clear();
        } else {
            self.record.push(byte);
        }
    }

    fn finish(&mut self, out: &mut Vec<Piece>) {
        let record = std::mem::take(&mut self.record);
        out.push(match (self.is_long, self.is_deep) {
            (true, _) => Piece::TooLong,
            (false, true) => Piece::TooDeep,
            (false, false) => Piece::Record(record),
        });
        (self.depth, self.in_text, self.escaped, self.is_long, self.is_deep) = (0, false, false, false, false);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RecordLimits = RecordLimits { bytes: 40, depth: 3 };

    fn whole(form: Form, pieces: &[&[u8]]) -> (Vec<Piece>, Option<Broken>) {
        let (mut splitter, mut out) = (Splitter::new(form, LIMITS), Vec::new());
        let fed = pieces.iter().try_for_each(|piece| splitter.feed(piece, &mut out));
        let broken = fed.and_then(|()| splitter.end(&mut out)).err();
        (out, broken)
    }

    fn records(form: Form, text: &str) -> Vec<String> {
        let (out, broken) = whole(form, &[text.as_bytes()]);
        assert_eq!(broken, None, "{text}");
        let text = |piece| match piece {
            Piece::Record(bytes) => String::from_utf8(bytes).unwrap(),
            other => format!("{other:?}"),
        };
        out.into_iter().map(text).collect()
    }

    #[test]
    fn records_of_an_array_of_lines_and_one_alone() {
        assert_eq!(
            records(Form::Json, r#" [ {"a":"]},{"} , [1,2],3 ,"x\"" ] "#),
            [r#"{"a":"]},{"}"#, "[1,2]", "3", r#""x\"""#]
        );
        assert_eq!(records(Form::Json, "[]"), [""; 0]);
        assert_eq!(records(Form::Json, "\u{feff}{\"a\":{}}\n"), ["{\"a\":{}}"]);
        assert_eq!(records(Form::Lines, "{\"a\":1}\r\n\n{\"b\":2}"), ["{\"a\":1}\r", "{\"b\":2}"]);
        assert_eq!(records(Form::Lines, "\n \n"), [""; 0]);
    }

    #[test]
    fn one_record_that_is_too_long_or_too_deep_does_not_stop_the_others() {
        let long = format!("[{{\"a\":\"{}\"}},{{\"b\":1}}]", "x".repeat(50));
        assert_eq!(records(Form::Json, &long), ["TooLong", "{\"b\":1}"]);
        assert_eq!(records(Form::Json, "[[[[[]]]],{\"b\":1}]"), ["TooDeep", "{\"b\":1}"]);
        assert_eq!(records(Form::Lines, "[[[[]]]]\n{}\n"), ["TooDeep", "{}"]);
    }

    #[test]
    fn what_is_no_list_is_broken_at_its_place() {
        for (text, line, byte) in [
            ("", 1, 1),
            ("halo", 1, 1),
            ("\"a\"", 1, 1),
            ("12", 1, 1),
            ("[{}\n,]", 2, 6),
            ("[,]", 1, 2),
            ("[{} {}]", 1, 5),
            ("[{}]x", 1, 5),
            ("[{}", 1, 4),
            ("[1\"a\"]", 1, 3),
            ("{\"a\":1", 1, 7),
            ("{}{}", 1, 3),
            ("]", 1, 1),
        ] {
            assert_eq!(whole(Form::Json, &[text.as_bytes()]).1, Some(Broken { line, byte }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_cuts_on_the_way_change_nothing(
            text in r#"[\[\]{}",:\\ \na1é-]{0,60}"#, cuts in prop::collection::vec(0_usize..80, 0..6), lines: bool
        ) {
            let form = if lines { Form::Lines } else { Form::Json };
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(whole(form, &pieces), whole(form, &[bytes]));
        }

        #[test]
        fn every_record_of_a_list_comes_out(values in prop::collection::vec("[a-z\\\\\"{},\\[\\]]{0,8}", 0..8)) {
            let objects: Vec<String> = values.iter().map(|value| serde_json::json!({"k": value}).to_string()).collect();
            let wide = RecordLimits { bytes: 1000, depth: 3 };
            for (form, text) in [(Form::Json, format!("[{}]", objects.join(" , "))), (Form::Lines, objects.join("\n"))] {
                let (mut splitter, mut out) = (Splitter::new(form, wide), Vec::new());
                splitter.feed(text.as_bytes(), &mut out).unwrap();
                splitter.end(&mut out).unwrap();
                let expected: Vec<Piece> = objects.iter().map(|text| Piece::Record(text.clone().into_bytes())).collect();
                prop_assert_eq!(&out, &expected);
            }
        }
    }
}
