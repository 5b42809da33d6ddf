//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802), without channel binding, as Kafka brokers speak it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::{Digest, block_api::EagerHash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

use super::Step;
use crate::config::{ScramHash, Secret};
use crate::sys;

/// Fewer are too cheap to guess through (Java refuses them), more are an attack on this client's CPU.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;
const NONCE_BYTES: usize = 24;
/// The base64 of `n,,`: no channel binding, no other identity.
const HEADER_BASE64: &str = "biws";

pub(in crate::network) struct Scram {
    hash: ScramHash,
    password: Secret,
    client_first_bare: String,
    client_nonce: String,
    stage: Stage,
}

enum Stage {
    FirstSent,
    Deriving {
        server_first: String,
        server_nonce: String,
    },
    FinalSent {
        server_signature: Vec<u8>,
    },
    Done,
}

impl Scram {
    pub(super) fn start(
        hash: ScramHash,
        username: &str,
        password: &Secret,
    ) -> Result<(Scram, Vec<u8>), String> {
        let mut nonce = [0u8; NONCE_BYTES];
        sys::fill_random(&mut nonce)
            .map_err(|error| format!("no randomness for the nonce: {error}"))?;
        Ok(Scram::with_nonce(
            hash,
            username,
            password,
            BASE64.encode(nonce),
        ))
    }

    fn with_nonce(
        hash: ScramHash,
        username: &str,
        password: &Secret,
        client_nonce: String,
    ) -> (Scram, Vec<u8>) {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let client_first_bare = format!("n={name},r={client_nonce}");
        let first = format!("n,,{client_first_bare}").into_bytes();
        let password = password.clone();
        (
            Scram {
                hash,
                password,
                client_first_bare,
                client_nonce,
                stage: Stage::FirstSent,
            },
            first,
        )
    }

    pub(super) fn answered(&mut self, answer: &[u8]) -> Result<Step, String> {
        let answer = std::str::from_utf8(answer)
            .map_err(|_| "the broker's SCRAM message is not UTF-8".to_owned())?;
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::FirstSent => self.server_first(answer),
            Stage::FinalSent { server_signature } => server_final(answer, &server_signature),
            Stage::Deriving { .. } | Stage::Done => {
                Err("the broker sent a SCRAM message out of turn".into())
            }
        }
    }

    fn server_first(&mut self, message: &str) -> Result<Step, String> {
        let ServerFirst {
            nonce,
            salt,
            iterations,
        } = ServerFirst::parse(message)?;
        if !nonce.starts_with(&self.client_nonce) || nonce.len() == self.client_nonce.len() {
            return Err("the broker's nonce does not extend ours".into());
        }
        if !ITERATIONS.contains(&iterations) {
            let (least, most) = (ITERATIONS.start(), ITERATIONS.end());
            return Err(format!(
                "the broker asks for {iterations} iterations; {least} to {most} are accepted"
            ));
        }
        self.stage = Stage::Deriving {
            server_first: message.to_owned(),
            server_nonce: nonce.to_owned(),
        };
        let password = self.password.expose().as_bytes();
        Ok(Step::Derive(Box::new(match self.hash {
            ScramHash::Sha256 => Derivation::Sha256(Pbkdf2::new(password, &salt, iterations)),
            ScramHash::Sha512 => Derivation::Sha512(Pbkdf2::new(password, &salt, iterations)),
        })))
    }

    pub(super) fn derived(&mut self, salted_password: &[u8]) -> Result<Step, String> {
        let Stage::Deriving {
            server_first,
            server_nonce,
        } = std::mem::replace(&mut self.stage, Stage::Done)
        else {
            return Err("no key was being derived".into());
        };
        let without_proof = format!("c={HEADER_BASE64},r={server_nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.client_first_bare);
        let (proof, server_signature) = match self.hash {
            ScramHash::Sha256 => proofs::<Sha256>(salted_password, auth_message.as_bytes()),
            ScramHash::Sha512 => proofs::<Sha512>(salted_password, auth_message.as_bytes()),
        };
        self.stage = Stage::FinalSent { server_signature };
        Ok(Step::Send(
            format!("{without_proof},p={}", BASE64.encode(proof)).into_bytes(),
        ))
    }
}

fn server_final(message: &str, expected: &[u8]) -> Result<Step, String> {
    let first = message.split(',').next().unwrap_or_default();
    if let Some(error) = first.strip_prefix("e=") {
        return Err(error.to_owned());
    }
    let signature = first
        .strip_prefix("v=")
        .and_then(|text| BASE64.decode(text).ok());
    match signature {
        // Equality of public values: the signature is compared after the broker has sent it, nothing leaks by timing.
        Some(signature) if signature == expected => Ok(Step::Done),
        _ => Err(
            "the broker could not prove that it knows the password: is it the right one?".into(),
        ),
    }
}

struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// `r=nonce,s=salt,i=iterations`, in this order; extensions may follow.
    fn parse(message: &'a str) -> Result<Self, String> {
        if let Some(error) = message.strip_prefix("e=") {
            return Err(error.to_owned());
        }
        let mut fields = message.split(',');
        let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
        let malformed = || "the broker's first SCRAM message is malformed".to_owned();
        let nonce = field("r=").ok_or_else(malformed)?;
        let salt = field("s=")
            .and_then(|text| BASE64.decode(text).ok())
            .ok_or_else(malformed)?;
        let iterations = field("i=")
            .and_then(|text| text.parse().ok())
            .ok_or_else(malformed)?;
        Ok(ServerFirst {
            nonce,
            salt,
            iterations,
        })
    }
}

