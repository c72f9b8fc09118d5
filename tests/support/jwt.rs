//! An operator, an account and a user of NATS, with keys that live as long as the test.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nkeys::KeyPair;
use serde_json::{Value, json};

/// An operator with one account and one user in it.
pub(crate) struct Operator {
    operator: KeyPair,
    account: KeyPair,
    user: KeyPair,
}

impl Operator {
    /// With new keys.
    pub(crate) fn new() -> Self {
        Self { operator: KeyPair::new_operator(), account: KeyPair::new_account(), user: KeyPair::new_user() }
    }

    /// What a server has to be configured with to know the account.
    pub(crate) fn server_config(&self) -> String {
        let operator = jwt(&self.operator, &self.operator, None, json!({ "type": "operator", "version": 2 }));
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
            "leaf": -1,
        });
        let claims = json!({ "type": "account", "version": 2, "limits": limits });
        let account = jwt(&self.operator, &self.account, None, claims);
        let key = self.account.public_key();
        format!("operator: {operator}\nresolver: MEMORY\nresolver_preload: {{ {key}: {account} }}\n")
    }

    /// Writes the user's credentials, in one step since they may be read at any time; they expire after
    /// `life`, counted in whole seconds.
    pub(crate) fn write_credentials(&self, path: &Path, life: Option<Duration>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let jwt = jwt(&self.account, &self.user, life.map(|life| (now + life).as_secs()), claims);
        let seed = self.user.seed().expect("a seed");
        let text = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        std::fs::write(path.with_extension("new"), text).expect("a temporary file");
        std::fs::rename(path.with_extension("new"), path).expect("a temporary file");
    }
}

/// A JWT in NATS's form about `subject`, signed by `signer`.
fn jwt(signer: &KeyPair, subject: &KeyPair, expires: Option<u64>, nats: Value) -> String {
    let (issuer, subject) = (signer.public_key(), subject.public_key());
    let mut claims = json!({ "jti": "x", "iat": 1, "iss": issuer, "sub": subject, "name": subject, "nats": nats });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let text =
        format!("{}.{}", encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#), encode(claims.to_string().as_bytes()));
    let signature = encode(&signer.sign(text.as_bytes()).expect("a seed signs"));
    format!("{text}.{signature}")
}

/// base64url without padding, since nothing else here needs it.
fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    bytes.chunks(3).fold(String::new(), |mut text, chunk| {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).for_each(|digit| text.push(DIGITS[(word >> (18 - 6 * digit) & 63) as usize] as char));
        text
    })
}
