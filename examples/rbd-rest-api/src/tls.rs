//! The certificate, and its key.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{Error, Settings};

/// What connections are encrypted with: each with what there is when it begins.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Reads the certificate and the key, if some are set.
    pub fn load(settings: &Settings) -> Result<Option<Self>, Error> {
        let config = read(settings)?;
        Ok(config.map(|config| Self(Arc::new(ArcSwap::from_pointee(config)))))
    }

    /// Reads them again; if that fails, connections begin with the old ones.
    pub fn reload(&self, settings: &Settings) -> Result<(), Error> {
        if let Some(config) = read(settings)? {
            self.0.store(Arc::new(config));
        }
        Ok(())
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        self.0.load_full().into()
    }
}

fn read(settings: &Settings) -> Result<Option<ServerConfig>, Error> {
    let (Some(cert), Some(key)) = (&settings.tls_cert, &settings.tls_key) else {
        return Ok(None);
    };
    let certs: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| at(cert, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| at(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certs, secret);
    // This says so if the key is another certificate's, as it is while both are being replaced.
    let mut config =
        config.map_err(|error| format!("{} and {}: {error}", cert.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(config))
}

fn at(path: &Path, error: &dyn std::error::Error) -> String {
    format!("{}: {error}", path.display())
}
