//! SPDX licence expressions, as far as they occur in the packages of a Rust program.

/// Whether `expression` can be satisfied by the licences in `allowed` alone.
///
/// Reads `OR`, `AND`, parentheses, `WITH` (an exception only adds permissions, so that the licence alone decides) and
/// the old `/` for `OR`. An error says what is wrong with an expression that has another form.
pub(crate) fn is_satisfied(expression: &str, allowed: &[&str]) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), allowed };
    words.words.reverse();
    let satisfied = words.any_of()?;
    match words.words.last() {
        None => Ok(satisfied),
        Some(word) => Err(format!("`{word}` is not expected in `{expression}`")),
    }
}

/// The words still to be read, the next one last.
struct Words<'a> {
    words: Vec<&'a str>,
    allowed: &'a [&'a str],
}

impl Words<'_> {
    fn skip(&mut self, word: &str) -> bool {
        let is_next = self.words.last() == Some(&word);
        if is_next {
            self.words.pop();
        }
        is_next
    }

    fn any_of(&mut self) -> Result<bool, String> {
        let mut satisfied = self.all_of()?;
        while self.skip("OR") {
            satisfied |= self.all_of()?;
        }
        Ok(satisfied)
    }

    fn all_of(&mut self) -> Result<bool, String> {
        let mut satisfied = self.one()?;
        while self.skip("AND") {
            satisfied &= self.one()?;
        }
        Ok(satisfied)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.skip("(") {
            let satisfied = self.any_of()?;
            return if self.skip(")") { Ok(satisfied) } else { Err("a `)` is missing".to_string()) };
        }
        let licence = self.name()?;
        if self.skip("WITH") {
            self.name()?;
        }
        Ok(self.allowed.contains(&licence.as_str()))
    }

    fn name(&mut self) -> Result<String, String> {
        match self.words.pop() {
            Some(word) if !["OR", "AND", "WITH", "(", ")"].contains(&word) => Ok(word.to_string()),
            Some(word) => Err(format!("`{word}` stands where a licence should")),
            None => Err("it ends where a licence should stand".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        assert_eq!(is_satisfied(expression, &["MIT", "Apache-2.0", "Unicode-3.0"]), Ok(expected), "{expression}");
    }

    #[test]
    fn one_licence_is_allowed_or_not() {
        check("MIT", true);
        check("GPL-2.0", false);
        check("mit", false);
    }

    #[test]
    fn or_needs_one_and_needs_all() {
        check("GPL-3.0-only OR MIT", true);
        check("GPL-3.0-only OR LGPL-2.1", false);
        check("MIT AND Unicode-3.0", true);
        check("MIT AND OpenSSL", false);
        check("GPL-2.0/Apache-2.0", true);
        check("GPL-2.0 / LGPL-2.1", false);
    }

    #[test]
    fn and_binds_tighter_than_or_and_parentheses_tighter_still() {
        check("MIT OR GPL-2.0 AND OpenSSL", true);
        check("GPL-2.0 AND OpenSSL OR MIT", true);
        check("(MIT OR GPL-2.0) AND OpenSSL", false);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
        check("((GPL-2.0) OR (MIT AND (Apache-2.0)))", true);
    }

    #[test]
    fn an_exception_takes_nothing_away() {
        check("Apache-2.0 WITH LLVM-exception", true);
        check("GPL-2.0 WITH Classpath-exception-2.0", false);
        check("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true);
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        for expression in ["", "MIT OR", "AND MIT", "(MIT", "MIT)", "MIT Apache-2.0", "MIT WITH", "OR"] {
            assert!(is_satisfied(expression, &["MIT"]).is_err(), "{expression}");
        }
    }
}