/// The client's proof and the signature by which the server proves itself.
fn proofs<D: EagerHash + Digest>(
    salted_password: &[u8],
    auth_message: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let client_key = hmac::<D>(salted_password, b"Client Key");
    let stored_key = D::digest(&client_key);
    let signature = hmac::<D>(&stored_key, auth_message);
    let proof = client_key
        .iter()
        .zip(signature)
        .map(|(key, sign)| key ^ sign)
        .collect();
    let server_key = hmac::<D>(salted_password, b"Server Key");
    (proof, hmac::<D>(&server_key, auth_message))
}

fn hmac<D: EagerHash>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = keyed::<D>(key);
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed<D: EagerHash>(key: &[u8]) -> Hmac<D> {
    Hmac::<D>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// The derivation of the salted password, done in slices so that a million rounds do not hold up the I/O thread.
pub(in crate::network) enum Derivation {
    Sha256(Pbkdf2<Sha256>),
    Sha512(Pbkdf2<Sha512>),
}

impl Derivation {
    /// Does up to `rounds` more; the salted password when all are done.
    pub(in crate::network) fn advance(&mut self, rounds: u32) -> Option<Vec<u8>> {
        match self {
            Derivation::Sha256(pbkdf2) => pbkdf2.advance(rounds),
            Derivation::Sha512(pbkdf2) => pbkdf2.advance(rounds),
        }
    }
}

/// The first block of PBKDF2, RFC 5802's `Hi`.
pub(in crate::network) struct Pbkdf2<D: EagerHash> {
    keyed: Hmac<D>,
    last: Vec<u8>,
    sum: Vec<u8>,
    rounds_left: u32,
}

impl<D: EagerHash> Pbkdf2<D>
where
    Hmac<D>: Clone,
{
    fn new(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let keyed = keyed::<D>(password);
        let mut first = keyed.clone();
        first.update(salt);
        first.update(&1u32.to_be_bytes());
        let last = first.finalize().into_bytes().to_vec();
        Pbkdf2 {
            keyed,
            sum: last.clone(),
            last,
            rounds_left: iterations.saturating_sub(1),
        }
    }

    fn advance(&mut self, rounds: u32) -> Option<Vec<u8>> {
        for _ in 0..rounds.min(self.rounds_left) {
            let mut mac = self.keyed.clone();
            mac.update(&self.last);
            self.last.copy_from_slice(&mac.finalize().into_bytes());
            self.sum
                .iter_mut()
                .zip(&self.last)
                .for_each(|(sum, last)| *sum ^= last);
        }
        self.rounds_left -= rounds.min(self.rounds_left);
        (self.rounds_left == 0).then(|| self.sum.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn start() -> Scram {
        let (scram, first) = Scram::with_nonce(
            ScramHash::Sha256,
            "user",
            &Secret::new("pencil"),
            NONCE.to_owned(),
        );
        assert_eq!(first, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        scram
    }

    fn until_final(scram: &mut Scram, server_first: &str) -> Result<String, String> {
        let Step::Derive(mut derivation) = scram.answered(server_first.as_bytes())? else {
            panic!("no derivation")
        };
        let salted = loop {
            if let Some(salted) = derivation.advance(1_000) {
                break salted;
            }
        };
        let Step::Send(bytes) = scram.derived(&salted)? else {
            panic!("nothing to send")
        };
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn agrees_with_the_example_of_rfc_7677() {
        let mut scram = start();
        assert_eq!(until_final(&mut scram, SERVER_FIRST).unwrap(), CLIENT_FINAL);
        assert!(matches!(
            scram.answered(SERVER_FINAL.as_bytes()),
            Ok(Step::Done)
        ));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        for answer in [
            "v=AAAA",
            "v=",
            "",
            "e=invalid-proof",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
        ] {
            let mut scram = start();
            until_final(&mut scram, SERVER_FIRST).unwrap();
            assert!(scram.answered(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_hostile_first_message_is_refused() {
        let long = format!("r={NONCE}x,s=W22Z,i=99999999999999999999");
        let cases = [
            "",
            "r=",
            "e=unknown-user",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4095",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1000001",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=-1",
            "m=must,r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=4096",
            &long,
        ];
        for case in cases {
            assert!(start().answered(case.as_bytes()).is_err(), "{case}");
        }
        assert!(start().answered(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn names_with_commas_and_equal_signs_are_escaped() {
        let (_, first) =
            Scram::with_nonce(ScramHash::Sha512, "a=b,c", &Secret::new("x"), "n".into());
        assert_eq!(first, b"n,,n=a=3Db=2Cc,r=n");
    }

    #[test]
    fn pbkdf2_agrees_with_a_published_vector() {
        // RFC 7914, section 11, first 32 bytes.
        let mut pbkdf2 = Pbkdf2::<Sha256>::new(b"passwd", b"salt", 1);
        let hex: String = pbkdf2
            .advance(0)
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
    }
}
