//! TLS by rustls with ring: whom it trusts, and what is said when it fails.

use std::error::Error;
use std::io;
use std::sync::Arc;

use caly_provider::link::LinkFailure;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connect::Wire;
use super::target::Origin;
use super::{ExtraRoots, PumpError};

/// Trusts Mozilla's roots and the extra ones.
pub(super) fn client_config(extra_roots: &[ExtraRoots]) -> Result<ClientConfig, PumpError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for extra in extra_roots {
        let bad = |why: String| PumpError::BadRoots { source_name: extra.source.clone(), why };
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&extra.pem) {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            roots.add(certificate).map_err(|error| bad(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(bad("there is no certificate in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The handshake.
pub(super) async fn begin(
    connector: &TlsConnector,
    origin: &Origin,
    stream: TcpStream,
) -> Result<Wire, LinkFailure> {
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|_| LinkFailure::Tls(format!("{} is no name that a certificate can have", origin.host)))?;
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Wire::Secure(Box::new(stream))),
        Err(error) => Err(LinkFailure::Tls(why_no_handshake(&error, origin))),
    }
}

/// What rustls says, if it is the cause of an error of whatever kind.
pub(super) fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

fn why_no_handshake(error: &io::Error, origin: &Origin) -> String {
    let Origin { host, port, .. } = origin;
    match cause(error) {
        Some(rustls::Error::InvalidCertificate(fault)) => why_not_trusted(fault, host),
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{host}:{port} does not speak TLS: check the port, or take the scheme without TLS")
        }
        Some(rustls::Error::AlertReceived(alert)) => format!("{host} refuses the handshake: {alert:?}"),
        Some(other) => format!("{host}: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{host}:{port} hung up during the handshake: check that the port speaks TLS")
        }
        None => format!("{host}:{port}: {error}"),
    }
}

fn why_not_trusted(fault: &CertificateError, host: &str) -> String {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired (and check this machine's clock): {fault}")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet (check this machine's clock): {fault}")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate of {host} is from an unknown issuer: if it is your own, add its root to the extra roots"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is not for the name {host}: {fault}")
        }
        // Foreign and not exhaustive.
        other => format!("the certificate of {host} is not accepted: {other}"),
    }
}
