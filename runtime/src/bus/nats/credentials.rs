//! The credentials of a user: a JWT and the seed of its key, in a `.creds` file.

use std::io::Read;
use std::path::{Path, PathBuf};

use nkeys::KeyPair;

/// The longest file that is read; a JWT with many permissions has some kilobytes.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the credentials file `{}`", path.display())]
pub struct CredentialsError {
    path: PathBuf,
    #[source]
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("it cannot be read")]
    Unreadable(#[source] std::io::Error),
    #[error("it has no section `BEGIN NATS USER JWT`: give the file that `nsc generate creds` writes")]
    NoJwt,
    #[error("it has no section `BEGIN USER NKEY SEED`: give the file that `nsc generate creds` writes")]
    NoSeed,
    #[error("its seed is none")]
    Seed(#[source] nkeys::error::Error),
}

/// What a file of credentials holds.
pub(super) struct Credentials {
    jwt: String,
    key: KeyPair,
}

impl Credentials {
    pub(super) fn read(path: &Path) -> Result<Self, CredentialsError> {
        Self::from_file(path).map_err(|problem| CredentialsError { path: path.to_owned(), problem })
    }

    fn from_file(path: &Path) -> Result<Self, Problem> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(Problem::Unreadable)?;
        file.take(FILE_MAX_BYTES).read_to_string(&mut text).map_err(Problem::Unreadable)?;
        let jwt = section(&text, "NATS USER JWT").ok_or(Problem::NoJwt)?.to_owned();
        let seed = section(&text, "USER NKEY SEED").ok_or(Problem::NoSeed)?;
        Ok(Self { jwt, key: KeyPair::from_seed(seed).map_err(Problem::Seed)? })
    }

    /// The answer to a server that asks for proof.
    pub(super) fn sign(self, nonce: &[u8]) -> Result<async_nats::Auth, nkeys::error::Error> {
        let mut auth = async_nats::Auth::new();
        auth.signature = Some(self.key.sign(nonce)?);
        auth.jwt = Some(self.jwt);
        Ok(auth)
    }
}

/// The line after `-----BEGIN {name}-----`.
fn section<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.starts_with('-') && line.contains("BEGIN") && line.contains(name))?;
    lines.find(|line| !line.is_empty()).filter(|line| !line.starts_with('-'))
}

/// An error and what caused it, in one line: events have no sources.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", told(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDS: &str = "-----BEGIN NATS USER JWT-----\neyJ0.e30.c2ln\n------END NATS USER JWT------\n\n\
        ************************* IMPORTANT *************************\nNKEY Seed printed below can be used to sign.\n\n\
        -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n";

    fn read(name: &str, text: &str) -> Result<Credentials, String> {
        let path = std::env::temp_dir().join(format!("nunect-{name}-{}.creds", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        let read = Credentials::read(&path).map_err(|error| told(&error));
        std::fs::remove_file(&path).expect("just written");
        read.map_err(|error| error.replace(&path.display().to_string(), "x.creds"))
    }

    #[test]
    fn both_sections_are_read_whatever_the_line_ends() {
        let key = KeyPair::new_user();
        let text = CREDS.replace("{seed}", &key.seed().expect("a seed"));
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let read = read("whole", &text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((read.jwt.as_str(), read.key.public_key()), ("eyJ0.e30.c2ln", key.public_key()));
            let auth = read.sign(b"nonce").expect("a seed can sign");
            assert!(key.verify(b"nonce", &auth.signature.expect("signed")).is_ok());
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name_and_without_its_secrets() {
        let error = |name: &str, text: &str| read(name, text).err().expect("unusable");
        let seedless = &CREDS[..CREDS.find("-----BEGIN USER").expect("a section")];
        assert!(
            error("jwt", "SUAAA").starts_with("the credentials file `x.creds`: it has no section `BEGIN NATS USER")
        );
        assert!(error("seed", seedless).contains("it has no section `BEGIN USER NKEY SEED`"));
        let secret = CREDS.replace("{seed}", "SUAIO3FHUX5PNV2LQIIP7");
        assert!(error("broken", &secret).contains("its seed is none"));
        assert!(!error("broken", &secret).contains("SUAIO"));
        let absent = Credentials::read(Path::new("absent.creds")).err().expect("absent");
        assert!(told(&absent).starts_with("the credentials file `absent.creds`: it cannot be read: No such file"));
    }
}
