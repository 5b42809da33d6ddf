//! Certificates and keys from PEM texts and files. No message quotes what they hold.

use std::borrow::Cow;
use std::fs;

use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument, pkcs5};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::{Pem, Secret, TlsIdentity};
use crate::error::{Error, ErrorCode};

const CHAIN: &str = "ssl.keystore.certificate.chain (ssl.certificate.location)";
const KEY: &str = "ssl.keystore.key (ssl.key.location)";
const OTHER_ENCRYPTION: &str = "is encrypted, but not as PKCS#8 with PBES2 and AES; convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`";

pub(super) fn identity(
    identity: &TlsIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    Ok((
        certificates(&identity.certificate, CHAIN)?,
        private_key(&identity.key, identity.key_password.as_ref())?,
    ))
}

/// All certificates, at least one.
pub(super) fn certificates(
    pem: &Pem,
    property: &str,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read(pem, property)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unusable(
            property,
            not_pem(&bytes).unwrap_or("holds no CERTIFICATE section"),
        )),
        Err(error) => Err(unusable(property, describe(&error))),
    }
}

fn private_key(pem: &Pem, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = read(pem, KEY)?;
    if let Some(section) = encrypted_section(&bytes) {
        return decrypt(section, password);
    }
    // OpenSSL's own form, older than PKCS#8, derives its key with MD5.
    if contains(&bytes, b"Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(KEY, OTHER_ENCRYPTION));
    }
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => {
            let what = not_pem(&bytes)
                .unwrap_or("holds no PRIVATE KEY section in PKCS#8, PKCS#1 or SEC1 form");
            Err(unusable(KEY, what))
        }
        Err(error) => Err(unusable(KEY, describe(&error))),
    }
}

/// The text of a PKCS#8 key that a password protects, from its first line to its last.
fn encrypted_section(bytes: &[u8]) -> Option<&str> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let text = std::str::from_utf8(bytes).ok()?;
    let section = &text[text.find(BEGIN)?..];
    let end = section.find(END).map_or(section.len(), |at| at + END.len());
    Some(&section[..end])
}

fn decrypt(section: &str, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, Error> {
    let Some(password) = password else {
        return Err(unusable(KEY, "is encrypted and needs ssl.key.password"));
    };
    let (_, der) = SecretDocument::from_pem(section)
        .map_err(|_| unusable(KEY, "has an ENCRYPTED PRIVATE KEY section that is not PEM"))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes())
        .map_err(|_| unusable(KEY, OTHER_ENCRYPTION))?;
    let key = encrypted
        .decrypt(password.expose())
        .map_err(|error| match error {
            // A wrong password shows in the padding, or else in what comes out.
            pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed)
            | pkcs8::Error::Asn1(_) => unusable("ssl.key.password", "does not open the key"),
            _ => unusable(KEY, OTHER_ENCRYPTION),
        })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn read<'a>(pem: &'a Pem, property: &str) -> Result<Cow<'a, [u8]>, Error> {
    match pem {
        Pem::Text(text) => Ok(Cow::Borrowed(text.expose().as_bytes())),
        Pem::File(path) => fs::read(path).map(Cow::Owned).map_err(|error| {
            let text = format!("{property}: cannot read {}: {error}", path.display());
            Error::new(ErrorCode::INVALID_CONFIG, text)
        }),
    }
}

/// Names the Java and Windows key stores that people hand over in place of PEM.
fn not_pem(bytes: &[u8]) -> Option<&'static str> {
    const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
    const DER_SEQUENCE: u8 = 0x30;
    if bytes.starts_with(&JKS_MAGIC) {
        return Some(
            "is a Java key store; convert it with `keytool -importkeystore -deststoretype PKCS12` and `openssl pkcs12`",
        );
    }
    let binary = bytes.first() == Some(&DER_SEQUENCE);
    binary.then_some("is DER or PKCS#12; convert it to PEM with `openssl x509`, `openssl pkey` or `openssl pkcs12`")
}

fn describe(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "has a PEM section without its END line",
        PemError::Base64Decode(_) => "has a PEM section that is not base64",
        PemError::SectionTooLarge => "has a PEM section that is too large",
        _ => "is not PEM",
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn unusable(property: &str, what: &str) -> Error {
    Error::new(ErrorCode::INVALID_CONFIG, format!("{property} {what}"))
}
