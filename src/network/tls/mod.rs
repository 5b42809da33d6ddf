//! TLS over a broker's stream, configured from the `ssl.*` properties.

mod explain;
mod pem;
mod verifier;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto};

pub(super) use self::explain::explain;
use self::explain::explain_handshake;
use self::verifier::BrokerVerifier;
use super::transport::Stream;
use crate::config::TlsSettings;
use crate::error::{Error, ErrorCode};

/// How much plaintext one write may take: a whole round of vectored writes.
const WRITE_BUFFER: usize = 1024 * 1024;

/// The certificates and rules of one producer.
#[derive(Clone)]
pub(super) struct TlsClient {
    config: Arc<ClientConfig>,
    verify_name: bool,
}

impl TlsClient {
    /// Reads all files and checks that they fit together. The process-wide crypto provider is left alone.
    pub(super) fn new(settings: &TlsSettings) -> Result<TlsClient, Error> {
        let provider = Arc::new(crypto::ring::default_provider());
        let verify_name = settings.verify_hostname && settings.verify_certificate;
        let verifier = match settings.verify_certificate {
            false => BrokerVerifier::accepting_all(&provider),
            true => {
                let (roots, anchors) = trusted(settings)?;
                BrokerVerifier::new(roots, anchors, verify_name, &provider)
                    .map_err(|error| invalid(&error))?
            }
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = pem::identity(identity)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let text = format!(
                        "ssl.keystore.key does not fit ssl.keystore.certificate.chain: {error}"
                    );
                    Error::new(ErrorCode::INVALID_CONFIG, text)
                })?
            }
        };
        Ok(TlsClient {
            config: Arc::new(config),
            verify_name,
        })
    }

    /// The handshake. The error is a text for the user.
    pub(super) async fn connect(
        &self,
        host: &str,
        address: SocketAddr,
        stream: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, String> {
        let name = self.server_name(host, address)?;
        let connector = TlsConnector::from(self.config.clone());
        let limit = |connection: &mut rustls::ClientConnection| {
            connection.set_buffer_limit(Some(WRITE_BUFFER))
        };
        match connector.connect_with(name, stream, limit).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(explain_handshake(&error)),
        }
    }

    /// A host that cannot stand in a certificate matters only where names are verified.
    fn server_name(&self, host: &str, address: SocketAddr) -> Result<ServerName<'static>, String> {
        match ServerName::try_from(host.to_owned()) {
            Ok(name) => Ok(name),
            Err(_) if !self.verify_name => Ok(ServerName::from(address.ip())),
            Err(_) => Err(format!(
                "{host:?} is not a host name that a certificate can name"
            )),
        }
    }
}

/// The roots, and the configured certificates as they stand, which a self-signed broker certificate may equal.
fn trusted(settings: &TlsSettings) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Error> {
    let (certificates, configured) = match &settings.ca {
        Some(ca) => (
            pem::certificates(ca, "ssl.truststore.certificates (ssl.ca.location)")?,
            true,
        ),
        None => (system_roots()?, false),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if added == 0 {
        let text = "ssl.truststore.certificates (ssl.ca.location): none of the certificates is an X.509 v3 certificate";
        return Err(Error::new(ErrorCode::INVALID_CONFIG, text));
    }
    Ok((roots, if configured { certificates } else { Vec::new() }))
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let cause = found
            .errors
            .first()
            .map_or(String::new(), |error| format!(" ({error})"));
        let text = format!(
            "this system has no trusted certificates{cause}: install ca-certificates or set ssl.ca.location"
        );
        return Err(Error::new(ErrorCode::INVALID_CONFIG, text));
    }
    Ok(found.certs)
}

fn invalid(error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorCode::INVALID_CONFIG,
        format!("TLS cannot be set up: {error}"),
    )
}
