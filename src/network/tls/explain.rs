//! What a failure of TLS means, in the user's words: who is not trusted, why, and which property to look at.

use std::io;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{CertificateError, Error};

use super::verifier::is_authority;

/// As [`explain`], of an error of the handshake.
pub(super) fn explain_handshake(error: &io::Error) -> String {
    match explain(error) {
        Some(text) => text,
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the peer closed the connection during the handshake; does this port speak TLS? See security.protocol".into()
        }
        None => error.to_string(),
    }
}

/// A text for an error that TLS itself raised, with what to do about it; `None` for one of the stream below.
pub(in crate::network) fn explain(error: &io::Error) -> Option<String> {
    let tls = error.get_ref()?.downcast_ref::<Error>()?;
    let hint = match tls {
        Error::InvalidCertificate(certificate) => return Some(distrust(tls, certificate)),
        Error::InvalidMessage(_) => "; does this port speak TLS? See security.protocol",
        Error::AlertReceived(_) => {
            "; the broker refused: see its log, and ssl.keystore.certificate.chain if it wants a client certificate"
        }
        _ => "",
    };
    Some(format!("{tls}{hint}"))
}

/// Why the broker's certificate is not accepted.
fn distrust(error: &Error, certificate: &CertificateError) -> String {
    use CertificateError as Certificate;
    match certificate {
        _ if is_authority(error) => {
            "the broker's certificate is self-signed, or an authority's own, and not trusted: if it is the right one, \
             name its file in ssl.ca.location (or give it as text in ssl.ca.pem)"
                .to_owned()
        }
        Certificate::UnknownIssuer | Certificate::BadSignature => {
            "the broker's certificate is not trusted: it is self-signed, or its authority is none of those trusted; \
             if that is a private one, name its certificate's file in ssl.ca.location (or give it as text in ssl.ca.pem)"
                .to_owned()
        }
        Certificate::Expired => expired(""),
        Certificate::ExpiredContext { time, not_after } => {
            expired(&format!(" {} ago", span(*not_after, *time)))
        }
        Certificate::NotValidYet => not_valid_yet(""),
        Certificate::NotValidYetContext { time, not_before } => {
            not_valid_yet(&format!(", only in {}", span(*time, *not_before)))
        }
        Certificate::NotValidForName => not_for("this host", ""),
        Certificate::NotValidForNameContext {
            expected,
            presented,
        } => not_for(
            &format!("the host {}", expected.to_str()),
            &named(presented),
        ),
        Certificate::Revoked => {
            "the broker's certificate was revoked by its authority: the broker needs another one"
                .to_owned()
        }
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            "the broker's certificate is not one for servers (its extended key usage lacks serverAuth): the broker \
             needs another one"
                .to_owned()
        }
        other => format!(
            "the broker's certificate is not accepted ({other}): see ssl.ca.location and the broker's own certificate"
        ),
    }
}

fn expired(when: &str) -> String {
    format!(
        "the broker's certificate has expired{when}: it must be renewed; or this machine's clock is wrong"
    )
}

fn not_valid_yet(when: &str) -> String {
    format!(
        "the broker's certificate is not valid yet{when}: this machine's clock, or that of its authority, is wrong"
    )
}

fn not_for(host: &str, named: &str) -> String {
    format!(
        "the broker's certificate is not for {host}{named}: bootstrap.servers and advertised.listeners must use a name \
         that the certificate has (ssl.endpoint.identification.algorithm)"
    )
}

/// For whom the certificate is, in the words of somebody not trusted.
fn named(presented: &[String]) -> String {
    const SHOWN: usize = 5;
    if presented.is_empty() {
        return ": it names none".to_owned();
    }
    let names = presented.iter().take(SHOWN).map(String::as_str);
    let names = crate::network::close::printable(&names.collect::<Vec<_>>().join(", "));
    let more = match presented.len() > SHOWN {
        true => " and others",
        false => "",
    };
    format!(" but for {names}{more}")
}

/// Between two moments, in the largest unit of which there is a whole one.
fn span(from: UnixTime, to: UnixTime) -> String {
    let seconds = Duration::from_secs(to.as_secs().saturating_sub(from.as_secs())).as_secs();
    let (count, unit) = match seconds {
        86_400.. => (seconds / 86_400, "day"),
        3_600.. => (seconds / 3_600, "hour"),
        60.. => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: CertificateError) -> String {
        let error = io::Error::other(Error::InvalidCertificate(error));
        explain(&error).unwrap()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn times_are_told_in_units_of_people() {
        let (time, not_after) = (at(10_000_000), at(10_000_000 - 3 * 86_400 - 5));
        let text = said(CertificateError::ExpiredContext { time, not_after });
        assert!(text.contains("has expired 3 days ago"), "{text}");
        let not_before = at(10_000_000 + 3_700);
        let text = said(CertificateError::NotValidYetContext { time, not_before });
        assert!(
            text.contains("not valid yet, only in 1 hour:") && text.contains("clock"),
            "{text}"
        );
    }

    /// Whatever rustls finds wrong is introduced in words.
    #[test]
    fn no_complaint_is_a_bare_name_of_a_variant() {
        for error in [
            CertificateError::BadEncoding,
            CertificateError::Revoked,
            CertificateError::UnknownRevocationStatus,
            CertificateError::InvalidPurpose,
            CertificateError::Expired,
            CertificateError::NotValidYet,
            CertificateError::NotValidForName,
        ] {
            let text = said(error);
            assert!(text.starts_with("the broker's certificate "), "{text}");
        }
    }

    #[test]
    fn names_of_a_stranger_are_cut_and_cleaned() {
        let expected = "broker-1".try_into().unwrap();
        let presented = vec!["\x1b[31m".repeat(1_000); 7];
        let text = said(CertificateError::NotValidForNameContext {
            expected,
            presented,
        });
        assert!(text.contains("not for the host broker-1 but for"), "{text}");
        assert!(text.len() < 1_000 && !text.chars().any(char::is_control));
    }
}
