//! The error of a request that the kernel refused.

use std::error::Error;
use std::fmt;
use std::io;

/// What was asked; why it was refused is the source.
#[derive(Debug)]
struct Refusal {
    asked: String,
    source: io::Error,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.asked)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The error for `asked`, of the kind of `source`.
pub(crate) fn refusal(asked: String, source: impl Into<io::Error>) -> io::Error {
    let source = source.into();
    io::Error::new(source.kind(), Refusal { asked, source })
}

/// The kernel's number behind a refusal, for tests.
#[cfg(test)]
pub(crate) fn errno(error: &io::Error) -> Option<i32> {
    error.get_ref()?.source()?.downcast_ref::<io::Error>()?.raw_os_error()
}
