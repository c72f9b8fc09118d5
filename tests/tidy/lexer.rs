//! Rust source as tokens: enough to tell code from comments and string literals.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a number.
    Word,
    /// A string literal of any sort, without its quotes.
    Text,
    /// One punctuation character.
    Mark,
}

/// A token and the line, from 1, that it starts in. Comments, character literals and lifetimes are no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    /// Whether this is code that reads `code`; a string literal never is.
    pub(crate) fn reads(&self, code: &str) -> bool {
        self.kind != Kind::Text && self.text == code
    }
}

/// The tokens of `source`.
pub(crate) fn lex(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1, tokens: Vec::new() };
    while let Some(next) = lexer.rest.chars().next() {
        lexer.step(next);
    }
    lexer.tokens
}

/// Where the code `pattern`, itself a piece of Rust, stands in `tokens`: the index of its first token.
pub(crate) fn occurrences(tokens: &[Token], pattern: &str) -> Vec<usize> {
    let pattern = lex(pattern);
    assert!(!pattern.is_empty(), "an empty pattern is everywhere");
    let same = |window: &[Token]| window.iter().zip(&pattern).all(|(token, wanted)| token.reads(&wanted.text));
    tokens.windows(pattern.len()).enumerate().filter(|(_, window)| same(window)).map(|(index, _)| index).collect()
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self, next: char) {
        if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if next == '"' {
            self.take(1);
            self.string();
        } else if next == '\'' {
            self.character_or_lifetime();
        } else if next == '_' || next.is_alphanumeric() {
            self.word();
        } else {
            if !next.is_whitespace() {
                self.push(Kind::Mark, next.to_string(), self.line);
            }
            self.take(next.len_utf8());
        }
    }

    /// Moves on by `bytes`, counting the lines in them.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn push(&mut self, kind: Kind, text: String, line: usize) {
        self.tokens.push(Token { kind, text, line });
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while !self.rest.is_empty() {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    return;
                }
            } else {
                self.take(self.rest.chars().next().map_or(0, char::len_utf8));
            }
        }
    }

    /// A string literal whose opening quote has been taken.
    fn string(&mut self) {
        let line = self.line;
        let mut text = String::new();
        while let Some(next) = self.rest.chars().next() {
            self.take(next.len_utf8());
            if next == '"' {
                break;
            }
            text.push(next);
            if next == '\\' {
                // The escaped character stands as it is written, so that no quote ends the literal early.
                let escaped = self.rest.chars().next().map_or(0, char::len_utf8);
                text.push_str(self.take(escaped));
            }
        }
        self.push(Kind::Text, text, line);
    }

    /// A raw string literal whose `r` has been taken, with `hashes` of them to come before the quote.
    fn raw_string(&mut self, hashes: usize) {
        let line = self.line;
        self.take(hashes + 1);
        let end = format!("\"{}", "#".repeat(hashes));
        let length = self.rest.find(&end).unwrap_or(self.rest.len());
        let text = self.take(length).to_string();
        self.take(end.len().min(self.rest.len()));
        self.push(Kind::Text, text, line);
    }

    fn character_or_lifetime(&mut self) {
        let mut after = self.rest.char_indices().skip(1);
        let (first, second) = (after.next(), after.next());
        if matches!(first, Some((_, '\\'))) {
            // `'\''` and `'\\'`: the escaped character is passed over before the closing quote is looked for.
            let from = second.map_or(self.rest.len(), |(index, escaped)| index + escaped.len_utf8());
            let end = self.rest[from..].find('\'').map_or(self.rest.len(), |index| from + index + 1);
            self.take(end);
        } else if let Some((index, '\'')) = second {
            self.take(index + 1);
        } else {
            self.take(1);
            self.name();
        }
    }

    fn name(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn word(&mut self) {
        let line = self.line;
        let word = self.name();
        let hashes = self.rest.len() - self.rest.trim_start_matches('#').len();
        let quoted = self.rest[hashes..].starts_with('"');
        match word {
            "r" | "br" | "cr" if quoted => self.raw_string(hashes),
            // `b"…"` and `c"…"`, `b'…'`: the prefix says nothing here.
            "b" | "c" if self.rest.starts_with(['"', '\'']) => {}
            // `r#type` is the identifier `type`.
            "r" if hashes == 1 => {
                self.take(1);
            }
            word => self.push(Kind::Word, word.to_string(), line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and marks as they are, string literals between « and ».
    fn shown(source: &str) -> String {
        let show = |token: Token| if token.kind == Kind::Text { format!("«{}»", token.text) } else { token.text };
        lex(source).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_no_tokens() {
        assert_eq!(shown("a // b \"c\"\nd /* e /* f */ \" */ g"), "a d g");
        assert_eq!(shown("//! doc\n/// doc \"x\"\nfn f() {}"), "fn f ( ) { }");
    }

    #[test]
    fn string_literals_of_every_sort_are_text() {
        assert_eq!(shown(r#"f("a \" b // c")"#), r#"f ( «a \" b // c» )"#);
        assert_eq!(shown(r##"r"\" r#"a " b"# br"x" b"y" c"z" cr#"w"#"##), r#"«\» «a " b» «x» «y» «z» «w»"#);
        assert_eq!(shown("\"\""), "«»");
    }

    #[test]
    fn characters_and_lifetimes_open_no_string() {
        assert_eq!(shown(r#"'"' b'"' '\'' '\\' '\u{1F600}' 'é' "x""#), "«x»");
        assert_eq!(shown("&'static str<'a> 'outer: loop"), "& str < > : loop");
    }

    #[test]
    fn raw_identifiers_are_words() {
        assert_eq!(shown("r#type b r"), "type b r");
    }

    #[test]
    fn every_token_knows_its_line() {
        let lines: Vec<_> =
            lex("a\n/* \n */ b \"c\n d\" e").into_iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a".into(), 1), ("b".into(), 3), ("c\n d".into(), 3), ("e".into(), 4)]);
    }

    #[test]
    fn a_pattern_is_found_across_spaces_and_lines_and_not_inside_literals() {
        let tokens = lex("Instant::now(); Instant ::\n now; \"Instant::now\"; // Instant::now");
        let lines: Vec<_> = occurrences(&tokens, "Instant::now").into_iter().map(|at| tokens[at].line).collect();
        assert_eq!(lines, [1, 1]);
    }

    #[test]
    fn unfinished_source_ends_somewhere() {
        for source in ["\"abc", "r#\"abc", "/* abc", "'", "'\\", "b", "r#", "\"\\"] {
            lex(source);
        }
    }
}
